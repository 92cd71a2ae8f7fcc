"""Measures whole processes, in turn: A B A B, so that what else the machine does weighs on all of them alike."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

_REPOSITORY: Final = Path(__file__).parent.parent
#: What `leapsql` is, whether or not it was installed from this repository.
LEAPSQL: Final = (sys.executable, "-c", "from leapsql_core.cli import main; main()")


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians of one case: seconds on the clock, seconds of processor time, MiB at most."""

    wall: float
    cpu: float
    peak: float


def measure_in_turn(
    commands: Mapping[str, Sequence[str]], *, first: Sequence[str], rounds: int, folder: Path, bytecode: Path
) -> dict[str, Measured]:
    """Run `first` and each command once unmeasured, then all in turn, `rounds` times; return medians by name.

    They run in `folder`. Compiled modules are kept in `bytecode`, so that none of them has to compile its own again.

    Raises:
        subprocess.CalledProcessError: a command failed.
    """
    variables = environ(bytecode)
    for command in (first, *commands.values()):
        measure_once(command, folder, variables)
    found: dict[str, list[Measured]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            found[name].append(measure_once(command, folder, variables))
    return {name: medians(runs) for name, runs in found.items()}


def environ(bytecode: Path) -> dict[str, str]:
    """Return the system's variables for processes that are measured, compiled modules being kept in `bytecode`."""
    path = os.pathsep.join(filter(None, (str(_REPOSITORY), os.environ.get("PYTHONPATH"))))
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": path, "PYTHONPYCACHEPREFIX": str(bytecode)}


def measure_once(command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> Measured:
    """Run one command to its end; a small parent keeps the peak of memory the command's own.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=dict(variables), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(command))
    # Linux counts in KiB, macOS in bytes.
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit)


def medians(runs: Sequence[Measured]) -> Measured:
    """Return the median of each figure."""
    return Measured(median(run.wall for run in runs), median(run.cpu for run in runs), median(run.peak for run in runs))


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, words: Collection[int] = (0,)) -> str:
    """Return a table whose columns `words`, counted from 0, are of words, the others of numbers."""
    lines = [header, ["---" if n in words else "---:" for n in range(len(header))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine() -> str:
    """Return on what it was measured, in one line."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}"


def measure_and_print(
    name: str,
    about: str | None,
    *,
    title: str,
    header: Sequence[str],
    models: Sequence[int],
    rows_of: Callable[[int, int], Iterable[Sequence[str]]],
) -> None:
    """Take ``--models`` and ``--rounds`` from the command line, measure projects of those sizes, and print a table.

    `rows_of` measures a project of so many models in so many rounds. Ends the process where a command failed.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=str(about).split("\n")[0])
    parser.add_argument("--models", type=int, nargs="+", default=list(models))
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    try:
        rows = [row for size in given.models for row in rows_of(size, given.rounds)]
    except subprocess.CalledProcessError as exc:
        sys.exit(str(exc))
    print(f"{title}: medians of {given.rounds} runs of each, in turn. {machine()}.\n")
    print(markdown_table(header, rows))
