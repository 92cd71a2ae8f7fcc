"""Putting a copy of a state back in its place: the old one or the new one is there at every moment, never neither."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from leapsql_core.errors import StateError
from leapsql_core.state.connection import WAIT_SECONDS, connect_to_file, explained, is_file, prepare_for_writing
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
        back_up(path, keep, migrations=migrations)
        _write_into(path, file, wait_seconds=wait_seconds, migrations=migrations)
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
    if running is not None and not force:
        raise state_in_use(str(path), run_id=running["id"], environment=running["environment"])
    return is_whole


def _write_into(path: Path, file: Path, *, wait_seconds: float, migrations: Sequence[Migration]) -> None:
    # SQLite replaces all pages in one transaction: so its log is taken care of, who has the file open is told, and
    # who is killed in the middle has written nothing.
    with reading_as_it_is(file, migrations=migrations) as source, explained(str(path)):
        with closing(connect_to_file(path, wait_seconds=wait_seconds)) as present:
            prepare_for_writing(present, wait_seconds=wait_seconds)
            if _page_size(source) != _page_size(present):
                # In WAL mode the size of a page is fixed.
                present.execute("PRAGMA journal_mode = DELETE")
            source.backup(present, pages=_PAGES_AT_A_TIME, progress=_refuse_to_wait)


def _refuse_to_wait(status: int, remaining: int, total: int) -> None:
    # SQLite has waited for its turn already; Python's module would begin anew for ever.
    if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        busy = sqlite3.OperationalError("database is locked")
        busy.sqlite_errorcode = status
        raise busy


def _page_size(connection: sqlite3.Connection) -> int:
    size: int = connection.execute("PRAGMA page_size").fetchone()[0]
    return size


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
