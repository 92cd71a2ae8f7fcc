"""The cache's file: keys and values, each of which vouches for itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from leapsql_core.hashing import fingerprint_bytes

_PATIENCE: Final = 1.0
_SEAL: Final = 16
_SCHEMA: Final = "CREATE TABLE IF NOT EXISTS parsed (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"


def sealed(key: str, said: str) -> str:
    """Return what is kept of an answer: no bit of it, nor of its key, can change unnoticed."""
    return fingerprint_bytes(f"{key}{said}".encode())[:_SEAL] + said


def unsealed(key: str, value: str) -> str | None:
    """Return what was sealed under `key`, ``None`` if it is damaged."""
    said = value[_SEAL:]
    return said if value and value == sealed(key, said) else None


def read_entries(file: Path) -> dict[str, str]:
    """Return what the file holds: nothing, if it is not there or cannot be read."""
    try:
        if not file.is_file():
            return {}
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=_PATIENCE)) as connection:
            return dict(connection.execute("SELECT key, value FROM parsed WHERE typeof(value) = 'text'"))
    except (sqlite3.Error, OSError):
        # A damaged or foreign file holds nothing that cannot be worked out again.
        return {}


def write_entries(file: Path, entries: Mapping[str, str], *, gone: Iterable[str]) -> None:
    """Add entries to the file and take others out of it, if it can be written."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(file, isolation_level=None, timeout=_PATIENCE)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_SCHEMA)
            connection.executemany("INSERT OR REPLACE INTO parsed (key, value) VALUES (?, ?)", sorted(entries.items()))
            connection.executemany("DELETE FROM parsed WHERE key = ?", [(key,) for key in sorted(gone)])
            connection.execute("COMMIT")
    except (sqlite3.Error, OSError):
        # Somebody else may be writing, or nothing may be written here: the next command works everything out again.
        return
