"""The law of lineage: what a query does not read can change without changing its answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Timer
from typing import Any, TypeVar

import duckdb
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sql_grammar import SCHEMA, QueryWriter, RandomChooser
from sql_samples import as_dict

from leapsql_core.models import Lineage, OutputColumn
from leapsql_core.sql import KnownInput, lineage, scan
from leapsql_core.warehouses.duckdb.parser import DuckDBParser

T = TypeVar("T")
Row = tuple[str, ...]
Rows = dict[str, list[Row]]
TYPES = {"s": "STRUCT(a INTEGER, b INTEGER)", "l": "INTEGER[]"}
LAW = settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@dataclass
class Choices:
    """Choices that hypothesis makes, and can make simpler."""

    draw: Any

    def pick(self, options: Sequence[T]) -> T:
        choice: T = self.draw(st.sampled_from(options))
        return choice

    def chance(self, percent: int) -> bool:
        return bool(self.draw(st.integers(0, 99)) < percent)


@st.composite
def queries(draw: Any) -> str:
    """Return a query that DuckDB may well accept."""
    return QueryWriter(Choices(draw)).query(draw(st.integers(0, 2)))[0]


def rows_of(seed: int) -> Rows:
    """Return a few rows for every table, as SQL literals."""
    chooser = RandomChooser(seed)
    return {
        table: [tuple(_value(column, chooser) for column in columns) for _ in range(chooser.pick((2, 3, 4)))]
        for table, columns in SCHEMA.items()
    }


def _value(column: str, chooser: RandomChooser) -> str:
    def number() -> str:
        return chooser.pick(("0", "1", "1", "2", "2", "3", "NULL"))

    if column == "s":
        return chooser.pick(("NULL", f"{{'a': {number()}, 'b': {number()}}}", f"{{'a': {number()}, 'b': {number()}}}"))
    if column == "l":
        return chooser.pick(("NULL", "[]", "[1]", "[2, 1]", "[0, 3, 2]", "[3]"))
    return number()


@dataclass
class Tables:
    """The tables of the grammar's schema in DuckDB."""

    connection: duckdb.DuckDBPyConnection
    loaded: Rows = field(default_factory=dict)

    def load(self, rows: Mapping[str, list[Row]]) -> None:
        """Make the tables hold these rows."""
        for table, held in rows.items():
            if self.loaded.get(table) != held:
                values = ", ".join(f"({', '.join(row)})" for row in held)
                self.connection.execute(f"DELETE FROM {table}")
                self.connection.execute(f"INSERT INTO {table} VALUES {values}")
                self.loaded[table] = held

    def ask(self, sql: str) -> list[tuple[Any, ...]] | None:
        """Return the rows of a query, ``None`` if it fails or takes too long."""
        timer = Timer(5, self.connection.interrupt)
        timer.start()
        try:
            return self.connection.execute(sql).fetchall()
        except duckdb.Error:
            return None
        finally:
            timer.cancel()

    def accepts(self, sql: str) -> bool:
        """Tell whether DuckDB binds a query."""
        try:
            self.connection.execute(f"DESCRIBE {sql}")
        except duckdb.Error:
            return False
        return True


@pytest.fixture(scope="module")
def tables() -> Iterator[Tables]:
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        connection.execute("SET python_enable_replacements = false")
        connection.execute("CREATE SCHEMA other")
        for table, columns in SCHEMA.items():
            typed = ", ".join(f"{column} {TYPES.get(column, 'INTEGER')}" for column in columns)
            connection.execute(f"CREATE TABLE {table} ({typed})")
        yield Tables(connection)


@pytest.fixture(scope="module")
def parser() -> DuckDBParser:
    return DuckDBParser()


def _lineage(sql: str, parser: DuckDBParser, *, unknown: Iterable[str]) -> Lineage:
    inputs = {}
    for reference in scan(sql, database=parser).references:
        name = ".".join(reference.parts).lower()
        inputs[reference.key] = KnownInput(name, None if name in unknown else SCHEMA[name])
    return lineage(sql, inputs)


def _with_others_changed(rows: Rows, reads: Mapping[str, tuple[str, ...] | None], seed: int) -> Rows:
    """Return rows with new values in the columns of the tables of `reads` that are not among them."""
    chooser = RandomChooser(seed)
    changed = {}
    for table, columns in reads.items():
        if columns is not None:
            kept = {column.lower() for column in columns}
            changed[table] = [
                tuple(v if c.lower() in kept else _value(c, chooser) for c, v in zip(SCHEMA[table], row, strict=True))
                for row in rows[table]
            ]
    return {**rows, **changed}


def _same(first: list[Any] | None, second: list[Any] | None) -> bool:
    if first is None or second is None:
        return first is second
    return sorted(map(repr, first)) == sorted(map(repr, second))


@LAW
@given(sql=queries(), seed=st.integers(0, 2**32), unknown=st.sets(st.sampled_from(sorted(SCHEMA))))
def test_columns_that_are_not_read_do_not_matter(
    tables: Tables, parser: DuckDBParser, sql: str, seed: int, unknown: set[str]
) -> None:
    """Change any values outside the reads, and the answer is the same; whether or not inputs' columns are known."""
    assume(tables.accepts(sql))
    rows = rows_of(seed)
    reads = as_dict(_lineage(sql, parser, unknown=unknown).reads)
    tables.load(rows)
    before = tables.ask(sql)
    tables.load(_with_others_changed(rows, reads, seed + 1))
    assert _same(before, tables.ask(sql)), reads


@LAW
@given(sql=queries(), seed=st.integers(0, 2**32))
def test_a_column_hangs_on_its_own_reads_and_on_what_decides_rows(
    tables: Tables, parser: DuckDBParser, sql: str, seed: int
) -> None:
    """Change any values outside both, and the column holds the same; what flows directly is a value of its source."""
    assume("LIMIT" not in sql and tables.accepts(sql))  # a limit cuts ties as it likes
    rows = rows_of(seed)
    found = _lineage(sql, parser, unknown=())
    _check_names(sql, found, tables)
    tables.load(rows)
    before = tables.ask(sql)
    assume(before is not None)
    for place, column in enumerate(found.columns or ()):
        tables.load(_with_others_changed(rows, _reads_of(column, found), seed + 2))
        after = tables.ask(sql)
        tables.load(rows)
        if after is not None:  # else another column fails
            assert _same([row[place] for row in before or ()], [row[place] for row in after]), column
        if column.kind == "direct":
            known = {None} | {
                value
                for source in column.sources
                for (value,) in tables.ask(f"SELECT CAST({source.column} AS VARCHAR) FROM {source.table}") or ()
            }
            held = tables.ask(f"SELECT CAST(c{place} AS VARCHAR) FROM ({sql}) AS q({_names(found)})")
            assert held is None or {value for (value,) in held} <= known, column


def _check_names(sql: str, found: Lineage, tables: Tables) -> None:
    """A query that DuckDB accepts has the names that are given, and no column of it is called missing."""
    assert not found.missing
    assert "not there" not in (found.unknown or "")
    described = tables.ask(f"DESCRIBE SELECT * FROM ({sql})")
    if found.columns is not None and described is not None:
        assert [column.name.lower() for column in found.columns] == [name.lower() for name, *_ in described]


def _names(found: Lineage) -> str:
    return ", ".join(f"c{place}" for place, _ in enumerate(found.columns or ()))


def _reads_of(column: OutputColumn, found: Lineage) -> dict[str, tuple[str, ...] | None]:
    reads = as_dict(found.rows)
    if column.reads is None:
        return dict.fromkeys(reads)
    for source in column.reads:
        known = reads[source.table]
        reads[source.table] = None if known is None else (*known, source.column)
    return reads
