"""Faults around a run: no room, no memory, a state that refuses; each is told plainly, and the next run ends right."""

from __future__ import annotations

import ctypes
import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from leapsql_core.errors import StateError
from leapsql_core.execution import ModelFinished, ModelStarted, RunFinished, RunStarted
from leapsql_core.state import SqliteStateStore
from tests.projects import Lab
from tests.torture.processes import Fate, Launcher

Make = Callable[..., Lab]

#: Models that hang together, of all kinds; `counts` would show a batch that was applied twice.
MODELS = {
    "models/counts.sql": (
        "/*---\nmaterialized: incremental\nincremental: {strategy: append}\n---*/\nselect t from raw.tick"
    ),
    "models/shown.sql": "/*---\nmaterialized: view\n---*/\nselect t from counts",
    "models/most.sql": "/*---\ntests: [not_null: t]\n---*/\nselect max(t) as t, count(*) as n from shown",
    "models/side.sql": "select t + 1 as t from raw.tick",
}


@pytest.fixture
def ticking(make_lab: Make, tmp_path: Path) -> Lab:
    """A laboratory whose state is a file, run once, and with a new tick to be counted."""
    lab = make_lab(MODELS, state=SqliteStateStore(tmp_path / "state" / "state.db", wait_seconds=0))
    lab.meddle("create schema raw")
    lab.meddle("create table raw.tick as select 0 as t")
    assert lab.run().status == "completed"
    lab.meddle("update raw.tick set t = 1")
    return lab


def assert_all_is_well(lab: Lab) -> None:
    """Assert that the next run ends right: each tick counted once, and nothing left open or to do."""
    lab.die()
    assert lab.run().status == "completed"
    assert lab.rows("select list(t order by t) from main.counts") == [([0, 1],)]
    assert lab.rows("from main.most") == [(1, 2)]
    assert lab.rows("from main.side") == [(2,)]
    for run in lab.state.list_runs():
        assert run.status != "running"
        assert not {row.status for row in lab.state.get_model_runs_for_run(run.id)} & {"pending", "running"}
    assert lab.run().started == []


def run_refused(lab: Lab, event: int, refuse: Callable[[], object], allow: Callable[[], object]) -> str:
    """Run, and let the state refuse to be written from an event on; return the error that ends the run."""
    try:
        for number, _ in enumerate(lab.stream()):
            if number == event:
                refuse()
    except StateError as exc:
        return str(exc)
    finally:
        allow()
    raise AssertionError("nothing was refused")


@pytest.mark.parametrize("event", range(6))
def test_a_state_that_becomes_read_only_in_the_middle_of_a_run_ends_it(ticking: Lab, event: int) -> None:
    """Whenever that is: the error says where, what was committed counts, and the next run does what is left."""
    connection = cast(SqliteStateStore, ticking.state)._connection
    assert connection is not None

    def switch(on: int) -> Callable[[], object]:
        return lambda: connection.execute(f"PRAGMA query_only = {on}")

    error = run_refused(ticking, event, switch(1), switch(0))
    assert "state.db cannot be written: attempt to write a readonly database\n    Make sure that you may write" in error
    assert_all_is_well(ticking)


@pytest.mark.parametrize("event", [0, 3])
def test_a_state_that_another_process_holds_for_too_long_ends_the_run(ticking: Lab, tmp_path: Path, event: int) -> None:
    """After the time that a fact waits; which process to look for is told, and nothing is lost."""
    with closing(sqlite3.connect(tmp_path / "state" / "state.db", isolation_level=None)) as other:
        error = run_refused(ticking, event, lambda: other.execute("BEGIN IMMEDIATE"), lambda: other.execute("ROLLBACK"))
    assert "state.db is held by another process: database is locked\n    Look for a process that stands" in error
    assert_all_is_well(ticking)


def test_a_state_whose_file_is_taken_away_in_the_middle_of_a_run_is_made_anew(ticking: Lab, tmp_path: Path) -> None:
    """What was built is read back from the warehouse: no batch is applied twice."""
    events = ticking.stream()
    for event in events:
        if isinstance(event, ModelStarted):
            shutil.rmtree(tmp_path / "state", ignore_errors=True)
    ticking.state.close()
    ticking.state.open()
    ticking.state.init_schema()
    assert_all_is_well(ticking)


# ---------------------------------------------------------------------------------------------------- memory, threads


def test_a_query_that_needs_more_memory_than_there_is_fails_alone(make_lab: Make) -> None:
    """Its file, DuckDB's words and what helps are told; its old rows stay, its siblings are built."""
    yaml = (
        "target: {type: duckdb, database: ':memory:',"
        " settings: {memory_limit: 60MB, threads: 1, temp_directory: '', preserve_insertion_order: false}}\n"
    )
    lab = make_lab({"leapsql.yaml": yaml, "models/big.sql": "select 1 as n", "models/small.sql": "select 1 as n"})
    assert lab.run().status == "completed"
    lab.edit(
        {
            "models/big.sql": "select n from (select list(range order by hash(range)) as n from range(20000000))",
            "models/small.sql": "select 2 as n",
            "models/reads.sql": "select n from big",
        }
    )
    outcome = lab.run()
    assert (outcome.failed, outcome.built, outcome["reads"].reason) == ({"big"}, {"small"}, "upstream_failed")
    error = outcome["big"].error or ""
    assert error.startswith("models/big.sql: Out of Memory Error: ")
    assert "Possible solutions" not in error
    assert "\n    Raise memory_limit or lower threads under `target.settings` in leapsql.yaml" in error
    assert lab.rows("from main.big") == [(1,)]
    lab.edit({"models/big.sql": "select 3 as n"})
    assert lab.run().built == {"big", "reads"}


def test_a_thread_that_is_killed_while_it_builds_fails_its_model_and_nothing_else(ticking: Lab) -> None:
    """What it was building is rolled back, the run says what failed, and the next does what is left."""
    ticking.edit({"models/slow.sql": "select count(*) as n from range(40000000) where hash(range) % 7 = 1"})

    def kill() -> None:
        [thread] = [one for one in threading.enumerate() if one.name == "leapsql slow"]
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))

    events = ticking.stream(selection=["slow"], parallel=1)
    assert isinstance(next(events), RunStarted)
    assert isinstance(next(events), ModelStarted)
    kill()
    failed, ended = events
    assert isinstance(failed, ModelFinished)
    assert isinstance(ended, RunFinished)
    assert (failed.path, failed.status, ended.status) == ("slow", "failed", "failed")
    assert ticking.state.list_runs()[0].status == "failed"
    assert ("main", "slow") not in ticking.warehouse.relations()
    assert_all_is_well(ticking)
    assert ("main", "slow") in ticking.warehouse.relations()


# ----------------------------------------------------------------------------------------------------------- the disk


def project(root: Path, **models: str) -> Path:
    (root / "models").mkdir(parents=True, exist_ok=True)
    (root / "leapsql.yaml").write_text("name: full\ntarget: {type: duckdb, settings: {threads: 1}}\n")
    for name, query in models.items():
        (root / "models" / f"{name}.sql").write_text(query)
    return root


def test_a_warehouse_that_has_no_room_fails_the_model_that_needs_it(tmp_path: Path, launcher: Launcher) -> None:
    """The old rows stay, its siblings are built, what helps is told; with room the next run builds what is left."""
    words = (
        "-C",
        str(project(tmp_path / "p", large="select 1 as x", small="select 1 as x")),
        "run",
        "--output",
        "text",
    )
    assert launcher.run(*words).status == 0
    project(tmp_path / "p", large="select hash(range) as x from range(400000)", small="select 2 as x")
    ended = launcher.run(*words, fate=Fate(room=1_200_000))
    assert ended.status == 1
    assert "\n  models/large.sql: " in ended.out
    assert "Could not write file" in ended.out
    assert "Make room on the disk of the warehouse, and run again: what is left is built then." in ended.out
    assert "1 built, 1 failed" in ended.out
    assert "1 built, 1 unchanged" in launcher.run(*words).out


def test_a_state_that_has_no_room_ends_the_run_and_the_next_does_what_is_left(
    tmp_path: Path, launcher: Launcher
) -> None:
    """Which file and which disk to look at is told; the state is whole, and says that the run has failed."""
    words = ("-C", str(project(tmp_path / "p", one="select 1 as x")), "run", "--output", "text")
    assert launcher.run(*words).status == 0
    project(tmp_path / "p", two="select 1 as x", one="select 2 as x")
    ended = launcher.run(*words, fate=Fate(room=20_000))
    assert ended.status == 2
    assert ended.err.startswith(f"Error: the state {tmp_path / 'p' / '.leapsql' / 'state.db'} cannot ")
    assert "\n    Look at the disk, its free space and its limits; nothing of this fact was recorded." in ended.err
    after = launcher.run(*words)
    assert (after.status, "2 built" in after.out) == (0, True), after
    check = launcher.run("-C", str(tmp_path / "p"), "state", "check", "--deep", "--output", "text")
    assert check.out == "state and warehouse of dev agree\n"
