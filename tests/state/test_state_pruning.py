"""Forgetting old runs: which go, what goes with them, and what stays because something rests on it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from state_samples import Clock, facts, record_failure, record_new_build, registration

from leapsql_core.errors import StateError
from leapsql_core.models import ColumnSource
from leapsql_core.protocols import NewModelRun
from leapsql_core.state import Pruned, Retention, SqliteStateStore, foresee, open_state_reader, prune
from leapsql_core.state.schema import MIGRATIONS, Migration

LATER = (*MIGRATIONS, Migration(MIGRATIONS[-1].version + 1, ("CREATE TABLE notes (text TEXT)",)))


def ask(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def record_skip(store: SqliteStateStore, environment: str = "dev") -> str:
    """Record a run in which nothing is to be done, a day after the last one; its id."""
    model = store.register_model(registration())
    run = store.create_run(environment)
    store.record_model_runs(run.id, [NewModelRun(model.id, "skipped", reason="unchanged")])
    store.complete_run(run.id, "completed")
    return run.id


def record_days(store: SqliteStateStore, clock: Clock, days: int, environment: str = "dev") -> list[str]:
    """Record a run on each of so many days; their ids, the oldest first."""
    ids = []
    for _ in range(days):
        ids.append(record_skip(store, environment))
        clock.advance(days=1)
    return ids


def left(store: SqliteStateStore) -> set[str]:
    return {run.id for run in store.list_runs(limit=1000)}


@pytest.mark.parametrize(
    ("age", "latest", "kept"), [(None, 2, [3, 4]), (3, None, [2, 3, 4]), (3, 4, [1, 2, 3, 4]), (1, 2, [3, 4])]
)
def test_runs_go_by_age_by_number_or_where_both_are_true(
    file_store: SqliteStateStore, path: Path, clock: Clock, age: int | None, latest: int | None, kept: list[int]
) -> None:
    """A run that began exactly then is not older; a run goes with its model runs."""
    runs = record_days(file_store, clock, 5)
    retention = Retention(None if age is None else clock.now - timedelta(days=age), latest)
    pruned = prune(path, retention, paths=["staging.orders"])
    assert left(file_store) == {runs[number] for number in kept}
    assert (pruned.runs, pruned.model_runs) == (5 - len(kept), 5 - len(kept))


def test_each_environment_keeps_its_latest(file_store: SqliteStateStore, path: Path, clock: Clock) -> None:
    """A busy one does not push the runs of a quiet one out; of equal times the one recorded last is the latest."""
    quiet = record_days(file_store, clock, 2, "prod")
    busy = record_days(file_store, clock, 3)
    last = record_skip(file_store), record_skip(file_store)
    prune(path, Retention(latest=1), paths=["staging.orders"])
    assert left(file_store) == {quiet[-1], last[-1]}
    assert busy[-1] not in left(file_store)


def test_a_running_run_stays_however_old_it_is(file_store: SqliteStateStore, path: Path, clock: Clock) -> None:
    """And the models that it has registered, before anything else of them is recorded."""
    run = file_store.create_run("dev")
    file_store.register_models([facts("a"), facts("b", "a")])
    clock.advance(days=400)
    prune(path, Retention(clock.now, 0), paths=[])
    assert left(file_store) == {run.id}
    assert [model.path for model in file_store.list_models()] == ["a", "b"]
    file_store.complete_run(run.id, "failed")
    assert prune(path, Retention(clock.now, 0), paths=[]).models == 2


def test_what_stands_keeps_the_model_run_that_made_it(file_store: SqliteStateStore, path: Path, clock: Clock) -> None:
    """Of its run nothing else stays; a build that was replaced goes, with its trace, its texts and its code."""
    record_new_build(file_store, "a", content_hash="content 1", query_hash="query 1", texts={"query 1": "select 1"})
    clock.advance(days=1)
    texts = {"query 2": "select 2", "batch 2": "select 2 where new"}
    changed = {"query_hash": "query 2", "incremental_query_hash": "batch 2", "texts": texts}
    current = record_new_build(file_store, "a", content_hash="content 2", **changed)
    [run, _] = file_store.list_runs()
    ids = file_store.register_models([facts("a"), facts("b")])
    clock.advance(days=1)
    record_skip(file_store)
    with sqlite3.connect(path) as connection:
        connection.execute(
            "INSERT INTO model_runs (id, run_id, model_id, status, sequence) VALUES ('beside', ?, ?, 'skipped', 99)",
            (run.id, ids["b"]),
        )
    before = file_store.read_snapshot("dev")
    pruned = prune(path, Retention(latest=0), paths=["a", "b", "staging.orders"])
    assert (pruned.runs, pruned.model_runs, pruned.traces, pruned.texts, pruned.code_versions) == (2, 3, 1, 1, 1)
    assert pruned.runs_held == 1
    assert file_store.read_snapshot("dev") == before
    assert [one.id for one in file_store.get_model_runs_for_run(run.id)] == [current]
    assert file_store.read_texts(["query 1", *texts]) == texts
    assert set(file_store.read_code_versions(["content 1", "content 2"])) == {"content 2"}


def test_a_current_trace_stays_where_its_run_was_deleted(file_store: SqliteStateStore, path: Path) -> None:
    """With the texts and the code that it was built from."""
    record_new_build(file_store, "a")
    [run] = file_store.list_runs()
    file_store.delete_run(run.id)
    before = file_store.read_snapshot("dev")
    assert prune(path, Retention(latest=0), paths=["a"]) == Pruned(0, 0, 0, 0, 0, 0, 0, 0)
    assert file_store.read_snapshot("dev") == before
    assert file_store.read_texts(["query 1"]) == {"query 1": "select 1"}


def test_failures_since_the_last_build_stay_and_those_before_it_go(file_store: SqliteStateStore, path: Path) -> None:
    """A plan counts them, and shows the last error; those of a model that the project no longer has go too."""
    record_failure(file_store, "a", error="old")
    record_new_build(file_store, "a")
    for error in ("one", "two"):
        record_failure(file_store, "a", error=error)
    record_failure(file_store, "gone")
    before = file_store.read_snapshot("dev").failures
    prune(path, Retention(latest=0), paths=["a"])
    assert file_store.read_snapshot("dev").failures == {"a": before["a"]}
    assert before["a"].attempts == 2
    assert {row[0] for row in ask(path, "SELECT error FROM model_runs WHERE error IS NOT NULL")} == {"one", "two"}


def test_models_go_that_neither_project_nor_trace_nor_model_run_knows(file_store: SqliteStateStore, path: Path) -> None:
    """With what they read, what reads them, and their column lineage."""
    lineage = (("x", ColumnSource("gone", "x")),)
    file_store.register_models([facts("gone", lineage=lineage), facts("new", "gone", lineage=lineage), facts("old")])
    record_new_build(file_store, "built", environment="prod")
    pruned = prune(path, Retention(latest=0), paths=["new"])
    assert [model.path for model in file_store.list_models()] == ["built", "new"]
    assert pruned.models == 2
    assert file_store.get_dependencies(file_store.get_model_by_path("new").id) == []
    assert (file_store.get_column_lineage("gone"), file_store.get_column_lineage("new")) == ([], list(lineage))


def test_the_file_is_smaller_by_what_is_said(file_store: SqliteStateStore, path: Path, clock: Clock) -> None:
    """A dry run says the same, and writes nothing."""
    for number in range(20):
        record_failure(file_store, f"model {number}", error="e" * 9000)
    retention = Retention(latest=0)
    file_store.close()
    before = path.read_bytes()
    foreseen = foresee(path, retention, paths=[])
    assert path.read_bytes() == before
    pruned = prune(path, retention, paths=[])
    assert pruned == foreseen
    assert (pruned.runs, pruned.models) == (20, 20)
    assert len(before) - path.stat().st_size == pruned.bytes_freed > 20 * 9000


def test_who_reads_meanwhile_sees_what_there_was(file_store: SqliteStateStore, path: Path, clock: Clock) -> None:
    """And is not waited for."""
    runs = record_days(file_store, clock, 3)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM runs").fetchone() == (3,)
        prune(path, Retention(latest=1), paths=["staging.orders"])
        assert reader.execute("SELECT count(*) FROM runs").fetchone() == (3,)
        reader.execute("COMMIT")
        assert reader.execute("SELECT id FROM runs").fetchall() == [(runs[-1],)]


def test_an_older_state_is_upgraded_first_and_a_dry_run_leaves_it_old(
    file_store: SqliteStateStore, path: Path, clock: Clock
) -> None:
    """The copy that an upgrade makes is made here too."""
    record_days(file_store, clock, 3)
    file_store.close()
    foreseen = foresee(path, Retention(latest=1), paths=[], migrations=LATER)
    assert ask(path, "PRAGMA user_version") == [(MIGRATIONS[-1].version,)]
    pruned = prune(path, Retention(latest=1), paths=[], migrations=LATER)
    assert (pruned.runs, foreseen.runs) == (2, 2)
    assert ask(path, "PRAGMA user_version") == [(LATER[-1].version,)]
    with closing(open_state_reader(path.with_name(f"state.db.v{MIGRATIONS[-1].version}.bak"))) as reader:
        assert len(reader.list_runs()) == 3


@pytest.mark.parametrize("work", [prune, foresee])
def test_there_has_to_be_a_state(path: Path, work: Callable[..., Pruned]) -> None:
    """None is made to forget something of it."""
    with pytest.raises(StateError, match="there is no state at"):
        work(path, Retention(latest=0), paths=[])
    assert not path.parent.exists()
