"""The state as any SQLite client sees it: questions, times, deletions, without a line of LeapSQL in between."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from state_samples import Clock, build, contents, facts, record_failure, record_new_build

from leapsql_core.protocols import NewModelRun
from leapsql_core.state import SqliteStateStore

QUESTIONS = dict(
    re.findall(r"^-- name: (\w+)\n(.*?;)$", Path(__file__).with_name("queries.sql").read_text("utf-8"), re.M | re.S)
)


@pytest.fixture
def client(file_store: SqliteStateStore, path: Path) -> Iterator[sqlite3.Connection]:
    """A connection as the sqlite3 shell opens it: foreign keys are off."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (0,)
        yield connection


def answer(client: sqlite3.Connection, question: str, **parameters: str) -> list[tuple[Any, ...]]:
    return client.execute(QUESTIONS[question], parameters).fetchall()


def record_story(store: SqliteStateStore, clock: Clock) -> list[str]:
    """Record two runs in dev: the first builds a and b, in the second a is built anew and b fails; their ids."""
    run_ids = []
    for content, second in (("content 1", "success"), ("content 2", "failed")):
        ids = store.register_models([facts("a"), facts("b", "a")])
        run = store.create_run("dev")
        one, two = store.record_model_runs(run.id, [NewModelRun(ids["a"], "pending"), NewModelRun(ids["b"], "pending")])
        store.update_model_run(one, "running")
        clock.advance(seconds=1, milliseconds=250)
        store.record_build(build(one, "a", content_hash=content, execution_ms=1250))
        store.update_model_run(two, "running")
        clock.advance(seconds=2, milliseconds=500)
        if second == "success":
            store.record_build(build(two, "b", content_hash=content, execution_ms=2500, rows_affected=9))
            store.complete_run(run.id, "completed")
        else:
            store.update_model_run(two, "failed", error="division by zero")
            store.complete_run(run.id, "failed", error="1 model failed")
        run_ids.append(run.id)
        clock.advance(hours=20)
    return run_ids


# ------------------------------------------------------------------------------------------------------------- schema


def test_the_six_tables_have_the_columns_that_people_rely_on(client: sqlite3.Connection) -> None:
    """Names, types, order and keys are a promise; more columns stand after them."""
    expected = {
        "runs": "id TEXT*,environment TEXT!,status TEXT!,started_at DATETIME!,completed_at DATETIME,error TEXT",
        "models": "id TEXT*,path TEXT!,name TEXT!,materialized TEXT!,content_hash TEXT!,owner TEXT,schema_name TEXT,"
        "tags TEXT,created_at DATETIME,updated_at DATETIME",
        "model_runs": "id TEXT*,run_id TEXT!,model_id TEXT!,status TEXT!,rows_affected INTEGER,started_at DATETIME,"
        "completed_at DATETIME,execution_ms INTEGER,error TEXT",
        "dependencies": "model_id TEXT!*,parent_id TEXT!*",
        "environments": "name TEXT*,commit_ref TEXT,created_at DATETIME!,updated_at DATETIME!",
        "column_lineage": "model_path TEXT!*,column_name TEXT!*,source_table TEXT!*,source_column TEXT!*",
    }
    for table, columns in expected.items():
        rows = client.execute(f"PRAGMA table_info({table})").fetchall()
        found = [f"{name} {type_}{'!' * notnull}{'*' * bool(key)}" for _, name, type_, notnull, _, key in rows]
        assert found[: len(columns.split(","))] == columns.split(",")
    further = {row[1] for row in client.execute("PRAGMA table_info(model_runs)")}
    assert {"content_hash", "data_version", "reason", "detail", "render_ms"} <= further
    assert "orchestrator_run_id" in {row[1] for row in client.execute("PRAGMA table_info(runs)")}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE runs SET status = 'done'",
        "UPDATE runs SET status = 'success'",
        "UPDATE model_runs SET status = 'completed'",
        "UPDATE model_runs SET status = 'error'",
    ],
)
def test_no_other_status_words_get_in(file_store: SqliteStateStore, client: sqlite3.Connection, statement: str) -> None:
    """From no client: questions may rely on the words."""
    record_new_build(file_store)
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        client.execute(statement)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("runs", ["running", "completed", "failed", "cancelled"]),
        ("model_runs", ["pending", "running", "success", "failed", "skipped"]),
    ],
)
def test_all_status_words_get_in(
    file_store: SqliteStateStore, client: sqlite3.Connection, table: str, words: list[str]
) -> None:
    """Each word of the schema is one that the table takes."""
    record_new_build(file_store)
    for word in words:
        client.execute(f"UPDATE {table} SET status = ?", (word,))


# ----------------------------------------------------------------------------------------------------------- questions


def test_the_latest_run_of_an_environment(
    file_store: SqliteStateStore, client: sqlite3.Connection, clock: Clock
) -> None:
    """It is the one that the store names."""
    _, second = record_story(file_store, clock)
    [row] = answer(client, "latest_run", environment="dev")
    assert row == (second, "failed", "2026-03-02 08:00:03.750000", "2026-03-02 08:00:07.500000", "1 model failed")
    latest = file_store.get_latest_run("dev")
    assert latest is not None
    assert latest.id == second


def test_the_slowest_models_of_a_run(file_store: SqliteStateStore, client: sqlite3.Connection, clock: Clock) -> None:
    """By milliseconds, the slowest first."""
    first, _ = record_story(file_store, clock)
    assert answer(client, "slowest_models", run_id=first) == [("b", 2500, 9), ("a", 1250, 3)]


def test_the_success_rate_of_each_model(file_store: SqliteStateStore, client: sqlite3.Connection, clock: Clock) -> None:
    """Skipped models count for nothing."""
    record_story(file_store, clock)
    run = file_store.create_run("dev")
    file_store.record_model_run(run.id, file_store.get_model_by_path("a").id, "skipped")
    assert answer(client, "success_rate") == [("b", 2, 50.0), ("a", 2, 100.0)]


def test_failed_runs_with_their_errors(file_store: SqliteStateStore, client: sqlite3.Connection, clock: Clock) -> None:
    """The run's error, and the model's that caused it; a run that failed before any model appears too."""
    _, second = record_story(file_store, clock)
    broken = file_store.create_run("dev")
    file_store.complete_run(broken.id, "failed", error="no warehouse")
    rows = answer(client, "failed_runs")
    assert [(row[0], *row[2:]) for row in rows] == [
        (broken.id, "no warehouse", None, None),
        (second, "1 model failed", "b", "division by zero"),
    ]


def test_the_last_build_of_each_model(file_store: SqliteStateStore, client: sqlite3.Connection, clock: Clock) -> None:
    """With the content hash of the code that made it, which a failure afterwards leaves as it is."""
    record_story(file_store, clock)
    record_new_build(file_store, "a", environment="prod", content_hash="content 3")
    assert answer(client, "last_builds", environment="dev") == [
        ("a", "content 2", "2026-03-02 08:00:05.000000"),
        ("b", "content 1", "2026-03-01 12:00:03.750000"),
    ]


def test_days_and_durations_come_from_sqlites_own_functions(
    file_store: SqliteStateStore, client: sqlite3.Connection, clock: Clock
) -> None:
    """To the millisecond, and in UTC."""
    first, second = record_story(file_store, clock)
    assert answer(client, "durations") == [(first, "2026-03-01", 3.75), (second, "2026-03-02", 3.75)]
    since = client.execute(
        "SELECT id FROM runs WHERE started_at > datetime('2026-03-01 12:00:00', '+1 hour') ORDER BY 1"
    ).fetchall()
    assert since == [(second,)]


def test_times_have_one_width_and_sort_as_text(
    file_store: SqliteStateStore, client: sqlite3.Connection, clock: Clock
) -> None:
    """Also where a whole second has no fraction to show."""
    ids = []
    for step in (timedelta(0), timedelta(microseconds=1), timedelta(microseconds=999_999), timedelta(days=400)):
        clock.now += step
        ids.append(file_store.create_run("dev").id)
    rows = client.execute("SELECT id, started_at FROM runs ORDER BY started_at").fetchall()
    assert [row[0] for row in rows] == ids
    assert {len(row[1]) for row in rows} == {26}


# ----------------------------------------------------------------------------------------------------------- deletions


def test_a_run_deleted_by_any_client_takes_its_model_runs(
    file_store: SqliteStateStore, client: sqlite3.Connection
) -> None:
    """Foreign keys are off in most of them; other runs stay."""
    record_new_build(file_store)
    record_failure(file_store)
    [gone, kept] = file_store.list_runs()
    client.execute("DELETE FROM runs WHERE id = ?", (gone.id,))
    assert client.execute("SELECT DISTINCT run_id FROM model_runs").fetchall() == [(kept.id,)]


@pytest.mark.parametrize("foreign_keys", ["OFF", "ON"])
def test_current_traces_outlive_the_deletion_of_every_run(
    file_store: SqliteStateStore, client: sqlite3.Connection, foreign_keys: str
) -> None:
    """Complete: inputs, columns, versions, texts; and the earlier traces are gone, so that none comes back to life."""
    for content in ("content 1", "content 2", "content 3"):
        for path in ("a", "b"):
            record_new_build(file_store, path, content_hash=content, texts={"query 1": "select 1"})
    before = contents(file_store)
    client.execute(f"PRAGMA foreign_keys = {foreign_keys}")
    client.execute("DELETE FROM runs")
    after = contents(file_store)
    for what in ("snapshots", "texts", "code versions"):
        assert after[what] == before[what]
    assert len(after["snapshots"]["dev"].traces["a"].inputs) == 3
    for table, rows in (("model_runs", 0), ("traces", 2), ("current_traces", 2), ("trace_inputs", 6)):
        assert client.execute(f"SELECT count(*) FROM {table}").fetchone() == (rows,)
    assert client.execute("SELECT count(*) FROM data_versions").fetchone() == (2,)


@pytest.mark.parametrize("foreign_keys", ["OFF", "ON"])
def test_an_environment_deleted_by_any_client_takes_runs_and_traces(
    file_store: SqliteStateStore, client: sqlite3.Connection, foreign_keys: str
) -> None:
    """Those whose run was deleted before too; the other environment keeps all of its own."""
    record_new_build(file_store, environment="prod")
    expected = file_store.read_snapshot("prod")
    record_new_build(file_store)
    for run in file_store.list_runs(environment="dev"):
        file_store.delete_run(run.id)
    record_new_build(file_store, "b")
    record_new_build(file_store, "b")
    client.execute(f"PRAGMA foreign_keys = {foreign_keys}")
    client.execute("DELETE FROM environments WHERE name = 'dev'")
    assert file_store.read_snapshot("prod") == expected
    for table in ("runs", "model_runs", "traces", "current_traces", "data_versions"):
        assert client.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)
    assert client.execute("SELECT count(*) FROM trace_inputs").fetchone() == (3,)


def test_the_order_of_recording_outlives_a_vacuum(file_store: SqliteStateStore, client: sqlite3.Connection) -> None:
    """And the deletion of what was recorded last: a failure after it is still after the current build."""
    record_new_build(file_store)
    client.execute("DELETE FROM runs")
    client.execute("VACUUM")
    record_failure(file_store)
    assert file_store.read_snapshot("dev").failures["staging.orders"].attempts == 1


def test_nothing_refers_to_what_is_not_there(file_store: SqliteStateStore, client: sqlite3.Connection) -> None:
    """After all that a store does, SQLite's own check finds no loose end."""
    record_new_build(file_store)
    record_new_build(file_store)
    record_failure(file_store)
    client.execute("DELETE FROM runs WHERE id IN (SELECT id FROM runs LIMIT 2)")
    assert client.execute("PRAGMA foreign_key_check").fetchall() == []
    assert client.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
