"""The state store, with the records that it takes.

`StateReader` is what planning, definitions and sensors are given: it cannot write. `StateWriter` is what a run adds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from leapsql_core.models import (
    CodeVersion,
    ColumnSource,
    Holder,
    KeptTestResult,
    Lease,
    ModelRegistration,
    ModelRun,
    ModelRunStatus,
    PartitionTrace,
    Request,
    Run,
    RunStatus,
    Snapshot,
    StoredEnvironment,
    StoredModel,
    Trace,
)


@dataclass(frozen=True, slots=True)
class NewModelRun:
    """A model run to be recorded, as one of many."""

    model_id: str
    status: ModelRunStatus
    content_hash: str | None = None
    reason: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Build:
    """One successful build, as the state keeps it: all of it is written, or nothing.

    ``texts`` maps the hashes that the trace names to resolved texts; ``data_versions`` maps column set keys to the
    version that the new relation has on them; ``tests`` are the results of its tests. ``partitions`` are all that the
    relation then has, whichever build they are of. Milliseconds, rows.
    """

    trace: Trace
    code: CodeVersion
    texts: Mapping[str, str]
    data_versions: Mapping[str, str]
    tests: tuple[KeptTestResult, ...] = ()
    rows_affected: int | None = None
    execution_ms: int | None = None
    render_ms: int | None = None
    partitions: tuple[PartitionTrace, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model or seed as a run registers it: itself, the paths it reads, and its column lineage."""

    registration: ModelRegistration
    parents: tuple[str, ...] = ()
    lineage: tuple[tuple[str, ColumnSource], ...] = ()


class StateReader(Protocol):
    """The state, read only. Every method raises `StateError` for a database that cannot be read."""

    def close(self) -> None:
        """Let go of the database; closing twice is fine."""

    def get_run(self, run_id: str) -> Run:
        """Return a run; `StateError` if the id is unknown."""

    def get_latest_run(self, environment: str) -> Run | None:
        """Return the run of `environment` that started last, ``None`` if there was none."""

    def list_runs(self, *, environment: str | None = None, limit: int = 20) -> list[Run]:
        """Return runs, the latest first."""

    def get_lease(self, environment: str) -> Lease | None:
        """Return which run has the lease of `environment`, ``None`` if none has."""

    def list_open_runs(self, environment: str, *, is_dead: Callable[[Lease], bool]) -> list[Run]:
        """Return the runs of `environment` that run though their processes have left them, the oldest first.

        Those are all that run, but the one that has the lease, unless that `is_dead`.
        """

    def get_model_by_id(self, model_id: str) -> StoredModel:
        """Return a registered model; `StateError` if the id is unknown."""

    def get_model_by_path(self, path: str) -> StoredModel:
        """Return a registered model; `StateError` if the path is unknown."""

    def list_models(self) -> list[StoredModel]:
        """Return all registered models and seeds, by path."""

    def get_model_runs_for_run(self, run_id: str) -> list[ModelRun]:
        """Return the model runs of a run in the order they were recorded; `StateError` if the run is unknown."""

    def get_latest_model_run(self, model_id: str, *, environment: str | None = None) -> ModelRun | None:
        """Return the model run recorded last, in one environment or any; `StateError` if the model is unknown."""

    def get_dependencies(self, model_id: str) -> list[str]:
        """Return the ids of the models that `model_id` reads, by path; `StateError` if it is unknown."""

    def get_dependents(self, model_id: str) -> list[str]:
        """Return the ids of the models that read `model_id`, by path; `StateError` if it is unknown."""

    def get_environment(self, name: str) -> StoredEnvironment:
        """Return an environment; `StateError` if the state does not know it."""

    def list_environments(self) -> list[StoredEnvironment]:
        """Return the environments by name."""

    def get_column_lineage(self, model_path: str) -> list[tuple[str, ColumnSource]]:
        """Return pairs of output column and a column it comes from, sorted; none for a path without lineage."""

    def read_history(self) -> str | None:
        """Return the id made with this state, which marks what it builds; ``None`` while there is no state."""

    def read_snapshot(self, environment: str) -> Snapshot:
        """Return all that decisions need of one environment, read in one transaction and few statements."""

    def read_texts(self, hashes: Iterable[str]) -> dict[str, str]:
        """Return the resolved texts kept under `hashes`; unknown ones are left out."""

    def read_code_versions(self, content_hashes: Iterable[str]) -> dict[str, CodeVersion]:
        """Return text and configuration behind `content_hashes`; unknown ones are left out."""

    def read_test_results(self, environment: str) -> dict[str, tuple[KeptTestResult, ...]]:
        """Return, by path, what tests have found in the relations of the current traces of one environment."""


class StateWriter(Protocol):
    """What a run writes. Each call is one transaction: it is recorded whole or not at all."""

    def together(self) -> AbstractContextManager[None]:
        """Make one transaction of all that is written in the block: whatever it raises, then nothing of it is."""

    def create_run(
        self, environment: str, *, orchestrator_run_id: str | None = None, request: Request | None = None
    ) -> Run:
        """Begin a run without a lease; the environment comes to be if the state does not know it.

        `request` is what it was asked, ``None`` if nobody knows.
        """

    def begin_run(
        self,
        environment: str,
        holder: Holder,
        *,
        is_dead: Callable[[Lease, datetime], bool],
        orchestrator_run_id: str | None = None,
        request: Request | None = None,
    ) -> Run | Lease:
        """Begin a run that has the lease of its environment, or return the lease of the one that has it.

        A lease that `is_dead`, judged at the moment given with it, is taken over; the run that had it stays as it is
        until `close_dead_runs`.
        """

    def renew_lease(self, run_id: str) -> bool:
        """Note that a run goes on; ``False`` if it has no lease: it was ended, or taken for dead."""

    def close_dead_runs(self, run_id: str) -> list[str]:
        """End as failed what else is running in the environment of `run_id`, which has its lease; the ids of these.

        Model runs that were running have failed, those that were pending are skipped as ``cancelled``; all of them end
        with the last that is known of their run. So do those that runs which ended by themselves have left open; the
        ids of these runs come first. `StateError` if unknown, or without the lease.
        """

    def close_open_runs(self, environment: str, *, is_dead: Callable[[Lease], bool]) -> list[str]:
        """End what `list_open_runs` returns as `close_dead_runs` does, and give their leases back; the ids of these."""

    def complete_run(self, run_id: str, status: RunStatus, *, error: str | None = None) -> Run:
        """End a run as completed, failed or cancelled, and its lease; `StateError` if unknown, or ended already."""

    def delete_run(self, run_id: str) -> None:
        """Forget a run and its model runs; current traces stay. `StateError` if unknown or still running."""

    def register_model(self, registration: ModelRegistration) -> StoredModel:
        """Register a model by path; a known path is updated and keeps its id and creation time."""

    def update_model_hash(self, model_id: str, content_hash: str) -> None:
        """Set the content hash last registered; `StateError` if the id is unknown."""

    def set_dependencies(self, model_id: str, parent_ids: Iterable[str]) -> None:
        """Replace what a model reads; `StateError` if any id is unknown or a model would read itself."""

    def set_column_lineage(self, model_path: str, lineage: Iterable[tuple[str, ColumnSource]]) -> None:
        """Replace the column lineage of a model."""

    def register_models(self, facts: Sequence[ModelFacts]) -> dict[str, str]:
        """Register many at once with dependencies and lineage, writing only what differs; ids by path.

        Parents that are not among `facts` must be registered already, else `StateError`.
        """

    def record_model_run(self, run_id: str, model_id: str, status: ModelRunStatus = "pending") -> ModelRun:
        """Record a model within a running run; `StateError` for unknown ids or a run that has ended."""

    def record_model_runs(self, run_id: str, model_runs: Sequence[NewModelRun]) -> list[str]:
        """Record many at once; their ids, in order."""

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
        """Move a model run on: pending → running → success, failed or skipped; pending may end at once.

        What is ``None`` keeps its value. `StateError` if unknown, or if it has ended already.
        """

    def record_build(self, build: Build) -> None:
        """Record a success: the model run ends, its trace becomes the current one, texts and versions are kept."""

    def record_data_versions(self, model_run_id: str, data_versions: Mapping[str, str]) -> None:
        """Keep versions of further column sets of the relation that a model run made; `StateError` if unknown."""

    def record_tests(self, model_run_id: str, tests_hash: str, results: Sequence[KeptTestResult] = ()) -> None:
        """Note in a trace which tests have passed on its relation since, and the results of all of its tests.

        `StateError` if there is no such trace.
        """

    def adopt_builds(self, environment: str, builds: Sequence[Build]) -> None:
        """Record builds that the warehouse has and the state lost, each under the id of its model run.

        Model runs that the state knows end as successes, whatever it took them for; the others come to be, in a run of
        their own that is ``completed``. The environment comes to be if the state does not know it; `StateError` for a
        model that is not registered.
        """

    def forget_traces(self, environment: str, paths: Iterable[str]) -> None:
        """Forget the current traces of models, as if they had never been built; those without one are passed over."""

    def create_environment(self, name: str, *, commit_ref: str | None = None) -> StoredEnvironment:
        """Create an environment; `StateError` if there is one of that name."""

    def set_environment_commit(self, name: str, commit_ref: str | None) -> StoredEnvironment:
        """Note the commit that an environment stands at; `StateError` if the environment is unknown."""

    def delete_environment(self, name: str) -> None:
        """Forget an environment with its runs and traces; `StateError` if unknown or while one of its runs runs."""


class StateStore(StateReader, StateWriter, Protocol):
    """The whole store: what reads, what writes, and its opening."""

    def open(self) -> None:
        """Connect, making the file and its folder if need be; opening twice is fine."""

    def init_schema(self) -> None:
        """Bring the schema up to date, in numbered steps; `StateError` if the database is newer than the code."""
