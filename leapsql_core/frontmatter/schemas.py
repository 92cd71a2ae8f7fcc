"""What a frontmatter may say."""

from __future__ import annotations

from typing import Any, Literal

from leapsql_core.documents import Document, Field, Note, Word, Words, model_validator
from leapsql_core.models import Severity


class PartitionsDocument(Document):
    """``incremental.partitions:``: windows of time, or keys."""

    every: Literal["hourly", "daily", "weekly", "monthly"] | None = None
    start: Word | None = None
    end: Word | None = None
    end_offset: int = Field(default=0, ge=0, le=10_000)
    keys: Words = Field(default_factory=list)
    column: Word | None = None


class IncrementalDocument(Document):
    """``incremental:``."""

    strategy: Literal["append", "delete+insert", "merge", "time_column"] | None = None
    time_column: Word | None = None
    on_schema_change: Literal["fail", "append", "sync", "ignore"] = "fail"
    on_query_change: Literal["rebuild", "forward_only"] = "rebuild"
    partitions: PartitionsDocument = Field(default_factory=PartitionsDocument)


class FrontmatterDocument(Document):
    """The whole of a model's frontmatter."""

    name: Word | None = None
    description: str = ""
    materialized: Literal["table", "view", "incremental"] = "table"
    unique_key: Words = Field(default_factory=list)
    schema_: Word | None = Field(default=None, alias="schema")
    owner: str | None = None
    tags: Words = Field(default_factory=list)
    group: str | None = None
    meta: dict[str, Any] = Field(default_factory=dict)
    depends_on: Words = Field(default_factory=list)
    tests: list[Any] = Field(default_factory=list)
    columns: dict[str, Note] = Field(default_factory=dict)
    incremental: IncrementalDocument = Field(default_factory=IncrementalDocument)
    volatile: Literal["check", "ignore"] = "check"
    enabled: bool = True


class TestDocument(Document):
    """What every test may say in its long form."""

    __test__ = False

    where: Word | None = None
    severity: Severity = "error"
    limit: int | None = Field(default=None, ge=0)


class ColumnsTestDocument(TestDocument):
    """``unique`` and ``not_null``."""

    column: Word | None = None
    columns: Words = Field(default_factory=list)

    @model_validator(mode="after")
    def _some_column(self) -> ColumnsTestDocument:
        if (self.column is None) == (not self.columns):
            raise ValueError("give `column` or `columns`. Write one of the two.")
        return self


class AcceptedValuesDocument(TestDocument):
    """``accepted_values``."""

    column: Word
    values: list[str | int | float | bool] = Field(min_length=1)


class RelationshipsDocument(TestDocument):
    """``relationships``: values of ``column`` that ``field`` of another relation must hold."""

    column: Word
    to: Word
    field: Word | None = None


class ExpressionDocument(TestDocument):
    """``expression``: a condition that must hold in every row."""

    expression: Word
