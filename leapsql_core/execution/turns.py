"""One run at a time in an environment: waiting for the lease, beginning with it, keeping it, ending the run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from leapsql_core.errors import LeapSQLError, StateError
from leapsql_core.execution.holding import held
from leapsql_core.execution.processes import is_there, this_process
from leapsql_core.execution.workshop import utc_now
from leapsql_core.models import Holder, Lease, Request, Run
from leapsql_core.protocols import StateReader, StateStore

#: How often a run says that it lives, in seconds.
BEAT_SECONDS = 5.0

#: How long a run may say nothing where its process cannot be looked at. Less than runs wait by default, so that one
#: that is begun right after another died gets its turn.
DEAD_AFTER = timedelta(seconds=45)


@dataclass(frozen=True, slots=True)
class Turn:
    """How a run comes to its turn: how long it waits for another run, in seconds, and whom it tells for which.

    ``holder`` says in which process it goes on, ``sees`` whether another process does (``None``: cannot be told).
    """

    wait_seconds: float = 0.0
    on_wait: Callable[[str], None] | None = None
    holder: Callable[[], Holder] = this_process
    sees: Callable[[Holder], bool | None] = is_there
    beat_seconds: float = BEAT_SECONDS
    pause: Callable[[], None] = lambda: time.sleep(0.1)
    monotonic: Callable[[], float] = time.monotonic


@dataclass(slots=True)
class Heart:
    """Whether a run was taken for dead though it lives, or cannot say that it lives."""

    lost: bool = False
    trouble: LeapSQLError | None = None


@dataclass(slots=True)
class Begun:
    """A run that has its turn; whether it was ended, and whether somebody listens to it just now."""

    run: Run
    heart: Heart
    done: bool = False
    listens: bool = True

    def check(self) -> None:
        """Go no further where another run has taken over.

        Raises:
            StateError: it has, or nobody can be told that this run lives.
        """
        if self.heart.trouble is not None:
            raise self.heart.trouble
        if self.heart.lost:
            cause = f"run {self.run.id} was taken for dead, and closed by a run that began after it"
            raise StateError(cause, mend="Its process stood still too long. Run again: what is left is built then.")


def is_dead(lease: Lease, now: datetime, *, sees: Callable[[Holder], bool | None]) -> bool:
    """Say whether the run that has a lease is dead: its process is gone, or not to be seen and silent for too long."""
    there = sees(lease.holder)
    return now - lease.heartbeat_at > DEAD_AFTER if there is None else not there


def is_abandoned(lease: Lease) -> bool:
    """Say whether the run that has a lease is dead, as it looks from this process and at this moment."""
    return is_dead(lease, utc_now(), sees=is_there)


def name_run(state: StateReader, pid: int) -> str | None:
    """Return in words which run of a state a process of this host goes on with, ``None`` if the state knows none."""
    here = this_process().host
    for environment in state.list_environments():
        lease = state.get_lease(environment.name)
        if lease is not None and (lease.holder.host, lease.holder.pid) == (here, pid):
            return f"run {lease.run_id} of environment {environment.name}"
    return None


@contextmanager
def begun_run(
    state: StateStore,
    environment: str,
    turn: Turn,
    *,
    mask: Callable[[str], str],
    orchestrator_run_id: str | None = None,
    request: Request | None = None,
) -> Iterator[Begun]:
    """Begin a run when its turn has come, and end it however the block ends, unless the block has ended it.

    `request` is noted as what it was asked.

    Raises:
        StateError: another run goes on when the waiting is over. Nothing is recorded then.
    """

    def dead(lease: Lease, now: datetime) -> bool:
        return is_dead(lease, now, sees=turn.sees)

    ends, told = turn.monotonic() + turn.wait_seconds, False
    with ExitStack() as ending:
        while True:
            with held():
                found = state.begin_run(
                    environment,
                    turn.holder(),
                    is_dead=dead,
                    orchestrator_run_id=orchestrator_run_id,
                    request=request,
                )
                if isinstance(found, Run):
                    begun = ending.enter_context(_ending_run(state, found, turn, mask))
            if isinstance(found, Run):
                break
            if turn.monotonic() >= ends:
                raise _refusal(found)
            if turn.on_wait is not None and not told:
                turn.on_wait(f"waiting for {found}, which holds the environment {environment}")
                told = True
            turn.pause()
        yield begun


def _refusal(lease: Lease) -> StateError:
    mend = "One run at a time goes on in an environment: wait until it is done, or for longer, or end its process."
    return StateError(f"the environment `{lease.environment}` is in use by {lease}", mend=mend)


@contextmanager
def _ending_run(state: StateStore, run: Run, turn: Turn, mask: Callable[[str], str]) -> Iterator[Begun]:
    """End a run that something breaks off: as cancelled if nobody listens any more, else as failed."""
    with _beating(state, run.id, every=turn.beat_seconds) as heart:
        begun = Begun(run, heart)
        try:
            yield begun
        except BaseException as exc:
            if not begun.done:
                cancelled = not begun.listens or not isinstance(exc, Exception)
                error = "the run was cancelled" if cancelled else mask(str(exc))
                with held(), noting_trouble(exc):
                    state.complete_run(run.id, "cancelled" if cancelled else "failed", error=error)
            raise


@contextmanager
def noting_trouble(exc: BaseException) -> Iterator[None]:
    """Let `exc` go on whatever else goes wrong on its way, and tell of that in its notes."""
    try:
        yield
    except LeapSQLError as trouble:
        exc.add_note(f"Then, at the end of the run: {trouble}")


@contextmanager
def _beating(state: StateStore, run_id: str, *, every: float) -> Iterator[Heart]:
    """Say every so many seconds that a run lives, from a thread of its own, until the block ends."""
    heart, stop = Heart(), threading.Event()

    def beat() -> None:
        while not stop.wait(every):
            try:
                heart.lost = not state.renew_lease(run_id)
            except LeapSQLError as exc:
                heart.trouble = exc
            if heart.lost or heart.trouble is not None:
                return

    thread = threading.Thread(target=beat, name="leapsql-heartbeat", daemon=True)
    thread.start()
    try:
        yield heart
    finally:
        stop.set()
        thread.join()
