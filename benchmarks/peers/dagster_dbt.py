"""The plugin beside dagster-dbt: loading definitions, and materializing all with row counts and columns, from nothing.

Whole processes, in turn, each in an environment of its own: in-process executor, an instance in memory.
`python -m benchmarks.peers.dagster_dbt --models 1 10 100 --rounds 5 --peers .bench`
"""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.generate import write_files
from benchmarks.measuring import Measured, environ, measure_once, medians
from benchmarks.pages import machine, markdown_table, new_parser, tell
from benchmarks.peers.tools import Tool, dbt, leapsql, remove_made

_LOADING: Final = "loading, a whole process"
_ALL: Final = "materializing all, a whole process"
_RUN: Final = "materializing all, the run alone"
_HEADER: Final = ("task", "models", "plugin", "seconds", "processor seconds", "MiB", "× LeapSQL")
_FOUND: Final = "found.json"

_OURS: Final = """\
from pathlib import Path

import dagster as dg

from leapsql_dagster import LeapSQLProject, LeapSQLResource, leapsql_assets


@leapsql_assets(project=LeapSQLProject(Path(__file__).parent))
def models(context: dg.AssetExecutionContext, leapsql: LeapSQLResource):
    yield from leapsql.run(context)


defs = dg.Definitions(
    assets=[models], resources={"leapsql": LeapSQLResource(mode="changed")}, executor=dg.in_process_executor
)
"""
_THEIRS: Final = """\
import sys
from pathlib import Path

import dagster as dg
from dagster_dbt import DbtCliResource, DbtProject, dbt_assets

PROJECT = DbtProject(project_dir=Path(__file__).parent, profiles_dir=Path(__file__).parent)


@dbt_assets(manifest=PROJECT.manifest_path)
def models(context: dg.AssetExecutionContext, dbt: DbtCliResource):
    yield from dbt.cli(["build"], context=context).stream().fetch_row_counts().fetch_column_metadata()


CLI = DbtCliResource(project_dir=PROJECT, dbt_executable=str(Path(sys.executable).with_name("dbt")))
defs = dg.Definitions(assets=[models], resources={"dbt": CLI}, executor=dg.in_process_executor)
"""


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin: the tool whose projects it reads, the interpreter that has it, and definitions.

    ``made`` is what a run makes in a project's folder. ``first`` is run there once, before anything is measured.
    """

    name: str
    tool: Tool
    python: str
    definitions: str
    made: tuple[str, ...]
    first: Sequence[str] | None = None


def plugins(peers: Path) -> tuple[Plugin, Plugin]:
    """Return ours, and dagster-dbt as its environment has it; its manifest is made beforehand, as deployments do."""
    programs = peers / "dagster-dbt" / "bin"
    parse = (str(programs / "dbt"), "parse", "--quiet", "--profiles-dir", ".")
    made = ("warehouse.duckdb", "warehouse.duckdb.wal", "logs")
    return (
        Plugin("LeapSQL", leapsql(), sys.executable, _OURS, (".leapsql",)),
        Plugin("dagster-dbt", dbt(str(programs / "dbt")), str(programs / "python"), _THEIRS, made, first=parse),
    )


def measure(some: Sequence[Plugin], models: int, *, rounds: int) -> dict[tuple[str, str], Measured]:
    """Return medians by task and plugin.

    Raises:
        subprocess.CalledProcessError: a command failed.
        ValueError: a run materialized another number of models, or told no columns of them.
    """
    found: dict[tuple[str, str], list[Measured]] = {
        (task, one.name): [] for task in (_LOADING, _ALL, _RUN) for one in some
    }
    with TemporaryDirectory(prefix="leapsql-bench-") as made:
        variables = environ(Path(made, "bytecode")) | {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
        for one in some:
            folder = Path(made, one.name)
            write_files(folder, one.tool.files(models) | {"definitions.py": one.definitions})
            if one.first is not None:
                measure_once(one.first, folder, variables)
        for number in range(rounds + 1):
            tell(f"{models:,} models, round {number} of {rounds}" if number else f"{models:,} models, warming up")
            for one in some:
                measured = _measure(one, Path(made, one.name), models, variables)
                for task, figures in measured.items() if number else ():
                    found[task, one.name].append(figures)
    return {key: medians(runs) for key, runs in found.items()}


def _measure(plugin: Plugin, folder: Path, models: int, variables: Mapping[str, str]) -> dict[str, Measured]:
    load = (plugin.python, "-m", "benchmarks.load_location", "definitions.py")
    loading = measure_once(load, folder, variables)
    remove_made(folder, plugin.made)
    command = (plugin.python, "-m", "benchmarks.peers.materialize", "definitions.py", _FOUND)
    whole = measure_once(command, folder, variables)
    told = json.loads((folder / _FOUND).read_text(encoding="utf-8"))
    if (told["materialized"], told["columns"]) != (models, models):
        raise ValueError(f"{plugin.name} did not materialize {models} models with their columns: {told}")
    return {_LOADING: loading, _ALL: whole, _RUN: Measured(told["seconds"], whole.cpu, whole.peak)}


def stream_rows(found: Mapping[tuple[str, str], Measured], models: int) -> Iterator[list[str]]:
    """Yield one row of the table for each task and plugin."""
    for (task, name), measured in found.items():
        more = ("", "") if task == _RUN else (f"{measured.cpu:.2f}", f"{measured.peak:.0f}")
        times = measured.wall / found[task, "LeapSQL"].wall
        yield [task, f"{models:,}", name, f"{measured.wall:.2f}", *more, f"{times:.1f}"]


def version_of(python: str) -> str:
    """Return the versions in an environment of dagster-dbt."""
    code = "from importlib.metadata import version as v; print(*(f'{p} {v(p)}' for p in %r), sep=', ')"
    packages = ("dagster-dbt", "dagster", "dbt-core", "dbt-duckdb", "duckdb")
    return subprocess.run([python, "-c", code % (packages,)], capture_output=True, text=True, check=True).stdout.strip()


def parser() -> ArgumentParser:
    """Return what the command line is read with."""
    made = new_parser("peers.dagster_dbt", __doc__, models=(1, 10, 100))
    made.add_argument("--peers", type=Path, default=Path(".bench"), help="where the peers' environments lie")
    return made


def main() -> None:
    """Measure, and print a table."""
    given = parser().parse_args()
    both = plugins(given.peers.absolute())
    rows = [row for size in given.models for row in stream_rows(measure(both, size, rounds=given.rounds), size)]
    told = f"Medians of {given.rounds}, in turn. {machine()}; beside it {version_of(both[1].python)}."
    print(f"{told}\n\n{markdown_table(_HEADER, rows, words=(0, 2))}")


if __name__ == "__main__":
    try:
        main()
    except (subprocess.CalledProcessError, ValueError) as exc:
        sys.exit(str(exc))
