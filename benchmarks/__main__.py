"""Runs the benchmarks one after the other, prints what they found, and writes it into `docs/performance.md`.

`python -m benchmarks --quick` tries all of them at a small size and writes nothing; `--only overhead` runs one.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.pages import write_between

_PAGE: Final = Path(__file__).parent.parent / "docs" / "performance.md"
_PICTURE: Final = "pictures/performance.svg"


@dataclass(frozen=True, slots=True)
class Part:
    """One benchmark: its module, what is said while it runs, and about how many minutes it takes.

    ``sizes`` are what it is told to measure, ``small`` in their place for a try. ``needs_peers`` is
    true if other tools or data stand beside it, ``draws`` if it makes the picture.
    """

    module: str
    about: str
    minutes: int
    sizes: Sequence[str]
    small: Sequence[str]
    needs_peers: bool = False
    draws: bool = False

    @property
    def name(self) -> str:
        """What the part is called on the command line and in the page's markers."""
        return self.module.rpartition(".")[2]


def _models(*sizes: int) -> tuple[str, ...]:
    return ("--models", *map(str, sizes))


PARTS: Final = (
    Part("no_change", "finding nothing to do", 1, _models(100, 1000), _models(20)),
    Part("full_build", "a first build beside the same statements", 2, _models(100, 1000), _models(20)),
    Part("data_versions", "what data versions add to a build", 1, ("--rows", "5000000"), ("--rows", "100000")),
    Part(
        "overhead",
        "TPC-H and the flights beside the bare statements",
        4,
        sizes=("--scale", "1"),
        small=("--scale", "0.01"),
        needs_peers=True,
    ),
    Part("loading", "loading definitions in Dagster", 1, _models(1000), _models(20)),
    Part("dagster_runs", "runs in Dagster", 3, _models(1000), _models(20)),
    Part("peers.dagster_dbt", "the plugin beside dagster-dbt", 4, _models(1, 100), _models(1), needs_peers=True),
    Part(
        "peers.compare",
        "LeapSQL beside DuckDB alone, dbt and SQLMesh",
        30,
        sizes=(*_models(100, 1000), "--alone", "10000", "--alone-rounds", "2"),
        small=(*_models(20), "--alone", "60", "--alone-rounds", "1"),
        needs_peers=True,
        draws=True,
    ),
)


def command_of(part: Part, *, quick: bool, rounds: int, peers: Path, picture: Path | None) -> list[str]:
    """Return the command that runs a part, in a process of its own, so that none weighs on the next."""
    command = [sys.executable, "-m", f"benchmarks.{part.module}", *(part.small if quick else part.sizes)]
    command += ["--rounds", str(rounds)]
    if part.needs_peers:
        command += ["--peers", str(peers)]
    if part.draws and picture is not None:
        command += ["--picture", str(picture)]
    return command


def lacking(parts: Sequence[Part], peers: Path) -> list[str]:
    """Return the environments that the parts need and that are not installed."""
    wanted = ("dbt", "sqlmesh", "dagster-dbt", "tpch", "flights") if any(part.needs_peers for part in parts) else ()
    return [name for name in wanted if not (peers / name / ".installed").exists()]


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=str(__doc__).split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=[part.name for part in PARTS], help="run these alone")
    parser.add_argument("--quick", action="store_true", help="try all at a small size; write nothing")
    parser.add_argument("--rounds", type=int, help="how often each is measured (5; with --quick once)")
    parser.add_argument("--peers", type=Path, default=Path(".bench"), help="where `make bench-peers` installed them")
    given = parser.parse_args()
    parts = [part for part in PARTS if given.only is None or part.name in given.only]
    missing = lacking(parts, given.peers)
    if missing:
        sys.exit(f"{', '.join(missing)}: not installed in {given.peers}; `make bench-peers` does it")
    rounds = given.rounds or (1 if given.quick else 5)
    picture = None if given.quick else _PAGE.parent / _PICTURE
    for number, part in enumerate(parts, start=1):
        lasting = "" if given.quick else f", about {part.minutes} minutes on a quiet machine"
        print(f"{number} of {len(parts)}, {part.name}: {part.about}{lasting}", file=sys.stderr, flush=True)
        command = command_of(part, quick=given.quick, rounds=rounds, peers=given.peers.absolute(), picture=picture)
        found = _run(command)
        if part.draws and picture is not None:
            found = f"![{part.about}]({_PICTURE})\n\n{found}"
        print(f"## {part.name}\n\n{found}\n", flush=True)
        if not given.quick:
            write_between(_PAGE, part.name, found)


def _run(command: Sequence[str]) -> str:
    """Return what a benchmark prints; its progress is shown. Ends this process, too, where it fails."""
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if process.returncode:
        sys.exit(process.returncode)
    return process.stdout.strip()


if __name__ == "__main__":
    main()
