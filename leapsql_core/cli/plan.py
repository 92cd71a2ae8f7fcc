"""`leapsql plan`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click

from leapsql_core.cli.notices import deferral_facts, say_notices, stream_notices
from leapsql_core.cli.opening import Elsewhere, defer_project, open_project
from leapsql_core.cli.options import Settings, command, deferring, forcing, partitions, selection, verbose
from leapsql_core.cli.output import form_of, show
from leapsql_core.cli.pages import Block, Cell, Column, Line, Style, Table, line, paragraph, row
from leapsql_core.cli.results import FEW
from leapsql_core.cli.wording import added_detail, reason_words
from leapsql_core.models import Decision
from leapsql_core.planning import PartitionRange
from leapsql_core.session import choose, plan_session

ACTION_STYLES: dict[str, Style] = {"build": "good", "check": "warn", "skip": "quiet"}


@command("plan")
@selection
@forcing
@partitions
@deferring
@click.option("--no-look", is_flag=True, help="Leave the warehouse alone; what rests on it is then to be checked.")
@verbose
def plan(
    settings: Settings,
    *,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    force: bool,
    full_refresh: bool,
    partitions: PartitionRange | None,
    defer_to: str | None,
    state_of: Path | None,
    no_look: bool,
    verbose: bool,
) -> int:
    """Show what a run would build, and why; nothing is built.

    SELECT is written as for `leapsql run`. A model to check builds only if an input turns out to have changed.
    """
    session = open_project(settings)
    chosen = choose(session, select, exclude=exclude, look=not no_look)
    session, chosen = defer_project(session, chosen, Elsewhere(defer_to, state_of), force=force)
    planned = plan_session(
        session,
        selection=chosen,
        force=force,
        full_refresh=full_refresh,
        look=not no_look,
        partitions=partitions,
    )
    nodes, mask = session.project.nodes, session.project.secrets.mask
    decisions = list(planned.plan.decisions.values())
    facts = {
        "environment": planned.plan.environment,
        "models": [
            {
                "path": decision.path,
                "action": decision.action,
                "reason": decision.reason,
                "detail": mask(decision.detail),
                "content_hash": nodes[decision.path].content_hash,
            }
            for decision in decisions
        ],
        **deferral_facts(session.project),
    }
    unread = planned.observations.unread if planned.observations.relations is None else ""
    page = [
        *_stream_table(decisions, mask=mask, unread=unread, verbose=verbose),
        *paragraph(stream_notices(session.project, planned.plan, lost=planned.lost, verbose=verbose)),
        *paragraph([] if not unread else [line(Cell(unread, "warn"))]),
        *paragraph([_summary(decisions)]),
    ]
    if form_of(settings.output) == "json":
        say_notices(session.project, planned.plan, lost=planned.lost)
    show(settings.output, page, facts)
    return 0


def _stream_table(
    decisions: Sequence[Decision], *, mask: Callable[[str], str], unread: str, verbose: bool
) -> Iterator[Block]:
    standing = sum(_stands(decision) for decision in decisions)
    shown = [decision for decision in decisions if verbose or standing <= FEW or not _stands(decision)]
    if shown:
        columns = (Column("action"), Column("model"), Column("reason"), Column("detail", fit="wrap"))
        yield Table(columns, tuple(_row(decision, mask=mask, unread=unread) for decision in shown))


def _stands(decision: Decision) -> bool:
    """Tell whether nothing speaks for building a model: it is unchanged, as far as was looked."""
    return decision.action == "skip" or decision.reason == "unobserved"


def _row(decision: Decision, *, mask: Callable[[str], str], unread: str) -> Line:
    action = Cell(decision.action, ACTION_STYLES[decision.action])
    detail = added_detail(decision.reason, mask(decision.detail))
    if unread and decision.reason == "unobserved":
        # Why the warehouse was not looked at is said once, below the table.
        detail = detail.removeprefix(unread).removeprefix("; ")
    cells = (action, decision.path, reason_words(decision.reason), detail)
    return row(*cells, style="quiet" if decision.action == "skip" else None)


def _summary(decisions: Sequence[Decision]) -> Line:
    counts = {action: sum(decision.action == action for decision in decisions) for action in ACTION_STYLES}
    words = {"build": "to build", "check": "to check", "skip": "unchanged"}
    said = [Cell(f"{counts[action]:,} {words[action]}", ACTION_STYLES[action]) for action in words if counts[action]]
    parts = [part for cell in said for part in (cell, Cell(", "))][:-1]
    return line(*parts) if parts else line("nothing is selected")
