"""Runs of several states, or of several environments, on one database: one at a time."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest
from cli_shop import Program, Shop

from leapsql_core import ModelStarted, RunOptions, RunStarted, Session, WarehouseError, open_session, stream_session_run
from leapsql_core.execution import Event

YAML = """name: shop
target: {type: duckdb}
vars: {least: 0}
environments: {other: {target: {schema: other}}}
"""


@pytest.fixture
def shared(built: Shop) -> Shop:
    """A built project, of which another environment is built in the same database."""
    built.write("leapsql.yaml", YAML)
    built.write("models/first.sql", "select 1 as x\n")
    return built


def session(shop: Shop, *, environment: str | None = None, state: str | None = None) -> Session:
    path = None if state is None else shop.root / state
    return open_session(shop.root, environ={}, environment=environment, state_path=path)


def begin(shop: Shop) -> tuple[Generator[Event, None, None], str]:
    """Begin a run in this process, and return when it builds."""
    events = stream_session_run(session(shop), RunOptions(selection=["first"], force=True))
    started = next(events)
    assert isinstance(started, RunStarted)
    assert isinstance(next(events), ModelStarted)
    return events, started.run_id


@pytest.mark.parametrize("second", [{"environment": "other"}, {"state": "elsewhere.db"}])
def test_a_second_run_of_this_process_waits_for_the_first_and_then_decides_anew(
    shared: Shop, second: dict[str, str]
) -> None:
    """Of another environment with tables of its own, or of another state, which finds what the first has built."""
    events, run_id = begin(shared)
    other, told = session(shared, **second), []
    with pytest.raises(WarehouseError) as refusal:
        list(stream_session_run(other, RunOptions(selection=["first"])))
    said = f"run {run_id} of environment dev, in this process"
    assert refusal.value.cause.endswith(f"is in use by {said}")

    def wait(message: str) -> None:
        told.append(message)
        assert [event.status for event in events][-1] == "completed"  # type: ignore[union-attr]

    later = list(stream_session_run(other, RunOptions(selection=["first"]), wait_seconds=60, on_wait=wait))
    assert told == [f"waiting for {said}, which holds {shared.root / '.leapsql' / 'warehouse.duckdb'}"]
    assert isinstance(later[0], RunStarted)
    [decision] = later[0].plan.decisions.values()
    assert decision.reason == ("new" if "environment" in second else "unchanged")


@pytest.mark.parametrize("how", ["cancelled", "failed"])
def test_a_database_is_free_again_however_the_run_ended(shared: Shop, how: str) -> None:
    """Walked away from, or broken off by what was thrown in."""
    events, _ = begin(shared)
    if how == "cancelled":
        events.close()
    else:
        with pytest.raises(ValueError, match="mine"):
            events.throw(ValueError("mine"))
    assert shared.leapsql("--env", "other", "run", "first", "--wait", "0").status == 0


def test_a_run_that_finds_nothing_to_do_writes_nothing_to_the_database(shared: Shop) -> None:
    """Its lease is no row."""
    shared.leapsql("run")
    database = shared.root / ".leapsql" / "warehouse.duckdb"
    before = database.read_bytes()
    assert shared.json("run")["status"] == "completed"
    assert database.read_bytes() == before
    assert sorted(file.name for file in database.parent.glob("warehouse*")) == ["warehouse.duckdb"]


def test_who_finds_the_database_held_by_another_process_is_told_which_run_it_is(shared: Shop, program: Program) -> None:
    """If its state knows it; `target.wait_seconds` says how long to wait where no option does."""
    shared.write("leapsql.yaml", YAML.replace("type: duckdb", "type: duckdb, wait_seconds: 0", 1))
    shared.write("models/first.sql", "select count(*) as x from range(1000000000000) as r(n) where hash(n) = 7\n")
    process = program.start("-C", str(shared.root), "run", "first")
    try:
        while not (running := _lease(shared.root)):
            assert process.poll() is None, process.communicate()
        for words in (("--env", "other", "run", "first"), ("state", "check", "--repair")):
            answer = shared.leapsql(*words)
            assert answer.status == 2
            assert f"(process {process.pid}), run {running} of environment dev\n" in answer.err
            assert "wait until it is done, or close it" in answer.err
        other = shared.leapsql("run", "first", "--state", str(shared.root / "elsewhere.db"))
        assert (other.status, f"(process {process.pid})\n" in other.err) == (2, True)
    finally:
        process.kill()
        process.communicate()
    shared.write("models/first.sql", "select 2 as x\n")
    assert shared.leapsql("--env", "other", "run", "first").status == 0


def _lease(root: Path) -> str | None:
    """Return the run that builds a model, once one does."""
    state = os.fspath(root / ".leapsql" / "state.db")
    with closing(sqlite3.connect(state)) as connection:
        row = connection.execute(
            "SELECT leases.run_id FROM leases JOIN model_runs ON model_runs.run_id = leases.run_id"
            " WHERE model_runs.status = 'running'"
        ).fetchone()
    return None if row is None else row[0]
