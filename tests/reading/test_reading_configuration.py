"""`leapsql.yaml`: every key, what stands for a key that is not there, and what an environment changes."""

from __future__ import annotations

import pytest
from projects import compile_project
from reading_samples import TARGET, configure, warnings_of

from leapsql_core.configuration import ProjectConfig
from leapsql_core.errors import UsageError
from leapsql_core.masking import Secrets
from leapsql_core.models import SourceConfig, Target

EVERYTHING = """\
name: flights
models_dir: sql
seeds_dir: data
macros_dir: lib
state_path: /var/state.db
environment: test
vars: {min_flights: 100, carriers: [UA, AA], limits: {low: 1}, ratio: 0.5, strict: true, none: ~}
target:
  type: duckdb
  database: main.duckdb
  schema: core
  settings: {memory_limit: 4GB, threads: 2, a: true, b: 1.5}
  wait_seconds: 300
environments:
  prod:
    target: {type: duckdb, database: prod.duckdb, schema: live, settings: {threads: 8, c: x}, wait_seconds: 0}
    vars: {min_flights: 1000, extra: 1}
  stage: {vars: {strict: false}}
  bare:
sources:
  raw.orders: {version: column, column: updated_at, description: Orders, meta: {dagster: {asset_key: a/b}}}
  raw.days: {version: always}
  lake: {version: never}
  plain:
tests: {limit: 9}
secrets: [TOKEN, KEY]
"""


def test_every_key_is_read() -> None:
    """All of it at once, as its own environment sees it."""
    config = configure(EVERYTHING, environ={"TOKEN": "s3cret", "KEY": "", "OTHER": "x"})
    assert config == ProjectConfig(
        name="flights",
        models_dir="sql",
        seeds_dir="data",
        macros_dir="lib",
        state_path="/var/state.db",
        environment="test",
        environments=("bare", "prod", "stage", "test"),
        target=Target(
            "test", "duckdb", "main.duckdb", "core", {"memory_limit": "4GB", "threads": 2, "a": True, "b": 1.5}, 300
        ),
        vars={
            "min_flights": 100,
            "carriers": ["UA", "AA"],
            "limits": {"low": 1},
            "ratio": 0.5,
            "strict": True,
            "none": None,
        },
        sources={
            "lake": SourceConfig("never"),
            "plain": SourceConfig("data"),
            "raw.days": SourceConfig("always"),
            "raw.orders": SourceConfig("column", "updated_at", "Orders", {"dagster": {"asset_key": "a/b"}}),
        },
        secrets=Secrets({"TOKEN": "s3cret"}),
        secret_names=("KEY", "TOKEN"),
        sample_limit=9,
        lines=config.lines,
    )
    assert list(config.sources) == ["lake", "plain", "raw.days", "raw.orders"]


def test_only_the_type_of_the_target_has_to_be_said() -> None:
    """Everything else has a default; the folder's name serves for the project's."""
    config = configure(TARGET, project_name="my folder")
    assert config == ProjectConfig(
        name="my folder",
        models_dir="models",
        seeds_dir="seeds",
        macros_dir="macros",
        state_path=".leapsql/state.db",
        environment="dev",
        environments=("dev",),
        target=Target("dev", "duckdb", ".leapsql/warehouse.duckdb", "main", {}),
        vars={},
        sources={},
        secrets=Secrets(),
        lines={"target": 1},
    )


@pytest.mark.parametrize(
    "key", ["name", "models_dir", "environment", "vars", "environments", "sources", "tests", "secrets"]
)
def test_a_key_with_nothing_behind_it_counts_as_not_written(key: str) -> None:
    """As when its values are commented out."""
    plain, config = configure(TARGET), configure(f"{TARGET}{key}:\n")
    assert (config.name, config.models_dir, config.environment, config.vars, config.environments, config.sources) == (
        plain.name,
        plain.models_dir,
        plain.environment,
        plain.vars,
        plain.environments,
        plain.sources,
    )


def test_an_environment_overrides_target_and_variables() -> None:
    """Key by key: what it does not say stays as the project says it."""
    config = configure(EVERYTHING, environment="prod")
    assert config.environment == "prod"
    assert config.target == Target(
        "prod",
        "duckdb",
        "prod.duckdb",
        "live",
        {"memory_limit": "4GB", "threads": 8, "a": True, "b": 1.5, "c": "x"},
        wait_seconds=0,
    )
    assert (config.vars["min_flights"], config.vars["extra"], config.vars["ratio"]) == (1000, 1, 0.5)
    stage = configure(EVERYTHING, environment="stage")
    assert (stage.target.name, stage.target.database, stage.vars["strict"]) == ("stage", "main.duckdb", False)
    bare, own = configure(EVERYTHING, environment="bare"), configure(EVERYTHING)
    assert (bare.target.database, bare.target.settings, bare.vars) == ("main.duckdb", own.target.settings, own.vars)


def test_variables_of_the_caller_win() -> None:
    """Over those of the environment, and those of the project; whole values, not parts of them."""
    config = configure(EVERYTHING, environment="prod", variables={"min_flights": 5, "limits": {"high": 2}, "new": []})
    assert config.vars["min_flights"] == 5
    assert config.vars["limits"] == {"high": 2}
    assert config.vars["new"] == []
    assert config.vars["extra"] == 1


def test_the_default_environment_need_not_be_listed() -> None:
    """It exists because `environment:` names it; if it is listed too, what is said there counts."""
    assert configure(f"{TARGET}environment: here\n").environments == ("here",)
    listed = configure(f"{TARGET}environment: here\nenvironments: {{here: {{vars: {{a: 1}}}}}}")
    assert (listed.environments, listed.vars) == (("here",), {"a": 1})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("prd", "there is no environment `prd`\n    Did you mean prod?"),
        ("xyz", "there is no environment `xyz`\n    Add it under `environments:` in leapsql.yaml."),
        ("", "there is no environment ``\n    Add it under `environments:` in leapsql.yaml."),
    ],
)
def test_an_environment_that_is_not_there_is_an_error(name: str, message: str) -> None:
    """A run under a mistyped name would build everything anew somewhere else."""
    with pytest.raises(UsageError) as caught:
        configure(EVERYTHING, environment=name)
    assert str(caught.value) == message


def test_secrets_may_be_one_word() -> None:
    """As everything that may be a list."""
    assert configure(f"{TARGET}secrets: TOKEN", environ={"TOKEN": "x"}).secrets == Secrets({"TOKEN": "x"})
    assert configure(f"{TARGET}secrets: []", environ={"TOKEN": "x"}).secrets == Secrets()


def test_secrets_do_not_show_when_a_configuration_is_printed() -> None:
    """A traceback or a debugger shows records as they print themselves."""
    config = configure(f"{TARGET}secrets: TOKEN", environ={"TOKEN": "hunter2"})
    assert "hunter2" not in repr(config)


def test_keys_and_sources_know_their_lines() -> None:
    """A source's line is that of its name, whatever is said of it below."""
    config = configure(f"{TARGET}sources:\n\n  raw.orders:\n    version: column\n    column: x\n  raw.days:\n")
    assert config.lines == {"target": 1, "sources": 2, "sources.raw.orders": 4, "sources.raw.days": 7}


def test_a_source_that_nobody_reads_is_warned_of() -> None:
    """With the nearest name that is read; and so is one that the project makes itself."""
    files = {
        "leapsql.yaml": f"{TARGET}sources:\n  raw.order: {{version: never}}\n  other:\n    version: always\n  made:\n",
        "models/a.sql": "select x from raw.orders",
        "models/made.sql": "select 1 as x",
    }
    assert warnings_of(files) == [
        "leapsql.yaml:3: no model reads the source `raw.order`\n    Did you mean raw.orders?",
        "leapsql.yaml:4: no model reads the source `other`",
        "leapsql.yaml:6: the source `made` is made by models/made.sql, so it is none\n    Take it out.",
    ]


def test_a_project_holds_what_its_configuration_says() -> None:
    """Name, environment, target, sources with what is said of them, and secrets."""
    project = compile_project(
        {"leapsql.yaml": EVERYTHING, "models/a.sql": "select * from raw.orders, raw.others"},
        environment="prod",
        environ={"KEY": "k"},
    )
    assert (project.name, project.environment, project.target.database) == ("flights", "prod", "prod.duckdb")
    assert {name: source.config.version for name, source in project.sources.items()} == {
        "raw.orders": "column",
        "raw.others": "data",
    }
    assert project.secrets == Secrets({"KEY": "k"})
