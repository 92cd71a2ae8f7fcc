"""``tests:`` of a frontmatter: short forms and long ones become tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from leapsql_core.documents import KeyPath, YamlText, validate_document
from leapsql_core.errors import Problem, ProjectError
from leapsql_core.frontmatter.schemas import (
    AcceptedValuesDocument,
    ColumnsTestDocument,
    ExpressionDocument,
    RelationshipsDocument,
    TestDocument,
)
from leapsql_core.models import DataTest, TestKind
from leapsql_core.names import did_you_mean


@dataclass(frozen=True, slots=True)
class Form:
    """How one kind of test is written: its long form, what its short form may be, an example."""

    document: type[TestDocument]
    short: str
    example: str


FORMS: Mapping[TestKind, Form] = {
    "unique": Form(
        ColumnsTestDocument,
        "a column, a list of columns or ",
        "`- unique: id` or `- unique: {columns: [day, shop]}` or `- unique: {column: id, severity: warn}`",
    ),
    "not_null": Form(
        ColumnsTestDocument,
        "a column, a list of columns or ",
        "`- not_null: [id, email]` or `- not_null: {column: id, severity: warn}`",
    ),
    "accepted_values": Form(AcceptedValuesDocument, "", "`- accepted_values: {column: status, values: [new, paid]}`"),
    "relationships": Form(
        RelationshipsDocument, "", "`- relationships: {column: customer_id, to: customers, field: id}`"
    ),
    "expression": Form(ExpressionDocument, "a condition or ", "`- expression: amount >= 0`"),
}


def read_tests(written: YamlText, lines: dict[str, int], problems: list[Problem]) -> list[DataTest]:
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
    if kind not in FORMS:
        mend = did_you_mean(kind, FORMS, otherwise=f"Known tests: {', '.join(FORMS)}.")
        raise ProjectError([written.problem((*place, kind), f"unknown test `{kind}`", mend)])
    form = FORMS[kind]
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
