"""`${NAME}` in `leapsql.yaml`: variables of the system, their defaults, and what is said when one is not set."""

from __future__ import annotations

import pytest
from reading_samples import TARGET, configuration_problems, configure

ENVIRON = {"NAME": "value", "EMPTY": "", "_under1": "u", "BRACES": "${NAME} $${", "NUMBER": "12"}


@pytest.mark.parametrize(
    ("written", "filled"),
    [
        ("${NAME}", "value"),
        ("a/${NAME}/b", "a/value/b"),
        ("${NAME}${NAME}", "valuevalue"),
        ("${_under1}", "u"),
        ("${NUMBER}", "12"),
        ("x${EMPTY}y", "xy"),
        ("${NAME:-other}", "value"),
        ("${NONE:-other}", "other"),
        ("${EMPTY:-other}", "other"),
        ("x${NONE:-}", "x"),
        ("${NONE:-a b/c:d-e}", "a b/c:d-e"),
        ("${NONE:-$NAME}", "$NAME"),
        ("${BRACES}", "${NAME} $${"),
        ("$${NAME}", "${NAME}"),
        ("$${", "${"),
        ("$NAME and $", "$NAME and $"),
        ("100$", "100$"),
    ],
)
def test_a_variable_is_filled_in(written: str, filled: str) -> None:
    """Anywhere in a text, once: what is filled in is not looked at again; `$${` stands for `${` itself."""
    assert configure(f"{TARGET}vars: {{a: '{written}'}}", environ=ENVIRON).vars == {"a": filled}


def test_variables_stand_in_values_at_any_depth() -> None:
    """In lists and below keys; keys, and what is no text, stay as they are."""
    text = """\
name: ${NAME}
environment: ${STAGE:-test}
target: {type: "${TYPE:-duckdb}", database: "${NAME}.duckdb", schema: "${NAME}", settings: {a: "${NUMBER}", b: 1}}
vars: {list: ["${NAME}", 1, ["x${NAME}"]], "${NAME}": 1, no: false}
sources: {raw: {version: column, column: "${NAME}", description: "d ${NAME}", meta: {k: "${NAME}"}}}
secrets: ["${WHICH:-NAME}"]
"""
    config = configure(text, environ=ENVIRON)
    assert (config.name, config.environment, config.target.type) == ("value", "test", "duckdb")
    assert (config.target.database, config.target.schema) == ("value.duckdb", "value")
    assert config.target.settings == {"a": "12", "b": 1}
    assert config.vars == {"list": ["value", 1, ["xvalue"]], "${NAME}": 1, "no": False}
    assert config.sources["raw"].column == "value"
    assert (config.sources["raw"].description, config.sources["raw"].meta) == ("d value", {"k": "value"})
    assert config.secrets.values == {"NAME": "value"}


def test_what_is_filled_in_stays_text() -> None:
    """A variable of the system is no YAML: a number in it is a text, and so it cannot change the file's shape."""
    assert configure(f"{TARGET}vars: {{a: '${{X}}'}}", environ={"X": "{b: 1}"}).vars == {"a": "{b: 1}"}


def test_every_variable_that_is_not_set_is_named_at_once() -> None:
    """With its line and both ways to mend it; a required text that it leaves empty is not wrong for a second reason."""
    text = 'name: ${A}\ntarget:\n  type: ${B}\n  database: x/${C}/${D}\nvars: {a: ["${E}"]}\nnam: x\n'
    assert configuration_problems(text) == [
        "leapsql.yaml:1: environment variable A is not set\n    Set it, or write ${A:-default}.",
        "leapsql.yaml:3: environment variable B is not set\n    Set it, or write ${B:-default}.",
        "leapsql.yaml:4: environment variable C is not set\n    Set it, or write ${C:-default}.",
        "leapsql.yaml:4: environment variable D is not set\n    Set it, or write ${D:-default}.",
        "leapsql.yaml:5: environment variable E is not set\n    Set it, or write ${E:-default}.",
        "leapsql.yaml:6: unknown key `nam`\n    Did you mean name?",
    ]


def test_another_mistake_in_the_same_line_is_named_too() -> None:
    """Whoever sets the variable is not told of a second mistake only then."""
    assert configuration_problems('target: {type: postgres, database: "${X}", schema: 3}') == [
        'leapsql.yaml:1: `target.schema`: expected text, found 3\n    Quote it: "3".',
        'leapsql.yaml:1: `target.type`: "postgres" is not one of duckdb\n    Write duckdb.',
        "leapsql.yaml:1: environment variable X is not set\n    Set it, or write ${X:-default}.",
    ]


@pytest.mark.parametrize("written", ["${}", "${1A}", "${A B}", "${A-x}", "${A:x}", "${NAME", "${", "${A:-x", "${é}"])
def test_what_begins_like_a_variable_and_is_none_is_an_error(written: str) -> None:
    """It is not taken for text: a mistyped default would go to the database as it is."""
    assert configuration_problems(f"{TARGET}name: '{written}'", environ=ENVIRON) == [
        f"leapsql.yaml:2: `{written}` names no variable\n    Write ${{NAME}}, or $${{ where ${{ itself is meant."
    ]


PLACES = f"""\
{TARGET}environments:
  prod: {{target: {{database: "${{PROD}}"}}, vars: {{a: ["${{PROD}}", 1], b: 2}}}}
  dev: {{vars: {{c: "${{DEV}}"}}}}
"""


def test_another_environment_s_variables_need_not_be_set() -> None:
    """Who works in dev has no password of prod; what cannot be filled there is left out."""
    config = configure(PLACES, environ={"DEV": "d"})
    assert (config.environment, config.vars, config.environments) == ("dev", {"c": "d"}, ("dev", "prod"))
    prod = configure(PLACES, environ={"PROD": "p"}, environment="prod")
    assert (prod.target.database, prod.vars) == ("p", {"a": ["p", 1], "b": 2})


def test_the_chosen_environment_s_variables_must_be_set() -> None:
    """Chosen by the caller, by `environment:`, or by a variable in it."""
    unset = "environment variable {0} is not set\n    Set it, or write ${{{0}:-default}}."
    assert configuration_problems(PLACES) == [f"leapsql.yaml:4: {unset.format('DEV')}"]
    assert configuration_problems(PLACES, environment="prod") == [f"leapsql.yaml:3: {unset.format('PROD')}"]
    assert configuration_problems(f"{PLACES}environment: prod") == [f"leapsql.yaml:3: {unset.format('PROD')}"]
    chosen = f"{PLACES}environment: ${{STAGE}}"
    assert configuration_problems(chosen, environ={"STAGE": "prod"}) == [f"leapsql.yaml:3: {unset.format('PROD')}"]


def test_the_same_environment_gives_the_same_configuration() -> None:
    """Variables that the file does not name change nothing."""
    assert configure(PLACES, environ={"DEV": "d", "OTHER": "1"}) == configure(PLACES, environ={"DEV": "d"})
