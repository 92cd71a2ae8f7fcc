"""What the tests of the state record: small samples, a clock that is set by hand, and ids that can be foreseen."""

from __future__ import annotations

import resource
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from leapsql_core.models import CodeVersion, Column, ColumnSource, KeptTestResult, ModelRegistration, Trace, TraceInput
from leapsql_core.protocols import Build, ModelFacts, StateReader

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> datetime:
        self.now += timedelta(**by)
        return self.now


class Ids:
    """Ids that count up from ``id-1``."""

    def __init__(self) -> None:
        self.given = 0

    def __call__(self) -> str:
        self.given += 1
        return f"id-{self.given}"


def registration(path: str = "staging.orders", **changes: Any) -> ModelRegistration:
    values: dict[str, Any] = {"path": path, "name": path.rpartition(".")[2], "materialized": "table"}
    return ModelRegistration(**{**values, "content_hash": f"hash of {path}", **changes})


def facts(path: str, *parents: str, lineage: tuple[tuple[str, ColumnSource], ...] = (), **changes: Any) -> ModelFacts:
    return ModelFacts(registration(path, **changes), parents=parents, lineage=lineage)


def build(
    model_run_id: str,
    path: str = "staging.orders",
    *,
    environment: str = "dev",
    content_hash: str = "content 1",
    texts: Mapping[str, str] | None = None,
    data_versions: Mapping[str, str] | None = None,
    config: Mapping[str, Any] | None = None,
    rows_affected: int | None = 3,
    execution_ms: int | None = 40,
    render_ms: int | None = 5,
    tests: tuple[KeptTestResult, ...] = (),
    **changes: Any,
) -> Build:
    trace: dict[str, Any] = {
        "model_run_id": model_run_id,
        "model_path": path,
        "environment": environment,
        "materialized": "table",
        "relation": "staging.orders",
        "content_hash": content_hash,
        "code_version": "code 1",
        "query_hash": "query 1",
        "incremental_query_hash": None,
        "data_version": "data 1",
        "columns": (Column("id", "BIGINT"), Column("größe", "DECIMAL(18,3)")),
        "tests_hash": "tests 1",
        "inputs": (
            TraceInput(
                "raw.orders", '"raw"."orders"', ("id", "b"), "input 1", (Column("id", "INTEGER"), Column("b", "DATE"))
            ),
            TraceInput("raw.all", '"raw"."all"', None, None),
            TraceInput("raw.count", '"raw"."count"', (), "input 3"),
        ),
        "built_at": NOON,
    }
    return Build(
        trace=Trace(**{**trace, **changes}),
        code=CodeVersion(content_hash, f"select {content_hash!r}", None, {} if config is None else config),
        texts={"query 1": "select 1"} if texts is None else texts,
        data_versions={"*": "data 1"} if data_versions is None else data_versions,
        tests=tests,
        rows_affected=rows_affected,
        execution_ms=execution_ms,
        render_ms=render_ms,
    )


def kept(test: str = "test 1", **changes: Any) -> KeptTestResult:
    values: dict[str, Any] = {
        "basis": "basis 1",
        "label": f"label of {test}",
        "failures": 0,
        "columns": (),
        "sample": (),
    }
    return KeptTestResult(test=test, **{**values, "tested_at": NOON, **changes})


def record_new_build(store: Any, path: str = "staging.orders", *, environment: str = "dev", **changes: Any) -> str:
    """Record a run that builds one model; the id of its model run."""
    model = store.register_model(registration(path))
    run = store.create_run(environment)
    model_run_id: str = store.record_model_run(run.id, model.id, "running").id
    store.record_build(build(model_run_id, path, environment=environment, **changes))
    store.complete_run(run.id, "completed")
    return model_run_id


def record_failure(store: Any, path: str = "staging.orders", *, environment: str = "dev", error: str = "no") -> str:
    """Record a run in which one model fails; the id of its model run."""
    model = store.register_model(registration(path))
    run = store.create_run(environment)
    model_run_id: str = store.record_model_run(run.id, model.id, "running").id
    store.update_model_run(model_run_id, "failed", error=error)
    store.complete_run(run.id, "failed")
    return model_run_id


def delete_runs(store: Any) -> None:
    for run in store.list_runs(limit=1000):
        store.delete_run(run.id)


def contents(store: StateReader, *, hashes: tuple[str, ...] = ("query 1",)) -> dict[str, Any]:
    """All that can be read of a state."""
    runs = store.list_runs(limit=1000)
    models = store.list_models()
    environments = store.list_environments()
    return {
        "runs": runs,
        "leases": {environment.name: store.get_lease(environment.name) for environment in environments},
        "latest runs": {name.name: store.get_latest_run(name.name) for name in environments},
        "model runs": {run.id: store.get_model_runs_for_run(run.id) for run in runs},
        "models": models,
        "parents": {model.path: store.get_dependencies(model.id) for model in models},
        "children": {model.path: store.get_dependents(model.id) for model in models},
        "lineage": {model.path: store.get_column_lineage(model.path) for model in models},
        "latest model runs": {
            (model.path, name): store.get_latest_model_run(model.id, environment=name)
            for model in models
            for name in (None, *(environment.name for environment in environments))
        },
        "environments": environments,
        "snapshots": {environment.name: store.read_snapshot(environment.name) for environment in environments},
        "test results": {environment.name: store.read_test_results(environment.name) for environment in environments},
        "texts": store.read_texts(hashes),
        "code versions": store.read_code_versions(["content 1", "content 2", "content 3"]),
    }


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let no file grow beyond `size` bytes: to write more fails, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
