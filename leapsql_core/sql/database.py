"""What the analysis of SQL asks of a database's own parser: the port that each warehouse fills."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class DatabaseTable:
    """A table that the database's parse tree names; ``start`` is the character its name begins at, if it tells."""

    parts: tuple[str, ...]
    start: int | None = None


@dataclass(frozen=True, slots=True)
class DatabaseColumn:
    """A column reference of three or more parts, whose first parts may repeat the name of one of `tables`.

    ``tables`` are the names of two or more parts that stand without an alias in its scope or an enclosing one.
    """

    parts: tuple[str, ...]
    start: int
    tables: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class DatabaseReading:
    """What the database's own parse tree tells of a query."""

    tables: tuple[DatabaseTable, ...]
    columns: tuple[DatabaseColumn, ...] = ()


class DatabaseParser(Protocol):
    """A database's own parser. It never opens the user's database or files."""

    def table_names(self, sql: str) -> tuple[tuple[str, ...], ...] | None:
        """Return the tables that the database finds in a query, by unquoted parts; ``None`` if it refuses."""

    def read(self, sql: str) -> DatabaseReading | None:
        """Return what the parse tree of one query tells, ``None`` if the database shows none for this statement.

        Raises:
            QueryError: the database cannot read it; with its words and the line.
        """
