"""Bringing a state database up to date: which version it has, the steps that it lacks, the copy made before."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from leapsql_core.errors import StateError
from leapsql_core.state.connection import MEMORY, connect_in_memory, connect_read_only, explained, transaction
from leapsql_core.state.refusals import no_schema, outdated_schema
from leapsql_core.state.schema import APPLICATION_ID, MIGRATIONS, Migration


def latest_version(migrations: Sequence[Migration]) -> int:
    """Return the version that `migrations` lead to."""
    return migrations[-1].version


def read_version(connection: sqlite3.Connection, place: str, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """Return the version of a state database; 0 for one that is empty.

    Raises:
        StateError: it is newer than `migrations`, or somebody else's database.
    """
    # One statement, so that a schema that is being made just now is seen whole or not at all.
    application_id, version, objects = connection.execute(
        "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version),"
        " (SELECT count(*) FROM sqlite_master)"
    ).fetchone()
    if application_id != APPLICATION_ID and (application_id, version, objects) != (0, 0, 0):
        cause = f"{place} is an SQLite database, but not a state of LeapSQL"
        raise StateError(cause, mend="Nothing in it was touched. Name another file with --state.")
    if version > latest_version(migrations):
        cause = f"the state {place} has schema version {version}, this LeapSQL knows up to {latest_version(migrations)}"
        raise StateError(cause, mend="Upgrade it: pip install --upgrade leapsql-dagster")
    return int(version)


def check_current(connection: sqlite3.Connection, place: str, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Refuse to work on a database whose schema is not the latest.

    Raises:
        StateError: see `read_version`; or some migrations were not applied yet.
    """
    version, latest = read_version(connection, place, migrations), latest_version(migrations)
    if version == 0:
        raise no_schema(place)
    if version < latest:
        raise outdated_schema(place, version=version, latest=latest)


def upgrade(
    connection: sqlite3.Connection,
    place: str,
    *,
    path: Path | None = None,
    migrations: Sequence[Migration] = MIGRATIONS,
) -> None:
    """Apply the migrations that a database lacks, each in one transaction with its version; none lacking: no write.

    An existing database in a file is copied first, once, to ``<name>.v<version>.bak`` beside it. Several processes
    may do this at once: each step is applied by one of them. A step that fails leaves the version before it.

    Raises:
        StateError: see `read_version`; or a step, or the copy before it, failed.
    """
    found = read_version(connection, place, migrations)
    if found == latest_version(migrations):
        return
    copied = path is None or found == 0
    with _foreign_keys_off(connection):
        for migration in migrations:
            with transaction(connection, write=True):
                version = read_version(connection, place, migrations)
                if version >= migration.version:
                    continue
                if path is not None and not copied:
                    _back_up(path, version)
                    copied = True
                _apply(connection, place, migration, version)


def _apply(connection: sqlite3.Connection, place: str, migration: Migration, version: int) -> None:
    try:
        for statement in migration.statements:
            connection.execute(statement)
    except sqlite3.Error as exc:
        cause = f"the state {place} cannot be brought from schema version {version} to {migration.version}: {exc}"
        raise StateError(
            cause, mend=f"It was left at version {version}, whole; a LeapSQL of that time reads it."
        ) from exc
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID:d}")
    connection.execute(f"PRAGMA user_version = {migration.version:d}")


@contextmanager
def _foreign_keys_off(connection: sqlite3.Connection) -> Iterator[None]:
    # A step that rebuilds a table drops the old one, and with foreign keys on that deletes every row that refers to
    # it. The setting cannot be changed inside a transaction.
    was_on = connection.execute("PRAGMA foreign_keys").fetchone()[0]
    connection.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA foreign_keys = {int(was_on):d}")


def _back_up(path: Path, version: int) -> None:
    # The caller holds the write lock, so nothing comes between this copy and the migration. A connection cannot be
    # copied while it writes: hence a second one. The name is given to a whole copy only.
    backup = path.with_name(f"{path.name}.v{version}.bak")
    unfinished = path.with_name(f"{backup.name}.new")
    try:
        unfinished.unlink(missing_ok=True)
        with explained(str(unfinished)):
            with closing(connect_read_only(path)) as source, closing(sqlite3.connect(unfinished)) as copy:
                source.backup(copy)
        unfinished.replace(backup)
    except OSError as exc:
        cause = f"the state {path} cannot be copied to {backup} before it is upgraded: {exc.strerror}"
        raise StateError(cause, mend="Make room for the copy, and make sure that you may write there.") from exc


def in_memory(
    source: sqlite3.Connection | None = None, migrations: Sequence[Migration] = MIGRATIONS
) -> sqlite3.Connection:
    """Return a database in memory with the latest schema: `source` copied and upgraded, or one without any rows.

    An older database can be read so without a write to it, and a state that was never made reads as empty.
    """
    memory = connect_in_memory()
    if source is not None:
        source.backup(memory)
    upgrade(memory, MEMORY, migrations=migrations)
    if source is None:
        memory.execute("DELETE FROM history")
    return memory
