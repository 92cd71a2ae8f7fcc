"""Tests of a relation's rows: what fails, what passes, what a failure shows."""

from __future__ import annotations

from typing import Any

import pytest
from warehouse_samples import Sql, run_test
from warehouse_samples import T as RELATION

from leapsql_core.errors import WarehouseError
from leapsql_core.models import DataTest, Relation
from leapsql_core.protocols import AskedTest
from leapsql_core.warehouses.duckdb.warehouse import DuckDBWarehouse


def failures(warehouse: DuckDBWarehouse, test: DataTest, **options: Any) -> int:
    return run_test(warehouse, test, **options).failures


def accepts(warehouse: DuckDBWarehouse, *values: Any, where: str | None = None) -> int:
    """Return how many distinct values of the column `a` are not accepted."""
    return failures(warehouse, DataTest("accepted_values", ("a",), values=values, where=where))


# --------------------------------------------------------------------------------------------------- unique, not_null


def test_unique_counts_keys_that_repeat(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """Each key counts once, however often it stands there; the sample shows key and number."""
    sql("CREATE TABLE main.t AS SELECT * FROM (VALUES (1), (1), (2), (3), (3), (3)) AS v(a)")
    result = run_test(warehouse, DataTest("unique", ("a",)))
    assert (result.failures, result.columns, result.sample) == (2, ("a", "times"), (("1", "2"), ("3", "3")))
    assert not result.passed


def test_unique_lets_nulls_repeat(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """As SQL's own constraint does: NULL is no value; nor is a key that lacks a part."""
    sql("CREATE TABLE main.t AS SELECT * FROM (VALUES (1, NULL), (1, NULL), (NULL, 2), (NULL, 2), (1, 2)) AS v(a, b)")
    assert failures(warehouse, DataTest("unique", ("a", "b"))) == 0
    sql("INSERT INTO main.t VALUES (1, 2)")
    assert run_test(warehouse, DataTest("unique", ("a", "b"))).sample == (("1", "2", "2"),)


def test_not_null_counts_rows_without_a_value(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """Empty text and zero are values."""
    sql("CREATE TABLE main.t AS SELECT * FROM (VALUES (1, ''), (2, NULL), (0, NULL)) AS v(a, b)")
    result = run_test(warehouse, DataTest("not_null", ("b",)))
    assert (result.failures, result.sample) == (2, (("NULL", "2"), ("NULL", "0")))
    assert run_test(warehouse, DataTest("not_null", ("a",))).passed


def test_where_narrows_every_kind(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """Rows that `where` leaves out are not looked at; it may end in a comment."""
    sql("CREATE TABLE main.t AS SELECT * FROM (VALUES (1, 'old'), (1, 'old'), (NULL, 'old'), (2, 'new')) AS v(a, b)")
    sql("CREATE TABLE main.others AS SELECT 2 AS id")
    for where in ("b = 'new'", "b = 'new' -- only those"):
        assert failures(warehouse, DataTest("unique", ("a",), where=where)) == 0
        assert failures(warehouse, DataTest("not_null", ("a",), where=where)) == 0
        assert accepts(warehouse, 2, where=where) == 0
        assert failures(warehouse, DataTest("expression", expression="a > 1 -- so", where=where)) == 0
        link = DataTest("relationships", ("a",), to="others", field="id", where=where)
        assert failures(warehouse, link, to=Relation("main", "others")) == 0
    assert failures(warehouse, DataTest("unique", ("a",), where="b = 'old' OR b = 'new'")) == 1


# ----------------------------------------------------------------------------------------------------- accepted_values


@pytest.mark.parametrize(
    ("kind", "rows", "accepted", "refused"),
    [
        ("INTEGER", "(1), (2), (3)", (1, 2), 1),
        ("INTEGER", "(1), (2)", ("1", "2"), 0),
        ("INTEGER", "(1), (2)", (1.0, 2.0), 0),
        ("INTEGER", "(2)", (1.5, 2.4), 1),
        ("INTEGER", "(1)", ("one", "1.5"), 1),
        ("TINYINT", "(100)", (100, 300, 1e30), 0),
        ("HUGEINT", "(18446744073709551616), (1)", (18446744073709551616,), 1),
        ("VARCHAR", "('new'), ('paid'), ('New')", ("new", "paid"), 1),
        ("VARCHAR", "('1'), ('01')", (1,), 1),
        ("VARCHAR", "('1.50'), ('1.5')", (1.5,), 1),
        ("VARCHAR", "('true'), ('false')", (True, False), 0),
        ("VARCHAR", "('it''s'), ('?'), ('$1')", ("it's", "?", "$1"), 0),
        ("BOOLEAN", "(true), (false)", (True,), 1),
        ("BOOLEAN", "(true), (false)", ("true", "false"), 0),
        ("BOOLEAN", "(true)", ("maybe",), 1),
        ("DOUBLE", "(0.1), (0.2)", (0.1,), 1),
        ("FLOAT", "(0.1), (0.2)", (0.1, 0.2), 0),
        ("DECIMAL(10, 2)", "(0.10), (0.20)", (0.1, "0.20"), 0),
        ("DECIMAL(10, 1)", "(0.2)", (0.15, "0.16"), 1),
        ("DECIMAL(38, 20)", "(0.5)", (0.5,), 0),
        ("DATE", "('2026-03-01'), ('2026-03-02')", ("2026-03-01",), 1),
        ("DATE", "('2026-03-01')", ("yesterday", 7), 1),
        ("ENUM('a', 'b')", "('a'), ('b')", ("a", "zzz"), 1),
        ("VARCHAR COLLATE NOCASE", "('A'), ('b')", ("a",), 1),
        ("INTEGER", "(1)", ("nan", "inf"), 1),
    ],
)
def test_accepted_values_are_values_of_the_columns_type(
    warehouse: DuckDBWarehouse, sql: Sql, kind: str, rows: str, accepted: tuple[Any, ...], refused: int
) -> None:
    """A value that the type cannot hold, or would round, accepts nothing; it is no error."""
    sql(f"CREATE TABLE main.t (a {kind})")
    sql(f"INSERT INTO main.t VALUES {rows}")
    assert accepts(warehouse, *accepted) == refused


def test_accepted_values_pass_over_null_and_count_values(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """A value that is not accepted counts once; the sample tells how often it stands there."""
    sql("CREATE TABLE main.t AS SELECT * FROM (VALUES ('x'), ('y'), ('y'), (NULL), ('ok')) AS v(a)")
    result = run_test(warehouse, DataTest("accepted_values", ("a",), values=("ok",)))
    assert (result.failures, result.sample) == (2, (("x", "1"), ("y", "2")))


# ------------------------------------------------------------------------------------------------------- relationships


@pytest.mark.parametrize("other", [Relation("main", "cust"), Relation("crm", "cust"), Relation("crm", "o\"dd na'me")])
def test_relationships_look_values_up_in_any_schema(warehouse: DuckDBWarehouse, sql: Sql, other: Relation) -> None:
    """Values that the other relation lacks fail, each once; NULL refers to nothing and passes."""
    sql("CREATE SCHEMA crm")
    sql("CREATE TABLE main.t AS SELECT * FROM (VALUES (1), (2), (2), (9), (NULL)) AS v(a)")
    sql(f'CREATE TABLE {other.sql} AS SELECT * FROM (VALUES (1), (NULL)) AS v("the id")')
    test = DataTest("relationships", ("a",), to=str(other), field="the id")
    result = run_test(warehouse, test, to=other)
    assert (result.failures, result.sample) == (2, (("2", "2"), ("9", "1")))


def test_relationships_to_an_empty_relation_fail(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """Nothing can be referred to there."""
    sql("CREATE TABLE main.t AS SELECT 1 AS a")
    sql("CREATE TABLE main.empty (id INTEGER)")
    test = DataTest("relationships", ("a",), to="empty", field="id")
    assert failures(warehouse, test, to=Relation("main", "empty")) == 1


# ---------------------------------------------------------------------------------------------------------- expression


def test_an_expression_must_hold_in_every_row(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """Where it is unknown, for a part of it is NULL, it passes."""
    sql("CREATE TABLE main.t AS SELECT * FROM (VALUES (1, 2), (5, 2), (NULL, 2)) AS v(a, b)")
    result = run_test(warehouse, DataTest("expression", expression="a < b"))
    assert (result.failures, result.columns, result.sample) == (1, ("a", "b"), (("5", "2"),))
    assert failures(warehouse, DataTest("expression", expression="a < b OR a = 5")) == 0
    assert failures(warehouse, DataTest("expression", expression="a = (SELECT max(a) FROM main.t)")) == 1


# ------------------------------------------------------------------------------------------------- what a failure shows


def test_a_sample_is_as_small_as_asked_for_and_counts_go_on(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """A hundred failures are told; five are shown."""
    sql("CREATE TABLE main.t AS SELECT NULL::INTEGER AS a FROM range(100)")
    result = run_test(warehouse, DataTest("not_null", ("a",)), sample=5)
    assert (result.failures, len(result.sample)) == (100, 5)


WIDE = "CREATE TABLE main.t AS SELECT 7 AS id, 1 AS a, 2 AS b, 3 AS c, 4 AS d, 5 AS e, 6 AS f, NULL::INTEGER AS z"


def test_a_failing_row_is_shown_by_its_key_and_what_is_tested(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """A wide row would hide what is wrong in it; a key that is not there is passed over."""
    sql(WIDE)
    empty, wrong = DataTest("not_null", ("z",)), DataTest("expression", expression='A > "B" or coalesce(z, 0) > 1')
    for key, shown in ((("ID",), ("id", "z")), (("z",), ("z",)), (("id", "a"), ("id", "a", "z"))):
        assert run_test(warehouse, empty, key=key).columns == shown
    result = run_test(warehouse, wrong, key=("id", "gone"))
    assert (result.columns, result.sample) == (("id", "a", "b", "z"), (("7", "1", "2", "NULL"),))


def test_a_failing_row_without_a_key_shows_a_few_columns(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """What is tested first, then the first ones; six at most."""
    sql(WIDE)
    assert run_test(warehouse, DataTest("not_null", ("z",))).columns == ("z", "id", "a", "b", "c", "d")
    expressions = {"z is not null": ("z", "id", "a", "b", "c", "d"), "false": ("id", "a", "b", "c", "d", "e")}
    for expression, shown in expressions.items():
        assert run_test(warehouse, DataTest("expression", expression=expression)).columns == shown
    everything = "a + b + c + d + e + f + id < 0 and z is null"
    assert len(run_test(warehouse, DataTest("expression", expression=everything)).columns) == 6


def test_a_sample_shows_values_of_any_type(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """What Python has no form for is shown as DuckDB writes it."""
    sql(
        "CREATE TABLE main.t AS SELECT DATE '20000-01-01' AS a, 'infinity'::TIMESTAMP AS b, [1, NULL] AS c,"
        " '\\xAA'::BLOB AS d"
    )
    result = run_test(warehouse, DataTest("expression", expression="false"))
    assert result.columns == ("a", "b", "c", "d")
    assert result.sample == (("20000-01-01", "infinity", "[1, NULL]", "\\xAA"),)


def test_a_test_of_a_column_that_is_not_there_names_the_nearest(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """The message tells test, relation and column, and what was probably meant, or all there is."""
    sql("CREATE TABLE main.t AS SELECT 1 AS customer_id, 2 AS z")
    with pytest.raises(WarehouseError) as caught:
        run_test(warehouse, DataTest("not_null", ("custmer_id",)))
    assert str(caught.value) == (
        "test not_null(custmer_id): main.t has no column `custmer_id`\n    Did you mean customer_id?"
    )
    with pytest.raises(WarehouseError) as caught:
        run_test(warehouse, DataTest("unique", ("qqqq",)))
    assert caught.value.mend == "It has: customer_id, z."


def test_columns_are_found_in_any_case_and_any_name(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """Tests name columns as SQL does."""
    sql('CREATE TABLE main.t AS SELECT 1 AS "Odd ""One", 2 AS "select"')
    assert run_test(warehouse, DataTest("unique", ('odd "one', "SELECT"))).passed
    assert accepts_in(warehouse, "SELECT", 2)


def accepts_in(warehouse: DuckDBWarehouse, column: str, *values: Any) -> bool:
    return run_test(warehouse, DataTest("accepted_values", (column,), values=values)).passed


@pytest.mark.parametrize(
    "test",
    [
        DataTest("expression", expression="nothing > 1"),
        DataTest("expression", expression="a >"),
        DataTest("unique", ("a",), where="nothing"),
        DataTest("relationships", ("a",), to="gone", field="id"),
    ],
)
def test_a_test_that_cannot_run_says_which(warehouse: DuckDBWarehouse, sql: Sql, test: DataTest) -> None:
    """The error begins with the test, and tells what DuckDB says of it."""
    sql("CREATE TABLE main.t AS SELECT 1 AS a")
    with pytest.raises(WarehouseError) as caught:
        run_test(warehouse, test, to=Relation("main", "gone"))
    assert caught.value.cause.startswith(f"test {test.label} cannot run: ")


def test_a_test_sees_the_transaction_it_is_in(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """What was just built is tested before anybody else sees it."""
    with warehouse.transaction() as transaction:
        transaction.replace_table(RELATION, "SELECT NULL AS a", existing=None)
        [result] = transaction.run_tests(RELATION, [AskedTest(DataTest("not_null", ("a",)))])
        assert result.failures == 1
