"""What becomes of the columns of a table that grows when a batch brings others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from leapsql_core.models import Column, Decision, Model, Node, Project, Trace
from leapsql_core.names import fold
from leapsql_core.planning.observations import Observations
from leapsql_core.planning.surroundings import changed_surroundings, kept_settings

#: What to do about a batch that is refused for its columns.
OTHER_COLUMNS_MEND = "Rebuild with --full-refresh, or set incremental.on_schema_change to append, sync or ignore."


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """Columns that a batch has and its table does not, the reverse, and those of another type: (now, in the batch)."""

    added: tuple[Column, ...] = ()
    gone: tuple[Column, ...] = ()
    retyped: tuple[tuple[Column, Column], ...] = ()

    def __bool__(self) -> bool:
        """Tell whether anything differs."""
        return bool(self.added or self.gone or self.retyped)

    def __str__(self) -> str:
        """Return all of it in one line."""
        changes = [f"+{column.name} {column.type}".rstrip() for column in self.added]
        changes += [f"-{column.name}" for column in self.gone]
        changes += [f"{old.name}: {old.type} → {new.type}" for old, new in self.retyped]
        return ", ".join(changes)


def compare_batch(table: Sequence[Column], batch: Sequence[Column]) -> SchemaChange:
    """Return how the columns of a batch differ from its table's; order and case do not count.

    >>> table = [Column("a", "DATE"), Column("b", "DATE")]
    >>> str(compare_batch(table, [Column("c", "DATE"), Column("B", "TIME")])), bool(compare_batch(table, table[::-1]))
    ('+c DATE, -a, b: DATE → TIME', False)
    """
    before = {fold(column.name): column for column in table}
    after = {fold(column.name): column for column in batch}
    return SchemaChange(
        added=tuple(column for name, column in after.items() if name not in before),
        gone=tuple(column for name, column in before.items() if name not in after),
        retyped=tuple(
            (before[name], column)
            for name, column in after.items()
            if name in before and before[name].type != column.type
        ),
    )


def may_differ(
    model: Model,
    project: Project,
    traces: Mapping[str, Trace],
    observations: Observations,
    *,
    since: datetime | None = None,
) -> bool:
    """Tell whether a query may yield other columns than its relation has, as far as can be told without asking.

    Where this says no, nothing that decides them has changed since it was built, or since the moment `since`, if that
    is given: neither the query nor what it calls, nor the columns of what it reads.
    """
    trace = traces.get(model.path)
    if trace is None or trace.content_hash != model.content_hash:
        return True
    named = None if model.lineage.columns is None else {fold(column.name) for column in model.lineage.columns}
    if named != {fold(column.name) for column in trace.columns}:  # as it may have been before, with `ignore`
        return True
    moved = changed_surroundings(model, trace, observations, project.secrets)
    if moved or kept_settings(trace) != observations.settings:
        return True
    seen = {entry.name: entry.seen for entry in trace.inputs}
    for entry in model.inputs:
        node = project.nodes.get(entry.name)
        if node is None:
            columns = observations.source_columns.get(entry.name)
            if columns is None or columns != seen.get(entry.name):
                return True
            continue
        if node.path not in traces or traces[node.path].built_at > (since or trace.built_at):
            return True
        if not isinstance(node, Model) or node.materialized != "view":
            continue
        if may_differ(node, project, traces, observations, since=since or trace.built_at):
            return True
    return False


def foreseen_change(
    model: Model, trace: Trace, observations: Observations, *, pending: Collection[str] = ()
) -> SchemaChange | None:
    """Return how the next batch of a model will differ from its table, ``None`` if that is not known.

    Of inputs that are `pending` only the names of columns can be foreseen, as far as the query tells them.
    """
    if not pending:
        seen = observations.batch_columns.get(model.path)
        return None if seen is None else compare_batch(trace.columns, seen)
    if model.lineage.columns is None:
        return None
    types = {fold(column.name): column.type for column in trace.columns}
    named = [Column(column.name, types.get(fold(column.name), "")) for column in model.lineage.columns]
    return compare_batch(trace.columns, named)


def with_schema_change(
    decision: Decision, node: Node, trace: Trace | None, observations: Observations, *, pending: Collection[str]
) -> Decision:
    """Return a decision that says of a batch how it will change the columns of the table, if it will."""
    if decision.mode != "incremental" or decision.action == "skip" or not isinstance(node, Model) or trace is None:
        return decision
    change = foreseen_change(node, trace, observations, pending=pending)
    if not change:
        return decision
    on_change = node.config.incremental.on_schema_change
    refused = ", and so the batch will be refused" if on_change == "fail" else ""
    said = f"its batch has other columns: {change} (on_schema_change: {on_change}{refused})"
    return replace(decision, detail=f"{decision.detail}; {said}")
