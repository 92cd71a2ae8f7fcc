"""The state store in one SQLite file, as its users hold it; what works are the functions of the modules beside it."""

# ruff: noqa: D102 - what each method promises is said once, in leapsql_core.protocols, and inherited from there.

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import RLock
from uuid import uuid4

from leapsql_core.models import (
    ColumnSource,
    Holder,
    KeptTestResult,
    Lease,
    ModelRegistration,
    ModelRun,
    ModelRunStatus,
    Request,
    Run,
    RunStatus,
    StoredEnvironment,
    StoredModel,
)
from leapsql_core.protocols import Build, ModelFacts, NewModelRun, StateStore
from leapsql_core.state import adoption, environments, leases, registry, runs, traces
from leapsql_core.state.connection import (
    MEMORY,
    WAIT_SECONDS,
    connect_in_memory,
    connect_to_file,
    explained,
    prepare_for_writing,
    transaction,
)
from leapsql_core.state.migrations import check_current, read_version, upgrade
from leapsql_core.state.reader import SqliteReading
from leapsql_core.state.refusals import not_open
from leapsql_core.state.schema import MIGRATIONS, Migration


def utc_now() -> datetime:
    """Return the time of the machine's clock, in UTC."""
    return datetime.now(UTC)


def random_id() -> str:
    """Return an id that no other process will come upon."""
    return str(uuid4())


class SqliteStateStore(SqliteReading, StateStore):
    """A `StateStore` in the SQLite file `path`, or in memory for ``:memory:``; open it before use.

    Processes may share the file and threads one store: each fact waits for its turn, at most `wait_seconds`; `on_wait`
    is told once if that takes longer than a moment. `clock` returns aware times; `new_id` returns texts that never
    repeat.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        clock: Callable[[], datetime] = utc_now,
        new_id: Callable[[], str] = random_id,
        wait_seconds: float = WAIT_SECONDS,
        on_wait: Callable[[str], None] | None = None,
        migrations: Sequence[Migration] = MIGRATIONS,
    ) -> None:
        self._place = os.fspath(path)
        self._clock = clock
        self._new_id = new_id
        self._wait_seconds = wait_seconds
        self._on_wait = on_wait
        self._migrations = migrations
        self._connection: sqlite3.Connection | None = None
        self._lock = RLock()
        self._joins = False

    def open(self) -> None:
        with self._lock, explained(self._place):
            if self._connection is None:
                self._connection = self._connect()

    def _connect(self) -> sqlite3.Connection:
        if self._place == MEMORY:
            connection = connect_in_memory()
        else:
            connection = connect_to_file(Path(self._place), wait_seconds=self._wait_seconds)
        try:
            # Before anything is written: the file may be somebody else's, or of a newer LeapSQL.
            read_version(connection, self._place, self._migrations)
            prepare_for_writing(connection, wait_seconds=self._wait_seconds)
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def init_schema(self) -> None:
        path = None if self._place == MEMORY else Path(self._place)
        with self._using() as connection:
            upgrade(connection, self._place, path=path, migrations=self._migrations)

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        with self._lock, explained(self._place):
            if self._connection is None:
                raise not_open(self._place)
            yield self._connection

    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        return self._transaction(write=False)

    def _writing(self) -> AbstractContextManager[sqlite3.Connection]:
        return self._transaction(write=True)

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[sqlite3.Connection]:
        told = None if self._on_wait is None else self._tell_of_waiting
        begun = partial(transaction, write=write, on_wait=told)
        with self._using() as connection, nullcontext() if self._joins else begun(connection):
            if not self._joins:
                # In every transaction: a newer LeapSQL may have upgraded the file meanwhile.
                check_current(connection, self._place, self._migrations)
            yield connection

    def together(self) -> AbstractContextManager[None]:
        return self._joined()

    @contextmanager
    def _joined(self) -> Iterator[None]:
        with self._writing():
            joined, self._joins = self._joins, True
            try:
                yield
            finally:
                self._joins = joined

    def _tell_of_waiting(self) -> None:
        if self._on_wait is not None:
            self._on_wait(f"waiting for another process that holds the state {self._place}")
            self._on_wait = None

    # --------------------------------------------------------------------------------------------------------- runs

    def create_run(
        self, environment: str, *, orchestrator_run_id: str | None = None, request: Request | None = None
    ) -> Run:
        with self._writing() as connection:
            return runs.create_run(
                connection,
                environment,
                run_id=self._new_id(),
                now=self._clock(),
                orchestrator_run_id=orchestrator_run_id,
                request=request,
            )

    def begin_run(
        self,
        environment: str,
        holder: Holder,
        *,
        is_dead: Callable[[Lease, datetime], bool],
        orchestrator_run_id: str | None = None,
        request: Request | None = None,
    ) -> Run | Lease:
        with self._writing() as connection:
            return leases.begin_run(
                connection,
                environment,
                holder,
                run_id=self._new_id(),
                now=self._clock(),
                is_dead=is_dead,
                orchestrator_run_id=orchestrator_run_id,
                request=request,
            )

    def renew_lease(self, run_id: str) -> bool:
        with self._writing() as connection:
            return leases.renew_lease(connection, run_id, now=self._clock())

    def close_dead_runs(self, run_id: str) -> list[str]:
        with self._writing() as connection:
            return leases.close_dead_runs(connection, run_id)

    def close_open_runs(self, environment: str, *, is_dead: Callable[[Lease], bool]) -> list[str]:
        with self._writing() as connection:
            return leases.close_open_runs(connection, environment, is_dead=is_dead)

    def complete_run(self, run_id: str, status: RunStatus, *, error: str | None = None) -> Run:
        with self._writing() as connection:
            return runs.complete_run(connection, run_id, status, now=self._clock(), error=error)

    def delete_run(self, run_id: str) -> None:
        with self._writing() as connection:
            runs.delete_run(connection, run_id)

    def record_model_run(self, run_id: str, model_id: str, status: ModelRunStatus = "pending") -> ModelRun:
        with self._writing() as connection:
            return runs.record_model_run(connection, run_id, model_id, status, now=self._clock(), new_id=self._new_id)

    def record_model_runs(self, run_id: str, model_runs: Sequence[NewModelRun]) -> list[str]:
        with self._writing() as connection:
            return runs.record_model_runs(connection, run_id, model_runs, now=self._clock(), new_id=self._new_id)

    def update_model_run(
        self,
        model_run_id: str,
        status: ModelRunStatus,
        *,
        rows_affected: int | None = None,
        execution_ms: int | None = None,
        error: str | None = None,
        reason: str | None = None,
        detail: str | None = None,
    ) -> ModelRun:
        with self._writing() as connection:
            return runs.update_model_run(
                connection,
                model_run_id,
                status,
                now=self._clock(),
                rows_affected=rows_affected,
                execution_ms=execution_ms,
                error=error,
                reason=reason,
                detail=detail,
            )

    # ------------------------------------------------------------------------------------------------------- models

    def register_model(self, registration: ModelRegistration) -> StoredModel:
        with self._writing() as connection:
            return registry.register_model(connection, registration, now=self._clock(), new_id=self._new_id)

    def register_models(self, facts: Sequence[ModelFacts]) -> dict[str, str]:
        with self._writing() as connection:
            return registry.register_models(connection, facts, now=self._clock(), new_id=self._new_id)

    def update_model_hash(self, model_id: str, content_hash: str) -> None:
        with self._writing() as connection:
            registry.update_model_hash(connection, model_id, content_hash, now=self._clock())

    def set_dependencies(self, model_id: str, parent_ids: Iterable[str]) -> None:
        with self._writing() as connection:
            registry.set_dependencies(connection, model_id, parent_ids)

    def set_column_lineage(self, model_path: str, lineage: Iterable[tuple[str, ColumnSource]]) -> None:
        with self._writing() as connection:
            registry.set_column_lineage(connection, model_path, lineage)

    # ------------------------------------------------------------------------------------------------------- traces

    def record_build(self, build: Build) -> None:
        with self._writing() as connection:
            traces.record_build(connection, build, now=self._clock())

    def record_data_versions(self, model_run_id: str, data_versions: Mapping[str, str]) -> None:
        with self._writing() as connection:
            traces.record_data_versions(connection, model_run_id, data_versions)

    def record_tests(self, model_run_id: str, tests_hash: str, results: Sequence[KeptTestResult] = ()) -> None:
        with self._writing() as connection:
            traces.record_tests(connection, model_run_id, tests_hash, results)

    def adopt_builds(self, environment: str, builds: Sequence[Build]) -> None:
        with self._writing() as connection:
            adoption.adopt_builds(connection, environment, builds, now=self._clock(), new_id=self._new_id)

    def forget_traces(self, environment: str, paths: Iterable[str]) -> None:
        with self._writing() as connection:
            adoption.forget_traces(connection, environment, paths)

    # ------------------------------------------------------------------------------------------------- environments

    def create_environment(self, name: str, *, commit_ref: str | None = None) -> StoredEnvironment:
        with self._writing() as connection:
            return environments.create_environment(connection, name, now=self._clock(), commit_ref=commit_ref)

    def set_environment_commit(self, name: str, commit_ref: str | None) -> StoredEnvironment:
        with self._writing() as connection:
            return environments.set_environment_commit(connection, name, commit_ref, now=self._clock())

    def delete_environment(self, name: str) -> None:
        with self._writing() as connection:
            environments.delete_environment(connection, name)
