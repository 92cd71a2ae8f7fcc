"""Another database beside the one that is built in: it is read as if it were part of it, and never written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from warehouse_samples import Sql, columns, version

from leapsql_core.errors import WarehouseError
from leapsql_core.models import Column, Relation, Target
from leapsql_core.warehouses.duckdb.connection import Waiting, connect
from leapsql_core.warehouses.duckdb.proofs import QueryProver
from leapsql_core.warehouses.duckdb.warehouse import DuckDBWarehouse
from leapsql_core.warehouses.opening import open_warehouse as open_target

Opener = Callable[..., DuckDBWarehouse]
THERE = Relation("staging", "orders", "live", foreign=True)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A database with a table, a view over it, and a table under a name that has to be quoted."""
    path = tmp_path / "it's live.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema staging")
        connection.execute("create table staging.orders as select 1 as id, 2.5 as amount")
        connection.execute("create view staging.shown as select * from staging.orders")
    return path


@pytest.fixture
def warehouse(open_warehouse: Opener, other: Path) -> DuckDBWarehouse:
    """A database that has a relation of the same name."""
    warehouse = open_warehouse(attached={"live": str(other)})
    Sql(warehouse)("create schema staging")
    Sql(warehouse)("create table staging.orders as select 'mine' as note")
    return warehouse


def test_a_relation_there_is_read_by_its_catalog(warehouse: DuckDBWarehouse) -> None:
    """Columns, versions and rows, of a view too, whatever bears its name here."""
    assert [column.name for column in columns(warehouse, THERE)] == ["id", "amount"]
    assert version(warehouse, ("id",), relation=THERE) is not None
    shown = Relation("staging", "shown", "live", foreign=True)
    assert version(warehouse, relation=shown) == version(warehouse, relation=THERE)
    with warehouse.transaction() as transaction:
        assert transaction.replace_table(Relation("main", "t"), f"select * from {shown.sql}", existing=None) == 1
    assert Sql(warehouse)("select id from t") == [(1,)]


def test_what_stands_there_is_none_of_what_stands_here(warehouse: DuckDBWarehouse) -> None:
    """A look at the warehouse shows its own relations alone."""
    assert set(warehouse.relations()) == {("staging", "orders")}


def test_nothing_can_be_written_there(warehouse: DuckDBWarehouse, other: Path) -> None:
    """Not by a build either that was told to; the file stays as it is, to the byte."""
    before = other.read_bytes()
    for write in ("replace_table", "replace_view"):
        with pytest.raises(WarehouseError, match="read-only"), warehouse.transaction() as transaction:
            getattr(transaction, write)(Relation("staging", "new", "live", foreign=True), "select 1", existing=None)
    with pytest.raises(WarehouseError, match="read-only"), warehouse.transaction() as transaction:
        transaction.drop(THERE, kind="table")
    warehouse.close()
    assert other.read_bytes() == before


def test_a_relation_tells_where_it_lies() -> None:
    """With its catalog where that is another database, without where it only keeps two schemas apart."""
    assert str(THERE) == "live.staging.orders"
    assert str(Relation("shop", "orders", "shop")) == "shop.orders"


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """Attaching makes no file; the error says which one is missing."""
    target = Target("dev", "duckdb", "w.duckdb", "main", attached={"live": str(tmp_path / "none.duckdb")})
    with pytest.raises(WarehouseError, match=r"there is no database .*none\.duckdb"):
        open_target(target, root=tmp_path)
    assert not (tmp_path / "none.duckdb").exists()


def test_who_holds_it_is_told(open_warehouse: Opener, other: Path) -> None:
    """It is held by this process, which writes to it."""
    connection = connect(str(other), read_only=False, waiting=Waiting())
    try:
        with pytest.raises(WarehouseError, match="in use by this process") as caught:
            open_warehouse(attached={"live": str(other)})
        assert caught.value.in_use
    finally:
        connection.close()


def test_queries_over_it_are_proven_the_same() -> None:
    """Twice with one prover: each proof begins with the columns it was given."""
    prover = QueryProver("memory", {})
    text = 'select {a}.id from "live"."staging"."orders" as {a} join t on t.id = {a}.id'
    inputs = {THERE: (Column("id", "INTEGER"),), Relation("main", "t"): (Column("id", "INTEGER"),)}
    assert prover.same(text.format(a="x"), text.format(a="y"), inputs)
    assert prover.same(text.format(a="y"), text.format(a="z"), inputs)
    assert not prover.same(text.format(a="x"), text.format(a="x").replace("t.id =", "t.id <>"), inputs)
    prover.close()
