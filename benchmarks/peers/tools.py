"""How each tool does the same tasks: its files, its commands, and what has to be put in place before and after."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.generate import project_files
from benchmarks.measuring import LEAPSQL
from benchmarks.peers.projects import dbt_files, sqlmesh_files

#: What is measured, in this order: each begins where the one before left off.
CASES: Final = ("first plan", "full build", "no change", "one leaf", "one root", "a comment everywhere")
FLOOR: Final = "DuckDB alone"


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: the texts of a project of so many models, and the command for each case that it takes part in, by name.

    ``made`` is all that it makes in a project's folder. ``first`` is run there once, before anything is measured;
    ``settle`` is called with that folder after each build.
    """

    name: str
    files: Callable[[int], dict[str, str]]
    commands: Mapping[str, Sequence[str]]
    made: tuple[str, ...]
    first: Sequence[str] | None = None
    settle: Callable[[Path], None] = field(default=lambda folder: None)

    def begin_anew(self, folder: Path) -> None:
        """Take all that the tool made out of a project's folder."""
        remove_made(folder, self.made)


def remove_made(folder: Path, names: Sequence[str]) -> None:
    """Remove files and folders from a folder, where they are there."""
    for path in (folder / name for name in names):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def leapsql() -> Tool:
    """Return LeapSQL, as it is run from this repository."""
    run = (*LEAPSQL, "run")
    commands = {"first plan": (*LEAPSQL, "plan"), "full build": run, "no change": (*LEAPSQL, "plan")}
    return Tool("LeapSQL", project_files, {case: commands.get(case, run) for case in CASES}, (".leapsql",))


def duckdb_alone() -> Tool:
    """Return the floor: the statements of a first build, given to DuckDB one after the other, each committed."""
    bare = (sys.executable, "-m", "benchmarks.bare_build")
    return Tool(
        FLOOR,
        project_files,
        {"full build": (*bare, "add", "statements.json", "bare.duckdb")},
        ("bare.duckdb", "bare.duckdb.wal"),
        first=(*bare, "write", "statements.json"),
    )


def dbt(program: str) -> Tool:
    """Return dbt, which builds what differs from a manifest that is kept of the last build."""
    build = (program, "build", "--profiles-dir", ".")
    changed = (*build, "--select", "state:modified+", "--state", "kept")
    commands = {"first plan": (program, "ls", "--profiles-dir", "."), "full build": build}
    return Tool(
        "dbt",
        dbt_files,
        {case: commands.get(case, changed) for case in CASES},
        ("target", "kept", "logs", "warehouse.duckdb", "warehouse.duckdb.wal"),
        settle=_keep_manifest,
    )


def _keep_manifest(folder: Path) -> None:
    kept = folder / "kept"
    kept.mkdir(exist_ok=True)
    shutil.copy(folder / "target" / "manifest.json", kept / "manifest.json")


def sqlmesh(program: str) -> Tool:
    """Return SQLMesh, whose one command plans, and builds what it planned."""
    plan = (program, "plan", "--no-prompts", "--auto-apply")
    first = (program, "plan", "--no-prompts", "--explain")
    return Tool(
        "SQLMesh",
        sqlmesh_files,
        {case: first if case == "first plan" else plan for case in CASES},
        (".cache", "logs", "warehouse.duckdb", "warehouse.duckdb.wal"),
    )
