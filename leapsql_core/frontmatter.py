"""Frontmatter: the YAML between ``/*---`` and ``---*/`` at the top of a model becomes its `ModelConfig`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from leapsql_core.documents import (
    Document,
    Field,
    KeyPath,
    Note,
    Word,
    Words,
    YamlText,
    model_validator,
    read_yaml,
    validate_document,
)
from leapsql_core.errors import Problem, ProjectError
from leapsql_core.models import DataTest, IncrementalConfig, ModelConfig, Severity, TestKind
from leapsql_core.names import did_you_mean

_OPENING = re.compile(r"\s*/\*---(?![-*])")
_CLOSING = "---*/"
_LATE = re.compile(r"^[ \t]*/\*---[ \t]*$", re.MULTILINE)


class IncrementalDocument(Document):
    """``incremental:``."""

    strategy: Literal["append", "delete+insert", "merge", "time_column"] | None = None
    time_column: Word | None = None
    on_schema_change: Literal["fail", "append", "sync", "ignore"] = "fail"
    on_query_change: Literal["rebuild", "forward_only"] = "rebuild"


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


@dataclass(frozen=True, slots=True)
class _Form:
    """How one kind of test is written: its long form, what its short form may be, an example."""

    document: type[TestDocument]
    short: str
    example: str


_FORMS: Mapping[TestKind, _Form] = {
    "unique": _Form(
        ColumnsTestDocument,
        "a column, a list of columns or ",
        "`- unique: id` or `- unique: {columns: [day, shop]}` or `- unique: {column: id, severity: warn}`",
    ),
    "not_null": _Form(
        ColumnsTestDocument,
        "a column, a list of columns or ",
        "`- not_null: [id, email]` or `- not_null: {column: id, severity: warn}`",
    ),
    "accepted_values": _Form(AcceptedValuesDocument, "", "`- accepted_values: {column: status, values: [new, paid]}`"),
    "relationships": _Form(
        RelationshipsDocument, "", "`- relationships: {column: customer_id, to: customers, field: id}`"
    ),
    "expression": _Form(ExpressionDocument, "a condition or ", "`- expression: amount >= 0`"),
}


@dataclass(frozen=True, slots=True)
class ModelText:
    """A model's file taken apart.

    ``line`` is the line of the file that the template begins at. ``lines`` are those of frontmatter keys, of keys
    within them (``columns.id``) and, by their labels, of tests.
    """

    config: ModelConfig
    template: str
    line: int
    lines: Mapping[str, int] = field(default_factory=dict)


def holds_frontmatter(text: str) -> bool:
    """Tell whether a model's text begins with frontmatter.

    >>> holds_frontmatter("/*--- owner: a ---*/ select 1"), holds_frontmatter("/*--- no ---- */ select 1")
    (True, True)
    >>> holds_frontmatter("select 1 as a")
    False
    """
    return _OPENING.match(text) is not None


def read_model_text(text: str, *, file: str) -> ModelText:
    """Take the text of a model apart.

    Raises:
        ProjectError: the frontmatter does not end, or says something it may not; all of it at once.
    """
    opening = _OPENING.match(text)
    if opening is None:
        late = _LATE.search(text)
        if late is not None and _CLOSING in text[late.end() :]:
            cause, mend = "the frontmatter is not at the top", "Move it before everything else, comments included."
            raise ProjectError([Problem(file, 1 + text.count("\n", 0, late.start()), cause, mend)])
        return _model_text(ModelConfig(), text, 1, {})
    first_line = 1 + text.count("\n", 0, opening.end())
    end = text.find(_CLOSING, opening.end())
    if end < 0:
        mend = f"End it with a line `{_CLOSING}`."
        raise ProjectError([Problem(file, first_line, "the frontmatter does not end", mend)])
    config, lines = read_frontmatter(text[opening.end() : end], file=file, first_line=first_line)
    after = end + len(_CLOSING)
    return _model_text(config, text[after:], 1 + text.count("\n", 0, after), lines)


def frontmatter_line(text: str, keys: KeyPath, *, file: str) -> int:
    """Return the line of `file`, whose `text` begins with frontmatter, that `keys` lead to, or the nearest around it.

    Raises:
        ProjectError: the frontmatter cannot be read as YAML.
    """
    opening = _OPENING.match(text)
    if opening is None:
        return 1
    end = text.find(_CLOSING, opening.end())
    first_line = 1 + text.count("\n", 0, opening.end())
    return read_yaml(text[opening.end() : max(end, opening.end())], file=file, first_line=first_line).line_of(keys)


def _model_text(config: ModelConfig, rest: str, line: int, lines: Mapping[str, int]) -> ModelText:
    template = rest.strip()
    return ModelText(config, template, line + rest[: len(rest) - len(rest.lstrip())].count("\n"), lines)


def read_frontmatter(text: str, *, file: str, first_line: int = 1) -> tuple[ModelConfig, dict[str, int]]:
    """Read the YAML of a frontmatter that begins at `first_line` of `file`; also return lines, as `ModelText` has them.

    Raises:
        ProjectError: with every problem found, each with its line.
    """
    written = read_yaml(text, file=file, first_line=first_line)
    lines = {".".join(map(str, path)): line for path, line in written.lines.items() if 0 < len(path) < 3}
    problems: list[Problem] = []
    tests = _read_tests(written, lines, problems)
    try:
        document = validate_document(written, FrontmatterDocument)
    except ProjectError as exc:
        raise ProjectError([*problems, *exc.problems]) from exc
    problems.extend(_stream_batch_problems(written, document))
    if problems:
        raise ProjectError(problems)
    return _make_config(document, tests), lines


def _make_config(document: FrontmatterDocument, tests: list[DataTest]) -> ModelConfig:
    incremental = document.incremental
    return ModelConfig(
        name=document.name,
        description=document.description.strip(),
        materialized=document.materialized,
        unique_key=tuple(document.unique_key),
        schema=document.schema_,
        owner=document.owner,
        tags=tuple(sorted(set(document.tags))),
        group=document.group,
        meta=document.meta,
        depends_on=tuple(sorted(set(document.depends_on))),
        tests=tuple(tests),
        columns=document.columns,
        incremental=IncrementalConfig(
            incremental.strategy, incremental.time_column, incremental.on_schema_change, incremental.on_query_change
        ),
        volatile=document.volatile,
        enabled=document.enabled,
    )


def _stream_batch_problems(written: YamlText, document: FrontmatterDocument) -> Iterator[Problem]:
    """Yield what is missing for the batches of an incremental model."""
    if document.materialized != "incremental":
        return
    strategy, time_column = document.incremental.strategy, document.incremental.time_column
    if strategy in ("delete+insert", "merge") and not document.unique_key:
        cause = f"the strategy `{strategy}` needs `unique_key`"
        yield written.problem(("incremental", "strategy"), cause, "Add `unique_key: id`, or a list of columns.")
    if strategy == "time_column" and time_column is None:
        cause = "the strategy `time_column` needs the column's name"
        yield written.problem(("incremental", "strategy"), cause, "Add `time_column: name` under `incremental`.")
    if strategy != "time_column" and time_column is not None:
        cause = "`time_column` is for the strategy of that name"
        yield written.problem(("incremental", "time_column"), cause, "Add `strategy: time_column` beside it.")


# -------------------------------------------------------------------------------------------------------------- tests


def _read_tests(written: YamlText, lines: dict[str, int], problems: list[Problem]) -> list[DataTest]:
    """Return the tests that are written; notes the lines of their labels, and what is wrong."""
    tests: list[DataTest] = []
    items = written.data.get("tests")
    for index in range(len(items) if isinstance(items, list) else 0):
        place: KeyPath = ("tests", index)
        try:
            for test in _stream_tests(written, place):
                if test.label in lines:
                    cause = f"the test {test.label} stands there twice"
                    problems.append(written.problem(place, cause, "Keep one of them."))
                lines[test.label] = written.line_of(place)
                tests.append(test)
        except ProjectError as exc:
            problems.extend(exc.problems)
    return tests


def _stream_tests(written: YamlText, place: KeyPath) -> Iterator[DataTest]:
    """Yield the tests that one entry of ``tests:`` stands for: a short form may stand for several."""
    item = written.data["tests"][place[1]]
    if not isinstance(item, dict):
        raise ProjectError([written.problem(place, "a test has a kind and a column", "Write it as `- unique: id`.")])
    if len(item) != 1:
        mend = "Begin each test with its own dash: `- not_null: id`."
        raise ProjectError([written.problem(place, f"one entry of `tests` holds {len(item)} keys", mend)])
    ((kind, said),) = item.items()
    if kind not in _FORMS:
        mend = did_you_mean(kind, _FORMS, otherwise=f"Known tests: {', '.join(_FORMS)}.")
        raise ProjectError([written.problem((*place, kind), f"unknown test `{kind}`", mend)])
    form = _FORMS[kind]
    short = _read_short_form(kind, said)
    if short:
        yield from short
    elif isinstance(said, dict):
        yield from _read_long_form(kind, validate_document(written, form.document, at=(*place, kind)))
    else:
        cause = f"`{kind}` expects {form.short}keys and values"
        raise ProjectError([written.problem((*place, kind), cause, f"Write {form.example}.")])


def _read_short_form(kind: TestKind, said: Any) -> list[DataTest]:
    """Return the tests of a short form, none if `said` is not one."""
    words = [said] if isinstance(said, str) else said
    if not isinstance(words, list) or not all(isinstance(word, str) and word for word in words):
        return []
    if kind in ("unique", "not_null"):
        return [DataTest(kind=kind, columns=(column,)) for column in words]
    if kind == "expression" and isinstance(said, str):
        return [DataTest(kind=kind, expression=condition) for condition in words]
    return []


def _read_long_form(kind: TestKind, document: TestDocument) -> list[DataTest]:
    said: dict[str, Any] = {"where": document.where, "severity": document.severity, "limit": document.limit}
    if isinstance(document, ColumnsTestDocument):
        columns = (document.column,) if document.column else tuple(document.columns)
        groups = [columns] if kind == "unique" else [(column,) for column in columns]
        return [DataTest(kind=kind, columns=group, **said) for group in groups]
    if isinstance(document, AcceptedValuesDocument):
        return [DataTest(kind=kind, columns=(document.column,), values=tuple(document.values), **said)]
    if isinstance(document, RelationshipsDocument):
        other = document.field or document.column
        return [DataTest(kind=kind, columns=(document.column,), to=document.to, field=other, **said)]
    assert isinstance(document, ExpressionDocument), "every form has its document"
    return [DataTest(kind=kind, expression=document.expression, **said)]
