"""Flow: which columns of which inputs something hangs on, and the columns that queries and FROM items offer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final, Literal, NamedTuple

from leapsql_core.names import fold

Kind = Literal["direct", "derived", "unknown"]


class Extent(IntEnum):
    """How much of an input is read: the number of its rows, one column, or everything, names and order included."""

    COUNT = 0
    COLUMN = 1
    ALL = 2


class Source(NamedTuple):
    """A part of an input; ``column`` is empty unless the extent is a column."""

    table: str
    extent: Extent
    column: str = ""


Sources = frozenset[Source]
NOTHING: Final[Sources] = frozenset()


def whole(sources: Iterable[Source]) -> Sources:
    """Return everything of the inputs that `sources` are parts of."""
    return frozenset(Source(source.table, Extent.ALL) for source in sources)


@dataclass(frozen=True, slots=True)
class Value:
    """What an expression hangs on: where its values come from, and all that decides them.

    ``name`` is the name that it gives to an output column of its own, ``None`` if that is not known. ``loose`` tells of
    a column that its place hangs on the columns that an input has: one that no select list puts there by name.
    """

    kind: Kind
    sources: Sources = NOTHING
    reads: Sources = NOTHING
    name: str | None = None
    loose: bool = False

    def named(self, name: str | None) -> Value:
        """Return the same value under another name."""
        return self if name == self.name else replace(self, name=name)


CONSTANT: Final = Value("derived")


def union(values: Sequence[Value], *, kind: Kind | None = None) -> Value:
    """Return the value that may be any of `values`; of a given kind, else ``unknown`` if there are several."""
    if len(values) == 1 and kind is None:
        return values[0]
    return Value(
        kind or "unknown",
        NOTHING.union(*(value.sources for value in values)),
        NOTHING.union(*(value.reads for value in values)),
        values[0].name if values else None,
    )


@dataclass(frozen=True, slots=True)
class Hidden:
    """Columns that cannot be listed: those of an input whose columns are unknown, of a file, of a PIVOT.

    ``what`` says so in words, ``sources`` are what they hang on. ``table`` is set while they are that input's own
    columns under their own names, all but those named in ``without``.
    """

    what: str
    sources: Sources
    table: str | None = None
    without: frozenset[str] = frozenset()

    def look_up(self, name: str) -> Value | None:
        """Return the column of that name, which is there for all we know; ``None`` if it is not."""
        if fold(name) in self.without:
            return None
        if self.table is None:
            return Value("unknown", NOTHING, self.sources, name)
        column = frozenset({Source(self.table, Extent.COLUMN, name)})
        return Value("direct", column, column, name)


@dataclass(frozen=True, slots=True)
class Rowset:
    """What a query, or an item of a FROM clause, yields.

    ``rows`` is what decides which rows there are and in which order; every input that is read stands in it.
    """

    columns: tuple[Value | Hidden, ...] = ()
    rows: Sources = NOTHING

    @property
    def values(self) -> Sources:
        """All that its columns hang on."""
        return NOTHING.union(*(c.sources if isinstance(c, Hidden) else c.reads for c in self.columns))

    @property
    def everything(self) -> Sources:
        """All that it hangs on."""
        return self.rows | self.values

    @property
    def is_open(self) -> bool:
        """Whether it has columns that cannot be listed."""
        return any(isinstance(column, Hidden) for column in self.columns)

    def renamed(self, names: Sequence[str]) -> Rowset:
        """Return it under an alias: its first columns renamed, and no two of one name."""
        listed = self.columns[: len(names)]
        if any(isinstance(column, Hidden) for column in listed):
            renamed = [Value("unknown", NOTHING, self.values, name) for name in names]
            return Rowset((*renamed, Hidden("columns behind an alias", self.values)), self.rows)
        columns = [c.named(name) for c, name in zip(listed, names, strict=False) if isinstance(c, Value)]
        return Rowset(distinct_names((*columns, *self.columns[len(names) :])), self.rows)


def distinct_names(columns: Sequence[Value | Hidden]) -> tuple[Value | Hidden, ...]:
    """Return columns as DuckDB names them where no two may share a name: ``x, x`` becomes ``x, x_1``."""
    counts: dict[str, int] = {}
    done: list[Value | Hidden] = []
    for column in columns:
        if isinstance(column, Hidden) or column.name is None:
            done.append(column)
            continue
        name, key = column.name, fold(column.name)
        while fold(name) in counts:
            name = f"{column.name}_{counts[key]}"
            counts[key] += 1
        counts[fold(name)] = 1
        done.append(column.named(name))
    return tuple(done)
