"""Which warehouse a target means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from leapsql_core.models import Target
from leapsql_core.warehouses.duckdb.connection import Waiting, database_path
from leapsql_core.warehouses.duckdb.warehouse import DuckDBWarehouse


def open_warehouse(
    target: Target,
    *,
    root: Path,
    read_only: bool = False,
    wait_seconds: float = 0.0,
    on_wait: Callable[[str], None] | None = None,
    config: Mapping[str, Any] | None = None,
    holder: str | None = None,
    knows: Callable[[int], str | None] = lambda pid: None,
) -> DuckDBWarehouse:
    """Open the warehouse of `target`; relative paths, of the database and of files in queries, are relative to `root`.

    A database that another process holds is tried again for `wait_seconds`; `on_wait` is told once for whom, and
    `knows` says what a process does with it. Who builds in it names itself as the `holder`: until it is closed no other
    holder of this process opens it. `config` is passed to the engine when the database is opened. What the target has
    attached is never written.

    Raises:
        WarehouseError: it cannot be opened, is held by somebody else, or refuses a setting.
    """
    return DuckDBWarehouse.open(
        database_path(target, root),
        {"file_search_path": str(root), **target.settings},
        read_only=read_only,
        attached=target.attached,
        waiting=Waiting(wait_seconds, on_wait, knows=knows),
        config=config,
        holder=holder,
    )


def warehouse_exists(target: Target, *, root: Path) -> bool:
    """Tell whether the database of `target` was ever made."""
    path = database_path(target, root)
    return path != ":memory:" and Path(path).exists()
