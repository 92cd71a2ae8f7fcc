"""The content hash: of rendered SQL and frontmatter; what is not in them does not count."""

from __future__ import annotations

import pytest
from projects import compile_project
from reading_samples import PARENT, TARGET, compile_model, find_model

BASE = "/*---\ndescription: d\ntags: [a, b]\ntests: [unique: x]\n---*/\nselect x from a"
FILES = {"models/a.sql": PARENT, "macros/lib.sql": "{% macro m() %}1{% endmacro %}"}


def hash_of(text: str, files: dict[str, str] | None = None, **options: object) -> str:
    return compile_model(text, {**FILES, **(files or {})}, **options).content_hash


@pytest.mark.parametrize(
    "text",
    [
        BASE.replace("[a, b]", "[b, a, a]"),
        BASE.replace("description: d", "description: 'd'"),
        BASE.replace("description: d\n", "").replace("tags", "description: d\ntags"),
        BASE.replace("---*/", "materialized: table\nenabled: true\nvolatile: check\nowner:\n---*/"),
        BASE.replace("[unique: x]", "[{unique: {column: x}}]"),
        BASE.replace("[unique: x]", "[{unique: {columns: [x], severity: error}}]"),
        "\n\n" + BASE + "\n\n",
        BASE.replace("select x", "{# remark #}select {{ 'x' }}"),
        BASE.replace("select x", "{% if var('v', 1) == 1 %}select x{% endif %}"),
    ],
)
def test_what_says_the_same_counts_the_same(text: str) -> None:
    """Order, defaults, short and long forms, and whatever template gives the same text."""
    assert hash_of(text) == hash_of(BASE)


@pytest.mark.parametrize(
    "text",
    [
        BASE.replace("select x", "select  x"),
        BASE + " -- remark",
        BASE.replace("select x", "select y as x"),
        BASE.replace("description: d", "description: e"),
        BASE.replace("[a, b]", "[a]"),
        BASE.replace("unique: x", "not_null: x"),
        BASE.replace("[unique: x]", "[{unique: {column: x, severity: warn}}]"),
        BASE.replace("---*/", "materialized: view\n---*/"),
        BASE.replace("---*/", "materialized: incremental\n---*/"),
        BASE.replace("---*/", "unique_key: x\n---*/"),
        BASE.replace("---*/", "schema: s\n---*/"),
        BASE.replace("---*/", "owner: o\n---*/"),
        BASE.replace("---*/", "group: g\n---*/"),
        BASE.replace("---*/", "meta: {a: 1}\n---*/"),
        BASE.replace("---*/", "meta: {a: true}\n---*/"),
        BASE.replace("---*/", "meta: {a: '1'}\n---*/"),
        BASE.replace("---*/", "depends_on: raw.z\n---*/"),
        BASE.replace("---*/", "columns: {x: d}\n---*/"),
        BASE.replace("---*/", "incremental: {on_schema_change: sync}\n---*/"),
        BASE.replace("---*/", "volatile: ignore\n---*/"),
    ],
)
def test_what_says_another_thing_counts(text: str) -> None:
    """Every byte of the text and every field of the frontmatter: what an edit means is decided later."""
    assert hash_of(text) != hash_of(BASE)


def test_all_of_these_differ_from_each_other() -> None:
    """True is not 1, and one text is not two."""
    texts = [f"/*---\nmeta: {{a: {value}}}\n---*/\n{PARENT}" for value in ("1", "1.0", "true", "'1'", "[1]", "~")]
    assert len({hash_of(text) for text in texts}) == len(texts)


def test_what_lies_around_a_model_does_not_count() -> None:
    """Other models, sources, the target's database, environments, variables and macros that it does not use."""
    around = {
        "models/a.sql": "select 3 as x",
        "models/other.sql": "select x from reader",
        "macros/lib.sql": "{% macro m() %}2{% endmacro %}",
        "macros/more.sql": "",
        "seeds/s.csv": "x\n1\n",
        "leapsql.yaml": "name: other\ntarget: {type: duckdb, database: other.duckdb}\nvars: {v: 2}\nenvironment: e\n",
    }
    assert hash_of(BASE, around, environ={"X": "y"}) == hash_of(BASE)


def test_a_macro_and_a_variable_count_by_what_they_print() -> None:
    """An edit that prints the same is none."""
    text = "select {{ lib.m() }} as x, {{ var('v', 1) }} as y, '{{ env.get('E', '') }}' as z"
    before = hash_of(text)
    assert hash_of(text, {"macros/lib.sql": "{# remark #}{% macro m(a=1) %}{{ a }}{% endmacro %}"}) == before
    assert hash_of(text, {"macros/lib.sql": "{% macro m() %}2{% endmacro %}"}) != before
    assert hash_of(text, variables={"v": 2}) != before
    assert hash_of(text, variables={"v": "1"}) == before
    assert hash_of(text, environ={"E": "e"}) != before


def test_a_place_counts_only_where_it_is_printed() -> None:
    """A file that is renamed or moved is another model; its text is the same. `this` is printed as the relation."""
    project = compile_project(
        {"models/one.sql": PARENT, "models/s/two.sql": PARENT, "models/three.sql": "select '{{ this }}' as x"}
    )
    one, two = find_model(project, "one"), find_model(project, "s.two")
    assert one.content_hash == two.content_hash
    moved = compile_project({"models/s/three.sql": "select '{{ this }}' as x"})
    assert find_model(project, "three").content_hash != find_model(moved, "s.three").content_hash


def test_a_hash_is_the_same_tomorrow() -> None:
    """And on every machine: traces of earlier builds hold it."""
    assert len(hash_of(BASE)) == 64
    assert hash_of(BASE) == "91daa1bce2ef4267abed8291e2f720a99a5e7eef3507a7ea4eaeb0ec1a095666"
    assert (
        hash_of("select 1 as x", {"leapsql.yaml": TARGET})
        == "d4c386354e10c98ca21ad9e332e304367e29ffd4d587793d72c079162e1c47bc"
    )


def test_a_seed_s_hash_is_that_of_its_bytes() -> None:
    """Whatever it is called and wherever it lies."""
    files = {
        "models/a.sql": PARENT,
        "seeds/one.csv": "x\n1\n",
        "seeds/b/two.csv": "x\n1\n",
        "seeds/three.csv": "x\n2\n",
    }
    nodes = compile_project(files).nodes
    assert nodes["one"].content_hash == nodes["b.two"].content_hash != nodes["three"].content_hash
