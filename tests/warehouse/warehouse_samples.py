"""What the tests of the warehouse share: SQL beside it, small markers, and transactions in one line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from leapsql_core.models import Column, ColumnSet, DataTest, DataTestResult, IncrementalConfig, Relation
from leapsql_core.protocols import AskedTest, DataVersions, Marker
from leapsql_core.warehouses.duckdb.warehouse import DuckDBWarehouse

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
T = Relation("main", "t")


class Sql:
    """SQL in the database of a warehouse, on a cursor of its own."""

    def __init__(self, warehouse: DuckDBWarehouse) -> None:
        self._cursor = warehouse._connection.cursor()
        self._cursor.execute("SET TimeZone = 'UTC'")

    def __call__(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._cursor.execute(statement, list(parameters)).fetchall()

    def one(self, query: str) -> Any:
        [(value,)] = self(query)
        return value


def marker(relation: Relation = T, model_run_id: str = "run 1", **changes: Any) -> Marker:
    values: dict[str, Any] = {
        "model_path": relation.name,
        "environment": "dev",
        "content_hash": "content",
        "built_at": NOON,
        "history": "history",
        "previous": None,
        "project": "shop",
    }
    return Marker(relation=relation, model_run_id=model_run_id, **{**values, **changes})


def versions(warehouse: DuckDBWarehouse, *column_sets: ColumnSet, relation: Relation = T) -> DataVersions:
    with warehouse.transaction() as transaction:
        return transaction.data_versions(relation, column_sets)


def version(warehouse: DuckDBWarehouse, columns: ColumnSet = None, *, relation: Relation = T) -> str | None:
    return versions(warehouse, columns, relation=relation).versions[0]


def columns(warehouse: DuckDBWarehouse, relation: Relation = T) -> tuple[Column, ...]:
    with warehouse.transaction() as transaction:
        return transaction.columns(relation)


def run_test(
    warehouse: DuckDBWarehouse,
    test: DataTest,
    *,
    to: Relation | None = None,
    sample: int = 5,
    relation: Relation = T,
    key: Sequence[str] = (),
) -> DataTestResult:
    with warehouse.transaction() as transaction:
        [result] = transaction.run_tests(relation, [AskedTest(test, to, sample)], key=key)
        return result


def apply(
    warehouse: DuckDBWarehouse, query: str, *, key: Sequence[str] = (), relation: Relation = T, **how: Any
) -> int:
    with warehouse.transaction() as transaction:
        return transaction.apply_batch(relation, query, unique_key=key, how=IncrementalConfig(**how))
