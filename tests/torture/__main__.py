"""The long forms: `make torture`, or ``python -m tests.torture --rounds 3 --seed 7``."""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from tests.torture.account import Account, table
from tests.torture.damage import damage_states
from tests.torture.kills import pair, play_rounds
from tests.torture.mutations import try_changes
from tests.torture.processes import Launcher
from tests.torture.races import race
from tests.torture.readers import watch_rebuilds

#: Tests that have a long mode, and the variable that says how many inputs each of them tries.
_LONG = {"LEAPSQL_FUZZ": ("tests/reading/test_reading_fuzz.py", "tests/hostile"), "LEAPSQL_LAWS": ("tests/laws",)}
_TRIED = re.compile(r"- (\d+) passing(?: examples?)?, ")
_TICKS = 100

Work = Callable[[Path, Launcher, Account, int], None]


def watch(folder: Path, launcher: Launcher, account: Account, seed: int) -> None:
    """A reader looks on while everything is rebuilt."""
    from tests.projects import Lab

    lab = Lab(folder / "lab", {"leapsql.yaml": "target: {type: duckdb, database: ':memory:', settings: {threads: 2}}"})
    with closing(lab):
        watch_rebuilds(lab, account, rebuilds=400)


def kill(folder: Path, launcher: Launcher, account: Account, seed: int) -> None:
    """Runs are killed, at moments and between lines."""
    play_rounds(pair(folder, launcher, seed=seed, account=account), _TICKS)


def fill(folder: Path, launcher: Launcher, account: Account, seed: int) -> None:
    """Runs find no room on the disk."""
    play_rounds(pair(folder, launcher, seed=seed, account=account), _TICKS // 4, faults=True)


def write(folder: Path, launcher: Launcher, account: Account, seed: int) -> None:
    """Several runs write to one state at once."""
    race(folder / "race", launcher, account, rounds=10)


def meddle(folder: Path, launcher: Launcher, account: Account, seed: int) -> None:
    """Another hand changes the warehouse."""
    try_changes(folder, launcher, account, seed=seed, rounds=4)


def harm(folder: Path, launcher: Launcher, account: Account, seed: int) -> None:
    """States are damaged."""
    damage_states(folder, launcher, account, seed=seed, tries=40)


def count_tried(statistics: str) -> int:
    """Return how many inputs hypothesis says that it has tried.

    >>> count_tried("- 150 passing, 0 failing, and 17 invalid test cases; - 7 passing examples, 0 failing examples")
    157
    """
    return sum(int(match[1]) for match in _TRIED.finditer(statistics))


def feed(folder: Path, launcher: Launcher, account: Account, seed: int) -> None:
    """The tests that try inputs try many."""
    for variable, places in _LONG.items():
        there = [place for place in places if Path(place).exists()]
        if not there:
            continue
        many = "200" if variable == "LEAPSQL_FUZZ" else "60"
        command = [sys.executable, "-m", "pytest", "-q", "--hypothesis-show-statistics", *there]
        command += ["-p", "no:cacheprovider", f"--hypothesis-seed={seed}"]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, variable: many}, check=False)
        account.survived("inputs tried", count_tried(done.stdout))
        account.expect(done.returncode == 0, f"inputs of {', '.join(there)}:\n{done.stdout[-3000:]}")


WORKS: tuple[Work, ...] = (kill, watch, fill, write, meddle, harm, feed)


def torture(works: Sequence[Work], *, rounds: int, seed: int) -> Account:
    """Do all of `works` so often, each time with another seed, and return the account of it."""
    account = Account()
    with closing(Launcher()) as launcher:
        for number in range(rounds):
            for work in works:
                began, before = time.monotonic(), len(account.complaints)
                account.story = ""
                with tempfile.TemporaryDirectory() as folder:
                    work(Path(folder), launcher, account, seed + number)
                said = (work.__doc__ or work.__name__).strip()
                print(f"round {number + 1}, seed {seed + number}: {said} {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201
                for complaint in account.complaints[before:]:
                    print(f"  {complaint}", flush=True)  # noqa: T201
    return account


def main(arguments: Sequence[str] | None = None, *, works: Sequence[Work] = WORKS) -> int:
    """Read the arguments, do the work, print the table; the exit status is 1 if something that must be 0 is not."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=1, help="how often everything is tried; one takes some ten minutes"
    )
    parser.add_argument("--seed", type=int, default=None, help="what chance begins with; another each time if left out")
    parser.add_argument("--only", choices=[work.__name__ for work in works], action="append", help="some of it alone")
    given = parser.parse_args(arguments)
    seed = random.randrange(1_000_000) if given.seed is None else given.seed
    chosen = [work for work in works if given.only is None or work.__name__ in given.only]
    account = torture(chosen, rounds=given.rounds, seed=seed)
    print(f"\n{table(account)}")  # noqa: T201
    return 0 if account.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
