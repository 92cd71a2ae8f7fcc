"""`leapsql state`: whether state and warehouse agree, what mends them where they do not, and how the state is kept."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from leapsql_core.cli.keeping import backup, prune, restore
from leapsql_core.cli.opening import open_project
from leapsql_core.cli.options import Settings, command, global_options, verbose
from leapsql_core.cli.output import show
from leapsql_core.cli.pages import Block, Cell, Column, Table, line, paragraph
from leapsql_core.cli.progress import watching
from leapsql_core.cli.run import DONE, FAILED, building, run_and_show, seconds_to_wait, waiting
from leapsql_core.cli.wording import counted
from leapsql_core.execution import RunOptions
from leapsql_core.planning import Finding
from leapsql_core.upkeep import Checkup, check_state

_COLUMNS = (
    Column("found"),
    Column("relation"),
    Column("what it is", fit="wrap"),
    Column("what mends it", fit="wrap"),
)


@click.group("state")
def state() -> None:
    """Check the state against the warehouse and mend it; copy, restore and prune it."""


state.params.extend(global_options())


@command("check")
@click.option("--deep", is_flag=True, help="Read the rows of all tables too, to find what was changed by hand.")
@click.option("--repair", is_flag=True, help="Mend what can be mended without building anything.")
@click.option("--drop-orphans", is_flag=True, help="Drop what was built and no model makes any more.")
@waiting
def check(settings: Settings, *, deep: bool, repair: bool, drop_orphans: bool, wait: float | None) -> int:
    """Compare the state of the environment with its warehouse.

    The exit status is 1 if something was found and not mended.
    """
    with watching(verbose=False) as watch:
        watch.says("reading the project")
        session = open_project(settings)
        watch.says("looking at state and warehouse")
        checkup = Checkup(deep=deep, repair=repair, drop_orphans=drop_orphans)
        findings = check_state(session, checkup, wait_seconds=seconds_to_wait(session, wait), on_wait=watch.waits)
    facts = {
        "environment": session.project.environment,
        "findings": [asdict(finding) for finding in findings],
    }
    show(settings.output, _page(findings, session.project.environment), facts)
    return DONE if all(finding.mended for finding in findings) else FAILED


@command("adopt")
@click.argument("select", nargs=-1, required=True)
@building
@verbose
def adopt(settings: Settings, *, select: tuple[str, ...], threads: int, wait: float | None, verbose: bool) -> int:
    """Take tables over as they stand, as if they had just been built.

    SELECT names models or seeds whose tables were made by another hand, were restored, or were altered on purpose.
    Their tests are run, their rows are not touched; what reads them is built for what they hold.
    """
    options = RunOptions(adopt=True, parallel=threads)
    return run_and_show(settings, select, (), options, wait=wait, verbose=verbose)


for _subcommand in (check, adopt, backup, restore, prune):
    state.add_command(_subcommand)


def _page(findings: tuple[Finding, ...], environment: str) -> list[Block]:
    if not findings:
        return paragraph([line(Cell(f"state and warehouse of {environment} agree", "good"))])
    rows: Any = tuple(
        (
            Cell(finding.kind, "good" if finding.mended else "warn"),
            Cell(finding.relation or ""),
            Cell(finding.detail),
            Cell(finding.mend, "good" if finding.mended else "plain"),
        )
        for finding in findings
    )
    left = sum(not finding.mended for finding in findings)
    said = f"{counted(len(findings), 'finding')}, {left} left" if left < len(findings) else counted(left, "finding")
    return [Table(_COLUMNS, rows), *paragraph([line(said)])]
