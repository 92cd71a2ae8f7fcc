"""Column sets: of which columns of what a run takes versions, because readers rest on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from leapsql_core.hashing import column_set_key
from leapsql_core.models import ColumnSet, Model, Project, Trace
from leapsql_core.planning.versions import reads_for, reads_order, version_key

_NO_TRACES: Mapping[str, Trace] = {}


def column_sets_read(project: Project, traces: Mapping[str, Trace] = _NO_TRACES) -> dict[str, tuple[ColumnSet, ...]]:
    """Return for every table, seed and source the sets of its columns whose versions readers rest on.

    Readers through a view count as readers of what the view reads. All columns come first for what the project makes:
    that set is the relation's own version. Of sources, what the builds behind `traces` read counts too.
    """
    wanted: dict[str, dict[str, ColumnSet]] = {path: {"*": None} for path in project.nodes}
    wanted.update({name: {} for name in project.sources})
    for name, columns, _ in _stream_reads(project):
        wanted[name].setdefault(column_set_key(columns), columns)
    for name, columns in _stream_other_reads(project, traces):
        wanted[name].setdefault(column_set_key(columns), columns)
    return {name: tuple(sets[key] for key in sorted(sets)) for name, sets in wanted.items()}


def sets_read_in_order(project: Project, traces: Mapping[str, Trace] = _NO_TRACES) -> dict[str, tuple[ColumnSet, ...]]:
    """Return for the sources whose order of rows decides an answer the sets of columns that are read with it.

    What the builds behind `traces` read otherwise than it is read now they may have read in its order.
    """
    wanted: dict[str, dict[str, ColumnSet]] = {}
    for name, columns, ordered in _stream_reads(project):
        if ordered and name in project.sources:
            wanted.setdefault(name, {})[column_set_key(columns)] = columns
    for name, columns in _stream_other_reads(project, traces):
        wanted.setdefault(name, {})[column_set_key(columns)] = columns
    return {name: tuple(sets[key] for key in sorted(sets)) for name, sets in sorted(wanted.items())}


def _stream_other_reads(project: Project, traces: Mapping[str, Trace]) -> Iterator[tuple[str, ColumnSet]]:
    """Yield what builds read of sources and what is not what their models read of them now."""
    for path, trace in traces.items():
        node = project.nodes.get(path)
        if isinstance(node, Model):
            now = {entry.name: column_set_key(entry.columns) for entry in node.inputs}
            for entry in trace.inputs:
                if entry.name in project.sources and column_set_key(entry.columns) != now.get(entry.name):
                    yield entry.name, entry.columns


def _stream_reads(project: Project) -> Iterator[tuple[str, ColumnSet, bool]]:
    """Yield once what is read of which table, seed or source, views looked through, and whether in its order."""
    seen: set[tuple[str, str]] = set()
    for node in project.nodes.values():
        is_view = node.materialized == "view"
        left: list[tuple[str, ColumnSet, bool]] = [(node.path, None, False)] if is_view else []
        if not is_view:
            left += [(entry.name, entry.columns, reads_order(node)) for entry in node.inputs]
        if isinstance(node, Model):
            left += [(entry.name, entry.columns, False) for entry in node.test_inputs]
        while left:
            name, columns, ordered = left.pop()
            key = (name, version_key(columns, ordered=ordered))
            if key in seen:
                continue
            seen.add(key)
            below = project.nodes.get(name)
            if isinstance(below, Model) and below.materialized == "view":
                in_order = ordered or reads_order(below)
                left += [(read.table, read.columns, in_order) for read in reads_for(below, columns)]
            else:
                yield name, columns, ordered
