"""Runs of several processes on one project: one at a time, and after a kill the next goes on."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from typing import Any

import pytest
from cli_shop import Answer, Program, Shop

from leapsql_core.execution import RunFinished, RunOptions
from leapsql_core.runs import stream_session_run
from leapsql_core.session import open_session

#: It takes a second or more, in which its process can be stopped or killed.
SLOW = "select count(*) as n from range(100000000) a, marts.totals t where hash(a.range, t.total) % 7 = 1\n"


@pytest.fixture
def slow(built: Shop) -> Shop:
    """A project that was built, and has a new model that takes its time, and one that reads it."""
    built.write("models/slow.sql", SLOW)
    built.write("models/slower.sql", "select n from slow\n")
    return built


def ask(shop: Shop, query: str) -> list[tuple[Any, ...]]:
    """Ask the state as anybody can, with plain SQLite."""
    state = shop.root / ".leapsql" / "state.db"
    with closing(sqlite3.connect(f"{state.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def begin(shop: Shop, program: Program, *words: str) -> subprocess.Popen[str]:
    """Start a run in another process, and return when it builds the slow model."""
    process = program.start("-C", str(shop.root), "run", *words)
    building = "SELECT 1 FROM model_runs JOIN models ON models.id = model_id WHERE path = 'slow' AND status = 'running'"
    while not ask(shop, building):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    return process


def stop(process: subprocess.Popen[str]) -> None:
    """Let a process stand still; it is not dead."""
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)


def end(process: subprocess.Popen[str]) -> None:
    """Let a process that stands still go on to its end."""
    process.send_signal(signal.SIGCONT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, ""), out


def test_the_next_run_closes_one_that_was_killed_and_does_the_rest(slow: Shop, program: Program) -> None:
    """At once, for its process is gone: what was built stays built, and the killed run's rows say what became of it."""
    slow.edit("models/marts/totals.sql", "sum(total)", "max(total)")
    process = begin(slow, program)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert ask(slow, "SELECT status FROM runs ORDER BY started_at DESC LIMIT 1") == [("running",)]
    slow.write("models/slow.sql", "select 2 as n\n")
    answer = slow.leapsql("run", "--wait", "0", "--output", "json")
    assert (answer.status, answer.err) == (0, "")
    assert {one["path"] for one in answer.facts["models"] if one["status"] == "success"} == {"slow", "slower"}
    assert ask(slow, "SELECT status FROM runs ORDER BY started_at") == [("completed",), ("failed",), ("completed",)]
    rows = ask(
        slow,
        "SELECT path, r.status, r.reason, r.error FROM model_runs r JOIN models ON models.id = model_id"
        " JOIN runs ON runs.id = run_id"
        " WHERE runs.status = 'failed' AND (r.status <> 'skipped' OR r.reason = 'cancelled') ORDER BY path",
    )
    assert rows == [
        ("marts.totals", "success", "query_changed", None),
        ("slow", "failed", "new", "the process of its run ended while it was built"),
        ("slower", "skipped", "cancelled", None),
    ]
    assert ask(slow, "SELECT * FROM leases") == []
    assert slow.json("run")["status"] == "completed"


def test_a_second_run_waits_for_the_first_and_finds_nothing_to_do(slow: Shop, program: Program) -> None:
    """It says for whom it waits, once; and what it decides it decides when the first is done."""
    first = begin(slow, program)
    stop(first)
    second = program.start("-C", str(slow.root), "run", "--wait", "60", "--output", "json")
    assert second.stderr is not None
    [(run_id,)] = ask(slow, "SELECT run_id FROM leases")
    said = second.stderr.readline()
    assert said.startswith(f"waiting for run {run_id} of process {first.pid} on ")
    end(first)
    out, err = second.communicate(timeout=60)
    assert (second.returncode, err) == (0, "")
    outcomes = {one["path"]: one["reason"] for one in Answer(0, out).facts["models"]}
    assert set(outcomes.values()) == {"unchanged"}
    assert ask(slow, "SELECT status FROM runs ORDER BY started_at") == [("completed",)] * 3


def test_a_run_that_need_not_wait_longer_is_status_2(slow: Shop, program: Program) -> None:
    """The message names the run, its process and its host; no row is left, and the first run is not disturbed."""
    first = begin(slow, program)
    stop(first)
    answer = slow.leapsql("run", "--wait", "0")
    [(run_id, host)] = ask(slow, "SELECT run_id, host FROM leases")
    assert (answer.status, answer.out) == (2, "")
    said = f"Error: the environment `dev` is in use by run {run_id} of process {first.pid} on {host}\n"
    assert answer.err.startswith(said)
    assert ask(slow, "SELECT status FROM runs ORDER BY started_at") == [("completed",), ("running",)]
    end(first)


def test_another_environment_does_not_wait(slow: Shop, program: Program) -> None:
    """It has a lease and a database of its own."""
    first = begin(slow, program)
    stop(first)
    answer = slow.leapsql("--env", "prod", "run", "--exclude", "slow+", "--wait", "0", "--output", "json")
    assert (answer.status, answer.facts["status"]) == (0, "completed")
    assert ask(slow, "SELECT environment, status FROM runs ORDER BY started_at")[1:] == [
        ("dev", "running"),
        ("prod", "completed"),
    ]
    end(first)


def test_a_run_that_waits_for_the_state_says_so(built: Shop) -> None:
    """For which file, while it waits; then it goes on."""
    state, told = built.root / ".leapsql" / "state.db", list[str]()
    with closing(sqlite3.connect(state, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        def let_go(said: str) -> None:
            told.append(said)
            other.execute("ROLLBACK")

        *_, last = stream_session_run(open_session(built.root, environ={}), RunOptions(), on_wait=let_go)
    assert isinstance(last, RunFinished)
    assert (last.status, told) == ("completed", [f"waiting for another process that holds the state {state}"])
