"""The records that every room passes around: frozen, compared by value, without behaviour of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from leapsql_core.errors import Problem
from leapsql_core.masking import Secrets
from leapsql_core.names import fold, quote_identifier

Materialized = Literal["table", "view", "incremental", "seed"]
Severity = Literal["error", "warn"]
TestKind = Literal["unique", "not_null", "accepted_values", "relationships", "expression"]
RunStatus = Literal["running", "completed", "failed", "cancelled"]
ModelRunStatus = Literal["pending", "running", "success", "failed", "skipped"]
InputKind = Literal["model", "seed", "source"]
Every = Literal["hourly", "daily", "weekly", "monthly"]
Action = Literal["build", "check", "skip"]
BuildMode = Literal["full", "incremental", "adopt"]

#: Every reason that a decision can have; `docs/decisions.md` says what each means.
Reason = Literal[
    "new",
    "query_changed",
    "config_changed",
    "seed_changed",
    "resolved_differently",
    "input_changed",
    "volatile",
    "missing",
    "drifted",
    "partition_missing",
    "partition_gone",
    "requested",
    "full_refresh",
    "adopted",
    "tests_requested",
    "input_pending",
    "tests_changed",
    "test_input_changed",
    "unobserved",
    "formatting_only",
    "metadata_only",
    "unchanged",
    "upstream_failed",
    "cancelled",
]

#: Columns of a relation, by name. ``None`` stands for all of them, in their order; ``()`` for the number of rows alone.
ColumnSet = tuple[str, ...] | None


# ------------------------------------------------------------------------------------------------- what a project says


@dataclass(frozen=True, slots=True, order=True)
class Relation:
    """A table or view in the warehouse.

    ``catalog`` is set only where the schema alone would be ambiguous. ``schema`` is empty for a source that is written
    without one: the database's search path finds it. ``foreign``: it lies in another database, which is attached.
    """

    schema: str
    name: str
    catalog: str | None = None
    foreign: bool = False

    @property
    def sql(self) -> str:
        """The quoted name, ready to stand in a statement."""
        return ".".join(quote_identifier(part) for part in (self.catalog, self.schema, self.name) if part)

    @property
    def key(self) -> tuple[str, str]:
        """What two relations share when the warehouse takes them for the same one."""
        return (fold(self.schema), fold(self.name))

    def __str__(self) -> str:
        catalog = self.catalog if self.foreign else None
        return ".".join(part for part in (catalog, self.schema, self.name) if part)


@dataclass(frozen=True, slots=True)
class DataTest:
    """One test of a model's rows; a failing ``error`` rolls the build back, a failing ``warn`` is reported.

    ``limit`` is how many failures are shown at most, ``None`` if the project says it.
    """

    kind: TestKind
    columns: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()
    to: str | None = None
    field: str | None = None
    expression: str | None = None
    where: str | None = None
    severity: Severity = "error"
    limit: int | None = None

    @property
    def label(self) -> str:
        """The test as a person would write it, unique within its model."""
        inside = self.expression if self.expression is not None else ", ".join(self.columns)
        if self.to is not None:
            inside += f" → {self.to}.{self.field}"
        if self.values:
            inside += " in " + ", ".join(map(str, self.values))
        return f"{self.kind}({inside})" + (f" where {self.where}" if self.where else "")


@dataclass(frozen=True, slots=True)
class Partitioning:
    """How the rows of a model are parted: by windows of time from ``start`` on, or by the ``keys`` in a ``column``.

    ``start`` and ``end`` are days, of hours also hours, as the keys of partitions are written. ``end_offset`` is how
    many partitions there are beyond the last one that has ended.
    """

    every: Every | None = None
    start: str | None = None
    end: str | None = None
    end_offset: int = 0
    keys: tuple[str, ...] = ()
    column: str | None = None


@dataclass(frozen=True, slots=True)
class Partition:
    """One part of a model's rows: those in the window from ``start`` up to ``end``, or those of a key."""

    key: str
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class IncrementalConfig:
    """How a batch is applied to an incremental model, and what a changed query or schema does."""

    strategy: Literal["append", "delete+insert", "merge", "time_column"] | None = None
    time_column: str | None = None
    on_schema_change: Literal["fail", "append", "sync", "ignore"] = "fail"
    on_query_change: Literal["rebuild", "forward_only"] = "rebuild"
    partitions: Partitioning | None = None


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """A model's frontmatter, checked, with defaults filled in."""

    name: str | None = None
    description: str = ""
    materialized: Materialized = "table"
    unique_key: tuple[str, ...] = ()
    schema: str | None = None
    owner: str | None = None
    tags: tuple[str, ...] = ()
    group: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    tests: tuple[DataTest, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    incremental: IncrementalConfig = IncrementalConfig()
    volatile: Literal["check", "ignore"] = "check"
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """How the version of a source is taken: from its data, from one column's maximum, always anew, or never."""

    version: Literal["data", "column", "always", "never"] = "data"
    column: str | None = None
    description: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """A database connection: engine, database file, default schema, settings of the session.

    ``attached`` are other databases that it reads and never writes: their absolute paths, by the catalogs they become.
    ``wait_seconds`` is how long a run waits for its turn there; ``None`` leaves that to who begins it.
    """

    name: str
    type: str
    database: str
    schema: str
    settings: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    wait_seconds: float | None = None
    attached: Mapping[str, str] = field(default_factory=dict)


# ---------------------------------------------------------------------------------------------- what SQL analysis says


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Characters ``start`` to ``end`` of a text, ``end`` not included."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, order=True)
class TableReference:
    """A table that a query names, once; CTEs and aliases are none.

    ``parts`` are the unquoted parts of its name as written first. ``spans`` are the places of that whole name in the
    text: where a table stands, and where a column's qualifier repeats a name of two or more parts. No spans: only the
    database sees it, as in ``query_table('orders')``.
    """

    parts: tuple[str, ...]
    line: int
    spans: tuple[Span, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """The parts without their case, for SQL names are compared so."""
        return tuple(fold(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class QueryScan:
    """What can be said of one query without knowing its inputs' columns.

    ``warning`` tells why a query that the database can read was not understood; its lineage is then unknown.
    ``volatile`` names functions whose answer moves by itself; ``files`` are literal file names that it reads;
    ``functions`` are all that it calls, in lower case: the database's catalogue tells which of them are macros.
    """

    references: tuple[TableReference, ...]
    volatile: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    warning: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class ColumnSource:
    """A column of an input."""

    table: str
    column: str


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """One column that a query yields.

    ``sources`` is its lineage: the input columns whose values flow into it, taken over as they are (``direct``) or
    through an expression (``derived``); for ``unknown`` it says nothing. ``reads`` are all input columns that decide
    its value in a given row, conditions of scalar subqueries included; ``None``: anything.
    """

    name: str
    kind: Literal["direct", "derived", "unknown"]
    sources: tuple[ColumnSource, ...] = ()
    reads: tuple[ColumnSource, ...] | None = ()


@dataclass(frozen=True, slots=True)
class Read:
    """The columns that a query reads of one input."""

    table: str
    columns: ColumnSet


@dataclass(frozen=True, slots=True)
class Lineage:
    """How columns flow through one query.

    ``columns`` are its output columns in order, ``None`` if not known. ``rows`` tells what decides which rows there
    are (filters, joins, grouping); every input stands in it, for the number of its rows is always read. ``reads`` is
    everything the query reads. ``unknown`` names the construct that hides something, ``None`` if nothing is hidden.
    ``ordered`` names what makes the answer hang on the order of the inputs' rows, ``None`` if nothing does.
    ``missing`` are columns of inputs that the query names and that are certainly not there; under an empty name, those
    that nothing which it reads has.
    """

    columns: tuple[OutputColumn, ...] | None
    rows: tuple[Read, ...]
    reads: tuple[Read, ...]
    unknown: str | None = None
    ordered: str | None = None
    missing: tuple[ColumnSource, ...] = ()


# --------------------------------------------------------------------------------------------------- what a project is


@dataclass(frozen=True, slots=True)
class Input:
    """A model, seed or source that a model reads, with the columns it reads of it."""

    name: str
    kind: InputKind
    relation: Relation
    columns: ColumnSet


@dataclass(frozen=True, slots=True)
class Query:
    """One query: as rendered from the template, and with its references replaced by relations, ready to run."""

    rendered: str
    resolved: str


@dataclass(frozen=True, slots=True)
class Seed:
    """A CSV file of the project, loaded as a table."""

    path: str
    name: str
    file: str
    relation: Relation
    columns: tuple[str, ...]
    content_hash: str
    materialized: Literal["seed"] = "seed"

    @property
    def inputs(self) -> tuple[Input, ...]:
        """A seed reads nothing of the project."""
        return ()


@dataclass(frozen=True, slots=True)
class Model:
    """One SQL file of the project, rendered and understood.

    ``line`` is where the query begins in its file. ``incremental_query`` is the query with ``is_incremental()`` true,
    for incremental models. ``run_values`` names values of the run that its template reads (``run_started_at``, …): the
    queries then hold placeholders and are rendered again when the model runs. ``macros`` are the macro files it used;
    ``files`` the names and patterns of files that its queries read, ``functions`` all that they call, in lower case.
    ``tested`` are, by test, the relations that tests refer to, ``test_inputs`` what those are and the columns read.
    ``windowed`` names the inputs of which a partition reads no row but those in its window, each with the column that
    its query tells them by.
    """

    path: str
    name: str
    file: str
    line: int
    relation: Relation
    config: ModelConfig
    query: Query
    incremental_query: Query | None
    inputs: tuple[Input, ...]
    lineage: Lineage
    content_hash: str
    volatile: tuple[str, ...] = ()
    run_values: tuple[str, ...] = ()
    macros: tuple[str, ...] = ()
    tested: tuple[Relation | None, ...] = ()
    files: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    test_inputs: tuple[Input, ...] = ()
    windowed: tuple[tuple[str, str], ...] = ()

    @property
    def materialized(self) -> Materialized:
        """What becomes of its rows: a table, a view, or a table that grows."""
        return self.config.materialized

    @property
    def unique_columns(self) -> tuple[str, ...]:
        """The columns that tell its rows apart: its unique key, else what a test says is unique."""
        tested = (test.columns for test in self.config.tests if test.kind == "unique" and test.where is None)
        return self.config.unique_key or next(tested, ())


Node = Model | Seed


@dataclass(frozen=True, slots=True)
class Source:
    """A table that models read and the project does not make.

    ``steady``: nobody can write to it while this project has its database open.
    """

    name: str
    relation: Relation
    config: SourceConfig
    steady: bool = False


@dataclass(frozen=True, slots=True)
class Deferral:
    """What a project leaves to another environment: it reads there what it does not build itself.

    ``reads`` are the relations, by the path of a model or seed, or by the name of a source. ``stale`` are those of them
    that are not what the project says, and that were not to be built. ``nodes`` and ``parents`` are those of the whole
    project, what is read elsewhere among them.
    """

    environment: str
    reads: Mapping[str, Relation]
    stale: tuple[str, ...] = ()
    nodes: Mapping[str, Node] = field(default_factory=dict)
    parents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Project:
    """All that a folder of models says for one environment; nothing is read from disk after this.

    ``nodes`` are models and seeds by path, parents first; ``parents`` those that each reads. ``waits`` names, per
    model, the nodes that only its tests read: they are built before it, but their failure does not stop it.
    ``warnings`` are problems that stop nothing. ``sample_limit`` is how many failures of a test are shown at most.
    With a ``deferral``, models that are read elsewhere are ``sources``.
    """

    name: str
    environment: str
    target: Target
    nodes: Mapping[str, Node]
    sources: Mapping[str, Source]
    parents: Mapping[str, tuple[str, ...]]
    waits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()
    secrets: Secrets = Secrets()
    sample_limit: int = 5
    deferral: Deferral | None = None


# ------------------------------------------------------------------------------------------------ what the state keeps


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a relation in the warehouse, with the warehouse's own name for its type."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Run:
    """One pipeline execution."""

    id: str
    environment: str
    status: RunStatus
    started_at: datetime
    completed_at: datetime | None = None
    error: str | None = None
    orchestrator_run_id: str | None = None


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


# -------------------------------------------------------------------------------------------------- what planning says


@dataclass(frozen=True, slots=True)
class ObservedRelation:
    """A relation as the warehouse shows it; ``comment`` names the model run that made it."""

    kind: Literal["table", "view"]
    comment: str | None


@dataclass(frozen=True, slots=True)
class DataTestResult:
    """What one test found: how many rows or keys fail it, and some of them, as text, under the names of `columns`.

    ``stands_since`` is when it was found, where neither the test nor the rows have changed since and it was not run.
    """

    test: DataTest
    failures: int
    columns: tuple[str, ...] = ()
    sample: tuple[tuple[str, ...], ...] = ()
    stands_since: datetime | None = None

    @property
    def passed(self) -> bool:
        """Whether nothing fails the test."""
        return self.failures == 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one model and why; ``mode`` says how a build would go.

    ``recurring`` marks a reason that a build does not take away: an answer that moves by itself, or a doubt that
    stays. A run builds for it; nothing should be launched for it again and again. ``partitions`` are the keys of those
    to build, in order, of a model that has some.
    """

    path: str
    action: Action
    reason: Reason
    detail: str
    mode: BuildMode = "full"
    recurring: bool = False
    partitions: tuple[str, ...] = ()
