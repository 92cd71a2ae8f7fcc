"""Many models: the number of statements does not grow with them, and what is unchanged is not written."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from state_samples import NOON, Clock, Ids, build, facts

from leapsql_core.models import ColumnSource
from leapsql_core.protocols import ModelFacts, NewModelRun
from leapsql_core.state import SqliteStateStore, registry, runs, traces
from leapsql_core.state.connection import connect_in_memory
from leapsql_core.state.migrations import upgrade

FROM_ORDERS = ColumnSource("raw.orders", "id")


def schema_in_memory() -> sqlite3.Connection:
    connection = connect_in_memory()
    upgrade(connection, ":memory:")
    return connection


def many_facts(count: int, **changes: str) -> list[ModelFacts]:
    """A chain of models, each of which reads the one before."""
    return [
        facts(f"m{n:05}", *([f"m{n - 1:05}"] if n else []), lineage=(("c", FROM_ORDERS),), tags=("a",), **changes)
        for n in range(count)
    ]


def record_builds(connection: sqlite3.Connection, count: int) -> None:
    new_id = Ids()
    ids = registry.register_models(connection, many_facts(count), now=NOON, new_id=new_id)
    run = runs.create_run(connection, "dev", run_id="run", now=NOON, orchestrator_run_id=None)
    planned = [NewModelRun(model_id, "running") for model_id in ids.values()]
    model_run_ids = runs.record_model_runs(connection, run.id, planned, now=NOON, new_id=new_id)
    for path, model_run_id in zip(ids, model_run_ids, strict=True):
        traces.record_build(connection, build(model_run_id, path), now=NOON)
    runs.record_model_runs(
        connection, run.id, [NewModelRun(model_id, "failed") for model_id in ids.values()], now=NOON, new_id=new_id
    )


def statements_of_a_snapshot(models: int) -> int:
    with closing(schema_in_memory()) as connection:
        record_builds(connection, models)
        statements: list[str] = []
        connection.set_trace_callback(statements.append)
        snapshot = traces.read_snapshot(connection, "dev")
        assert len(snapshot.traces) == len(snapshot.data_versions) == len(snapshot.failures) == models
        assert all(len(trace.inputs) == 3 for trace in snapshot.traces.values())
        return len(statements)


def test_a_snapshot_takes_the_same_few_statements_however_many_models() -> None:
    """One for each kind of thing in it."""
    assert statements_of_a_snapshot(3) == statements_of_a_snapshot(60) == 6


def test_texts_and_code_are_read_in_one_statement_however_many() -> None:
    """More than the variables that a statement of SQLite may have."""
    with closing(schema_in_memory()) as connection:
        connection.executemany("INSERT INTO texts VALUES (?, 'select')", [(f"q{n}",) for n in range(40_000)])
        statements: list[str] = []
        connection.set_trace_callback(statements.append)
        assert len(traces.read_texts(connection, (f"q{n}" for n in range(40_000)))) == 40_000
        assert traces.read_code_versions(connection, (f"q{n}" for n in range(40_000))) == {}
        assert len(statements) == 2


def test_registering_the_same_again_writes_no_row() -> None:
    """Of ten models nothing changes; of one that differs, one row does."""
    with closing(schema_in_memory()) as connection:
        new_id, empty = Ids(), connection.total_changes
        registry.register_models(connection, many_facts(10), now=NOON, new_id=new_id)
        before = connection.total_changes
        assert before == empty + 10 + 9 + 10
        registry.register_models(connection, many_facts(10), now=Clock().advance(days=1), new_id=new_id)
        assert connection.total_changes == before
        changed = [*many_facts(10)[:-1], facts("m00009", "m00008", lineage=(("c", FROM_ORDERS),), owner="ann")]
        registry.register_models(connection, changed, now=NOON, new_id=new_id)
        assert connection.total_changes == before + 1
        fewer = [*changed[:-1], facts("m00009", "m00007", lineage=(("d", FROM_ORDERS),), owner="ann")]
        registry.register_models(connection, fewer, now=NOON, new_id=new_id)
        assert connection.total_changes == before + 1 + 2 + 2


def test_single_registrations_that_change_nothing_write_no_row() -> None:
    """One by one as well as all at once."""
    with closing(schema_in_memory()) as connection:
        given = facts("a").registration
        model = registry.register_model(connection, given, now=NOON, new_id=Ids())
        registry.set_column_lineage(connection, "a", [("c", FROM_ORDERS)])
        before = connection.total_changes
        registry.register_model(connection, given, now=NOON, new_id=Ids())
        registry.update_model_hash(connection, model.id, given.content_hash, now=NOON)
        registry.set_dependencies(connection, model.id, [])
        registry.set_column_lineage(connection, "a", [("c", FROM_ORDERS)])
        assert connection.total_changes == before


def test_an_unchanged_project_leaves_the_file_as_it_is(path: Path) -> None:
    """Others that watch the file see no change."""
    store = SqliteStateStore(path)
    with closing(store):
        store.open()
        store.init_schema()
        store.register_models(many_facts(10))
        with closing(sqlite3.connect(path)) as other:
            before = other.execute("PRAGMA data_version").fetchall()
            store.register_models(many_facts(10))
            assert other.execute("PRAGMA data_version").fetchall() == before


def test_a_thousand_models_are_recorded_and_read(path: Path) -> None:
    """A project of that size is an everyday matter: whole lists, whole runs, whole snapshots."""
    with closing(schema_in_memory()) as connection:
        record_builds(connection, 1000)
        assert len(registry.list_models(connection)) == 1000
        assert len(runs.get_model_runs_for_run(connection, "run")) == 2000
        assert len(traces.read_snapshot(connection, "dev").traces) == 1000


def test_the_questions_of_a_snapshot_find_their_rows_by_index() -> None:
    """A long history costs nothing: no table that grows with it is read from end to end."""
    with closing(schema_in_memory()) as connection:
        statements: list[str] = []
        connection.set_trace_callback(statements.append)
        traces.read_snapshot(connection, "dev")
        runs.list_runs(connection, environment=None, limit=20)
        runs.list_runs(connection, environment="dev", limit=20)
        connection.set_trace_callback(None)
        steps = [
            row["detail"] for statement in statements for row in connection.execute("EXPLAIN QUERY PLAN " + statement)
        ]
        assert [step for step in steps if step.startswith("SCAN") and "USING INDEX" not in step] == []
        by_history = ("model_runs_failed", "runs_by_start", "runs_by_environment")
        assert [sum(index in step for step in steps) for index in by_history] == [1, 1, 1]
