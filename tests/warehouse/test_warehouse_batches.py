"""Batches: every strategy, keys that are refused, columns that come and go; a batch that fails changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from warehouse_samples import Sql, T, apply, columns, marker

from leapsql_core.errors import WarehouseError
from leapsql_core.models import Column
from leapsql_core.warehouses.duckdb.warehouse import DuckDBWarehouse

ROWS = "CREATE TABLE main.t AS SELECT * FROM (VALUES (1, 'one'), (2, 'two'), (3, 'three')) AS v(id, name)"
BATCH = "SELECT * FROM (VALUES (2, 'zwei'), (4, 'vier')) AS v(id, name)"


def rows(sql: Sql) -> list[tuple[Any, ...]]:
    return sql("FROM main.t ORDER BY ALL")


# ---------------------------------------------------------------------------------------------------------- strategies


@pytest.mark.parametrize("how", [{}, {"strategy": "delete+insert"}, {"strategy": "merge"}])
def test_rows_of_the_same_key_are_replaced_and_new_ones_added(
    warehouse: DuckDBWarehouse, sql: Sql, how: dict[str, Any]
) -> None:
    """Both strategies on a key come to the same, which is also what a key alone means."""
    sql(ROWS)
    assert apply(warehouse, BATCH, key=["id"], **how) == 2
    assert rows(sql) == [(1, "one"), (2, "zwei"), (3, "three"), (4, "vier")]


@pytest.mark.parametrize("how", [{}, {"strategy": "append"}])
def test_rows_are_appended_where_no_key_says_otherwise(
    warehouse: DuckDBWarehouse, sql: Sql, how: dict[str, Any]
) -> None:
    """Without a key nothing is replaced."""
    sql(ROWS)
    assert apply(warehouse, BATCH, **how) == 2
    assert rows(sql) == [(1, "one"), (2, "two"), (2, "zwei"), (3, "three"), (4, "vier")]


def test_append_with_a_key_appends_but_minds_the_key(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """The key is a promise of the batch, whatever becomes of its rows."""
    sql(ROWS)
    apply(warehouse, BATCH, key=["id"], strategy="append")
    assert len(rows(sql)) == 5
    with pytest.raises(WarehouseError, match="repeats"):
        apply(warehouse, f"{BATCH} UNION ALL {BATCH}", key=["id"], strategy="append")


def test_a_time_window_is_replaced(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """From the batch's first moment to its last, both included; what lies outside stays."""
    sql("CREATE TABLE main.t AS SELECT DATE '2026-03-01' + n::INTEGER AS day, 'old' AS what FROM range(6) AS r(n)")
    sql("INSERT INTO main.t VALUES (NULL, 'unknown')")
    batch = "SELECT * FROM (VALUES (DATE '2026-03-02', 'new'), (DATE '2026-03-04', 'new')) AS v(day, what)"
    apply(warehouse, batch, strategy="time_column", time_column="DAY")
    assert sql("SELECT day::VARCHAR, what FROM main.t ORDER BY ALL") == [
        ("2026-03-01", "old"),
        ("2026-03-02", "new"),
        ("2026-03-04", "new"),
        ("2026-03-05", "old"),
        ("2026-03-06", "old"),
        (None, "unknown"),
    ]


@pytest.mark.parametrize(
    "how",
    [
        {"key": ["id"]},
        {"key": ["id"], "strategy": "merge"},
        {"strategy": "append"},
        {"strategy": "time_column", "time_column": "id"},
    ],
)
def test_an_empty_batch_changes_nothing(warehouse: DuckDBWarehouse, sql: Sql, how: dict[str, Any]) -> None:
    """No rows, no change, no error."""
    sql(ROWS)
    assert apply(warehouse, f"SELECT * FROM ({BATCH}) WHERE false", **how) == 0
    assert rows(sql) == [(1, "one"), (2, "two"), (3, "three")]


@pytest.mark.parametrize("strategy", ["delete+insert", "merge"])
def test_a_key_of_several_columns_is_met_as_a_whole(warehouse: DuckDBWarehouse, sql: Sql, strategy: str) -> None:
    """Rows that share a part of the key are others; rows of the table that lack a part are met by none."""
    sql("CREATE TABLE main.t (a INTEGER, b VARCHAR, n INTEGER)")
    sql("INSERT INTO main.t VALUES (1, 'x', 0), (1, 'y', 0), (2, 'x', 0), (1, NULL, 0), (NULL, 'x', 0)")
    apply(warehouse, "SELECT 1 AS a, 'x' AS b, 9 AS n", key=["A", "B"], strategy=strategy)
    assert rows(sql) == [(1, "x", 9), (1, "y", 0), (1, None, 0), (2, "x", 0), (None, "x", 0)]


def test_a_batch_may_read_the_table_it_goes_to(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """What `this` holds is read before anything of it changes."""
    sql(ROWS)
    apply(warehouse, "SELECT max(id) + 1 AS id, 'next' AS name FROM main.t", key=["id"])
    assert rows(sql)[-1] == (4, "next")


def test_batches_side_by_side_in_one_transaction_do_not_meet(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """Each batch has a place of its own, and takes nothing of it with it."""
    sql(ROWS)
    for _ in range(3):
        apply(warehouse, BATCH, key=["id"])
    assert sql("SELECT table_name FROM duckdb_tables() WHERE temporary") == []


def test_a_marked_batch_is_committed_with_its_marker(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """Columns that change, rows, comment and marker: all in one transaction."""
    sql(ROWS)
    with warehouse.transaction() as transaction:
        how = config(on_schema_change="append")
        transaction.apply_batch(T, "SELECT 4 AS id, 'four' AS name, true AS even", unique_key=["id"], how=how)
        transaction.mark(marker(model_run_id="run 4"), kind="table", record="{}", replaces=None)
    assert rows(sql)[-1] == (4, "four", True)
    assert warehouse.relations()[T.key].comment == "run 4"
    assert warehouse.markers()[T.key].model_run_id == "run 4"


def config(**how: Any) -> Any:
    from leapsql_core.models import IncrementalConfig

    return IncrementalConfig(**how)


# ------------------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize("strategy", ["append", "delete+insert", "merge"])
def test_a_batch_with_a_null_key_changes_nothing(warehouse: DuckDBWarehouse, sql: Sql, strategy: str) -> None:
    """NULL meets nothing, so such rows would pile up with every batch; the message counts them, and shows some."""
    sql(ROWS)
    with pytest.raises(WarehouseError) as caught:
        apply(warehouse, f"{BATCH} UNION ALL SELECT NULL, 'lost'", key=["id"], strategy=strategy)
    assert caught.value.cause == "1 row of the batch has NULL in unique_key (id): id = NULL, name = lost"
    assert "Nothing was changed." in caught.value.mend
    both = "SELECT NULL AS id, 'a' AS name UNION ALL SELECT 1, NULL"
    with pytest.raises(WarehouseError) as caught:
        apply(warehouse, both, key=["NAME", "id"], strategy=strategy)
    assert caught.value.cause == (
        "2 rows of the batch have NULL in unique_key (NAME, id): id = 1, name = NULL; id = NULL, name = a"
    )
    assert rows(sql) == [(1, "one"), (2, "two"), (3, "three")]


@pytest.mark.parametrize("strategy", ["append", "delete+insert", "merge"])
def test_a_batch_with_a_repeated_key_changes_nothing(warehouse: DuckDBWarehouse, sql: Sql, strategy: str) -> None:
    """Which of two rows would win is nobody's to guess; the message shows some keys."""
    sql(ROWS)
    with pytest.raises(WarehouseError) as caught:
        apply(warehouse, f"{BATCH} UNION ALL SELECT 4, 'quattro'", key=["id"], strategy=strategy)
    assert caught.value.cause == "unique_key (id) repeats in the batch: 4 (2 times)"
    assert "Nothing was changed." in caught.value.mend
    assert rows(sql) == [(1, "one"), (2, "two"), (3, "three")]


def test_a_few_repeated_keys_are_shown_of_many(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """Five, with all their parts, in order."""
    sql("CREATE TABLE main.t (a INTEGER, b DATE)")
    batch = "SELECT (n % 9)::INTEGER AS a, DATE '2026-03-01' AS b FROM range(18) AS r(n)"
    with pytest.raises(WarehouseError) as caught:
        apply(warehouse, batch, key=["a", "b"])
    assert caught.value.cause.count("(2 times)") == 5
    assert "repeats in the batch: 0, 2026-03-01 (2 times); 1, 2026-03-01 (2 times)" in caught.value.cause


def test_a_batch_without_a_time_changes_nothing(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """A row that lies in no window would be inserted again with every batch; of many, five are shown."""
    sql(ROWS)
    many = "SELECT NULL::INTEGER AS id, repeat('lost ', 20) || n AS name FROM range(7) AS r(n)"
    with pytest.raises(WarehouseError) as caught:
        apply(warehouse, f"{BATCH} UNION ALL {many}", strategy="time_column", time_column="id")
    assert caught.value.cause.startswith("7 rows of the batch have NULL in time_column (id): id = NULL, name = …; ")
    assert caught.value.cause.count("…") == caught.value.cause.count("id = NULL") == 5
    assert len(rows(sql)) == 3


@pytest.mark.parametrize("how", [{"key": ["idd"]}, {"strategy": "time_column", "time_column": "idd"}])
def test_a_key_that_the_query_does_not_yield_is_named(
    warehouse: DuckDBWarehouse, sql: Sql, how: dict[str, Any]
) -> None:
    """The message says which field names it, and what was probably meant."""
    sql(ROWS)
    with pytest.raises(
        WarehouseError, match=r"(unique_key|time_column) names `idd`, which the query does not yield"
    ) as caught:
        apply(warehouse, BATCH, **how)
    assert caught.value.mend == "Did you mean id?"
    with pytest.raises(WarehouseError) as caught:
        apply(warehouse, BATCH, key=["qqqq"])
    assert caught.value.mend == "It yields: id, name."


def test_a_batch_that_cannot_be_cast_changes_nothing(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """The error tells that it is the batch that was refused."""
    sql(ROWS)
    with pytest.raises(WarehouseError, match="the batch cannot be applied: "):
        apply(warehouse, "SELECT 'seven' AS id, 'x' AS name", on_schema_change="ignore")
    assert len(rows(sql)) == 3


def test_an_error_in_a_batch_names_the_line_of_its_query(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """Lines are counted from the query's first, as everywhere."""
    sql(ROWS)
    with pytest.raises(WarehouseError) as caught:
        apply(warehouse, "SELECT\n  nothing AS id")
    assert caught.value.line == 2


# ------------------------------------------------------------------------------------------------------------- columns


def test_columns_are_matched_by_name(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """Another order and another case are the same columns."""
    sql(ROWS)
    for strategy in ("append", "delete+insert", "merge"):
        apply(warehouse, "SELECT 'zwei' AS NAME, 2 AS Id", key=["id"], strategy=strategy)
    assert rows(sql) == [(1, "one"), (2, "zwei"), (3, "three")]


@pytest.mark.parametrize(
    ("batch", "change"),
    [
        ("SELECT 4 AS id, 'four' AS name, 1 AS extra", "+extra INTEGER"),
        ("SELECT 4 AS id", "-name"),
        ("SELECT 4::BIGINT AS id, 'four' AS name", "id: INTEGER → BIGINT"),
    ],
)
def test_other_columns_fail_unless_it_is_said_what_to_do(
    warehouse: DuckDBWarehouse, sql: Sql, batch: str, change: str
) -> None:
    """The message lists what differs, and names the ways out."""
    sql(ROWS)
    with pytest.raises(WarehouseError) as caught:
        apply(warehouse, batch)
    assert caught.value.cause == f"the columns of the batch differ from the table's: {change}"
    assert "--full-refresh" in caught.value.mend
    assert "on_schema_change" in caught.value.mend
    assert len(rows(sql)) == 3


MOVED = "SELECT 4::BIGINT AS id, true AS even"


@pytest.mark.parametrize(
    "how", [{}, {"key": ["id"], "strategy": "delete+insert"}, {"key": ["id"], "strategy": "merge"}]
)
@pytest.mark.parametrize(
    ("on_schema_change", "expected", "last"),
    [
        ("ignore", [("id", "INTEGER"), ("name", "VARCHAR")], (4, None)),
        ("append", [("id", "INTEGER"), ("name", "VARCHAR"), ("even", "BOOLEAN")], (4, None, True)),
        ("sync", [("id", "BIGINT"), ("even", "BOOLEAN")], (4, True)),
    ],
)
def test_other_columns_are_taken_as_is_said(
    warehouse: DuckDBWarehouse, sql: Sql, how: dict[str, Any], on_schema_change: str, expected: Any, last: Any
) -> None:
    """`ignore` keeps the table's, `append` adds new ones, `sync` makes them the batch's; old rows have NULL there."""
    sql(ROWS)
    apply(warehouse, MOVED, on_schema_change=on_schema_change, **how)
    assert columns(warehouse) == tuple(Column(name, kind) for name, kind in expected)
    assert sorted(rows(sql))[-1] == last
    assert len(rows(sql)) == 4


def test_a_change_of_columns_goes_back_with_the_batch(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """If the rows are refused after the columns were changed, the columns are as before too."""
    sql(ROWS)
    batch = "SELECT 'seven' AS id, true AS even"
    with pytest.raises(WarehouseError):
        apply(warehouse, batch, on_schema_change="append")
    assert columns(warehouse) == (Column("id", "INTEGER"), Column("name", "VARCHAR"))


def test_a_column_that_cannot_be_changed_is_told(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """Old values that the new type cannot hold stand in the way of `sync`."""
    sql(ROWS)
    with pytest.raises(WarehouseError, match="the columns of the table cannot be changed: "):
        apply(warehouse, "SELECT 4 AS id, 7 AS name", on_schema_change="sync")
    assert len(rows(sql)) == 3


def test_collations_come_with_columns(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """A new column is made with the collation that the batch gives it."""
    sql(ROWS)
    apply(warehouse, "SELECT 4 AS id, 'x' AS name, 'Y' COLLATE NOCASE AS tag", on_schema_change="append")
    assert columns(warehouse)[-1] == Column("tag", "VARCHAR COLLATE nocase")


@pytest.mark.parametrize("strategy", ["append", "delete+insert", "merge"])
def test_names_of_columns_may_be_anything(warehouse: DuckDBWarehouse, sql: Sql, strategy: str) -> None:
    """Quotes, spaces, keywords, statements: names are names in every strategy."""
    names = ['q"uo"te', "se lect", "select", "x; DROP TABLE t; --", "old", "new", "it's"]
    listed = ", ".join(f'{n} AS "{name.replace(chr(34), chr(34) * 2)}"' for n, name in enumerate(names))
    sql(f"CREATE TABLE main.t AS SELECT {listed}")
    more = listed + ', 99 AS "ad""ded"'
    apply(warehouse, f"SELECT {more}", key=names[:4], strategy=strategy, on_schema_change="append")
    assert [column.name for column in columns(warehouse)] == [*names, 'ad"ded']
    assert len(rows(sql)) == (2 if strategy == "append" else 1)
    assert (*range(len(names)), 99) in rows(sql)
