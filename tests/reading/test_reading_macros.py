"""Macros: each file of them is a namespace, which sees what the template sees that calls it."""

from __future__ import annotations

import pytest
from reading_samples import compile_model, model_problems, problems_of

DATES = """\
{# what is asked of dates #}
{% macro month_of(column, name='month') -%}
date_trunc('month', {{ column }}) as {{ name }}
{%- endmacro %}
{% macro hidden() %}{{ _own() }}{% endmacro %}
{% macro _own() %}1{% endmacro %}
{% set first_day = '2013-01-01' %}
"""


def rendered(text: str, macros: dict[str, str], **options: object) -> str:
    files = {f"macros/{name}.sql": macro for name, macro in macros.items()}
    return compile_model(text, files, **options).query.rendered


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("select {{ dates.month_of('day') }}", "select date_trunc('month', day) as month"),
        ("select {{ dates.month_of('day', name='m') }}", "select date_trunc('month', day) as m"),
        ("select '{{ dates.first_day }}' as x", "select '2013-01-01' as x"),
        ("select {{ dates['hidden']() }} as x", "select 1 as x"),
        ("select {% if dates.month_of is defined %}1{% endif %} as x", "select 1 as x"),
        ("select {{ 2 if dates.nothing is defined else 1 }} as x", "select 1 as x"),
    ],
)
def test_a_file_of_macros_is_a_namespace(text: str, sql: str) -> None:
    """Its macros, and the values it sets, are called by the file's name; what begins with _ stays its own."""
    assert rendered(text, {"dates": DATES}) == sql


def test_macros_call_macros_of_other_files() -> None:
    """And hand a block through."""
    macros = {
        "outer": "{% macro each(names) %}{% for n in names %}{{ inner.wrap(n) }}{{ ', ' if not loop.last else '' }}"
        "{% endfor %}{% endmacro %}",
        "inner": "{% macro wrap(name) %}'{{ name }}' as {{ name }}{% endmacro %}"
        "{% macro around() %}({{ caller() }}){% endmacro %}",
    }
    assert rendered("select {{ outer.each(['a', 'b']) }}", macros) == "select 'a' as a, 'b' as b"
    assert rendered("select {% call inner.around() %}1{% endcall %} as x", macros) == "select (1) as x"


def test_macros_see_what_the_model_sees() -> None:
    """Variables, target, system, the model itself and whether it is a batch."""
    macro = (
        "{% macro m() %}'{{ this.name }} {{ target.schema }} {{ var('v') }} {{ env.E }} {{ config.name }} "
        "{{ is_incremental() }} {{ run_started_at.year }}'{% endmacro %}"
    )
    files = {"leapsql.yaml": "target: {type: duckdb}\nvars: {v: 1}", "macros/lib.sql": macro}
    text = "/*---\nmaterialized: incremental\n---*/\nselect {{ lib.m() }} as x"
    model = compile_model(text, files, environ={"E": "e"})
    assert model.query.rendered == "select 'reader main 1 e laboratory False 1970' as x"
    assert model.incremental_query is not None
    assert model.incremental_query.rendered == "select 'reader main 1 e laboratory True 1970' as x"
    assert model.run_values == ("run_started_at",)


def test_values_of_a_template_are_no_values_of_its_macros() -> None:
    """What a macro is to know is given to it."""
    (problem,) = model_problems(
        "{% set mine = 1 %}select {{ lib.m() }} as x", {"macros/lib.sql": "{% macro m() %}{{ mine }}{% endmacro %}"}
    )
    assert problem == (
        "macros/lib.sql:1: 'mine' is undefined, called from models/reader.sql:1\n"
        "    Is it a variable? Write var('mine')."
    )


def test_a_model_names_the_macro_files_that_it_used() -> None:
    """Also those that only a macro used; not those that it might have used."""
    macros = {
        "macros/b.sql": "{% macro m() %}1{% endmacro %}",
        "macros/a.sql": "{% macro m() %}{{ b.m() }}{% endmacro %}",
        "macros/c.sql": "{% macro m() %}1{% endmacro %}",
    }
    text = "select {{ a.m() }} as x {% if false %}{{ c.m() }}{% endif %}"
    assert compile_model(text, macros).macros == ("macros/a.sql", "macros/b.sql")
    assert compile_model("select 1 as x", macros).macros == ()


def test_text_in_a_macro_file_outside_of_macros_is_not_printed() -> None:
    """A remark, or SQL that was left there, changes nothing."""
    assert rendered("select {{ lib.m() }} as x", {"lib": "-- remark\nselect 2\n{% macro m() %}1{% endmacro %}"}) == (
        "select 1 as x"
    )


def test_a_file_that_nobody_uses_is_read_all_the_same() -> None:
    """Its mistakes are said with all others, and before it is used."""
    files = {
        "models/a.sql": "select 1 as x",
        "macros/one.sql": "\n{% macro m( %}",
        "macros/two.sql": "{{ 'a' | uper }}",
    }
    assert problems_of(files) == [
        "macros/one.sql:2: template syntax: expected token 'name', got '%'\n"
        "    See the Jinja documentation, or quote braces that are not Jinja: {{ '{{' }}.",
        "macros/two.sql:1: template syntax: No filter named 'uper'\n    Did you mean upper?",
    ]


RENAME = "Rename the file: letters, digits and _, a letter first."


@pytest.mark.parametrize(
    ("stem", "cause", "mend"),
    [
        ("my-dates", "macros of this file cannot be called as `my-dates.…`", RENAME),
        ("2013", "macros of this file cannot be called as `2013.…`", RENAME),
        ("_own", "macros of this file cannot be called as `_own.…`", RENAME),
        ("if", "macros of this file cannot be called as `if.…`", RENAME),
        ("env", "the file hides the built-in `env`", "Rename the file."),
        ("this", "the file hides the built-in `this`", "Rename the file."),
        ("last_run_at", "the file hides the built-in `last_run_at`", "Rename the file."),
    ],
)
def test_a_file_whose_macros_cannot_be_called_is_an_error(stem: str, cause: str, mend: str) -> None:
    """By its name, which has to be one in a template and none that means something else."""
    text = "select '{{ env.get('A', this.name) }} {{ last_run_at.year }}' as x"
    files = {"models/a.sql": text, f"macros/{stem}.sql": "{% macro m() %}1{% endmacro %}"}
    assert problems_of(files) == [f"macros/{stem}.sql: {cause}\n    {mend}"]


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("dates._own()", "models/reader.sql:2: there is no macro `dates._own`\n    {holds}"),
        ("dates.month()", "models/reader.sql:2: there is no macro `dates.month`\n    Did you mean month_of?"),
        (
            "dates.xyz()",
            "models/reader.sql:2: there is no macro `dates.xyz`\n    {holds}",
        ),
        ("empty.xyz()", "models/reader.sql:2: there is no macro `empty.xyz`\n    macros/empty.sql holds: none."),
        ("date.month_of()", "models/reader.sql:2: 'date' is undefined\n    Did you mean dates?"),
        (
            "month_of('x')",
            "models/reader.sql:2: 'month_of' is undefined\n"
            "    Write dates.month_of(…): it is a macro of macros/dates.sql.",
        ),
        (
            "dates.month_of()",
            "macros/dates.sql:3: parameter 'column' was not provided, called from models/reader.sql:2\n"
            "    Give it in the call, or give it a default: {{% macro name(parameter=1) %}}.",
        ),
        (
            "dates.month_of(1, 2, 3)",
            "models/reader.sql:2: macro 'month_of' takes not more than 2 argument(s)\n    {check}",
        ),
        (
            "dates.month_of(1, nam='x')",
            "models/reader.sql:2: macro 'month_of' takes no keyword argument 'nam'\n    {check}",
        ),
        (
            "dates",
            "models/reader.sql:2: `dates` cannot be printed\n    Name a field of it, or write `| list` behind it.",
        ),
        ("dates.month_of", "models/reader.sql:2: a Macro cannot be printed\n    Is a call `()` missing?"),
        ("dates | list", "models/reader.sql:2: 'MacroNamespace' object is not iterable\n    {check}"),
    ],
)
def test_a_wrong_call_is_an_error_where_it_stands(expression: str, problem: str) -> None:
    """With what there is; a mistake within a macro names the macro's line and who called it."""
    said = problem.format(
        holds="macros/dates.sql holds: first_day, hidden, month_of.",
        check="Check what stands in this line, and of which type it is.",
    )
    files = {"macros/dates.sql": DATES, "macros/empty.sql": ""}
    assert model_problems(f"select\n{{{{ {expression} }}}} as x", files) == [said]


def test_macros_that_call_each_other_without_end_are_an_error() -> None:
    """And not a crash; so are files whose values need each other."""
    macros = {
        "macros/a.sql": "{% macro m() %}{{ b.m() }}{% endmacro %}",
        "macros/b.sql": "{% macro m() %}{{ a.m() }}{% endmacro %}",
        "macros/c.sql": "{% set x = d.x %}",
        "macros/d.sql": "{% set x = c.x %}",
    }
    for expression in ("a.m()", "c.x"):
        (problem,) = model_problems(f"select {{{{ {expression} }}}} as x", macros)
        cause = "the template nests too deep, or its macros call each other without end"
        assert f": {cause}, called from models/reader.sql:1\n    Take it apart." in problem


def test_a_broken_macro_file_is_said_once() -> None:
    """However many models use it."""
    files = {f"models/m{n}.sql": "select {{ lib.m() }} as x" for n in range(3)}
    (problem,) = problems_of({**files, "macros/lib.sql": "{% macro m() %}{{ 1"})
    assert problem.startswith("macros/lib.sql:1: template syntax: ")
