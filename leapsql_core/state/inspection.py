"""Whether a state's file is sound in itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from leapsql_core.state.reader import reading_file
from leapsql_core.state.schema import MIGRATIONS, Migration

_MOST = 20


def find_damage(path: str | os.PathLike[str], *, migrations: Sequence[Migration] = MIGRATIONS) -> list[str]:
    """Return in words what is wrong with the state at `path`: with its pages and indexes, and with its references.

    Raises:
        StateError: the file is no state, is newer than this LeapSQL, or is damaged beyond reading.
    """
    with reading_file(Path(path).absolute(), migrations=migrations) as connection:
        said = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({_MOST:d})")]
        broken = connection.execute("PRAGMA foreign_key_check").fetchall()
    found = [text for text in said if text != "ok"]
    found += [
        f"row {rowid} of {table} refers to a row of {parent} that is not there" for table, rowid, parent, _ in broken
    ]
    return found[:_MOST]
