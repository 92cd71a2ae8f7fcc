"""One run at a time in an environment: who has the lease, how it is kept and taken over, how dead runs are closed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from state_samples import NOON, Clock, build, contents, facts, registration

from leapsql_core.errors import StateError
from leapsql_core.models import Holder, Lease, Run
from leapsql_core.protocols import NewModelRun, StateStore
from leapsql_core.state import SqliteStateStore

ANN = Holder("ann's", 7, "monday")
BOB = Holder("bob's", 8, None)


def lives(lease: Lease, now: datetime) -> bool:
    return False


def dies(lease: Lease, now: datetime) -> bool:
    return True


def begin(store: StateStore, holder: Holder = ANN, environment: str = "dev", **options: Any) -> Run:
    """Begin a run that gets the lease."""
    run = store.begin_run(environment, holder, **{"is_dead": dies, **options})
    assert isinstance(run, Run)
    return run


def test_a_run_begins_with_the_lease_of_its_environment(store: StateStore) -> None:
    """The row and the lease name each other, the holder and the moment; the environment comes to be."""
    run = begin(store, orchestrator_run_id="dagster-7")
    assert store.get_run(run.id) == run
    assert (run.status, run.environment, run.started_at, run.orchestrator_run_id) == (
        "running",
        "dev",
        NOON,
        "dagster-7",
    )
    assert store.get_lease("dev") == Lease("dev", run.id, ANN, NOON, NOON)
    assert str(store.get_lease("dev")) == f"run {run.id} of process 7 on ann's"


def test_nobody_has_the_lease_where_nothing_runs(store: StateStore) -> None:
    """Neither in an environment that nobody knows nor after a run without one."""
    assert store.get_lease("dev") is None
    store.create_run("dev")
    assert store.get_lease("dev") is None


def test_while_a_run_lives_no_other_begins_in_its_environment(store: StateStore) -> None:
    """Who asks is told who has the lease, and nothing is recorded."""
    run = begin(store)
    before = contents(store)
    assert store.begin_run("dev", BOB, is_dead=lives) == store.get_lease("dev")
    assert contents(store) == before
    assert store.list_runs() == [run]


def test_environments_do_not_disturb_each_other(store: StateStore) -> None:
    """Each has a lease of its own, and what is closed or given back in one leaves the other alone."""
    dev = begin(store, environment="dev")
    prod = store.begin_run("prod", ANN, is_dead=lives)
    assert isinstance(prod, Run)
    stale = store.create_run("prod")
    assert store.close_dead_runs(dev.id) == []
    store.complete_run(dev.id, "completed")
    assert store.get_lease("dev") is None
    assert store.get_lease("prod") == Lease("prod", prod.id, ANN, NOON, NOON)
    assert store.get_run(stale.id) == stale


def test_whether_a_holder_is_dead_is_judged_by_its_lease_and_the_moment(store: StateStore, clock: Clock) -> None:
    """The lease tells of the last heartbeat; the moment is the store's."""
    run = begin(store)
    clock.advance(seconds=5)
    assert store.renew_lease(run.id)
    clock.advance(seconds=30)
    judged: list[tuple[Lease, datetime]] = []

    def note(lease: Lease, now: datetime) -> bool:
        judged.append((lease, now))
        return False

    store.begin_run("dev", BOB, is_dead=note)
    beat = NOON + timedelta(seconds=5)
    assert judged == [(Lease("dev", run.id, ANN, NOON, beat), NOON + timedelta(seconds=35))]


def test_a_dead_holders_lease_is_taken_over(store: StateStore, clock: Clock) -> None:
    """The next run has it, with its own times; the dead one has none, and cannot get it back."""
    dead = begin(store)
    now = clock.advance(minutes=1)
    run = begin(store, BOB)
    assert store.get_lease("dev") == Lease("dev", run.id, BOB, now, now)
    clock.advance(minutes=1)
    assert not store.renew_lease(dead.id)
    assert store.get_lease("dev") == Lease("dev", run.id, BOB, now, now)


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_run_gives_its_lease_back_however_it_ends(store: StateStore, status: Any) -> None:
    """Then the next begins at once, and the ended one says no more that it lives."""
    run = begin(store)
    store.complete_run(run.id, status)
    assert store.get_lease("dev") is None
    assert not store.renew_lease(run.id)
    assert isinstance(store.begin_run("dev", BOB, is_dead=lives), Run)


def test_the_end_of_a_dead_run_leaves_the_lease_of_the_next(store: StateStore) -> None:
    """Whoever ends it, and when."""
    dead, run = begin(store), begin(store, BOB)
    store.complete_run(dead.id, "cancelled")
    store.delete_run(dead.id)
    lease = store.get_lease("dev")
    assert lease is not None
    assert lease.run_id == run.id


def test_dead_runs_are_closed_with_what_they_had_begun(store: StateStore, clock: Clock) -> None:
    """What was being built has failed, what was not begun is skipped, what had ended stays.

    All end with the last that is known, so neither a run nor a model seems to have gone on until somebody looked.
    """
    ids = store.register_models([facts("a"), facts("b"), facts("c"), facts("d")])
    dead = begin(store)
    new = [NewModelRun(ids[path], "pending", reason="new", detail="never built") for path in "abc"]
    a, b, c = store.record_model_runs(dead.id, [*new])
    [d] = store.record_model_runs(dead.id, [NewModelRun(ids["d"], "skipped", reason="unchanged")])
    store.update_model_run(a, "running")
    store.record_build(build(a, "a"))
    last = clock.advance(seconds=3)
    store.update_model_run(b, "running")
    built, skipped = store.get_model_runs_for_run(dead.id)[0], store.get_model_runs_for_run(dead.id)[3]
    clock.advance(days=2)
    run = begin(store, BOB)
    assert store.close_dead_runs(run.id) == [dead.id]
    closed = store.get_run(dead.id)
    assert (closed.status, closed.completed_at) == ("failed", last)
    assert closed.error == "the process of this run ended before the run did"
    rows = {row.id: row for row in store.get_model_runs_for_run(dead.id)}
    assert (rows[a], rows[d]) == (built, skipped)
    assert (rows[b].status, rows[b].reason, rows[b].completed_at) == ("failed", "new", last)
    assert rows[b].error == "the process of its run ended while it was built"
    assert (rows[c].status, rows[c].reason, rows[c].started_at) == ("skipped", "cancelled", None)
    assert rows[c].detail == "the process of its run ended before it was begun"
    assert store.get_run(run.id) == run
    assert store.get_latest_run("dev") == run
    assert store.close_dead_runs(run.id) == []


def test_what_died_while_it_was_built_counts_as_one_failed_attempt(store: StateStore) -> None:
    """It may be what killed the process; what was not begun has not been tried."""
    ids = store.register_models([facts("a"), facts("b")])
    for attempt in (1, 2):
        dead = begin(store)
        a, _ = store.record_model_runs(dead.id, [NewModelRun(ids["a"], "pending"), NewModelRun(ids["b"], "pending")])
        store.update_model_run(a, "running")
        store.close_dead_runs(begin(store, BOB).id)
        failures = store.read_snapshot("dev").failures
        assert list(failures) == ["a"]
        assert failures["a"].attempts == attempt


def test_what_the_warehouse_has_of_a_closed_run_is_a_success_still(store: StateStore) -> None:
    """Taken over before or after: the build counts, not what its model run was taken for."""
    ids = store.register_models([facts("a"), facts("b")])
    dead = begin(store)
    a, b = store.record_model_runs(dead.id, [NewModelRun(ids["a"], "running"), NewModelRun(ids["b"], "running")])
    run = begin(store, BOB)
    store.adopt_builds("dev", [build(a, "a")])
    store.close_dead_runs(run.id)
    store.adopt_builds("dev", [build(b, "b")])
    rows = store.get_model_runs_for_run(dead.id)
    assert [(row.status, row.error) for row in rows] == [("success", None)] * 2
    assert store.read_snapshot("dev").failures == {}


def test_runs_without_a_lease_are_closed_too(store: StateStore, clock: Clock) -> None:
    """The oldest first; ended ones stay as they are."""
    ended = store.complete_run(store.create_run("dev").id, "completed")
    first = store.create_run("dev")
    clock.advance(seconds=-5)
    earlier = store.create_run("dev")
    run = begin(store)
    assert store.close_dead_runs(run.id) == [earlier.id, first.id]
    assert store.get_run(first.id).completed_at == first.started_at
    assert store.get_run(ended.id) == ended


def test_what_an_ended_run_left_open_is_closed_too(store: StateStore, clock: Clock) -> None:
    """Its disk was full when it was to say what became of its models, and had room again for the end of the run.

    What a run that completed since had before it is not looked at: that one has closed it.
    """
    ids = store.register_models([facts("a"), facts("b")])
    new = [NewModelRun(ids["a"], "running", reason="new"), NewModelRun(ids["b"], "pending", reason="new")]
    first = begin(store)
    store.record_model_runs(first.id, new)
    store.complete_run(first.id, "failed")
    clock.advance(seconds=1)
    store.complete_run(begin(store).id, "completed")
    clock.advance(seconds=1)
    ended = begin(store)
    a, b = store.record_model_runs(ended.id, new)
    ended = store.complete_run(ended.id, "failed", error="the disk is full")
    clock.advance(days=1)
    dead = begin(store)
    run = begin(store, BOB)
    assert store.close_dead_runs(run.id) == [ended.id, dead.id]
    rows = {row.id: row for row in store.get_model_runs_for_run(ended.id)}
    assert [(rows[id_].status, rows[id_].reason) for id_ in (a, b)] == [("failed", "new"), ("skipped", "cancelled")]
    assert {row.completed_at for row in rows.values()} == {ended.completed_at}
    assert rows[a].error == "its run ended and could not record what became of it"
    assert rows[b].detail == "its run ended before it was begun"
    assert store.get_run(ended.id) == ended
    assert store.close_dead_runs(run.id) == []


def test_what_its_process_has_left_is_found_and_closed_without_a_run_of_ones_own(
    store: StateStore, clock: Clock
) -> None:
    """The dead holder of the lease, which is free then, and whatever runs without one; no other environment."""
    ids = store.register_models([facts("a"), facts("b")])
    elsewhere = begin(store, environment="prod")
    stale = store.create_run("dev")
    clock.advance(seconds=1)
    dead = begin(store)
    a, b = store.record_model_runs(dead.id, [NewModelRun(ids["a"], "running"), NewModelRun(ids["b"], "pending")])
    assert store.list_open_runs("dev", is_dead=lambda lease: lease.holder == ANN) == [stale, dead]
    clock.advance(seconds=1)
    assert store.close_open_runs("dev", is_dead=lambda lease: lease.holder == ANN) == [stale.id, dead.id]
    assert store.get_lease("dev") is None
    assert [(run.status, run.completed_at) for run in map(store.get_run, (stale.id, dead.id))] == [
        ("failed", stale.started_at),
        ("failed", dead.started_at),
    ]
    rows = {row.id: (row.status, row.reason) for row in store.get_model_runs_for_run(dead.id)}
    assert rows == {a: ("failed", None), b: ("skipped", "cancelled")}
    assert store.list_open_runs("dev", is_dead=lambda lease: True) == []
    assert store.get_run(elsewhere.id) == elsewhere
    assert store.get_lease("prod") is not None


def test_a_run_that_lives_is_left_by_nobody(store: StateStore) -> None:
    """It is neither listed nor closed; what runs beside it without a lease is."""
    run, stale = begin(store), store.create_run("dev")
    assert store.list_open_runs("dev", is_dead=lambda lease: False) == [stale]
    assert store.close_open_runs("dev", is_dead=lambda lease: False) == [stale.id]
    assert store.get_run(run.id) == run
    assert store.get_lease("dev") is not None
    assert store.close_open_runs("dev", is_dead=lambda lease: False) == []


def test_only_who_has_the_lease_closes_others(store: StateStore) -> None:
    """A run that was taken for dead, one that has ended and one that nobody knows close nothing."""
    dead, run = begin(store), begin(store, BOB)
    for asker, says in ((dead.id, "does not have the lease"), ("id-99", "'id-99'")):
        with pytest.raises(StateError, match=says):
            store.close_dead_runs(asker)
    store.complete_run(run.id, "completed")
    with pytest.raises(StateError, match=f"run '{run.id}' does not have the lease of the environment 'dev'"):
        store.close_dead_runs(run.id)
    assert store.get_run(dead.id) == dead


def test_a_run_that_was_closed_records_nothing_more(store: StateStore) -> None:
    """A process that was taken for dead and wakes up cannot begin a model, nor end its run."""
    model = store.register_model(registration())
    dead = begin(store)
    pending = store.record_model_run(dead.id, model.id)
    store.close_dead_runs(begin(store, BOB).id)
    with pytest.raises(StateError, match="cannot go from skipped to running"):
        store.update_model_run(pending.id, "running")
    with pytest.raises(StateError, match="cannot go from failed to completed"):
        store.complete_run(dead.id, "completed")


def test_a_lease_goes_with_its_run_from_any_client(path: Path, clock: Clock) -> None:
    """Ended or deleted by hand, where foreign keys are off."""
    for statement in ("UPDATE runs SET status = 'failed'", "DELETE FROM runs"):
        with closing(SqliteStateStore(path, clock=clock)) as store:
            store.open()
            store.init_schema()
            begin(store)
            with closing(sqlite3.connect(path, isolation_level=None)) as client:
                client.execute(statement)
            assert store.get_lease("dev") is None
