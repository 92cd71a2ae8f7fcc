"""Putting a copy of a state back in its place: the old one or the new one is there at every moment, never neither."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from leapsql_core.errors import StateError
from leapsql_core.state.connection import (
    WAIT_SECONDS,
    connect_to_file,
    explained,
    is_file,
    prepare_for_writing,
)
from leapsql_core.state.copies import back_up, reading_as_it_is, unfinished, write_copy
from leapsql_core.state.inspection import find_damage
from leapsql_core.state.refusals import damaged, file_in_the_way, state_in_use
from leapsql_core.state.schema import MIGRATIONS, Migration

#: Between two steps Python looks around: so a signal such as Ctrl-C is heard.
_PAGES_AT_A_TIME = 16

_RUNNING = "SELECT id, environment FROM runs WHERE status = 'running' ORDER BY started_at, rowid LIMIT 1"


def check_copy(file: Path, *, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Refuse a file that is no sound state that this LeapSQL can work on.

    Raises:
        StateError: there is none, it is newer, somebody else's, or damaged.
    """
    with reading_as_it_is(file, migrations=migrations):
        damage = find_damage(file, migrations=migrations)
    if damage:
        raise damaged(str(file), damage)


def restore(
    path: Path,
    file: Path,
    *,
    keep: Path,
    force: bool = False,
    wait_seconds: float = WAIT_SECONDS,
    migrations: Sequence[Migration] = MIGRATIONS,
) -> Path | None:
    """Put the state in `file` in the place of the one at `path`; return `keep`, where that is kept, if there was one.

    Whoever has the state open goes on with the one that was put back. With `force` it is done under a run that is
    running, and in the place of a file that is no state, or newer; of what cannot be copied as a state, the bytes are
    kept. Another process that writes just now is waited for, at most `wait_seconds`.

    Raises:
        StateError: `file` is no sound state; a run is running; what is there cannot be read, kept or replaced.
    """
    check_copy(file, migrations=migrations)
    if is_file(keep):
        raise file_in_the_way(str(keep))
    if not is_file(path) or path.stat().st_size == 0:
        _put_in_place(path, file, migrations=migrations)
        return None
    if file.samefile(path):
        raise StateError(f"{file} is the state itself", mend="Name a copy that `leapsql state backup` made.")
    if _is_sound(path, force=force, migrations=migrations):
        _write_into(path, file, keep=keep, force=force, wait_seconds=wait_seconds, migrations=migrations)
    else:
        _keep_bytes(path, keep)
        _put_in_place(path, file, migrations=migrations)
    return keep


def _is_sound(path: Path, *, force: bool, migrations: Sequence[Migration]) -> bool:
    """Tell whether the present state can be copied and written as a state; refuse where it is not to be replaced."""
    try:
        with reading_as_it_is(path, migrations=migrations):
            pass
    except StateError as exc:
        if not force:
            mend = "With --force it is replaced all the same; its bytes are kept beside it."
            raise StateError(exc.cause, mend=mend) from exc
        return False
    try:
        with reading_as_it_is(path, migrations=migrations) as connection:
            running = connection.execute(_RUNNING).fetchone()
        is_whole = not find_damage(path, migrations=migrations)
    except StateError:
        # It is a state that cannot be read to its end: what a copy is put back for.
        return False
    _refuse_under(running, path, force=force)
    return is_whole


def _refuse_under(running: sqlite3.Row | None, path: Path, *, force: bool) -> None:
    if running is not None and not force:
        raise state_in_use(str(path), run_id=running["id"], environment=running["environment"])


def _write_into(
    path: Path, file: Path, *, keep: Path, force: bool, wait_seconds: float, migrations: Sequence[Migration]
) -> None:
    """Replace all pages of a state in one transaction, having kept in `keep` exactly what it replaces.

    So SQLite's log is taken care of, who has the file open is told, and who is killed in the middle has written
    nothing. Once the transaction has begun no run can begin: what runs was looked at before, and is looked at again.
    """
    with reading_as_it_is(file, migrations=migrations) as source, explained(str(path)):
        with closing(connect_to_file(path, wait_seconds=wait_seconds)) as present:
            prepare_for_writing(present, wait_seconds=wait_seconds)
            is_shared = _ask(present, "PRAGMA journal_mode") == "wal"
            if is_shared and _ask(source, "PRAGMA page_size") == _ask(present, "PRAGMA page_size"):

                def keep_present() -> None:
                    # Another connection reads beside the one that writes what was committed before.
                    with reading_as_it_is(path, migrations=migrations) as beside:
                        _refuse_under(beside.execute(_RUNNING).fetchone(), path, force=force)
                    back_up(path, keep, migrations=migrations)

                _copy_pages(source, present, before=keep_present)
            else:
                # In WAL mode the size of a page is fixed, and without it nobody can read beside who writes.
                _lock_out_others(present)
                _refuse_under(present.execute(_RUNNING).fetchone(), path, force=force)
                with unfinished(keep, like=path) as new:
                    write_copy(present, new)
                    new.replace(keep)
                _copy_pages(source, present)


def _lock_out_others(connection: sqlite3.Connection) -> None:
    """Lock a file until its connection is closed, between its transactions too."""
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    connection.execute("COMMIT")


def _copy_pages(
    source: sqlite3.Connection, present: sqlite3.Connection, *, before: Callable[[], None] | None = None
) -> None:
    """Copy all pages in one transaction; `before` is called within, while nobody sees any of it, and may refuse."""
    left = before

    def go_on(status: int, remaining: int, total: int) -> None:
        nonlocal left
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            # SQLite has waited for its turn already; Python's module would begin anew for ever.
            busy = sqlite3.OperationalError("database is locked")
            busy.sqlite_errorcode = status
            raise busy
        if left is not None:
            left()
            left = None

    # The last step commits: there have to be two at least.
    pages = min(_PAGES_AT_A_TIME, _ask(source, "PRAGMA page_count") - 1)
    source.backup(present, pages=pages, progress=go_on)


def _ask(connection: sqlite3.Connection, question: str) -> Any:
    return connection.execute(question).fetchone()[0]


def _put_in_place(path: Path, file: Path, *, migrations: Sequence[Migration]) -> None:
    """Rename a copy of `file` to `path`, where there is no state that could be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        cause = f"the folder of the state {path} cannot be made: {exc.strerror}"
        raise StateError(cause, mend="Make a folder that you may write, or name another file with --state.") from exc
    with reading_as_it_is(file, migrations=migrations) as source, unfinished(path, like=file) as new:
        write_copy(source, new)
        for companion in _companions(path):
            # The log of what lay here before must not be applied to what comes.
            companion.unlink(missing_ok=True)
        new.replace(path)


def _keep_bytes(path: Path, keep: Path) -> None:
    """Copy a file that is no sound state as it is, its log too."""
    try:
        for kept, lying in zip((keep, *_companions(keep)), (path, *_companions(path)), strict=True):
            if lying.exists():
                shutil.copy(lying, kept)
    except OSError as exc:
        cause = f"{path} cannot be kept as {keep}: {exc.strerror}"
        raise StateError(cause, mend="Make room for the copy, and make sure that you may write there.") from exc


def _companions(path: Path) -> tuple[Path, ...]:
    return tuple(path.with_name(f"{path.name}{ending}") for ending in ("-wal", "-shm", "-journal"))
