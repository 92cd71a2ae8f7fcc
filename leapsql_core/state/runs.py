"""Runs and model runs: SQL that reads and writes them, each function within a transaction of its caller."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from leapsql_core.models import ModelRun, ModelRunStatus, Request, Run, RunStatus
from leapsql_core.protocols import NewModelRun
from leapsql_core.state.environments import ensure_environment
from leapsql_core.state.notation import (
    in_utc,
    printable,
    read_optional_time,
    read_request,
    read_time,
    write_request,
    write_time,
)
from leapsql_core.state.refusals import (
    check_limit,
    check_run_deletable,
    check_run_end,
    check_run_open,
    check_status,
    check_transition,
    unknown_model,
    unknown_model_run,
    unknown_run,
)
from leapsql_core.state.registry import check_model, get_model_by_id

# Two statements, for SQLite finds rows of an environment by index only where one is always asked for.
_LIST_RUNS = "SELECT * FROM runs ORDER BY started_at DESC, rowid DESC LIMIT :limit"
_LIST_RUNS_OF_ENVIRONMENT = (
    "SELECT * FROM runs WHERE environment = :environment ORDER BY started_at DESC, rowid DESC LIMIT :limit"
)

_INSERT_MODEL_RUN = """
    INSERT INTO model_runs
      (id, run_id, model_id, status, started_at, completed_at, content_hash, reason, detail, sequence)
    VALUES
      (:id, :run_id, :model_id, :status, :started_at, :completed_at, :content_hash, :reason, :detail,
      1 + max(coalesce((SELECT max(sequence) FROM model_runs), 0), coalesce((SELECT max(sequence) FROM traces), 0)))
"""


def _run(row: sqlite3.Row) -> Run:
    return Run(
        id=row["id"],
        environment=row["environment"],
        status=row["status"],
        started_at=read_time(row["started_at"]),
        completed_at=read_optional_time(row["completed_at"]),
        error=row["error"],
        orchestrator_run_id=row["orchestrator_run_id"],
        request=read_request(row["request"]),
    )


def _model_run(row: sqlite3.Row) -> ModelRun:
    return ModelRun(
        id=row["id"],
        run_id=row["run_id"],
        model_id=row["model_id"],
        status=row["status"],
        rows_affected=row["rows_affected"],
        started_at=read_optional_time(row["started_at"]),
        completed_at=read_optional_time(row["completed_at"]),
        execution_ms=row["execution_ms"],
        error=row["error"],
        content_hash=row["content_hash"],
        data_version=row["data_version"],
        reason=row["reason"],
        detail=row["detail"],
        render_ms=row["render_ms"],
    )


# ------------------------------------------------------------------------------------------------------------- reading


def get_run(connection: sqlite3.Connection, run_id: str) -> Run:
    """Return a run; `StateError` if the id is unknown."""
    row = connection.execute("SELECT * FROM runs WHERE id = ?", (run_id,)).fetchone()
    if row is None:
        raise unknown_run(run_id)
    return _run(row)


def get_latest_run(connection: sqlite3.Connection, environment: str) -> Run | None:
    """Return the run of `environment` that started last, of equal times the one recorded last."""
    return next(iter(list_runs(connection, environment=environment, limit=1)), None)


def list_runs(connection: sqlite3.Connection, *, environment: str | None, limit: int) -> list[Run]:
    """Return at most `limit` runs, the latest first."""
    check_limit(limit)
    statement = _LIST_RUNS if environment is None else _LIST_RUNS_OF_ENVIRONMENT
    return [_run(row) for row in connection.execute(statement, {"environment": environment, "limit": limit})]


def get_model_run(connection: sqlite3.Connection, model_run_id: str) -> ModelRun:
    """Return a model run; `StateError` if the id is unknown."""
    row = connection.execute("SELECT * FROM model_runs WHERE id = ?", (model_run_id,)).fetchone()
    if row is None:
        raise unknown_model_run(model_run_id)
    return _model_run(row)


def get_model_run_in_place(connection: sqlite3.Connection, model_run_id: str) -> tuple[ModelRun, str, str]:
    """Return a model run with its model's path and its run's environment; `StateError` if the id is unknown."""
    row = connection.execute(
        "SELECT model_runs.*, models.path, runs.environment FROM model_runs"
        " JOIN models ON models.id = model_runs.model_id JOIN runs ON runs.id = model_runs.run_id"
        " WHERE model_runs.id = ?",
        (model_run_id,),
    ).fetchone()
    if row is None:
        raise unknown_model_run(model_run_id)
    return _model_run(row), row["path"], row["environment"]


def get_model_runs_for_run(connection: sqlite3.Connection, run_id: str) -> list[ModelRun]:
    """Return the model runs of a run in the order they were recorded; `StateError` if the run is unknown."""
    get_run(connection, run_id)
    rows = connection.execute("SELECT * FROM model_runs WHERE run_id = ? ORDER BY sequence, rowid", (run_id,))
    return [_model_run(row) for row in rows]


def get_latest_model_run(connection: sqlite3.Connection, model_id: str, *, environment: str | None) -> ModelRun | None:
    """Return the model run recorded last, in one environment or any; `StateError` if the model is unknown."""
    check_model(connection, model_id)
    row = connection.execute(
        "SELECT model_runs.* FROM model_runs JOIN runs ON runs.id = model_runs.run_id"
        " WHERE model_runs.model_id = :model_id AND (:environment IS NULL OR runs.environment = :environment)"
        " ORDER BY model_runs.sequence DESC, model_runs.rowid DESC LIMIT 1",
        {"model_id": model_id, "environment": environment},
    ).fetchone()
    return None if row is None else _model_run(row)


# ------------------------------------------------------------------------------------------------------------- writing


def create_run(
    connection: sqlite3.Connection,
    environment: str,
    *,
    run_id: str,
    now: datetime,
    orchestrator_run_id: str | None,
    request: Request | None = None,
) -> Run:
    """Begin a run; the environment comes to be if the state does not know it."""
    ensure_environment(connection, environment, now=now)
    connection.execute(
        "INSERT INTO runs (id, environment, status, started_at, orchestrator_run_id, request)"
        " VALUES (?, ?, 'running', ?, ?, ?)",
        (run_id, environment, write_time(now), orchestrator_run_id, write_request(request)),
    )
    return Run(
        run_id,
        environment,
        "running",
        started_at=in_utc(now),
        orchestrator_run_id=orchestrator_run_id,
        request=request,
    )


def complete_run(
    connection: sqlite3.Connection, run_id: str, status: RunStatus, *, now: datetime, error: str | None
) -> Run:
    """End a run; `StateError` if unknown, or ended already. Its model runs stay as they are."""
    check_run_end(get_run(connection, run_id), status)
    connection.execute(
        "UPDATE runs SET status = ?, completed_at = ?, error = ? WHERE id = ?",
        (status, write_time(now), printable(error), run_id),
    )
    return get_run(connection, run_id)


def delete_run(connection: sqlite3.Connection, run_id: str) -> None:
    """Forget a run with its model runs and the traces that are not current; `StateError` if unknown or running."""
    check_run_deletable(get_run(connection, run_id))
    connection.execute("DELETE FROM runs WHERE id = ?", (run_id,))


def record_model_run(
    connection: sqlite3.Connection,
    run_id: str,
    model_id: str,
    status: ModelRunStatus,
    *,
    now: datetime,
    new_id: Callable[[], str],
) -> ModelRun:
    """Record a model within a running run, with the content hash that the model was last registered with."""
    run = get_run(connection, run_id)
    new = NewModelRun(model_id, status, content_hash=get_model_by_id(connection, model_id).content_hash)
    [model_run_id] = record_model_runs(connection, run.id, [new], now=now, new_id=new_id)
    return get_model_run(connection, model_run_id)


def record_model_runs(
    connection: sqlite3.Connection,
    run_id: str,
    model_runs: Sequence[NewModelRun],
    *,
    now: datetime,
    new_id: Callable[[], str],
) -> list[str]:
    """Record many model runs within a running run; their ids, in order."""
    check_run_open(get_run(connection, run_id))
    _check_models(connection, [new.model_id for new in model_runs])
    for new in model_runs:
        check_status(new.status)
    moment = write_time(now)
    rows = [
        {
            "id": new_id(),
            "run_id": run_id,
            "model_id": new.model_id,
            "status": new.status,
            "started_at": moment if new.status == "running" else None,
            "completed_at": moment if new.status in ("success", "failed", "skipped") else None,
            "content_hash": new.content_hash,
            "reason": new.reason,
            "detail": printable(new.detail),
        }
        for new in model_runs
    ]
    connection.executemany(_INSERT_MODEL_RUN, rows)
    return [str(row["id"]) for row in rows]


def _check_models(connection: sqlite3.Connection, model_ids: list[str]) -> None:
    row = connection.execute(
        "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT id FROM models) ORDER BY key LIMIT 1",
        (json.dumps(model_ids),),
    ).fetchone()
    if row is not None:
        raise unknown_model(row["value"])


def update_model_run(
    connection: sqlite3.Connection,
    model_run_id: str,
    status: ModelRunStatus,
    *,
    now: datetime,
    rows_affected: int | None,
    execution_ms: int | None,
    error: str | None,
    reason: str | None,
    detail: str | None,
) -> ModelRun:
    """Move a model run on; what is ``None`` keeps its value. `StateError` if unknown, or for a wrong transition."""
    before = get_model_run(connection, model_run_id)
    check_transition(before, status)
    error, detail, is_begun = printable(error), printable(detail), status == "running"
    connection.execute(
        """
        UPDATE model_runs SET
          status = :status,
          started_at = CASE :status WHEN 'running' THEN :now ELSE started_at END,
          completed_at = CASE :status WHEN 'running' THEN completed_at ELSE :now END,
          rows_affected = coalesce(:rows_affected, rows_affected),
          execution_ms = coalesce(:execution_ms, execution_ms),
          error = coalesce(:error, error),
          reason = coalesce(:reason, reason),
          detail = coalesce(:detail, detail)
        WHERE id = :id
        """,
        {
            "id": model_run_id,
            "status": status,
            "now": write_time(now),
            "rows_affected": rows_affected,
            "execution_ms": execution_ms,
            "error": error,
            "reason": reason,
            "detail": detail,
        },
    )
    said = {"rows_affected": rows_affected, "execution_ms": execution_ms, "error": error, "reason": reason}
    known: dict[str, Any] = {name: value for name, value in {**said, "detail": detail}.items() if value is not None}
    moment = read_time(write_time(now))
    ended = before.completed_at if is_begun else moment
    return replace(
        before, status=status, started_at=moment if is_begun else before.started_at, completed_at=ended, **known
    )
