"""The projects that benchmarks are run on: the same anywhere, of every kind, and projects that compile and build."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import get_args

import duckdb
import pytest
from projects import Lab, compile_project

from benchmarks.bare_build import run as run_statements
from benchmarks.bare_build import write as write_statements
from benchmarks.data_versions import COLUMN_SETS, QUERIES
from benchmarks.data_versions import measure as measure_versions
from benchmarks.full_build import stream_rows as stream_rows_of_builds
from benchmarks.generate import Shape, plot, project_files, write_project
from benchmarks.measuring import Measured, measure_in_turn
from benchmarks.no_change import LEAPSQL
from benchmarks.pages import markdown_table
from leapsql_core.models import Model

#: If the projects are to be others, figures that were measured before cannot be compared.
DIGEST = "17f3e193b68edff53629fac12f0104e48f19ee787b42e653b6af6597f78e60fd"


@pytest.mark.parametrize("shape", get_args(Shape))
def test_a_project_of_any_shape_compiles(shape: Shape) -> None:
    """Every model reads what it is meant to read."""
    project = compile_project(project_files(73, shape))
    plots = plot(73, shape)
    names = [f"block_{one.number // 60:03}.{one.name}" for one in plots]
    assert project.parents == {names[one.number]: tuple(sorted(names[number] for number in one.reads)) for one in plots}
    assert project.warnings == ()


def test_a_mixed_project_has_models_of_every_kind() -> None:
    """Tables, views and incremental models; tests, macros, wide queries; of none, one and two inputs."""
    models = [node for node in compile_project(project_files(180)).nodes.values() if isinstance(node, Model)]
    kinds = Counter(model.materialized for model in models)
    assert kinds == {"table": 132, "view": 30, "incremental": 18}
    assert sum(bool(model.macros) for model in models) == 45
    assert sum(bool(model.config.tests) for model in models) == 36
    assert {len(model.inputs) for model in models} == {0, 1, 2}
    assert max(len(model.lineage.columns or ()) for model in models) == 21


def test_a_project_builds_and_then_nothing_is_left_to_do(make_lab: Callable[..., Lab]) -> None:
    """Which is what is measured."""
    lab = make_lab(project_files(24))
    assert len(lab.run().built) == 24
    assert set(lab.run().reasons.values()) == {"unchanged"}


def test_a_number_always_makes_the_same_files(tmp_path: Path) -> None:
    """Whatever was made before, and wherever."""
    written = write_project(tmp_path, 61)
    texts = {path.relative_to(tmp_path).as_posix(): path.read_text(encoding="utf-8") for path in written}
    assert texts == project_files(61)
    digest = hashlib.sha256("".join(f"{name}\n{text}" for name, text in sorted(texts.items())).encode()).hexdigest()
    assert digest == DIGEST


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_builds_with_versions_and_without_are_both_measured(query: str) -> None:
    """Three readers with columns of their own, and the table's own version."""
    assert len(set(COLUMN_SETS)) == 4
    found = measure_versions(query, rows=100, rounds=1)
    assert found.added.clock == pytest.approx(found.with_versions.clock / found.without.clock - 1)
    assert found.added.processor == pytest.approx(found.with_versions.processor / found.without.processor - 1)


def test_processes_are_measured_in_turn(tmp_path: Path) -> None:
    """Wall time, processor time and memory, and a table to show them; before each run what it needs is put in place."""
    prepared: list[str] = []
    found = measure_in_turn(
        {"help": (*LEAPSQL, "--help")},
        first=(*LEAPSQL, "--version"),
        rounds=1,
        folder=tmp_path,
        bytecode=tmp_path / "bytecode",
        before=prepared.append,
    )
    assert prepared == ["help", "help"]
    measured = found["help"]
    assert min(measured.wall, measured.cpu, measured.peak) > 0
    assert markdown_table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | ---: |\n| 1 | 2 |"


def test_a_full_build_is_measured_beside_the_same_statements(tmp_path: Path) -> None:
    """Which make the same tables as a run, in a database of their own; ratios are to them."""
    measured = {"DuckDB alone": Measured(2.0, 2.0, 50.0), "leapsql run": Measured(3.0, 4.0, 90.0)}
    rows = [row[5:] for row in stream_rows_of_builds(500, measured)]
    assert rows == [["1.0", "0.0"], ["1.5", "2.0"]]
    write_project(tmp_path, 14)
    statements, database = tmp_path / "statements.json", tmp_path / "bare.duckdb"
    with chdir(tmp_path):
        write_statements(statements)
        run_statements(statements, database)
    with duckdb.connect(str(database), read_only=True) as connection:
        made = connection.execute("SELECT table_name FROM information_schema.tables ORDER BY 1").fetchall()
    assert [name for (name,) in made] == [one.name for one in plot(14)]
