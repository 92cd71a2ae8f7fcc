"""Measures whole processes, in turn: A B A B, so that what else the machine does weighs on all of them alike.

What measures imports little and holds little, so that peaks of memory are those of what is measured.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.pages import tell

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
    commands: Mapping[str, Sequence[str]],
    *,
    first: Sequence[str],
    rounds: int,
    folder: Path,
    bytecode: Path,
    before: Callable[[str], None] = lambda name: None,
) -> dict[str, Measured]:
    """Run `first` and each command once unmeasured, then all in turn, `rounds` times; return medians by name.

    They run in `folder`. Compiled modules are kept in `bytecode`, so that none of them has to compile its own again.
    `before` is called with the name of each command before it runs, and is not measured.

    Raises:
        subprocess.CalledProcessError: a command failed.
    """
    variables = environ(bytecode)
    measure_once(first, folder, variables)
    found: dict[str, list[Measured]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        tell(f"round {number} of {rounds}" if number else "warming up")
        for name, command in commands.items():
            before(name)
            measured = measure_once(command, folder, variables)
            if number:
                found[name].append(measured)
    return {name: medians(runs) for name, runs in found.items()}


def environ(bytecode: Path) -> dict[str, str]:
    """Return the system's variables for processes that are measured, compiled modules being kept in `bytecode`."""
    path = os.pathsep.join(filter(None, (str(_REPOSITORY), os.environ.get("PYTHONPATH"))))
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": path, "PYTHONPYCACHEPREFIX": str(bytecode)}


def measure_once(command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> Measured:
    """Run one command to its end; what it prints is not shown.

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


def apart(function: Callable[[], None]) -> None:
    """Call a function in a process of its own, for a child's peak of memory is never below that of its parent."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        pool.submit(function).result()


def medians(runs: Sequence[Measured]) -> Measured:
    """Return the median of each figure."""
    return Measured(median(run.wall for run in runs), median(run.cpu for run in runs), median(run.peak for run in runs))
