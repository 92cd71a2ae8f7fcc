"""The projects of `benchmarks.generate` as dbt and SQLMesh have them: the same graph, queries and tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from benchmarks.generate import Plot, Shape, plot, queried_columns, source_of

_DBT_PROJECT: Final = """\
name: generated
version: "1.0"
profile: generated
model-paths: [models]
macro-paths: [macros]
vars: {lowest: 0}
flags: {send_anonymous_usage_stats: false}
"""
_DBT_PROFILE: Final = """\
generated:
  target: dev
  outputs:
    dev: {type: duckdb, path: warehouse.duckdb, threads: 4}
"""
_DBT_MACROS: Final = """\
{% macro raised(column, by=1) %}({{ column }} + {{ by }}){% endmacro %}
{% macro at_least(column, lowest) %}{{ column }} >= {{ lowest }}{% endmacro %}
"""
_SQLMESH_CONFIG: Final = """\
gateways:
  local:
    connection: {type: duckdb, database: warehouse.duckdb, concurrent_tasks: 4}
default_gateway: local
model_defaults: {dialect: duckdb, start: 2024-01-01}
disable_anonymized_analytics: true
"""
_SQLMESH_KINDS: Final = {"table": "FULL", "view": "VIEW", "incremental": "INCREMENTAL_BY_UNIQUE_KEY (unique_key id)"}
_SQLMESH_AUDITS: Final = ",\n  audits (not_null(columns := (id, kind)), unique_values(columns := (id)))"


def dbt_files(models: int, shape: Shape = "mixed") -> dict[str, str]:
    """Return the texts of a dbt project by their paths; its tests stand in one file for each folder."""
    plots = plot(models, shape)
    files = {"dbt_project.yml": _DBT_PROJECT, "profiles.yml": _DBT_PROFILE, "macros/amounts.sql": _DBT_MACROS}
    files |= {f"models/{one.folder}/{one.name}.sql": "\n".join(_stream_dbt(one, plots)) + "\n" for one in plots}
    for folder in sorted({one.folder for one in plots}):
        tested = [one for one in plots if one.folder == folder and one.has_tests]
        if tested:
            files[f"models/{folder}/schema.yml"] = "models:\n" + "".join(map(_dbt_tests, tested))
    return files


def _stream_dbt(one: Plot, plots: list[Plot]) -> Iterator[str]:
    key = ", unique_key='id'" if one.materialized == "incremental" else ""
    yield f"{{{{ config(materialized='{one.materialized}'{key}) }}}}"
    yield f"-- {one.name}"
    first, kind, amount, *wide = queried_columns(one)
    raised = f"{{{{ raised('{amount}', by=2) }}}}" if one.is_template else amount
    yield "SELECT\n    " + ",\n    ".join((first, kind, f"{raised} AS amount", *wide))
    parents = ["{{ ref('" + plots[number].name + "') }}" for number in one.reads]
    yield f"FROM {source_of(one, parents)}"
    identity = first.split()[0]
    if one.is_template:
        yield f"WHERE {{{{ at_least('{identity}', var('lowest')) }}}}"
    if one.materialized == "incremental":
        yield "{% if is_incremental() %}"
        yield f"WHERE {identity} > (SELECT max(id) FROM {{{{ this }}}})"
        yield "{% endif %}"


def _dbt_tests(one: Plot) -> str:
    columns = "\n".join(
        (
            "      - {name: id, data_tests: [not_null, unique]}",
            "      - {name: kind, data_tests: [not_null]}",
        )
    )
    return f"  - name: {one.name}\n    columns:\n{columns}\n"


def sqlmesh_files(models: int, shape: Shape = "mixed") -> dict[str, str]:
    """Return the texts of a SQLMesh project by their paths; what is a template elsewhere is plain SQL here."""
    plots = plot(models, shape)
    files = {"config.yaml": _SQLMESH_CONFIG}
    for one in plots:
        files[f"models/{one.folder}/{one.name}.sql"] = "\n".join(_stream_sqlmesh(one, plots)) + "\n"
    return files


def _stream_sqlmesh(one: Plot, plots: list[Plot]) -> Iterator[str]:
    audits = _SQLMESH_AUDITS if one.has_tests else ""
    yield f"MODEL (\n  name main.{one.name},\n  kind {_SQLMESH_KINDS[one.materialized]}{audits}\n);"
    yield f"-- {one.name}"
    first, kind, amount, *wide = queried_columns(one)
    raised = f"({amount} + 2)" if one.is_template else amount
    yield "SELECT\n    " + ",\n    ".join((first, kind, f"{raised} AS amount", *wide))
    parents = [f"main.{plots[number].name}" for number in one.reads]
    yield f"FROM {source_of(one, parents)}"
    if one.is_template:
        yield f"WHERE {first.split()[0]} >= 0"
