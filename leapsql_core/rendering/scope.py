"""Scope: what a template can see, and what becomes of it."""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from leapsql_core.errors import Problem
from leapsql_core.models import ModelConfig, Relation, Target
from leapsql_core.partitions import PLACEHOLDERS, Placeholders

#: Stands for every moment of a run while a text is rendered for its hash.
PLACEHOLDER = datetime(1970, 1, 1, tzinfo=UTC)

RUN_VALUES = ("last_run_at", "run_started_at")
BUILT_IN = frozenset({"env", "config", "target", "this", "var", "is_incremental", "partition", *RUN_VALUES})


@dataclass(frozen=True, slots=True)
class Scope:
    """What every template of a project can see: variables of the system, the project's own, where it builds."""

    project: Mapping[str, Any]
    target: Target
    variables: Mapping[str, Any]
    environ: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MacroFile:
    """One file of macros, by its path relative to the project."""

    file: str
    text: str


@dataclass(frozen=True, slots=True)
class RunValues:
    """What changes by the run: its start, and the start of the last successful run of the model, if any.

    ``partition`` stands for the window of a partition; see `leapsql_core.partitions`.
    """

    run_started_at: datetime = PLACEHOLDER
    last_run_at: datetime | None = PLACEHOLDER
    partition: Placeholders = PLACEHOLDERS


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendered text, with what it looked up: run values, macro files, variables of the system; sorted."""

    text: str
    run_values: tuple[str, ...] = ()
    macros: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()


class This:
    """``this`` in a template: prints as the model's relation and has the model's fields."""

    __slots__ = (
        "columns",
        "depends_on",
        "description",
        "enabled",
        "group",
        "incremental",
        "materialized",
        "meta",
        "name",
        "owner",
        "path",
        "schema",
        "sql",
        "tags",
        "tests",
        "unique_key",
        "volatile",
    )

    def __init__(self, path: str, relation: Relation, config: ModelConfig) -> None:
        self.path, self.name, self.schema, self.sql = path, relation.name, relation.schema, relation.sql
        self.materialized, self.unique_key = config.materialized, config.unique_key
        self.description, self.columns, self.depends_on = config.description, config.columns, config.depends_on
        self.owner, self.group, self.tags, self.meta = config.owner, config.group, config.tags, config.meta
        self.incremental, self.tests = asdict(config.incremental), tuple(test.label for test in config.tests)
        self.volatile, self.enabled = config.volatile, config.enabled

    def __str__(self) -> str:
        return self.sql


def holds_jinja(text: str) -> bool:
    """Tell whether `text` could be anything but plain SQL to Jinja.

    >>> holds_jinja("select '{' || a"), holds_jinja("select {{ a }}")
    (False, True)
    """
    return "{{" in text or "{%" in text or "{#" in text


def plain(value: Any) -> Any:
    """Return plain data as JSON that tells any two values apart which a template could tell apart.

    Raises:
        TypeError: something that is no plain data is in it.

    >>> plain({"b": 1, "a": (True, 1.0)})
    ['dict', ['b', 1], ['a', ['tuple', True, ['float', '1.0']]]]
    """
    kind = type(value)
    if value is None or kind in (str, int, bool):
        return value
    if kind is float:
        return ["float", repr(value)]
    if kind in (list, tuple):
        return [kind.__name__, *map(plain, value)]
    if kind is dict:
        return ["dict", *([plain(key), plain(inner)] for key, inner in value.items())]
    raise TypeError(f"{kind.__name__} is no plain data")


def stream_name_problems(files: Mapping[str, MacroFile]) -> Iterator[Problem]:
    """Yield the macro files, given by stem, whose macros cannot be called as ``stem.macro()``."""
    for stem, macro in sorted(files.items()):
        if not stem.isidentifier() or keyword.iskeyword(stem) or stem.startswith("_"):
            mend = "Rename the file: letters, digits and _, a letter first."
            yield Problem(macro.file, None, f"macros of this file cannot be called as `{stem}.…`", mend)
        elif stem in BUILT_IN:
            yield Problem(macro.file, None, f"the file hides the built-in `{stem}`", "Rename the file.")
