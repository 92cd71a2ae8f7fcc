"""Traces, texts and versions, and the snapshot that decisions read: SQL within a transaction of its caller."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from leapsql_core.models import CodeVersion, Failure, KeptTestResult, Snapshot, Trace, TraceInput
from leapsql_core.protocols import Build
from leapsql_core.state.notation import (
    read_column_set,
    read_columns,
    read_config,
    read_optional_text,
    read_text,
    read_time,
    write_column_set,
    write_columns,
    write_config,
    write_time,
)
from leapsql_core.state.partitions import read_partitions, write_partitions
from leapsql_core.state.refusals import check_build, check_transition, unknown_trace
from leapsql_core.state.runs import get_model_run_in_place
from leapsql_core.state.test_results import write_test_results

# ------------------------------------------------------------------------------------------------------------- reading


def read_snapshot(connection: sqlite3.Connection, environment: str) -> Snapshot:
    """Return all that decisions need of one environment: six statements, however many models there are."""
    inputs: dict[str, list[TraceInput]] = {}
    for row in connection.execute(
        "SELECT trace_inputs.* FROM current_traces JOIN trace_inputs USING (model_run_id)"
        " WHERE current_traces.environment = ? ORDER BY trace_inputs.model_run_id, trace_inputs.position",
        (environment,),
    ):
        read = TraceInput(
            name=read_text(row["name"]),
            relation=read_text(row["relation"]),
            columns=read_column_set(row["columns"]),
            data_version=read_optional_text(row["data_version"]),
            seen=None if row["seen"] is None else read_columns(row["seen"]),
        )
        inputs.setdefault(row["model_run_id"], []).append(read)
    traces = {
        row["path"]: _trace(row, tuple(inputs.get(row["model_run_id"], ())))
        for row in connection.execute(
            "SELECT traces.*, models.path FROM current_traces JOIN traces USING (model_run_id)"
            " JOIN models ON models.id = current_traces.model_id"
            " WHERE current_traces.environment = ? ORDER BY models.path",
            (environment,),
        )
    }
    data_versions: dict[str, dict[str, str]] = {}
    for row in connection.execute(
        "SELECT data_versions.* FROM current_traces JOIN data_versions USING (model_run_id)"
        " WHERE current_traces.environment = ? ORDER BY data_versions.model_run_id, data_versions.column_set",
        (environment,),
    ):
        data_versions.setdefault(row["model_run_id"], {})[read_text(row["column_set"])] = read_text(row["data_version"])
    failures, partitions = _read_failures(connection, environment), read_partitions(connection, environment)
    return Snapshot(environment, traces, data_versions, failures, partitions)


def _trace(row: sqlite3.Row, inputs: tuple[TraceInput, ...]) -> Trace:
    return Trace(
        model_run_id=read_text(row["model_run_id"]),
        model_path=read_text(row["path"]),
        environment=read_text(row["environment"]),
        materialized=row["materialized"],
        relation=read_text(row["relation"]),
        content_hash=read_text(row["content_hash"]),
        code_version=read_text(row["code_version"]),
        query_hash=read_text(row["query_hash"]),
        incremental_query_hash=row["incremental_query_hash"],
        data_version=read_optional_text(row["data_version"]),
        columns=read_columns(row["columns"]),
        tests_hash=read_text(row["tests_hash"]),
        inputs=inputs,
        built_at=read_time(row["built_at"]),
    )


def _read_failures(connection: sqlite3.Connection, environment: str) -> dict[str, Failure]:
    # Beside max(), SQLite takes the other columns from the row that holds the maximum: here the latest attempt.
    # CROSS JOIN keeps SQLite to this order: from each model to its failures since, not through all runs there were.
    rows = connection.execute(
        """
        SELECT models.path, count(*) AS attempts, max(model_runs.sequence), model_runs.content_hash, model_runs.error
        FROM models
        LEFT JOIN current_traces AS now ON now.environment = :environment AND now.model_id = models.id
        LEFT JOIN traces ON traces.model_run_id = now.model_run_id
        CROSS JOIN model_runs ON model_runs.model_id = models.id
          AND model_runs.status = 'failed' AND model_runs.sequence > coalesce(traces.sequence, 0)
        CROSS JOIN runs ON runs.id = model_runs.run_id AND runs.environment = :environment
        GROUP BY models.path
        ORDER BY models.path
        """,
        {"environment": environment},
    )
    return {row["path"]: Failure(row["attempts"], row["content_hash"], row["error"]) for row in rows}


def read_texts(connection: sqlite3.Connection, hashes: Iterable[str]) -> dict[str, str]:
    """Return the resolved texts kept under `hashes`; unknown ones are left out."""
    rows = connection.execute(
        "SELECT hash, text FROM texts WHERE hash IN (SELECT value FROM json_each(?)) ORDER BY hash",
        (json.dumps(list(hashes)),),
    )
    return {row["hash"]: read_text(row["text"]) for row in rows}


def read_code_versions(connection: sqlite3.Connection, content_hashes: Iterable[str]) -> dict[str, CodeVersion]:
    """Return text and configuration behind `content_hashes`; unknown ones are left out."""
    rows = connection.execute(
        "SELECT * FROM code_versions WHERE content_hash IN (SELECT value FROM json_each(?)) ORDER BY content_hash",
        (json.dumps(list(content_hashes)),),
    )
    return {
        row["content_hash"]: CodeVersion(
            content_hash=row["content_hash"],
            rendered_sql=read_text(row["rendered_sql"]),
            rendered_incremental_sql=read_optional_text(row["rendered_incremental_sql"]),
            config=read_config(row["config"]),
        )
        for row in rows
    }


def read_history(connection: sqlite3.Connection) -> str | None:
    """Return the id made with this state, ``None`` while there is no state."""
    row = connection.execute("SELECT id FROM history").fetchone()
    return None if row is None else str(row["id"])


# ------------------------------------------------------------------------------------------------------------- writing


def record_build(connection: sqlite3.Connection, build: Build, *, now: datetime) -> None:
    """Record a success: the model run ends, its trace becomes the current one, texts and versions are kept."""
    model_run, path, environment = get_model_run_in_place(connection, build.trace.model_run_id)
    check_transition(model_run, "success")
    check_build(build, model_path=path, environment=environment)
    end_as_success(connection, build, now=now)
    write_build(connection, build, model_id=model_run.model_id)


def write_build(connection: sqlite3.Connection, build: Build, *, model_id: str) -> None:
    """Make the trace of a build the current one, with its texts, versions and test results."""
    _write_trace(connection, build.trace, model_id=model_id)
    _write_data_versions(connection, build.trace.model_run_id, build.data_versions)
    _write_code(connection, build)
    if build.tests:
        write_test_results(connection, build.trace.model_run_id, build.tests)
    write_partitions(connection, build, model_id=model_id)


def end_as_success(connection: sqlite3.Connection, build: Build, *, now: datetime) -> None:
    """End the model run of a build, whatever it was taken for."""
    connection.execute(
        """
        UPDATE model_runs SET
          status = 'success',
          completed_at = :now,
          error = NULL,
          rows_affected = coalesce(:rows_affected, rows_affected),
          execution_ms = coalesce(:execution_ms, execution_ms),
          render_ms = :render_ms,
          content_hash = :content_hash,
          data_version = :data_version
        WHERE id = :id
        """,
        {
            "id": build.trace.model_run_id,
            "now": write_time(now),
            "rows_affected": build.rows_affected,
            "execution_ms": build.execution_ms,
            "render_ms": build.render_ms,
            "content_hash": build.trace.content_hash,
            "data_version": build.trace.data_version,
        },
    )


def _write_trace(connection: sqlite3.Connection, trace: Trace, *, model_id: str) -> None:
    connection.execute(
        """
        INSERT INTO traces (model_run_id, sequence, environment, model_id, materialized, relation, content_hash,
          code_version, query_hash, incremental_query_hash, data_version, columns, tests_hash, built_at)
        VALUES (:model_run_id, (SELECT sequence FROM model_runs WHERE id = :model_run_id), :environment, :model_id,
          :materialized, :relation, :content_hash, :code_version, :query_hash, :incremental_query_hash, :data_version,
          :columns, :tests_hash, :built_at)
        """,
        {
            "model_run_id": trace.model_run_id,
            "environment": trace.environment,
            "model_id": model_id,
            "materialized": trace.materialized,
            "relation": trace.relation,
            "content_hash": trace.content_hash,
            "code_version": trace.code_version,
            "query_hash": trace.query_hash,
            "incremental_query_hash": trace.incremental_query_hash,
            "data_version": trace.data_version,
            "columns": write_columns(trace.columns),
            "tests_hash": trace.tests_hash,
            "built_at": write_time(trace.built_at),
        },
    )
    connection.executemany(
        "INSERT INTO trace_inputs (model_run_id, position, name, relation, columns, data_version, seen)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                trace.model_run_id,
                position,
                read.name,
                read.relation,
                write_column_set(read.columns),
                read.data_version,
                None if read.seen is None else write_columns(read.seen),
            )
            for position, read in enumerate(trace.inputs)
        ],
    )
    make_current(connection, trace, model_id=model_id)


def make_current(connection: sqlite3.Connection, trace: Trace, *, model_id: str) -> None:
    """Make a trace that is kept the current one of its model and environment."""
    connection.execute(
        "INSERT INTO current_traces (environment, model_id, model_run_id) VALUES (?, ?, ?)"
        " ON CONFLICT (environment, model_id) DO UPDATE SET model_run_id = excluded.model_run_id",
        (trace.environment, model_id, trace.model_run_id),
    )


def _write_data_versions(connection: sqlite3.Connection, model_run_id: str, data_versions: Mapping[str, str]) -> None:
    connection.executemany(
        "INSERT INTO data_versions (model_run_id, column_set, data_version) VALUES (?, ?, ?)"
        " ON CONFLICT (model_run_id, column_set) DO UPDATE SET data_version = excluded.data_version",
        [(model_run_id, column_set, version) for column_set, version in sorted(data_versions.items())],
    )


def _write_code(connection: sqlite3.Connection, build: Build) -> None:
    code = build.code
    connection.execute(
        "INSERT INTO code_versions (content_hash, rendered_sql, rendered_incremental_sql, config) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (content_hash) DO NOTHING",
        (
            code.content_hash,
            code.rendered_sql,
            code.rendered_incremental_sql,
            write_config(code.content_hash, code.config),
        ),
    )
    connection.executemany(
        "INSERT INTO texts (hash, text) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING", sorted(build.texts.items())
    )


def record_data_versions(connection: sqlite3.Connection, model_run_id: str, data_versions: Mapping[str, str]) -> None:
    """Keep versions of further column sets of the relation that a model run made; `StateError` without its trace."""
    _check_trace(connection, model_run_id)
    _write_data_versions(connection, model_run_id, data_versions)


def record_tests(
    connection: sqlite3.Connection, model_run_id: str, tests_hash: str, results: Sequence[KeptTestResult]
) -> None:
    """Note in a trace which tests have passed on its relation since, and their results; `StateError` without one."""
    _check_trace(connection, model_run_id)
    connection.execute("UPDATE traces SET tests_hash = ? WHERE model_run_id = ?", (tests_hash, model_run_id))
    write_test_results(connection, model_run_id, results)


def _check_trace(connection: sqlite3.Connection, model_run_id: str) -> None:
    if connection.execute("SELECT 1 FROM traces WHERE model_run_id = ?", (model_run_id,)).fetchone() is None:
        raise unknown_trace(model_run_id)
