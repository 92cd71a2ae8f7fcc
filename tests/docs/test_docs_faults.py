"""`docs/what-can-go-wrong.md` tells of faults that tests bring about, and shows what is seen of them."""

from __future__ import annotations

import ast
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import duckdb
import pytest
from docs_reading import REPOSITORY, Reader, Step, read_page, read_steps, shows

from leapsql_core.execution.processes import this_process
from leapsql_core.state import SqliteStateStore
from tests.torture.processes import Fate, Launcher

PAGE = "docs/what-can-go-wrong.md"
FAULTS = dict(re.findall(r"^### ([^\n]+)\n(.*?)(?=^##|\Z)", read_page(PAGE), re.MULTILINE | re.DOTALL))
TRIED = re.compile(r"<!-- tried by (\S+)::(\w+) -->")

Follow = Callable[[Step], str]
STATE = Path(".leapsql/state.db")
WAREHOUSE = Path(".leapsql/warehouse.duckdb")
HEAVY = Path("models/marts/heavy.sql")


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_brought_about_by_a_test(fault: str) -> None:
    """The page names it; it tells what was lost and what is to be done, too."""
    tried = TRIED.findall(FAULTS[fault])
    assert tried
    for file, name in tried:
        tree = ast.parse((REPOSITORY / file).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{file}::{name}"
    assert re.search(r"^- \*\*Lost:\*\* ", FAULTS[fault], re.MULTILINE)
    assert re.search(r"^- \*\*To do:\*\* ", FAULTS[fault], re.MULTILINE)


# ------------------------------------------------------------------------------------------------ what is seen of them


@contextmanager
def in_the_program(fate: Fate) -> Iterator[Follow]:
    """Type commands into processes of their own, which end as they are told."""
    with closing(Launcher()) as launcher:

        def follow(step: Step) -> str:
            _, *words = step.command.split()
            ended = launcher.run("-C", str(Path.cwd()), *words, "--output", "text", fate=fate)
            return ended.out + ended.err

        yield follow


@contextmanager
def nothing() -> Iterator[Follow]:
    """What the page itself asks to be edited is enough."""
    yield Reader().follow


@contextmanager
def little_memory() -> Iterator[Follow]:
    """A query that gathers millions of rows, and a limit far below them."""
    text = Path("leapsql.yaml").read_text()
    settings = "  settings: {memory_limit: 60MB, threads: 1, temp_directory: ''}\n"
    Path("leapsql.yaml").write_text(text.replace("target:\n", f"target:\n{settings}", 1))
    HEAVY.write_text("select list(range order by hash(range)) as n from range(20000000)")
    yield Reader().follow


@contextmanager
def full_disk_of_the_warehouse() -> Iterator[Follow]:
    """A table that does not fit."""
    HEAVY.write_text("select hash(range) as n from range(400000)")
    with in_the_program(Fate(room=WAREHOUSE.stat().st_size + 300_000)) as follow:
        yield follow


@contextmanager
def damaged_state() -> Iterator[Follow]:
    """Pages of nothing in the middle of the file."""
    content = STATE.read_bytes()
    STATE.write_bytes(content[:4096] + bytes(len(content) - 4096))
    yield Reader().follow


@contextmanager
def lost_state() -> Iterator[Follow]:
    """No file, and nothing beside it."""
    for file in STATE.parent.glob("state.db*"):
        file.unlink()
    yield Reader().follow


@contextmanager
def newer_state() -> Iterator[Follow]:
    """The schema of days to come."""
    with closing(sqlite3.connect(STATE)) as connection:
        connection.execute("PRAGMA user_version = 7")
    yield Reader().follow


@contextmanager
def another_run() -> Iterator[Follow]:
    """A run of this very process, which lives."""
    with closing(SqliteStateStore(STATE)) as store:
        store.open()
        store.begin_run("dev", this_process(), is_dead=lambda lease, now: False)
        yield Reader().follow


@contextmanager
def held_warehouse() -> Iterator[Follow]:
    """A program that has it open."""
    script = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(WAREHOUSE.absolute())], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        yield Reader().follow
        holder.kill()


@contextmanager
def changed_warehouse() -> Iterator[Follow]:
    """An edited row, and a table that is gone."""
    with closing(duckdb.connect(str(WAREHOUSE))) as connection:
        connection.execute("UPDATE marts.customers SET spent = 0")
        connection.execute("DROP TABLE marts.daily_sales")
    yield Reader().follow


BROUGHT_ABOUT: dict[str, Callable[[], AbstractContextManager[Follow]]] = {
    "A query fails": nothing,
    "A test fails": nothing,
    "A query needs more memory than there is": little_memory,
    "Another run goes on": another_run,
    "Another program holds the warehouse": held_warehouse,
    "The disk of the warehouse is full": full_disk_of_the_warehouse,
    "The disk of the state is full": lambda: in_the_program(Fate(room=20_000)),
    "The state is damaged": damaged_state,
    "The state is lost": lost_state,
    "An older LeapSQL finds a newer state": newer_state,
    "Somebody changed the warehouse": changed_warehouse,
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project that `leapsql init` makes, run once."""
    folder = tmp_path_factory.mktemp("faults")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for command in ("init sql", "-C sql run"):
            assert "Error" not in Reader().follow(Step(0, command=f"leapsql {command}"))
    return folder / "sql"


def test_every_fault_that_can_be_typed_is() -> None:
    """None of those below is left over from a page that was."""
    assert set(BROUGHT_ABOUT) == {fault for fault, text in FAULTS.items() if "$ leapsql" in text}


@pytest.mark.parametrize("fault", BROUGHT_ABOUT)
def test_what_is_seen_of_a_fault_is_what_the_page_shows(
    fault: str, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Brought about in a project of its own, with the commands of its section."""
    shutil.copytree(built, tmp_path / "sql")
    monkeypatch.chdir(tmp_path / "sql")
    steps = read_steps(FAULTS[fault])
    with BROUGHT_ABOUT[fault]() as follow:
        for step in steps:
            printed = follow(step)
            assert shows(step.shown, printed), f"{fault}: {step.command}\n{printed}"
