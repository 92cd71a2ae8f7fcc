"""What a project says: the settings of a model with its tests and partitions, of a source, and of a target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Materialized = Literal["table", "view", "incremental", "seed"]
Severity = Literal["error", "warn"]
TestKind = Literal["unique", "not_null", "accepted_values", "relationships", "expression"]
Every = Literal["hourly", "daily", "weekly", "monthly"]


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
