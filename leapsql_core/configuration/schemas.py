"""What `leapsql.yaml` may say."""

from __future__ import annotations

from typing import Any, Literal

from leapsql_core.configuration.records import DEFAULT_STATE_PATH
from leapsql_core.documents import Document, Field, Seconds, Word, Words, model_validator

Setting = str | int | float | bool


class TargetDocument(Document):
    """``target:`` of a project."""

    type: Literal["duckdb"]
    database: Word = ".leapsql/warehouse.duckdb"
    schema_: Word = Field(default="main", alias="schema")
    settings: dict[str, Setting] = Field(default_factory=dict)
    wait_seconds: Seconds | None = None


class EnvironmentTargetDocument(Document):
    """``target:`` of an environment: only what differs."""

    type: Literal["duckdb"] | None = None
    database: Word | None = None
    schema_: Word | None = Field(default=None, alias="schema")
    settings: dict[str, Setting] = Field(default_factory=dict)
    wait_seconds: Seconds | None = None


class EnvironmentDocument(Document):
    """One entry of ``environments:``."""

    target: EnvironmentTargetDocument = Field(default_factory=EnvironmentTargetDocument)
    vars: dict[str, Any] = Field(default_factory=dict)


class SourceDocument(Document):
    """One entry of ``sources:``."""

    version: Literal["data", "column", "always", "never"] = "data"
    column: Word | None = None
    description: str = ""
    meta: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _column_belongs_to_version(self) -> SourceDocument:
        if (self.version == "column") != (self.column is not None):
            raise ValueError("`version: column` and `column: name` go together. Write both, or neither.")
        return self


class TestsDocument(Document):
    """``tests:``: what holds of every test that does not say otherwise."""

    __test__ = False

    limit: int = Field(default=5, ge=0)


class ProjectDocument(Document):
    """The whole of ``leapsql.yaml``."""

    name: Word | None = None
    models_dir: Word = "models"
    seeds_dir: Word = "seeds"
    macros_dir: Word = "macros"
    state_path: Word = DEFAULT_STATE_PATH
    environment: Word = "dev"
    vars: dict[str, Any] = Field(default_factory=dict)
    target: TargetDocument
    environments: dict[str, EnvironmentDocument] = Field(default_factory=dict)
    sources: dict[str, SourceDocument] = Field(default_factory=dict)
    tests: TestsDocument = Field(default_factory=TestsDocument)
    secrets: Words = Field(default_factory=list)
