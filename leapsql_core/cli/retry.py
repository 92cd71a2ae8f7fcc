"""`leapsql run --retry-failed`: which models it is about, and what is said where there are none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leapsql_core.cli.options import Settings
from leapsql_core.cli.output import form_of, say, show
from leapsql_core.cli.pages import Line, line, paragraph
from leapsql_core.cli.wording import counted, moment, short, some_of
from leapsql_core.errors import UsageError
from leapsql_core.retries import Left, what_is_left
from leapsql_core.session import Session


def find_left(session: Session) -> Left:
    """Return what the last run has left.

    Raises:
        UsageError: there was none.
    """
    left = what_is_left(session)
    if left is None:
        cause = f"nothing was run in {session.project.environment} yet, so there is nothing to retry"
        raise UsageError(cause, mend="`leapsql run` builds what has to be built.")
    return left


def retry_line(left: Left, retried: Sequence[str]) -> Line:
    """Return in one line what is retried."""
    return line(f"retried what {_named(left)} had left: {counted(len(retried), 'model')} of {len(left.paths)}")


def show_nothing_left(settings: Settings, session: Session, left: Left) -> None:
    """Show that there is nothing to do, and why: nothing failed, or nothing of what was selected."""
    if left.paths:
        said = f"nothing of what {_named(left)} has left is selected: {some_of(left.paths)}"
    elif left.gone:
        said = f"what {_named(left)} has left is gone from the project: {some_of(left.gone)}"
    else:
        said = f"{_named(left)} has left nothing behind, so there is nothing to retry"
    facts: dict[str, Any] = {
        "run_id": None,
        "environment": session.project.environment,
        "status": "completed",
        "models": [],
        "retries": left.run_id,
    }
    if form_of(settings.output) == "json":
        say(said)
    show(settings.output, paragraph([line(said)]), facts)


def _named(left: Left) -> str:
    return f"run {short(left.run_id)} of {moment(left.started_at)}"
