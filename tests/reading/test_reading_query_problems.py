"""What is wrong with a query: at the line of the file where that is certain, else with the rendered line."""

from __future__ import annotations

import pytest
from reading_samples import PARENT, compile_model, model_problems, problems_of

ONE_QUERY = (
    "A model is one query: SELECT, WITH … SELECT, FROM, VALUES, PIVOT; how its rows are kept, `materialized` says."
)
ON_ITS_WAY = "the query changes data, or makes a table, on its way"
OWN = "Make each statement a model of its own."
COMMAS = "Check commas, brackets and keywords just before this place."
FRONTMATTER = "/*---\nowner: x\n---*/\n"


@pytest.mark.parametrize(
    ("text", "line", "cause", "mend"),
    [
        ("select a b c\nfrom t", 4, 'syntax error at or near "c"', COMMAS),
        ("select a,\n  b c d\nfrom t", 5, 'syntax error at or near "d"', COMMAS),
        ("select a from t where a = = 1", 4, 'syntax error at or near "="', COMMAS),
        ("\n\nselct 1", 6, "no query begins with `selct`", ONE_QUERY),
        ("-- nothing but a remark", 4, "no query", ONE_QUERY),
        ("/* nothing */ ;", 4, "no query", ONE_QUERY),
        ("select 1;\n\nselect 2", 6, "more than one statement", OWN),
        ("select 1 as x; select 2 as x", 4, "more than one statement", OWN),
        ("create table t as select 1", 4, "this is a statement that begins with CREATE, not a query", ONE_QUERY),
        ("\ninsert into t select 1", 5, "this is a statement that begins with INSERT, not a query", ONE_QUERY),
        ("drop table t", 4, "this is a statement that begins with DROP, not a query", ONE_QUERY),
        ("set threads = 1", 4, "this is a statement that begins with SET, not a query", ONE_QUERY),
        ("with q as (select 1) insert into t from q", 4, ON_ITS_WAY, ONE_QUERY),
        ("select {{ 'a b c' }} from t", 4, 'syntax error at or near "c"', COMMAS),
        ("select 1 as a,\n{{ 2 }} as b c", 5, 'syntax error at or near "c"', COMMAS),
    ],
)  # fmt: skip
def test_a_text_that_is_not_one_query_is_an_error(text: str, line: int, cause: str, mend: str) -> None:
    """With the line of the file, and what would be right."""
    assert model_problems(FRONTMATTER + text) == [f"models/reader.sql:{line}: {cause}\n    {mend}"]


@pytest.mark.parametrize(
    ("text", "line", "rendered"),
    [
        ("{% if true %}\nselect 1 as x,\n{% endif %}\n2 as y z", 7, ""),
        ("{% for n in [1, 2] %}\nselect {{ n }} as x y union\n{% endfor %}", 4, "select 1 as x y union"),
        ("{% set c = 'x y z' %}\nselect {{ c }}", 4, "select x y z"),
        ("select {{ '1\n, 2' }} as x y", 4, ", 2 as x y"),
        ("{% set c = 'x' %}\nselect {{ c }} y z, " + "1, " * 30 + "1", 4, "select x y z, " + "1, " * 15 + "…"),
    ],
)  # fmt: skip
def test_where_the_line_of_the_file_is_not_certain_the_rendered_line_is_shown(
    text: str, line: int, rendered: str
) -> None:
    """And the line that the template begins at; long ones are cut."""
    (problem,) = model_problems(FRONTMATTER + text)
    place, _, said = problem.partition(": ")
    assert place == f"models/reader.sql:{line}"
    if rendered:
        assert said.partition("\n")[0].endswith(f" of what the template renders to: `{rendered}`)")
    else:
        assert said == f'syntax error at or near "z"\n    {COMMAS}'


def test_every_file_s_mistake_is_said_at_once() -> None:
    """Those of files, frontmatter, templates, SQL, names and columns; models below a broken one are left alone."""
    files = {
        "leapsql.yaml": "target: {type: duckdb}\nsources: {unread: {version: always}}\n",
        "models/a.sql": PARENT,
        "models/b.sql": "/*---\nmaterialised: view\n---*/\nselect x from a",
        "models/c.sql": "select x from a where {{ nothing }}",
        "models/d.sql": "select x x x from a",
        "models/e.sql": "select nope from a",
        "models/f.sql": "",
        "models/g.sql": "select anything from b join c using (x) join d using (x)",
        "models/h/a.sql": "select 1 as x",
        "models/i.sql": "select x from j",
        "models/j.sql": "select x from i",
        "macros/m.sql": "{% macro %}",
    }
    assert problems_of(files) == [
        "macros/m.sql:1: template syntax: expected token 'name', got 'end of statement block'\n"
        "    See the Jinja documentation, or quote braces that are not Jinja: {{ '{{' }}.",
        "models/b.sql:2: unknown key `materialised`\n    Did you mean materialized?",
        "models/c.sql:1: 'nothing' is undefined\n    Is it a variable? Write var('nothing').",
        f'models/d.sql:1: syntax error at or near "x"\n    {COMMAS}',
        "models/e.sql:1: it reads a column that is not there: a has no column `nope`\n    It has: x, y.",
        "models/f.sql: the file holds no query\n    Write a SELECT, or delete the file.",
        "models/i.sql:1: a cycle: i → j → i\n    Take one of these reads out.",
    ]


@pytest.mark.parametrize("text", ["", "\n \n", FRONTMATTER, FRONTMATTER + "\n\n"])
def test_a_file_without_a_query_is_an_error(text: str) -> None:
    """Empty, or with nothing but a frontmatter; where it is disabled nobody minds."""
    assert model_problems(text) == [
        "models/reader.sql: the file holds no query\n    Write a SELECT, or delete the file."
    ]


def test_a_problem_of_many_readers_is_said_once() -> None:
    """A model that many read is wrong once."""
    files = {f"models/m{n}.sql": "select x from broken" for n in range(5)}
    assert problems_of({**files, "models/broken.sql": "select x y z"}) == [
        f'models/broken.sql:1: syntax error at or near "z"\n    {COMMAS}'
    ]


def test_a_query_may_end_with_a_semicolon_and_remarks() -> None:
    """People write them."""
    assert compile_model("-- head\nselect 1 as x;\n-- tail\n").query.rendered == "-- head\nselect 1 as x;\n-- tail"
