from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from warehouse_samples import Sql

from leapsql_core.warehouses.duckdb.connection import Waiting
from leapsql_core.warehouses.duckdb.warehouse import DuckDBWarehouse

Opener = Callable[..., DuckDBWarehouse]


@pytest.fixture
def open_warehouse() -> Iterator[Opener]:
    """Open databases, in memory unless told; they are closed when the test is over."""
    opened: list[DuckDBWarehouse] = []

    def opening(database: str = ":memory:", settings: Mapping[str, Any] | None = None, **options: Any) -> Any:
        given: dict[str, Any] = {"read_only": False, "waiting": Waiting(), **options}
        warehouse = DuckDBWarehouse.open(database, settings or {}, **given)
        opened.append(warehouse)
        return warehouse

    yield opening
    for warehouse in opened:
        warehouse.close()


@pytest.fixture
def warehouse(open_warehouse: Opener) -> DuckDBWarehouse:
    """An empty database in memory, ready to be built in."""
    warehouse = open_warehouse()
    warehouse.prepare(["main"])
    return warehouse


@pytest.fixture
def sql(warehouse: DuckDBWarehouse) -> Sql:
    """Runs SQL in the database of `warehouse`."""
    return Sql(warehouse)
