"""Dependencies: found everywhere a table can stand, and nowhere else; they come from the SQL itself."""

from __future__ import annotations

import pytest
from projects import compile_project
from reading_samples import PARENT, compile_model, find_model, warnings_of

from leapsql_core.models import Input, Relation

FILES = {"models/a.sql": PARENT, "models/b.sql": PARENT, "models/c.sql": PARENT, "seeds/s.csv": "x,y\n1,2\n"}


def parents_of(text: str) -> tuple[str, ...]:
    return compile_project({"models/reader.sql": text, **FILES}).parents["reader"]


@pytest.mark.parametrize(
    ("text", "parents"),
    [
        ("select 1 as z", ""),
        ("select x from a", "a"),
        ("select a.x from a join b on a.x = b.x left join s on s.x = b.x", "a b s"),
        ("select a.x from a, b cross join c", "a b c"),
        ("select a.x from a natural join b", "a b"),
        ("select a.x from a semi join b using (x) anti join c using (x)", "a b c"),
        ("select a.x from a asof join b on a.x = b.x and a.y >= b.y", "a b"),
        ("select a.x from a positional join b", "a b"),
        ("select a.x from (a join b using (x)) join c using (x)", "a b c"),
        ("select (select max(x) from b) as m from a", "a b"),
        ("select case when x in (select x from b) then 1 end as m from a", "a b"),
        ("select x from a where x > (select max(x) from b)", "a b"),
        ("select x from a where x in (select x from b where y in (select y from c))", "a b c"),
        ("select x from a where exists (select 1 from b where b.x = a.x)", "a b"),
        ("select x from a where not exists (from b)", "a b"),
        ("select x from a where x = any (select x from b) and y > all (select y from c)", "a b c"),
        ("select x, sum(y) as y from a group by x having sum(y) > (select sum(y) from b)", "a b"),
        ("select x from a qualify row_number() over (order by x) < (select max(x) from b)", "a b"),
        ("select x from a order by (select max(y) from b) limit (select max(x) from c)", "a b c"),
        ("select x from a group by x, (select max(y) from b)", "a b"),
        ("select array(select x from b) as l from a", "a b"),
        ("select q.x from (select x from a) as q", "a"),
        ("select q.x from (select x from (select x from a) as p) as q", "a"),
        ("with q as (select x from a) select x from q", "a"),
        ("with q as (select x from a), p as (select x from q join b using (x)) select x from p", "a b"),
        ("with q as (with p as (select x from a) select x from p) select x from q", "a"),
        ("with q as materialized (select x from a) select q.x from q, q as again", "a"),
        ("with recursive q as (from a union all select q.x, q.y from q join b using (x)) select x from q", "a b"),
        ("select x from (with q as (select x from a) select x from q) as p", "a"),
        ("with q as (select x from c) select x from q union select x from a", "a c"),
        ("select x from a union select x from b", "a b"),
        ("select x from a union all by name select x from b", "a b"),
        ("select x from a except select x from b intersect select x from c", "a b c"),
        ("(select x from a) union all (select x from b order by x limit 1)", "a b"),
        ("select a.x, l.m from a, lateral (select max(y) as m from b where b.x = a.x) as l", "a b"),
        ("select a.x, l.m from a join lateral (select max(y) as m from b where b.x = a.x) as l on true", "a b"),
        ("pivot a on x using sum(y)", "a"),
        ("pivot (select x, y from a join b using (x, y)) on x using sum(y) group by y", "a b"),
        ("select * from (pivot a on x using sum(y))", "a"),
        ("select * from a pivot (sum(y) for x in (1, 2))", "a"),
        ("unpivot a on x, y into name n value v", "a"),
        ("from a", "a"),
        ("from a select x where y = 2", "a"),
        ("from a join b using (x)", "a b"),
        ("from (from a) as q", "a"),
        ("table a", "a"),
        ("values ((select max(x) from a))", "a"),
        ("summarize a", "a"),
        ("describe a", "a"),
        ("select * from query_table('a')", "a"),
        ("select * from query('select x from a')", "a"),
        ("select * from unnest((select list(x) from a))", "a"),
        ("select x from a tablesample 50% (bernoulli, 1)", "a"),
        ("select list_filter([1, 2], z -> z in (select x from b)) as l from a", "a b"),
        ("select a.x, sum(a.y) filter (where a.x in (select x from b)) as m from a group by a.x", "a b"),
        ("select x from a -- from b\n where x > 1 /* join c */", "a"),
        ("select 'from b' as t, $$join c$$ as u from a", "a"),
        ("select a.x as b, a.y as c from a", "a"),
        ("select b.x from a as b", "a"),
        ("with b as (select 1 as x) select x from b", ""),
        ("with b as (select 1 as x), q as (select x from b join a using (x)) select x from q", "a"),
        ("with a as (select x from a) select x from a", "a"),
        ("select x from s", "s"),
        ("select x from a join {{ 'b' }} using (x) {% if false %} join c using (x) {% endif %}", "a b"),
    ],
)  # fmt: skip
def test_a_model_reads_what_its_query_names(text: str, parents: str) -> None:
    """Joins, subqueries in every clause, CTEs, set operations, pivots; CTEs, aliases and texts are no tables."""
    assert " ".join(parents_of(text)) == parents


def test_an_input_is_a_model_a_seed_or_a_source() -> None:
    """With its relation, and the columns that are read of it."""
    model = compile_model("select a.x, s.y, o.z from a join s using (x) join raw.orders as o on o.id = a.x", FILES)
    assert model.inputs == (
        Input("a", "model", Relation("main", "a"), ("x",)),
        Input("raw.orders", "source", Relation("raw", "orders"), ("id", "z")),
        Input("s", "seed", Relation("main", "s"), ("x", "y")),
    )


def test_an_input_is_there_once() -> None:
    """However often it is named, and however it is spelled."""
    model = compile_model("select a.x from a join A as b on a.x = b.y where exists (from main.a)", FILES)
    assert model.inputs == (Input("a", "model", Relation("main", "a"), ("x", "y")),)


def test_depends_on_adds_what_the_sql_does_not_say() -> None:
    """Models, seeds and sources, by the names that a query would use; all of their columns count."""
    text = "/*---\ndepends_on: [staging.d, s, raw.z, a]\n---*/\nselect x from a"
    files = {**FILES, "models/staging/d.sql": PARENT}
    model = compile_model(text, files)
    assert [(given.name, given.kind, given.columns) for given in model.inputs] == [
        ("a", "model", ("x",)),
        ("raw.z", "source", None),
        ("s", "seed", None),
        ("staging.d", "model", None),
    ]
    project = compile_project({"models/reader.sql": text, **files})
    assert project.parents["reader"] == ("a", "s", "staging.d")
    assert list(project.sources) == ["raw.z"]


def test_parents_come_first() -> None:
    """In the order of nodes, whatever the files are called; of what could come next, the alphabetically first."""
    files = {
        "models/a.sql": "select x from b join z using (x)",
        "models/b.sql": "select x from z",
        "models/m.sql": "select 1 as x",
        "models/z.sql": "select x from seed",
        "seeds/seed.csv": "x\n1\n",
    }
    project = compile_project(files)
    assert list(project.nodes) == ["m", "seed", "z", "b", "a"]
    assert project.parents == {"a": ("b", "z"), "b": ("z",), "m": (), "seed": (), "z": ("seed",)}


def test_the_order_of_files_changes_nothing() -> None:
    """Not even the order of what a project holds."""
    files = {"models/reader.sql": "select x from a join b using (x)", **FILES, "macros/lib.sql": "", "macros/k.sql": ""}
    backwards = dict(reversed(files.items()))
    one, other = compile_project(files), compile_project(backwards)
    assert one == other
    assert list(one.nodes) == list(other.nodes)


def test_what_only_duckdb_reads_works_and_is_warned_of() -> None:
    """DuckDB names the tables, lineage is unknown, so all columns count."""
    text = "/*---\nowner: x\n---*/\nselect x'ab' as b, a.x from a join staging.d as d on a.x = d.x"
    files = {**FILES, "models/staging/d.sql": f"/*---\nschema: core\n---*/\n{PARENT}", "models/reader.sql": text}
    model = find_model(compile_project(files), "reader")
    assert [(given.name, given.columns) for given in model.inputs] == [("a", None), ("staging.d", None)]
    assert model.lineage.unknown is not None
    assert model.query.resolved == ('select x\'ab\' as b, a.x from "main"."a" join "core"."d" as d on a.x = d.x')
    (warning,) = warnings_of(files)
    assert warning.startswith("models/reader.sql:4: sqlglot does not understand this query (line 1): ")
    assert warning.endswith("; its column lineage is unknown")


def test_what_a_query_says_of_functions_files_and_chance_is_kept() -> None:
    """The functions that move by themselves; files are no inputs of the project."""
    model = compile_model("select x, now() as t, random() as r from a, 'prices.csv', 'old.csv', 'b.csv'", FILES)
    assert model.volatile == ("now", "random")
    assert model.files == ("b.csv", "old.csv", "prices.csv")
    assert [given.name for given in model.inputs] == ["a"]
