"""What the state store in memory holds, as plain dictionaries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import uuid4

from leapsql_core.models import CodeVersion, ColumnSource, ModelRun, Run, StoredEnvironment, StoredModel, Trace


@dataclass(slots=True)
class Tables:
    """Records by id, in the order they were recorded.

    ``sequence`` numbers model runs, by id, and goes on where model runs were deleted. ``current`` names, by environment
    and model id, the model run whose trace is the current one. Keys of the rest: model paths for ``model_ids`` and
    ``lineage``, model run ids for ``traces`` and ``data_versions``, hashes for ``texts`` and ``code_versions``.
    """

    history: str = field(default_factory=lambda: uuid4().hex)
    environments: dict[str, StoredEnvironment] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    models: dict[str, StoredModel] = field(default_factory=dict)
    model_ids: dict[str, str] = field(default_factory=dict)
    model_runs: dict[str, ModelRun] = field(default_factory=dict)
    sequence: dict[str, int] = field(default_factory=dict)
    dependencies: dict[str, frozenset[str]] = field(default_factory=dict)
    lineage: dict[str, frozenset[tuple[str, ColumnSource]]] = field(default_factory=dict)
    traces: dict[str, Trace] = field(default_factory=dict)
    current: dict[tuple[str, str], str] = field(default_factory=dict)
    data_versions: dict[str, dict[str, str]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    code_versions: dict[str, CodeVersion] = field(default_factory=dict)

    def forget_run(self, run_id: str) -> None:
        """Delete a run with its model runs, and those of their traces that are not current."""
        del self.runs[run_id]
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
                del self.traces[model_run_id], self.data_versions[model_run_id]
