"""Connections to a DuckDB file: opening, waiting for whoever holds it, errors in plain words."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, TypeVar

from leapsql_core.errors import WarehouseError
from leapsql_core.models import Target
from leapsql_core.names import quote_identifier

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: How DuckDB says that another process holds the file: on Linux and macOS it names it, on Windows it may.
_HELD = re.compile(r"Could not set lock on file|being used by another process|File is already open in")
_HOLDER = re.compile(r"(?:lock is held in|already open in)\s+(?P<program>.+?) \(PID (?P<pid>\d+)\)", re.DOTALL)
_HELD_HERE = re.compile(r"same database file with a different configuration|Unique file handle conflict")
_BELOW = re.compile(r"\n\nLINE |\n\nPossible solutions:\n")
_LINE = re.compile(r"^LINE (\d+): ", re.MULTILINE)
#: What is no fault of the statement: how DuckDB says it, and what helps. What stood there stands, for nothing was
#: committed.
_MENDS = (
    (
        re.compile(r"^Out of Memory Error"),
        "Raise memory_limit or lower threads under `target.settings` in leapsql.yaml, or build fewer models at a time:"
        " --threads 1.",
    ),
    (
        re.compile(r"No space left on device|File too large|quota exceeded|Could not (?:write|truncate|sync) file"),
        "Make room on the disk of the warehouse, and run again: what is left is built then.",
    ),
    (
        re.compile(r"database has been invalidated"),
        "Run again: the next run goes on from what was committed before.",
    ),
)
T = TypeVar("T")
_RESERVED_CATALOGS = frozenset({"main", "temp", "system"})


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long to wait for a database that somebody else holds, in seconds, and whom to tell.

    ``knows`` says what a process of this host does with it, by its number; ``None`` if it is not known.
    """

    seconds: float = 0.0
    tell: Callable[[str], None] | None = None
    pause: float = 0.1
    knows: Callable[[int], str | None] = lambda pid: None


@dataclass(frozen=True, slots=True)
class Held:
    """A database that cannot be had now: who holds it, the number of that process if it is known, and what to do."""

    holder: str
    pid: int | None = None
    mend: str = "DuckDB lets one process write at a time: wait until it is done, or close it."
    refusal: Exception | None = None


def database_path(target: Target, root: Path) -> str:
    """Return the database of `target` as an absolute path, or ``:memory:``.

    Raises:
        WarehouseError: it begins with ``~name``, and there is no such user.
    """
    if target.database == ":memory:":
        return target.database
    try:
        return str(root / Path(target.database).expanduser())
    except RuntimeError as exc:
        cause = f"the warehouse {target.database} lies in the home folder of a user that there is not"
        raise WarehouseError(cause, mend="Correct `target.database` in leapsql.yaml.") from exc


def catalog_of(database: str) -> str:
    """Return the name that DuckDB gives to the catalog of a database file.

    >>> catalog_of("/data/flights.v2.duckdb"), catalog_of(":memory:"), catalog_of("main.db")
    ('flights', 'memory', 'main_db')
    """
    if database == ":memory:":
        return "memory"
    stem = PurePath(database).name.partition("?")[0].lstrip(".").partition(".")[0]
    return f"{stem}_db" if stem.casefold() in _RESERVED_CATALOGS else stem


def connect(
    database: str, *, read_only: bool, waiting: Waiting, config: Mapping[str, Any] | None = None
) -> DuckDBPyConnection:
    """Open `database`, making its folder if need be.

    `config` goes to DuckDB as it is: within one process all connections to a file must be opened with the same.

    Raises:
        WarehouseError: no such folder can be made, no DuckDB file, or still held when the waiting is over.
    """
    return wait_for(lambda: try_to_connect(database, read_only=read_only, config=config), database, waiting)


def wait_for(attempt: Callable[[], T | Held], database: str, waiting: Waiting) -> T:
    """Try until a database can be had; `WarehouseError` if it is still held when the waiting is over."""
    ends = time.monotonic() + waiting.seconds
    told = False
    while True:
        found = attempt()
        if not isinstance(found, Held):
            return found
        does = None if found.pid is None else waiting.knows(found.pid)
        holder = found.holder if does is None else f"{found.holder}, {does}"
        if time.monotonic() >= ends:
            cause = f"the warehouse {database} is in use by {holder}"
            raise WarehouseError(cause, mend=found.mend, in_use=True) from found.refusal
        if waiting.tell is not None and not told:
            waiting.tell(f"waiting for {holder}, which holds {database}")
            told = True
        time.sleep(waiting.pause)


def try_to_connect(database: str, *, read_only: bool, config: Mapping[str, Any] | None) -> DuckDBPyConnection | Held:
    """Open `database`, or return who holds it; see `connect`."""
    import duckdb

    if database != ":memory:" and not read_only:
        try:
            Path(database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            cause = f"the folder of the warehouse cannot be made: {exc.strerror}: {Path(database).parent}"
            raise WarehouseError(cause, mend="Correct `target.database` in leapsql.yaml.") from exc
    return _opened(lambda: duckdb.connect(database, read_only=read_only, config=dict(config or {})), database)


def attach(connection: DuckDBPyConnection, database: str, catalog: str) -> Held | None:
    """Attach another database to a connection, for reading alone, under the name `catalog`, or return who holds it.

    Raises:
        WarehouseError: there is no such database, or it cannot be opened.
    """
    if not Path(database).is_file():
        raise WarehouseError(f"there is no database {database}", mend="Build it first, or correct its path.")
    place = database.replace("'", "''")
    statement = f"ATTACH '{place}' AS {quote_identifier(catalog)} (READ_ONLY)"
    opened = _opened(lambda: connection.execute(statement), database)
    return opened if isinstance(opened, Held) else None


def _opened(action: Callable[[], T], database: str) -> T | Held:
    """Do what opens a database, or return who holds it."""
    import duckdb

    try:
        return action()
    except duckdb.Error as exc:
        held = _held(exc)
        if held is None:
            raise WarehouseError(
                f"the warehouse {database} cannot be opened: {first_line(exc)}",
                mend="Correct `target.database` in leapsql.yaml, or the rights on that file.",
            ) from exc
        return held


def _held(exc: Exception) -> Held | None:
    """Return who holds a database, from DuckDB's words; ``None`` if nobody does."""
    said = str(exc)
    named = _HOLDER.search(said)
    if named is not None:
        return Held(f"{named['program'].strip()} (process {named['pid']})", int(named["pid"]), refusal=exc)
    if _HELD_HERE.search(said):
        return Held("this process, which opened it with other options", refusal=exc)
    return Held("another process", refusal=exc) if _HELD.search(said) else None


@contextmanager
def refusals(doing: str = "", *, query_from: int | None = None) -> Iterator[None]:
    """Turn DuckDB's errors into `WarehouseError`.

    Where the user's query begins at line `query_from` of the statement, the error carries the query's line.
    """
    import duckdb

    try:
        yield
    except duckdb.Error as exc:
        named = _LINE.search(str(exc))
        line = int(named[1]) - query_from + 1 if named and query_from is not None else 0
        cause = first_line(exc)
        mend = next((mend for said, mend in _MENDS if said.search(str(exc))), "")
        raise WarehouseError(
            f"{doing}: {cause}" if doing else cause, mend=mend, line=line if line > 0 else None
        ) from exc
    except RuntimeError as exc:
        # What DuckDB makes of a signal that comes while it works in the main thread; Python's own exception is gone.
        if str(exc) == "Query interrupted":
            raise KeyboardInterrupt from exc
        raise


def execute_one(cursor: DuckDBPyConnection, sql: str, parameters: Sequence[Any] = ()) -> DuckDBPyConnection:
    """Execute a statement that holds text of a model, unless that text has ended it and begun another.

    Raises:
        WarehouseError: it is more than one statement.
    """
    if ";" not in sql:
        return cursor.execute(sql, list(parameters))
    statements = cursor.extract_statements(sql)
    if len(statements) != 1:
        cause = f"the query ends the statement that it stands in: {len(statements)} statements instead of one"
        raise WarehouseError(cause, mend="Write one query.")
    return cursor.execute(statements[0], list(parameters))


def first_line(exc: Exception) -> str:
    """Return what an error of DuckDB says, without what it shows of the statement, or advises, below it."""
    said = _BELOW.split(str(exc))[0].strip()
    return " ".join(line.strip() for line in said.splitlines() if line.strip())
