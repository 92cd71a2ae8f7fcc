"""Builds, traces and the snapshot that decisions read: what every state store promises of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from state_samples import (
    NOON,
    Clock,
    build,
    contents,
    delete_runs,
    record_failure,
    record_new_build,
    registration,
)

from leapsql_core.errors import StateError
from leapsql_core.models import CodeVersion, Failure, Snapshot
from leapsql_core.protocols import Build, StateStore


def begin(store: StateStore, path: str = "staging.orders", *, status: str = "running") -> str:
    model = store.register_model(registration(path))
    return store.record_model_run(store.create_run("dev").id, model.id, status).id  # type: ignore[arg-type]


def test_an_environment_without_builds_has_an_empty_snapshot(store: StateStore) -> None:
    """Whether the state knows it or not: there is nothing to compare with."""
    assert store.read_snapshot("dev") == Snapshot("dev")
    store.create_run("dev")
    assert store.read_snapshot("dev") == Snapshot("dev")


@pytest.mark.parametrize("status", ["pending", "running"])
def test_a_build_ends_its_model_run_as_success(store: StateStore, clock: Clock, status: str) -> None:
    """The model run then says which version of code made which data, how much and how long."""
    model_run_id = begin(store, status=status)
    [before] = store.get_model_runs_for_run(store.list_runs()[0].id)
    later = clock.advance(seconds=2)
    store.record_build(build(model_run_id))
    [after] = store.get_model_runs_for_run(before.run_id)
    assert after == replace(
        before,
        status="success",
        completed_at=later,
        rows_affected=3,
        execution_ms=40,
        render_ms=5,
        content_hash="content 1",
        data_version="data 1",
    )


def test_a_build_keeps_what_was_measured_before_where_it_says_nothing(store: StateStore) -> None:
    """Rows and time of an update are not lost, nor replaced by zero; zero itself is a value."""
    first, second = begin(store), begin(store, status="pending")
    store.record_build(build(first, rows_affected=0, execution_ms=0, render_ms=None))
    store.update_model_run(second, "running", rows_affected=7, execution_ms=8)
    store.record_build(build(second, rows_affected=None, execution_ms=None))
    [[two], [one]] = [store.get_model_runs_for_run(run.id) for run in store.list_runs()]
    assert (one.rows_affected, one.execution_ms, one.render_ms) == (0, 0, None)
    assert (two.rows_affected, two.execution_ms, two.render_ms) == (7, 8, 5)


def test_the_trace_of_a_build_comes_back_as_it_was_recorded(store: StateStore) -> None:
    """Every field, inputs in their order, each kind of column set, and names of any alphabet."""
    given = build(begin(store), incremental_query_hash="query 2")
    store.record_build(given)
    snapshot = store.read_snapshot("dev")
    assert snapshot.traces == {"staging.orders": given.trace}
    assert snapshot.data_versions == {given.trace.model_run_id: {"*": "data 1"}}
    assert snapshot.failures == {}


def test_a_trace_of_a_view_without_inputs_comes_back_too(store: StateStore) -> None:
    """No inputs, no columns, no version: nothing is made up for what is not there."""
    given = build(begin(store), inputs=(), columns=(), data_version=None, data_versions={}, materialized="view")
    store.record_build(given)
    snapshot = store.read_snapshot("dev")
    assert snapshot.traces == {"staging.orders": given.trace}
    assert snapshot.data_versions == {}


def test_the_time_of_a_build_is_kept_in_utc(store: StateStore) -> None:
    """Wherever the warehouse stands."""
    at = datetime(2026, 3, 1, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    store.record_build(build(begin(store), built_at=at))
    built_at = store.read_snapshot("dev").traces["staging.orders"].built_at
    assert built_at == NOON
    assert built_at.tzinfo is UTC


def test_the_snapshot_is_ordered_by_path(store: StateStore) -> None:
    """The same state gives the same order, whatever was recorded first."""
    for path in ("c", "a", "b"):
        record_new_build(store, path)
    for path in ("f", "d", "e"):
        record_failure(store, path)
    snapshot = store.read_snapshot("dev")
    assert list(snapshot.traces) == ["a", "b", "c"]
    assert list(snapshot.failures) == ["d", "e", "f"]


def test_each_environment_has_its_own_traces(store: StateStore) -> None:
    """A build in one says nothing of the other."""
    dev = record_new_build(store, environment="dev")
    prod = record_new_build(store, environment="prod", content_hash="content 2")
    record_failure(store, environment="prod")
    assert store.read_snapshot("dev").traces["staging.orders"].model_run_id == dev
    assert store.read_snapshot("dev").failures == {}
    assert store.read_snapshot("prod").traces["staging.orders"].model_run_id == prod
    assert list(store.read_snapshot("prod").data_versions) == [prod]
    assert store.read_snapshot("prod").failures == {"staging.orders": Failure(1, "hash of staging.orders", "no")}


def test_a_new_build_takes_the_place_of_the_one_before(store: StateStore) -> None:
    """The earlier trace is history as long as its run lives, and gone with it."""
    first = record_new_build(store)
    second = record_new_build(store, content_hash="content 2", data_versions={"[]": "data 2"})
    snapshot = store.read_snapshot("dev")
    assert snapshot.traces["staging.orders"].model_run_id == second
    assert snapshot.data_versions == {second: {"[]": "data 2"}}
    store.record_tests(first, "t")
    store.delete_run(store.list_runs()[-1].id)
    with pytest.raises(StateError, match=first):
        store.record_tests(first, "t")
    assert store.read_snapshot("dev") == snapshot


def test_the_build_recorded_last_is_current_whichever_began_first(store: StateStore) -> None:
    """What the state was told last is what the warehouse holds."""
    first, second = begin(store), begin(store)
    store.record_build(build(second, content_hash="content 2"))
    store.record_build(build(first))
    assert store.read_snapshot("dev").traces["staging.orders"].model_run_id == first


def test_the_current_trace_outlives_its_run(store: StateStore) -> None:
    """Deleting history never makes a model look unbuilt, nor as built by an older run."""
    record_new_build(store)
    current = record_new_build(store, content_hash="content 2")
    record_new_build(store, "b", content_hash="content 3")
    before = contents(store)
    delete_runs(store)
    assert store.list_runs() == []
    after = contents(store)
    for what in ("snapshots", "texts", "code versions"):
        assert after[what] == before[what]
    assert store.read_snapshot("dev").traces["staging.orders"].model_run_id == current


def test_a_trace_whose_run_is_gone_still_takes_notes_until_it_is_replaced(store: StateStore) -> None:
    """Then nothing holds it any longer."""
    orphan = record_new_build(store)
    delete_runs(store)
    store.record_tests(orphan, "tests 2")
    store.record_data_versions(orphan, {"[]": "data 2"})
    snapshot = store.read_snapshot("dev")
    assert snapshot.traces["staging.orders"].tests_hash == "tests 2"
    assert snapshot.data_versions == {orphan: {"*": "data 1", "[]": "data 2"}}
    record_new_build(store)
    with pytest.raises(StateError, match=orphan):
        store.record_tests(orphan, "tests 3")


def test_a_run_that_has_ended_can_still_be_told_what_it_built(store: StateStore) -> None:
    """After a crash the next run closes the stale one and records what the warehouse shows, in either order."""
    model_run_id = begin(store)
    store.complete_run(store.list_runs()[0].id, "failed", error="killed")
    store.record_build(build(model_run_id))
    assert list(store.read_snapshot("dev").traces) == ["staging.orders"]


@pytest.mark.parametrize("status", ["success", "failed", "skipped"])
def test_what_has_ended_cannot_be_built(store: StateStore, status: str) -> None:
    """The refusal says from what to what, and nothing is recorded."""
    model_run_id = begin(store, status=status)
    before = contents(store)
    with pytest.raises(StateError, match=f"'{model_run_id}' cannot go from {status} to success"):
        store.record_build(build(model_run_id))
    assert contents(store) == before


def test_a_build_of_an_unknown_model_run_is_refused(store: StateStore) -> None:
    """It says the id."""
    with pytest.raises(StateError, match="'id-99'"):
        store.record_build(build("id-99"))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model_path": "staging.other"}, "names the model 'staging.other', but it is 'staging.orders'"),
        ({"environment": "prod"}, "names the environment 'prod', but it is 'dev'"),
        ({"content_hash": "content 2"}, "names the content hash 'content 2', but it is 'content 1'"),
    ],
)
def test_a_build_that_contradicts_its_model_run_is_refused(
    store: StateStore, changes: dict[str, str], says: str
) -> None:
    """A trace under the wrong name would make another model look built."""
    given = build(begin(store))
    before = contents(store)
    with pytest.raises(StateError, match=says):
        store.record_build(replace(given, trace=replace(given.trace, **changes)))  # type: ignore[arg-type]
    assert contents(store) == before


@pytest.mark.parametrize("config", [{"meta": date(2026, 3, 1)}, {"meta": float("nan")}])
def test_a_build_that_cannot_be_kept_is_refused_whole(store: StateStore, config: dict[str, object]) -> None:
    """A configuration without JSON form leaves no half of a fact behind."""
    model_run_id = begin(store)
    before = contents(store)
    with pytest.raises(StateError, match="content 1 has no JSON form"):
        store.record_build(build(model_run_id, config=config))
    assert contents(store) == before


# --------------------------------------------------------------------------------------------------- texts and versions


def test_text_and_configuration_are_kept_once_per_hash(store: StateStore) -> None:
    """The first is kept: an equal hash stands for an equal text."""
    config = {"tags": ["a"], "meta": {"n": 1, "ok": True, "none": None}}
    record_new_build(store, texts={"query 1": "select 1", "query 2": "select 2"}, config=config)
    record_new_build(store, texts={"query 1": "other", "query 3": "select 3"}, config={})
    assert store.read_texts(iter(["query 3", "query 1", "query 9"])) == {"query 1": "select 1", "query 3": "select 3"}
    assert store.read_code_versions(iter(["content 1", "content 9"])) == {
        "content 1": CodeVersion("content 1", "select 'content 1'", None, config)
    }
    assert store.read_texts([]) == store.read_code_versions([]) == {}


def test_both_texts_of_an_incremental_model_are_kept(store: StateStore) -> None:
    """The text of its first build and that of its batches."""
    given = build(begin(store))
    store.record_build(replace(given, code=replace(given.code, rendered_incremental_sql="select 2")))
    assert store.read_code_versions(["content 1"])["content 1"].rendered_incremental_sql == "select 2"


def test_configuration_comes_back_as_plain_json(store: StateStore) -> None:
    """Whatever its reader does with it, the state keeps its own."""
    record_new_build(store, config={"tags": ("a", "b")})
    config = store.read_code_versions(["content 1"])["content 1"].config
    assert config == {"tags": ["a", "b"]}
    config["tags"].append("c")
    assert store.read_code_versions(["content 1"])["content 1"].config == {"tags": ["a", "b"]}


def test_what_is_handed_in_can_change_later_without_changing_the_state(store: StateStore) -> None:
    """A fact is what it was when it was recorded."""
    texts, versions, config = {"query 1": "select 1"}, {"*": "data 1"}, {"meta": {"a": 1}}
    model_run_id = record_new_build(store, texts=texts, data_versions=versions, config=config)
    texts["query 1"], versions["*"], config["meta"]["a"] = "other", "other", 2
    assert store.read_texts(["query 1"]) == {"query 1": "select 1"}
    assert store.read_snapshot("dev").data_versions == {model_run_id: {"*": "data 1"}}
    assert store.read_code_versions(["content 1"])["content 1"].config == {"meta": {"a": 1}}


def test_versions_of_further_column_sets_are_added(store: StateStore) -> None:
    """They stand beside those of the build; the last word on one set counts."""
    model_run_id = record_new_build(store)
    store.record_data_versions(model_run_id, {"[]": "data 2", '["a"]': "data 3"})
    store.record_data_versions(model_run_id, {"[]": "data 4"})
    store.record_data_versions(model_run_id, {})
    assert store.read_snapshot("dev").data_versions == {
        model_run_id: {"*": "data 1", '["a"]': "data 3", "[]": "data 4"}
    }


def test_versions_are_kept_for_relations_that_were_built_only(store: StateStore) -> None:
    """A model run that failed has made none, and leaves no trace of tests either."""
    failed = record_failure(store)
    with pytest.raises(StateError, match=f"no trace is kept of a model run with the id '{failed}'"):
        store.record_data_versions(failed, {"*": "data 1"})
    with pytest.raises(StateError, match=failed):
        store.record_tests(failed, "tests 1")


def test_tests_that_passed_since_are_noted_in_the_trace(store: StateStore) -> None:
    """Nothing else of the trace changes."""
    model_run_id = record_new_build(store)
    before = store.read_snapshot("dev").traces["staging.orders"]
    store.record_tests(model_run_id, "tests 2")
    assert store.read_snapshot("dev").traces["staging.orders"] == replace(before, tests_hash="tests 2")


# ------------------------------------------------------------------------------------------------------------ failures


def test_failures_since_the_current_trace_are_counted(store: StateStore) -> None:
    """How many, with content and error of the last one; a success sets the count to nothing."""
    for error in ("first", "second"):
        record_failure(store, error=error)
    store.register_model(registration(content_hash="h3"))
    expected = {"staging.orders": Failure(2, "hash of staging.orders", "second")}
    assert store.read_snapshot("dev").failures == expected
    record_new_build(store)
    assert store.read_snapshot("dev").failures == {}
    record_failure(store, error="third")
    assert store.read_snapshot("dev").failures == {"staging.orders": Failure(1, "hash of staging.orders", "third")}
    assert list(store.read_snapshot("dev").traces) == ["staging.orders"]


def test_skips_and_successes_without_a_trace_are_no_failures(store: StateStore) -> None:
    """Nor do they end a row of failures: only a build does."""
    record_failure(store)
    begin(store, status="skipped")
    begin(store, status="success")
    begin(store, status="pending")
    assert store.read_snapshot("dev").failures["staging.orders"].attempts == 1


def test_failures_go_with_their_runs(store: StateStore) -> None:
    """Deleting the history of a failure is a way to try again from the start."""
    record_failure(store)
    delete_runs(store)
    assert store.read_snapshot("dev").failures == {}


def test_a_failure_after_a_build_counts_though_the_builds_run_is_gone(store: StateStore) -> None:
    """What came after what is known for ever, also when all in between was deleted."""
    for _ in range(3):
        record_new_build(store)
    delete_runs(store)
    record_failure(store)
    assert store.read_snapshot("dev").failures["staging.orders"].attempts == 1


def test_a_failure_recorded_before_the_current_build_does_not_count(store: StateStore) -> None:
    """Also when it ended later: the order is that of recording."""
    slow, quick = begin(store), begin(store)
    store.record_build(build(quick))
    store.update_model_run(slow, "failed", error="no")
    assert store.read_snapshot("dev").failures == {}


def test_a_build_holds_all_of_a_fact(store: StateStore) -> None:
    """What a Build has by default is what a quick test needs not to say."""
    given = build(begin(store))
    store.record_build(Build(given.trace, given.code, {}, {}))
    [model_run] = store.get_model_runs_for_run(store.list_runs()[0].id)
    assert (model_run.rows_affected, model_run.execution_ms, model_run.render_ms) == (None, None, None)


def status_of(store: StateStore, model_run_id: str) -> str:
    [found] = [
        one for run in store.list_runs() for one in store.get_model_runs_for_run(run.id) if one.id == model_run_id
    ]
    return found.status


def test_what_is_written_together_is_all_there_or_not_at_all(store: StateStore) -> None:
    """An error in the middle takes back what was written before it; without one everything stays."""
    first, second = begin(store), begin(store, "staging.customers")
    before = contents(store)

    def write_two(status: str) -> None:
        with store.together():
            store.record_build(build(first))
            store.update_model_run(second, status)  # type: ignore[arg-type]

    with pytest.raises(StateError):
        write_two("pending")
    assert contents(store) == before
    write_two("failed")
    assert (status_of(store, first), status_of(store, second)) == ("success", "failed")


def test_what_is_written_together_is_read_within(store: StateStore) -> None:
    """Questions in the block see what was written there; a block within a block belongs to the outer one."""
    model_run_id = begin(store)
    before = contents(store)

    def write_and_fail() -> None:
        with store.together():
            with store.together():
                store.record_build(build(model_run_id))
            assert status_of(store, model_run_id) == "success"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    assert contents(store) == before
