"""Names in a query: what each means, and what is said of one that could mean two things."""

from __future__ import annotations

import pytest
from projects import compile_project
from reading_samples import PARENT, compile_model, model_problems, problems_of

FILES = {
    "models/staging/orders.sql": PARENT,
    "models/marts/late.sql": f"/*---\nname: delays\nschema: core\n---*/\n{PARENT}",
    "models/top.sql": PARENT,
    "seeds/codes.csv": "x,y\n1,2\n",
    "seeds/geo/towns.csv": "x,y\n1,2\n",
    "leapsql.yaml": "target: {type: duckdb, database: wh.duckdb}\nsources: {Lake.Rates: {version: never}}\n",
}
IN_Z = f"/*---\nschema: z\n---*/\n{PARENT}"


def meaning_of(name: str, files: dict[str, str] | None = None) -> tuple[str, str]:
    (given,) = compile_model(f"select x from {name}", {**FILES, **(files or {})}).inputs
    return given.kind, given.name


@pytest.mark.parametrize(
    ("written", "kind", "name"),
    [
        ("orders", "model", "staging.orders"),
        ("staging.orders", "model", "staging.orders"),
        ("STAGING.Orders", "model", "staging.orders"),
        ('"staging"."ORDERS"', "model", "staging.orders"),
        ("wh.staging.orders", "model", "staging.orders"),
        ("delays", "model", "marts.delays"),
        ("marts.delays", "model", "marts.delays"),
        ("core.delays", "model", "marts.delays"),
        ("wh.core.delays", "model", "marts.delays"),
        ("WH.Core.DELAYS", "model", "marts.delays"),
        ("top", "model", "top"),
        ("main.top", "model", "top"),
        ("wh.main.top", "model", "top"),
        ("wh.top", "model", "top"),
        ("codes", "seed", "codes"),
        ("main.codes", "seed", "codes"),
        ("towns", "seed", "geo.towns"),
        ("geo.towns", "seed", "geo.towns"),
        ("marts.late", "source", "marts.late"),
        ("late", "source", "late"),
        ("other.orders", "source", "other.orders"),
        ("other.staging.orders", "source", "other.staging.orders"),
        ("core.orders", "source", "core.orders"),
        ("a.b.c", "source", "a.b.c"),
        ("Raw.Orders", "source", "raw.orders"),
        ("wh.raw.orders", "source", "raw.orders"),
        ("lake.rates", "source", "Lake.Rates"),
        ("LAKE.rates", "source", "Lake.Rates"),
        ("wh.lake.rates", "source", "Lake.Rates"),
        ("wh.nothing", "source", "main.nothing"),
        ("nothing", "source", "nothing"),
        ('"staging.orders"', "source", "staging.orders"),
    ],
)
def test_a_name_means_a_model_then_a_seed_then_a_source(written: str, kind: str, name: str) -> None:
    """By its path, its last part, or its relation, in any case; what is none of the project's is a source."""
    assert meaning_of(written) == (kind, name)


@pytest.mark.parametrize(
    ("files", "written", "name"),
    [
        ({"models/codes2.sql": PARENT, "seeds/x/codes2.csv": "x\n1\n"}, "codes2", "codes2"),
        ({"models/a/codes2.sql": PARENT, "seeds/codes2.csv": "x\n1\n"}, "codes2", "a.codes2"),
        ({"models/a/orders.sql": PARENT, "models/orders.sql": PARENT}, "orders", "orders"),
        ({"models/a/one.sql": PARENT, "models/b/one.sql": PARENT}, "a.one", "a.one"),
        ({"models/a/one.sql": PARENT, "models/b/one.sql": "/*---\nenabled: false\n---*/\nx"}, "one", "a.one"),
        ({"seeds/a/two.csv": "x\n1\n", "seeds/two.csv": "x\n1\n"}, "two", "two"),
        ({"models/p/q.sql": IN_Z, "models/z/q.sql": IN_Z.replace("z", "y")}, "z.q", "z.q"),
    ],
)  # fmt: skip
def test_where_two_bear_a_name_one_comes_first(files: dict[str, str], written: str, name: str) -> None:
    """A model before a seed, the top of the folder before what lies deeper, a path before a relation."""
    assert meaning_of(written, files)[1] == name


def test_a_name_that_two_models_bear_is_an_error_that_lists_both() -> None:
    """Neither is guessed; nor of two seeds, nor of one relation's."""
    files = {
        "models/a/one.sql": PARENT,
        "models/b/one.sql": PARENT,
        "models/c/One.sql": PARENT,
        "seeds/a/two.csv": "x\n1\n",
        "seeds/b/two.csv": "x\n1\n",
    }
    mend = "Write the whole path of the one you mean."
    assert model_problems("select 1 as x\nfrom one,\n  two", files) == [
        f"models/reader.sql:2: `one` could mean a.one or b.one or c.One\n    {mend}",
        f"models/reader.sql:3: `two` could mean a.two or b.two\n    {mend}",
    ]
    assert model_problems("/*---\ndepends_on: one\n---*/\nselect 1 as x", files) == [
        f"models/reader.sql:2: `one` could mean a.one or b.one or c.One\n    {mend}"
    ]
    assert model_problems("/*---\ntests: [relationships: {column: x, to: one}]\n---*/\nselect 1 as x", files) == [
        f"models/reader.sql:2: `one` could mean a.one or b.one or c.One\n    {mend}"
    ]


def test_a_model_does_not_mean_itself_where_a_seed_bears_its_name() -> None:
    """`FROM airlines` in a model `staging.airlines` reads the seed."""
    files = {"models/staging/codes.sql": "select x from codes", "seeds/codes.csv": "x\n1\n"}
    assert compile_project(files).parents["staging.codes"] == ("codes",)


def test_a_model_that_is_disabled_is_not_read() -> None:
    """Reading it is an error: what it made is there perhaps, and no longer kept up."""
    files = {"models/off.sql": "/*---\nenabled: false\n---*/\nselect 1 as x"}
    mend = "Set `enabled: true` in models/off.sql, or do not read it."
    for text in ("select x\nfrom off", "select x\nfrom main.off"):
        assert model_problems(text, files) == [f"models/reader.sql:2: it reads off, which is disabled\n    {mend}"]
    text = "/*---\ntests:\n  - relationships: {column: x, to: off}\n---*/\nselect 1 as x"
    assert model_problems(text, files) == [f"models/reader.sql:3: it reads off, which is disabled\n    {mend}"]


def test_all_wrong_names_are_said_at_once() -> None:
    """Each with the line that it first stands in, also where templates move lines about."""
    text = """\
/*---
owner: x
---*/
select 1 as x
{% if true %}
from one
{% endif %}
join off using (x)
where exists (from one)
"""
    files = {
        "models/a/one.sql": PARENT,
        "models/b/one.sql": PARENT,
        "models/off.sql": "/*---\nenabled: false\n---*/\nselect 1 as x",
        "models/reader.sql": text,
        "models/two.sql": "select x from off",
    }
    assert [problem.partition("\n")[0] for problem in problems_of(files)] == [
        "models/reader.sql:6: `one` could mean a.one or b.one",
        "models/reader.sql:8: it reads off, which is disabled",
        "models/two.sql:1: it reads off, which is disabled",
    ]


def test_sources_are_gathered_under_one_name() -> None:
    """However models spell them, and with the catalog or without; the relation is said without it."""
    files = {
        "models/one.sql": "select x from Raw.Orders, lake.RATES, main.plain",
        "models/two.sql": "select x from wh.raw.orders, wh.lake.rates, wh.plain, plain",
        "models/three.sql": "select x from other.raw.orders",
        "leapsql.yaml": FILES["leapsql.yaml"],
    }
    project = compile_project(files)
    assert {name: source.relation.sql for name, source in project.sources.items()} == {
        "Lake.Rates": '"Lake"."Rates"',
        "main.plain": '"main"."plain"',
        "other.raw.orders": '"other"."raw"."orders"',
        "plain": '"plain"',
        "raw.orders": '"raw"."orders"',
    }
    assert project.sources["Lake.Rates"].config.version == "never"


def test_a_source_in_a_schema_of_the_catalog_s_name_is_said_with_it() -> None:
    """DuckDB would take the schema for the catalog."""
    files = {"leapsql.yaml": FILES["leapsql.yaml"], "models/one.sql": "select x from wh.wh.orders"}
    assert compile_project(files).sources["wh.orders"].relation.sql == '"wh"."wh"."orders"'
