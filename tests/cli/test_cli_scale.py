"""Scale as a promise: however many models there are, finding out that nothing changed asks no more questions.

Counted, not timed: statements to the state and to the warehouse, calls into what parses and renders, files read.
"""

from __future__ import annotations

import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import duckdb
import pytest
from cli_shop import Program, Shop

from benchmarks.generate import project_files

FEW, MANY = 10, 60
#: Modules that read, parse or render a text; none of them is called for one that is known.
OF_TEXTS = (
    "jinja2",
    "sqlglot",
    "yaml",
    "leapsql_core.sql.scanning",
    "leapsql_core.sql.lineage",
    "leapsql_core.sql.parsing",
)
#: Libraries that a command with nothing to do does without.
NOT_LOADED = {"dagster", "jinja2", "pydantic", "rich", "sqlglot", "yaml"}


@dataclass
class Counts:
    """What one command asked: statements, calls by module, files read."""

    state: list[str] = field(default_factory=list)
    warehouse: list[str] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    files: list[str] = field(default_factory=list)
    said: str = ""


class Noting:
    """A connection to DuckDB that notes what is executed on it and on its cursors."""

    def __init__(self, connection: Any, statements: list[str]) -> None:
        self._connection, self._statements = connection, statements

    def execute(self, statement: str, *parameters: Any) -> Any:
        self._statements.append(statement)
        return self._connection.execute(statement, *parameters)

    def cursor(self) -> Noting:
        return Noting(self._connection.cursor(), self._statements)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


@contextmanager
def noting_calls(calls: Counter[str]) -> Iterator[None]:
    """Count the calls of Python functions by the module that they are of."""

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            module = str(frame.f_globals.get("__name__"))
            calls[next((known for known in OF_TEXTS if module == known or module.startswith(f"{known}.")), "")] += 1

    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)


@pytest.fixture
def count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Counts]:
    """Build a project of some models, then count what a command does with nothing left to do."""

    def counted(models: int, *words: str) -> Counts:
        shop = Shop(tmp_path / f"{models}-{words[0]}", project_files(models))
        for file, text in shop.files.items():
            shop.write(file, text)
        assert shop.leapsql("run").status == 0
        counts, to_state, to_warehouse, read = Counts(), sqlite3.connect, duckdb.connect, Path.read_bytes

        def connect(*given: Any, **options: Any) -> sqlite3.Connection:
            connection = to_state(*given, **options)
            connection.set_trace_callback(counts.state.append)
            return connection

        def read_bytes(path: Path) -> bytes:
            counts.files.append(path.name)
            return read(path)

        with monkeypatch.context() as patch, noting_calls(counts.calls):
            patch.setattr(sqlite3, "connect", connect)
            patch.setattr(
                duckdb, "connect", lambda *given, **options: Noting(to_warehouse(*given, **options), counts.warehouse)
            )
            patch.setattr(Path, "read_bytes", read_bytes)
            answer = shop.leapsql(*words)
        assert answer.status == 0
        counts.said = answer.out
        return counts

    return counted


@pytest.mark.parametrize("command", ["plan", "run"])
def test_nothing_to_do_takes_the_same_few_statements_however_many_models(
    count: Callable[..., Counts], command: str
) -> None:
    """Of the state, but for the rows that a run writes, and of the warehouse."""
    few, many = count(FEW, command), count(MANY, command)
    assert f"{FEW} unchanged" in few.said
    assert f"{MANY} unchanged" in many.said
    assert 0 < len(many.warehouse) == len(few.warehouse) < 25
    questions = [
        [text for text in counts.state if text.lstrip().startswith(("SELECT", "WITH"))] for counts in (few, many)
    ]
    assert len(questions[0]) == len(questions[1]) < 32
    if command == "plan":
        assert len(few.state) == len(many.state) < 50


@pytest.mark.parametrize("command", ["plan", "run"])
def test_nothing_to_do_parses_and_renders_nothing(count: Callable[..., Counts], command: str) -> None:
    """But for `leapsql.yaml`; and every model's file is read once."""
    few, many = count(FEW, command), count(MANY, command)
    assert few.calls.keys() == many.calls.keys() <= {"", "yaml"}
    assert few.calls["yaml"] == many.calls["yaml"]
    assert len(many.files) - len(few.files) == MANY - FEW
    assert not [file for file, times in Counter(many.files).items() if file.startswith("m0") and times > 1]


def test_nothing_to_do_loads_no_library_that_reads_or_renders(tmp_path: Path, program: Program) -> None:
    """In a process of its own: what is not loaded cannot have been called."""
    shop = Shop(tmp_path / "shop", project_files(FEW))
    for file, text in shop.files.items():
        shop.write(file, text)
    assert shop.leapsql("run").status == 0
    script = (
        "import sys\nfrom leapsql_core.cli.app import app\n"
        f"app(['-C', {str(shop.root)!r}, 'plan'], standalone_mode=False)\n"
        f"print(sorted({{name.partition('.')[0] for name in sys.modules}} & {NOT_LOADED}))"
    )
    python = Program((sys.executable,))
    answer = python.run("-c", script)
    assert answer.status == 0, answer.err
    assert answer.lines[-2:] == [f"{FEW} unchanged", "[]"]
