"""`leapsql state`: whether state and warehouse agree, and what is done where they do not."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from cli_shop import PATHS, Shop

from leapsql_core.execution.processes import this_process
from leapsql_core.models import Run
from leapsql_core.protocols import NewModelRun
from leapsql_core.state import SqliteStateStore


def found(shop: Shop, *words: str, status: int = 1) -> dict[tuple[str, str | None], bool]:
    """Return what `state check` finds, by kind and path, and whether it was mended."""
    answer = shop.leapsql("state", "check", *words, "--output", "json")
    assert answer.status == status, answer.err
    return {(one["kind"], one["path"]): one["mended"] for one in answer.facts["findings"]}


def meddle(shop: Shop, statement: str) -> None:
    with duckdb.connect(shop.root / ".leapsql" / "warehouse.duckdb") as connection:
        connection.execute(statement)


def ask(shop: Shop, query: str) -> list[Any]:
    with duckdb.connect(shop.root / ".leapsql" / "warehouse.duckdb", read_only=True) as connection:
        return connection.execute(query).fetchall()


def state_file(shop: Shop) -> Path:
    return shop.root / ".leapsql" / "state.db"


def gone() -> int:
    """Return the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def lose_state(shop: Shop) -> None:
    for file in (shop.root / ".leapsql").glob("state.db*"):
        file.unlink()


def test_what_agrees_is_said_in_one_line(built: Shop) -> None:
    """The exit status is 0; nothing is written, before the first run either."""
    answer = built.leapsql("state", "check", "--deep")
    assert (answer.status, answer.lines) == (0, ["state and warehouse of dev agree"])
    lose_state(built)
    (built.root / ".leapsql" / "warehouse.duckdb").unlink()
    assert built.leapsql("state", "check", "--deep").status == 0
    assert not state_file(built).exists()
    assert not (built.root / ".leapsql" / "warehouse.duckdb").exists()


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("marts.order_log", "delete from _leapsql.markers"),
        ("staging.orders", "update _leapsql.markers set model_path = 'x'"),
        ("marts.customers", "update _leapsql.markers set content_hash = 'x'"),
    ],
)
def test_a_marker_that_is_gone_or_changed_is_found_and_written_anew(built: Shop, path: str, change: str) -> None:
    """Nothing is built for it: the relation is the one that was built. What is written is as good as the first.

    The state can be lost afterwards: it is read back from there, whole.
    """
    history = built.json("history")["runs"]
    name = path.rpartition(".")[2]
    meddle(built, f"{change} where relation_name = '{name}'")
    assert found(built) == {("unmarked", path): False}
    assert {model["action"] for model in built.json("plan")["models"]} == {"skip"}
    assert found(built, "--repair", status=0) == {("unmarked", path): True}
    assert found(built, "--deep", status=0) == {}
    assert built.json("history")["runs"] == history
    lose_state(built)
    assert set(built.outcomes().values()) == {"skipped: unchanged"}
    assert found(built, "--deep", status=0) == {}


def test_what_is_missing_or_not_the_one_that_was_built_is_found(built: Shop) -> None:
    """With what mends it, which for a table that grows is up to its owner."""
    meddle(built, "drop table marts.totals")
    meddle(built, "create or replace table marts.order_log as select 1 as id, 2 as amount")
    meddle(built, "create or replace table marts.customers as select 'x' as customer, 2 as total")
    assert found(built) == {
        ("missing", "marts.totals"): False,
        ("drifted", "marts.order_log"): False,
        ("drifted", "marts.customers"): False,
    }
    lines = built.leapsql("state", "check").out
    assert "`leapsql run marts.order_log --full-refresh` makes it anew" in lines
    assert "`leapsql state adopt marts.customers` takes it over as it stands" in lines
    assert lines.rstrip().endswith("3 findings")
    # A repair builds nothing: these are for a run.
    assert not any(found(built, "--repair").values())


def test_a_deleted_database_is_missing_whole_and_built_by_the_next_run(built: Shop) -> None:
    """The state still says what was built; the run finds nothing of it and builds all."""
    (built.root / ".leapsql" / "warehouse.duckdb").unlink()
    assert found(built) == {("missing", path): False for path in PATHS}
    results = {one["path"]: one["reason"] for one in built.json("run")["models"]}
    assert results == dict.fromkeys(PATHS, "missing")
    assert found(built, "--deep", status=0) == {}


def test_a_lost_state_is_taken_over_by_a_repair(built: Shop) -> None:
    """Until then it is only said; afterwards a plan has nothing to do."""
    lose_state(built)
    assert found(built) == {("unrecorded", path): False for path in PATHS}
    assert not state_file(built).exists()
    assert found(built, "--repair", status=0) == {("unrecorded", path): True for path in PATHS}
    assert {one["reason"] for one in built.json("plan")["models"]} == {"unchanged"}
    assert found(built, "--deep", status=0) == {}


def test_what_a_run_takes_over_is_said(built: Shop) -> None:
    """By the plan as what a run would do, and by the run as what it did."""
    lose_state(built)
    models = "raw_orders, staging.orders"
    planned = built.leapsql("plan").out
    assert f"in the warehouse, and not known to the state until a run takes it over: {models}" in planned
    assert "taken over" not in planned
    assert "takes it over" not in built.leapsql("plan", "--output", "json").out
    assert f"taken over from the warehouse, for the state did not know the builds: {models}" in built.leapsql("run").out
    assert "taken over" not in built.leapsql("run").out


@pytest.mark.parametrize("path", ["marts.totals", "marts.order_log", "raw_orders"])
def test_rows_that_were_changed_by_hand_are_found_by_a_deep_check_alone(built: Shop, path: str) -> None:
    """Repaired, the table counts as drifted: a run builds it, or leaves one that grows to its owner."""
    relation = path if "." in path else f"main.{path}"
    meddle(built, f"delete from {relation} where rowid = 0")
    assert found(built, status=0) == {}
    assert found(built, "--deep") == {("edited", path): False}
    assert found(built, "--deep", "--repair", status=0) == {("edited", path): True}
    assert found(built, "--deep") == {("drifted", path): False}
    run = {
        one["path"]: (one["status"], one["reason"]) for one in built.leapsql("run", "--output", "json").facts["models"]
    }
    grows = path == "marts.order_log"
    assert run[path] == ("failed" if grows else "success", "drifted")
    if grows:
        assert built.leapsql("state", "adopt", path).status == 0
    assert found(built, "--deep", status=0) == {}


def test_orphans_are_dropped_on_request_alone(built: Shop) -> None:
    """And only what we made: what another hand put in their place stays, and is no orphan."""
    built.remove("models/marts/totals.sql")
    built.remove("models/marts/order_log.sql")
    meddle(built, "create or replace table marts.order_log as select 1 as mine")
    orphan = ("orphan", "marts.totals")
    assert found(built) == {orphan: False}
    assert found(built, "--repair") == {orphan: False}
    assert found(built, "--drop-orphans", status=0) == {orphan: True}
    assert ask(built, "from marts.order_log") == [(1,)]
    assert ask(built, "select count(*) from duckdb_tables() where table_name = 'totals'") == [(0,)]
    assert ask(built, "select count(*) from _leapsql.markers where relation_name = 'totals'") == [(0,)]
    assert found(built, status=0) == {}
    assert built.json(
        "query", "select count(*) as n from current_traces join models on id = model_id where path = 'marts.totals'"
    ) == [{"n": 0}]


def test_the_old_relation_of_a_model_that_moved_is_an_orphan(built: Shop) -> None:
    """The model keeps its trace, which is of the new one."""
    built.edit("models/marts/customers.sql", "owner: sales", "owner: sales\nschema: mart")
    built.leapsql("run")
    assert found(built, "--drop-orphans", status=0) == {("orphan", "marts.customers"): True}
    assert {one["reason"] for one in built.json("plan")["models"]} == {"unchanged"}


def test_a_view_that_is_an_orphan_is_dropped_too(built: Shop) -> None:
    """Of whatever kind it is."""
    built.edit("models/staging/orders.sql", "owner:", "schema: stage\nowner:")
    built.leapsql("run")
    assert found(built, "--drop-orphans", status=0) == {("orphan", "staging.orders"): True}
    assert ask(built, "select count(*) from duckdb_views() where schema_name = 'staging'") == [(0,)]


def begin(shop: Shop, pid: int) -> tuple[SqliteStateStore, Run]:
    """Begin a run as a process of some number does; its store is left open, as by one that was killed."""
    store = SqliteStateStore(state_file(shop))
    store.open()
    run = store.begin_run("dev", replace(this_process(), pid=pid), is_dead=lambda lease, now: False)
    assert isinstance(run, Run)
    return store, run


def test_a_run_that_was_killed_is_found_and_closed_with_what_became_of_it(built: Shop) -> None:
    """What the warehouse has of it is a success, what was being built failed; no run is begun for that."""
    built.edit("models/marts/totals.sql", "sum(total)", "2 * sum(total)")
    copy = built.json("state", "backup")["file"]
    built.leapsql("run")
    [(model_run_id,)] = ask(built, "select model_run_id from _leapsql.markers where relation_name = 'totals'")
    built.leapsql("state", "restore", copy)
    store, run = begin(built, pid=gone())
    ids = {model.path: model.id for model in store.list_models()}
    store._new_id = iter([model_run_id, "in the middle", "not begun"]).__next__
    new = [NewModelRun(ids[path], "pending") for path in ("marts.totals", "marts.customers", "marts.order_log")]
    for one in store.record_model_runs(run.id, new)[:2]:
        store.update_model_run(one, "running")
    store.close()
    assert found(built) == {("open", None): False, ("unrecorded", "marts.totals"): False}
    said = built.leapsql("state", "check").out
    assert f"run {run.id} of " in said
    assert "was never ended, and its process is gone" in said
    before = len(built.json("history")["runs"])
    assert found(built, "--repair", status=0) == {("open", None): True, ("unrecorded", "marts.totals"): True}
    assert found(built, status=0) == {}
    [latest, *_] = runs = built.json("history")["runs"]
    assert (latest["run_id"], latest["status"], len(runs)) == (run.id, "failed", before)
    query = "select path, status from model_runs join models on models.id = model_id where run_id = '{}'"
    rows = {one["path"]: one["status"] for one in built.json("query", query.format(run.id))}
    assert rows == {"marts.totals": "success", "marts.customers": "failed", "marts.order_log": "skipped"}
    assert built.json("run")["status"] == "completed"


def test_a_run_that_goes_on_is_no_finding(built: Shop) -> None:
    """Nor is it closed, whoever looks."""
    store, run = begin(built, pid=os.getpid())
    assert found(built, "--repair", status=0) == {}
    assert store.get_run(run.id).status == "running"
    store.close()


def test_a_run_that_was_killed_before_there_was_a_warehouse_is_closed_too(built: Shop) -> None:
    """There is nothing to take over then, and no warehouse is made."""
    store, _ = begin(built, pid=gone())
    store.close()
    (built.root / ".leapsql" / "warehouse.duckdb").unlink()
    assert found(built)[("open", None)] is False
    assert found(built, "--repair")[("open", None)] is True
    assert built.json("history")["runs"][0]["status"] == "failed"
    assert not (built.root / ".leapsql" / "warehouse.duckdb").exists()


def test_a_damaged_state_is_said_to_be_damaged(built: Shop) -> None:
    """References into nothing are found as well as broken pages; such a file is worth no comparison."""
    with sqlite3.connect(state_file(built)) as connection:
        connection.execute("delete from models where path = 'marts.totals'")
    answer = built.leapsql("state", "check", "--output", "json")
    assert answer.status == 1
    assert {one["kind"] for one in answer.facts["findings"]} == {"damaged"}
    assert "refers to a row of models that is not there" in answer.facts["findings"][0]["detail"]


def test_a_table_is_adopted_and_what_reads_it_is_built(built: Shop) -> None:
    """Only what is named, and something has to be."""
    meddle(built, "create or replace table marts.customers as select 'zoe' as customer, 1::HUGEINT as total")
    assert built.leapsql("state", "adopt").status == 2
    answer = built.json("state", "adopt", "customers")
    assert [(one["path"], one["reason"]) for one in answer["models"]] == [("marts.customers", "adopted")]
    run = {one["path"]: one["reason"] for one in built.json("run")["models"] if one["status"] == "success"}
    assert run == {"marts.totals": "input_changed"}
    assert ask(built, "from marts.totals") == [(1,)]


def test_secrets_are_masked_in_what_a_check_cannot_open(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address of a database may hold one, and DuckDB says it again."""
    monkeypatch.setenv("TOKEN", "swordfish")
    target = "target: {type: duckdb, database: '${TOKEN}'}\nsecrets: [TOKEN]"
    shop.edit("leapsql.yaml", "target: {type: duckdb}", target)
    (shop.root / "swordfish").mkdir()
    answer = shop.leapsql("state", "check")
    assert answer.status == 2
    assert "<secret TOKEN" in answer.err
    assert "swordfish" not in answer.err + answer.out
