"""One run at a time on a database, within one process.

Between processes DuckDB's own lock on the file sees to that, and ends with its process. A row in the database could
say no more: while it is true no other process can read it, and what is left of it after a crash is not true any more.
Within one process DuckDB shares an open file among all who ask for it, so that two runs, of two states or of two
environments, would build beside each other, and one would read what the other is changing.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field

_guard = threading.Lock()


@dataclass(frozen=True, slots=True, eq=False)
class DatabaseLease:
    """The right to build in a database: which one, and who has it, in words. A forked process inherits none."""

    database: str
    holder: str
    process: int = field(default_factory=os.getpid)


_taken: dict[str, DatabaseLease] = {}


def take_lease(database: str, holder: str) -> DatabaseLease | str:
    """Take the lease of a database, or return who has it; one in memory is nobody else's anyhow."""
    lease = DatabaseLease(os.path.realpath(database), holder)
    if database == ":memory:":
        return lease
    with _guard:
        other = _taken.get(lease.database)
        if other is not None and other.process == lease.process:
            return other.holder
        _taken[lease.database] = lease
    return lease


def give_back(lease: DatabaseLease) -> None:
    """Let the next have its turn; giving back twice is fine."""
    with _guard:
        if _taken.get(lease.database) is lease:
            del _taken[lease.database]
