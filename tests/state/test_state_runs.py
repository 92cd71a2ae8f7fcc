"""Runs and model runs: what every state store promises of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from state_samples import NOON, Clock, contents, record_new_build, registration

from leapsql_core.errors import StateError
from leapsql_core.models import Holder, ModelRunStatus, Request, Run
from leapsql_core.protocols import NewModelRun, StateStore

STATUSES: tuple[ModelRunStatus, ...] = ("pending", "running", "success", "failed", "skipped")
ALLOWED = {
    ("pending", "running"),
    ("pending", "success"),
    ("pending", "failed"),
    ("pending", "skipped"),
    ("running", "success"),
    ("running", "failed"),
    ("running", "skipped"),
}


def test_a_new_run_is_running_and_has_its_start(store: StateStore) -> None:
    """create_run returns what get_run finds: running, started now, in its environment."""
    run = store.create_run("dev")
    assert run == Run("id-1", "dev", "running", started_at=NOON)
    assert store.get_run("id-1") == run


def test_a_run_keeps_the_id_its_orchestrator_gave(store: StateStore) -> None:
    """A run that Dagster began can be found by Dagster's id; one from the command line has none."""
    assert store.create_run("dev", orchestrator_run_id="dagster-7").orchestrator_run_id == "dagster-7"
    assert store.create_run("dev").orchestrator_run_id is None


@pytest.mark.parametrize(
    "request_",
    [
        None,
        Request(),
        Request(force=True, full_refresh=True),
        Request(partitions=("2024-01-01", "größe \udce9"), defer_to="prod", state_of="/state of/prod.db"),
    ],
)
def test_a_run_keeps_what_it_was_asked(store: StateStore, request_: Request | None) -> None:
    """To the letter, however it begins and ends; that nobody knows it is not that nothing was asked."""
    run = store.create_run("dev", request=request_)
    begun = store.begin_run("prod", Holder("host", 7, None), is_dead=lambda lease, now: False, request=request_)
    assert isinstance(begun, Run)
    store.complete_run(run.id, "failed")
    assert store.get_run(run.id).request == run.request == request_
    assert store.get_run(begun.id).request == begun.request == request_
    assert [one.request for one in store.list_runs()] == [request_, request_]


def test_times_come_back_in_utc_to_the_microsecond(store: StateStore, clock: Clock) -> None:
    """A clock of another zone is understood, and nothing of the moment is lost."""
    clock.now = datetime(2026, 3, 1, 14, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    run = store.get_run(store.create_run("dev").id)
    assert run.started_at == datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
    assert run.started_at.tzinfo is UTC


def test_a_clock_without_a_zone_is_refused_and_nothing_is_recorded(store: StateStore, clock: Clock) -> None:
    """A time that could be any moment never enters the state."""
    clock.now = datetime(2026, 3, 1, 12, 0)
    with pytest.raises(StateError, match="no time zone"):
        store.create_run("dev")
    assert store.list_runs() == []
    assert store.list_environments() == []


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_run_ends_once_with_status_time_and_error(store: StateStore, clock: Clock, status: str) -> None:
    """complete_run sets status, completed_at and error, and leaves the rest as it was."""
    run = store.create_run("dev", orchestrator_run_id="dagster-7")
    later = clock.advance(seconds=1.5)
    ended = store.complete_run(run.id, status, error="why")  # type: ignore[arg-type]
    assert ended == replace(run, status=status, completed_at=later, error="why")
    assert store.get_run(run.id) == ended


def test_a_run_that_has_ended_cannot_end_again(store: StateStore) -> None:
    """The refusal names the run and says from what to what, and the run stays as it was."""
    run = store.create_run("dev")
    ended = store.complete_run(run.id, "completed")
    with pytest.raises(StateError, match=f"run '{run.id}' cannot go from completed to failed"):
        store.complete_run(run.id, "failed", error="no")
    assert store.get_run(run.id) == ended


@pytest.mark.parametrize("status", ["running", "done"])
def test_a_run_ends_only_in_a_status_that_is_an_end(store: StateStore, status: str) -> None:
    """Running is no end, and a word that is no status is none either."""
    run = store.create_run("dev")
    with pytest.raises(StateError, match=f"from running to {status}"):
        store.complete_run(run.id, status)  # type: ignore[arg-type]
    assert store.get_run(run.id) == run


def test_ending_a_run_leaves_its_model_runs_as_they_are(store: StateStore) -> None:
    """What became of a model is said by its own model run alone, also after the run."""
    run = store.create_run("dev")
    model_run = store.record_model_run(run.id, store.register_model(registration()).id, "running")
    store.complete_run(run.id, "failed")
    assert store.get_model_runs_for_run(run.id) == [model_run]
    assert store.update_model_run(model_run.id, "failed").status == "failed"


def test_the_latest_run_is_the_one_that_started_last_in_its_environment(store: StateStore, clock: Clock) -> None:
    """Runs of other environments don't count, whenever they started."""
    assert store.get_latest_run("dev") is None
    store.create_run("dev")
    clock.advance(minutes=1)
    latest = store.create_run("dev")
    clock.advance(minutes=1)
    store.create_run("prod")
    assert store.get_latest_run("dev") == latest
    assert store.get_latest_run("test") is None


def test_the_latest_run_is_decided_by_time_and_then_by_recording(store: StateStore, clock: Clock) -> None:
    """A clock that was set back doesn't make its run the latest; of equal times the last one is."""
    store.create_run("dev")
    latest = store.create_run("dev")
    assert store.get_latest_run("dev") == latest
    clock.advance(hours=-1)
    store.create_run("dev")
    assert store.get_latest_run("dev") == latest


def test_runs_are_listed_the_latest_first(store: StateStore, clock: Clock) -> None:
    """list_runs orders by time, then by recording; it filters by environment and stops at its limit."""
    first, second = store.create_run("dev"), store.create_run("prod")
    clock.advance(minutes=1)
    third = store.create_run("dev")
    assert store.list_runs() == [third, second, first]
    assert store.list_runs(environment="dev") == [third, first]
    assert store.list_runs(environment="dev", limit=1) == [third]
    assert store.list_runs(limit=0) == []


def test_twenty_runs_are_listed_unless_asked_otherwise(store: StateStore) -> None:
    """A long history doesn't flood a list."""
    for _ in range(25):
        store.create_run("dev")
    assert len(store.list_runs()) == 20
    assert len(store.list_runs(limit=30)) == 25


def test_a_limit_below_zero_is_refused(store: StateStore) -> None:
    """SQLite would take it for no limit."""
    with pytest.raises(StateError, match="-1"):
        store.list_runs(limit=-1)


def test_a_deleted_run_takes_its_model_runs(store: StateStore) -> None:
    """Nothing of the run can be found any longer; other runs stay."""
    kept = record_new_build(store)
    gone = record_new_build(store)
    [latest, earlier] = store.list_runs()
    store.delete_run(latest.id)
    assert store.list_runs() == [earlier]
    with pytest.raises(StateError, match=latest.id):
        store.get_model_runs_for_run(latest.id)
    with pytest.raises(StateError, match=gone):
        store.update_model_run(gone, "failed")
    latest_model_run = store.get_latest_model_run(store.get_model_by_path("staging.orders").id)
    assert latest_model_run is not None
    assert latest_model_run.id == kept


def test_a_running_run_cannot_be_deleted(store: StateStore) -> None:
    """Its process would go on recording into nothing."""
    run = store.create_run("dev")
    with pytest.raises(StateError, match=f"run '{run.id}' cannot be deleted"):
        store.delete_run(run.id)
    assert store.get_run(run.id) == run


# ---------------------------------------------------------------------------------------------------------- model runs


@pytest.mark.parametrize("status", STATUSES)
def test_a_model_run_is_recorded_in_any_status_with_the_times_of_it(store: StateStore, status: ModelRunStatus) -> None:
    """started_at is set when it runs, completed_at when it has ended, and it has the model's content hash."""
    run, model = store.create_run("dev"), store.register_model(registration(content_hash="h1"))
    model_run = store.record_model_run(run.id, model.id, status)
    assert (model_run.run_id, model_run.model_id, model_run.status) == (run.id, model.id, status)
    assert model_run.started_at == (NOON if status == "running" else None)
    assert model_run.completed_at == (NOON if status in ("success", "failed", "skipped") else None)
    assert model_run.content_hash == "h1"
    assert store.get_model_runs_for_run(run.id) == [model_run]


def test_a_model_run_is_pending_unless_said_otherwise(store: StateStore) -> None:
    """What is planned is recorded before it runs."""
    model_run = store.record_model_run(store.create_run("dev").id, store.register_model(registration()).id)
    assert model_run.status == "pending"


def test_many_model_runs_are_recorded_in_order_with_what_is_said_of_them(store: StateStore, clock: Clock) -> None:
    """The ids come back in the order given, and nothing is added to what was given."""
    run = store.create_run("dev")
    a, b = (store.register_model(registration(path)).id for path in ("a", "b"))
    given = [
        NewModelRun(b, "pending", content_hash="h2", reason="new", detail="never built"),
        NewModelRun(a, "skipped", reason="unchanged"),
        NewModelRun(b, "running"),
    ]
    ids = store.record_model_runs(run.id, given)
    recorded = store.get_model_runs_for_run(run.id)
    assert [model_run.id for model_run in recorded] == ids
    assert [NewModelRun(r.model_id, r.status, r.content_hash, r.reason, r.detail) for r in recorded] == given
    assert [model_run.started_at for model_run in recorded] == [None, None, NOON]
    assert [model_run.completed_at for model_run in recorded] == [None, NOON, None]


def test_no_model_runs_are_recorded_as_none(store: StateStore) -> None:
    """A run of nothing is a run."""
    run = store.create_run("dev")
    assert store.record_model_runs(run.id, []) == []
    assert store.get_model_runs_for_run(run.id) == []


@pytest.mark.parametrize(
    ("bad", "says"),
    [(NewModelRun("id-99", "pending"), "id-99"), (NewModelRun("id-2", "done"), "done")],  # type: ignore[arg-type]
)
def test_of_many_model_runs_all_are_recorded_or_none(store: StateStore, bad: NewModelRun, says: str) -> None:
    """One that cannot be recorded keeps out those before it too, and the refusal names what is wrong."""
    run, model = store.create_run("dev"), store.register_model(registration())
    assert model.id == "id-2"
    with pytest.raises(StateError, match=says):
        store.record_model_runs(run.id, [NewModelRun(model.id, "pending"), bad])
    assert store.get_model_runs_for_run(run.id) == []


def test_nothing_is_recorded_in_a_run_that_has_ended(store: StateStore) -> None:
    """The refusal says as what the run has ended."""
    run, model = store.create_run("dev"), store.register_model(registration())
    store.complete_run(run.id, "cancelled")
    with pytest.raises(StateError, match="ended as cancelled"):
        store.record_model_run(run.id, model.id)
    with pytest.raises(StateError, match="ended as cancelled"):
        store.record_model_runs(run.id, [])
    assert store.get_model_runs_for_run(run.id) == []


@pytest.mark.parametrize("before", STATUSES)
@pytest.mark.parametrize("after", STATUSES)
def test_a_model_run_moves_on_and_never_back(store: StateStore, before: ModelRunStatus, after: ModelRunStatus) -> None:
    """Pending → running → success, failed or skipped; pending may end at once; all else is refused by name."""
    run, model = store.create_run("dev"), store.register_model(registration())
    model_run = store.record_model_run(run.id, model.id, before)
    if (before, after) in ALLOWED:
        assert store.update_model_run(model_run.id, after).status == after
    else:
        with pytest.raises(StateError, match=f"'{model_run.id}' cannot go from {before} to {after}"):
            store.update_model_run(model_run.id, after)
        assert store.get_model_runs_for_run(run.id) == [model_run]


def test_a_model_run_that_never_ran_has_no_start(store: StateStore, clock: Clock) -> None:
    """What ends at once only has an end, so that no duration is made up."""
    run, model = store.create_run("dev"), store.register_model(registration())
    for status in ("success", "failed", "skipped"):
        pending = store.record_model_run(run.id, model.id)
        now = clock.advance(seconds=1)
        ended = store.update_model_run(pending.id, status)  # type: ignore[arg-type]
        assert (ended.started_at, ended.completed_at) == (None, now)


def test_a_word_that_is_no_status_is_refused(store: StateStore) -> None:
    """The refusal lists the words there are."""
    run, model = store.create_run("dev"), store.register_model(registration())
    model_run = store.record_model_run(run.id, model.id)
    with pytest.raises(StateError, match="one of pending, running, success, failed, skipped"):
        store.update_model_run(model_run.id, "done")  # type: ignore[arg-type]
    with pytest.raises(StateError, match="'done' is no status"):
        store.record_model_run(run.id, model.id, "done")  # type: ignore[arg-type]


def test_a_model_run_keeps_what_an_update_does_not_say(store: StateStore, clock: Clock) -> None:
    """Each update adds to what was known; the times are those of running and of ending."""
    run, model = store.create_run("dev"), store.register_model(registration(content_hash="h1"))
    [model_run_id] = store.record_model_runs(
        run.id, [NewModelRun(model.id, "pending", content_hash="h1", reason="new", detail="never built")]
    )
    started = clock.advance(seconds=1)
    running = store.update_model_run(model_run_id, "running", rows_affected=7, execution_ms=8)
    assert (running.started_at, running.completed_at) == (started, None)
    ended = clock.advance(seconds=1)
    failed = store.update_model_run(model_run_id, "failed", error="division by zero", detail="second attempt")
    assert failed == replace(
        running, status="failed", completed_at=ended, error="division by zero", detail="second attempt"
    )
    assert (failed.rows_affected, failed.execution_ms, failed.reason) == (7, 8, "new")
    assert store.get_model_runs_for_run(run.id) == [failed]


def test_zero_and_empty_are_values_that_replace_what_was_known(store: StateStore) -> None:
    """No rows is something else than not said."""
    run, model = store.create_run("dev"), store.register_model(registration())
    model_run = store.record_model_run(run.id, model.id)
    store.update_model_run(
        model_run.id, "running", rows_affected=7, execution_ms=8, reason="new", detail="d", error="e"
    )
    ended = store.update_model_run(
        model_run.id, "success", rows_affected=0, execution_ms=0, reason="", detail="", error=""
    )
    assert (ended.rows_affected, ended.execution_ms, ended.reason, ended.detail, ended.error) == (0, 0, "", "", "")


def test_a_failure_is_recorded_whatever_its_message_quotes(store: StateStore) -> None:
    """A file name that is not UTF-8 appears as an escape instead of hiding the failure."""
    run, model = store.create_run("dev"), store.register_model(registration())
    [model_run_id] = store.record_model_runs(run.id, [NewModelRun(model.id, "running", detail="reads caf\udce9.csv")])
    failed = store.update_model_run(model_run_id, "failed", error="no caf\udce9.csv", detail="caf\udce9")
    assert (failed.error, failed.detail) == ("no caf\\udce9.csv", "caf\\udce9")
    assert store.complete_run(run.id, "failed", error="caf\udce9").error == "caf\\udce9"


def test_the_latest_model_run_is_the_one_recorded_last(store: StateStore, clock: Clock) -> None:
    """Neither the clock nor the order of ending decides; another environment or model doesn't count when asked so."""
    model, other = (store.register_model(registration(path)).id for path in ("a", "b"))
    assert store.get_latest_model_run(model) is None
    dev, prod = store.create_run("dev"), store.create_run("prod")
    store.record_model_run(dev.id, model, "running")
    clock.advance(hours=-1)
    second = store.record_model_run(dev.id, model, "running")
    third = store.record_model_run(prod.id, model, "running")
    store.record_model_run(prod.id, other, "running")
    assert store.get_latest_model_run(model, environment="dev") == second
    assert store.get_latest_model_run(model) == third
    assert store.get_latest_model_run(model, environment="test") is None
    assert store.get_latest_model_run(other, environment="dev") is None


@pytest.mark.parametrize(
    "ask",
    [
        lambda store, known: store.get_run("id-99"),
        lambda store, known: store.complete_run("id-99", "completed"),
        lambda store, known: store.delete_run("id-99"),
        lambda store, known: store.get_model_runs_for_run("id-99"),
        lambda store, known: store.record_model_run("id-99", known),
        lambda store, known: store.record_model_runs("id-99", []),
        lambda store, known: store.record_model_run("id-1", "id-99"),
        lambda store, known: store.get_model_by_id("id-99"),
        lambda store, known: store.get_latest_model_run("id-99"),
        lambda store, known: store.update_model_hash("id-99", "h"),
        lambda store, known: store.get_dependencies("id-99"),
        lambda store, known: store.get_dependents("id-99"),
        lambda store, known: store.set_dependencies("id-99", []),
        lambda store, known: store.set_dependencies(known, ["id-99"]),
        lambda store, known: store.update_model_run("id-99", "failed"),
        lambda store, known: store.record_tests("id-99", "t"),
        lambda store, known: store.record_data_versions("id-99", {}),
    ],
)
def test_an_unknown_id_is_refused_by_name(store: StateStore, ask: object) -> None:
    """Every operation that is given an id says which one it does not know, how to mend it, and changes nothing."""
    store.create_run("dev")
    model = store.register_model(registration())
    before = contents(store)
    with pytest.raises(StateError, match="'id-99'") as refusal:
        ask(store, model.id)  # type: ignore[operator]
    assert refusal.value.mend
    assert contents(store) == before
