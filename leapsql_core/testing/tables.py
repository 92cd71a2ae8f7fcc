"""What the state store in memory holds, as plain dictionaries."""

from __future__ import annotations

import json
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from leapsql_core.models import (
    CodeVersion,
    ColumnSource,
    KeptTestResult,
    Lease,
    ModelRun,
    PartitionTrace,
    Run,
    StoredEnvironment,
    StoredModel,
    Trace,
)
from leapsql_core.protocols import Build
from leapsql_core.state import refusals
from leapsql_core.state.notation import in_utc, write_config


@dataclass(slots=True)
class Tables:
    """Records by id, in the order they were recorded.

    ``sequence`` numbers model runs, by id, and goes on where model runs were deleted. ``current`` names, by environment
    and model id, the model run whose trace is the current one, ``partitions`` those of its relation. Keys of the rest:
    environments for ``leases``, model paths for ``model_ids`` and ``lineage``, model run ids for ``traces``,
    ``data_versions`` and ``test_results``, hashes for ``texts`` and ``code_versions``.
    """

    history: str = field(default_factory=lambda: uuid4().hex)
    environments: dict[str, StoredEnvironment] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    models: dict[str, StoredModel] = field(default_factory=dict)
    model_ids: dict[str, str] = field(default_factory=dict)
    model_runs: dict[str, ModelRun] = field(default_factory=dict)
    sequence: dict[str, int] = field(default_factory=dict)
    dependencies: dict[str, frozenset[str]] = field(default_factory=dict)
    lineage: dict[str, frozenset[tuple[str, ColumnSource]]] = field(default_factory=dict)
    traces: dict[str, Trace] = field(default_factory=dict)
    current: dict[tuple[str, str], str] = field(default_factory=dict)
    data_versions: dict[str, dict[str, str]] = field(default_factory=dict)
    test_results: dict[str, tuple[KeptTestResult, ...]] = field(default_factory=dict)
    partitions: dict[tuple[str, str], tuple[PartitionTrace, ...]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    code_versions: dict[str, CodeVersion] = field(default_factory=dict)

    def copied(self) -> Tables:
        """Return the same records in tables of their own."""
        kept: dict[str, Any] = {one.name: copy(getattr(self, one.name)) for one in fields(self)}
        kept["data_versions"] = {name: dict(held) for name, held in self.data_versions.items()}
        return Tables(**kept)

    def keep_build(self, build: Build, *, now: datetime) -> None:
        """End the model run of a build as a success and make its trace the current one, with all that it holds."""
        trace, code = replace(build.trace, built_at=in_utc(build.trace.built_at)), build.code
        config = json.loads(write_config(code.content_hash, code.config))
        before = self.model_runs[trace.model_run_id]
        self.model_runs[before.id] = replace(
            before,
            status="success",
            completed_at=now,
            error=None,
            rows_affected=before.rows_affected if build.rows_affected is None else build.rows_affected,
            execution_ms=before.execution_ms if build.execution_ms is None else build.execution_ms,
            render_ms=build.render_ms,
            content_hash=trace.content_hash,
            data_version=trace.data_version,
        )
        if before.id not in self.traces:
            self.traces[before.id] = trace
            self.data_versions[before.id] = dict(build.data_versions)
            self.keep_tests(before.id, build.tests)
        replaced = self.current.get((trace.environment, before.model_id), before.id)
        self.current[trace.environment, before.model_id] = before.id
        partitions = (replace(one, built_at=in_utc(one.built_at)) for one in build.partitions)
        self.partitions[trace.environment, before.model_id] = tuple(sorted(partitions, key=lambda one: one.key))
        self.drop_loose_traces([replaced])
        kept = CodeVersion(code.content_hash, code.rendered_sql, code.rendered_incremental_sql, config)
        self.code_versions.setdefault(code.content_hash, kept)
        for hash_, text in build.texts.items():
            self.texts.setdefault(hash_, text)

    def keep_tests(self, model_run_id: str, results: Iterable[KeptTestResult]) -> None:
        """Keep these results of a trace, in the place of all that were kept of it."""
        by_test: dict[str, KeptTestResult] = {}
        for result in results:
            by_test.setdefault(result.test, replace(result, tested_at=in_utc(result.tested_at)))
        self.test_results[model_run_id] = tuple(sorted(by_test.values(), key=lambda kept: (kept.label, kept.test)))

    def give_back_lease(self, run: Run) -> None:
        """Let the next run begin in the environment of one that has ended."""
        lease = self.leases.get(run.environment)
        if lease is not None and lease.run_id == run.id:
            del self.leases[run.environment]

    def running(self, environment: str, *, but: str | None) -> list[Run]:
        """Return the runs of an environment that run, the oldest first, `but` one."""
        running = [run for run in self.runs.values() if run.environment == environment and run.status == "running"]
        return sorted((run for run in running if run.id != but), key=lambda run: run.started_at)

    def close_dead_runs(self, runs: Iterable[Run]) -> list[str]:
        """End runs that their processes have left; their ids."""
        return [self._close_dead_run(run) for run in runs]

    def _close_dead_run(self, run: Run) -> str:
        """End a run that its process has left, with the last that is known of it."""
        rows = [row for row in self.model_runs.values() if row.run_id == run.id]
        times = [run.started_at, *(time for row in rows for time in (row.started_at, row.completed_at) if time)]
        self.close_model_runs(run, ended=max(times), error=refusals.DIED_BUILDING, left_out=refusals.NEVER_BEGUN)
        self.runs[run.id] = replace(run, status="failed", completed_at=max(times), error=refusals.DIED)
        self.give_back_lease(run)
        return run.id

    def untold_runs(self, environment: str) -> list[Run]:
        """Return the ended runs, since the last that completed, in which something is open; the oldest first."""
        ended = [run for run in self.runs.values() if run.environment == environment and run.status != "running"]
        since = max((run.started_at for run in ended if run.status == "completed"), default=None)
        open_in = {row.run_id for row in self.model_runs.values() if row.status in ("pending", "running")}
        found = [run for run in ended if run.id in open_in and (since is None or run.started_at >= since)]
        return sorted(found, key=lambda run: run.started_at)

    def close_model_runs(self, run: Run, *, ended: datetime | None, error: str, left_out: tuple[str, str]) -> None:
        """End what is open in a run: what was running has failed, what was pending is skipped."""
        reason, detail = left_out
        for row in [row for row in self.model_runs.values() if row.run_id == run.id]:
            if row.status == "running":
                row = replace(row, status="failed", completed_at=ended, error=error)
            elif row.status == "pending":
                row = replace(row, status="skipped", completed_at=ended, reason=reason, detail=detail)
            self.model_runs[row.id] = row

    def forget_run(self, run_id: str) -> None:
        """Delete a run with its model runs, and those of their traces that are not current."""
        self.give_back_lease(self.runs.pop(run_id))
        gone = [model_run.id for model_run in self.model_runs.values() if model_run.run_id == run_id]
        for model_run_id in gone:
            del self.model_runs[model_run_id]
        self.drop_loose_traces(gone)

    def drop_loose_traces(self, model_run_ids: Iterable[str]) -> None:
        """Delete those traces that are not current and whose model run is gone."""
        for model_run_id in model_run_ids:
            trace = self.traces.get(model_run_id)
            if trace is None or model_run_id in self.model_runs:
                continue
            if self.current.get((trace.environment, self.model_ids[trace.model_path])) != model_run_id:
                del self.traces[model_run_id], self.data_versions[model_run_id], self.test_results[model_run_id]
