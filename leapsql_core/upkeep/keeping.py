"""How the state is kept: copies of it, a copy put back, old runs forgotten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from leapsql_core.errors import UsageError, WarehouseError
from leapsql_core.session import Session
from leapsql_core.state import Pruned, Retention, back_up, foresee, name_copy, prune, restore
from leapsql_core.upkeep.agreement import Checkup, check_state

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a state: where it is, and its size in bytes."""

    file: Path
    size: int


@dataclass(frozen=True, slots=True)
class Restored:
    """A state that was put back: where the one before is kept, and how this one stands to the warehouse.

    ``taken_over`` are the models whose builds the next run takes over from the warehouse, ``disagreements`` how many
    more things a check finds. ``unread`` says why the warehouse could not be asked, nothing if it was.
    """

    kept: Path | None
    taken_over: tuple[str, ...]
    disagreements: int
    unread: str


def back_up_state(path: Path, copy: Path | None, *, clock: Clock) -> Copy:
    """Copy the state at `path` to `copy`, or beside it under a name that bears the time; see `back_up`.

    Raises:
        StateError: there is no sound state, or the copy cannot be made.
    """
    file = name_copy(path, clock()) if copy is None else copy.absolute()
    return Copy(file, back_up(path, file))


def restore_state(session: Session, file: Path, *, force: bool, clock: Clock) -> Restored:
    """Put the state in `file` in the place of the session's; see `restore`. The one before is kept beside it.

    Raises:
        StateError: `file` is no sound state, a run is running, or the present state cannot be kept or replaced.
    """
    path = session.state_path
    kept = restore(path, file.absolute(), keep=name_copy(path, clock()), force=force)
    try:
        findings = check_state(session, Checkup())
    except WarehouseError as exc:
        return Restored(kept, (), 0, exc.cause)
    unrecorded = tuple(found.path for found in findings if found.kind == "unrecorded" and found.path is not None)
    return Restored(kept, unrecorded, len(findings) - len(unrecorded), "")


def prune_state(
    session: Session, *, older_than: timedelta | None, keep: int | None, clock: Clock, dry_run: bool
) -> Pruned:
    """Forget old runs of the session's state, or return what would go; see `prune`.

    Raises:
        StateError: there is no state, or it cannot be read or written.
        UsageError: neither age nor number is given, or the age reaches back beyond all times.
    """
    if older_than is None and keep is None:
        mend = "Give --older-than AGE (as 90d), --keep N, or both: then runs go of which both is true."
        raise UsageError("it is not said which runs are to be forgotten", mend=mend)
    try:
        before = None if older_than is None else clock() - older_than
    except OverflowError as exc:
        raise UsageError("the age reaches back beyond all times", mend="Give a shorter one, such as 90d.") from exc
    work = foresee if dry_run else prune
    return work(session.state_path, Retention(before, keep), paths=session.project.nodes)
