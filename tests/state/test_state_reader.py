"""Reading without being able to write: what planning, definitions and sensors are given."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest
from state_samples import contents, record_failure, record_new_build, registration

from leapsql_core.errors import StateError
from leapsql_core.models import Snapshot
from leapsql_core.protocols import StateReader, StateStore, StateWriter
from leapsql_core.state import SqliteStateStore, open_state_reader, query_state
from leapsql_core.state.reader import reading_file
from leapsql_core.state.traces import read_snapshot

AsNobody = Callable[[], AbstractContextManager[None]]


def test_a_reader_has_no_method_that_writes(path: Path) -> None:
    """What cannot be called cannot be called by mistake; all questions are there."""
    reader = open_state_reader(path)
    for name in vars(StateWriter):
        if not name.startswith("_"):
            assert not hasattr(reader, name)
    for name in ("open", "init_schema"):
        assert hasattr(StateStore, name)
        assert not hasattr(reader, name)
    for name in vars(StateReader):
        assert hasattr(reader, name)


def test_a_reader_sees_what_the_store_sees(file_store: SqliteStateStore, path: Path) -> None:
    """Every question has the same answer."""
    record_new_build(file_store)
    record_new_build(file_store, "b", environment="prod")
    record_failure(file_store)
    with closing(open_state_reader(str(path))) as reader:
        assert contents(reader) == contents(file_store)
        assert reader.read_history() == file_store.read_history()
        record_new_build(file_store, "c")
        assert contents(reader) == contents(file_store)
        model, run = file_store.get_model_by_path("b"), file_store.list_runs()[0]
        assert reader.get_model_by_id(model.id) == reader.get_model_by_path("b") == model
        assert reader.get_run(run.id) == run
        assert reader.get_environment("dev") == file_store.get_environment("dev")


def test_a_missing_file_reads_as_a_state_in_which_nothing_happened(path: Path) -> None:
    """And nothing is made: no file, no folder."""
    with closing(open_state_reader(path)) as reader:
        assert reader.read_snapshot("dev") == Snapshot("dev")
        assert reader.list_models() == reader.list_runs() == reader.list_environments() == []
        assert reader.read_history() is None
        with pytest.raises(StateError, match="no run has the id"):
            reader.get_run("r")
    assert query_state(path, "SELECT count(*) AS n FROM runs") == (["n"], [(0,)])
    assert not path.parent.exists()


def test_a_reader_notices_when_the_file_comes_to_be_and_when_it_is_replaced(path: Path) -> None:
    """A sensor that was started before the first run sees that run, and a restored backup too."""
    with closing(open_state_reader(path)) as reader:
        store = SqliteStateStore(path)
        with closing(store):
            store.open()
            assert reader.list_models() == []
            store.init_schema()
            store.register_model(registration("a"))
            assert [model.path for model in reader.list_models()] == ["a"]
        other = path.with_name("other.db")
        with closing(SqliteStateStore(other)) as store:
            store.open()
            store.init_schema()
            store.register_model(registration("b"))
        other.replace(path)
        assert [model.path for model in reader.list_models()] == ["b"]


def test_an_empty_file_reads_as_empty_and_stays_empty(path: Path) -> None:
    """It may be one that another process is just making."""
    path.parent.mkdir()
    path.touch()
    with closing(open_state_reader(path)) as reader:
        assert reader.list_runs() == []
        assert reader.read_history() is None
    assert path.read_bytes() == b""


def test_a_reader_depends_on_no_working_directory(
    file_store: SqliteStateStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on reading the same file wherever its process moves."""
    run = file_store.create_run("dev")
    monkeypatch.chdir(path.parent)
    with closing(open_state_reader(path.name)) as reader:
        monkeypatch.chdir("/")
        assert reader.list_runs() == [run]
        monkeypatch.chdir(path.parent)
        assert query_state(path.name, "SELECT id FROM runs")[1] == [(run.id,)]


def test_a_closed_reader_says_that_it_is_closed(path: Path) -> None:
    """Closing twice is fine."""
    reader = open_state_reader(path)
    reader.close()
    reader.close()
    with pytest.raises(StateError, match="is not open"):
        reader.list_runs()


def test_one_reading_sees_one_moment(file_store: SqliteStateStore, path: Path) -> None:
    """What is recorded while it reads belongs to the next reading."""
    record_new_build(file_store)
    before = file_store.read_snapshot("dev")
    with reading_file(path) as connection:
        record_new_build(file_store)
        record_new_build(file_store, "b")
        assert read_snapshot(connection, "dev") == before
    with reading_file(path) as connection:
        assert list(read_snapshot(connection, "dev").traces) == ["b", "staging.orders"]


def test_a_reader_cannot_write_by_any_statement(file_store: SqliteStateStore, path: Path) -> None:
    """Not for want of methods alone: the file is opened for reading."""
    file_store.create_run("dev")
    with reading_file(path) as connection, pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM runs")
    assert len(file_store.list_runs()) == 1


def test_reading_does_not_change_the_file(file_store: SqliteStateStore, path: Path) -> None:
    """Not a byte of it, also when nobody else has it open."""
    record_new_build(file_store)
    file_store.close()
    before = path.read_bytes()
    with closing(open_state_reader(path)) as reader:
        contents(reader)
    assert path.read_bytes() == before


def test_a_newer_database_is_refused_with_both_versions(file_store: SqliteStateStore, path: Path) -> None:
    """When the reader is made, and by each question when it was upgraded later."""
    with closing(open_state_reader(path)) as reader:
        with closing(sqlite3.connect(path)) as newer:
            newer.execute("PRAGMA user_version = 7")
        for ask in (reader.list_runs, lambda: open_state_reader(path), lambda: query_state(path, "SELECT 1")):
            with pytest.raises(StateError, match=r"schema version 7, this LeapSQL knows up to \d\n.*leapsql-dagster"):
                ask()


@pytest.mark.parametrize("content", [b"no database " * 100, b"hi"])
def test_a_file_that_is_no_database_is_refused(path: Path, content: bytes) -> None:
    """It is not taken for a missing one."""
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StateError, match="is no SQLite database"):
        open_state_reader(path)
    assert path.read_bytes() == content


def test_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    """It is not taken for an empty one."""
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE customers (id)")
    with pytest.raises(StateError, match="not a state of LeapSQL"):
        open_state_reader(path)


def test_a_folder_is_no_state_to_read(tmp_path: Path) -> None:
    """It is not taken for a missing file."""
    with pytest.raises(StateError, match="is a folder"):
        open_state_reader(tmp_path)


# ---------------------------------------------------------------------------------------------------- read-only folders


def made_in(folder: Path) -> Path:
    path = folder / "state.db"
    with closing(SqliteStateStore(path)) as store:
        store.open()
        store.init_schema()
        record_new_build(store)
    return path


def test_a_state_in_a_read_only_folder_can_be_read(open_folder: Path, without_privileges: AsNobody) -> None:
    """SQLite would make companions beside the file, and cannot; there is nobody to share it with."""
    path = made_in(open_folder)
    with closing(open_state_reader(path)) as reader:
        expected = contents(reader)
    for companion in ("state.db-wal", "state.db-shm"):
        (open_folder / companion).unlink(missing_ok=True)
    open_folder.chmod(0o555)
    with without_privileges(), closing(open_state_reader(path)) as reader:
        assert contents(reader) == expected
        assert query_state(path, "SELECT count(*) FROM runs")[1] == [(1,)]
    assert os.listdir(open_folder) == ["state.db"]


def test_a_state_in_a_read_only_folder_is_read_beside_its_writer(
    open_folder: Path, without_privileges: AsNobody
) -> None:
    """Whoever has it open has made the companions; what is recorded is seen."""
    path = made_in(open_folder)
    with closing(SqliteStateStore(path)) as store:
        store.open()
        run = store.create_run("dev")
        for file in open_folder.iterdir():
            file.chmod(0o444)
        open_folder.chmod(0o555)
        with without_privileges(), closing(open_state_reader(path)) as reader:
            assert reader.get_run(run.id) == run


def test_changes_that_cannot_be_read_are_not_passed_over(open_folder: Path, without_privileges: AsNobody) -> None:
    """A copy with a log that a read-only folder keeps apart would tell an older story: it tells none."""
    path = made_in(open_folder)
    with closing(SqliteStateStore(path)) as store:
        store.open()
        store.create_run("dev")
        copy = open_folder / "copy"
        copy.mkdir()
        for name in ("state.db", "state.db-wal"):
            shutil.copy(open_folder / name, copy / name)
    copy.chmod(0o555)
    with without_privileges(), pytest.raises(StateError, match=r"last changes in state.db-wal.*\n    Open it once"):
        open_state_reader(copy / "state.db")
    copy.chmod(0o755)
    with closing(open_state_reader(copy / "state.db")) as reader:
        assert len(reader.list_runs()) == 2


def test_a_file_that_may_not_be_read_is_named(open_folder: Path, without_privileges: AsNobody) -> None:
    """Permission is what is missing, and the message says where."""
    path = made_in(open_folder)
    path.chmod(0)
    with without_privileges(), pytest.raises(StateError, match=f"{path} cannot be opened"):
        open_state_reader(path)
    path.chmod(0o644)
