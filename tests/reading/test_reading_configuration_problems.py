"""What is wrong with a `leapsql.yaml`: all of it at once, each with its line, its cause and its mend."""

from __future__ import annotations

import pytest
from reading_samples import TARGET, configuration_problems

KEYS = (
    "environment, environments, macros_dir, models_dir, name, secrets, seeds_dir, sources, state_path, target, tests,"
    " vars"
)


@pytest.mark.parametrize(
    ("text", "cause", "mend"),
    [
        ("", "1: key `target` is missing", "Add `target:`."),
        ("target: {}", "1: key `target.type` is missing", "Add `type:`."),
        ("target:\n  database: x", "1: key `target.type` is missing", "Add `type:`."),
        (
            "target: duckdb",
            '1: `target`: expected keys and values, found "duckdb"',
            "Write `key: value`, one a line, below it.",
        ),
        ("target: {type: postgres}", '1: `target.type`: "postgres" is not one of duckdb', "Write duckdb."),
        ("target: {type: duckdb, databse: x}", "1: unknown key `target.databse`", "Did you mean database?"),
        (
            "target: {type: duckdb, host: x}",
            "1: unknown key `target.host`",
            "Known keys: database, schema, settings, type, wait_seconds.",
        ),
        (
            f"{TARGET}modles_dir: x",
            "2: unknown key `modles_dir`",
            "Did you mean models_dir or macros_dir or seeds_dir?",
        ),
        (f"{TARGET}Name: x", "2: unknown key `Name`", "Did you mean name?"),
        (f"{TARGET}schema_: x", "2: unknown key `schema_`", f"Known keys: {KEYS}."),
        (f"{TARGET}xyz: ~", "2: unknown key `xyz`", f"Known keys: {KEYS}."),
        (
            "target: {type: duckdb, wait_seconds: -1}",
            "1: `target.wait_seconds`: -1 is no span of time",
            "Write a number of seconds, 0 or more.",
        ),
        (f"{TARGET}name: 3", "2: `name`: expected text, found 3", 'Quote it: "3".'),
        (f"{TARGET}name: true", "2: `name`: expected text, found true", 'Quote it: "true".'),
        (f"{TARGET}name: [a]", '2: `name`: expected text, found ["a"]', "Write one text, in quotes if need be."),
        (
            f"{TARGET}models_dir: ''",
            '2: `models_dir`: expected text that is not empty, found ""',
            "Write something, or take the key out.",
        ),
        (
            f"{TARGET}vars: [1]",
            "2: `vars`: expected keys and values, found [1]",
            "Write `key: value`, one a line, below it.",
        ),
        (
            f"{TARGET}secrets: {{}}",
            "2: `secrets`: expected a list, found {}",
            "Write [one, two], or one a line, each behind a dash.",
        ),
        (f"{TARGET}secrets: [3]", "2: `secrets.0`: expected text, found 3", 'Quote it: "3".'),
        (
            f"{TARGET}secrets:\n  - A\n  - ''",
            '4: `secrets.1`: expected text that is not empty, found ""',
            "Write something, or take the key out.",
        ),
        (
            f"{TARGET}environments: prod",
            '2: `environments`: expected keys and values, found "prod"',
            "Write `key: value`, one a line, below it.",
        ),
        (
            f"{TARGET}environments:\n  prod: {{tagret: {{}}}}",
            "3: unknown key `environments.prod.tagret`",
            "Did you mean target?",
        ),
        (
            f"{TARGET}environments:\n  prod:\n    target:\n      typ: x",
            "5: unknown key `environments.prod.target.typ`",
            "Did you mean type?",
        ),
        (
            f"{TARGET}sources: [raw]",
            '2: `sources`: expected keys and values, found ["raw"]',
            "Write `key: value`, one a line, below it.",
        ),
        (
            f"{TARGET}sources: {{raw: x}}",
            '2: `sources.raw`: expected keys and values, found "x"',
            "Write `key: value`, one a line, below it.",
        ),
        (
            f"{TARGET}sources: {{raw: {{version: colum}}}}",
            '2: `sources.raw.version`: "colum" is not one of data, column, always or never',
            "Did you mean column?",
        ),
        (
            f"{TARGET}sources: {{raw: {{version: xyz}}}}",
            '2: `sources.raw.version`: "xyz" is not one of data, column, always or never',
            "Write one of them.",
        ),
        (
            f"{TARGET}sources: {{raw: {{version: 1}}}}",
            "2: `sources.raw.version`: 1 is not one of data, column, always or never",
            "Write one of them.",
        ),
        (
            f"{TARGET}sources: {{raw: {{version: column}}}}",
            "2: `sources.raw`: `version: column` and `column: name` go together",
            "Write both, or neither.",
        ),
        (
            f"{TARGET}sources: {{raw: {{column: x}}}}",
            "2: `sources.raw`: `version: column` and `column: name` go together",
            "Write both, or neither.",
        ),
        (
            f"{TARGET}sources:\n  raw.a:\n  RAW.A:",
            "4: the sources `raw.a` and `RAW.A` differ by case alone, which SQL does not look at",
            "Keep one of them.",
        ),
        (
            "target: {type: duckdb, settings: {a: [1]}}",
            "1: `target.settings.a`: expected text, a number or true or false, found [1]",
            "Write one of these.",
        ),
        (
            "target: {type: duckdb, settings: {a: }}",
            "1: `target.settings.a`: expected text, a number or true or false, found nothing",
            "Write one of these.",
        ),
        ("a: [", "1: bad YAML: did not find expected node content", "Check indentation, colons and quotes here."),
        ("- target", "1: expected keys and values", "Write it as `key: value`, one a line."),
    ],
)
def test_what_is_wrong_is_said_with_line_cause_and_mend(text: str, cause: str, mend: str) -> None:
    """One mistake, one problem."""
    assert configuration_problems(text) == [f"leapsql.yaml:{cause}\n    {mend}"]


def test_all_of_it_is_said_at_once_in_the_order_of_the_file() -> None:
    """Unknown keys, wrong values, missing ones and sources that SQL takes for one."""
    text = """\
name: 3
target: {databse: x}
environments:
  prod: {vars: 1, x: 2}
sources:
  a: {version: column}
  A:
nam: x
"""
    assert configuration_problems(text) == [
        'leapsql.yaml:1: `name`: expected text, found 3\n    Quote it: "3".',
        "leapsql.yaml:2: key `target.type` is missing\n    Add `type:`.",
        "leapsql.yaml:2: unknown key `target.databse`\n    Did you mean database?",
        "leapsql.yaml:4: `environments.prod.vars`: expected keys and values, found 1\n"
        "    Write `key: value`, one a line, below it.",
        "leapsql.yaml:4: unknown key `environments.prod.x`\n    Known keys: target, vars.",
        "leapsql.yaml:6: `sources.a`: `version: column` and `column: name` go together\n    Write both, or neither.",
        "leapsql.yaml:7: the sources `a` and `A` differ by case alone, which SQL does not look at\n"
        "    Keep one of them.",
        "leapsql.yaml:8: unknown key `nam`\n    Did you mean name?",
    ]


def test_a_long_value_is_cut() -> None:
    """The first of it tells which one is meant."""
    (problem,) = configuration_problems(f"{TARGET}name: [{'a' * 100}]")
    assert problem == (
        f'leapsql.yaml:2: `name`: expected text, found ["{"a" * 57}…\n    Write one text, in quotes if need be.'
    )


@pytest.mark.parametrize("secret", ["hunter2", 'quote"d and lined\nup', "s" * 90])
def test_a_secret_does_not_show_in_a_complaint(secret: str) -> None:
    """Neither whole nor in part, wherever it was filled in, and also where `secrets` itself is wrong."""
    text = "name: ['${TOKEN}']\ntarget: {type: '${TOKEN}', settings: {a: {b: '${TOKEN}'}}}\nsecrets: [TOKEN, 3]\n"
    problems = configuration_problems(text, environ={"TOKEN": secret})
    assert len(problems) == 4
    assert sum("<secret TOKEN " in problem for problem in problems) == 3
    for problem in problems:
        assert secret[:7] not in problem


def test_secrets_that_are_wrong_are_said_to_be_so() -> None:
    """Whatever is written there."""
    problem = "leapsql.yaml:2: `secrets`: expected a list, found {}\n"
    written = "    Write [one, two], or one a line, each behind a dash."
    assert configuration_problems(f"{TARGET}secrets: {{}}") == [problem + written]
    (one, two) = configuration_problems(f"{TARGET}name: 3\nsecrets: TOKEN\nx: 1", environ={"TOKEN": "t"})
    assert one.startswith("leapsql.yaml:2: `name`")
    assert two.startswith("leapsql.yaml:4: unknown key `x`")
