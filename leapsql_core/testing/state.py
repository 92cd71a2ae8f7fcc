"""A state store in dictionaries: the fake to plan and execute against in tests."""

# ruff: noqa: D102 - what each method promises is said once, in leapsql_core.protocols, and inherited from there.

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from uuid import uuid4

from leapsql_core.models import (
    ColumnSource,
    KeptTestResult,
    ModelRegistration,
    ModelRun,
    Run,
    StoredEnvironment,
    StoredModel,
)
from leapsql_core.protocols import Build, ModelFacts, StateStore
from leapsql_core.state import refusals
from leapsql_core.state.notation import in_utc
from leapsql_core.testing.runs import InMemoryRuns
from leapsql_core.testing.tables import Tables


class InMemoryStateStore(InMemoryRuns, StateStore):
    """A `StateStore` that ends with its process and is used from one thread at a time.

    Like the one in SQLite it has to be opened and given a schema; closing it and opening it again loses nothing.
    `clock` returns aware times; `new_id` returns texts that never repeat.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_id: Callable[[], str] = lambda: str(uuid4()),
    ) -> None:
        self._clock = clock
        self._new_id = new_id
        self._open = False
        self._kept: Tables | None = None
        self._recorded = 0

    def open(self) -> None:
        self._open = True

    def close(self) -> None:
        self._open = False

    def init_schema(self) -> None:
        if not self._open:
            raise refusals.not_open("in memory")
        if self._kept is None:
            self._kept = Tables()

    @property
    def _tables(self) -> Tables:
        if not self._open:
            raise refusals.not_open("in memory")
        if self._kept is None:
            raise refusals.no_schema("in memory")
        return self._kept

    def _now(self) -> datetime:
        return in_utc(self._clock())

    def together(self) -> AbstractContextManager[None]:
        return self._joined()

    @contextmanager
    def _joined(self) -> Iterator[None]:
        before = self._tables.copied()
        try:
            yield
        except BaseException:
            self._kept = before
            raise

    # ------------------------------------------------------------------------------------------------------- models

    def register_model(self, registration: ModelRegistration) -> StoredModel:
        tables, now = self._tables, self._now()
        known_id = tables.model_ids.get(registration.path)
        if known_id is None:
            model = StoredModel(id=self._new_id(), **asdict(registration), created_at=now, updated_at=now)
        else:
            model = replace(tables.models[known_id], **asdict(registration))
            if model != tables.models[known_id]:
                model = replace(model, updated_at=now)
        tables.models[model.id] = model
        tables.model_ids[model.path] = model.id
        return model

    def register_models(self, facts: Sequence[ModelFacts]) -> dict[str, str]:
        refusals.check_facts(facts, self._tables.model_ids)
        written = {fact.registration.path: self.register_model(fact.registration).id for fact in facts}
        ids = self._tables.model_ids
        for fact in facts:
            self.set_dependencies(ids[fact.registration.path], [ids[parent] for parent in fact.parents])
            self.set_column_lineage(fact.registration.path, fact.lineage)
        return written

    def update_model_hash(self, model_id: str, content_hash: str) -> None:
        model = self.get_model_by_id(model_id)
        if model.content_hash != content_hash:
            self._tables.models[model_id] = replace(model, content_hash=content_hash, updated_at=self._now())

    def set_dependencies(self, model_id: str, parent_ids: Iterable[str]) -> None:
        parents = tuple(parent_ids)
        refusals.check_parents(model_id, parents, self._tables.models)
        self._tables.dependencies[model_id] = frozenset(parents)

    def set_column_lineage(self, model_path: str, lineage: Iterable[tuple[str, ColumnSource]]) -> None:
        self._tables.lineage[model_path] = frozenset(lineage)

    # ------------------------------------------------------------------------------------------------------- traces

    def record_build(self, build: Build) -> None:
        tables = self._tables
        before = self._get_model_run(build.trace.model_run_id)
        refusals.check_transition(before, "success")
        environment = tables.runs[before.run_id].environment
        refusals.check_build(build, model_path=tables.models[before.model_id].path, environment=environment)
        tables.keep_build(build, now=self._now())

    def adopt_builds(self, environment: str, builds: Sequence[Build]) -> None:
        tables, now = self._tables, self._now()
        refusals.check_adoption(builds, environment=environment, known=tables.model_ids)
        tables.environments.setdefault(environment, StoredEnvironment(environment, None, now, now))
        lost = sorted(
            (build.trace for build in builds if build.trace.model_run_id not in tables.model_runs),
            key=lambda trace: trace.built_at,
        )
        if lost:
            first, last = in_utc(lost[0].built_at), in_utc(lost[-1].built_at)
            run = Run(self._new_id(), environment, "completed", started_at=first, completed_at=last)
            tables.runs[run.id] = run
        for trace in lost:
            self._recorded += 1
            tables.sequence[trace.model_run_id] = self._recorded
            began = in_utc(trace.built_at)
            reason, detail = refusals.ADOPTED
            tables.model_runs[trace.model_run_id] = ModelRun(
                id=trace.model_run_id,
                run_id=run.id,
                model_id=tables.model_ids[trace.model_path],
                status="running",
                started_at=began,
                reason=reason,
                detail=detail,
            )
        ids = {trace.model_run_id for trace in lost}
        for build in builds:
            adopted = build.trace.model_run_id in ids
            tables.keep_build(build, now=in_utc(build.trace.built_at) if adopted else now)

    def forget_traces(self, environment: str, paths: Iterable[str]) -> None:
        tables = self._tables
        for path in paths:
            model_run_id = tables.current.pop((environment, tables.model_ids.get(path, "")), None)
            if model_run_id is not None:
                tables.drop_loose_traces([model_run_id])

    def record_data_versions(self, model_run_id: str, data_versions: Mapping[str, str]) -> None:
        self._check_trace(model_run_id)
        self._tables.data_versions[model_run_id].update(data_versions)

    def record_tests(self, model_run_id: str, tests_hash: str, results: Sequence[KeptTestResult] = ()) -> None:
        self._check_trace(model_run_id)
        traces = self._tables.traces
        traces[model_run_id] = replace(traces[model_run_id], tests_hash=tests_hash)
        self._tables.keep_tests(model_run_id, results)

    def _check_trace(self, model_run_id: str) -> None:
        if model_run_id not in self._tables.traces:
            raise refusals.unknown_trace(model_run_id)

    # ------------------------------------------------------------------------------------------------- environments

    def create_environment(self, name: str, *, commit_ref: str | None = None) -> StoredEnvironment:
        if name in self._tables.environments:
            raise refusals.environment_exists(name)
        now = self._now()
        environment = StoredEnvironment(name, commit_ref, now, now)
        self._tables.environments[name] = environment
        return environment

    def set_environment_commit(self, name: str, commit_ref: str | None) -> StoredEnvironment:
        environment = replace(self.get_environment(name), commit_ref=commit_ref, updated_at=self._now())
        self._tables.environments[name] = environment
        return environment

    def delete_environment(self, name: str) -> None:
        self.get_environment(name)
        tables = self._tables
        runs = [run for run in tables.runs.values() if run.environment == name]
        for run in runs:
            if run.status == "running":
                raise refusals.environment_runs(name, run.id)
        del tables.environments[name]
        forgotten = {key: id_ for key, id_ in tables.current.items() if key[0] == name}
        for key in forgotten:
            del tables.current[key]
        for run in runs:
            tables.forget_run(run.id)
        tables.drop_loose_traces(forgotten.values())
