"""Connections to the state's SQLite file: how they are opened, their transactions, and what SQLite's errors mean."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from leapsql_core.errors import StateError

#: The place of a state that lives in memory and ends with its connection.
MEMORY = ":memory:"

#: How long a process waits for another one's write. A fact takes milliseconds; a migration may take much longer.
WAIT_SECONDS = 120.0

#: How long the wait for another one's write goes without saying.
_MOMENT_MS = 1000

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_NOT_SHAREABLE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}

#: What SQLite's primary result codes mean for the state, and how each is mended.
_MEANINGS: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_NOTADB: (
        "is no SQLite database",
        "Name another file with --state, or move this one away.",
    ),
    sqlite3.SQLITE_CORRUPT: (
        "is damaged",
        "Restore a backup, or move the file away: the next run then starts a new state.",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "cannot be opened",
        "Make sure that its folder exists and that you may read and write there.",
    ),
    sqlite3.SQLITE_READONLY: (
        "cannot be written",
        "Make sure that you may write the file and its folder, or name another file with --state.",
    ),
    sqlite3.SQLITE_PERM: (
        "cannot be reached",
        "Make sure that you may read and write the file and its folder.",
    ),
    sqlite3.SQLITE_FULL: (
        "cannot grow, for the disk is full",
        "Free some space and run again; nothing of this fact was recorded, everything before it was.",
    ),
    sqlite3.SQLITE_IOERR: (
        "cannot be read or written",
        "Look at the disk, its free space and its limits; nothing of this fact was recorded.",
    ),
    sqlite3.SQLITE_BUSY: (
        "is held by another process",
        "Look for a process that stands still inside a transaction, such as an open sqlite3 shell, and end it.",
    ),
}


def explain(exc: sqlite3.Error | sqlite3.Warning, place: str) -> StateError:
    """Return the `StateError` that says what an error of SQLite means for the state at `place`."""
    code = result_code(exc)
    meaning, mend = _MEANINGS.get(sqlite3.SQLITE_BUSY if code in _BUSY else code, ("refuses", ""))
    return StateError(f"the state {place} {meaning}: {exc}", mend=mend)


def result_code(exc: sqlite3.Error | sqlite3.Warning) -> int:
    """Return SQLite's primary result code; 1, its generic error, for what Python's module raises by itself."""
    return int(getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF


@contextmanager
def explained(place: str) -> Iterator[None]:
    """Raise whatever SQLite or a value in the state refuses as a `StateError`."""
    try:
        yield
    except (sqlite3.Error, sqlite3.Warning) as exc:
        raise explain(exc, place) from exc
    except (ValueError, OverflowError) as exc:
        mend = (
            "If it was read, the file is damaged or was changed by hand: `leapsql state check` looks at all of it, and"
            " `leapsql state restore` puts a copy back. If it was to be written, SQLite has no form for it."
        )
        raise StateError(f"the state {place} cannot hold a value: {exc}", mend=mend) from exc


@contextmanager
def transaction(
    connection: sqlite3.Connection, *, write: bool, on_wait: Callable[[], None] | None = None
) -> Iterator[None]:
    """Run a block as one transaction: all of it is committed, or nothing.

    A writing one takes the write lock at once. One that reads first and writes later would fail, without waiting,
    when another process has written in between. `on_wait` is told where that lock is long in coming.
    """
    if not write or on_wait is None or not _taken_at_once(connection, on_wait):
        connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # After some errors, a full disk among them, SQLite has rolled back already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _taken_at_once(connection: sqlite3.Connection, on_wait: Callable[[], None]) -> bool:
    """Take the write lock if another process gives it within a moment, and else tell `on_wait`."""
    patience = connection.execute("PRAGMA busy_timeout").fetchone()[0]
    connection.execute(f"PRAGMA busy_timeout = {min(patience, _MOMENT_MS):d}")
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as exc:
        if result_code(exc) not in _BUSY:
            raise
    else:
        return True
    finally:
        connection.execute(f"PRAGMA busy_timeout = {patience:d}")
    on_wait()
    return False


def connect_to_file(path: Path, *, wait_seconds: float = WAIT_SECONDS) -> sqlite3.Connection:
    """Open a file for reading and writing, making it and its folder if need be; nothing is written into it yet.

    Raises:
        StateError: the folder cannot be made, or the path is a folder.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        cause = f"the folder of the state {path} cannot be made: {exc.strerror}"
        raise StateError(cause, mend="Make a folder that you may write, or name another file with --state.") from exc
    is_file(path)
    with explained(str(path)):
        return _connect(str(path), wait_seconds=wait_seconds)


def is_file(path: Path) -> bool:
    """Say whether there is a file at `path`.

    Raises:
        StateError: there is a folder, or nobody may tell us.
    """
    try:
        is_folder, is_there = path.is_dir(), path.exists()
    except OSError as exc:
        mend = "Make sure that you may read its folder, or name another file with --state."
        raise StateError(f"the state {path} cannot be reached: {exc.strerror}", mend=mend) from exc
    if is_folder:
        raise StateError(f"the state {path} is a folder", mend=f"Name a file in it, such as {path / 'state.db'}.")
    return is_there


def connect_in_memory() -> sqlite3.Connection:
    """Open a new database that lives in memory until its connection is closed."""
    return _connect(MEMORY)


def connect_read_only(path: Path, *, immutable: bool = False) -> sqlite3.Connection:
    """Open a file that exists for reading alone; `immutable` reads it without locks, as nothing may change it."""
    place = path.absolute().as_uri() + ("?mode=ro&immutable=1" if immutable else "?mode=ro")
    return _connect(place, uri=True)


def _connect(place: str, *, wait_seconds: float = WAIT_SECONDS, uri: bool = False) -> sqlite3.Connection:
    # A store guards its connection with a lock, so a thread other than the opener may use it. Transactions are begun
    # by `transaction` alone: isolation_level=None keeps Python's module from beginning any.
    connection = sqlite3.connect(
        place, timeout=wait_seconds, isolation_level=None, check_same_thread=False, uri=uri, cached_statements=256
    )
    connection.row_factory = sqlite3.Row
    return connection


def prepare_for_writing(
    connection: sqlite3.Connection,
    *,
    wait_seconds: float = WAIT_SECONDS,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Switch the file to WAL, so that readers and one writer work at once, and foreign keys on.

    With ``synchronous = NORMAL`` a power loss can take back the last commits, never a part of one, and never harms
    the file. A success lost so is no lie: the marker in the warehouse tells the next run what was built, and at worst
    a relation is built again. Waiting for the disk at every fact would buy nothing more. Without WAL (in memory, or
    on a file system that has no shared memory) SQLite's full synchronization stays.
    """
    if _switch_to_wal(connection, wait_seconds=wait_seconds, pause=pause) == "wal":
        connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _switch_to_wal(
    connection: sqlite3.Connection, *, wait_seconds: float, pause: Callable[[float], None]
) -> Literal["wal"] | str:
    # The switch needs the file for itself, and SQLite refuses it at once where two processes try together: each
    # holds the file shared, so that waiting inside SQLite would never end.
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            mode: str = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        except sqlite3.OperationalError as exc:
            if result_code(exc) not in _BUSY or time.monotonic() >= deadline:
                raise
            pause(0.01)
        else:
            return mode


def is_not_shareable(exc: sqlite3.Error) -> bool:
    """Say whether a file could not be opened with its companions (``-wal``, ``-shm``), as in a read-only folder."""
    return result_code(exc) in _NOT_SHAREABLE
