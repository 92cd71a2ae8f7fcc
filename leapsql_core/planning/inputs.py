"""Whether what a model read when it was built still holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from leapsql_core.hashing import column_set_key
from leapsql_core.models import (
    Column,
    ColumnSet,
    Decision,
    Input,
    Model,
    Node,
    Project,
    Reason,
    Relation,
    Seed,
    Trace,
    TraceInput,
)
from leapsql_core.names import fold
from leapsql_core.planning.observations import Observations
from leapsql_core.planning.surroundings import is_relation
from leapsql_core.planning.versions import VersionBook, moves_by_itself, within
from leapsql_core.sql import mentioned

_MOST_SAID = 3


def compare_inputs(
    node: Node, trace: Trace, *, project: Project, book: VersionBook, pending: Collection[str] = ()
) -> Decision | None:
    """Return why `node` builds or has to be checked for its inputs, ``None`` if all of them stand as they were.

    `pending` are inputs that this run may still change.
    """
    if isinstance(node, Seed):
        return None
    before = {entry.name: entry for entry in trace.inputs if is_relation(entry)}
    gone = sorted(set(before) - {entry.name for entry in node.inputs})
    new = [entry.name for entry in node.inputs if entry.name not in before]
    if gone or new:
        said = [*(f"no longer {name}" for name in gone), *(f"now {name}" for name in new)]
        return _build(node, "resolved_differently", f"it reads {', '.join(said)}")
    compared = [
        _compare_one(node, entry, before[entry.name], project=project, book=book, pending=entry.name in pending)
        for entry in node.inputs
    ]
    found = [decision for decision in compared if decision is not None]
    builds = [decision for decision in found if decision.action == "build"]
    if builds:
        return _joined(builds)
    moving = node.run_values if node.materialized == "view" else moves_by_itself(node)
    if moving and node.config.volatile != "ignore":
        return _build(node, "volatile", f"its answer moves by itself: {', '.join(moving)}", recurring=True)
    waiting = [entry.name for entry in node.inputs if entry.name in pending]
    if waiting:
        return Decision(node.path, "check", "input_pending", f"builds if {_names(waiting)} changes in what it reads")
    if found:
        return Decision(node.path, "check", "unobserved", "; ".join(decision.detail for decision in found))
    return None


def input_columns(
    model: Model, traces: Mapping[str, Trace], observations: Observations
) -> dict[Relation, tuple[Column, ...]]:
    """Return the columns that the inputs of `model`, and itself, have now; those that are not known are left out.

    Of a source that was not looked at they are those that the model's last build saw.
    """
    own = traces.get(model.path)
    sources = {entry.name: entry.seen for entry in own.inputs if entry.seen is not None} if own is not None else {}
    sources.update(observations.source_columns)
    found: dict[Relation, tuple[Column, ...]] = {}
    for name, relation in ((model.path, model.relation), *((entry.name, entry.relation) for entry in model.inputs)):
        if name in traces:
            found[relation] = traces[name].columns
        elif name in sources:
            found[relation] = sources[name]
    return found


def _compare_one(
    node: Model, entry: Input, before: TraceInput, *, project: Project, book: VersionBook, pending: bool
) -> Decision | None:
    """Return what one input asks for: a build, a check, or nothing."""
    if fold(str(entry.relation)) != fold(before.relation):
        is_now = f"the source {entry.relation}" if entry.name in project.sources else entry.relation
        detail = f"{entry.name} is {is_now} now, and was {before.relation}"
        return _build(node, "resolved_differently", detail)
    if column_set_key(entry.columns) != column_set_key(before.columns):
        return _compare_columns(node, entry, before, book=book, pending=pending)
    if pending:
        return None
    view = node.materialized == "view"
    source = project.sources.get(entry.name)
    if source is not None and source.config.version == "always" and not view:
        detail = f"{entry.name} counts as changed in every run (version: always)"
        return _build(node, "volatile", detail, recurring=True)
    now = book.read_version(node, entry.name, entry.columns)
    if now is None and not book.was_looked_at(entry.name, entry.columns):
        return Decision(node.path, "check", "unobserved", f"{entry.name} was not looked at")
    if now is None or before.data_version is None:
        why = book.doubt(entry.name, entry.columns)
        detail = f"whether {entry.name} changed cannot be told{f' ({why})' if why else ''}: built in doubt"
        # A build that reads what is known now takes the doubt away; what was not looked at may be astray again.
        stays = now is None or not book.was_looked_at(entry.name, entry.columns)
        return _build(node, "input_changed", detail, recurring=stays)
    if now == before.data_version or book.stands(node, before):
        return _compare_named(node, entry, before, book=book)
    what = "names or types of columns" if view else "data"
    if not view and node.lineage.ordered is not None:
        what = f"data or the order of its rows ({node.lineage.ordered})"
    return _build(node, "input_changed", f"{entry.name} changed: {what}, in {_columns(entry.columns)}")


def _compare_columns(
    node: Model, entry: Input, before: TraceInput, *, book: VersionBook, pending: bool
) -> Decision | None:
    """Return what it asks for that other columns of an input are read than before, though the query is the same.

    Where fewer are read, and all that were read are as they were, the answer is: so a parser that has learned to see
    more clearly rebuilds nothing. Where others are read, a name may mean another column.
    """
    if within(entry.columns, before.columns):
        if pending:
            return None
        if before.data_version is not None and book.stands(node, before):
            return _compare_named(node, entry, before, book=book)
    change = _column_change(entry.columns, before.columns)
    return _build(node, "resolved_differently", f"it reads other columns of {entry.name}: {change}")


def _compare_named(node: Model, entry: Input, before: TraceInput, *, book: VersionBook) -> Decision | None:
    """Return what it asks for that a column of an input is gone which the query names, though no answer hangs on it.

    ``EXISTS (SELECT a …)`` reads no ``a``, but fails without one. Whether the name means this column is in doubt.
    """
    now = book.columns(entry.name)
    if now is None or before.seen is None:
        return None
    there = {fold(column.name) for column in now}
    gone = [column.name for column in before.seen if fold(column.name) not in there]
    texts = [query.resolved for query in (node.query, node.incremental_query) if query is not None]
    named = [name for name in gone if any(mentioned(text, [name]) for text in texts)]
    if not named:
        return None
    return _build(node, "resolved_differently", f"{entry.name} has no {_names(named)} any more, which its query names")


def _build(node: Model, reason: Reason, detail: str, *, recurring: bool = False) -> Decision:
    return Decision(node.path, "build", reason, detail, recurring=recurring)


def _joined(builds: Sequence[Decision]) -> Decision:
    """Return one decision for all: with the reason of the first that a build takes away, if there is one."""
    first = next((decision for decision in builds if not decision.recurring), builds[0])
    details = [decision.detail for decision in builds if decision.reason == first.reason]
    more = len(details) - _MOST_SAID
    said = "; ".join(details[:_MOST_SAID]) + (f"; and {more} more" if more > 0 else "")
    return Decision(first.path, "build", first.reason, said, recurring=first.recurring)


def _columns(columns: ColumnSet) -> str:
    if columns is None:
        return "all its columns"
    return ", ".join(columns) if columns else "the number of its rows"


def _column_change(now: ColumnSet, before: ColumnSet) -> str:
    if now is None or before is None:
        return f"{_columns(now)} instead of {_columns(before)}"
    folded_now, folded_before = ({fold(name) for name in names} for names in (now, before))
    said = [f"+{name}" for name in now if fold(name) not in folded_before]
    return ", ".join([*said, *(f"-{name}" for name in before if fold(name) not in folded_now)])


def _names(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
