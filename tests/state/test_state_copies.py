"""Copies of a state: whole, of one moment, checked, never over something else; old or new when one is put back."""

from __future__ import annotations

import shutil
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from dying import die_everywhere
from state_samples import NOON, contents, record_new_build

from leapsql_core.errors import StateError
from leapsql_core.state import SqliteStateStore, back_up, copies, find_damage, name_copy, open_state_reader, restoring
from leapsql_core.state.copies import write_copy
from leapsql_core.state.restoring import restore
from leapsql_core.state.schema import MIGRATIONS, Migration

LATER = (*MIGRATIONS, Migration(MIGRATIONS[-1].version + 1, ("CREATE TABLE notes (text TEXT)",)))


def make_state(path: Path, *models: str) -> dict[str, Any]:
    """Make a state in which `models` were built; return all that is in it."""
    with closing(SqliteStateStore(path)) as store:
        store.open()
        store.init_schema()
        for model in models:
            record_new_build(store, model)
        return contents(store)


def read(path: Path) -> dict[str, Any]:
    with closing(open_state_reader(path)) as reader:
        return contents(reader)


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def ask(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def is_garbage(path: Path) -> None:
    path.write_text("SELECT 1 -- not a database, but long enough to be looked at as one\n" * 40)


def is_empty(path: Path) -> None:
    path.touch()


def is_somebody_elses(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE customers (id)")


def is_newer(path: Path) -> None:
    with closing(SqliteStateStore(path, migrations=LATER)) as store:
        store.open()
        store.init_schema()


def is_broken(path: Path) -> None:
    """Its pages are there, and one of them is not what it was."""
    make_state(path, "a", "b")
    content = bytearray(path.read_bytes())
    [(page,)] = ask(path, "SELECT rootpage FROM sqlite_master WHERE name = 'traces'")
    content[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    path.write_bytes(content)


def refers_into_nothing(path: Path) -> None:
    make_state(path, "a")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM models")


UNSOUND: list[tuple[Callable[[Path], Any], str]] = [
    (lambda path: None, "there is no state at"),
    (is_empty, "there is no state at"),
    (is_garbage, "is no SQLite database"),
    (is_somebody_elses, "is an SQLite database, but not a state of LeapSQL"),
    (is_newer, "this LeapSQL knows up to"),
    (is_broken, "is damaged"),
    (refers_into_nothing, "is damaged: row .* refers to a row of models that is not there"),
]


# ---------------------------------------------------------------------------------------------------------- backing up


def test_a_copy_is_all_that_was_committed_at_one_moment(path: Path, tmp_path: Path) -> None:
    """Also what lies in the log alone; a write that is under way is not in it, and does not hinder it."""
    copy = tmp_path / "copy.db"
    with closing(SqliteStateStore(path)) as store:
        store.open()
        store.init_schema()
        record_new_build(store)
        expected = contents(store)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            other.execute("DELETE FROM runs")
            size = back_up(path, copy)
            other.execute("COMMIT")
    assert size == copy.stat().st_size
    assert ask(copy, "PRAGMA journal_mode") == [("delete",)]
    assert read(copy) == expected != read(path)
    assert names(tmp_path) == {".leapsql", "copy.db"}


def test_a_copy_of_an_older_state_is_as_old(path: Path, tmp_path: Path) -> None:
    """The LeapSQL of that time reads it; neither copy nor original is upgraded."""
    expected = make_state(path, "a")
    back_up(path, tmp_path / "copy.db", migrations=LATER)
    for file in (path, tmp_path / "copy.db"):
        assert ask(file, "PRAGMA user_version") == [(MIGRATIONS[-1].version,)]
    assert read(tmp_path / "copy.db") == expected


@pytest.mark.parametrize(("makes", "said"), UNSOUND)
def test_what_is_no_sound_state_is_not_copied(tmp_path: Path, makes: Callable[[Path], Any], said: str) -> None:
    """It is said what it is, and nothing is left behind."""
    path = tmp_path / "state.db"
    makes(path)
    before = names(tmp_path)
    with pytest.raises(StateError, match=said):
        back_up(path, tmp_path / "copy.db")
    assert names(tmp_path) - {"state.db-wal", "state.db-shm"} == before - {"state.db-wal", "state.db-shm"}


def test_nothing_is_written_over(path: Path, tmp_path: Path) -> None:
    """Nor where no file can be."""
    make_state(path, "a")
    (tmp_path / "copy.db").write_text("mine")
    with pytest.raises(StateError, match=r"there is a file .*copy\.db already"):
        back_up(path, tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "mine"
    with pytest.raises(StateError, match=r"the copy .* cannot be made: No such file"):
        back_up(path, tmp_path / "no folder" / "copy.db")
    with pytest.raises(StateError, match="is a folder"):
        back_up(path, tmp_path)


def test_names_of_copies_bear_the_time_and_do_not_repeat(tmp_path: Path) -> None:
    """The time is UTC, wherever the clock stands."""
    path, moment = tmp_path / "state.db", NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    made = []
    for _ in range(3):
        made.append(name_copy(path, moment))
        made[-1].touch()
    assert [file.name for file in made] == [
        "state.db.20260301T120000Z.bak",
        "state.db.20260301T120000Z-2.bak",
        "state.db.20260301T120000Z-3.bak",
    ]


def test_a_copy_that_is_killed_has_no_name(path: Path, tmp_path: Path) -> None:
    """At whatever step: under the name asked for there is a whole copy, or nothing; and the next attempt works."""
    expected, folder = make_state(path, "a"), tmp_path / "copies"

    def prepare() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()

    def look() -> None:
        if (folder / "copy.db").exists():
            assert read(folder / "copy.db") == expected
        else:
            back_up(path, folder / "copy.db")

    assert die_everywhere(back_up, path, folder / "copy.db", within=(copies,), before=prepare, after=look) > 20
    assert names(folder) == {"copy.db"}


# ------------------------------------------------------------------------------------------------------------ restoring


def test_a_copy_comes_into_the_place_of_the_state_and_that_is_kept(path: Path, tmp_path: Path) -> None:
    """Who has the state open goes on with what was put back."""
    keep, copy = path.with_name("kept.db"), tmp_path / "copy.db"
    copied = make_state(path, "a")
    back_up(path, copy)
    with closing(SqliteStateStore(path)) as store:
        store.open()
        record_new_build(store, "b")
        present = contents(store)
        assert restore(path, copy, keep=keep) == keep
        assert contents(store) == copied
        record_new_build(store, "c")
        after = contents(store)
    assert read(path) == after
    assert read(keep) == present
    assert read(copy) == copied
    assert find_damage(path) == []


def test_a_state_is_not_replaced_under_a_run(path: Path, tmp_path: Path) -> None:
    """It is said which one runs where; with `force` it is done."""
    copy, keep = tmp_path / "copy.db", tmp_path / "kept.db"
    copied = make_state(copy, "a")
    with closing(SqliteStateStore(path)) as store:
        store.open()
        store.init_schema()
        run = store.create_run("prod")
        before = contents(store)
    with pytest.raises(StateError, match=f"run '{run.id}' of prod is running.*\n.*state check --repair"):
        restore(path, copy, keep=keep)
    assert read(path) == before
    assert not keep.exists()
    assert restore(path, copy, keep=keep, force=True) == keep
    assert (read(path), read(keep)) == (copied, before)


def test_a_run_that_begins_while_a_copy_is_put_back_is_not_lost(path: Path, tmp_path: Path) -> None:
    """Nobody runs when the file is looked at, and somebody does when it could be replaced: it is not."""
    make_state(path, "a")
    make_state(tmp_path / "copy.db", "b")
    told: list[str] = []

    def put_back() -> None:
        with pytest.raises(StateError, match="run 'begun' of dev is running") as refusal:
            restore(path, tmp_path / "copy.db", keep=tmp_path / "kept.db", wait_seconds=60)
        told.append(refusal.value.cause)

    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute(
            "INSERT INTO runs (id, environment, status, started_at) VALUES ('begun', 'dev', 'running', '2026-03-01')"
        )
        thread = threading.Thread(target=put_back)
        thread.start()
        while not is_within(thread, "_write_into"):
            assert thread.is_alive()
            time.sleep(0.01)
        other.execute("COMMIT")
    thread.join()
    assert told
    assert ask(path, "SELECT id FROM runs WHERE status = 'running'") == [("begun",)]
    assert find_damage(path) == []
    assert not (tmp_path / "kept.db").exists()


def is_within(thread: threading.Thread, function: str) -> bool:
    """Tell whether a thread has called a function and is in it."""
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None:
        if frame.f_code.co_name == function:
            return True
        frame = frame.f_back
    return False


@pytest.mark.parametrize(("makes", "said"), UNSOUND)
def test_what_is_no_sound_state_is_not_put_back(
    path: Path, tmp_path: Path, makes: Callable[[Path], Any], said: str
) -> None:
    """The present state stays, and no copy of it is made."""
    before = make_state(path, "a")
    makes(tmp_path / "file.db")
    for force in (False, True):
        with pytest.raises(StateError, match=said):
            restore(path, tmp_path / "file.db", keep=tmp_path / "kept.db", force=force)
    assert read(path) == before
    assert not (tmp_path / "kept.db").exists()


def test_the_state_itself_and_a_name_that_is_taken_are_refused(path: Path, tmp_path: Path) -> None:
    """Neither is a way to lose anything."""
    make_state(path, "a")
    with pytest.raises(StateError, match="is the state itself"):
        restore(path, path, keep=tmp_path / "kept.db")
    (tmp_path / "kept.db").write_text("mine")
    make_state(tmp_path / "copy.db", "b")
    with pytest.raises(StateError, match=r"there is a file .*kept\.db already"):
        restore(path, tmp_path / "copy.db", keep=tmp_path / "kept.db")
    assert (tmp_path / "kept.db").read_text() == "mine"


@pytest.mark.parametrize("touched", [False, True])
def test_where_there_was_no_state_there_is_nothing_to_keep(path: Path, tmp_path: Path, touched: bool) -> None:
    """The log of a state that was deleted is not taken for the log of the one that comes."""
    copied = make_state(tmp_path / "copy.db", "a")
    with closing(SqliteStateStore(path)) as store:
        store.open()
        store.init_schema()
        record_new_build(store, "b")
        shutil.copy(path.with_name("state.db-wal"), tmp_path / "log")
    path.unlink()
    shutil.copy(tmp_path / "log", path.with_name("state.db-wal"))
    if touched:
        path.touch()
    assert restore(path, tmp_path / "copy.db", keep=tmp_path / "kept.db") is None
    assert read(path) == copied
    assert find_damage(path) == []
    assert not (tmp_path / "kept.db").exists()


@pytest.mark.parametrize("makes", [is_broken, refers_into_nothing])
def test_a_damaged_state_is_replaced_and_its_bytes_are_kept(
    path: Path, tmp_path: Path, makes: Callable[[Path], Any]
) -> None:
    """It is what copies are made for."""
    path.parent.mkdir()
    makes(path)
    damaged, copied = path.read_bytes(), make_state(tmp_path / "copy.db", "a")
    assert restore(path, tmp_path / "copy.db", keep=tmp_path / "kept.db") == tmp_path / "kept.db"
    assert read(path) == copied
    assert (tmp_path / "kept.db").read_bytes() == damaged


@pytest.mark.parametrize("makes", [is_garbage, is_somebody_elses, is_newer])
def test_what_is_no_state_of_ours_is_replaced_by_force_alone(
    path: Path, tmp_path: Path, makes: Callable[[Path], Any]
) -> None:
    """Whoever mistypes --state loses nothing; its bytes are kept even so."""
    path.parent.mkdir()
    makes(path)
    before, copied = path.read_bytes(), make_state(tmp_path / "copy.db", "a")
    with pytest.raises(StateError, match="With --force it is replaced"):
        restore(path, tmp_path / "copy.db", keep=tmp_path / "kept.db")
    assert path.read_bytes() == before
    restore(path, tmp_path / "copy.db", keep=tmp_path / "kept.db", force=True)
    assert read(path) == copied
    assert (tmp_path / "kept.db").read_bytes() == before


def test_a_copy_with_pages_of_another_size_is_put_back(path: Path, tmp_path: Path) -> None:
    """Such as a program makes that was told to; then nobody may have the state open meanwhile."""
    copied = make_state(path, "a")
    with closing(sqlite3.connect(path)) as connection:
        write_copy(connection, tmp_path / "copy.db")
    with closing(sqlite3.connect(tmp_path / "copy.db")) as connection:
        connection.executescript("PRAGMA page_size = 8192; VACUUM")
    make_state(path, "b")
    present = read(path)
    with closing(SqliteStateStore(path)) as other:
        other.open()
        with pytest.raises(StateError, match="is held by another process"):
            restore(path, tmp_path / "copy.db", keep=tmp_path / "kept.db", wait_seconds=0)
    assert read(path) == present
    restore(path, tmp_path / "copy.db", keep=tmp_path / "kept.db")
    assert read(path) == copied
    assert read(tmp_path / "kept.db") == present
    with closing(SqliteStateStore(path, wait_seconds=0)) as store:
        store.open()
        assert contents(store) == copied


def test_an_older_copy_is_put_back_as_it_is(path: Path, tmp_path: Path) -> None:
    """The next run upgrades it, after a copy."""
    make_state(tmp_path / "copy.db", "a")
    is_newer_now = SqliteStateStore(path, migrations=LATER)
    with closing(is_newer_now) as store:
        store.open()
        store.init_schema()
    restore(path, tmp_path / "copy.db", keep=tmp_path / "kept.db", migrations=LATER)
    assert ask(path, "PRAGMA user_version") == [(MIGRATIONS[-1].version,)]
    assert ask(tmp_path / "kept.db", "PRAGMA user_version") == [(LATER[-1].version,)]


def test_who_waits_in_vain_to_put_a_copy_back_is_told_so(path: Path, tmp_path: Path) -> None:
    """Another process writes, and does not come to an end; what it writes is not lost."""
    present = make_state(path, "a")
    make_state(tmp_path / "copy.db", "b")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM history")
        with pytest.raises(StateError, match="is held by another process"):
            restore(path, tmp_path / "copy.db", keep=tmp_path / "kept.db", wait_seconds=0)
        other.execute("COMMIT")
    assert read(path) == present
    assert ask(path, "SELECT * FROM history") == []


def put_back(path: Path, copy: Path, keep: Path) -> None:
    restore(path, copy, keep=keep)


@pytest.mark.parametrize("is_damaged", [False, True])
def test_who_is_killed_while_putting_back_leaves_old_or_new(path: Path, tmp_path: Path, is_damaged: bool) -> None:
    """At whatever step, in the middle of the copying too; and once the state is the new one, the old one is kept."""
    copied = make_state(tmp_path / "copy.db", "b", "c", "d")
    old = make_state(tmp_path / "old.db", "a")
    if is_damaged:
        (tmp_path / "old.db").unlink()
        is_broken(tmp_path / "old.db")
    keep, seen = path.with_name("kept.db"), []

    def prepare() -> None:
        shutil.rmtree(path.parent, ignore_errors=True)
        path.parent.mkdir()
        shutil.copy(tmp_path / "old.db", path)

    def look() -> None:
        if is_damaged and path.read_bytes() == (tmp_path / "old.db").read_bytes():
            seen.append("old")
            return
        found = read(path)
        assert find_damage(path) == []
        assert found in ([copied] if is_damaged else [copied, old])
        seen.append("new" if found == copied else "old")
        if found == copied:
            assert keep.read_bytes() == (tmp_path / "old.db").read_bytes() if is_damaged else read(keep) == old

    deaths = die_everywhere(
        put_back, path, tmp_path / "copy.db", keep, within=(restoring, copies), before=prepare, after=look
    )
    assert deaths > 60
    assert seen == sorted(seen, reverse=True)
    assert set(seen) == {"old", "new"}
