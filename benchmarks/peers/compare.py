"""LeapSQL beside dbt and SQLMesh: whole processes on the same graph, in turn; prints and writes a table.

`python -m benchmarks.peers.compare --models 100 1000 --rounds 5 --peers .bench --write docs/performance.md`
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.generate import plot
from benchmarks.measuring import Measured, environ, machine, markdown_table, measure_once, medians
from benchmarks.peers.projects import write_files
from benchmarks.peers.tools import CASES, Tool, dbt, leapsql, sqlmesh

_HEADER: Final = ("case", "models", "tool", "seconds", "MiB", "× LeapSQL")
_BEGIN, _END = "<!-- compare: begin -->", "<!-- compare: end -->"
#: What must not be asked of the network, nor shown in colour.
_SETTINGS: Final = {
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "SQLMESH__DISABLE_ANONYMIZED_ANALYTICS": "true",
    "NO_COLOR": "1",
}


@dataclass(frozen=True, slots=True)
class Place:
    """A tool's project in its folder, with the files as they were written at first."""

    tool: Tool
    folder: Path
    files: dict[str, str]


def compare(tools: Sequence[Tool], models: int, *, rounds: int) -> dict[tuple[str, str], Measured]:
    """Return medians by case and tool.

    Raises:
        subprocess.CalledProcessError: a command failed.
    """
    with TemporaryDirectory(prefix="leapsql-bench-") as made:
        bytecode = Path(made, "bytecode")
        places = [Place(tool, Path(made, tool.name), tool.files(models)) for tool in tools]
        variables = environ(bytecode) | _SETTINGS
        found: dict[tuple[str, str], list[Measured]] = {(case, tool.name): [] for case in CASES for tool in tools}
        for number in range(rounds + 1):
            for case in CASES:
                for place in places:
                    measured = _measure(place, case, models, number, variables)
                    if number:  # the first round warms up
                        found[case, place.tool.name].append(measured)
        return {key: medians(runs) for key, runs in found.items()}


def _measure(place: Place, case: str, models: int, number: int, variables: dict[str, str]) -> Measured:
    if case in ("first plan", "full build"):
        place.tool.begin_anew(place.folder)
    write_files(place.folder, edited(place.files, case, models, number))
    measured = measure_once(place.tool.commands[case], place.folder, variables)
    if case != "first plan":
        place.tool.settle(place.folder)
    return measured


def edited(files: dict[str, str], case: str, models: int, number: int) -> dict[str, str]:
    """Return `files` as they are in a case of round `number`: with the edits of all cases before it, and its own."""
    plots = plot(models)
    readers = {parent for one in plots for parent in one.reads}
    tables = [one for one in plots if one.materialized == "table"]
    leaf = [one for one in tables if one.number not in readers][-1]
    root = next(one for one in tables if not one.reads and one.number in readers)
    found = dict(files)
    for edit in CASES[: CASES.index(case) + 1]:
        for one in {"one leaf": [leaf], "one root": [root], "a comment everywhere": plots}.get(edit, []):
            name, head = f"models/{one.folder}/{one.name}.sql", f"-- {one.name}"
            if edit == "a comment everywhere":
                found[name] = found[name].replace(head, f"{head}, looked over {number + 1} times")
            else:
                found[name] = found[name].replace(" AS amount", f" + {number + 1} AS amount", 1)
    return found


def stream_rows(found: dict[tuple[str, str], Measured], models: int) -> Iterator[list[str]]:
    """Yield one row of the table for each case and tool."""
    for (case, tool), measured in found.items():
        times = measured.wall / found[case, "LeapSQL"].wall
        yield [case, f"{models:,}", tool, f"{measured.wall:.2f}", f"{measured.peak:.0f}", f"{times:.1f}"]


def versions(programs: Sequence[str]) -> str:
    """Return what each program says that it is, in one line."""
    said = (subprocess.run((program, "--version"), capture_output=True, text=True, check=True) for program in programs)
    words = (f"{Path(one.args[0]).name} {_first_number(one.stdout)}" for one in said)
    return ", ".join(words)


def _first_number(said: str) -> str:
    return next(word for word in said.split() if word[:1].isdigit())


def main() -> None:
    """Measure, print a table, and write it into a page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.compare", description=str(__doc__).split("\n")[0])
    parser.add_argument("--models", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", type=Path, default=Path(".bench"), help="where the peers' environments lie")
    parser.add_argument("--write", type=Path, help="the page whose table is to be replaced")
    given = parser.parse_args()
    programs = {name: str(given.peers.absolute() / name / "bin" / name) for name in ("dbt", "sqlmesh")}
    tools = (leapsql(), dbt(programs["dbt"]), sqlmesh(programs["sqlmesh"]))
    rows = [row for models in given.models for row in stream_rows(compare(tools, models, rounds=given.rounds), models)]
    told = f"Medians of {given.rounds} whole processes each, in turn. {machine()}; {versions([*programs.values()])}."
    table = f"{told}\n\n{markdown_table(_HEADER, rows, words=(0, 2))}"
    print(table)
    if given.write is not None:
        text = given.write.read_text(encoding="utf-8")
        before, rest = text.split(_BEGIN)
        given.write.write_text(f"{before}{_BEGIN}\n{table}\n{_END}{rest.split(_END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as exc:
        sys.exit(str(exc))
