"""Functions that extensions bring: the catalogue says whether their arguments alone decide what they answer."""

from __future__ import annotations

from warehouse_samples import Sql

from leapsql_core.warehouses.duckdb.functions import read_stabilities
from leapsql_core.warehouses.duckdb.warehouse import DuckDBWarehouse


def test_what_the_catalogue_does_not_call_consistent_is_unstable(sql: Sql) -> None:
    """As if DuckDB's own were an extension's: what moves, table functions and macros, of which it says nothing."""
    called = ["list_append", "now", "random", "range", "read_csv", "sum", "upper"]
    found = read_stabilities(sql._cursor, called, is_known=lambda _: False)
    assert [name for name, settled in found.items() if settled] == ["sum", "upper"]
    assert found.keys() == set(called)


def test_nobody_asks_for_functions_of_duckdb_s_own(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """Nor for macros of the database, which count by their definition; what is nowhere to be found is none."""
    sql("create macro my_own(x) as x")
    assert warehouse.functions({"sum", "random", "my_own", "nowhere", 'a "b"', ""}) == {}
    assert read_stabilities(sql._cursor, ["my_own"], is_known=lambda _: False) == {}


def test_asking_calls_nothing(sql: Sql) -> None:
    """A function is looked for, so that its extension is loaded, and not called."""
    sql("create sequence counter")
    read_stabilities(sql._cursor, ["nextval", "checkpoint", "txid_current"], is_known=lambda _: False)
    assert sql.one("select nextval('counter')") == 1
