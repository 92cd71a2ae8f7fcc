"""Questions of the commands themselves that the state answers in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leapsql_core.cli.output import say
from leapsql_core.state import query_state


def ask_state(path: Path, question: str, values: Mapping[str, str | int]) -> list[dict[str, Any]]:
    """Return the rows of a question; each ``{name}`` in it becomes the value of that name, as a literal of SQLite.

    Raises:
        StateError: the state cannot be read.
    """
    literals = {name: str(value) if isinstance(value, int) else _quoted(value) for name, value in values.items()}
    names, rows = query_state(path, question.format(**literals))
    return [dict(zip(names, row, strict=True)) for row in rows]


def _quoted(text: str) -> str:
    """Write a text as a literal.

    >>> _quoted("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def mention_missing(state: Path) -> None:
    """Say on standard error that there is no state yet: it reads as one in which nothing has happened."""
    if not state.exists():
        say(f"There is no state at {state} yet; the first run makes it.")
