"""What is compared with other tools: the same graph in each, and edits that are what their cases say."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.generate import Plot, plot, project_files, write_files
from benchmarks.measuring import Measured
from benchmarks.peers import dagster_dbt
from benchmarks.peers.compare import stream_growth, stream_rows
from benchmarks.peers.edits import edited
from benchmarks.peers.materialize import materialize
from benchmarks.peers.projects import dbt_files, sqlmesh_files
from benchmarks.peers.tools import CASES, dbt, duckdb_alone, leapsql, sqlmesh

MODELS = 130


def parents_in(text: str, name: str) -> set[str]:
    return set(re.findall(r"\bm\d{5}\b", text)) - {name}


def path_of(one: Plot) -> str:
    return f"models/{one.folder}/{one.name}.sql"


@pytest.mark.parametrize("files_of", [project_files, dbt_files, sqlmesh_files])
def test_each_tool_is_given_the_same_graph(files_of: Callable[[int], dict[str, str]]) -> None:
    """Each model reads the same others, as a table, a view or incrementally."""
    plots, files = plot(MODELS), files_of(MODELS)
    for one in plots:
        assert parents_in(files[path_of(one)], one.name) == {plots[number].name for number in one.reads}


def test_each_tool_is_given_the_same_tests_and_materializations() -> None:
    """As many as the others, on the same models."""
    plots, dbt, sqlmesh = plot(MODELS), dbt_files(MODELS), sqlmesh_files(MODELS)
    tested = "".join(text for name, text in dbt.items() if name.endswith("schema.yml"))
    for one in plots:
        assert (one.name in tested) == one.has_tests == ("audits" in sqlmesh[path_of(one)])
        assert f"materialized='{one.materialized}'" in dbt[path_of(one)]
    kinds = [re.findall(r"kind (\w+)", sqlmesh[path_of(one)])[0] for one in plots]
    expected = {"table": "FULL", "view": "VIEW", "incremental": "INCREMENTAL_BY_UNIQUE_KEY"}
    assert kinds == [expected[one.materialized] for one in plots]


@pytest.mark.parametrize("files_of", [project_files, dbt_files, sqlmesh_files])
def test_each_case_edits_what_it_says_and_keeps_the_edits_before_it(files_of: Callable[[int], dict[str, str]]) -> None:
    """So that no case undoes another's edit, which would be one more change."""
    files = files_of(MODELS)
    before, counts = files, []
    for case in CASES:
        now = edited(files, case, MODELS, 3)
        counts.append(sum(now[name] != before[name] for name in files))
        before = now
    assert counts == [0, 0, 0, 1, 1, MODELS]
    assert sum(" + 4 AS amount" in text for text in before.values()) == 2
    assert edited(files, "one root", MODELS, 4) != edited(files, "one root", MODELS, 3)


def test_every_tool_takes_part_in_every_case_but_the_floor() -> None:
    """DuckDB alone cannot tell what changed: it only builds."""
    assert list(duckdb_alone().commands) == ["full build"]
    for tool in (leapsql(), dbt("dbt"), sqlmesh("sqlmesh")):
        assert list(tool.commands) == list(CASES)


def test_ratios_are_to_leapsql_and_where_there_is_a_floor_to_it() -> None:
    """In the order in which they were measured."""
    found = {
        ("full build", "LeapSQL"): Measured(2.0, 3.0, 50.0),
        ("full build", "DuckDB alone"): Measured(1.0, 1.0, 40.0),
        ("no change", "LeapSQL"): Measured(0.5, 0.5, 30.0),
        ("no change", "dbt"): Measured(4.0, 4.0, 90.0),
    }
    rows = [[row[0], *row[2:4], *row[6:]] for row in stream_rows(found, 1000)]
    assert rows == [
        ["full build", "LeapSQL", "2.00", "1.0", "2.0"],
        ["full build", "DuckDB alone", "1.00", "0.5", "1.0"],
        ["no change", "LeapSQL", "0.50", "1.0", ""],
        ["no change", "dbt", "4.00", "8.0", ""],
    ]


def test_growth_is_told_from_each_size_to_the_next() -> None:
    """Of LeapSQL alone: how many times the models, the seconds and the memory."""
    smaller = {(case, "LeapSQL"): Measured(0.5, 0.5, 60.0) for case in CASES}
    larger = {(case, "LeapSQL"): Measured(4.0, 4.0, 90.0) for case in CASES}
    rows = list(stream_growth({1000: smaller, 10_000: larger}))
    assert [row[0] for row in rows] == [case for case in CASES for _ in range(2)]
    assert rows[:2] == [
        ["first plan", "1,000", "0.50", "60", "", "", ""],
        ["first plan", "10,000", "4.00", "90", "10.0", "8.0", "1.5"],
    ]


def test_the_plugin_materializes_what_is_compared_with_dagster_dbt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every model of the project, from nothing, each with its columns."""
    ours, theirs = dagster_dbt.plugins(tmp_path)
    compile(theirs.definitions, "definitions.py", "exec")
    file = tmp_path / "definitions_that_are_measured.py"
    write_files(tmp_path, ours.tool.files(4) | {file.name: ours.definitions})
    monkeypatch.setattr("sys.path", list(sys.path))
    told = materialize(file)
    assert {name: number for name, number in told.items() if name != "seconds"} == {
        "materialized": 4,
        "row counts": 3,
        "columns": 4,
    }


def test_a_run_that_failed_is_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its seconds would be too few."""
    ours, _ = dagster_dbt.plugins(tmp_path)
    monkeypatch.setattr("sys.path", list(sys.path))
    file = tmp_path / "definitions_that_fail.py"
    broken = {"models/block_000/m00001.sql": "SELECT CAST('x' AS INTEGER) AS id"}
    write_files(tmp_path, ours.tool.files(2) | broken | {file.name: ours.definitions})
    with pytest.raises(RuntimeError, match="the run failed"):
        materialize(file)
