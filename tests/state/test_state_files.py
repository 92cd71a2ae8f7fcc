"""The state's file: where it is made, what it refuses, and what is said when something is in the way."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest
from state_samples import NOON, Clock, Ids, contents, file_size_limit, kept, record_new_build, registration

from leapsql_core.errors import StateError
from leapsql_core.protocols import NewModelRun
from leapsql_core.state import SqliteStateStore, runs
from leapsql_core.state.connection import (
    connect_in_memory,
    connect_to_file,
    explained,
    prepare_for_writing,
    result_code,
    transaction,
)

AsNobody = Callable[[], AbstractContextManager[None]]


def opened(path: str | os.PathLike[str], *, wait_seconds: float = 60) -> SqliteStateStore:
    store = SqliteStateStore(path, clock=Clock(), wait_seconds=wait_seconds)
    store.open()
    return store


def plain(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def files_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def pragma(connection: sqlite3.Connection, name: str) -> object:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


# -------------------------------------------------------------------------------------------------------------- making


def test_opening_makes_the_folder_and_the_file(path: Path) -> None:
    """The default place is a folder that no one has made yet."""
    with closing(opened(path)) as store:
        store.init_schema()
        assert path.is_file()


def test_any_name_that_a_file_may_have_will_do(tmp_path: Path) -> None:
    """Nothing of it is taken for a pattern, an escape or a parameter; text and path objects both work."""
    for name in ("a b?mode=memory#%41.db", "größe'\".db"):
        with closing(opened(str(tmp_path / name))) as store:
            store.init_schema()
        assert (tmp_path / name).is_file()


def test_readers_and_a_writer_work_at_once(file_store: SqliteStateStore, path: Path) -> None:
    """The file is in WAL mode: who reads sees the moment before, and nobody waits."""
    with closing(plain(path)) as reader:
        assert pragma(reader, "journal_mode") == "wal"
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM runs").fetchone() == (0,)
        file_store.create_run("dev")
        assert reader.execute("SELECT count(*) FROM runs").fetchone() == (0,)
        reader.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM runs").fetchone() == (1,)


def test_commits_are_synchronized_as_the_journal_allows(path: Path) -> None:
    """Relaxed where WAL keeps the file whole, full elsewhere; foreign keys hold in both."""
    for connection, expected in ((connect_to_file(path), ("wal", 1)), (connect_in_memory(), ("memory", 2))):
        with closing(connection):
            prepare_for_writing(connection)
            assert (pragma(connection, "journal_mode"), pragma(connection, "synchronous")) == expected
            assert pragma(connection, "foreign_keys") == 1


def test_a_file_without_any_content_becomes_a_state(path: Path) -> None:
    """A process that died right after making the file leaves nothing to mend."""
    path.parent.mkdir()
    path.touch()
    with closing(opened(path)) as store:
        store.init_schema()
        assert store.list_runs() == []


# ------------------------------------------------------------------------------------------------------------ refusing


def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    """Whoever mistypes --state loses nothing."""
    path.parent.mkdir()
    path.write_text("SELECT 1 -- not a database, but long enough to be looked at as one\n" * 40)
    before = files_of(path.parent)
    with pytest.raises(StateError, match=f"{path} is no SQLite database: .*\n    Name another file"):
        opened(path)
    assert files_of(path.parent) == before


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE customers (id)"],
        ["CREATE TABLE runs (id)", "PRAGMA user_version = 1"],
        ["PRAGMA application_id = 1196444487"],
        ["PRAGMA user_version = 7"],
    ],
)
def test_somebody_elses_database_is_refused_and_left_alone(path: Path, statements: list[str]) -> None:
    """Not a byte is written into it, nor a file beside it."""
    path.parent.mkdir()
    with closing(plain(path)) as connection:
        for statement in statements:
            connection.execute(statement)
    before = files_of(path.parent)
    with pytest.raises(StateError, match="not a state of LeapSQL\n    Nothing in it was touched"):
        opened(path)
    assert files_of(path.parent) == before


def test_a_database_of_a_newer_leapsql_is_refused_with_both_versions(path: Path) -> None:
    """The refusal says how to upgrade, and nothing is written."""
    with closing(opened(path)) as store:
        store.init_schema()
    with closing(plain(path)) as connection:
        connection.execute("PRAGMA user_version = 7")
    before = files_of(path.parent)
    with pytest.raises(StateError, match=r"schema version 7, this LeapSQL knows up to \d\n.*leapsql-dagster"):
        opened(path)
    assert files_of(path.parent) == before


def test_a_database_that_was_upgraded_meanwhile_is_refused(file_store: SqliteStateStore, path: Path) -> None:
    """A process that is still of the old version neither reads nor writes what it cannot know."""
    run = file_store.create_run("dev")
    with closing(plain(path)) as newer:
        newer.execute("PRAGMA user_version = 7")
    for ask in (lambda: file_store.get_run(run.id), lambda: file_store.create_run("dev"), file_store.init_schema):
        with pytest.raises(StateError, match="schema version 7"):
            ask()


def test_a_folder_is_no_state(tmp_path: Path) -> None:
    """The refusal suggests a file in it."""
    with pytest.raises(StateError, match=f"{tmp_path} is a folder\n.*{tmp_path / 'state.db'}"):
        opened(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """Below a file there are no folders, whoever asks."""
    file = tmp_path / "file"
    file.touch()
    for place in (file / "state.db", file / "deeper" / "state.db"):
        with pytest.raises(StateError, match=f"{place} cannot be made: .*\n    Make a folder"):
            opened(place)


def test_a_folder_that_cannot_be_entered_is_named(open_folder: Path, without_privileges: AsNobody) -> None:
    """Whether a file is there cannot be said."""
    locked = open_folder / "locked"
    locked.mkdir()
    locked.chmod(0)
    with without_privileges(), pytest.raises(StateError, match=f"{locked / 'state.db'} cannot be reached: Permission"):
        opened(locked / "state.db")
    locked.chmod(0o755)


def test_a_file_that_cannot_be_made_is_named(open_folder: Path, without_privileges: AsNobody) -> None:
    """The folder is there, but nobody may write in it."""
    path = open_folder / "state.db"
    open_folder.chmod(0o555)
    with without_privileges():
        with pytest.raises(StateError, match=f"{path} cannot be opened: .*\n    Make sure that its folder exists"):
            opened(path)


def test_a_file_that_cannot_be_written_refuses_facts_and_stays_readable(
    open_folder: Path, without_privileges: AsNobody
) -> None:
    """A read-only file is said to be one, and what it holds can be read by the store all the same."""
    path = open_folder / "state.db"
    with closing(opened(path)) as store:
        store.init_schema()
        run = store.create_run("dev")
        # While somebody has the file open, its companions are there for others to read.
        for file in open_folder.iterdir():
            file.chmod(0o444)
        open_folder.chmod(0o555)
        with without_privileges(), closing(opened(path)) as other:
            assert other.list_runs() == [run]
            with pytest.raises(StateError, match=f"{path} cannot be written: .*readonly.*\n    Make sure"):
                other.create_run("dev")


def test_a_fact_that_finds_no_room_is_refused_whole(file_store: SqliteStateStore, path: Path) -> None:
    """The facts before it are kept, and the store works on once there is room again."""
    record_new_build(file_store)
    before = contents(file_store)
    companion = path.with_name("state.db-wal")
    with file_size_limit(companion.stat().st_size + 500_000):
        with pytest.raises(StateError, match=rf"{path} cannot .*disk(.|\n)*nothing of this fact was recorded"):
            record_new_build(file_store, texts={"query 1": "x" * 1_000_000, "query 2": "x" * 1_000_000})
    [stale, _] = file_store.list_runs()
    assert [model_run.status for model_run in file_store.get_model_runs_for_run(stale.id)] == ["running"]
    file_store.complete_run(stale.id, "failed")
    file_store.delete_run(stale.id)
    assert contents(file_store) == before
    record_new_build(file_store, texts={"query 2": "x" * 1_000_000})
    assert list(file_store.read_texts(["query 2"])) == ["query 2"]


def test_a_full_disk_rolls_back_and_says_so(file_store: SqliteStateStore, path: Path) -> None:
    """SQLite has rolled back by itself then, and that is no second error."""
    run = file_store.create_run("dev")
    model = file_store.register_model(registration())
    file_store.close()
    with closing(connect_to_file(path)) as connection:
        connection.execute(f"PRAGMA max_page_count = {pragma(connection, 'page_count')}")
        many = [NewModelRun(model.id, "skipped", detail="d" * 4000)] * 100
        with pytest.raises(StateError, match="the disk is full"), explained(str(path)):
            with transaction(connection, write=True):
                runs.record_model_runs(connection, run.id, many, now=NOON, new_id=Ids())
        assert not connection.in_transaction
        assert connection.execute("SELECT count(*) FROM model_runs").fetchone()[0] == 0


def test_a_damaged_file_is_said_to_be_damaged(file_store: SqliteStateStore, path: Path) -> None:
    """With what can be done about it."""
    file_store.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StateError, match=f"{path} is damaged: .*\n    Restore a backup"):
        opened(path).list_runs()


def test_a_value_that_was_changed_by_hand_is_an_error_of_the_state(file_store: SqliteStateStore, path: Path) -> None:
    """It is not taken for a mistake of the reader."""
    file_store.create_run("dev")
    with closing(plain(path)) as hand:
        hand.execute("UPDATE runs SET started_at = 'yesterday'")
    with pytest.raises(StateError, match=f"{path} cannot hold a value: .*yesterday.*\n.*by hand"):
        file_store.list_runs()


@pytest.mark.parametrize(
    "change",
    [
        "traces SET columns = x'00'",
        "traces SET columns = '{}'",
        "traces SET columns = '[[1, 2]]'",
        "traces SET query_hash = x'00'",
        "trace_inputs SET name = x'00'",
        "trace_inputs SET columns = '3'",
        "data_versions SET data_version = x'00'",
        "test_results SET sample = '{\"a\": 1}'",
        "models SET tags = '[3]'",
        "models SET path = x'00'",
        "code_versions SET config = '[]'",
        "texts SET text = x'00'",
        "runs SET started_at = x'00'",
        "partition_traces SET code_version = x'00'",
        "partition_traces SET windows = '[]'",
        "partition_traces SET reading = 7",
        "partition_readings SET inputs = '{}'",
        'partition_readings SET inputs = \'[{"name": "raw.orders"}]\'',
    ],
)
def test_a_value_of_another_kind_is_an_error_of_the_state(
    file_store: SqliteStateStore, path: Path, change: str
) -> None:
    """As a page in the place of another leaves it: whoever reads it says so, and what looks at all of it."""
    record_new_build(file_store, tests=(kept(),))
    with closing(plain(path)) as hand:
        hand.execute("PRAGMA ignore_check_constraints = ON")
        hand.execute(f"UPDATE {change}")
    with pytest.raises(
        StateError, match=f"{path} cannot hold a value: (.|\n)*`leapsql state check` looks at all of it"
    ):
        contents(file_store)


def test_times_that_others_wrote_are_read_as_utc(file_store: SqliteStateStore, path: Path) -> None:
    """SQLite's own CURRENT_TIMESTAMP has no fraction, other tools write a zone."""
    run = file_store.create_run("dev")
    with closing(plain(path)) as hand:
        for text in ("2026-03-01 12:00:00", "2026-03-01T12:00:00Z", "2026-03-01 13:00:00+01:00"):
            hand.execute("UPDATE runs SET started_at = ?", (text,))
            assert file_store.get_run(run.id) == run


def test_a_value_that_sqlite_has_no_form_for_is_refused(file_store: SqliteStateStore) -> None:
    """A number beyond 64 bits, a text that is no Unicode; nothing of the fact is recorded."""
    with pytest.raises(StateError, match=r"cannot hold a value: .*surrogates"):
        file_store.register_model(registration(owner="\udce9"))
    assert file_store.list_models() == []
    model_run = file_store.record_model_run(
        file_store.create_run("dev").id, file_store.register_model(registration()).id
    )
    with pytest.raises(StateError, match=r"cannot hold a value: .*too large"):
        file_store.update_model_run(model_run.id, "success", rows_affected=2**63)
    assert file_store.get_latest_model_run(model_run.model_id) == model_run


def test_an_id_that_repeats_is_refused(path: Path) -> None:
    """Two facts never share a row."""
    store = SqliteStateStore(path, clock=Clock(), new_id=lambda: "same")
    with closing(store):
        store.open()
        store.init_schema()
        store.create_run("dev")
        with pytest.raises(StateError, match=f"{path} refuses: UNIQUE constraint"):
            store.create_run("prod")
        assert [environment.name for environment in store.list_environments()] == ["dev"]


def test_errors_without_a_code_are_generic() -> None:
    """Python's own module raises some by itself, and Warning is no Error there."""
    assert result_code(sqlite3.Warning("You can only execute one statement at a time.")) == sqlite3.SQLITE_ERROR
    with pytest.raises(StateError, match="the state s refuses: one at a time"), explained("s"):
        raise sqlite3.Warning("one at a time")


# ------------------------------------------------------------------------------------------------------------- waiting


def test_who_waits_in_vain_is_told_for_what(file_store: SqliteStateStore, path: Path) -> None:
    """A process that stands still inside a transaction holds everyone up; the message says so, not 'locked' alone."""
    with closing(plain(path)) as other, closing(opened(path, wait_seconds=0)) as store:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateError, match=f"{path} is held by another process: .*\n    Look for a process"):
            store.create_run("dev")
        assert store.list_runs() == []
        other.execute("COMMIT")
        assert store.create_run("dev").status == "running"


def test_who_waits_long_is_told_once_for_what(file_store: SqliteStateStore, path: Path) -> None:
    """Not when the wait is over, but while it goes on; facts that need not wait say nothing."""
    told: list[str] = []
    with closing(sqlite3.connect(path, isolation_level=None)) as other:

        def let_go(said: str) -> None:
            told.append(said)
            other.execute("ROLLBACK")

        with closing(SqliteStateStore(path, on_wait=let_go)) as store:
            store.open()
            store.create_run("dev")
            assert told == []
            other.execute("BEGIN IMMEDIATE")
            run = store.create_run("dev")
            assert told == [f"waiting for another process that holds the state {path}"]
            assert file_store.get_run(run.id) == run


def test_the_switch_to_wal_waits_its_turn(path: Path) -> None:
    """SQLite refuses it at once while another looks at the file; it is tried until the other is done."""
    with closing(connect_to_file(path, wait_seconds=0)) as connection, closing(plain(path)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM sqlite_master").fetchall()
        pauses: list[float] = []

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 3:
                other.execute("COMMIT")

        prepare_for_writing(connection, wait_seconds=60, pause=pause)
        assert len(pauses) == 3
        assert pragma(connection, "journal_mode") == "wal"


def test_the_switch_to_wal_does_not_wait_for_ever(path: Path) -> None:
    """The other may stand still; then the store is not opened, and says why."""
    path.parent.mkdir()
    with closing(plain(path)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM sqlite_master").fetchall()
        with pytest.raises(StateError, match="is held by another process"):
            opened(path, wait_seconds=0)


def test_what_fails_for_another_reason_is_not_tried_again(open_folder: Path, without_privileges: AsNobody) -> None:
    """A file that cannot be switched for want of permission would never be."""
    path = open_folder / "state.db"
    path.touch()
    path.chmod(0o444)
    open_folder.chmod(0o555)

    def pause(seconds: float) -> None:
        raise AssertionError("tried again")

    with without_privileges(), closing(connect_to_file(path)) as connection:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            prepare_for_writing(connection, pause=pause)


def test_threads_share_a_store(file_store: SqliteStateStore) -> None:
    """Whoever opened it: each fact waits for its turn, and none is lost."""
    model = file_store.register_model(registration())
    ready = threading.Barrier(8)

    def work() -> None:
        ready.wait()
        for _ in range(20):
            run = file_store.create_run("dev")
            file_store.record_model_run(run.id, model.id, "success")
            file_store.complete_run(run.id, "completed")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorded = file_store.list_runs(limit=1000)
    assert len(recorded) == 160
    assert all(run.status == "completed" for run in recorded)
    assert all(len(file_store.get_model_runs_for_run(run.id)) == 1 for run in recorded)


def test_whatever_interrupts_a_fact_leaves_none_of_it(path: Path) -> None:
    """Also an interruption from the keyboard; the store can be used afterwards."""
    interruptions = iter([None, KeyboardInterrupt(), None])

    def clock() -> object:
        interruption = next(interruptions)
        if interruption is not None:
            raise interruption
        return NOON

    store = SqliteStateStore(path, clock=clock, new_id=Ids())  # type: ignore[arg-type]
    with closing(store):
        store.open()
        store.init_schema()
        run = store.create_run("dev")
        with pytest.raises(KeyboardInterrupt):
            store.complete_run(run.id, "completed")
        assert store.get_run(run.id) == run
        assert store.complete_run(run.id, "completed").status == "completed"
