"""What is wrong with a template: each with the line of its file, in words that say how to mend it."""

from __future__ import annotations

import pytest
from reading_samples import compile_model, model_problems, problems_of

PROJECT = {"leapsql.yaml": "name: p\ntarget: {type: duckdb}\nvars: {least: 1, map: {high: 2}}\n"}
FRONTMATTER = "/*---\nowner: x\n---*/\n"
CHECK = "Check what stands in this line, and of which type it is."
CLOSE = "Close every {{ with }}, every {% with %}, every {% if %} and {% for %} with its end."
BRACES = "See the Jinja documentation, or quote braces that are not Jinja: {{ '{{' }}."
NO_ELSE = "an `if` without `else` is false here, so nothing can be printed"
DUPLICATE = "template syntax: duplicate argument 'a' in function definition"
NESTED = "template syntax: too many statically nested blocks"
TARGET_HAS = "There is: database, name, schema, type."


def problem_of(template: str) -> str:
    """Return what is wrong with a template that begins at line 4 of its file; the only thing."""
    (problem,) = model_problems(FRONTMATTER + template, PROJECT, environ={"HOME": "/home/ann"})
    return problem


@pytest.mark.parametrize(
    ("expression", "cause", "mend"),
    [
        ("nothing", "'nothing' is undefined", "Is it a variable? Write var('nothing')."),
        ("least", "'least' is undefined", "Write var('least')."),
        ("targt.name", "'targt' is undefined", "Did you mean target?"),
        ("is_incrmental()", "'is_incrmental' is undefined", "Did you mean is_incremental?"),
        ("nothing.field", "'nothing' is undefined", "Is it a variable? Write var('nothing')."),
        ("'a' ~ nothing", "'nothing' is undefined", "Is it a variable? Write var('nothing')."),
        ("[1, nothing]", "'nothing' is undefined", "Is it a variable? Write var('nothing')."),
        ("1 if nothing else 2", "'nothing' is undefined", "Is it a variable? Write var('nothing')."),
        ("caller()", "'caller' is undefined", "Is it a variable? Write var('caller')."),
        ("var('leest')", "variable `leest` is not set", "Did you mean least?"),
        ("var('xyz')", "variable `xyz` is not set", "Add it under `vars:` in leapsql.yaml."),
        ("var('xyz') + 1", "variable `xyz` is not set", "Add it under `vars:` in leapsql.yaml."),
        ("var('map').hihg", "there is no key `hihg`", "Did you mean high?"),
        ("var('map').xyz", "there is no key `xyz`", "There is: high."),
        ("config.vars.leest", "there is no key `leest`", "Did you mean least?"),
        ("this.meta.x", "there is no key `x`", "There is: none."),
        ("env.HOEM", "environment variable HOEM is not set", "Set it, or write env.get('HOEM', 'default')."),
        ("env['X Y']", "environment variable X Y is not set", "Set it, or write env.get('X Y', 'default')."),
        ("target.databse", "`target` has no `databse`", "Did you mean database?"),
        ("target.x", "`target` has no `x`", TARGET_HAS),
        ("target[1]", "`target` has no `1`", TARGET_HAS),
        ("config.nmae", "`config` has no `nmae`", "Did you mean name?"),
        ("this.tag", "`this` has no `tag`", "Did you mean tags?"),
        ("this.incremental.time_colum", "there is no key `time_colum`", "Did you mean time_column?"),
        ("'abc'.nothing", "'str object' has no attribute 'nothing'", CHECK),
        ("[1][5]", "list object has no element 5", CHECK),
        ("var()", "var() missing 1 required positional argument: 'name'", CHECK),
        ("var('a', 1, 2)", "var() takes from 1 to 2 positional arguments but 3 were given", CHECK),
        ("var('least', fallback=1)", "var() got an unexpected keyword argument 'fallback'", CHECK),
        ("is_incremental(1)", "is_incremental() takes 0 positional arguments but 1 was given", CHECK),
        ("1 + 'a'", "unsupported operand type(s) for +: 'int' and 'str'", CHECK),
        ("1 / 0", "division by zero", CHECK),
        ("var('least')()", "'int' object is not callable", CHECK),
        ("1 if false", NO_ELSE, "Write {{ a if b else '' }}."),
        ("'a' | uper", "template syntax: No filter named 'uper'", "Did you mean upper?"),
        ("'a' is strng", "template syntax: No test named 'strng'", "Did you mean string?"),
        ("'a' | xyz", "template syntax: No filter named 'xyz'", "The Jinja documentation lists those that there are."),
        ("1 +", "template syntax: unexpected 'end of print statement'", CLOSE),
        ("'a", "template syntax: unexpected char \"'\" at 10", BRACES),
        ("1 2", "template syntax: expected token 'end of print statement', got 'integer'", CLOSE),
    ],
)  # fmt: skip
def test_a_wrong_expression_is_said_with_line_cause_and_mend(expression: str, cause: str, mend: str) -> None:
    """Lines are those of the file, frontmatter included."""
    assert problem_of(f"select\n{{{{ {expression} }}}} as x") == f"models/reader.sql:5: {cause}\n    {mend}"


@pytest.mark.parametrize(
    ("template", "line", "cause", "mend"),
    [
        (
            "select {{ 1",
            4,
            "template syntax: unexpected end of template, expected 'end of print statement'",
            CLOSE,
        ),
        (
            "select 1\n{% if true %}",
            5,
            "template syntax: Unexpected end of template. Jinja was looking for the following tags: 'elif' or 'else' "
            "or 'endif'. The innermost block that needs to be closed is 'if'",
            CLOSE,
        ),
        ("select 1\n\n{% endif %}", 6, "template syntax: Encountered unknown tag 'endif'", BRACES),
        ("select 1\n{% for x in [1] %}\n{% endif %}", 6, "{unclosed}", BRACES),
        ("select 1 {% do x %}", 4, "template syntax: Encountered unknown tag 'do'", BRACES),
        ("select 1 {# no end", 4, "template syntax: Missing end of comment tag", BRACES),
        ("select 1\n{% raw %} x", 5, "template syntax: Missing end of raw directive", BRACES),
        ("select 1\n{% for x in 5 %}{% endfor %}", 5, "'int' object is not iterable", CHECK),
        ("select 1\n{% for x in env %}{% endfor %}", 5, "'SystemVariables' object is not iterable", CHECK),
        ("{% macro m(a, a) %}{% endmacro %}", 4, DUPLICATE, BRACES),
        (
            "select 1\n{% block b %}{% endblock %}\n{% block b %}{% endblock %}",
            6,
            "template syntax: block 'b' defined twice",
            BRACES,
        ),
        ("select " + "{% for a in [1] %}" * 25 + "1" + "{% endfor %}" * 25, 4, NESTED, BRACES),
        ("select {{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", 4, "the template nests too deep", "Take it apart."),
    ],
)  # fmt: skip
def test_a_wrong_statement_is_said_with_line_cause_and_mend(template: str, line: int, cause: str, mend: str) -> None:
    """So is one that has no end."""
    unclosed = (
        "template syntax: Encountered unknown tag 'endif'. Jinja was looking for the following tags: 'endfor' or "
        "'else'. The innermost block that needs to be closed is 'for'"
    )
    assert problem_of(template) == f"models/reader.sql:{line}: {cause.format(unclosed=unclosed)}\n    {mend}"


def test_every_model_s_mistake_is_said_at_once() -> None:
    """One each: what follows the first in a template cannot be known."""
    files = {
        "models/a.sql": "select {{ nothing }}",
        "models/b.sql": "select {{ 1",
        "models/c.sql": "select {{ env.NONE }} {{ nothing }}",
        "models/d.sql": "select 1 as x",
    }
    assert [problem.partition("\n")[0] for problem in problems_of(files)] == [
        "models/a.sql:1: 'nothing' is undefined",
        "models/b.sql:1: template syntax: unexpected end of template, expected 'end of print statement'",
        "models/c.sql:1: environment variable NONE is not set",
    ]


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{# nothing but a remark #}", "models/reader.sql:4: the template renders to nothing"),
        ("\n\n{% if false %}select 1{% endif %}", "models/reader.sql:6: the template renders to nothing"),
    ],
)
def test_a_template_that_renders_to_nothing_is_an_error(template: str, problem: str) -> None:
    """A model without a query is none."""
    assert problem_of(template) == f"{problem}\n    Write a query for every case, or set `enabled: false`."


def test_a_batch_that_renders_to_nothing_is_an_error_too() -> None:
    """It would be found with the second run."""
    text = "/*---\nmaterialized: incremental\n---*/\n{% if not is_incremental() %}select 1 as x{% endif %}"
    assert model_problems(text) == [
        "models/reader.sql:4: the template renders to nothing where is_incremental() is true\n"
        "    Write a query for every case, or set `enabled: false`."
    ]


def test_what_hides_a_built_in_name_in_a_template_is_the_author_s_own() -> None:
    """`{% set this = 1 %}` means what it says, in that template."""
    assert compile_model("{% set this = 1 %}select {{ this }} as x").query.rendered == "select 1 as x"
