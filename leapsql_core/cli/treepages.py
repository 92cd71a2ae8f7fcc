"""What differs between what was built and the project's files as they are now, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from leapsql_core.cli.environmentpages import columns_difference_words, columns_facts
from leapsql_core.cli.explanation import text_difference
from leapsql_core.cli.notices import stream_notices
from leapsql_core.cli.pages import Block, Cell, Column, Excerpt, Line, Table, line, paragraph, row
from leapsql_core.cli.plan import ACTION_STYLES
from leapsql_core.cli.wording import added_detail, reason_words, some_of
from leapsql_core.models import Column as ModelColumn
from leapsql_core.models import Decision, Model, Node, Trace
from leapsql_core.names import fold
from leapsql_core.planning import ColumnDifferences, compare_columns
from leapsql_core.session import Planned


@dataclass(frozen=True, slots=True)
class Change:
    """One model that is not as it was built; ``columns`` is ``None`` where the columns of now are not known."""

    decision: Decision
    columns: ColumnDifferences | None
    diff: str | None


@dataclass(frozen=True, slots=True)
class Changes:
    """All that is not as it was built. ``recurring`` would be built by every run, whatever anybody changes."""

    models: tuple[Change, ...]
    orphans: tuple[str, ...]
    recurring: tuple[str, ...]


def changes_of(planned: Planned, *, with_orphans: bool) -> Changes:
    """Return what `planned` says is not as it was built, parents first; with what is gone from the project, if asked.

    A check counts if something that is not as it was built stands above it.
    """
    models: list[Change] = []
    recurring: list[str] = []
    moved: set[str] = set()
    below: set[str] = set()
    for path, node in planned.project.nodes.items():
        above = {entry.name for entry in node.inputs} | set(planned.project.waits.get(path, ()))
        if not above.isdisjoint(moved | below):
            below.add(path)
        decision = planned.plan.decisions.get(path)
        if decision is None or decision.reason in ("unchanged", "unobserved"):
            continue
        if decision.recurring:
            recurring.append(path)
        elif decision.reason != "input_pending" or path in below:
            if decision.action != "skip":
                moved.add(path)
            trace = planned.snapshot.traces.get(path)
            diff = text_difference(planned, node, trace)
            models.append(Change(decision, _columns(node, trace), diff))
    return Changes(tuple(models), _gone(planned) if with_orphans else (), tuple(recurring))


def _columns(node: Node, trace: Trace | None) -> ColumnDifferences | None:
    """Return how the names of a model's columns differ from those that were built; types are known once it is built."""
    if isinstance(node, Model):
        names = None if node.lineage.columns is None else [column.name for column in node.lineage.columns]
    else:
        names = list(node.columns)
    if names is None:
        return None
    before = () if trace is None else trace.columns
    types = {fold(column.name): column for column in before}
    return compare_columns(before, tuple(types.get(fold(name), ModelColumn(name, "")) for name in names))


def page(changes: Changes, planned: Planned, *, full: bool) -> list[Block]:
    """Return what differs: a table, with `full` the differences of texts, what is worth knowing beside, the count."""
    environment, mask = planned.plan.environment, planned.project.secrets.mask
    blocks: list[Block] = []
    rows = [_row(change, mask(change.decision.detail)) for change in changes.models]
    rows += [row("", Cell(path, "strong"), f"only in {environment}", "", "") for path in changes.orphans]
    if rows:
        blocks.append(_table(rows))
    for change in changes.models:
        if full and change.diff is not None:
            blocks.append(Excerpt(change.diff, "diff", headline=line(Cell(change.decision.path, "strong"))))
    blocks += paragraph(_stream_notices(changes, planned, full=full))
    return [*blocks, *paragraph([_summary(changes, environment)])]


def _table(rows: Sequence[Line]) -> Table:
    """Return a table of what differs, without the column of columns where none differ."""
    headers = ("action", "model", "reason", "columns", "detail")
    kept = [
        place for place, name in enumerate(headers) if name != "columns" or any(cells[place].text for cells in rows)
    ]
    columns = [Column(name, fit="wrap" if name == "detail" else "whole") for name in headers]
    return Table(tuple(columns[place] for place in kept), tuple(tuple(cells[i] for i in kept) for cells in rows))


def _row(change: Change, detail: str) -> Line:
    decision = change.decision
    is_new = decision.reason == "new"
    cells = (
        Cell(decision.action, ACTION_STYLES[decision.action]),
        Cell(decision.path, "strong"),
        reason_words(decision.reason),
        "" if change.columns is None or is_new else columns_difference_words(change.columns),
        added_detail(decision.reason, detail),
    )
    return row(*cells, style="quiet" if decision.action == "skip" else None)


def _gone(planned: Planned) -> tuple[str, ...]:
    """Return the models that were built and that the project no longer has."""
    return tuple(path for path in planned.snapshot.traces if path not in planned.project.nodes)


def _stream_notices(changes: Changes, planned: Planned, *, full: bool) -> Iterator[Line]:
    # What is gone from the project stands in the table.
    left = tuple(orphan for orphan in planned.plan.orphans if orphan.path not in changes.orphans)
    yield from stream_notices(planned.project, replace(planned.plan, orphans=left), lost=planned.lost, verbose=full)
    if changes.recurring:
        said = Cell("built by every run, changed or not: ", "warn")
        yield line(said, some_of(changes.recurring, all_of_them=full))
    if planned.observations.relations is None:
        yield line(Cell(planned.observations.unread, "warn"))


def _summary(changes: Changes, environment: str) -> Line:
    new = sum(change.decision.reason == "new" for change in changes.models)
    may = sum(change.decision.reason == "input_pending" for change in changes.models)
    counts = (
        (len(changes.models) - new - may, "differ"),
        (may, "may differ"),
        (new, f"not built in {environment} yet"),
        (len(changes.orphans), f"only in {environment}"),
    )
    said = ", ".join(f"{count:,} {words}" for count, words in counts if count)
    return line(said or "no difference")


# ---------------------------------------------------------------------------------------------------------- as JSON


def facts(changes: Changes, planned: Planned) -> dict[str, Any]:
    """Return what differs as plain data."""
    mask = planned.project.secrets.mask
    return {
        "environment": planned.plan.environment,
        "other": None,
        "models": [
            {
                "path": change.decision.path,
                "action": change.decision.action,
                "reason": change.decision.reason,
                "detail": mask(change.decision.detail),
                "columns": None if change.columns is None else columns_facts(change.columns),
                "diff": change.diff,
            }
            for change in changes.models
        ],
        "only_in": list(changes.orphans),
        "recurring": list(changes.recurring),
    }
