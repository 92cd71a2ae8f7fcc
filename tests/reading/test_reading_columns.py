"""Columns: `SELECT *` is expanded through parents and seeds, and each output column knows where it comes from."""

from __future__ import annotations

import pytest
from projects import compile_project
from reading_samples import compile_model, find_model, model_problems, problems_of, warnings_of

from leapsql_core.compilation import columns_of
from leapsql_core.models import ColumnSource, OutputColumn

FILES = {
    "models/a.sql": "select 1 as x, 2 as y",
    "models/b.sql": "select 3 as x, 4 as z",
    "seeds/s.csv": "x,w\n1,2\n",
}
INCREMENTAL = "/*---\nmaterialized: incremental\nincremental: {on_schema_change: append}\n---*/\n"


def columns_made(text: str) -> str:
    """Return the columns of a model: name, kind, sources."""
    columns = compile_model(text, FILES).lineage.columns
    if columns is None:
        return "unknown"
    return ", ".join(
        f"{c.name} {c.kind} {'+'.join(f'{s.table}.{s.column}' for s in c.sources)}".strip() for c in columns
    )


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("select * from a", "x direct a.x, y direct a.y"),
        ("from a", "x direct a.x, y direct a.y"),
        ("select * from s", "x direct s.x, w direct s.w"),
        ("select a.*, b.z from a join b using (x)", "x direct a.x, y direct a.y, z direct b.z"),
        ("select * from a join b using (x)", "x direct a.x, y direct a.y, z direct b.z"),
        ("select * exclude (y) from a", "x direct a.x"),
        ("select * replace (y + 1 as y) from a", "x direct a.x, y derived a.y"),
        ("select * rename (y as q) from a", "x direct a.x, q direct a.y"),
        ("with q as (select * from a) select * from q", "x direct a.x, y direct a.y"),
        ("select * from (select *, x + y as t from a)", "x direct a.x, y direct a.y, t derived a.x+a.y"),
        ("select * from a union all select * from s", "x direct a.x+s.x, y direct a.y+s.w"),
        ("select x, count(*) as n, sum(y) as t from a group by x", "x direct a.x, n derived, t derived a.y"),
        ("select row_number() over (partition by x order by y) as r from a", "r derived"),
        ("select (select max(z) from b where b.x = a.x) as m from a", "m derived b.z"),
        ("select coalesce(a.y, s.w) as v from a left join s using (x)", "v derived a.y+s.w"),
        ("select x as one, x as two from a", "one direct a.x, two direct a.x"),
        ("select * from raw.orders", "unknown"),
        ("select a.x, o.* from a, raw.orders o", "unknown"),
    ],
)
def test_output_columns_know_their_sources(text: str, columns: str) -> None:
    """Taken over as they are, or derived; what cannot be known is said to be so, never guessed."""
    assert columns_made(text) == columns


def test_stars_are_expanded_through_many_models() -> None:
    """A seed's header reaches the last of a chain, renamed on the way."""
    files = {
        "models/one.sql": "select *, 1 as a from s",
        "models/two.sql": "from one select * exclude (w), w * 2 as w2",
        "models/three.sql": "select t.* from two as t",
        "seeds/s.csv": "id,w\n1,2\n",
    }
    project = compile_project(files)
    assert {path: columns_of(node) for path, node in project.nodes.items()} == {
        "s": ("id", "w"),
        "one": ("id", "w", "a"),
        "two": ("id", "a", "w2"),
        "three": ("id", "a", "w2"),
    }
    assert find_model(project, "three").lineage.columns is not None
    assert find_model(project, "three").lineage.columns[2] == OutputColumn(
        "w2", "direct", (ColumnSource("two", "w2"),), (ColumnSource("two", "w2"),)
    )


def test_only_the_columns_that_are_read_are_read() -> None:
    """In output, filters, joins and groups; `count(*)` reads the rows alone."""
    model = compile_model("select a.x from a join b on a.x = b.z where exists (from s where s.w = a.y)", FILES)
    assert {given.name: given.columns for given in model.inputs} == {"a": ("x", "y"), "b": ("z",), "s": ("w",)}
    model = compile_model("select count(*) as n from a", FILES)
    assert model.inputs[0].columns == ()


@pytest.mark.parametrize(
    "text",
    ["select columns('x') from a", "select a from a", "select x from a limit 1"],
)
def test_where_nothing_is_certain_all_columns_are_read(text: str) -> None:
    """All by name, or all whatever they are."""
    for given in compile_model(text, FILES).inputs:
        assert given.columns is None or len(given.columns) == 2


def test_an_incremental_table_that_may_grow_has_no_certain_columns() -> None:
    """It may have columns of earlier builds; with `on_schema_change: fail` it has its query's."""
    files = {**FILES, "models/log.sql": INCREMENTAL + "select x from a", "models/r.sql": "select * from log"}
    project = compile_project(files)
    assert columns_of(project.nodes["log"]) is None
    assert find_model(project, "r").lineage.columns is None
    strict = compile_project({**files, "models/log.sql": INCREMENTAL.replace("append", "fail") + "select x from a"})
    assert columns_of(strict.nodes["log"]) == ("x",)
    assert find_model(strict, "r").lineage.columns is not None


def test_a_column_that_is_read_and_not_there_is_an_error() -> None:
    """Before anything runs: with the reader's file and line, and the nearest that is there; all of them at once."""
    files = {
        **FILES,
        "models/one.sql": "/*---\nowner: x\n---*/\nselect\n  x,\n  yy\nfrom a",
        "models/two.sql": "select x from s\nwhere s.ww = 1",
        "models/three.sql": "select x\nfrom a as q\njoin s on s.x = q.nothing",
        "models/four.sql": "{% set c = 'zz' %}\nselect {{ c }} from b",
    }
    cause = "it reads a column that is not there"
    assert problems_of(files) == [
        f"models/four.sql:1: {cause}: b has no column `zz`\n    Did you mean z?",
        f"models/one.sql:6: {cause}: a has no column `yy`\n    Did you mean y?",
        f"models/three.sql:3: {cause}: a has no column `nothing`\n    It has: x, y.",
        f"models/two.sql:2: {cause}: s has no column `ww`\n    Did you mean w?",
    ]


def test_a_column_that_is_written_otherwise_than_it_is_called_has_the_query_s_line() -> None:
    """Where the name does not stand in the text as it is, nor the line in the file."""
    no_such = "it reads a column that is not there: a has no column"
    assert model_problems('/*---\n---*/\nselect x,\n  "q""q"\nfrom a', FILES) == [
        f'models/reader.sql:3: {no_such} `q"q`\n    It has: x, y.'
    ]
    assert model_problems("/*---\n---*/\n{% if true %}\nselect {{ 'qq' }}\n{% endif %}\nfrom a", FILES) == [
        f"models/reader.sql:3: {no_such} `qq`\n    It has: x, y."
    ]


def test_a_column_that_a_parent_lost_is_an_error_in_its_readers() -> None:
    """And in those alone: what reads other columns is fine."""
    files = {
        "models/a.sql": "select 1 as x",
        "models/b.sql": "select * from a",
        "models/c.sql": "select x from b",
        "models/d.sql": "select y from b",
        "models/e.sql": "select y from d",
    }
    assert problems_of(files) == [
        "models/d.sql:1: it reads a column that is not there: b has no column `y`\n    It has: x."
    ]


@pytest.mark.parametrize(
    ("frontmatter", "line", "what"),
    [
        ("materialized: incremental\nunique_key: [x, no]", 3, "unique_key: reader has no column `no`"),
        (
            "materialized: incremental\nincremental:\n  strategy: time_column\n  time_column: no",
            5,
            "incremental.time_column: reader has no column `no`",
        ),
        ("tests:\n  - unique: x\n  - not_null: no", 4, "test not_null(no): reader has no column `no`"),
        (
            "tests:\n  - unique: {columns: [x, no]}",
            3,
            "test unique(x, no): reader has no column `no`",
        ),
        (
            "tests:\n  - relationships: {column: no, to: a, field: x}",
            3,
            "test relationships(no → a.x): reader has no column `no`",
        ),
    ],
)
def test_a_column_that_the_frontmatter_names_has_to_be_there(frontmatter: str, line: int, what: str) -> None:
    """Keys, time columns, tests."""
    assert model_problems(f"/*---\n{frontmatter}\n---*/\nselect x from a", FILES) == [
        f"models/reader.sql:{line}: {what}\n    It has: x."
    ]


def test_a_column_of_another_relation_that_a_test_names_has_to_be_there() -> None:
    """As far as its columns are known."""
    text = (
        "/*---\ntests:\n  - relationships: {column: x, to: a, field: no}\n"
        "  - relationships: {column: x, to: raw.t, field: no}\n---*/\nselect x from b"
    )
    assert model_problems(text, FILES) == [
        "models/reader.sql:3: test relationships(x → a.no): a has no column `no`\n    It has: x, y."
    ]


def test_names_of_columns_are_compared_without_case() -> None:
    """As SQL compares them."""
    text = (
        "/*---\nmaterialized: incremental\nunique_key: X\ntests: [unique: X]\ncolumns: {X: d}\n---*/\nselect A.X from a"
    )
    assert warnings_of({"models/reader.sql": text, **FILES}) == []


def test_a_key_of_a_model_that_is_no_incremental_one_is_not_looked_at() -> None:
    """It waits for the day that it becomes one."""
    assert compile_model("/*---\nunique_key: no\n---*/\nselect x from a", FILES).config.unique_key == ("no",)


def test_a_description_of_a_column_that_is_not_there_is_a_warning() -> None:
    """It stops nothing; where columns are not known, nothing is said."""
    files = {
        **FILES,
        "models/one.sql": "/*---\ncolumns:\n  x: The x.\n  yy: The y.\n---*/\nselect x, y from a",
        "models/two.sql": "/*---\ncolumns: {no: d}\n---*/\nselect * from raw.orders",
    }
    assert warnings_of(files) == ["models/one.sql:4: columns: one has no column `yy`\n    Did you mean y?"]


def test_columns_of_an_input_that_is_not_known_are_no_error() -> None:
    """A source has the columns that it has."""
    assert compile_model("select anything from raw.orders").inputs[0].columns == ("anything",)


def test_a_column_that_nothing_has_is_a_problem_with_file_and_line() -> None:
    """Also where several things are read, and through a subquery: what there is, is said."""
    files = {**FILES, "models/m.sql": "select a.x\nfrom a join b on a.x = b.x\nwhere gone > 1\n"}
    assert problems_of(files) == [
        "models/m.sql:3: it reads a column that is not there: nothing that it reads has a column `gone`\n"
        "    There are: x, y, z."
    ]
    files = {**FILES, "models/m.sql": "select y_ from (select y from a)"}
    assert problems_of(files) == [
        "models/m.sql:1: it reads a column that is not there: nothing that it reads has a column `y_`\n"
        "    Did you mean y?"
    ]
