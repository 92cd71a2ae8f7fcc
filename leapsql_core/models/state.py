"""What the state keeps: runs and their leases, registered models, what builds read and made, and what failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from leapsql_core.models.configuration import Materialized
from leapsql_core.models.relations import Column, ColumnSet

RunStatus = Literal["running", "completed", "failed", "cancelled"]
ModelRunStatus = Literal["pending", "running", "success", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Request:
    """What a run was asked, beside its selection: that is what a retry of it does, too.

    ``partitions`` are the first and the last that it was of. ``defer_to`` is the environment in which it read what it
    did not build, ``state_of`` the path of the state of that one, where it was named.
    """

    force: bool = False
    full_refresh: bool = False
    partitions: tuple[str, str] | None = None
    defer_to: str | None = None
    state_of: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One pipeline execution; ``request`` is ``None`` where nobody noted it."""

    id: str
    environment: str
    status: RunStatus
    started_at: datetime
    completed_at: datetime | None = None
    error: str | None = None
    orchestrator_run_id: str | None = None
    request: Request | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that runs models: its host, its number there, and what tells it from a later one of that number.

    ``began`` is compared and not read; ``None`` where the host does not tell.
    """

    host: str
    pid: int
    began: str | None

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to run in an environment: which run has it, in which process, and when that last said that it lives."""

    environment: str
    run_id: str
    holder: Holder
    taken_at: datetime
    heartbeat_at: datetime

    def __str__(self) -> str:
        return f"run {self.run_id} of {self.holder}"


@dataclass(frozen=True, slots=True)
class ModelRegistration:
    """What the state is told of a model or seed of the project."""

    path: str
    name: str
    materialized: Materialized
    content_hash: str
    owner: str | None = None
    schema_name: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A registered model or seed."""

    id: str
    path: str
    name: str
    materialized: Materialized
    content_hash: str
    owner: str | None
    schema_name: str | None
    tags: tuple[str, ...]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ModelRun:
    """One model within a run. ``execution_ms`` and ``render_ms`` are milliseconds, ``rows_affected`` rows."""

    id: str
    run_id: str
    model_id: str
    status: ModelRunStatus
    rows_affected: int | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    execution_ms: int | None = None
    error: str | None = None
    content_hash: str | None = None
    data_version: str | None = None
    reason: str | None = None
    detail: str | None = None
    render_ms: int | None = None


@dataclass(frozen=True, slots=True)
class StoredEnvironment:
    """An environment that the state knows; ``commit_ref`` is the commit that was last built in it, if told."""

    name: str
    commit_ref: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class CodeVersion:
    """The text and configuration behind one content hash; secrets are masked."""

    content_hash: str
    rendered_sql: str
    rendered_incremental_sql: str | None
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TraceInput:
    """An input as one build read it; ``data_version`` is ``None`` when it could not be taken.

    ``seen`` are all columns that it had then, where its query does not tell them: those of a source, above all.
    """

    name: str
    relation: str
    columns: ColumnSet
    data_version: str | None
    seen: tuple[Column, ...] | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """What one successful build read and made.

    ``query_hash`` and ``incremental_query_hash`` name the resolved texts that were current (see ``texts`` of the
    state). ``code_version`` is inherited while the query is proven the same. ``data_version`` is that of the whole
    relation; ``columns`` are the relation's, as built. ``tests_hash`` is of the tests that passed on it. ``built_at``
    is when the build began.
    """

    model_run_id: str
    model_path: str
    environment: str
    materialized: Materialized
    relation: str
    content_hash: str
    code_version: str
    query_hash: str
    incremental_query_hash: str | None
    data_version: str | None
    columns: tuple[Column, ...]
    tests_hash: str
    inputs: tuple[TraceInput, ...]
    built_at: datetime


@dataclass(frozen=True, slots=True)
class PartitionTrace:
    """What is known of a partition that stands: which model run built it, from which code and inputs.

    ``inputs`` are as the whole model reads them. ``windows`` are, by the names of inputs, the versions of their rows in
    the partition's window, where it reads no others. ``data_version`` is that of the partition's own rows.
    """

    key: str
    model_run_id: str
    code_version: str
    data_version: str | None
    inputs: tuple[TraceInput, ...]
    windows: tuple[tuple[str, str], ...]
    built_at: datetime


@dataclass(frozen=True, slots=True)
class KeptTestResult:
    """What a test found in the relation of a trace.

    ``test`` is the fingerprint of what is tested, and ``basis`` of the rows that were: the result stands while both are
    as they were. ``label`` is the test as a person would write it.
    """

    test: str
    basis: str
    label: str
    failures: int
    columns: tuple[str, ...]
    sample: tuple[tuple[str, ...], ...]
    tested_at: datetime


@dataclass(frozen=True, slots=True)
class Failure:
    """Failed attempts at a model since its current trace: how many, of which content, and the last error."""

    attempts: int
    content_hash: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that decisions need of the state of one environment, read at one moment.

    ``traces`` holds the current trace of each model by path. ``data_versions`` holds, by the model run that made the
    relation and the key of a column set (``column_set_key``), the version of those columns. ``failures`` holds models
    whose latest attempts failed. ``partitions`` holds, by path, those that the relations of the traces have.
    """

    environment: str
    traces: Mapping[str, Trace] = field(default_factory=dict)
    data_versions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    failures: Mapping[str, Failure] = field(default_factory=dict)
    partitions: Mapping[str, tuple[PartitionTrace, ...]] = field(default_factory=dict)
