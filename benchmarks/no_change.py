"""What it costs to find out that nothing changed: whole processes of `leapsql plan` and `leapsql run`.

`python -m benchmarks.no_change --models 100 1000 --rounds 5`
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.generate import write_project
from benchmarks.measuring import LEAPSQL, Measured, measure_in_turn
from benchmarks.pages import machine, markdown_table, new_parser, print_report, tell

_FLOOR: Final = "import click, sqlite3"
_READ: Final = "read and hash the files"
_OPEN: Final = "import duckdb, open the warehouse"
_COMMANDS: Final = {
    _FLOOR: (sys.executable, "-c", "import click, sqlite3"),
    _READ: (sys.executable, "-m", "benchmarks.read_and_hash", "models", "macros"),
    _OPEN: (
        sys.executable,
        "-c",
        "import duckdb; duckdb.connect('.leapsql/warehouse.duckdb', read_only=True).execute('SELECT 1').fetchall()",
    ),
    "leapsql --help": (*LEAPSQL, "--help"),
    "leapsql list": (*LEAPSQL, "list"),
    "leapsql plan": (*LEAPSQL, "plan"),
    "leapsql run": (*LEAPSQL, "run"),
}
_HEADER: Final = ("nothing to do", "models", "seconds", "processor seconds", "MiB", "× reading", "× DuckDB")


def measure(models: int, *, rounds: int) -> dict[str, Measured]:
    """Build a project of `models` models, then measure every command on it with nothing left to do."""
    with TemporaryDirectory(prefix="leapsql-bench-") as made:
        folder, bytecode = Path(made, "project"), Path(made, "bytecode")
        write_project(folder, models)
        return measure_in_turn(_COMMANDS, first=(*LEAPSQL, "run"), rounds=rounds, folder=folder, bytecode=bytecode)


def stream_rows(models: int, found: dict[str, Measured]) -> Iterator[list[str]]:
    """Yield one row of the table for each command."""
    for name, measured in found.items():
        ratios = (f"{measured.wall / found[other].wall:.1f}" for other in (_READ, _OPEN))
        seconds = (f"{measured.wall:.2f}", f"{measured.cpu:.2f}", f"{measured.peak:.0f}")
        yield [f"`{name}`", f"{models:,}", *seconds, *ratios]


def report(sizes: Sequence[int], rounds: int) -> str:
    """Measure projects of each of `sizes`, and return a table."""
    rows: list[list[str]] = []
    for models in sizes:
        tell(f"a project of {models:,} models")
        rows += stream_rows(models, measure(models, rounds=rounds))
    return f"Medians of {rounds} runs of each, in turn. {machine()}.\n\n{markdown_table(_HEADER, rows)}"


def parser() -> ArgumentParser:
    """Return what the command line is read with."""
    return new_parser("no_change", __doc__, models=(100, 1000))


def main() -> None:
    """Measure, and print a table."""
    print_report(parser(), report)


if __name__ == "__main__":
    main()
