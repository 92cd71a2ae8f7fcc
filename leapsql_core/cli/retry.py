"""`leapsql run --retry-failed`: which models it is about, what it is asked, and what is said where there are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from leapsql_core.cli.opening import Elsewhere
from leapsql_core.cli.options import Settings
from leapsql_core.cli.output import form_of, say, show
from leapsql_core.cli.pages import Line, line, paragraph
from leapsql_core.cli.wording import counted, moment, range_words, request_words, short, some_of
from leapsql_core.errors import UsageError
from leapsql_core.execution import RunOptions, utc_now
from leapsql_core.partitions import list_partitions, partitioning_of
from leapsql_core.planning import PartitionRange
from leapsql_core.retries import Left, what_is_left
from leapsql_core.session import Session

_MEND = "Leave it out: a retry is asked what that run was. Or leave --retry-failed out."


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


def retry_of(
    left: Left, session: Session, chosen: Sequence[str], options: RunOptions, elsewhere: Elsewhere
) -> tuple[RunOptions, Elsewhere]:
    """Return what a retry of `chosen` is asked: what the run was that has left it, and what it is told besides.

    Raises:
        UsageError: it is told what contradicts that.
    """
    asked = left.request
    narrowed = _narrowed(left, session, chosen, options.partitions)
    told = options.force or options.full_refresh
    options = replace(
        options,
        force=options.force or asked.force,
        full_refresh=options.full_refresh or asked.full_refresh,
        partitions=narrowed,
        resumes=not told,
    )
    return options, _elsewhere(left, elsewhere)


def _narrowed(
    left: Left, session: Session, chosen: Sequence[str], told: PartitionRange | None
) -> PartitionRange | None:
    """Return the partitions that a retry is of: those that the run was of, or those of them that it is told."""
    asked, nodes = left.request.partitions, session.project.nodes
    parted = [parting for path in chosen if (parting := partitioning_of(nodes[path])) is not None]
    if asked is None or told is None:
        # What is left may have none, though the run was of some.
        return told or (asked if parted else None)
    now = utc_now()
    for parting in parted:
        keys = [partition.key for partition in list_partitions(parting, now)]
        if not _lies_within(told, asked, keys):
            cause = (
                f"{_named(left)} was of the partitions {range_words(asked)}, and {range_words(told)} goes beyond them"
            )
            raise UsageError(cause, mend=_MEND)
    return told


def _lies_within(inner: PartitionRange, outer: PartitionRange, keys: Sequence[str]) -> bool:
    """Tell whether a range lies in another; of keys that there are not, the plan says what is wrong."""
    if not {*inner, *outer} <= set(keys):
        return True
    return keys.index(outer[0]) <= keys.index(inner[0]) and keys.index(inner[1]) <= keys.index(outer[1])


def _elsewhere(left: Left, told: Elsewhere) -> Elsewhere:
    """Return where a retry reads what it does not build: where the run did, whose state may have moved."""
    asked = left.request
    if asked.defer_to is None:
        return told
    if told.environment not in (None, asked.defer_to):
        raise UsageError(f"{_named(left)} deferred to {asked.defer_to}, and not to {told.environment}", mend=_MEND)
    if told.state is not None or asked.state_of is None:
        return Elsewhere(asked.defer_to, told.state)
    state = Path(asked.state_of)
    if not state.is_file():
        cause = f"{_named(left)} deferred to {asked.defer_to} by its state {state}, which is not there"
        raise UsageError(cause, mend="Say with --state-of where it is now.")
    return Elsewhere(asked.defer_to, state)


def retry_line(left: Left, retried: Sequence[str]) -> Line:
    """Return in one line what is retried, and what it was asked."""
    asked = request_words(left.request)
    as_asked = f", with {asked} as it was asked" if asked else ""
    return line(
        f"retried what {_named(left)} had left{as_asked}: {counted(len(retried), 'model')} of {len(left.paths)}"
    )


def show_nothing_left(settings: Settings, session: Session, left: Left) -> None:
    """Show that there is nothing to do, and why: nothing failed, or nothing of what was selected."""
    deferral = session.project.deferral
    if deferral is not None:
        said = f"what {_named(left)} has left stands in {deferral.environment} just so, and is read there"
    elif left.paths:
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
