"""Copies of a state's file: made while others work on it, and checked before they bear their name."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path

from leapsql_core.errors import StateError
from leapsql_core.state.connection import explained, is_file
from leapsql_core.state.inspection import find_damage
from leapsql_core.state.migrations import read_version
from leapsql_core.state.notation import in_utc
from leapsql_core.state.reader import begin_reading
from leapsql_core.state.refusals import damaged, file_in_the_way, no_state
from leapsql_core.state.schema import MIGRATIONS, Migration


def name_copy(path: Path, moment: datetime) -> Path:
    """Return a name beside the state at `path` for a copy made at `moment`, under which there is nothing yet."""
    stem = f"{path.name}.{in_utc(moment):%Y%m%dT%H%M%SZ}"
    names = (path.with_name(f"{stem}{'' if number == 1 else f'-{number}'}.bak") for number in count(1))
    return next(name for name in names if not name.exists())


def back_up(path: Path, copy: Path, *, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """Copy the state at `path`, as it is at one moment, to the file `copy`; the size of the copy in bytes.

    Others may write meanwhile. The copy is of the same schema version, one file without companions, and bears its
    name only once it is whole and was found sound.

    Raises:
        StateError: there is no state, it is newer or damaged; or there is a file `copy`, or it cannot be written.
    """
    if is_file(copy):
        raise file_in_the_way(str(copy))
    with reading_as_it_is(path, migrations=migrations) as source, unfinished(copy, like=path) as new:
        write_copy(source, new)
        if damage := find_damage(new, migrations=migrations):
            raise damaged(str(path), damage)
        if is_file(copy):
            raise file_in_the_way(str(copy))
        size = new.stat().st_size
        new.replace(copy)
    return size


@contextmanager
def reading_as_it_is(path: Path, *, migrations: Sequence[Migration] = MIGRATIONS) -> Iterator[sqlite3.Connection]:
    """Begin a transaction on a state that is there; an older one is read as it is, without being upgraded.

    Raises:
        StateError: there is none, it is newer than this LeapSQL, somebody else's, or cannot be read.
    """
    with explained(str(path)):
        if not is_file(path):
            raise no_state(str(path))
        with closing(begin_reading(path)) as connection:
            if read_version(connection, str(path), migrations) == 0:
                raise no_state(str(path))
            yield connection


@contextmanager
def unfinished(copy: Path, *, like: Path) -> Iterator[Path]:
    """Give a new file beside `copy`, to be renamed to it once it is whole; it may be read by those who may read `like`.

    Raises:
        StateError: a file there cannot be made, or not be written to the end.
    """
    new: Path | None = None
    try:
        number, name = tempfile.mkstemp(prefix=f"{copy.name}.", suffix=".new", dir=copy.parent)
        os.close(number)
        new = Path(name)
        shutil.copymode(like, new)
        yield new
    except OSError as exc:
        mend = "Make sure that its folder exists, that you may write there, and that there is room."
        raise StateError(f"the copy {copy} cannot be made: {exc.strerror}", mend=mend) from exc
    finally:
        if new is not None:
            new.unlink(missing_ok=True)


def write_copy(source: sqlite3.Connection, new: Path) -> None:
    """Copy a database to the file `new`, whole and on the disk when this returns; it needs no companion.

    Raises:
        StateError: the file cannot be written.
    """
    with explained(str(new)), closing(sqlite3.connect(new, isolation_level=None)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
    with new.open("rb+") as file:
        os.fsync(file.fileno())
