"""LeapSQL beside DuckDB alone, dbt and SQLMesh: whole processes on the same graph, in turn; prints tables.

`python -m benchmarks.peers.compare --models 100 1000 --alone 10000 --rounds 5 --peers .bench`
"""

from __future__ import annotations

import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.generate import write_files
from benchmarks.measuring import Measured, environ, measure_once, medians
from benchmarks.pages import machine, markdown_table, new_parser, tell
from benchmarks.peers.edits import edited
from benchmarks.peers.picture import Bar, draw
from benchmarks.peers.tools import CASES, FLOOR, Tool, dbt, duckdb_alone, leapsql, sqlmesh

OURS: Final = "LeapSQL"
_HEADER: Final = ("case", "models", "tool", "seconds", "processor seconds", "MiB", "× LeapSQL", "× DuckDB")
_GROWTH: Final = ("case", "models", "seconds", "MiB", "× models", "× seconds", "× MiB")
#: Of so many models is the project on which each tool compiles its own modules, before anything is measured.
_WARMING: Final = 20
#: What must not be asked of the network, nor shown in colour.
_SETTINGS: Final = {
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "SQLMESH__DISABLE_ANONYMIZED_ANALYTICS": "true",
    "NO_COLOR": "1",
}

#: Medians by case and tool.
Found = Mapping[tuple[str, str], Measured]


@dataclass(frozen=True, slots=True)
class Place:
    """A tool's project in its folder, with the files as they were written at first."""

    tool: Tool
    folder: Path
    files: dict[str, str]


def compare(tools: Sequence[Tool], models: int, *, rounds: int, bytecode: Path) -> Found:
    """Return medians by case and tool; compiled modules are kept in `bytecode`.

    Raises:
        subprocess.CalledProcessError: a command failed.
    """
    variables = environ(bytecode) | _SETTINGS
    with TemporaryDirectory(prefix="leapsql-bench-") as made:
        places = [Place(tool, Path(made, tool.name), tool.files(models)) for tool in tools]
        for place in places:
            if place.tool.first is not None:
                write_files(place.folder, place.files)
                measure_once(place.tool.first, place.folder, variables)
        found: dict[tuple[str, str], list[Measured]] = {}
        for number in range(1, rounds + 1):
            for case in CASES:
                tell(f"{models:,} models, round {number} of {rounds}: {case}")
                for place in places:
                    if case in place.tool.commands:
                        measured = _measure(place, case, models, number, variables)
                        found.setdefault((case, place.tool.name), []).append(measured)
        return {key: medians(runs) for key, runs in found.items()}


def _measure(place: Place, case: str, models: int, number: int, variables: Mapping[str, str]) -> Measured:
    if case in ("first plan", "full build"):
        place.tool.begin_anew(place.folder)
    write_files(place.folder, edited(place.files, case, models, number))
    measured = measure_once(place.tool.commands[case], place.folder, variables)
    if case != "first plan":
        place.tool.settle(place.folder)
    return measured


def stream_rows(found: Found, models: int) -> Iterator[list[str]]:
    """Yield one row of the table for each case and tool."""
    for (case, tool), measured in found.items():
        ours, floor = found[case, OURS].wall, found.get((case, FLOOR))
        seconds = (f"{measured.wall:.2f}", f"{measured.cpu:.2f}", f"{measured.peak:.0f}")
        times = (f"{measured.wall / ours:.1f}", f"{measured.wall / floor.wall:.1f}" if floor is not None else "")
        yield [case, f"{models:,}", tool, *seconds, *times]


def stream_growth(by_size: Mapping[int, Found]) -> Iterator[list[str]]:
    """Yield, for each case, LeapSQL's figures at each size, and how many times the ones before they are."""
    for case in CASES:
        before: tuple[int, Measured] | None = None
        for models, found in by_size.items():
            now = found[case, OURS]
            times = ["", "", ""]
            if before is not None:
                pairs = ((models, before[0]), (now.wall, before[1].wall), (now.peak, before[1].peak))
                times = [f"{larger / smaller:.1f}" for larger, smaller in pairs]
            yield [case, f"{models:,}", f"{now.wall:.2f}", f"{now.peak:.0f}", *times]
            before = models, now


def versions(programs: Sequence[str]) -> str:
    """Return what each program says that it is, in one line."""
    said = (subprocess.run((program, "--version"), capture_output=True, text=True, check=True) for program in programs)
    words = (f"{Path(one.args[0]).name} {_first_number(one.stdout)}" for one in said)
    return ", ".join(words)


def _first_number(said: str) -> str:
    return next(word for word in said.split() if word[:1].isdigit())


def measure(given: Namespace, programs: Mapping[str, str]) -> dict[int, Found]:
    """Return what was found at each size, all tools at some and LeapSQL beside DuckDB alone at others."""
    few = [leapsql(), duckdb_alone()]
    tools = [*few, dbt(programs["dbt"]), sqlmesh(programs["sqlmesh"])]
    sizes = [(models, tools, given.rounds) for models in given.models]
    sizes += [(models, few, given.alone_rounds) for models in given.alone]
    with TemporaryDirectory(prefix="leapsql-bench-") as bytecode:
        tell("warming up")
        compare(tools, _WARMING, rounds=1, bytecode=Path(bytecode))
        return {models: compare(some, models, rounds=rounds, bytecode=Path(bytecode)) for models, some, rounds in sizes}


def parser() -> ArgumentParser:
    """Return what the command line is read with."""
    made = new_parser("peers.compare", __doc__, models=(100, 1000))
    made.add_argument("--alone", type=int, nargs="*", default=[10_000], help="sizes without the other tools")
    made.add_argument("--alone-rounds", type=int, default=3)
    made.add_argument("--peers", type=Path, default=Path(".bench"), help="where the peers' environments lie")
    made.add_argument("--picture", type=Path, help="the file to draw the largest size of all tools into")
    return made


def main() -> None:
    """Measure, print tables, and draw a picture of them."""
    given = parser().parse_args()
    programs = {name: str(given.peers.absolute() / name / "bin" / name) for name in ("dbt", "sqlmesh")}
    peers = versions([*programs.values()])
    by_size = measure(given, programs)
    rounds = f"{given.rounds} whole processes each, in turn" + (
        f" ({given.alone_rounds} where LeapSQL stands alone)" if given.alone else ""
    )
    rows = [row for models, found in by_size.items() for row in stream_rows(found, models)]
    print(f"Medians of {rounds}. {machine()}; {peers}.\n\n{markdown_table(_HEADER, rows, words=(0, 2))}")
    print(f"\nHow LeapSQL grows:\n\n{markdown_table(_GROWTH, stream_growth(by_size))}")
    if given.picture is not None:
        largest = max(given.models)
        bars = [Bar(case, tool, measured.wall) for (case, tool), measured in by_size[largest].items()]
        given.picture.write_text(draw(f"Seconds at {largest:,} models", bars), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as exc:
        sys.exit(str(exc))
