"""Reading the state: the questions of a `StateReader`, and the reader that opens the file for each of them."""

# ruff: noqa: D102 - what each question promises is said once, in leapsql_core.protocols, and inherited from there.

from __future__ import annotations

import os
import sqlite3
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

from leapsql_core.errors import StateError
from leapsql_core.models import (
    CodeVersion,
    ColumnSource,
    KeptTestResult,
    Lease,
    ModelRun,
    Run,
    Snapshot,
    StoredEnvironment,
    StoredModel,
)
from leapsql_core.protocols import StateReader
from leapsql_core.state import environments, leases, registry, runs, test_results, traces
from leapsql_core.state.connection import connect_read_only, explained, is_file, is_not_shareable
from leapsql_core.state.migrations import in_memory, latest_version, read_version
from leapsql_core.state.refusals import not_open
from leapsql_core.state.schema import MIGRATIONS, Migration


class SqliteReading(StateReader):
    """The questions of a `StateReader`, each asked in one transaction that `_reading` begins."""

    @abstractmethod
    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """Begin a transaction on the latest schema."""

    def get_run(self, run_id: str) -> Run:
        with self._reading() as connection:
            return runs.get_run(connection, run_id)

    def get_latest_run(self, environment: str) -> Run | None:
        with self._reading() as connection:
            return runs.get_latest_run(connection, environment)

    def list_runs(self, *, environment: str | None = None, limit: int = 20) -> list[Run]:
        with self._reading() as connection:
            return runs.list_runs(connection, environment=environment, limit=limit)

    def get_lease(self, environment: str) -> Lease | None:
        with self._reading() as connection:
            return leases.get_lease(connection, environment)

    def list_open_runs(self, environment: str, *, is_dead: Callable[[Lease], bool]) -> list[Run]:
        with self._reading() as connection:
            return leases.list_open_runs(connection, environment, is_dead=is_dead)

    def get_model_by_id(self, model_id: str) -> StoredModel:
        with self._reading() as connection:
            return registry.get_model_by_id(connection, model_id)

    def get_model_by_path(self, path: str) -> StoredModel:
        with self._reading() as connection:
            return registry.get_model_by_path(connection, path)

    def list_models(self) -> list[StoredModel]:
        with self._reading() as connection:
            return registry.list_models(connection)

    def get_model_runs_for_run(self, run_id: str) -> list[ModelRun]:
        with self._reading() as connection:
            return runs.get_model_runs_for_run(connection, run_id)

    def get_latest_model_run(self, model_id: str, *, environment: str | None = None) -> ModelRun | None:
        with self._reading() as connection:
            return runs.get_latest_model_run(connection, model_id, environment=environment)

    def get_dependencies(self, model_id: str) -> list[str]:
        with self._reading() as connection:
            return registry.get_dependencies(connection, model_id)

    def get_dependents(self, model_id: str) -> list[str]:
        with self._reading() as connection:
            return registry.get_dependents(connection, model_id)

    def get_environment(self, name: str) -> StoredEnvironment:
        with self._reading() as connection:
            return environments.get_environment(connection, name)

    def list_environments(self) -> list[StoredEnvironment]:
        with self._reading() as connection:
            return environments.list_environments(connection)

    def get_column_lineage(self, model_path: str) -> list[tuple[str, ColumnSource]]:
        with self._reading() as connection:
            return registry.get_column_lineage(connection, model_path)

    def read_history(self) -> str | None:
        with self._reading() as connection:
            return traces.read_history(connection)

    def read_snapshot(self, environment: str) -> Snapshot:
        with self._reading() as connection:
            return traces.read_snapshot(connection, environment)

    def read_texts(self, hashes: Iterable[str]) -> dict[str, str]:
        with self._reading() as connection:
            return traces.read_texts(connection, hashes)

    def read_code_versions(self, content_hashes: Iterable[str]) -> dict[str, CodeVersion]:
        with self._reading() as connection:
            return traces.read_code_versions(connection, content_hashes)

    def read_test_results(self, environment: str) -> dict[str, tuple[KeptTestResult, ...]]:
        with self._reading() as connection:
            return test_results.read_test_results(connection, environment)


class SqliteStateReader(SqliteReading):
    """A reader of a state file that may not be there, may come to be, or be replaced while the reader lives.

    Nothing is held between two questions: each opens the file, sees one moment of it, and closes it again.
    """

    def __init__(self, path: str | os.PathLike[str], *, migrations: Sequence[Migration] = MIGRATIONS) -> None:
        self._path = Path(path).absolute()
        self._migrations = migrations
        self._closed = False

    def close(self) -> None:
        self._closed = True

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        if self._closed:
            raise not_open(str(self._path))
        with reading_file(self._path, migrations=self._migrations) as connection:
            yield connection


def open_state_reader(
    path: str | os.PathLike[str], *, migrations: Sequence[Migration] = MIGRATIONS
) -> SqliteStateReader:
    """Return a reader of the state at `path`; it has no method that writes, and makes no state.

    A missing or empty file reads as a state in which nothing has happened. One with an older schema is copied into
    memory and upgraded there: reading it is right, if slower, until a run upgrades the file itself.

    Raises:
        StateError: the file is newer than this LeapSQL, no state, or cannot be read.
    """
    reader = SqliteStateReader(path, migrations=migrations)
    reader.list_environments()
    return reader


@contextmanager
def reading_file(path: Path, *, migrations: Sequence[Migration] = MIGRATIONS) -> Iterator[sqlite3.Connection]:
    """Begin a transaction on the state at `path` that can only read; see `open_state_reader` for what it sees.

    Raises:
        StateError: the file is newer than this LeapSQL, no state, or cannot be read.
    """
    with explained(str(path)), closing(_connect(path, migrations)) as connection:
        yield connection


def _connect(path: Path, migrations: Sequence[Migration]) -> sqlite3.Connection:
    if not is_file(path):
        return in_memory(migrations=migrations)
    connection = begin_reading(path)
    try:
        version = read_version(connection, str(path), migrations)
        if version == latest_version(migrations):
            return connection
        copy = in_memory(connection if version else None, migrations)
    except BaseException:
        connection.close()
        raise
    connection.close()
    return copy


def begin_reading(path: Path) -> sqlite3.Connection:
    """Begin a transaction on the file at `path`, whatever it holds; what it sees is one moment of it.

    Raises:
        StateError: it cannot be read without what lies beside it.
    """
    try:
        return _begin_on(connect_read_only(path))
    except sqlite3.Error as exc:
        if not is_not_shareable(exc):
            raise
    # The file may be read but not shared, for its folder is read-only and nobody has it open. Then it can be read
    # alone, unless a crash has left commits beside it that belong to it: without them it would tell an older story.
    for companion in (path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-journal")):
        if is_file(companion) and companion.stat().st_size > 0:
            cause = f"the state {path} has its last changes in {companion.name}, which a read-only folder keeps there"
            raise StateError(cause, mend="Open it once where the folder can be written, or copy the folder to read it.")
    return _begin_on(connect_read_only(path, immutable=True))


def _begin_on(connection: sqlite3.Connection) -> sqlite3.Connection:
    try:
        # BEGIN alone takes no look at the file; the first question does, and what it sees stays.
        connection.execute("BEGIN")
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection
