"""What is compared with other tools: the same graph in each, and edits that are what their cases say."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from benchmarks.generate import Plot, plot, project_files
from benchmarks.peers.compare import edited
from benchmarks.peers.projects import dbt_files, sqlmesh_files
from benchmarks.peers.tools import CASES

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
