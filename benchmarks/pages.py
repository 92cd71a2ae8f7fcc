"""What is said of what was measured: progress while it goes on, tables, and the page that keeps them."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

_PACKAGES: Final = ("duckdb", "sqlglot", "dagster")


def tell(doing: str) -> None:
    """Say what is being done, where it does not mix with the tables."""
    print(f"  {doing}", file=sys.stderr, flush=True)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, words: Collection[int] = (0,)) -> str:
    """Return a table whose columns `words`, counted from 0, are of words, the others of numbers."""
    lines = [header, ["---" if n in words else "---:" for n in range(len(header))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine() -> str:
    """Return on what and with which versions it was measured, in one line."""
    packages = ", ".join(f"{package} {version(package)}" for package in _PACKAGES)
    place = f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors"
    return f"{place}, Python {platform.python_version()}, {packages}"


def write_between(page: Path, name: str, text: str) -> None:
    """Replace what stands between the two markers of `name` in a page.

    Raises:
        ValueError: the page does not have that pair of markers, once each.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    whole = page.read_text(encoding="utf-8")
    if whole.count(begin) != 1 or whole.count(end) != 1 or whole.index(end) < whole.index(begin):
        raise ValueError(f"{page} has no place for {name}: it needs the lines {begin} and {end}")
    before, rest = whole.split(begin)
    page.write_text(f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}", encoding="utf-8")


def new_parser(name: str, about: str | None, *, models: Sequence[int] | None = None) -> argparse.ArgumentParser:
    """Return a parser of the options of a benchmark, with ``--models`` and ``--rounds`` if `models` are given."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=str(about).split("\n")[0])
    if models is not None:
        parser.add_argument("--models", type=int, nargs="+", default=list(models), help="sizes of projects")
        parser.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    return parser


def print_report(parser: argparse.ArgumentParser, report: Callable[[Sequence[int], int], str]) -> None:
    """Print what `report` says of the models and rounds that the command line asks for.

    Ends the process where a command that is measured failed.
    """
    given = parser.parse_args()
    try:
        print(report(given.models, given.rounds))
    except subprocess.CalledProcessError as exc:
        sys.exit(str(exc))
