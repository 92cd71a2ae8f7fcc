"""`leapsql run`, `leapsql seed` and `leapsql test`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from leapsql_core.cli.account import Account, show_account
from leapsql_core.cli.opening import Elsewhere, defer_project, open_project
from leapsql_core.cli.options import Settings, command, deferring, forcing, partitions, selection, verbose
from leapsql_core.cli.progress import Watch, watching
from leapsql_core.cli.results import result_of
from leapsql_core.cli.retry import find_left, retry_of, show_nothing_left
from leapsql_core.errors import SelectionError
from leapsql_core.execution import ModelFinished, RunFinished, RunOptions, RunStarted
from leapsql_core.models import Model
from leapsql_core.planning import PartitionRange
from leapsql_core.runs import stream_session_run
from leapsql_core.session import Session, choose

DONE, FAILED = 0, 1
_WAIT_SECONDS = 60.0
_HERE = Elsewhere()


def building(function: Any) -> Any:
    """Add what says how models are built."""
    return click.option(
        "--threads",
        type=click.IntRange(min=1),
        default=4,
        show_default=True,
        metavar="N",
        help="How many models to build at the same time.",
    )(waiting(function))


def waiting(function: Any) -> Any:
    """Add how long to wait."""
    return click.option(
        "--wait",
        type=click.FloatRange(min=0),
        metavar="SECONDS",
        help="How long to wait for another run, or a database that another process holds."
        "  [default: as in leapsql.yaml, else 60]",
    )(function)


def seconds_to_wait(session: Session, wait: float | None) -> float:
    """Return how long to wait: as the option says, else as the target does."""
    configured = session.project.target.wait_seconds
    return wait if wait is not None else _WAIT_SECONDS if configured is None else configured


@command("run")
@selection
@forcing
@partitions
@click.option(
    "--retry-failed",
    is_flag=True,
    help="Only what failed in the last run, was skipped because of that, or was cut off; as that run was asked.",
)
@deferring
@building
@verbose
def run(
    settings: Settings,
    *,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    force: bool,
    full_refresh: bool,
    partitions: PartitionRange | None,
    retry_failed: bool,
    defer_to: str | None,
    state_of: Path | None,
    threads: int,
    wait: float | None,
    verbose: bool,
) -> int:
    """Build what has to be built, and nothing else.

    SELECT names what may be built, all of the project if it is left out: name, path, folder.*, tag:x, owner:x,
    materialized:x, state:changed; with +x, x+, +x+ or 2+x for what lies above and below.
    """
    options = RunOptions(force=force, full_refresh=full_refresh, partitions=partitions, parallel=threads)
    deferring_to = Elsewhere(defer_to, state_of)
    return run_and_show(
        settings, select, exclude, options, wait=wait, verbose=verbose, retry=retry_failed, elsewhere=deferring_to
    )


@command("seed")
@selection
@click.option("--force", is_flag=True, help="Load all that is selected, changed or not.")
@building
@verbose
def seed(
    settings: Settings,
    *,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    force: bool,
    threads: int,
    wait: float | None,
    verbose: bool,
) -> int:
    """Load the seeds that changed.

    SELECT names seeds, all of them if it is left out. `leapsql run` loads them too, before what reads them.
    """
    options = RunOptions(force=force, parallel=threads)
    return run_and_show(settings, select, exclude, options, wait=wait, verbose=verbose, seeds_alone=True)


@command("test")
@selection
@building
@verbose
def test(
    settings: Settings,
    *,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    threads: int,
    wait: float | None,
    verbose: bool,
) -> int:
    """Run tests on what stands; nothing is built.

    SELECT names models, all that have tests if it is left out. `leapsql run` runs tests too: of what it builds, before
    anybody sees it, and of what changed in them or in what they look up.
    """
    options = RunOptions(test=True, parallel=threads)
    return run_and_show(settings, select, exclude, options, wait=wait, verbose=verbose)


def run_and_show(
    settings: Settings,
    select: Sequence[str],
    exclude: Sequence[str],
    options: RunOptions,
    *,
    wait: float | None,
    verbose: bool,
    seeds_alone: bool = False,
    retry: bool = False,
    elsewhere: Elsewhere = _HERE,
) -> int:
    """Run what was selected, show what came of it, and return the exit status."""
    began = time.monotonic()
    with watching(verbose=verbose) as watch:
        watch.says("reading the project")
        session = open_project(settings)
        chosen = choose(session, select, exclude=exclude)
        if seeds_alone:
            chosen = _seeds_among(session, chosen, select)
        if options.test:
            chosen = _tested_among(session, chosen, select)
        account, waits = Account(left=find_left(session) if retry else None), seconds_to_wait(session, wait)
        if account.left is not None:
            chosen = [path for path in chosen if path in account.left.paths]
            options, elsewhere = retry_of(account.left, session, chosen, options, elsewhere)
        if chosen or account.left is None:
            session, chosen = defer_project(session, chosen, elsewhere, force=options.force, wait_seconds=waits)
        watch.says("looking at the warehouse")
        if chosen or account.left is None:
            _follow(session, replace(options, selection=chosen), account, watch, wait_seconds=waits)
    if account.left is not None and not chosen:
        show_nothing_left(settings, session, account.left)
        return DONE
    if account.plan is not None:
        seconds = time.monotonic() - began
        show_account(settings, session, account, account.plan, seconds=seconds, verbose=verbose, tested=options.test)
    if account.interruption is not None:
        raise account.interruption
    return DONE if account.status == "completed" else FAILED


def _seeds_among(session: Session, chosen: Sequence[str], select: Sequence[str]) -> list[str]:
    """Return the seeds among what was chosen."""
    seeds = [path for path in chosen if session.project.nodes[path].materialized == "seed"]
    if chosen and select and not seeds:
        raise SelectionError(
            f"`{' '.join(select)}` selects no seed", mend="`leapsql list materialized:seed` shows what seeds there are."
        )
    return seeds


def _tested_among(session: Session, chosen: Sequence[str], select: Sequence[str]) -> list[str]:
    """Return the models with tests among what was chosen."""
    nodes = session.project.nodes
    tested = [path for path in chosen if isinstance(node := nodes[path], Model) and node.config.tests]
    if select and not tested:
        raise SelectionError(
            f"`{' '.join(select)}` selects no model with tests", mend="Tests stand in the frontmatter."
        )
    return tested


def _follow(session: Session, options: RunOptions, account: Account, watch: Watch, *, wait_seconds: float) -> None:
    """Run to the end, or to the interruption: then what was being built is rolled back, and the run is cancelled."""
    events = stream_session_run(session, options, wait_seconds=wait_seconds, on_wait=watch.waits)
    try:
        with closing(events):
            for event in events:
                watch.notes(event)
                if isinstance(event, RunStarted):
                    account.run_id, account.plan, account.adopted = event.run_id, event.plan, event.adopted
                elif isinstance(event, ModelFinished):
                    account.results[event.path] = result_of(event)
                elif isinstance(event, RunFinished):
                    account.status = event.status
    except KeyboardInterrupt as exc:
        account.status, account.interruption = "cancelled", exc
