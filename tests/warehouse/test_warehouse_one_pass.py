"""Tests in one pass: what many find together is what each finds by itself, and the rows are read once for all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from warehouse_samples import Sql, run_test
from warehouse_samples import T as RELATION

from leapsql_core.errors import TestsTangledError, WarehouseError
from leapsql_core.models import DataTest, DataTestResult
from leapsql_core.protocols import AskedTest
from leapsql_core.warehouses.duckdb.connection import Waiting
from leapsql_core.warehouses.duckdb.warehouse import DuckDBWarehouse


def run_together(warehouse: DuckDBWarehouse, *tests: DataTest, sample: int = 3) -> list[DataTestResult]:
    """Run tests of the table `t` in one transaction."""
    with warehouse.transaction() as transaction:
        return list(transaction.run_tests(RELATION, [AskedTest(test, RELATION, sample) for test in tests]))


EVERY_KIND = (
    DataTest("not_null", ("n",)),
    DataTest("not_null", ("n",), where="n > 100"),
    DataTest("unique", ("n",)),
    DataTest("unique", ("n", "s")),
    DataTest("accepted_values", ("s",), values=("a",)),
    DataTest("expression", expression="n > 0"),
)


def test_all_rows_are_read_once(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """Each reading of this view takes numbers from a sequence: one for each row, whatever the number of tests."""
    sql("CREATE SEQUENCE numbers")
    sql("CREATE VIEW main.t AS SELECT nextval('numbers') AS n, 'a' AS s FROM range(10)")
    assert [result.failures for result in run_together(warehouse, *EVERY_KIND)] == [0] * len(EVERY_KIND)
    assert sql.one("SELECT currval('numbers')") == 10


def test_what_fails_is_read_again_to_be_shown(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """The others are not."""
    sql("CREATE SEQUENCE numbers")
    sql("CREATE VIEW main.t AS SELECT nextval('numbers') AS n, 'b' AS s FROM range(10)")
    found = run_together(warehouse, *EVERY_KIND)
    assert [(result.failures, result.sample) for result in found if not result.passed] == [(1, (("b", "10"),))]
    assert sql.one("SELECT currval('numbers')") == 10


# ------------------------------------------------------------------------------------------------------------- the law

NUMBERS = st.one_of(st.none(), st.integers(-2, 2))
TEXTS = st.sampled_from([None, "", "a", "A", "b", "1", "x'"])
FLOATS = st.sampled_from([None, 0.0, -0.0, 1.5, float("nan"), float("inf")])
ROWS = st.lists(st.tuples(NUMBERS, TEXTS, TEXTS, FLOATS), max_size=6)
COLUMNS = st.sampled_from(["n", "s", "c", "f"])
CONDITIONS = st.sampled_from(
    ["n > 0", "s = c", "n > 0 or n < 1", "f < 1", "s in ('a', 'A') -- a", "n = (select max(n) from main.t)", "c = 'a'"]
)


@st.composite
def data_tests(draw: st.DrawFn) -> DataTest:
    kind = draw(st.sampled_from(["unique", "not_null", "accepted_values", "expression", "relationships"]))
    where = draw(st.one_of(st.none(), CONDITIONS))
    if kind == "expression":
        return DataTest(kind, expression=draw(CONDITIONS), where=where)
    if kind == "unique":
        columns = draw(st.lists(COLUMNS, min_size=1, max_size=3, unique=True))
        return DataTest(kind, tuple(columns), where=where)
    column = draw(COLUMNS)
    if kind == "accepted_values":
        values = draw(st.lists(st.sampled_from([0, 1, "a", "b", 1.5, True]), min_size=1, max_size=2))
        return DataTest(kind, (column,), values=tuple(values), where=where)
    if kind == "relationships":
        return DataTest(kind, (column,), to="t", field=column, where=where)
    return DataTest(kind, (column,), where=where)


@pytest.fixture(scope="module", params=["", "nocase"])
def collating(request: pytest.FixtureRequest) -> Iterator[DuckDBWarehouse]:
    """Open a warehouse that compares text by its bytes, and one that does not."""
    chosen = {"default_collation": request.param} if request.param else {}
    warehouse = DuckDBWarehouse.open(":memory:", chosen, read_only=False, waiting=Waiting())
    yield warehouse
    warehouse.close()


@settings(max_examples=40, deadline=None)
@given(rows=ROWS, tests=st.lists(data_tests(), min_size=2, max_size=6), sample=st.integers(0, 3))
def test_together_they_find_what_each_finds_by_itself(
    collating: DuckDBWarehouse, rows: list[Any], tests: list[DataTest], sample: int
) -> None:
    """Failures, columns and rows shown, of NULL, NaN, text under a collation or the database's own, and `where`."""
    sql = Sql(collating)
    sql("CREATE OR REPLACE TABLE main.t (n INTEGER, s VARCHAR, c VARCHAR COLLATE NOCASE, f DOUBLE)")
    if rows:
        places = ", ".join(["(?, ?, ?, ?)"] * len(rows))
        sql(f"INSERT INTO main.t VALUES {places}", [value for row in rows for value in row])
    apart = [run_test(collating, test, to=RELATION, sample=sample) for test in tests]
    assert run_together(collating, *tests, sample=sample) == apart


# --------------------------------------------------------------------------------------------------- what goes not so


def test_a_condition_guards_what_stands_behind_it(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """What `where` leaves out is not evaluated, as it is not by itself."""
    sql("CREATE TABLE main.t AS SELECT if(i % 3 = 0, 'x', i::VARCHAR) AS s FROM range(5000) AS r(i)")
    guarded = DataTest("expression", expression="s::INTEGER >= 0", where="s <> 'x'")
    found = run_together(warehouse, guarded, DataTest("not_null", ("s",)), DataTest("expression", expression="true"))
    assert [result.failures for result in found] == [0, 0, 0]


@pytest.mark.parametrize("condition", ["s::INTEGER > 0", "sum(n) > 0", "no_such_function(n)", "* > 0"])
def test_what_cannot_run_beside_others_is_told(warehouse: DuckDBWarehouse, sql: Sql, condition: str) -> None:
    """Nobody can tell which of them it was; by itself the test says so."""
    sql("CREATE TABLE main.t AS SELECT 1 AS n, 'x' AS s")
    wrong = DataTest("expression", expression=condition)
    with pytest.raises(TestsTangledError):
        run_together(warehouse, DataTest("not_null", ("n",)), wrong, DataTest("unique", ("s",)))
    with pytest.raises(WarehouseError, match=r"test expression\(.*\) cannot run: ") as caught:
        run_test(warehouse, wrong)
    assert not isinstance(caught.value, TestsTangledError)


def test_a_condition_on_many_columns_stands_aside(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """It is several conditions in one, and is run by itself."""
    sql("CREATE TABLE main.t AS SELECT * FROM (VALUES (1, 2), (3, 0)) AS v(a, b)")
    many = DataTest("not_null", ("a",), where="columns(*) >= 0")
    found = run_together(warehouse, many, DataTest("unique", ("a",)), DataTest("not_null", ("b",)))
    assert [result.failures for result in found] == [0, 0, 0]


def test_no_rows_are_shown_where_none_are_wanted(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """They are counted all the same."""
    sql("CREATE TABLE main.t AS SELECT NULL AS n, 'x' AS s FROM range(7)")
    found = run_together(warehouse, DataTest("not_null", ("n",)), DataTest("unique", ("s",)), sample=0)
    assert [(result.failures, result.columns, result.sample) for result in found] == [(7, (), ()), (1, (), ())]
