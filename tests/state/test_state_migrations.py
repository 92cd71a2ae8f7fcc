"""Numbered migrations, tried with steps that do not exist: each is applied once and whole, after a copy."""

from __future__ import annotations

import multiprocessing
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from dying import die_everywhere
from state_samples import contents, file_size_limit, record_new_build

from leapsql_core.errors import StateError
from leapsql_core.state import SqliteStateStore, find_damage, migrations, open_state_reader, query_state
from leapsql_core.state.schema import APPLICATION_ID, MIGRATIONS, Migration

LATEST = MIGRATIONS[-1].version
COPY = f"state.db.v{LATEST}.bak"
NOTES = Migration(LATEST + 1, ("CREATE TABLE notes (text TEXT)", "INSERT INTO notes VALUES ('made')"))
TITLES = Migration(LATEST + 2, ("ALTER TABLE notes ADD COLUMN title TEXT", "UPDATE notes SET title = 'first'"))
BROKEN = Migration(LATEST + 2, ("ALTER TABLE notes ADD COLUMN title TEXT", "ALTER TABLE nothing ADD COLUMN title TEXT"))
# As SQLite's manual has it: a table is rebuilt by making a new one, copying, dropping the old one, renaming.
REBUILT = Migration(
    LATEST + 1,
    (
        "CREATE TABLE new_models (id TEXT PRIMARY KEY, path TEXT NOT NULL UNIQUE, name TEXT, materialized TEXT,"
        " content_hash TEXT, owner TEXT, schema_name TEXT, tags TEXT, created_at DATETIME, updated_at DATETIME)",
        "INSERT INTO new_models SELECT * FROM models",
        "DROP TABLE models",
        "ALTER TABLE new_models RENAME TO models",
    ),
)


@pytest.fixture
def of_today(path: Path) -> Path:
    """A file as today's code leaves it, with a build in it."""
    upgraded(path, MIGRATIONS, build=True)
    return path


def upgraded(path: Path, migrations: Sequence[Migration], *, build: bool = False) -> None:
    store = SqliteStateStore(path, migrations=migrations)
    with closing(store):
        store.open()
        store.init_schema()
        if build:
            record_new_build(store)


def ask(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def version(path: Path) -> object:
    return ask(path, "PRAGMA user_version")[0][0]


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_migrations_are_numbered_without_gaps() -> None:
    """The number of the last one is the version of the schema."""
    assert [migration.version for migration in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_a_new_file_gets_all_steps_and_no_copy(path: Path) -> None:
    """There is nothing to copy before the first step, and the file says whose it is."""
    upgraded(path, (*MIGRATIONS, NOTES, TITLES))
    assert version(path) == LATEST + 2
    assert ask(path, "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert ask(path, "SELECT * FROM notes") == [("made", "first")]
    assert names(path.parent) == ["state.db"]


def test_an_existing_file_is_copied_once_before_its_first_step(of_today: Path) -> None:
    """The copy is a state of the version before, with all that was in it, also what only the log held."""
    with closing(SqliteStateStore(of_today)) as before:
        before.open()
        record_new_build(before, "b")
        expected = contents(before)
        upgraded(of_today, (*MIGRATIONS, NOTES, TITLES))
    assert version(of_today) == LATEST + 2
    copy = of_today.with_name(COPY)
    assert names(of_today.parent) == ["state.db", COPY]
    assert version(copy) == LATEST
    with closing(SqliteStateStore(copy)) as store:
        store.open()
        assert contents(store) == expected


def test_an_upgrade_keeps_everything(of_today: Path) -> None:
    """What the old code recorded, the new code reads."""
    with closing(open_state_reader(of_today)) as reader:
        before, history = contents(reader), reader.read_history()
    upgraded(of_today, (*MIGRATIONS, NOTES))
    with closing(open_state_reader(of_today, migrations=(*MIGRATIONS, NOTES))) as reader:
        assert contents(reader) == before
        assert reader.read_history() == history


def test_a_step_may_rebuild_a_table_that_others_refer_to(of_today: Path) -> None:
    """Dropping the old table deletes nothing elsewhere, and foreign keys hold again afterwards."""
    with closing(open_state_reader(of_today)) as reader:
        before = contents(reader)
    store = SqliteStateStore(of_today, migrations=(*MIGRATIONS, REBUILT))
    with closing(store):
        store.open()
        store.init_schema()
        assert contents(store) == before
        assert store._connection is not None
        with pytest.raises(sqlite3.IntegrityError):
            store._connection.execute("INSERT INTO dependencies VALUES ('nobody', 'nobody')")


def test_a_current_database_is_not_written(of_today: Path) -> None:
    """init_schema before every run costs one question."""
    with closing(SqliteStateStore(of_today)) as store, closing(sqlite3.connect(of_today)) as other:
        store.open()
        before = other.execute("PRAGMA data_version").fetchall()
        store.init_schema()
        assert other.execute("PRAGMA data_version").fetchall() == before
    assert COPY not in names(of_today.parent)


def test_a_step_that_fails_leaves_the_version_before_it(of_today: Path) -> None:
    """The step before it stands, nothing of the failed one does, the copy is there; a mended step goes on."""
    with pytest.raises(
        StateError, match=rf"from schema version {LATEST + 1} to {LATEST + 2}: .*nothing.*\n    It was left at"
    ):
        upgraded(of_today, (*MIGRATIONS, NOTES, BROKEN))
    assert version(of_today) == LATEST + 1
    assert ask(of_today, "SELECT * FROM notes") == [("made",)]
    assert version(of_today.with_name(COPY)) == LATEST
    upgraded(of_today, (*MIGRATIONS, NOTES, TITLES))
    assert ask(of_today, "SELECT * FROM notes") == [("made", "first")]
    assert names(of_today.parent) == ["state.db", COPY, f"state.db.v{LATEST + 1}.bak"]


def test_a_first_step_that_fails_leaves_an_empty_file(path: Path) -> None:
    """Which the next process makes a state of."""
    with pytest.raises(StateError, match="from schema version 0 to 1"):
        upgraded(path, (Migration(1, (*MIGRATIONS[0].statements, "nonsense")),))
    assert (version(path), ask(path, "SELECT * FROM sqlite_master")) == (0, [])
    upgraded(path, MIGRATIONS)
    assert version(path) == LATEST


@pytest.mark.parametrize("start", range(len(MIGRATIONS) + 1))
def test_who_is_killed_between_two_statements_leaves_the_version_before_them(path: Path, start: int) -> None:
    """From whatever version, 0 is an empty file: each step is there whole or not at all, and a whole copy is beside.

    Nothing that was in the state is lost, and the next process goes on where the killed one was.
    """
    steps = (*MIGRATIONS, NOTES, TITLES)
    before = path.with_name("before.db")
    path.parent.mkdir()
    before.touch()
    if start:
        upgraded(before, steps[:start])
        if start == len(MIGRATIONS):
            upgraded(before, MIGRATIONS, build=True)
    notes = {len(MIGRATIONS) + 1: [("made",)], len(MIGRATIONS) + 2: [("made", "first")]}
    copy, seen = path.with_name(f"state.db.v{start}.bak"), []

    def prepare() -> None:
        for file in path.parent.glob("state.db*"):
            file.unlink()
        shutil.copy(before, path)

    def look() -> None:
        seen.append(version(path))
        assert find_damage(path, migrations=steps) == []
        tables = ask(path, "SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ('notes', 'history')")
        assert len(tables) == (seen[-1] >= 1) + (seen[-1] in notes)
        if seen[-1] in notes:
            assert ask(path, "SELECT * FROM notes") == notes[seen[-1]]
        if start and seen[-1] > start:
            assert (version(copy), ask(copy, "SELECT id FROM history")) == (start, ask(path, "SELECT id FROM history"))
        upgraded(path, steps)
        assert (version(path), ask(path, "SELECT * FROM notes")) == (len(steps), [("made", "first")])
        if start == len(MIGRATIONS):
            assert ask(path, "SELECT count(*) FROM current_traces") == [(1,)]

    deaths = die_everywhere(upgraded, path, steps, within=(migrations,), before=prepare, after=look)
    assert deaths > 20
    assert seen == sorted(seen)
    assert set(seen) == set(range(start, len(steps) + 1))


def test_no_step_without_a_copy(of_today: Path) -> None:
    """What cannot be copied is not upgraded."""
    of_today.with_name(COPY).mkdir()
    with pytest.raises(StateError, match=rf"cannot be copied to .*state\.db\.v{LATEST}\.bak before it is upgraded"):
        upgraded(of_today, (*MIGRATIONS, NOTES))
    assert version(of_today) == LATEST


def test_a_copy_that_sqlite_cannot_write_stops_the_upgrade_too(of_today: Path) -> None:
    """A leftover that is in the way is named, whatever it is."""
    of_today.with_name(f"{COPY}.new").mkdir()
    with pytest.raises(StateError, match="cannot be copied to"):
        upgraded(of_today, (*MIGRATIONS, NOTES))
    assert version(of_today) == LATEST


def test_a_copy_that_finds_no_room_stops_the_upgrade_too(of_today: Path) -> None:
    """The state is left at its version, whole; with room again it is upgraded, after a whole copy."""
    with closing(open_state_reader(of_today)) as reader:
        before = contents(reader)
    with file_size_limit(of_today.stat().st_size // 2):
        with pytest.raises(
            StateError, match=rf"v{LATEST}\.bak\.new cannot .*disk(.|\n)*Look at the disk, its free space"
        ):
            upgraded(of_today, (*MIGRATIONS, NOTES))
    assert version(of_today) == LATEST
    with closing(open_state_reader(of_today)) as reader:
        assert contents(reader) == before
    upgraded(of_today, (*MIGRATIONS, NOTES))
    assert names(of_today.parent) == ["state.db", COPY]
    assert (version(of_today), version(of_today.with_name(COPY))) == (LATEST + 1, LATEST)


def test_the_leftover_of_a_copy_that_was_cut_off_is_no_hindrance(of_today: Path) -> None:
    """Nor is a copy of an earlier attempt: the newest one counts."""
    of_today.with_name(f"{COPY}.new").write_text("half")
    of_today.with_name(COPY).write_text("old")
    upgraded(of_today, (*MIGRATIONS, NOTES))
    assert names(of_today.parent) == ["state.db", COPY]
    assert version(of_today.with_name(COPY)) == LATEST


def test_a_store_in_memory_needs_no_copy() -> None:
    """It has no file to copy."""
    store = SqliteStateStore(":memory:", migrations=(*MIGRATIONS, NOTES))
    with closing(store):
        store.open()
        store.init_schema()
        assert store.list_runs() == []


def test_an_older_database_is_not_worked_on_before_its_upgrade(of_today: Path) -> None:
    """Opening alone changes nothing; the refusal says both versions and what upgrades."""
    with closing(SqliteStateStore(of_today, migrations=(*MIGRATIONS, NOTES))) as store:
        store.open()
        with pytest.raises(
            StateError, match=rf"has schema version {LATEST}, .* works on version {LATEST + 1}\n.*leapsql run"
        ):
            store.create_run("dev")
    assert version(of_today) == LATEST


def test_a_reader_reads_an_older_database_and_leaves_it_older(of_today: Path) -> None:
    """It sees the upgraded state without writing it: sensors and plans never write."""
    migrations = (*MIGRATIONS, NOTES)
    today, later = open_state_reader(of_today), open_state_reader(of_today, migrations=migrations)
    assert contents(later) == contents(today)
    assert later.read_history() == today.read_history() is not None
    assert query_state(of_today, "SELECT text FROM notes", migrations=migrations) == (["text"], [("made",)])
    assert version(of_today) == LATEST
    assert COPY not in names(of_today.parent)


# ------------------------------------------------------------------------------------------- what earlier versions made


VERSIONS = Path(__file__).parent / "versions"


def schema_of(path: Path) -> list[tuple[object, ...]]:
    return ask(path, "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name")


def test_a_state_of_every_earlier_version_is_kept_for_these_tests() -> None:
    """Before a migration is added, a state that the code of then has made is written down: `sqlite3 state.db .dump`."""
    kept = {int(file.stem) for file in VERSIONS.glob("*.sql")}
    assert kept >= set(range(1, len(MIGRATIONS))) | {1}


@pytest.mark.parametrize("file", sorted(VERSIONS.glob("*.sql")), ids=lambda file: file.stem)
def test_a_state_of_an_earlier_version_becomes_one_of_today(path: Path, file: Path) -> None:
    """Its tables are those of a new file, nothing in it is lost, and its plans and traces can be read."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(file.read_text(encoding="utf-8"))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID:d}")
        connection.execute(f"PRAGMA user_version = {int(file.stem):d}")
    upgraded(path, MIGRATIONS)
    upgraded(path.with_name("new.db"), MIGRATIONS)
    assert version(path) == len(MIGRATIONS)
    assert schema_of(path) == schema_of(path.with_name("new.db"))
    assert find_damage(path) == []
    with closing(open_state_reader(path)) as reader:
        found = contents(reader)
        assert [run.status for run in found["runs"]] == ["running", "failed", "completed"]
        assert list(found["snapshots"]["dev"].traces) == ["staging.orders"]
        assert found["snapshots"]["dev"].failures["b"].attempts == 1
        assert found["test results"]["dev"]["staging.orders"]
        assert found["texts"] == {"query 1": "select 1"}
        assert reader.read_history() == "0123456789abcdef0123456789abcdef"
        assert [run.request for run in found["runs"]] == [None, None, None]
        parts = found["snapshots"]["dev"].partitions.get("staging.orders", ())
        assert [one.key for one in parts] == (["2024-01-01", "2024-01-02"] if int(file.stem) > 1 else [])


def migrate_together(path: Path, ready: Barrier, rounds: int) -> None:
    """Run in a process of its own: upgrade one file after the other at the same instant as the others."""
    try:
        for number in range(rounds):
            ready.wait()
            upgraded(path.with_name(f"{number}.db"), (*MIGRATIONS, NOTES, TITLES))
    except BaseException:
        # The others shall not wait for one that has failed.
        ready.abort()
        raise


def test_processes_that_migrate_at_once_apply_each_step_once(path: Path) -> None:
    """Who comes second finds the step done; both go on, and nothing is lost or done twice."""
    rounds, workers = 5, 3
    for number in range(rounds):
        upgraded(path.with_name(f"{number}.db"), MIGRATIONS, build=True)
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(workers)
    processes = [context.Process(target=migrate_together, args=(path, ready, rounds)) for _ in range(workers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * workers
    for number in range(rounds):
        file = path.with_name(f"{number}.db")
        assert version(file) == LATEST + 2
        assert ask(file, "SELECT * FROM notes") == [("made", "first")]
        assert ask(file, "SELECT count(*) FROM current_traces") == [(1,)]
        assert version(file.with_name(f"{number}.db.v{LATEST}.bak")) == LATEST
