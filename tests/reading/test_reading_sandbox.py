"""The sandbox: a template reads what it is shown; it reaches nothing else, changes nothing, and is never random."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from reading_samples import compile_model, model_problems

UNSAFE = "A template reads what it is shown; it changes nothing and knows no clock."
LISTED = "The Jinja documentation lists those that there are."
VARS = {"leapsql.yaml": "target: {type: duckdb}\nvars: {list: [1, 2], map: {a: 1, b: 2, c: 3}, text: abc}\n"}


def problem_of(expression: str) -> str:
    (problem,) = model_problems(f"select\n  {{{{ {expression} }}}} as x", {**VARS, "macros/lib.sql": "{% set a = 1 %}"})
    return problem


@pytest.mark.parametrize(
    ("expression", "attribute", "kind"),
    [
        ("''.__class__", "__class__", "str"),
        ("''['__class__']", "__class__", "str"),
        ("'' | attr('__class__')", "__class__", "str"),
        ("[''] | map(attribute='__class__') | first", "__class__", "str"),
        ("var.__globals__", "__globals__", "function"),
        ("is_incremental.__code__", "__code__", "function"),
        ("env.get.__self__", "__self__", "method"),
        ("env._environ", "_environ", "SystemVariables"),
        ("env._label", "_label", "SystemVariables"),
        ("config._facts", "_facts", "Facts"),
        ("this.__init__", "__init__", "This"),
        ("lib._load", "_load", "MacroNamespace"),
        ("lib.__class__", "__class__", "MacroNamespace"),
        ("'{0.__class__}'.format(1)", "__class__", "int"),
        ("'{a.__class__}'.format_map({'a': 1})", "__class__", "int"),
        ("range.__init__", "__init__", "function"),
    ],
)
def test_what_is_private_stays_private(expression: str, attribute: str, kind: str) -> None:
    """By whatever way a template asks for it."""
    cause = f"access to attribute '{attribute}' of '{kind}' object is unsafe"
    assert problem_of(expression) == f"models/reader.sql:2: {cause}\n    {UNSAFE}"


@pytest.mark.parametrize(
    "expression",
    [
        "var('list').append(3)",
        "var('list').sort()",
        "var('list').clear()",
        "var('map').update(a=2)",
        "var('map').pop('a')",
        "config.vars.setdefault('x', 1)",
        "this.meta.clear()",
    ],
)
def test_nothing_can_be_changed(expression: str) -> None:
    """What one model does to a list would show in the next."""
    assert problem_of(expression).endswith(f" is unsafe\n    {UNSAFE}")


@pytest.mark.parametrize(
    "method",
    ["now()", "utcnow()", "today()", "fromtimestamp(0)", "utcfromtimestamp(0)", "astimezone()", "date().today()"],
)
def test_no_value_knows_the_clock(method: str) -> None:
    """Nor where on earth the machine stands; what a run's values say of themselves is fine."""
    assert problem_of(f"run_started_at.{method}").endswith(f" is unsafe\n    {UNSAFE}")
    assert compile_model(
        "select '{{ run_started_at.strftime('%Y') }} {{ last_run_at.date() }}' as x"
    ).query.rendered == ("select '1970 1970-01-01' as x")


@pytest.mark.parametrize(
    ("expression", "cause"),
    [
        ("lipsum()", "'lipsum' is undefined\n    Is it a variable? Write var('lipsum')."),
        ("now()", "'now' is undefined\n    Is it a variable? Write var('now')."),
        ("open('/etc/passwd')", "'open' is undefined\n    Is it a variable? Write var('open')."),
        ("__import__('os')", "'__import__' is undefined\n    Is it a variable? Write var('__import__')."),
        ("[1, 2] | random", f"template syntax: No filter named 'random'\n    {LISTED}"),
        ("range(100001) | list", "Range too big\n    The sandbox blocks ranges larger than MAX_RANGE (100000)."),
    ],
)  # fmt: skip
def test_chance_clock_and_files_are_not_in_scope(expression: str, cause: str) -> None:
    """What would make a text differ each time is not there at all."""
    assert problem_of(expression) == f"models/reader.sql:2: {cause}"


@pytest.mark.parametrize(
    "statement",
    [
        "{% include 'models/other.sql' %}",
        "{% include ['a', 'b'] ignore missing %}",
        "{% import 'macros/lib.sql' as lib %}",
        "{% from 'macros/lib.sql' import a %}",
        "{% extends 'models/other.sql' %}",
    ],
)
def test_a_template_reads_no_other_file(statement: str) -> None:
    """Shared text is a macro, which the model then names."""
    assert model_problems(f"\n\n{statement}\nselect 1 as x") == [
        "models/reader.sql:1: a template cannot include other files\n    Put shared text into a macro: macros/name.sql."
    ]


@pytest.mark.parametrize(
    "expression",
    ["var('map').keys() - ['a']", "(var('map').keys() - ['a']) | list", "var('map').items() - []"],
)
def test_a_set_is_refused_for_it_has_no_order(expression: str) -> None:
    """Python lists it in another order in every process; keys themselves have the order they are written in."""
    assert problem_of(expression) == (
        "models/reader.sql:2: a set has no order\n    Write `| reject('in', …) | list` instead of `-`."
    )
    text = "select {{ var('map').keys() | reject('in', ['a']) | join('') | length - 1 }} as x"
    assert compile_model(text, VARS).query.rendered == "select 1 as x"


@pytest.mark.parametrize(
    ("expression", "label", "mend"),
    [
        ("var", "a function", "Is a call `()` missing?"),
        ("is_incremental", "a function", "Is a call `()` missing?"),
        ("env.get", "a method", "Is a call `()` missing?"),
        ("env", "`env`", "Name a field of it, or write `| list` behind it."),
        ("config", "`config`", "Name a field of it, or write `| list` behind it."),
        ("target", "`target`", "Name a field of it, or write `| list` behind it."),
        ("range(3)", "a range", "Name a field of it, or write `| list` behind it."),
        ("var('map').items()", "a dict_items", "Name a field of it, or write `| list` behind it."),
        ("namespace(a=1)", "a Namespace", "Name a field of it, or write `| list` behind it."),
        ("self", "a TemplateReference", "Name a field of it, or write `| list` behind it."),
        ("[1, [env]]", "`env`", "Name a field of it, or write `| list` behind it."),
        ("{'a': var}", "a function", "Is a call `()` missing?"),
        ("(1, var)", "a function", "Is a call `()` missing?"),
    ],
)
def test_what_has_no_text_of_its_own_cannot_be_printed(expression: str, label: str, mend: str) -> None:
    """Python would print an address, which is another one each time."""
    assert problem_of(expression) == f"models/reader.sql:2: {label} cannot be printed\n    {mend}"


@pytest.mark.parametrize("expression", ["none", "var('none', none)", "env.get('NONE')", "[1, none]", "{'a': none}"])
def test_nothing_cannot_be_printed(expression: str) -> None:
    """`None` in a query would be a column of that name."""
    assert problem_of(expression) == (
        "models/reader.sql:2: None cannot be printed\n    Say what stands for it: {{ x or 'NULL' }}."
    )


@pytest.mark.parametrize(
    ("expression", "thing"),
    [
        ("var | string", "function var"),
        ("'%s' | format(is_incremental)", "function is_incremental"),
        ("lib | string", "leapsql_core.rendering.sandbox.MacroNamespace object"),
        ("[this] | string", "leapsql_core.rendering.scope.This object"),
    ],
)
def test_an_address_does_not_slip_through_as_text(expression: str, thing: str) -> None:
    """A filter that makes a text of anything makes no query of it."""
    assert problem_of(expression) == f"models/reader.sql:1: `<{thing}>` cannot be printed\n    Is a call `()` missing?"


def test_a_macro_does_not_slip_through_as_text() -> None:
    """It prints as its name, which is no query either."""
    macros = {"macros/lib.sql": "{% macro m() %}1{% endmacro %}"}
    assert model_problems("select '{{ lib.m | string }}' as x", macros) == [
        "models/reader.sql:1: `<Macro 'm'>` cannot be printed\n    Is a call `()` missing?"
    ]


def test_what_only_looks_like_an_address_may_be_written() -> None:
    """In a text of the author's own."""
    text = "select '<b at 0x12>' as x, {{ 1 }} as y"
    assert compile_model(text).query.rendered == "select '<b at 0x12>' as x, 1 as y"


def test_a_template_is_the_same_under_any_hash_seed() -> None:
    """In processes of their own, for a seed holds for one."""
    script = (
        "from reading_samples import compile_model\n"
        "files = {'leapsql.yaml': 'target: {type: duckdb}\\nvars: {b: [x, y], a: {z: 1, y: 2}, c: t}\\n'}\n"
        'text = \'select $${{ config.vars }} {{ var("a") | dictsort }} {{ var("a").keys() | list }}$$ as x\'\n'
        "print(compile_model(text, files).content_hash)"
    )
    hashes = set()
    for seed in ("0", "1"):
        environ = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True)
        hashes.add(done.stdout)
    assert len(hashes) == 1
