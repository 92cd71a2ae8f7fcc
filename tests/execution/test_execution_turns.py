"""One run at a time in an environment: the second waits and then decides anew; what a dead one left is closed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from projects import Lab

from leapsql_core.errors import StateError
from leapsql_core.execution import (
    Event,
    ModelStarted,
    RunFinished,
    RunStarted,
    Turn,
    begun_run,
    stream_run,
)
from leapsql_core.execution.turns import DEAD_AFTER, is_dead
from leapsql_core.execution.workshop import RunOptions
from leapsql_core.models import Holder, Lease
from leapsql_core.testing import InMemoryStateStore

Make = Callable[..., Lab]

FILES = {
    "models/a.sql": "select 1 as x",
    "models/b.sql": "select x from a",
    "models/c.sql": "select x from b",
}
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LEASE = Lease("dev", "run 1", Holder("host", 7, None), taken_at=NOON, heartbeat_at=NOON)


def until_begun(events: Generator[Event, None, None], path: str) -> None:
    """Take events until a model is being built."""
    for event in events:
        if isinstance(event, ModelStarted) and event.path == path:
            return
    raise AssertionError(f"{path} was never begun")


def run_by(lab: Lab, turn: Turn) -> list[Event]:
    """Run to the end, with a turn of one's own."""
    return list(stream_run(lab.workshop(), RunOptions(parallel=1), turn))


def hearts() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "leapsql-heartbeat"]


def no_clock() -> datetime:
    raise StateError("no clock")


# -------------------------------------------------------------------------------------------------------------- waiting


def test_a_second_run_is_refused_when_the_waiting_is_over_and_leaves_no_row(make_lab: Make) -> None:
    """The refusal names run, process and host; the run that goes on stays the latest one."""
    lab = make_lab(FILES)
    events = lab.stream(parallel=1)
    started = next(events)
    assert isinstance(started, RunStarted)
    with pytest.raises(StateError) as refusal:
        lab.run()
    assert refusal.value.cause == (
        f"the environment `dev` is in use by run {started.run_id} of process 1 on laboratory"
    )
    assert "wait until it is done" in refusal.value.mend
    assert [run.id for run in lab.state.list_runs()] == [started.run_id]
    assert [event.status for event in events if isinstance(event, RunFinished)] == ["completed"]


def test_a_second_run_waits_says_once_for_whom_and_then_decides_anew(make_lab: Make) -> None:
    """What the first has built meanwhile the second finds built."""
    lab = make_lab(FILES)
    first = lab.stream(parallel=1)
    run_id = next(first).run_id  # type: ignore[union-attr]
    said: list[str] = []

    def pause() -> None:
        # Whenever the second waits, the first goes on by one event.
        next(first, None)

    turn = replace(lab.turn, wait_seconds=60, on_wait=said.append, pause=pause, monotonic=lambda: 0)
    events = run_by(lab, turn)
    assert said == [f"waiting for run {run_id} of process 1 on laboratory, which holds the environment dev"]
    assert {one.reason for one in events[0].plan.decisions.values()} == {"unchanged"}  # type: ignore[union-attr]
    assert [run.status for run in lab.state.list_runs()] == ["completed", "completed"]


def test_waiting_ends_when_its_time_is_over(make_lab: Make) -> None:
    """It is tried until then, and once more at the end."""
    lab = make_lab(FILES)
    events = lab.stream()
    next(events)
    moments = iter(range(100))
    turn = replace(lab.turn, wait_seconds=3, pause=lambda: None, monotonic=lambda: next(moments))
    with pytest.raises(StateError, match="is in use by"):
        run_by(lab, turn)
    assert next(moments) == 4
    events.close()


def test_two_environments_run_at_once(make_lab: Make) -> None:
    """Each in its own database, on one state: neither waits for the other, nor closes it."""
    yaml = "target: {type: duckdb, database: ':memory:'}\nenvironments: {prod: {}}\n"
    dev = make_lab({**FILES, "leapsql.yaml": yaml})
    prod = make_lab({**FILES, "leapsql.yaml": yaml}, environment="prod", state=dev.state)
    going_on = dev.stream(parallel=1)
    until_begun(going_on, "a")
    assert prod.run().status == "completed"
    assert [event.status for event in going_on if isinstance(event, RunFinished)] == ["completed"]
    assert {(run.environment, run.status) for run in dev.state.list_runs()} == {
        ("dev", "completed"),
        ("prod", "completed"),
    }


@pytest.mark.parametrize("how", ["completed", "failed", "cancelled", "refused"])
def test_the_next_run_has_its_turn_however_the_last_one_ended(make_lab: Make, how: str) -> None:
    """Also where its process goes on: after a failure, a cancelled run, and one that could decide nothing."""
    lab = make_lab(FILES)
    if how == "cancelled":
        events = lab.stream()
        next(events)
        events.close()
    elif how == "refused":
        with pytest.raises(StateError, match="no clock"):
            list(lab.stream(workshop=lab.workshop(clock=no_clock)))
    else:
        lab.edit({"models/c.sql": "select error('no') as x from b" if how == "failed" else FILES["models/c.sql"]})
        lab.run()
    assert lab.state.get_lease("dev") is None
    lab.edit(FILES)
    assert lab.run().status == "completed"


# --------------------------------------------------------------------------------------------------------- dead holders


class Killed(BaseException):
    """The process is gone: nobody catches this, and nothing happens after it."""


class MortalStore(InMemoryStateStore):
    """A state store whose process is killed as soon as it is told that a given model is being built."""

    dies_at: str | None = None
    is_dead = False

    def update_model_run(self, *args: Any, **options: Any) -> Any:
        self._check()
        row = super().update_model_run(*args, **options)
        self.is_dead = row.status == "running" and self.get_model_by_id(row.model_id).path == self.dies_at
        return row

    @contextmanager
    def _joined(self) -> Iterator[None]:
        with super()._joined():
            yield
        self._check()

    def complete_run(self, *args: Any, **options: Any) -> Any:
        self._check()
        return super().complete_run(*args, **options)

    def _check(self) -> None:
        if self.is_dead:
            raise Killed


def run_and_die(lab: Lab, path: str) -> None:
    """Run, and be killed while a model is built."""
    assert isinstance(lab.state, MortalStore)
    lab.state.dies_at = path
    with pytest.raises(Killed):
        lab.run(parallel=1)
    lab.state.dies_at, lab.state.is_dead = None, False
    lab.die()


@pytest.mark.parametrize("path", ["a", "b", "c"])
def test_the_next_run_closes_what_a_dead_one_left(make_lab: Make, path: str) -> None:
    """The model it was building has failed, those after it are skipped; then the next run builds what is left."""
    lab = make_lab(FILES, state=MortalStore())
    run_and_die(lab, path)
    [left] = lab.state.list_runs()
    assert left.status == "running"
    outcome = lab.run()
    closed = lab.state.get_run(left.id)
    assert (closed.status, closed.error) == ("failed", "the process of this run ended before the run did")
    before, _, after = "abc".partition(path)
    assert {one: (row.status, row.reason) for one, row in lab.model_runs(left.id).items()} == {
        **dict.fromkeys(before, ("success", "new")),
        path: ("failed", "new"),
        **dict.fromkeys(after, ("skipped", "cancelled")),
    }
    assert (outcome.status, outcome.built) == ("completed", {path, *after})
    assert outcome.plan.decisions[path].detail.endswith("it failed once since")
    assert lab.state.read_snapshot("dev").failures == {}
    lab.assert_as_from_scratch()


def test_a_run_that_dies_again_and_again_is_closed_each_time(make_lab: Make) -> None:
    """Each death is one failed attempt of the model that was being built, and the next run decides as ever."""
    lab = make_lab(FILES, state=MortalStore())
    for attempts in (1, 2, 3):
        run_and_die(lab, "b")
        if attempts > 1:
            assert lab.state.read_snapshot("dev").failures["b"].attempts == attempts - 1
    assert lab.run("a").status == "completed"
    assert lab.state.read_snapshot("dev").failures["b"].attempts == 3
    assert [run.status for run in lab.state.list_runs()] == ["completed", "failed", "failed", "failed"]


def test_what_a_restored_state_says_is_pending_may_have_been_built(make_lab: Make) -> None:
    """A copy made in the middle of a run knows nothing of its builds: they are successes for the reason they had."""
    state = InMemoryStateStore()
    lab = make_lab(FILES, state=state)
    events = lab.stream(parallel=1)
    started = next(events)
    assert isinstance(started, RunStarted)
    copy = deepcopy(state._kept)
    assert list(events)
    state._kept = copy
    lab.die()
    assert lab.run().built == set()
    rows = lab.model_runs(started.run_id)
    assert {path: (row.status, row.reason) for path, row in rows.items()} == dict.fromkeys("abc", ("success", "new"))
    assert state.get_run(started.run_id).status == "failed"


def test_a_run_that_never_had_a_lease_is_closed_by_the_next(make_lab: Make) -> None:
    """As an older LeapSQL left them."""
    lab = make_lab(FILES)
    stale = lab.state.create_run("dev")
    elsewhere = lab.state.create_run("prod")
    lab.run()
    assert lab.state.get_run(stale.id).status == "failed"
    assert lab.state.get_run(elsewhere.id).status == "running"


@pytest.mark.parametrize(
    ("beat_seconds", "says"), [(0.001, "was taken for dead, and closed"), (3600, "cannot go from skipped to running")]
)
def test_a_run_that_was_taken_for_dead_stops(make_lab: Make, beat_seconds: float, says: str) -> None:
    """Its process wakes up and finds another run in its place: it builds no more, whether its heart told it or not."""
    lab = make_lab(FILES)
    turn = replace(lab.turn, beat_seconds=beat_seconds)
    asleep = stream_run(lab.workshop(), RunOptions(parallel=1), turn)
    while not isinstance(next(asleep), RunStarted):
        pass
    lab.die()
    assert lab.run().built == {"a", "b", "c"}
    before = lab.contents()
    if beat_seconds < 1:
        for thread in hearts():
            thread.join()
    with pytest.raises(StateError, match=says):
        list(asleep)
    [latest, closed] = lab.state.list_runs()
    assert (latest.status, closed.status) == ("completed", "failed")
    assert closed.error == "the process of this run ended before the run did"
    assert {row.status for row in lab.model_runs(closed.id).values()} == {"skipped"}
    assert lab.contents() == before


@pytest.mark.parametrize(
    ("sees", "silent_for", "dead"),
    [
        (True, timedelta(days=1), False),
        (False, timedelta(0), True),
        (None, DEAD_AFTER, False),
        (None, DEAD_AFTER + timedelta(microseconds=1), True),
        (None, timedelta(hours=-1), False),
    ],
)
def test_a_process_that_can_be_seen_decides_and_else_its_silence(
    sees: bool | None, silent_for: timedelta, dead: bool
) -> None:
    """One that stands still is not dead, nor is one whose host has another clock; what is gone is, at once."""
    assert is_dead(LEASE, NOON + silent_for, sees=lambda holder: sees) is dead


# ------------------------------------------------------------------------------------------------------------ heartbeat


class Watched(InMemoryStateStore):
    """A state store that tells when a run has said that it lives, and may refuse to hear it."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = threading.Semaphore(0)
        self.refuses = False
        self.threads: set[str] = set()

    def renew_lease(self, run_id: str) -> bool:
        self.threads.add(threading.current_thread().name)
        try:
            if self.refuses:
                raise StateError("the disk is full")
            return super().renew_lease(run_id)
        finally:
            self.heard.release()


@pytest.fixture
def watched() -> Watched:
    """Make a store that is ready for use."""
    store = Watched()
    store.open()
    store.init_schema()
    return store


def go_on_without_heart(store: Watched, end: Callable[[str], object]) -> None:
    """Begin a run, do something to its lease, and check it when its heart stands still."""
    with begun_run(store, "dev", Turn(beat_seconds=0.001), mask=str) as begun:
        end(begun.run.id)
        for thread in hearts():
            thread.join()
        begun.check()


def test_a_run_says_that_it_lives_until_it_ends(watched: Watched) -> None:
    """From a thread of its own, over and over, while the run does something else."""
    turn = Turn(beat_seconds=0.001)
    with begun_run(watched, "dev", turn, mask=str) as begun:
        taken = watched.get_lease("dev")
        for _ in range(3):
            watched.heard.acquire()
        lease = watched.get_lease("dev")
        begun.check()
        assert lease is not None
        assert taken is not None
        assert lease.heartbeat_at > taken.heartbeat_at == taken.taken_at == lease.taken_at
        watched.complete_run(begun.run.id, "completed")
        begun.done = True
    assert watched.threads == {"leapsql-heartbeat"}
    assert hearts() == []


def test_a_run_whose_lease_is_gone_or_cannot_be_kept_goes_no_further(watched: Watched) -> None:
    """Whoever took it may be building by now; the run is ended, unless that was done."""

    def close(run_id: str) -> None:
        watched.complete_run(run_id, "failed", error="closed")

    def refuse(run_id: str) -> None:
        watched.refuses = True

    with pytest.raises(StateError, match="was taken for dead, and closed by a run that began after it"):
        go_on_without_heart(watched, close)
    with pytest.raises(StateError, match="the disk is full"):
        go_on_without_heart(watched, refuse)
    assert [run.error for run in watched.list_runs()] == ["the disk is full", "closed"]
