"""Scopes: what a name means at a place in a query, by DuckDB's rules."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from leapsql_core.names import fold
from leapsql_core.sql.flow import NOTHING, Extent, Hidden, Rowset, Source, Sources, Value, union, whole
from leapsql_core.sql.inputs import KnownInput
from leapsql_core.sql.parsing import Node
from leapsql_core.sql.tokens import word_set

#: What an alias of the select list means to a clause: nothing (FROM), something where no column has the name (WHERE,
#: GROUP BY, the list itself), or as much as a column of that name (HAVING, QUALIFY, ORDER BY, whose rules differ).
AliasRule = Literal["hidden", "last", "equal"]

#: Functions that are called without parentheses and mean nothing of a table; a column of that name comes first.
_BARE_WORDS = word_set("""
    current_catalog current_date current_role current_schema current_time current_timestamp current_user localtime
    localtimestamp session_user user
    """)

#: What an expression without an alias is never named: its name is its own text.
_PLAIN_NAME = re.compile(r"[^\W\d]\w*")


@dataclass(slots=True)
class Analysis:
    """One analysis of one query: what it was told, and what it met on its way.

    ``resolve`` resolves a query that stands within another. ``ctes`` are the common table expressions by the identity
    of their nodes: resolved, or, until someone reads them, how to. ``met`` are the inputs that the tree names, and
    ``known`` those of their columns that are known. ``unknown`` is the first construct that hides something, ``blind``
    tells whether anything at all may be hidden. ``missing`` are columns of inputs that are not there; under an empty
    name, columns that nothing which is read has.

    ``placed`` are inputs whose columns are meant by their place, so that all of them count, names and order included;
    ``paired`` are groups of them where the columns that are read tell as much, unless one of the group is read in
    another way too: ``roles`` counts the ways.
    """

    sql: str
    inputs: Mapping[tuple[str, ...], KnownInput]
    resolve: Callable[[Node, Scope | None], Rowset]
    ctes: dict[int, Rowset | Callable[[], Rowset]] = field(default_factory=dict)
    met: set[str] = field(default_factory=set)
    known: set[tuple[str, str]] = field(default_factory=set)
    missing: set[tuple[str, str]] = field(default_factory=set)
    placed: set[str] = field(default_factory=set)
    paired: list[set[str]] = field(default_factory=list)
    roles: Counter[str] = field(default_factory=Counter)
    unknown: str | None = None
    blind: bool = False

    def note(self, construct: str, *, blind: bool = False) -> None:
        """Note a construct that hides something; blind if it may hide anything."""
        self.unknown = self.unknown or construct
        self.blind = self.blind or blind

    def rename(self, rowset: Rowset, names: Sequence[str]) -> Rowset:
        """Return rows under an alias with these names for its first columns; more of them than columns are an error."""
        if len(names) > len(rowset.columns) and not rowset.is_open:
            self.note("an alias that names more columns than there are", blind=True)
        self.placed |= loose_tables(rowset.columns[: len(names)])
        return rowset.renamed(names)

    def whole_inputs(self) -> set[str]:
        """Return the inputs all of whose columns count for the places that they have."""
        return self.placed.union(*(group for group in self.paired if any(self.roles[name] > 1 for name in group)))

    def cte(self, node: Node) -> Rowset:
        """Return the rows of a common table expression."""
        found = self.ctes[id(node)]
        if isinstance(found, Rowset):
            self.roles.update({source.table for source in found.everything})
        else:
            found = self.ctes[id(node)] = found()
        return found

    def knows(self, source: Source) -> bool:
        """Tell whether a column is known to be there."""
        return source.extent is not Extent.COLUMN or (source.table, source.column) in self.known

    def table(self, parts: Sequence[str]) -> tuple[str, Rowset]:
        """Return the name of an input and its rows; one that nothing was told of has unknown columns."""
        known = self.inputs.get(tuple(fold(part) for part in parts)) or KnownInput(".".join(parts), None)
        name = known.name
        self.met.add(name)
        self.roles[name] += 1
        self.known.update((name, column) for column in known.columns or ())
        rows = frozenset({Source(name, Extent.COUNT)})
        if known.columns is None:
            return name, Rowset((Hidden(f"the columns of {name}", whole(rows), name),), rows)
        columns = [frozenset({Source(name, Extent.COLUMN, column)}) for column in known.columns]
        values = (Value("direct", c, c, n, loose=True) for c, n in zip(columns, known.columns, strict=True))
        return name, Rowset(tuple(values), rows)


def loose_tables(columns: Iterable[Value | Hidden]) -> set[str]:
    """Return the inputs whose columns decide the places of `columns`."""
    loose = [column for column in columns if isinstance(column, Value) and column.loose]
    return {source.table for column in loose for source in column.reads}


@dataclass(slots=True, eq=False)
class Binding:
    """An item of a FROM clause under the name that it bears; ``parts`` is a table's own name, if it has no alias.

    ``table`` names the input whose rows these are, if they are one's.
    """

    name: str
    rowset: Rowset
    parts: tuple[str, ...] = ()
    table: str | None = None

    def bears(self, qualifier: Sequence[str]) -> bool:
        """Tell whether a qualifier means this item: by its name, and by as much of the path as both tell."""
        if not self.name or qualifier[-1] != fold(self.name):
            return False
        if len(qualifier) == 1:
            return True
        path = [fold(part) for part in self.parts]
        return bool(path) and all(x == y for x, y in zip(reversed(path), reversed(qualifier), strict=False))


@dataclass(slots=True)
class Merged:
    """A column that USING made of several, one of each binding; ``name`` is its name without case.

    ``coalesced`` tells that a FULL JOIN takes it from either side: it is then named as it is written.
    """

    name: str
    value: Value
    bindings: list[Binding]
    coalesced: bool = False


@dataclass(slots=True)
class Scope:
    """What the names of one SELECT may mean; ``parent`` is the enclosing one.

    ``rows`` gathers what decides which rows it has, beside its items: conditions, `unnest`. ``expands`` tells that an
    expression stands for columns by a pattern, and so perhaps for several.
    """

    parent: Scope | None
    bindings: list[Binding] = field(default_factory=list)
    merged: list[Merged] = field(default_factory=list)
    aliases: dict[str, Value] = field(default_factory=dict)
    alias_rule: AliasRule = "hidden"
    windows: dict[str, Node] = field(default_factory=dict)
    rows: set[Source] = field(default_factory=set)
    expands: bool = False

    @property
    def everything(self) -> Sources:
        """All that its items hang on."""
        return NOTHING.union(*(binding.rowset.everything for binding in self.bindings))


def look_up(names: Sequence[str], scope: Scope, analysis: Analysis) -> Value | None:
    """Return what a dotted name means, ``None`` if it means nothing that is known.

    The first scope that certainly has it wins. Scopes on the way whose columns are not all known may have it too, and
    then it may be either.
    """
    maybe: list[Value] = []
    level: Scope | None = scope
    fields = True
    while level is not None:
        if len(names) == 1:
            certain, possible = _plain_name(names[0], level, analysis)
        else:
            certain, possible = _qualified_name(names, level, analysis)
            if not possible and fields and certain is None:
                possible = _field_of_column(names, level, analysis)
            else:
                fields = False  # the qualifier is a table's: then it is no column's further out
        maybe += possible
        if certain is not None:
            return union([*maybe, certain])
        level = level.parent
    if maybe:
        return union(maybe)
    return Value("derived") if len(names) == 1 and fold(names[0]) in _BARE_WORDS else None


def _qualified_name(names: Sequence[str], scope: Scope, analysis: Analysis) -> tuple[Value | None, list[Value]]:
    """Return what a name means whose first parts are a table's name in this scope, the longest such name first."""
    folded = [fold(name) for name in names]
    for length in range(len(names) - 1, 0, -1):
        certain: list[Value] = []
        maybe: list[Value] = []
        for binding in scope.bindings:
            if binding.bears(folded[:length]):
                found, possible = column_in(names[length], binding, analysis)
                certain += [] if found is None else [found]
                maybe += possible
        if certain or maybe:
            fields = names[length + 1 :]
            both = [_field(value, fields) for value in (*certain, *maybe)]
            return (union(both), []) if certain else (None, both)
    return None, []


def _field_of_column(names: Sequence[str], scope: Scope, analysis: Analysis) -> list[Value]:
    """Return what a name may mean whose first part is a column, if that is a struct; who knows whether it is one."""
    certain, possible = _column(names[0], scope, analysis)
    return [_field(value, names[1:]) for value in ([] if certain is None else [certain]) + possible]


def _plain_name(name: str, scope: Scope, analysis: Analysis) -> tuple[Value | None, list[Value]]:
    """Return what a name without dots means: a column, else a whole row, else an alias of the select list."""
    certain, possible = _column(name, scope, analysis)
    key = fold(name)
    alias = scope.aliases.get(key) if scope.alias_rule != "hidden" else None
    if certain is None:
        certain = next((whole_row(b, analysis) for b in scope.bindings if fold(b.name) == key), None)
    if certain is None:
        return (None if alias is None else alias.named(name)), possible
    if alias is not None and scope.alias_rule == "equal":
        certain = union([certain, alias])
    return certain, possible


def _column(name: str, scope: Scope, analysis: Analysis) -> tuple[Value | None, list[Value]]:
    """Return the column that a name without dots means among the items of a scope."""
    key = fold(name)
    certain = [m.value.named(name) if m.coalesced else m.value for m in scope.merged if m.name == key]
    possible: list[Value] = []
    for binding in scope.bindings if not certain else ():
        found, others = column_in(name, binding, analysis)
        certain += [] if found is None else [found]
        possible += others
    return (union(certain), []) if certain else (None, possible)


def column_in(name: str, binding: Binding, analysis: Analysis) -> tuple[Value | None, list[Value]]:
    """Return the column of that name of one item; hidden columns before it may bear the same name."""
    key = fold(name)
    possible: list[Value] = []
    for column in binding.rowset.columns:
        if isinstance(column, Hidden):
            found = column.look_up(name)
            possible += [] if found is None else [found]
        elif column.name is None and not _PLAIN_NAME.fullmatch(name):
            possible.append(Value("unknown", column.sources, column.reads, name))
        elif column.name is not None and fold(column.name) == key:
            return union([*possible, column]), []
    if key == "rowid" and binding.table is not None:
        analysis.note("rowid")
        return Value("unknown", NOTHING, whole(binding.rowset.rows), name), []
    return None, possible


def whole_row(binding: Binding, analysis: Analysis) -> Value:
    """Return what a row hangs on that is used as one value: all columns, and their names and order."""
    analysis.note(f"the whole row of {binding.name}")
    rowset = binding.rowset
    reads = whole(rowset.rows) if binding.table is not None else rowset.values
    return Value("unknown", NOTHING, reads, binding.name)


def _field(value: Value, fields: Sequence[str]) -> Value:
    """Return what a field within a column's value hangs on."""
    if not fields:
        return value
    return Value("unknown" if value.kind == "unknown" else "derived", value.sources, value.reads, fields[-1])


def levels(scope: Scope) -> Iterator[Scope]:
    """Return a scope and those that enclose it, innermost first."""
    level: Scope | None = scope
    while level is not None:
        yield level
        level = level.parent
