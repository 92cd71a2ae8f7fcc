"""Frontmatter: every field, what stands for one that is not there, and where it begins and ends."""

from __future__ import annotations

from typing import Any

import pytest

from leapsql_core.errors import ProjectError
from leapsql_core.frontmatter import read_model_text
from leapsql_core.models import DataTest, IncrementalConfig, ModelConfig

EVERYTHING = """\
/*---
name: orders
description: |
  What was ordered.
materialized: incremental
unique_key: [id, day]
schema: core
owner: sales
tags: [b, a, b]
group: facts
meta: {dagster: {group: x}, list: [1, 2.5, true, ~]}
depends_on: [raw.z, other]
tests:
  - not_null: id
columns:
  id: The number.
  day:
incremental:
  strategy: delete+insert
  on_schema_change: append
  on_query_change: forward_only
volatile: ignore
enabled: false
---*/

select 1
"""


def config_of(frontmatter: str) -> ModelConfig:
    return read_model_text(f"/*---\n{frontmatter}\n---*/\nselect 1", file="models/a.sql").config


def test_every_field_is_read() -> None:
    """All of it at once; tags and dependencies are sorted, each once, and texts end where they end."""
    assert read_model_text(EVERYTHING, file="models/a.sql").config == ModelConfig(
        name="orders",
        description="What was ordered.",
        materialized="incremental",
        unique_key=("id", "day"),
        schema="core",
        owner="sales",
        tags=("a", "b"),
        group="facts",
        meta={"dagster": {"group": "x"}, "list": [1, 2.5, True, None]},
        depends_on=("other", "raw.z"),
        tests=(DataTest("not_null", ("id",)),),
        columns={"id": "The number.", "day": ""},
        incremental=IncrementalConfig("delete+insert", None, "append", "forward_only"),
        volatile="ignore",
        enabled=False,
    )


def test_every_field_has_a_default() -> None:
    """A model without frontmatter, with an empty one, and with keys that say nothing, are the same."""
    keys = "name description materialized unique_key schema owner tags group meta depends_on tests columns incremental"
    silent = "\n".join(f"{key}:" for key in [*keys.split(), "volatile", "enabled"])
    assert config_of(silent) == config_of("") == config_of("# nothing") == ModelConfig()
    assert read_model_text("select 1", file="f").config == ModelConfig()
    assert ModelConfig().materialized == "table"


@pytest.mark.parametrize(
    ("written", "field", "value"),
    [
        ("materialized: table", "materialized", "table"),
        ("materialized: view", "materialized", "view"),
        ("materialized: incremental", "materialized", "incremental"),
        ("unique_key: id", "unique_key", ("id",)),
        ("unique_key: [b, a]", "unique_key", ("b", "a")),
        ("tags: core", "tags", ("core",)),
        ("depends_on: raw.orders", "depends_on", ("raw.orders",)),
        ("volatile: check", "volatile", "check"),
        ("enabled: true", "enabled", True),
        ("meta: {}", "meta", {}),
        ("description: 'a: b'", "description", "a: b"),
        ("owner: ''", "owner", ""),
    ],
)
def test_what_may_be_one_word_or_many_may_be_either(written: str, field: str, value: Any) -> None:
    """Keys keep the order they are written in, for a relation's columns have one."""
    assert getattr(config_of(written), field) == value


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("", IncrementalConfig()),
        ("incremental: {strategy: append}", IncrementalConfig("append")),
        ("unique_key: a\nincremental: {strategy: merge}", IncrementalConfig("merge")),
        ("unique_key: a\nincremental: {strategy: delete+insert}", IncrementalConfig("delete+insert")),
        ("incremental: {strategy: time_column, time_column: day}", IncrementalConfig("time_column", "day")),
        ("incremental: {on_schema_change: fail}", IncrementalConfig()),
        ("incremental: {on_schema_change: sync}", IncrementalConfig(on_schema_change="sync")),
        ("incremental: {on_schema_change: ignore}", IncrementalConfig(on_schema_change="ignore")),
        ("incremental: {on_query_change: rebuild}", IncrementalConfig()),
        ("incremental: {strategy: }", IncrementalConfig()),
    ],
)
def test_how_batches_are_applied_is_read(written: str, read: IncrementalConfig) -> None:
    """Every strategy and every way to take changes."""
    assert config_of(f"materialized: incremental\n{written}").incremental == read


def test_what_batches_need_is_asked_of_incremental_models_alone() -> None:
    """A model that is a table for a while keeps what it says of batches."""
    assert config_of("incremental: {strategy: merge, time_column: day}").incremental.strategy == "merge"


@pytest.mark.parametrize(
    ("text", "template", "line"),
    [
        ("select 1", "select 1", 1),
        ("\n\n  select 1\n\n", "select 1", 3),
        ("/*---\nowner: a\n---*/\nselect 1", "select 1", 4),
        ("/*---\nowner: a\n---*/\n\n\n-- why\nselect 1\n", "-- why\nselect 1", 6),
        ("/*---\nowner: a\n---*/ select 1", "select 1", 3),
        ("\n \n/*---\nowner: a\n---*/\nselect 1", "select 1", 6),
        ("/*--- owner: a ---*/ select 1", "select 1", 1),
        ("/*--- ---*/select 1", "select 1", 1),
        ("/*---\nowner: a---*/select 1", "select 1", 2),
        ("/*---- no frontmatter -----*/ select 1", "/*---- no frontmatter -----*/ select 1", 1),
        ("/*---*/ select 1", "/*---*/ select 1", 1),
        ("/* owner: a */ select 1", "/* owner: a */ select 1", 1),
        ("select 1 /*---\n not at the line's beginning */", "select 1 /*---\n not at the line's beginning */", 1),
        ("select 1\n/*---\nno end", "select 1\n/*---\nno end", 1),
        ("", "", 1),
        ("/*---\nowner: a\n---*/\n", "", 4),
    ],
)
def test_a_file_is_frontmatter_and_a_query(text: str, template: str, line: int) -> None:
    """The query is what follows, without space around it, and knows the line of the file that it begins at."""
    found = read_model_text(text, file="models/a.sql")
    assert (found.template, found.line) == (template, line)


def test_keys_know_their_lines() -> None:
    """Keys, what stands in them, and tests by their labels."""
    lines = read_model_text(EVERYTHING, file="f").lines
    assert {key: lines[key] for key in ("name", "unique_key", "columns.id", "incremental.strategy")} == {
        "name": 2,
        "unique_key": 6,
        "columns.id": 16,
        "incremental.strategy": 19,
    }
    assert lines["not_null(id)"] == 14


def test_a_frontmatter_after_a_comment_is_an_error() -> None:
    """It would be taken for a comment, and what it says would hold for nothing."""
    with pytest.raises(ProjectError) as caught:
        read_model_text("-- Copyright\n\n  /*---\nmaterialized: view\n---*/\nselect 1", file="models/a.sql")
    assert str(caught.value) == (
        "models/a.sql:3: the frontmatter is not at the top\n    Move it before everything else, comments included."
    )
