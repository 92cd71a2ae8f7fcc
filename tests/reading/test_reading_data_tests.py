"""Tests in frontmatter: their kinds, in short and in long, and what is wrong with one that is neither."""

from __future__ import annotations

import json

import pytest
from projects import compile_project
from reading_samples import PARENT, compile_model, model_problems

from leapsql_core.errors import ProjectError
from leapsql_core.frontmatter import read_model_text
from leapsql_core.models import DataTest, Input, Relation


def read_tests(item: str) -> tuple[DataTest, ...]:
    return read_model_text(f"/*---\ntests:\n  - {item}\n---*/\nselect 1", file="models/a.sql").config.tests


@pytest.mark.parametrize(
    ("written", "tests"),
    [
        ("unique: id", [DataTest("unique", ("id",))]),
        ("unique: [id]", [DataTest("unique", ("id",))]),
        ("unique: [id, email]", [DataTest("unique", ("id",)), DataTest("unique", ("email",))]),
        ("unique: {column: id}", [DataTest("unique", ("id",))]),
        ("unique: {columns: [day, shop]}", [DataTest("unique", ("day", "shop"))]),
        ("unique: {columns: id}", [DataTest("unique", ("id",))]),
        ("unique: {column: id, severity: warn}", [DataTest("unique", ("id",), severity="warn")]),
        ("unique: {column: id, where: x > 1}", [DataTest("unique", ("id",), where="x > 1")]),
        ("not_null: id", [DataTest("not_null", ("id",))]),
        ("not_null: [id, email]", [DataTest("not_null", ("id",)), DataTest("not_null", ("email",))]),
        ("not_null: {column: id}", [DataTest("not_null", ("id",))]),
        (
            "not_null: {columns: [id, email], severity: warn}",
            [DataTest("not_null", ("id",), severity="warn"), DataTest("not_null", ("email",), severity="warn")],
        ),
        (
            "accepted_values: {column: s, values: [new, 1, 2.5, true]}",
            [DataTest("accepted_values", ("s",), values=("new", 1, 2.5, True))],
        ),
        (
            "accepted_values: {column: s, values: [a], where: b, severity: error}",
            [DataTest("accepted_values", ("s",), values=("a",), where="b")],
        ),
        (
            "relationships: {column: c, to: customers, field: id}",
            [DataTest("relationships", ("c",), to="customers", field="id")],
        ),
        ("relationships: {column: c, to: raw.x}", [DataTest("relationships", ("c",), to="raw.x", field="c")]),
        (
            "relationships: {column: c, to: x, severity: warn, where: y}",
            [DataTest("relationships", ("c",), to="x", field="c", where="y", severity="warn")],
        ),
        ("not_null: {columns: [a], limit: 0}", [DataTest("not_null", ("a",), limit=0)]),
        ("accepted_values: {column: s, values: [a], limit: 3}", [DataTest("accepted_values", ("s",), ("a",), limit=3)]),
        (
            "relationships: {column: c, to: x, limit: 9}",
            [DataTest("relationships", ("c",), to="x", field="c", limit=9)],
        ),
        ("expression: amount >= 0", [DataTest("expression", expression="amount >= 0")]),
        (
            "expression: {expression: amount >= 0, severity: warn, where: paid}",
            [DataTest("expression", expression="amount >= 0", where="paid", severity="warn")],
        ),
    ],
)
def test_a_test_is_written_in_short_or_in_long(written: str, tests: list[DataTest]) -> None:
    """A short form may stand for several tests; `where` and `severity` belong to the long one."""
    assert read_tests(written) == tuple(tests)


def test_tests_may_stand_on_lines_of_their_own() -> None:
    """The long form over several lines is the long form."""
    assert read_tests("relationships:\n      column: c\n      to: x") == read_tests("relationships: {column: c, to: x}")


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("unique: {columns: [day, shop]}", "unique(day, shop)"),
        ("accepted_values: {column: s, values: [new, 1]}", "accepted_values(s in new, 1)"),
        ("relationships: {column: c, to: x, field: id}", "relationships(c → x.id)"),
        ("expression: a > 0", "expression(a > 0)"),
        ("not_null: {column: id, where: paid}", "not_null(id) where paid"),
    ],
)
def test_a_test_is_called_as_a_person_would_call_it(written: str, label: str) -> None:
    """By kind, columns and condition; the label tells the tests of a model apart."""
    (test,) = read_tests(written)
    assert test.label == label


UNIQUE = "Write `- unique: id` or `- unique: {columns: [day, shop]}` or `- unique: {column: id, severity: warn}`."


@pytest.mark.parametrize(
    ("written", "cause", "mend"),
    [
        ("x", "a test has a kind and a column", "Write it as `- unique: id`."),
        ("[unique]", "a test has a kind and a column", "Write it as `- unique: id`."),
        ("~", "a test has a kind and a column", "Write it as `- unique: id`."),
        ("{}", "one entry of `tests` holds 0 keys", "Begin each test with its own dash: `- not_null: id`."),
        (
            "{unique: a, not_null: b}",
            "one entry of `tests` holds 2 keys",
            "Begin each test with its own dash: `- not_null: id`.",
        ),
        ("uniqe: a", "unknown test `uniqe`", "Did you mean unique?"),
        (
            "xyz: a",
            "unknown test `xyz`",
            "Known tests: unique, not_null, accepted_values, relationships, expression.",
        ),
        ("unique: 3", "`unique` expects a column, a list of columns or keys and values", UNIQUE),
        ("unique: ''", "`unique` expects a column, a list of columns or keys and values", UNIQUE),
        ("unique: [a, 3]", "`unique` expects a column, a list of columns or keys and values", UNIQUE),
        ("unique:", "`unique` expects a column, a list of columns or keys and values", UNIQUE),
        ("unique: []", "`unique` expects a column, a list of columns or keys and values", UNIQUE),
        ("unique: {colum: a}", "unknown key `colum`", "Did you mean column or columns?"),
        ("unique: {severity: warn}", "give `column` or `columns`", "Write one of the two."),
        ("unique: {column: a, columns: b}", "give `column` or `columns`", "Write one of the two."),
        ("unique: {column: a, severity: wrn}", '`severity`: "wrn" is not one of error or warn', "Did you mean warn?"),
        (
            "unique: {column: a, limit: -1}",
            "`limit`: expected a whole number from 0 on, found -1",
            "Write one, such as 5.",
        ),
        ("unique: {column: a, limit: all}", '`limit`: expected a whole number, found "all"', "Write one, such as 5."),
        (
            "unique: {column: a, where: ''}",
            '`where`: expected text that is not empty, found ""',
            "Write something, or take the key out.",
        ),
        (
            "accepted_values: s",
            "`accepted_values` expects keys and values",
            "Write `- accepted_values: {column: status, values: [new, paid]}`.",
        ),
        ("accepted_values: {column: s}", "key `values` is missing", "Add `values:`."),
        (
            "accepted_values: {column: s, values: []}",
            "`values`: expected at least one value, found []",
            "Write one at least.",
        ),
        (
            "accepted_values: {column: s, values: [[1]]}",
            "`values.0`: expected text, a number or true or false, found [1]",
            "Write one of these.",
        ),
        (
            "relationships: [a, b]",
            "`relationships` expects keys and values",
            "Write `- relationships: {column: customer_id, to: customers, field: id}`.",
        ),
        ("relationships: {column: a}", "key `to` is missing", "Add `to:`."),
        (
            "expression: [a > 0]",
            "`expression` expects a condition or keys and values",
            "Write `- expression: amount >= 0`.",
        ),
        ("expression: {where: a}", "key `expression` is missing", "Add `expression:`."),
    ],
)
def test_what_is_no_test_is_refused(written: str, cause: str, mend: str) -> None:
    """With the line, and an example of what would be one."""
    with pytest.raises(ProjectError) as caught:
        read_tests(written)
    assert str(caught.value) == f"models/a.sql:3: {cause}\n    {mend}"


def test_a_test_stands_there_once() -> None:
    """Twice the same is a mistake: one of them was to be another column."""
    text = "/*---\ntests:\n  - unique: [x, y]\n  - not_null: x\n  - unique: x\n---*/\n" + PARENT
    assert model_problems(text) == ["models/reader.sql:5: the test unique(x) stands there twice\n    Keep one of them."]


def condition_problems(item: str, query: str = PARENT) -> list[str]:
    return model_problems(f"/*---\ntests:\n  - {item}\n---*/\n{query}")


ONE_CONDITION = "takes one condition in SQL, such as `amount >= 0`."


@pytest.mark.parametrize(
    ("written", "cause", "mend"),
    [
        ("unique: z", "unique(z): reader has no column `z`", "It has: x, y."),
        ("unique: {columns: [x, z]}", "unique(x, z): reader has no column `z`", "It has: x, y."),
        ("not_null: z", "not_null(z): reader has no column `z`", "It has: x, y."),
        (
            "accepted_values: {column: z, values: [1]}",
            "accepted_values(z in 1): reader has no column `z`",
            "It has: x, y.",
        ),
        (
            "relationships: {column: z, to: reader, field: x}",
            "relationships(z → reader.x): reader has no column `z`",
            "It has: x, y.",
        ),
        (
            "relationships: {column: x, to: reader, field: z}",
            "relationships(x → reader.z): reader has no column `z`",
            "It has: x, y.",
        ),
        ("expression: x > zip", "expression(x > zip): reader has no column `zip`", "It has: x, y."),
        ("expression: reader.yy > x", "expression(reader.yy > x): reader has no column `yy`", "Did you mean y?"),
        (
            "expression: x > (select max(z) from main.reader)",
            "expression(x > (select max(z) from main.reader)): reader has no column `z`",
            "It has: x, y.",
        ),
        ("not_null: {column: x, where: z > 0}", "not_null(x) where z > 0: reader has no column `z`", "It has: x, y."),
        (
            "expression: {expression: x > 0, where: y =}",
            'expression(x > 0) where y =: `where` cannot be read: syntax error at or near ")"',
            f"`where` {ONE_CONDITION}",
        ),
        (
            "expression: columns(*) > 0",
            "expression(columns(*) > 0): COLUMNS stands for several conditions",
            "Write a test for each column.",
        ),
    ],
)
def test_a_test_that_cannot_run_is_an_error_before_anything_runs(written: str, cause: str, mend: str) -> None:
    """A column that is certainly not there, or a condition that nobody can read: with file and line."""
    assert condition_problems(written) == [f"models/reader.sql:3: test {cause}\n    {mend}"]


@pytest.mark.parametrize(
    "condition",
    [
        "x > 0 -- or not",
        "rowid >= 0 and main.reader.x > y",
        "list_filter([x], lambda v: v > 1) is not null",
        "x > (select max(z) from other)",
        "exists (select 1 from main.other where z = reader.x)",
        "at_least(x) > 1",
        "'columns(*)' <> ')'",
    ],
)
def test_a_condition_of_which_nothing_is_certain_is_left_to_the_database(condition: str) -> None:
    """Other tables, macros, names of a condition's own."""
    text = f"/*---\ntests:\n  - expression: {{expression: {json.dumps(condition)}}}\n---*/\n{PARENT}"
    [test] = compile_model(text).config.tests
    assert test.expression == condition
    read_from_source = text.replace(PARENT, "select * from raw.unknown")
    assert compile_model(read_from_source.replace("x > 0", "zzz > 0")).config.tests


def test_tests_that_are_no_list_are_refused() -> None:
    """A mapping of tests would lose those of one kind."""
    assert model_problems("/*---\ntests: {unique: x}\n---*/\n" + PARENT) == [
        'models/reader.sql:2: `tests`: expected a list, found {"unique": "x"}\n'
        "    Write [one, two], or one a line, each behind a dash."
    ]


def test_a_test_reads_another_relation() -> None:
    """By the names that a query would use; the model waits for it, but does not depend on it."""
    files = {
        "models/reader.sql": "/*---\ntests:\n  - not_null: x\n  - relationships: {column: x, to: staging.keys}\n"
        "  - relationships: {column: y, to: RAW.keys}\n  - relationships: {column: y, to: codes}\n"
        "  - relationships: {column: y, to: reader, field: x}\n---*/\n" + PARENT,
        "models/staging/keys.sql": PARENT,
        "seeds/codes.csv": "y\n1\n",
    }
    project = compile_project(files)
    model = compile_model(files["models/reader.sql"], files)
    assert model.tested == (
        None,
        Relation("staging", "keys"),
        Relation("raw", "keys"),
        Relation("main", "codes"),
        Relation("main", "reader"),
    )
    assert model.inputs == ()
    assert model.test_inputs == (
        Input("codes", "seed", Relation("main", "codes"), ("y",)),
        Input("raw.keys", "source", Relation("raw", "keys"), ("y",)),
        Input("staging.keys", "model", Relation("staging", "keys"), ("x",)),
    )
    assert project.parents["reader"] == ()
    assert project.waits == {"reader": ("codes", "staging.keys")}
    assert list(project.nodes) == ["codes", "staging.keys", "reader"]
    assert list(project.sources) == ["raw.keys"]


def test_a_relation_that_the_model_reads_too_is_not_waited_for_twice() -> None:
    """It is a parent."""
    text = "/*---\ntests: [relationships: {column: x, to: other}]\n---*/\nselect x from other"
    project = compile_project({"models/reader.sql": text, "models/other.sql": PARENT})
    assert (project.parents["reader"], project.waits) == (("other",), {})
