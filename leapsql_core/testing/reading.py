"""Reading the state store in memory."""

# ruff: noqa: D102 - what each question promises is said once, in leapsql_core.protocols, and inherited from there.

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable, Iterable

from leapsql_core.models import (
    CodeVersion,
    ColumnSource,
    Failure,
    KeptTestResult,
    Lease,
    ModelRun,
    Run,
    Snapshot,
    StoredEnvironment,
    StoredModel,
)
from leapsql_core.protocols import StateReader
from leapsql_core.state import refusals
from leapsql_core.testing.tables import Tables


class InMemoryReading(StateReader):
    """The questions of a `StateReader`, answered from dictionaries."""

    @property
    @abstractmethod
    def _tables(self) -> Tables:
        """What the store holds; `StateError` if it is not open."""

    def get_run(self, run_id: str) -> Run:
        run = self._tables.runs.get(run_id)
        if run is None:
            raise refusals.unknown_run(run_id)
        return run

    def get_latest_run(self, environment: str) -> Run | None:
        return next(iter(self.list_runs(environment=environment, limit=1)), None)

    def list_runs(self, *, environment: str | None = None, limit: int = 20) -> list[Run]:
        refusals.check_limit(limit)
        recorded_last_first = reversed(self._tables.runs.values())
        latest_first = sorted(recorded_last_first, key=lambda run: run.started_at, reverse=True)
        return [run for run in latest_first if environment in (None, run.environment)][:limit]

    def get_lease(self, environment: str) -> Lease | None:
        return self._tables.leases.get(environment)

    def list_open_runs(self, environment: str, *, is_dead: Callable[[Lease], bool]) -> list[Run]:
        lease = self._tables.leases.get(environment)
        living = None if lease is None or is_dead(lease) else lease.run_id
        return self._tables.running(environment, but=living)

    def get_model_by_id(self, model_id: str) -> StoredModel:
        model = self._tables.models.get(model_id)
        if model is None:
            raise refusals.unknown_model(model_id)
        return model

    def get_model_by_path(self, path: str) -> StoredModel:
        ids = self._tables.model_ids
        if path not in ids:
            raise refusals.unknown_path(path, ids)
        return self._tables.models[ids[path]]

    def list_models(self) -> list[StoredModel]:
        return sorted(self._tables.models.values(), key=lambda model: model.path)

    def get_model_runs_for_run(self, run_id: str) -> list[ModelRun]:
        run = self.get_run(run_id)
        return [model_run for model_run in self._tables.model_runs.values() if model_run.run_id == run.id]

    def get_latest_model_run(self, model_id: str, *, environment: str | None = None) -> ModelRun | None:
        model, runs = self.get_model_by_id(model_id), self._tables.runs
        for model_run in reversed(self._tables.model_runs.values()):
            if model_run.model_id == model.id and environment in (None, runs[model_run.run_id].environment):
                return model_run
        return None

    def get_dependencies(self, model_id: str) -> list[str]:
        parents = self._tables.dependencies.get(self.get_model_by_id(model_id).id, frozenset())
        return [model.id for model in self.list_models() if model.id in parents]

    def get_dependents(self, model_id: str) -> list[str]:
        parent, dependencies = self.get_model_by_id(model_id), self._tables.dependencies
        return [model.id for model in self.list_models() if parent.id in dependencies.get(model.id, ())]

    def get_environment(self, name: str) -> StoredEnvironment:
        environment = self._tables.environments.get(name)
        if environment is None:
            raise refusals.unknown_environment(name, self._tables.environments)
        return environment

    def list_environments(self) -> list[StoredEnvironment]:
        return sorted(self._tables.environments.values(), key=lambda environment: environment.name)

    def get_column_lineage(self, model_path: str) -> list[tuple[str, ColumnSource]]:
        return sorted(self._tables.lineage.get(model_path, ()))

    def read_history(self) -> str | None:
        return self._tables.history

    def read_snapshot(self, environment: str) -> Snapshot:
        tables = self._tables
        traces = [tables.traces[id_] for (name, _), id_ in tables.current.items() if name == environment]
        return Snapshot(
            environment,
            traces={trace.model_path: trace for trace in sorted(traces, key=lambda trace: trace.model_path)},
            data_versions={
                trace.model_run_id: dict(sorted(tables.data_versions[trace.model_run_id].items()))
                for trace in traces
                if tables.data_versions.get(trace.model_run_id)
            },
            failures=dict(sorted(self._failures(environment).items())),
        )

    def _failures(self, environment: str) -> dict[str, Failure]:
        tables, failures = self._tables, dict[str, Failure]()
        for model_run in tables.model_runs.values():
            if model_run.status != "failed" or tables.runs[model_run.run_id].environment != environment:
                continue
            current = tables.current.get((environment, model_run.model_id))
            if current is None or tables.sequence[model_run.id] > tables.sequence[current]:
                path = tables.models[model_run.model_id].path
                attempts = failures[path].attempts + 1 if path in failures else 1
                failures[path] = Failure(attempts, model_run.content_hash, model_run.error)
        return failures

    def read_texts(self, hashes: Iterable[str]) -> dict[str, str]:
        wanted = set(hashes)
        return {hash_: text for hash_, text in sorted(self._tables.texts.items()) if hash_ in wanted}

    def read_code_versions(self, content_hashes: Iterable[str]) -> dict[str, CodeVersion]:
        wanted = set(content_hashes)
        return {
            hash_: copy.deepcopy(code) for hash_, code in sorted(self._tables.code_versions.items()) if hash_ in wanted
        }

    def read_test_results(self, environment: str) -> dict[str, tuple[KeptTestResult, ...]]:
        tables = self._tables
        found = {
            tables.traces[id_].model_path: tables.test_results[id_]
            for (name, _), id_ in tables.current.items()
            if name == environment and tables.test_results.get(id_)
        }
        return dict(sorted(found.items()))
