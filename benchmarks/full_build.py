"""What a first build of a whole project costs, beside the same statements given to DuckDB alone.

`python -m benchmarks.full_build --models 100 1000 --rounds 5`
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

_FLOOR: Final = "DuckDB alone"
_FROM_NOTHING: Final = "import shutil; shutil.rmtree('.leapsql', ignore_errors=True)"
_KEEPING_WHAT_WAS_PARSED: Final = (
    "from pathlib import Path; [path.unlink() for path in Path('.leapsql').iterdir() if path.name != 'parsed.db']"
)
_HEADER: Final = ("a first build", "models", "seconds", "processor seconds", "MiB", "× DuckDB", "ms a model more")


def _leapsql_after(preparation: str) -> tuple[str, ...]:
    program, option, code = LEAPSQL
    return (program, option, f"{preparation}; {code}", "run")


def measure(models: int, *, rounds: int) -> dict[str, Measured]:
    """Build a project of `models` models from nothing, in each way in turn."""
    with TemporaryDirectory(prefix="leapsql-bench-") as made:
        folder, bytecode, statements = Path(made, "project"), Path(made, "bytecode"), Path(made, "statements.json")
        write_project(folder, models)
        bare = (sys.executable, "-m", "benchmarks.bare_build")
        commands = {
            _FLOOR: (*bare, "run", str(statements), str(Path(made, "bare.duckdb"))),
            "leapsql run, its files never read before": _leapsql_after(_FROM_NOTHING),
            "leapsql run, its files read before": _leapsql_after(_KEEPING_WHAT_WAS_PARSED),
        }
        first = (*bare, "write", str(statements))
        return measure_in_turn(commands, first=first, rounds=rounds, folder=folder, bytecode=bytecode)


def stream_rows(models: int, found: dict[str, Measured]) -> Iterator[list[str]]:
    """Yield one row of the table for each way."""
    floor = found[_FLOOR].wall
    for name, measured in found.items():
        seconds = (f"{measured.wall:.2f}", f"{measured.cpu:.2f}", f"{measured.peak:.0f}")
        more = 1000 * (measured.wall - floor) / models
        yield [name, f"{models:,}", *seconds, f"{measured.wall / floor:.1f}", f"{more:.1f}"]


def report(sizes: Sequence[int], rounds: int) -> str:
    """Measure projects of each of `sizes`, and return a table."""
    rows: list[list[str]] = []
    for models in sizes:
        tell(f"a project of {models:,} models")
        rows += stream_rows(models, measure(models, rounds=rounds))
    return f"Medians of {rounds} runs of each, in turn. {machine()}.\n\n{markdown_table(_HEADER, rows)}"


def parser() -> ArgumentParser:
    """Return what the command line is read with."""
    return new_parser("full_build", __doc__, models=(100, 1000))


def main() -> None:
    """Measure, and print a table."""
    print_report(parser(), report)


if __name__ == "__main__":
    main()
