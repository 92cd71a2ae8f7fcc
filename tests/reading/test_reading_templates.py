"""Templates: what a model can see, each variable and function, and that a text without Jinja is not touched."""

from __future__ import annotations

from dataclasses import fields

import pytest
from reading_samples import compile_model

from leapsql_core.models import ModelConfig
from leapsql_core.rendering import This

PROJECT = """\
name: flights
target: {type: duckdb, database: ':memory:', schema: core}
environment: test
vars: {least: 100, names: [a, 'b''c'], limits: {low: 1, high: 2}, ratio: 1.5, strict: true, none: ~, word: text}
environments: {prod: {target: {database: prod.duckdb, schema: live}, vars: {least: 1000}}}
"""
FRONTMATTER = """\
/*---
description: What it is.
materialized: incremental
unique_key: [id, day]
schema: facts
owner: sales
tags: [b, a]
group: g
meta: {level: 3}
depends_on: raw.z
tests: [not_null: id]
columns: {id: The number.}
incremental: {strategy: time_column, time_column: day}
volatile: ignore
---*/
"""
SYSTEM = {"HOME": "/home/ann", "EMPTY": "", "get": "got"}


def rendered(expression: str, *, frontmatter: str = "", environment: str | None = None) -> str:
    """Return what an expression prints."""
    files = {"leapsql.yaml": PROJECT}
    text = f"{frontmatter}select $${{{{ {expression} }}}}$$ as id, 1 as day"
    model = compile_model(text, files, environ=SYSTEM, environment=environment)
    return model.query.rendered.removeprefix("select $$").removesuffix("$$ as id, 1 as day")


@pytest.mark.parametrize(
    ("expression", "printed"),
    [
        ("env.HOME", "/home/ann"),
        ("env['HOME']", "/home/ann"),
        ("env.get('HOME')", "/home/ann"),
        ("env.get('HOME', 'other')", "/home/ann"),
        ("env.get('NONE', 'other')", "other"),
        ("env.get('NONE') or 'other'", "other"),
        ("env.get('EMPTY', 'other')", ""),
        ("env.NONE | default('other')", "other"),
        ("env.HOME is defined", "True"),
        ("env.NONE is defined", "False"),
        ("'HOME' in env", "True"),
        ("'NONE' in env", "False"),
        ("env['get']", "got"),
    ],
)
def test_env_holds_the_variables_of_the_system(expression: str, printed: str) -> None:
    """By field, by key, and with a default for one that is not set."""
    assert rendered(expression) == printed


@pytest.mark.parametrize(
    ("expression", "printed"),
    [
        ("config.name", "flights"),
        ("config.environment", "test"),
        ("config.vars.least", "100"),
        ("config['vars']['word']", "text"),
        ("target.name", "test"),
        ("target.type", "duckdb"),
        ("target.schema", "core"),
        ("target.database", ":memory:"),
    ],
)
def test_config_and_target_hold_the_project_s_facts(expression: str, printed: str) -> None:
    """Those of the environment that it is read for."""
    assert rendered(expression) == printed


def test_the_environment_decides_config_target_and_variables() -> None:
    """The same text, read for another one."""
    expression = "[config.environment, target.name, target.schema, target.database, var('least'), config.vars.least]"
    assert rendered(expression, environment="prod") == "['prod', 'prod', 'live', 'prod.duckdb', 1000, 1000]"


@pytest.mark.parametrize(
    ("expression", "printed"),
    [
        ("var('least')", "100"),
        ("var('least', 5)", "100"),
        ("var('other', 5)", "5"),
        ("var('other', default='x')", "x"),
        ("var('none', 5) is none", "True"),
        ("var('other', none) is none", "True"),
        ("var('names')[1]", "b'c"),
        ("var('limits').high", "2"),
        ("var('ratio') * 2", "3.0"),
        ("var('strict')", "True"),
        ("var('other') is defined", "False"),
        ("var('other') | default('x')", "x"),
        ("var('names') | join('+')", "a+b'c"),
        ("var('limits') | dictsort | first | first", "high"),
    ],
)
def test_var_gives_a_variable_or_its_default(expression: str, printed: str) -> None:
    """With the type that it has in `leapsql.yaml`; one that is nothing is set all the same."""
    assert rendered(expression) == printed


@pytest.mark.parametrize(
    ("expression", "printed"),
    [
        ("this", '"facts"."reader"'),
        ("this.sql", '"facts"."reader"'),
        ("this ~ ''", '"facts"."reader"'),
        ("this.path", "reader"),
        ("this.name", "reader"),
        ("this.schema", "facts"),
        ("this.description", "What it is."),
        ("this.materialized", "incremental"),
        ("this.unique_key | join(', ')", "id, day"),
        ("this.owner", "sales"),
        ("this.tags", "('a', 'b')"),
        ("this.group", "g"),
        ("this.meta.level + 1", "4"),
        ("this.depends_on | first", "raw.z"),
        ("this.tests | first", "not_null(id)"),
        ("this.columns.id", "The number."),
        ("this.incremental.time_column", "day"),
        ("this.incremental.on_schema_change", "fail"),
        ("this.volatile", "ignore"),
        ("this.enabled", "True"),
    ],
)
def test_this_prints_as_the_relation_and_has_the_model_s_fields(expression: str, printed: str) -> None:
    """All fields of its frontmatter."""
    assert rendered(expression, frontmatter=FRONTMATTER) == printed


def test_this_has_every_field_of_the_frontmatter() -> None:
    """A field that is added to one has to be added to the other."""
    assert {field.name for field in fields(ModelConfig)} < set(This.__slots__)


def test_run_values_are_fixed_until_a_run() -> None:
    """They stand as the same moment in every text that is hashed, and the model says that it looks at them."""
    model = compile_model("select '{{ run_started_at }}' as a, '{{ last_run_at.year }}' as b, {{ var('x', 1) }} as c")
    assert model.query.rendered == "select '1970-01-01 00:00:00+00:00' as a, '1970' as b, 1 as c"
    assert model.run_values == ("last_run_at", "run_started_at")
    assert compile_model("select '{{ run_started_at }}' as a").run_values == ("run_started_at",)
    assert compile_model("select {{ var('run_started_at', 1) }} as a").run_values == ()


@pytest.mark.parametrize(
    "text",
    [
        "select 1 as x",
        "select '{' || '}' as x, {'a': 1} as y, '%}' as z",
        "select 'a # b' as x -- 100% {done}",
        "select $$}}$$ as x",
        "select 'a\rb' as x",
    ],
)
def test_a_text_without_jinja_is_not_touched(text: str) -> None:
    """Not by a byte."""
    model = compile_model(f"\n\n{text}\n\n")
    assert model.query.rendered == text
    assert (model.macros, model.run_values) == ((), ())


def test_everything_of_the_language_may_be_used() -> None:
    """Loops, conditions, sets, filters, comments, raw text, white space control."""
    text = """\
{# not seen #}
{%- set columns = ['a', 'b'] %}
select
  {% for name in columns -%}
  '{{ name | upper }}' as {{ name }}{{ ', ' if not loop.last else '' }}
  {%- endfor %}
  {%- if target.type == 'duckdb' %}, {% raw %}'{{ x }}'{% endraw %} as c{% endif %}
"""
    assert compile_model(text).query.rendered == "select\n  'A' as a, 'B' as b, '{{ x }}' as c"


def test_what_a_text_renders_to_has_no_space_around_it() -> None:
    """So a condition at its beginning changes no hash."""
    assert compile_model("{% if true %}\n\nselect 1 as x\n{% endif %}\n").query.rendered == "select 1 as x"


def test_the_same_project_renders_the_same() -> None:
    """However often, and whatever else the system's environment holds."""
    text = "select $${{ var('limits') }} {{ config.vars }} {{ env.HOME }} {{ run_started_at }}$$ as x"
    files = {"leapsql.yaml": PROJECT.replace(", none: ~", "")}
    first = compile_model(text, files, environ=SYSTEM)
    assert compile_model(text, files, environ={"OTHER": "1", **SYSTEM}) == first
