"""What can go wrong, as one tree; each error says where, what, and how to mend it.

LeapSQLError
├── ProjectError     files of the project: leapsql.yaml, frontmatter, templates, SQL, macros, seeds
├── QueryError       one query that cannot be read; a ProjectError once its file is known
├── SelectionError   a selection that cannot be read or selects nothing
├── StateError       the state database: unknown id, wrong transition, newer schema, damage
├── WarehouseError   the warehouse: cannot be opened, refuses a statement
│   └── TestsTangledError   tests that can be run one by one alone
└── UsageError       options that contradict each other or name nothing
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a project: the file (relative to the project), the line, the cause and its mend."""

    file: str
    line: int | None
    cause: str
    mend: str = ""

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.cause}" + (f"\n    {self.mend}" if self.mend else "")


def in_file_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return problems by file and line, each once; those of a whole file come before those of its lines."""
    return tuple(sorted(set(problems), key=lambda found: (found.file, found.line or 0, found.cause, found.mend)))


class LeapSQLError(Exception):
    """Anything LeapSQL reports to its user; ``str()`` of it is the whole message."""

    def __init__(self, cause: str, *, mend: str = "") -> None:
        super().__init__(cause + (f"\n    {mend}" if mend else ""))
        self.cause = cause
        self.mend = mend


class ProjectError(LeapSQLError):
    """The project's files do not make a project; ``problems`` holds every one found, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = in_file_order(problems)
        super().__init__("\n".join(map(str, self.problems)))


class QueryError(LeapSQLError):
    """A query that cannot be read; ``line`` counts from 1 in the query's own text, ``None`` if unknown."""

    def __init__(self, cause: str, *, mend: str = "", line: int | None = None) -> None:
        super().__init__(cause, mend=mend)
        self.line = line


class SelectionError(LeapSQLError):
    """A selection that cannot be read, or a word of it that selects nothing."""


class StateError(LeapSQLError):
    """The state database refuses: unknown id, wrong transition, newer schema, no database, no permission."""


class WarehouseError(LeapSQLError):
    """The warehouse cannot be opened or refuses a statement.

    ``line`` is a line of the model's query, from 1; ``in_use`` tells that somebody else holds the database.
    """

    def __init__(self, cause: str, *, mend: str = "", line: int | None = None, in_use: bool = False) -> None:
        super().__init__(cause, mend=mend)
        self.line = line
        self.in_use = in_use


class TestsTangledError(WarehouseError):
    """Tests could not be run side by side: one of them cannot run, or not beside the others."""

    __test__ = False


class UsageError(LeapSQLError):
    """Options that contradict each other, or name something that does not exist."""
