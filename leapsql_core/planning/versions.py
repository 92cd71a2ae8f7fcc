"""The version that an input has now, on the columns that a reader reads.

Tables and seeds have versions of their own, taken when they were built. A view has none: it is traced through its own
query to the tables below it. A view as a *reader* rests on the columns of its inputs, not on their rows. A reader whose
answer hangs on the order of rows reads that order too: each build of a table is a new one; at a source it is looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from leapsql_core.hashing import column_set_key, fingerprint
from leapsql_core.models import Column, ColumnSet, Model, Node, Project, Read, Trace, TraceInput
from leapsql_core.names import fold
from leapsql_core.planning.observations import Observations
from leapsql_core.planning.surroundings import is_relation, surroundings_version

#: Among the names of a column set: the order of the rows counts too. No column can be meant by it.
IN_ORDER = "\0 rows in order"
#: The key of the version of all that a seed holds, in the order of its rows. No column set has it.
ALL_IN_ORDER = "* in order"

#: The version of a source whose author says that it never changes: nothing is known of its data.
NEVER = "never"


class VersionBook:
    """Looks versions up in traces and observations. An answer is kept: ask only for what no longer changes."""

    def __init__(
        self,
        project: Project,
        traces: Mapping[str, Trace],
        data_versions: Mapping[str, Mapping[str, str]],
        observations: Observations,
        *,
        rewritten: Collection[str] = (),
    ) -> None:
        """Take what is known; `rewritten` are nodes whose code is not the one that their trace was built from."""
        self._project, self._traces, self._data_versions = project, traces, data_versions
        self._observations, self._rewritten = observations, rewritten
        self._known: dict[tuple[str, str, bool], str | None] = {}

    def read_version(self, reader: Node, name: str, columns: ColumnSet) -> str | None:
        """Return what `reader` rests on in the input `name`, ``None`` if it cannot be told."""
        if isinstance(reader, Model) and reader.materialized == "view":
            return self.shape_version(name, columns)
        return self.version(name, columns, ordered=reads_order(reader))

    def version(self, name: str, columns: ColumnSet, *, ordered: bool = False, as_built: bool = False) -> str | None:
        """Return the version of the data of `name` on `columns`, ``None`` if it cannot be told.

        `as_built` looks through views by what was known of them when they were built, not by what is known now.
        """
        key = (name, version_key(columns, ordered=ordered), as_built)
        if key not in self._known:
            self._known[key] = self._find(name, columns, ordered=ordered, as_built=as_built)
        return self._known[key]

    def stands(self, reader: Node, before: TraceInput) -> bool:
        """Tell whether an input is proven to be as a build of `reader` found it, in the columns that it read then.

        Less may be known to be read now, of it and below its view, or that no order is: then all of that must be as it
        was. So a parser that has learned to see more clearly rebuilds nothing.
        """
        if self.read_version(reader, before.name, before.columns) == before.data_version:
            return True
        orders = (True,) if reads_order(reader) else (False, True)
        return not (isinstance(reader, Model) and reader.materialized == "view") and any(
            self.version(before.name, before.columns, ordered=ordered, as_built=as_built) == before.data_version
            for ordered in orders
            for as_built in (False, True)
        )

    def columns(self, name: str) -> tuple[Column, ...] | None:
        """Return the columns that `name` has now, ``None`` if they are not known."""
        if name in self._project.sources:
            return self._observations.source_columns.get(name)
        trace = self._traces.get(name)
        return None if trace is None or self._astray(name) else trace.columns

    def shape_version(self, name: str, columns: ColumnSet) -> str | None:
        """Return the version of names, order and types of `columns` of `name`, ``None`` if they are not known."""
        known = self.columns(name)
        return None if known is None else fingerprint(["shape", shape_of(known, columns)])

    def was_looked_at(self, name: str, columns: ColumnSet) -> bool:
        """Tell whether all that the version of `name` on `columns` rests on was looked at."""
        if name in self._project.sources:
            seen = self._observations
            return (name, column_set_key(columns)) in seen.source_versions or name in seen.source_columns
        view = self._view(name)
        if view is not None and self._observations.relations is not None:
            return all(self.was_looked_at(read.table, read.columns) for read in reads_for(view, columns))
        return self._observations.relations is not None

    def doubt(self, name: str, columns: ColumnSet) -> str:
        """Return why the version of `name` on `columns` cannot be told, or nothing if that is not known."""
        source = self._project.sources.get(name)
        if source is not None:
            always = source.config.version == "always"
            return f"{name} has version: always" if always else self._observations.unreadable.get(name, "")
        astray = self._astray(name)
        if astray is not None:
            return astray
        node = self._project.nodes.get(name)
        if self._is_misjudged(name):
            return f"{name} has other columns than its query seems to yield"
        if isinstance(node, Model) and self._is_built_as_view(name):
            moving = moves_by_itself(node)
            if moving:
                return f"the answer of {name} moves by itself: {', '.join(moving)}"
            if self._view(name) is None:
                return f"{name} was edited and not built again"
            if surroundings_version(node, self._observations, self._project.secrets) is None:
                return f"{name} reads files, or calls macros or functions, that cannot be told"
            below = (self.doubt(read.table, read.columns) for read in reads_for(node, columns))
            return next((why for why in below if why), "")
        return ""

    def _find(self, name: str, columns: ColumnSet, *, ordered: bool, as_built: bool) -> str | None:
        source = self._project.sources.get(name)
        if source is not None:
            if source.config.version == NEVER:
                return NEVER
            return self._observations.source_versions.get((name, version_key(columns, ordered=ordered)))
        trace = self._traces.get(name)
        if trace is None or self._astray(name) is not None or self._is_misjudged(name):
            return None
        if trace.materialized != "view":
            version = self._data_versions.get(trace.model_run_id, {}).get(column_set_key(columns))
            return fingerprint([IN_ORDER, version, trace.model_run_id]) if ordered and version else version
        view, build = self._view(name), trace if as_built else None
        if view is None:
            return None
        return self.view_version(view, columns, ordered=ordered, code=trace.code_version, build=build)

    def view_version(
        self, view: Model, columns: ColumnSet, *, code: str, ordered: bool = False, build: Trace | None = None
    ) -> str | None:
        """Return the version of what a view of this code shows on `columns`, ``None`` if it cannot be told.

        With a `build` it is that of all that this build read below it, by what was known then.
        """
        if moves_by_itself(view):
            return None
        around = surroundings_version(view, self._observations, self._project.secrets)
        if around is None:
            return None
        in_order, as_built = ordered or reads_order(view), build is not None
        below: list[list[str]] = []
        for read in reads_for(view, columns) if build is None else reads_of_build(build):
            version = self.version(read.table, read.columns, ordered=in_order, as_built=as_built)
            if version is None:
                return None
            below.append([read.table, column_set_key(read.columns), version])
        return fingerprint(["view", code, version_key(columns, ordered=ordered), below, *around])

    def _view(self, name: str) -> Model | None:
        """Return the view that stands under `name`, if its query is the one that it was built from."""
        node, trace = self._project.nodes.get(name), self._traces.get(name)
        if trace is None or not isinstance(node, Model) or not self._is_built_as_view(name):
            return None
        return None if name in self._rewritten or reads_more(node, trace) else node

    def _is_built_as_view(self, name: str) -> bool:
        trace = self._traces.get(name)
        return trace is not None and trace.materialized == "view"

    def _is_misjudged(self, name: str) -> bool:
        """Tell whether a relation was built with other columns than its query, as it stands, is taken to yield.

        Then nobody knows what its readers read: a macro of the database may bear the name of a built-in function. A
        table that grows may keep the columns of earlier batches.
        """
        node, trace = self._project.nodes.get(name), self._traces.get(name)
        if not isinstance(node, Model) or trace is None or node.lineage.columns is None:
            return False
        if node.materialized == "incremental" or name in self._rewritten or not reads_as_before(node, trace):
            return False
        taken, there = node.lineage.columns, trace.columns
        return [fold(column.name) for column in taken] != [fold(column.name) for column in there]

    def _astray(self, name: str) -> str | None:
        """Return in words what became of a relation that is not as its trace says, ``None`` if it is."""
        node, trace = self._project.nodes.get(name), self._traces.get(name)
        relations = self._observations.relations
        if node is None or trace is None:
            return f"{name} was never built"
        if relations is None:
            return None
        seen = relations.get(node.relation.key)
        if seen is None:
            return f"{node.relation} is not in the warehouse"
        return None if seen.comment == trace.model_run_id else f"{node.relation} is not the one that was built"


def version_key(columns: ColumnSet, *, ordered: bool = False) -> str:
    """Return one text per set of columns, as `column_set_key` does, another where the order of rows counts too."""
    return column_set_key(columns) + (IN_ORDER if ordered else "")


def all_in_order(columns: Sequence[Column]) -> ColumnSet:
    """Return the set of all `columns` that covers the order of the rows too.

    >>> len(all_in_order([Column("a", "INTEGER")]))
    2
    """
    return (*(column.name for column in columns), IN_ORDER)


def reads_order(node: Node) -> bool:
    """Tell whether a node's answer hangs on the order of its inputs' rows."""
    return isinstance(node, Model) and node.lineage.ordered is not None


def moves_by_itself(model: Model) -> tuple[str, ...]:
    """Return what makes a model's answer move without any input moving; nothing where its author set it aside."""
    if model.config.volatile == "ignore":
        return ()
    # Where the last batch ended decides which rows the next one brings, and whether there are any its inputs tell.
    of_history = {"last_run_at"} if model.materialized == "incremental" else set[str]()
    return tuple(sorted({*model.volatile, *model.run_values} - of_history))


def reads_more(model: Model, trace: Trace) -> bool:
    """Tell whether a model reads something that the build behind `trace` did not read."""
    before = {entry.name: entry.columns for entry in trace.inputs}
    return any(entry.name not in before or not within(entry.columns, before[entry.name]) for entry in model.inputs)


def reads_as_before(model: Model, trace: Trace) -> bool:
    """Tell whether a model reads the columns that the build behind `trace` read, and no others."""
    before = {entry.name: column_set_key(entry.columns) for entry in trace.inputs}
    return all(before.get(entry.name) == column_set_key(entry.columns) for entry in model.inputs)


def within(columns: ColumnSet, others: ColumnSet) -> bool:
    """Tell whether `columns` are all among `others`.

    >>> within(("A",), ("a", "b")), within(None, ("a",)), within((), None)
    (True, False, True)
    """
    if columns is None or others is None:
        return others is None
    return {fold(name) for name in columns} <= {fold(name) for name in others}


def reads_for(model: Model, columns: ColumnSet) -> tuple[Read, ...]:
    """Return what decides the rows of a model and the values of `columns` in them, per input, sorted."""
    shown = {read.table for read in model.lineage.reads}
    hidden = [Read(entry.name, entry.columns) for entry in model.inputs if entry.name not in shown]
    everything = tuple(sorted([*model.lineage.reads, *hidden], key=lambda read: read.table))
    known = model.lineage.columns
    if columns is None or known is None:
        return everything
    found: dict[str, set[str] | None] = {
        read.table: None if read.columns is None else set(read.columns) for read in (*model.lineage.rows, *hidden)
    }
    wanted = {fold(name) for name in columns}
    if not wanted <= {fold(column.name) for column in known}:
        return everything
    for column in known:
        if fold(column.name) not in wanted:
            continue
        if column.reads is None:
            return everything
        for read in column.reads:
            so_far = found.setdefault(read.table, set())
            if so_far is not None:
                so_far.add(read.column)
    return tuple(Read(table, None if names is None else tuple(sorted(names))) for table, names in sorted(found.items()))


def reads_of_build(trace: Trace) -> tuple[Read, ...]:
    """Return all that a build read of its inputs, sorted, by what was known then."""
    return tuple(Read(entry.name, entry.columns) for entry in trace.inputs if is_relation(entry))


def shape_of(columns: Sequence[Column], chosen: ColumnSet) -> list[list[str]]:
    """Return names and types of those of `columns` that are `chosen`, in order."""
    wanted = None if chosen is None else {fold(name) for name in chosen}
    return [[column.name, column.type] for column in columns if wanted is None or fold(column.name) in wanted]
