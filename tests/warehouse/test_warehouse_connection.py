"""Opening a database: what goes wrong is told in plain words, and whoever holds it is waited for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest

from leapsql_core.errors import WarehouseError
from leapsql_core.models import Target
from leapsql_core.warehouses.duckdb import connection
from leapsql_core.warehouses.duckdb.connection import Waiting, catalog_of, connect, database_path, first_line, refusals
from leapsql_core.warehouses.opening import open_warehouse, warehouse_exists

HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.readline()"


@pytest.fixture
def held(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """A database that another process holds until it is told to let go."""
    database = tmp_path / "held.duckdb"
    command = [sys.executable, "-c", HOLD, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield database, process
        if process.poll() is None:
            process.communicate("\n")


def target(database: object, **settings: object) -> Target:
    return Target("dev", "duckdb", str(database), "main", settings)  # type: ignore[arg-type]


def test_the_folder_of_a_database_is_made(tmp_path: Path) -> None:
    """A first run needs no preparation: folder and file come to be, and the database exists from then on."""
    where = target("deep/er/w.duckdb")
    assert not warehouse_exists(where, root=tmp_path)
    open_warehouse(where, root=tmp_path).close()
    assert (tmp_path / "deep/er/w.duckdb").is_file()
    assert warehouse_exists(where, root=tmp_path)


def test_a_database_in_memory_never_exists_before(tmp_path: Path) -> None:
    """`:memory:` is no file beside the project."""
    where = target(":memory:")
    open_warehouse(where, root=tmp_path).close()
    assert database_path(where, tmp_path) == ":memory:"
    assert not warehouse_exists(where, root=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_path_is_relative_to_the_project_unless_it_says_otherwise(tmp_path: Path, monkeypatch: object) -> None:
    """`database: x` lies in the project, `/x` at the root and `~/x` at home."""
    assert database_path(target("x.duckdb"), tmp_path) == str(tmp_path / "x.duckdb")
    assert database_path(target("/x.duckdb"), tmp_path) == "/x.duckdb"
    assert database_path(target("~/x.duckdb"), tmp_path) == os.path.expanduser("~/x.duckdb")


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    """The message says which file, that it is no database, and where to correct it."""
    (tmp_path / "notes.duckdb").write_text("dear diary\n" * 1000)
    with pytest.raises(WarehouseError) as caught:
        open_warehouse(target("notes.duckdb"), root=tmp_path)
    assert f"the warehouse {tmp_path / 'notes.duckdb'} cannot be opened" in caught.value.cause
    assert "not a valid DuckDB database file" in caught.value.cause
    assert "target.database" in caught.value.mend
    assert not caught.value.in_use


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file where a folder should be is said to be the trouble."""
    (tmp_path / "file").write_text("")
    with pytest.raises(WarehouseError, match=r"the folder of the warehouse cannot be made: .*file") as caught:
        open_warehouse(target("file/w.duckdb"), root=tmp_path)
    assert "target.database" in caught.value.mend


def test_reading_makes_nothing(tmp_path: Path) -> None:
    """A read-only opening of a database that is not there fails, and leaves no folder."""
    with pytest.raises(WarehouseError, match="cannot be opened"):
        open_warehouse(target("new/w.duckdb"), root=tmp_path, read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_who_holds_a_database_is_named(held: tuple[Path, subprocess.Popen[str]]) -> None:
    """The message tells program and process, that it is in use, and what to do."""
    database, process = held
    with pytest.raises(WarehouseError) as caught:
        connect(str(database), read_only=False, waiting=Waiting())
    assert f"the warehouse {database} is in use by " in caught.value.cause
    assert f"(process {process.pid})" in caught.value.cause
    assert caught.value.in_use
    assert "one process" in caught.value.mend


def test_what_its_holder_does_is_told_if_it_is_known(held: tuple[Path, subprocess.Popen[str]]) -> None:
    """The process is the one that DuckDB names."""
    database, process = held
    waiting = Waiting(knows={process.pid: "run 7 of environment dev"}.get)
    with pytest.raises(WarehouseError) as caught:
        connect(str(database), read_only=False, waiting=waiting)
    assert caught.value.cause.endswith(f"(process {process.pid}), run 7 of environment dev")


def test_a_held_database_is_waited_for_and_that_is_told_once(held: tuple[Path, subprocess.Popen[str]]) -> None:
    """Waiting ends as soon as the holder lets go; `tell` hears for whom, one time."""
    database, process = held
    heard: list[str] = []

    def tell(message: str) -> None:
        heard.append(message)
        process.communicate("\n")

    connect(str(database), read_only=False, waiting=Waiting(60.0, tell, pause=0.001)).close()
    assert heard == [message for message in heard if f"(process {process.pid}), which holds {database}" in message]
    assert len(heard) == 1


def test_waiting_ends_with_the_same_error(
    held: tuple[Path, subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A holder that does not let go in time is named; having waited is told once, without a listener not at all."""
    database, _ = held
    heard: list[str] = []
    slept: list[float] = []
    for tell in (heard.append, None):
        moments = iter([0.0, 1.0, 2.0, 3.0])
        clock = SimpleNamespace(monotonic=lambda moments=moments: next(moments), sleep=slept.append)
        monkeypatch.setattr(connection, "time", clock)
        with pytest.raises(WarehouseError, match="is in use by"):
            connect(str(database), read_only=False, waiting=Waiting(3.0, tell, pause=0.5))
    assert len(heard) == 1
    assert slept == [0.5] * 4


def test_a_database_that_this_process_opened_otherwise_is_in_use(tmp_path: Path) -> None:
    """A second connection with other options is refused as in use, not as a broken file."""
    database = str(tmp_path / "w.duckdb")
    with connect(database, read_only=False, waiting=Waiting()):
        with pytest.raises(
            WarehouseError, match="in use by this process, which opened it with other options"
        ) as caught:
            connect(database, read_only=True, waiting=Waiting())
    assert caught.value.in_use


@pytest.mark.parametrize(
    ("said", "holder"),
    [
        (
            'IO Error: Could not set lock on file "/w": Conflicting lock is held in /usr/bin/duckdb (PID 7). See x',
            "/usr/bin/duckdb (process 7)",
        ),
        (
            'IO Error: Cannot open file "w": The process cannot access the file because it is being used by another '
            "process.\n\nFile is already open in \nC:\\Program Files\\duckdb.exe (PID 42)",
            "C:\\Program Files\\duckdb.exe (process 42)",
        ),
        ('IO Error: Could not set lock on file "/w": Resource temporarily unavailable', "another process"),
        ("IO Error: cannot open: it is being used by another process", "another process"),
    ],
)
def test_who_holds_a_database_is_read_from_what_duckdb_says(
    monkeypatch: pytest.MonkeyPatch, said: str, holder: str
) -> None:
    """On each system DuckDB tells of a held file in other words; all of them mean that it is in use."""

    def refuse(*_: object, **__: object) -> None:
        raise duckdb.IOException(said)

    monkeypatch.setattr(duckdb, "connect", refuse)
    with pytest.raises(WarehouseError) as caught:
        connect(":memory:", read_only=False, waiting=Waiting())
    assert caught.value.cause == f"the warehouse :memory: is in use by {holder}"
    assert caught.value.in_use


def test_what_is_passed_to_the_engine_reaches_it(tmp_path: Path) -> None:
    """`config` goes to DuckDB as it is."""
    warehouse = open_warehouse(target("w.duckdb"), root=tmp_path, config={"default_null_order": "nulls_first"})
    with warehouse._cursor() as cursor:
        assert cursor.execute("SELECT lower(current_setting('default_null_order'))").fetchone() == ("nulls_first",)
    warehouse.close()


@pytest.mark.parametrize(
    "name",
    [
        *("plain.duckdb", "a.b.duckdb", ".hidden.db", "...x.y", "main.db", "temp.db", "system.db", "my db.duckdb"),
        *("no_ending", "1.db", "ünï.db", "Ä.db", ".db", "a'b.db", 'a"b.db', "a;b.db", "a#b.db", "a%20b.db", "a?b.db"),
        *(" x.db", "x .db", "select.db", "memory.db", "information_schema.db", "_leapsql.db", "a..b", "x.tar.gz.db"),
    ],
)
def test_the_catalog_of_a_file_has_the_name_that_duckdb_gives_it(tmp_path: Path, name: str) -> None:
    """A relation whose schema bears the catalog's name is told apart, so the name must be DuckDB's own."""
    database = str(tmp_path / name)
    with duckdb.connect(database) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == (catalog_of(database),)


def test_the_catalog_in_memory_has_the_name_that_duckdb_gives_it() -> None:
    """A database without a file has a name too."""
    with duckdb.connect(":memory:") as connection:
        assert connection.execute("SELECT current_database()").fetchone() == (catalog_of(":memory:"),)


def test_an_error_carries_the_line_of_the_query() -> None:
    """Where the query begins on line 2 of a statement, an error on the statement's line 4 is on the query's line 3."""
    statement = "CREATE TABLE t AS\nSELECT\n  1 AS a,\n  nothing AS b\n"
    with duckdb.connect() as connection:
        with pytest.raises(WarehouseError) as caught, refusals(query_from=2):
            connection.execute(statement)
        assert caught.value.line == 3
        with pytest.raises(WarehouseError, match=r"^in vain: Binder Error") as caught, refusals("in vain"):
            connection.execute(statement)
        assert caught.value.line is None


def test_an_error_is_one_line_without_the_excerpt() -> None:
    """The cause is what DuckDB says, hints included, less the statement that it quotes."""
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")
        with pytest.raises(duckdb.Error) as caught:
            connection.execute("SELECT * FROM order_s")
    said = first_line(caught.value)
    assert "\n" not in said
    assert "LINE" not in said
    assert "Did you mean" in said
