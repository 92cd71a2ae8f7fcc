"""Relations and their columns: as the warehouse has them, as a query names them, and how one flows into the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from leapsql_core.names import fold, quote_identifier

#: Columns of a relation, by name. ``None`` stands for all of them, in their order; ``()`` for the number of rows alone.
ColumnSet = tuple[str, ...] | None


@dataclass(frozen=True, slots=True, order=True)
class Relation:
    """A table or view in the warehouse.

    ``catalog`` is set only where the schema alone would be ambiguous. ``schema`` is empty for a source that is written
    without one: the database's search path finds it. ``foreign``: it lies in another database, which is attached.
    """

    schema: str
    name: str
    catalog: str | None = None
    foreign: bool = False

    @property
    def sql(self) -> str:
        """The quoted name, ready to stand in a statement."""
        return ".".join(quote_identifier(part) for part in (self.catalog, self.schema, self.name) if part)

    @property
    def key(self) -> tuple[str, str]:
        """What two relations share when the warehouse takes them for the same one."""
        return (fold(self.schema), fold(self.name))

    def __str__(self) -> str:
        catalog = self.catalog if self.foreign else None
        return ".".join(part for part in (catalog, self.schema, self.name) if part)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a relation in the warehouse, with the warehouse's own name for its type."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class ObservedRelation:
    """A relation as the warehouse shows it; ``comment`` names the model run that made it."""

    kind: Literal["table", "view"]
    comment: str | None


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Characters ``start`` to ``end`` of a text, ``end`` not included."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, order=True)
class TableReference:
    """A table that a query names, once; CTEs and aliases are none.

    ``parts`` are the unquoted parts of its name as written first. ``spans`` are the places of that whole name in the
    text: where a table stands, and where a column's qualifier repeats a name of two or more parts. No spans: only the
    database sees it, as in ``query_table('orders')``.
    """

    parts: tuple[str, ...]
    line: int
    spans: tuple[Span, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """The parts without their case, for SQL names are compared so."""
        return tuple(fold(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class QueryScan:
    """What can be said of one query without knowing its inputs' columns.

    ``warning`` tells why a query that the database can read was not understood; its lineage is then unknown.
    ``volatile`` names functions whose answer moves by itself; ``files`` are literal file names that it reads;
    ``functions`` are all that it calls, in lower case: the database's catalogue tells which of them are macros.
    """

    references: tuple[TableReference, ...]
    volatile: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    warning: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class ColumnSource:
    """A column of an input."""

    table: str
    column: str


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """One column that a query yields.

    ``sources`` is its lineage: the input columns whose values flow into it, taken over as they are (``direct``) or
    through an expression (``derived``); for ``unknown`` it says nothing. ``reads`` are all input columns that decide
    its value in a given row, conditions of scalar subqueries included; ``None``: anything.
    """

    name: str
    kind: Literal["direct", "derived", "unknown"]
    sources: tuple[ColumnSource, ...] = ()
    reads: tuple[ColumnSource, ...] | None = ()


@dataclass(frozen=True, slots=True)
class Read:
    """The columns that a query reads of one input."""

    table: str
    columns: ColumnSet


@dataclass(frozen=True, slots=True)
class Lineage:
    """How columns flow through one query.

    ``columns`` are its output columns in order, ``None`` if not known. ``rows`` tells what decides which rows there
    are (filters, joins, grouping); every input stands in it, for the number of its rows is always read. ``reads`` is
    everything the query reads. ``unknown`` names the construct that hides something, ``None`` if nothing is hidden.
    ``ordered`` names what makes the answer hang on the order of the inputs' rows, ``None`` if nothing does.
    ``missing`` are columns of inputs that the query names and that are certainly not there; under an empty name, those
    that nothing which it reads has.
    """

    columns: tuple[OutputColumn, ...] | None
    rows: tuple[Read, ...]
    reads: tuple[Read, ...]
    unknown: str | None = None
    ordered: str | None = None
    missing: tuple[ColumnSource, ...] = ()
