"""Questions in SQL that a user asks of the state: one statement that reads, and nothing else."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leapsql_core.errors import StateError
from leapsql_core.names import did_you_mean
from leapsql_core.state.reader import reading_file
from leapsql_core.state.schema import MIGRATIONS, Migration

_READS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}

#: PRAGMAs that answer something about the schema and, given an argument, still change nothing.
_ANSWERS = {
    "foreign_key_check",
    "foreign_key_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
}

_STEPS_BETWEEN_LOOKS = 100_000

_ONLY_READS = "A question is one statement that reads: SELECT, WITH, VALUES, EXPLAIN, or a PRAGMA such as table_info."


def query_state(
    path: str | os.PathLike[str], sql: str, *, migrations: Sequence[Migration] = MIGRATIONS
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return column names and rows of one SQL statement over the state at `path`; see `open_state_reader`.

    Raises:
        StateError: the statement would write, is several or none, or SQLite cannot run it; or the state cannot be read.
    """
    with reading_file(Path(path).absolute(), migrations=migrations) as connection:
        tables = [row["name"] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        connection.set_authorizer(_authorize)
        connection.row_factory = None
        # Between its steps SQLite lets Python look around: so a signal such as Ctrl-C is heard while it works.
        connection.set_progress_handler(lambda: 0, _STEPS_BETWEEN_LOOKS)
        try:
            cursor = connection.execute(sql)
            rows = cursor.fetchall()
        except (sqlite3.Error, sqlite3.Warning) as exc:
            raise _refusal(exc, tables) from exc
        if cursor.description is None:
            raise StateError("there is no question in the SQL", mend=_ONLY_READS)
        return [column[0] for column in cursor.description], rows


def _authorize(action: int, first: str | None, second: str | None, database: str | None, inside: str | None, /) -> int:
    # A read-only file keeps the state safe from writes. It does not keep ATTACH or VACUUM INTO from making new files.
    if action in _READS:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_PRAGMA and first in _ANSWERS:
        return sqlite3.SQLITE_OK
    # How SQLite declares a table-valued function such as json_each(); as a statement it is refused by SQLite itself.
    if action == sqlite3.SQLITE_UPDATE and first == "sqlite_master":
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _refusal(exc: sqlite3.Error | sqlite3.Warning, tables: Sequence[str]) -> StateError:
    message = str(exc)
    if getattr(exc, "sqlite_errorcode", None) == sqlite3.SQLITE_AUTH:
        return StateError("the SQL does more than read, and the state is only read here", mend=_ONLY_READS)
    if "one statement at a time" in message:
        return StateError("the SQL holds several statements", mend=_ONLY_READS)
    mend = _ONLY_READS
    if message.startswith("no such "):
        _, _, name = message.partition(": ")
        mend = did_you_mean(name, tables, otherwise=f"The tables are {', '.join(sorted(tables))}.")
    return StateError(f"SQLite cannot run this SQL: {message}", mend=mend)
