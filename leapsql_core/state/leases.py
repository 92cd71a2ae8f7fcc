"""Leases, by which one run at a time goes on in an environment: SQL within a transaction of its caller."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime

from leapsql_core.models import Holder, Lease, Request, Run
from leapsql_core.state.notation import read_time, write_time
from leapsql_core.state.refusals import DIED, DIED_BUILDING, LEFT_OUT, NEVER_BEGUN, UNTOLD, no_lease
from leapsql_core.state.runs import create_run, get_run

_TAKE = """
    INSERT INTO leases (environment, run_id, host, pid, process_began, taken_at, heartbeat_at)
    VALUES (:environment, :run_id, :host, :pid, :process_began, :now, :now)
    ON CONFLICT (environment) DO UPDATE SET run_id = excluded.run_id, host = excluded.host, pid = excluded.pid,
      process_began = excluded.process_began, taken_at = excluded.taken_at, heartbeat_at = excluded.heartbeat_at
"""

# All that runs in an environment, or where `run_id` has the lease. Of times as texts the greatest is the latest.
_RUNNING = """
    SELECT runs.id, max(runs.started_at, coalesce(max(model_runs.started_at), ''),
      coalesce(max(model_runs.completed_at), '')) AS last_known
    FROM runs LEFT JOIN model_runs ON model_runs.run_id = runs.id
    WHERE runs.status = 'running'
      AND runs.environment = coalesce(:environment, (SELECT environment FROM leases WHERE run_id = :run_id))
    GROUP BY runs.id ORDER BY runs.started_at, runs.rowid
"""

# A run that completes has closed what was open before it, so no run before the last such one is looked at.
_UNTOLD = """
    SELECT runs.id, runs.completed_at
    FROM leases JOIN runs ON runs.environment = leases.environment AND runs.status <> 'running'
    WHERE leases.run_id = :run_id
      AND runs.started_at >= coalesce((
        SELECT done.started_at FROM runs AS done
        WHERE done.environment = leases.environment AND done.status = 'completed'
        ORDER BY done.started_at DESC LIMIT 1
      ), '')
      AND EXISTS (SELECT 1 FROM model_runs WHERE run_id = runs.id AND model_runs.status IN ('pending', 'running'))
    ORDER BY runs.started_at, runs.rowid
"""


def get_lease(connection: sqlite3.Connection, environment: str) -> Lease | None:
    """Return the lease of `environment`, ``None`` if nobody has it."""
    row = connection.execute("SELECT * FROM leases WHERE environment = ?", (environment,)).fetchone()
    if row is None:
        return None
    return Lease(
        environment=row["environment"],
        run_id=row["run_id"],
        holder=Holder(row["host"], row["pid"], row["process_began"]),
        taken_at=read_time(row["taken_at"]),
        heartbeat_at=read_time(row["heartbeat_at"]),
    )


def begin_run(
    connection: sqlite3.Connection,
    environment: str,
    holder: Holder,
    *,
    run_id: str,
    now: datetime,
    is_dead: Callable[[Lease, datetime], bool],
    orchestrator_run_id: str | None,
    request: Request | None,
) -> Run | Lease:
    """Begin a run that has the lease of `environment`, unless another has it and lives: then return that lease."""
    lease = get_lease(connection, environment)
    if lease is not None and not is_dead(lease, now):
        return lease
    run = create_run(
        connection, environment, run_id=run_id, now=now, orchestrator_run_id=orchestrator_run_id, request=request
    )
    connection.execute(
        _TAKE,
        {
            "environment": environment,
            "run_id": run_id,
            "host": holder.host,
            "pid": holder.pid,
            "process_began": holder.began,
            "now": write_time(now),
        },
    )
    return run


def renew_lease(connection: sqlite3.Connection, run_id: str, *, now: datetime) -> bool:
    """Note that a run goes on; say whether it has a lease still."""
    cursor = connection.execute("UPDATE leases SET heartbeat_at = ? WHERE run_id = ?", (write_time(now), run_id))
    return cursor.rowcount == 1


def close_dead_runs(connection: sqlite3.Connection, run_id: str) -> list[str]:
    """End all other runs of the environment that run, and what is open in ended ones; the ids of all these runs.

    `StateError` if `run_id` has not the lease of the environment.
    """
    running = connection.execute(_RUNNING, {"environment": None, "run_id": run_id}).fetchall()
    if not running:
        raise no_lease(get_run(connection, run_id))
    untold = connection.execute(_UNTOLD, {"run_id": run_id}).fetchall()
    closed = _close_all(connection, [row for row in running if row["id"] != run_id])
    for row in untold:
        _close_model_runs(connection, row["id"], ended=row["completed_at"], error=UNTOLD, left_out=LEFT_OUT)
    return [*(row["id"] for row in untold), *closed]


def list_open_runs(connection: sqlite3.Connection, environment: str, *, is_dead: Callable[[Lease], bool]) -> list[Run]:
    """Return the runs that their processes have left, oldest first: all that run but a living one with the lease."""
    return [get_run(connection, row["id"]) for row in _left(connection, environment, is_dead)]


def close_open_runs(connection: sqlite3.Connection, environment: str, *, is_dead: Callable[[Lease], bool]) -> list[str]:
    """End the runs that their processes have left."""
    return _close_all(connection, _left(connection, environment, is_dead))


def _left(connection: sqlite3.Connection, environment: str, is_dead: Callable[[Lease], bool]) -> list[sqlite3.Row]:
    lease = get_lease(connection, environment)
    living = None if lease is None or is_dead(lease) else lease.run_id
    running = connection.execute(_RUNNING, {"environment": environment, "run_id": None})
    return [row for row in running if row["id"] != living]


def _close_all(connection: sqlite3.Connection, dead: Sequence[sqlite3.Row]) -> list[str]:
    for row in dead:
        _close_model_runs(connection, row["id"], ended=row["last_known"], error=DIED_BUILDING, left_out=NEVER_BEGUN)
        connection.execute(
            "UPDATE runs SET status = 'failed', completed_at = ?, error = ? WHERE id = ?",
            (row["last_known"], DIED, row["id"]),
        )
    return [row["id"] for row in dead]


def _close_model_runs(
    connection: sqlite3.Connection, run_id: str, *, ended: str, error: str, left_out: tuple[str, str]
) -> None:
    """End what is open in a run: what was running has failed, what was pending is skipped, for a reason in detail."""
    connection.execute(
        "UPDATE model_runs SET status = 'failed', completed_at = ?, error = ? WHERE run_id = ? AND status = 'running'",
        (ended, error, run_id),
    )
    connection.execute(
        "UPDATE model_runs SET status = 'skipped', completed_at = ?, reason = ?, detail = ?"
        " WHERE run_id = ? AND status = 'pending'",
        (ended, *left_out, run_id),
    )
