"""The law of shapes: columns that a query does not read may come, go and move without changing its answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import duckdb
import pytest
from sql_samples import as_dict

from leapsql_core.models import ColumnSet
from leapsql_core.sql import KnownInput, lineage, scan

Shapes = Mapping[str, tuple[str, ...]]
SHAPES: Shapes = {"t": ("a", "b", "c"), "u": ("a", "d", "e"), "v": ("c", "d", "t")}
QUERIES = [
    "SELECT a FROM t WHERE b > 1",
    "SELECT a FROM (SELECT * FROM t ORDER BY 2 LIMIT 1)",
    "SELECT c FROM (SELECT a, b, c FROM t ORDER BY 2 LIMIT 1)",
    "SELECT a, n FROM (SELECT *, count(*) AS n FROM t GROUP BY 1, 2, 3)",
    "SELECT a FROM (SELECT * FROM t ORDER BY #2 DESC LIMIT 1)",
    "SELECT #2 AS x FROM t",
    "SELECT q FROM t AS x(p, q)",
    "SELECT x.q, y.a, y.b FROM t AS x(p, q), t AS y",
    "SELECT q, a FROM (SELECT * FROM t) AS x(p, q), t",
    "WITH x(p, q) AS (SELECT * FROM t) SELECT q, b FROM x, t",
    "SELECT a FROM (SELECT * FROM t UNION ALL SELECT d, NULL, a FROM u)",
    "SELECT a, c FROM (SELECT * FROM t UNION ALL SELECT d, d, a FROM u)",
    "SELECT z, a FROM (SELECT 1 AS z, 2 AS y, a FROM t UNION ALL SELECT * FROM v)",
    "SELECT b, c FROM (SELECT * FROM t UNION ALL SELECT * FROM v)",
    "SELECT b FROM (SELECT * FROM t UNION ALL SELECT * FROM v WHERE c > 1)",
    "SELECT a, e FROM (SELECT *, 1 AS e FROM t UNION ALL SELECT *, d FROM v)",
    "SELECT a FROM (SELECT 1 AS e, * FROM t UNION ALL SELECT *, 2 FROM v)",
    "SELECT b, v.d FROM (SELECT * FROM t UNION ALL SELECT * FROM v), v",
    "WITH k AS (FROM v) SELECT b, k.c FROM (SELECT * FROM t UNION ALL FROM k), k",
    "WITH q AS (FROM t UNION ALL FROM v) SELECT x.b, y.c FROM q AS x, q AS y",
    "SELECT a FROM (SELECT * FROM t UNION ALL BY NAME SELECT * FROM u)",
    "SELECT a FROM (SELECT * FROM t EXCEPT SELECT * FROM v)",
    "SELECT a FROM (SELECT * EXCLUDE (b) FROM t UNION ALL SELECT * EXCLUDE (c) FROM v)",
    "WITH RECURSIVE r AS (SELECT * FROM t UNION ALL SELECT a + 9, c, b FROM r WHERE a < 9) SELECT a, b FROM r",
    "SELECT * REPLACE (1 AS b) FROM t",
    "SELECT x.* REPLACE (x.a AS b), y.a FROM t AS x, t AS y",
    "SELECT b, a FROM t AS x(b, q) NATURAL JOIN t",
    "SELECT t.a, u.d FROM t NATURAL JOIN u",
    "SELECT list(a ORDER BY u.a, a) AS l FROM u NATURAL JOIN u AS a(x)",
    "SELECT a FROM t JOIN u USING (a)",
    "SELECT (SELECT max(d) FROM u WHERE c > 1) AS m FROM t",
    "SELECT b AS d FROM t WHERE d > 1",
]


class Tables:
    """Tables in DuckDB: no two columns hold the same, nor in the same order, and each the same wherever it stands."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self._made: dict[str, tuple[str, ...]] = {}

    def make(self, shapes: Shapes) -> None:
        for table, columns in shapes.items():
            if self._made.get(table) != columns:
                rows = ", ".join(f"({', '.join(_cell(column, row) for column in columns)})" for row in range(4))
                typed = ", ".join(f"{column} INTEGER" for column in columns)
                self.connection.execute(f"CREATE OR REPLACE TABLE {table} ({typed})")
                self.connection.execute(f"INSERT INTO {table} VALUES {rows}")
                self._made[table] = columns

    def answer(self, sql: str) -> tuple[list[str], list[str]] | None:
        """Return the names and the rows of a query's answer, ``None`` if DuckDB refuses it."""
        try:
            result = self.connection.execute(f"SELECT * FROM ({sql})")
        except duckdb.Error:
            return None
        return [name for name, *_ in result.description], sorted(map(repr, result.fetchall()))


def _cell(column: str, row: int) -> str:
    return str((row + 2) * (row + ord(column)) ** 2 % 89)


@pytest.fixture(scope="module")
def tables() -> Iterator[Tables]:
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        connection.execute("SET python_enable_replacements = false")
        yield Tables(connection)


def reads(sql: str, shapes: Shapes) -> dict[str, ColumnSet]:
    keys = [reference.key for reference in scan(sql).references]
    return as_dict(lineage(sql, {key: KnownInput(key[-1], shapes[key[-1]]) for key in keys}).reads)


def other_shapes(known: Mapping[str, ColumnSet]) -> Iterator[Shapes]:
    """Yield what becomes of the tables when a column that is not read comes, goes or moves, in one or two of them."""
    certain = [(table, read) for table, read in known.items() if read is not None]
    changes = [(table, columns) for table, read in certain for columns in _changed(table, read)]
    for table, columns in changes:
        yield {**SHAPES, table: columns}
        for other, more in changes:
            if table < other and len(columns) == len(more):  # as a set operation asks for
                yield {**SHAPES, table: columns, other: more}


def _changed(table: str, read: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    columns = SHAPES[table]
    for new in sorted({"a", "b", "c", "d", "z"} - set(columns)):
        yield from (_with(new, columns, place) for place in range(len(columns) + 1))
    for unread in sorted(set(columns) - set(read)):
        rest = tuple(column for column in columns if column != unread)
        yield rest
        yield from (_with(column, rest, place) for column in (unread, "z") for place in range(len(rest) + 1))


def _with(column: str, columns: tuple[str, ...], place: int) -> tuple[str, ...]:
    return (*columns[:place], column, *columns[place:])


@pytest.mark.parametrize("sql", QUERIES)
def test_columns_that_are_not_read_may_come_go_and_move(tables: Tables, sql: str) -> None:
    """Where no more is read than before, and that in its old order, the answer is the old one, names included."""
    tables.make(SHAPES)
    before, known = tables.answer(sql), reads(sql, SHAPES)
    assert before is not None
    for shapes in other_shapes(known):
        now = reads(sql, shapes)
        if all(_holds(now[table], known[table], shapes[table], SHAPES[table]) for table in known):
            tables.make(shapes)
            assert tables.answer(sql) in (None, before), shapes


def _holds(now: ColumnSet, before: ColumnSet, columns: tuple[str, ...], old: tuple[str, ...]) -> bool:
    """Tell whether `now` is no more than `before`, and all that was read then stands as it stood."""
    if now is None or before is None:
        return before is None and columns == old
    stands = [column for column in columns if column in before] == [column for column in old if column in before]
    return stands and set(now) <= set(before)
