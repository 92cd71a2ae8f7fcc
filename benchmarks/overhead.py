"""What a build of real queries costs on top of the bare statements: TPC-H, and the flights of the example project.

Whole processes, in turn, each on a fresh copy of a database that holds the data.
`python -m benchmarks.overhead --scale 1 --rounds 5 --peers .bench`
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import flights, tpch
from benchmarks.generate import write_files
from benchmarks.measuring import LEAPSQL, Measured, apart, measure_in_turn
from benchmarks.pages import machine, markdown_table, new_parser, tell

_FLOOR: Final = "DuckDB alone"
_UNREAD: Final = "`leapsql run`, its files never read before"
_READ: Final = "`leapsql run`, its files read before"
_RUN: Final = (*LEAPSQL, "run")
_HEADER: Final = ("project", "relations", "built by", "seconds", "processor seconds", "MiB", "overhead", "allowed")
#: What a build may take on top of the bare statements: a part of their time, and milliseconds for each relation.
_PART: Final = 0.05
_EACH: Final = 5.0


@dataclass(frozen=True, slots=True)
class Subject:
    """A project to build: its files, how many relations it makes, and where its data comes from.

    ``load`` fills a new database before anything is measured, ``seeds`` is a folder of CSV files that are built too.
    ``check`` is called with the database when it was built for the last time.
    """

    name: str
    relations: int
    files: dict[str, str]
    load: Callable[[Path], None] | None = None
    seeds: Path | None = None
    check: Callable[[Path], None] | None = None


def subjects(peers: Path, scale: float, data: Path) -> list[Subject]:
    """Return what is built: TPC-H at a scale, and the flights, loaded beforehand and as seeds, which lie in `data`.

    Raises:
        subprocess.CalledProcessError: the data could not be made.
    """
    seeds = data / "seeds"
    flights.cut(peers / "flights" / "bin" / "python", seeds)
    loaded, unloaded = (flights.project_files(loaded=loaded) for loaded in (True, False))
    models = sum(path.startswith("models/") for path in loaded)
    return [
        Subject(
            f"TPC-H, scale {scale:g}",
            len(tpch.ROWS_AT_SCALE_1),
            tpch.project_files(scale),
            load=partial(tpch.load, peers / "tpch" / "bin" / "tpchgen-cli", scale),
            check=tpch.check_answers if scale == 1 else None,
        ),
        Subject("the flights, loaded beforehand", models, loaded, load=partial(flights.load, seeds)),
        Subject("the flights, from CSV files", models + len(list(seeds.iterdir())), unloaded, seeds=seeds),
    ]


def measure(subject: Subject, *, rounds: int) -> dict[str, Measured]:
    """Build a project from nothing but its data, in each way in turn.

    Raises:
        subprocess.CalledProcessError: a build failed.
    """
    with TemporaryDirectory(prefix="leapsql-bench-") as made:
        folder, statements = Path(made, "project"), Path(made, "statements.json")
        loaded, bare, built = Path(made, "data.duckdb"), Path(made, "bare.duckdb"), folder / ".leapsql/warehouse.duckdb"
        write_files(folder, subject.files)
        if subject.seeds is not None:
            shutil.copytree(subject.seeds, folder / "seeds")
        if subject.load is not None:
            apart(partial(subject.load, loaded))
        bare_build = (sys.executable, "-m", "benchmarks.bare_build")

        def begin_anew(name: str) -> None:
            _remove_made(folder, keep_parsed=name == _READ)
            place = bare if name == _FLOOR else built
            place.parent.mkdir(exist_ok=True)
            place.unlink(missing_ok=True)
            if loaded.exists():
                shutil.copyfile(loaded, place)
                os.sync()  # else the copy would still be written out while others are measured

        found = measure_in_turn(
            {_FLOOR: (*bare_build, "add", str(statements), str(bare)), _UNREAD: _RUN, _READ: _RUN},
            first=(*bare_build, "write", str(statements)),
            rounds=rounds,
            folder=folder,
            bytecode=Path(made, "bytecode"),
            before=begin_anew,
        )
        if subject.check is not None:
            apart(partial(subject.check, built))
        return found


def _remove_made(folder: Path, *, keep_parsed: bool) -> None:
    for path in (folder / ".leapsql").glob("*"):
        if path.is_file() and not (keep_parsed and path.name.startswith("parsed.db")):
            path.unlink()


def stream_rows(subject: Subject, found: dict[str, Measured]) -> Iterator[list[str]]:
    """Yield one row of the table for each way."""
    floor = found[_FLOOR].wall
    allowed = 1000 * _PART * floor + _EACH * subject.relations
    for name, measured in found.items():
        seconds = (f"{measured.wall:.2f}", f"{measured.cpu:.2f}", f"{measured.peak:.0f}")
        over = ("", "") if name == _FLOOR else (f"{1000 * (measured.wall - floor):+.0f} ms", f"{allowed:.0f} ms")
        yield [subject.name, str(subject.relations), name, *seconds, *over]


def report(scale: float, rounds: int, peers: Path) -> str:
    """Measure all of them, and return a table."""
    with TemporaryDirectory(prefix="leapsql-bench-") as data:
        rows: list[list[str]] = []
        for subject in subjects(peers, scale, Path(data)):
            tell(subject.name)
            rows += stream_rows(subject, measure(subject, rounds=rounds))
    told = f"Medians of {rounds} whole processes each, in turn. {machine()}."
    return f"{told}\n\n{markdown_table(_HEADER, rows, words=(0, 2))}"


def parser() -> ArgumentParser:
    """Return what the command line is read with."""
    made = new_parser("overhead", __doc__)
    made.add_argument("--scale", type=float, default=1, help="of TPC-H")
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--peers", type=Path, default=Path(".bench"), help="where `make bench-peers` put the data")
    return made


def main() -> None:
    """Measure, and print a table."""
    given = parser().parse_args()
    print(report(given.scale, given.rounds, given.peers.absolute()))


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as exc:
        sys.exit(str(exc))
