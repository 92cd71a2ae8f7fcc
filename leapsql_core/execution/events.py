"""What a run tells while it goes on; the command line and Dagster show nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from leapsql_core.models import Column, DataTestResult, Decision, Node, PartitionTrace, RunStatus
from leapsql_core.planning import Plan


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run has begun and has decided.

    ``adopted`` are models whose builds the state had lost, and the warehouse told of. ``sources`` holds the versions
    of the sources that were looked at, on all that is read of them.
    """

    run_id: str
    environment: str
    plan: Plan
    adopted: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelStarted:
    """A model is being built, or its tests are being run."""

    path: str
    decision: Decision


@dataclass(frozen=True, slots=True)
class ModelFinished:
    """A model is done. What a build made stands here for ``success`` alone.

    ``rows_affected`` counts rows written, ``row_count`` rows that the relation now holds; ``execution_ms`` and
    ``render_ms`` are milliseconds. ``sql`` is the query that ran, with secrets masked. ``moved`` names the inputs that
    were not as the last build had read them. ``difference`` is how the query differs from the one built last, as a
    unified diff. ``partitions`` are those that were built, of a model that has some.
    """

    node: Node
    status: Literal["success", "skipped", "failed"]
    reason: str
    detail: str
    model_run_id: str
    code_version: str
    data_version: str | None = None
    rows_affected: int | None = None
    row_count: int | None = None
    columns: tuple[Column, ...] = ()
    tests: tuple[DataTestResult, ...] = ()
    execution_ms: int | None = None
    render_ms: int | None = None
    sql: str | None = None
    moved: tuple[str, ...] = ()
    difference: str | None = None
    partitions: tuple[PartitionTrace, ...] = ()
    error: str | None = None

    @property
    def path(self) -> str:
        """The model's path."""
        return self.node.path


@dataclass(frozen=True, slots=True)
class RunFinished:
    """A run has ended; ``error`` says what failed."""

    run_id: str
    environment: str
    status: RunStatus
    error: str | None = None


Event = RunStarted | ModelStarted | ModelFinished | RunFinished
