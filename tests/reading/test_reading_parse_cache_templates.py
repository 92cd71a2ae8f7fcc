"""Rendered texts are kept, and are right: whatever a template can see and is not as it was, it is rendered anew."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from reading_samples import find_model, load, write_project

from leapsql_core.frontmatter import read_model_text
from leapsql_core.models import Project

CONFIG = """\
name: shop
vars: {lowest: 1, columns: {a: 1, b: 2}}
target: {type: duckdb}
environments: {prod: {}}
"""
MACROS = "{% macro limited(n) %}limit {{ n }}{% endmacro %}"
MODEL = """\
/*--- meta: {first: 1, second: 2} ---*/
select '{{ this }}' as me, '{{ env.get('MODE', 'none') }}' as mode, {{ var('lowest') }} as lowest,
    '{{ var('lowest') is string }}' as kind,
    '{{ config.environment }} {{ config.name }} {{ target.schema }} {{ target.database }}' as place,
    '{{ var('columns') | join }} {{ this.meta | join }}' as words,
    '{{ 'FLAG' in env }} {% if var('more', none) %}{{ env.MORE }}{% endif %}' as flag
{{ pages.limited(3) }}
"""
FILES: dict[str, str | bytes] = {"leapsql.yaml": CONFIG, "macros/pages.sql": MACROS, "models/a.sql": MODEL}


def rendered(project: Project, path: str = "a") -> str:
    return find_model(project, path).query.rendered


def saved(root: Path, path: str = "a", **options: Any) -> str:
    """Fill the cache, and return what the model rendered to."""
    loaded = load(root, **options)
    loaded.cache.save()
    return rendered(loaded.project, path)


def kept(root: Path) -> int:
    """Return how many answers are kept."""
    with closing(sqlite3.connect(root / ".leapsql/parsed.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM parsed").fetchone()[0])


@pytest.mark.parametrize(
    "options",
    [
        {"environ": {"MODE": "fast"}},
        {"environ": {"FLAG": ""}},
        {"environment": "prod"},
        {"variables": {"lowest": 2}},
        {"variables": {"lowest": True}},
        {"variables": {"lowest": 1.0}},
        {"variables": {"lowest": "1"}},
        {"variables": {"columns": {"b": 2, "a": 1}}},
        {"variables": {"columns": [1, 2]}},
        {"variables": {"more": True}, "environ": {"MORE": "x"}},
        {"database": "other.duckdb"},
    ],
    ids=str,
)
def test_what_a_template_sees_and_is_another_is_rendered_anew(tmp_path: Path, options: dict[str, Any]) -> None:
    """There and back: each time as without a cache."""
    root = write_project(tmp_path, FILES)
    before = saved(root)
    elsewhere = {"state_path": tmp_path / "elsewhere/state.db"}
    wanted = rendered(load(root, **options, **elsewhere).project)
    assert wanted != before
    assert saved(root, **options) == wanted
    assert saved(root) == before


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("macros/pages.sql", "limit {{ n }}", "limit {{ n }} offset 1"),
        ("models/a.sql", "select '", "select 'x"),
        ("models/a.sql", "{first: 1, second: 2}", "{second: 2, first: 1}"),
        ("models/a.sql", "/*---", "/*--- schema: other\n"),
        ("leapsql.yaml", "name: shop", "name: store"),
        ("leapsql.yaml", "target: {", "target: {schema: other, "),
        ("leapsql.yaml", "{a: 1, b: 2}", "{b: 2, a: 1}"),
    ],
)
def test_an_edit_is_rendered_anew(tmp_path: Path, file: str, before: str, after: str) -> None:
    """Of the model, of a macro, of the configuration; the order of keys included, for templates see it."""
    root = write_project(tmp_path, FILES)
    first = saved(root)
    text = str(FILES[file])
    assert text.count(before) == 1
    write_project(tmp_path, {**FILES, file: text.replace(before, after)})
    wanted = rendered(load(root, state_path=tmp_path / "elsewhere/state.db").project)
    assert wanted != first
    assert saved(root) == wanted


def test_one_text_in_two_files_is_rendered_for_each(tmp_path: Path) -> None:
    """A template sees which model it belongs to."""
    root = write_project(tmp_path, {**FILES, "models/b.sql": MODEL, "models/deep/c.sql": MODEL})
    saved(root)
    project = load(root).project
    assert [rendered(project, path)[:20] for path in ("a", "b", "deep.c")] == [
        'select \'"main"."a"\' ',
        'select \'"main"."b"\' ',
        'select \'"deep"."c"\' ',
    ]


def test_variables_that_nothing_looks_up_do_not_count(tmp_path: Path) -> None:
    """The next folder, another window: nothing new is learned, so nothing is written."""
    root = write_project(tmp_path, FILES)
    saved(root, environ={"PWD": "/here", "MODE": "fast"})
    content = (root / ".leapsql/parsed.db").read_bytes()
    saved(root, environ={"PWD": "/there", "MODE": "fast", "MORE": "x"})
    assert (root / ".leapsql/parsed.db").read_bytes() == content


def test_both_queries_of_an_incremental_model_are_kept(tmp_path: Path) -> None:
    """Each for itself."""
    text = "/*--- {materialized: incremental, unique_key: id} ---*/ select 1 as id, {{ is_incremental() }} as batch"
    root = write_project(tmp_path, {"models/a.sql": text})
    saved(root)
    model = find_model(load(root).project, "a")
    assert model.query.rendered == "select 1 as id, False as batch"
    assert model.incremental_query is not None
    assert model.incremental_query.rendered == "select 1 as id, True as batch"


def test_what_a_run_fills_in_is_known_again(tmp_path: Path) -> None:
    """A template that reads the start of the run, through a macro too, still says so."""
    files = {
        "macros/times.sql": "{% macro start() %}'{{ run_started_at }}'{% endmacro %}",
        "models/a.sql": "select {{ times.start() }} as at",
    }
    root = write_project(tmp_path, files)
    saved(root)
    model = find_model(load(root).project, "a")
    assert (model.run_values, model.macros) == (("run_started_at",), ("macros/times.sql",))


def test_what_a_secret_decides_is_not_kept(tmp_path: Path) -> None:
    """Not its value, nor anything to guess it by, though it is printed nowhere."""
    config = "target: {type: duckdb}\nsecrets: TOKEN\n"
    texts = {
        "models/a.sql": "select {% if env.TOKEN == 'hunter' %}1{% else %}2{% endif %} as x",
        "models/b.sql": "select {{ 1 if env.SAME == 'hunter' else 2 }} as x",
    }
    for name, text in texts.items():
        root = write_project(tmp_path / name, {"leapsql.yaml": config, name: text})
        load(root, environ={"TOKEN": "hunter2", "SAME": "hunter2"}).cache.save()
        assert kept(root) == 3, "the configuration, and how the rendered text reads"
        load(root, environ={"TOKEN": "hunter3", "SAME": "other"}).cache.save()
        assert kept(root) == (3 if name == "models/a.sql" else 4)


def test_values_that_are_no_plain_data_are_rendered_each_time(tmp_path: Path) -> None:
    """Whoever passes them in knows what they are; nobody else can tell whether they are the same again."""
    root = write_project(tmp_path, {"models/a.sql": "select '{{ var('day')[0].name }}' as day"})
    days = [Path("monday"), Path("tuesday")]
    texts = [saved(root, variables={"day": [day]}) for day in days]
    assert "monday" in texts[0]
    assert "tuesday" in texts[1]


def test_a_template_that_fails_says_so_each_time(tmp_path: Path) -> None:
    """Complaints are not kept; mended from outside, it renders."""
    root = write_project(tmp_path, {"models/a.sql": "select '{{ env.MODE }}' as mode", "models/b.sql": "select 1 as x"})
    saved(root, environ={"MODE": "fast"})
    for _ in range(2):
        with pytest.raises(Exception, match="MODE is not set"):
            load(root)
    assert saved(root, environ={"MODE": "slow"}) == "select 'slow' as mode"


def test_macros_that_are_wrong_are_wrong_each_time(tmp_path: Path) -> None:
    """That a file of macros was right says nothing of another text of it."""
    root = write_project(tmp_path, FILES)
    saved(root)
    write_project(tmp_path, {**FILES, "macros/pages.sql": "{% macro limited(n) %}"})
    for _ in range(2):
        with pytest.raises(Exception, match=r"macros/pages.sql"):
            load(root)


def test_frontmatter_reads_the_same_again(tmp_path: Path) -> None:
    """Every field of it, and the lines of its keys."""
    text = """\
/*---
name: full
description: " all of it "
materialized: incremental
unique_key: [id, day]
schema: made
owner: ann
tags: [b, a]
group: g
meta: {z: [1, 2.5, {deep: null}], a: true}
depends_on: other
tests:
  - not_null: [id, day]
  - accepted_values: {column: kind, values: [1, 1.0, true, "x"], where: id > 1, severity: warn}
  - relationships: {column: id, to: other, field: id}
  - expression: id > 0
columns: {id: the key, day: }
incremental: {strategy: time_column, time_column: day, on_schema_change: append, on_query_change: forward_only}
volatile: ignore
---*/
select id, day, kind from other
"""
    other = "select 1 as id, 2 as day, 3 as kind"
    root = write_project(tmp_path, {"models/deep/a.sql": text, "models/other.sql": other})
    saved(root, path="deep.full")
    cache = load(root).cache
    written = kept(root)
    assert repr(cache.take_apart(text, file="a.sql")) == repr(read_model_text(text, file="a.sql"))
    cache.save()
    assert kept(root) == written, "it was known"
