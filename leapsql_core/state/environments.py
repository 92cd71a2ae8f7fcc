"""Environments: SQL that reads and writes them, each function within a transaction of its caller."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from leapsql_core.models import StoredEnvironment
from leapsql_core.state.notation import read_time, write_time
from leapsql_core.state.refusals import environment_exists, environment_runs, unknown_environment


def _environment(row: sqlite3.Row) -> StoredEnvironment:
    return StoredEnvironment(
        name=row["name"],
        commit_ref=row["commit_ref"],
        created_at=read_time(row["created_at"]),
        updated_at=read_time(row["updated_at"]),
    )


def get_environment(connection: sqlite3.Connection, name: str) -> StoredEnvironment:
    """Return an environment; `StateError` if the state does not know it."""
    row = connection.execute("SELECT * FROM environments WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise unknown_environment(name, [environment.name for environment in list_environments(connection)])
    return _environment(row)


def list_environments(connection: sqlite3.Connection) -> list[StoredEnvironment]:
    """Return the environments by name."""
    return [_environment(row) for row in connection.execute("SELECT * FROM environments ORDER BY name")]


def ensure_environment(
    connection: sqlite3.Connection, name: str, *, now: datetime, commit_ref: str | None = None
) -> bool:
    """Create an environment unless the state knows it; say whether it was created."""
    cursor = connection.execute(
        "INSERT INTO environments (name, commit_ref, created_at, updated_at) VALUES (:name, :commit_ref, :now, :now)"
        " ON CONFLICT (name) DO NOTHING",
        {"name": name, "commit_ref": commit_ref, "now": write_time(now)},
    )
    return cursor.rowcount == 1


def create_environment(
    connection: sqlite3.Connection, name: str, *, now: datetime, commit_ref: str | None
) -> StoredEnvironment:
    """Create an environment; `StateError` if there is one of that name."""
    if not ensure_environment(connection, name, now=now, commit_ref=commit_ref):
        raise environment_exists(name)
    return get_environment(connection, name)


def set_environment_commit(
    connection: sqlite3.Connection, name: str, commit_ref: str | None, *, now: datetime
) -> StoredEnvironment:
    """Note the commit that an environment stands at; `StateError` if the environment is unknown."""
    get_environment(connection, name)
    connection.execute(
        "UPDATE environments SET commit_ref = ?, updated_at = ? WHERE name = ?", (commit_ref, write_time(now), name)
    )
    return get_environment(connection, name)


def delete_environment(connection: sqlite3.Connection, name: str) -> None:
    """Forget an environment; triggers take its runs and traces. `StateError` if unknown or while a run runs."""
    get_environment(connection, name)
    running = connection.execute(
        "SELECT id FROM runs WHERE environment = ? AND status = 'running' ORDER BY rowid LIMIT 1", (name,)
    ).fetchone()
    if running is not None:
        raise environment_runs(name, running["id"])
    connection.execute("DELETE FROM environments WHERE name = ?", (name,))
