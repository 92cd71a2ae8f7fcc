"""One holder at a time builds in a database, within a process as between processes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from leapsql_core.errors import WarehouseError
from leapsql_core.models import Target
from leapsql_core.warehouses.duckdb.leases import DatabaseLease, give_back, take_lease
from leapsql_core.warehouses.duckdb.warehouse import DuckDBWarehouse
from leapsql_core.warehouses.opening import open_warehouse


def open_for(root: Path, holder: str | None, database: str = "w.duckdb", **options: Any) -> DuckDBWarehouse:
    settings = options.pop("settings", {})
    return open_warehouse(Target("dev", "duckdb", database, "main", settings), root=root, holder=holder, **options)


def test_who_comes_second_is_told_who_has_the_database(tmp_path: Path) -> None:
    """Until the first is done; a name by which the file is reached otherwise is no way around."""
    first = open_for(tmp_path, "run 1 of environment dev")
    (tmp_path / "other.duckdb").symlink_to(tmp_path / "w.duckdb")
    for name in ("w.duckdb", "other.duckdb"):
        with pytest.raises(WarehouseError) as refusal:
            open_for(tmp_path, "run 2 of environment prod", name)
        said = f"the warehouse {tmp_path / name} is in use by run 1 of environment dev, in this process"
        assert refusal.value.cause == said
        assert "One run at a time builds in a database" in refusal.value.mend
        assert refusal.value.in_use
    first.close()
    open_for(tmp_path, "run 2 of environment prod").close()


def test_who_comes_second_waits_and_says_once_for_whom(tmp_path: Path) -> None:
    """And has the database as soon as it is free."""
    first, told = open_for(tmp_path, "run 1"), []

    def tell(message: str) -> None:
        told.append(message)
        first.close()

    open_for(tmp_path, "run 2", wait_seconds=60, on_wait=tell).close()
    assert told == [f"waiting for run 1, in this process, which holds {tmp_path / 'w.duckdb'}"]


def test_a_database_that_cannot_be_opened_is_held_by_nobody(tmp_path: Path) -> None:
    """Whatever went wrong; and closing twice takes nothing from the next one."""
    (tmp_path / "notes.duckdb").write_text("dear diary\n" * 1000)
    for _ in range(2):
        with pytest.raises(WarehouseError, match="cannot be opened"):
            open_for(tmp_path, "run 1", "notes.duckdb")
        with pytest.raises(WarehouseError, match="no_such_setting"):
            open_for(tmp_path, "run 1", settings={"no_such_setting": 1})
    first = open_for(tmp_path, "run 1")
    first.close()
    second = open_for(tmp_path, "run 2")
    first.close()
    with pytest.raises(WarehouseError, match="in use by run 2"):
        open_for(tmp_path, "run 3")
    second.close()


def test_who_only_looks_holds_nothing(tmp_path: Path) -> None:
    """Nor do two that build in databases in memory hinder each other: there are two of them."""
    open_for(tmp_path, "run 1").close()
    looks = [open_for(tmp_path, None, read_only=True) for _ in range(2)]
    for one in looks:
        one.close()
    builds = [open_for(tmp_path, f"run {number}", ":memory:") for number in (1, 2)]
    for one in builds:
        one.close()


def test_a_forked_process_does_not_hold_what_its_parent_does(tmp_path: Path) -> None:
    """It has the parent's memory, and goes on with none of its runs."""
    mine = take_lease(str(tmp_path / "w.duckdb"), "run 1")
    assert isinstance(mine, DatabaseLease)
    child = os.fork()
    if child == 0:
        os._exit(0 if isinstance(take_lease(str(tmp_path / "w.duckdb"), "run 2"), DatabaseLease) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert take_lease(str(tmp_path / "w.duckdb"), "run 3") == "run 1"
    give_back(mine)
