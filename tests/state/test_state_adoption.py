"""Builds that the warehouse told of, traces that are forgotten, results of tests: what every state store promises."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from state_samples import NOON, Clock, build, contents, kept, record_failure, record_new_build, registration

from leapsql_core.errors import StateError
from leapsql_core.models import Snapshot
from leapsql_core.protocols import StateStore

PATH = "staging.orders"


def rows(store: StateStore) -> list[Any]:
    return [row for run in store.list_runs() for row in store.get_model_runs_for_run(run.id)]


# -------------------------------------------------------------------------------------------------------------- adopted


def test_an_adopted_build_is_the_current_one(store: StateStore) -> None:
    """Trace, versions, texts, code and results of tests, under the id that the warehouse has for it."""
    store.register_model(registration())
    given = build("from afar", tests=(kept(),))
    store.adopt_builds("dev", [given])
    snapshot = store.read_snapshot("dev")
    assert snapshot.traces == {PATH: given.trace}
    assert snapshot.data_versions == {"from afar": {"*": "data 1"}}
    assert store.read_texts(["query 1"]) == given.texts
    assert store.read_code_versions(["content 1"])["content 1"] == given.code
    assert store.read_test_results("dev") == {PATH: (kept(),)}
    assert [one.name for one in store.list_environments()] == ["dev"]


def test_lost_builds_come_to_be_in_a_run_of_the_past(store: StateStore, clock: Clock) -> None:
    """It is completed and bears the times of its builds, so that it is not taken for the latest run."""
    for path in ("a", "b"):
        store.register_model(registration(path))
    clock.advance(seconds=60)
    now = store.create_run("dev")
    early, late = NOON - timedelta(seconds=9), NOON - timedelta(seconds=3)
    store.adopt_builds("dev", [build("late", "b", built_at=late), build("early", "a", built_at=early)])
    [latest, past] = store.list_runs()
    assert (latest.id, past.status, past.started_at, past.completed_at) == (now.id, "completed", early, late)
    assert store.get_latest_run("dev") == now
    found = store.get_model_runs_for_run(past.id)
    assert [(row.id, row.status, row.reason, row.started_at, row.completed_at) for row in found] == [
        ("early", "success", "adopted", early, early),
        ("late", "success", "adopted", late, late),
    ]
    assert found[0].rows_affected == 3


@pytest.mark.parametrize("status", ["pending", "running", "failed", "skipped"])
def test_a_model_run_that_is_known_ends_as_the_success_that_it_was(
    store: StateStore, clock: Clock, status: Any
) -> None:
    """Whatever it was taken for; no other run comes to be."""
    model, run = store.register_model(registration()), store.create_run("dev")
    row = store.record_model_run(run.id, model.id, "running" if status == "failed" else status)
    if status == "failed":
        store.update_model_run(row.id, "failed", error="cut off")
    later = clock.advance(seconds=5)
    store.adopt_builds("dev", [build(row.id)])
    [after] = rows(store)
    assert (after.id, after.status, after.error, after.completed_at) == (row.id, "success", None, later)
    assert store.read_snapshot("dev").traces[PATH].model_run_id == row.id
    assert len(store.list_runs()) == 1


def test_a_failure_before_an_adopted_build_counts_no_more(store: StateStore) -> None:
    """The build came after it."""
    record_failure(store)
    assert store.read_snapshot("dev").failures
    store.adopt_builds("dev", [build("from afar")])
    assert store.read_snapshot("dev").failures == {}


def test_a_trace_that_is_kept_may_become_the_current_one_again(store: StateStore) -> None:
    """An older build whose relation was put back is not recorded twice."""
    first = record_new_build(store, data_versions={"*": "one"})
    record_new_build(store, data_versions={"*": "two"})
    store.adopt_builds("dev", [build(first, data_versions={"*": "ignored"})])
    assert store.read_snapshot("dev").traces[PATH].model_run_id == first
    assert store.read_snapshot("dev").data_versions == {first: {"*": "one"}}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (build("x", "nowhere"), "no model is registered under the path 'nowhere'"),
        (build("x", environment="prod"), "names the environment 'prod'"),
        (replace(build("x"), code=build("x", content_hash="other").code), "names the content hash"),
    ],
)
def test_what_contradicts_itself_is_not_adopted_and_nothing_with_it(store: StateStore, given: Any, said: str) -> None:
    """All builds are recorded, or none."""
    store.register_model(registration())
    before = contents(store)
    with pytest.raises(StateError, match=said):
        store.adopt_builds("dev", [build("fine"), given])
    assert contents(store) == before


def test_adopting_nothing_changes_nothing(store: StateStore) -> None:
    """But that the environment is known then."""
    store.adopt_builds("dev", [])
    assert store.list_runs() == []
    assert store.read_snapshot("dev") == Snapshot("dev")


# ------------------------------------------------------------------------------------------------------------ forgotten


def test_a_forgotten_trace_is_as_if_it_had_never_been(store: StateStore) -> None:
    """In one environment; the runs stay, and an older trace does not come back to life."""
    record_new_build(store)
    record_new_build(store)
    record_new_build(store, environment="prod")
    record_new_build(store, "other")
    store.forget_traces("dev", [PATH, "never heard of"])
    assert store.read_snapshot("dev").traces.keys() == {"other"}
    assert store.read_snapshot("prod").traces.keys() == {PATH}
    assert len(rows(store)) == 4


# ---------------------------------------------------------------------------------------------------- results of tests


def test_results_come_back_as_they_were_found(store: StateStore) -> None:
    """By path and in the order of their labels; those of one environment, of the current builds."""
    sample = (("1", "ä"), ("2", "NULL"))
    failing = kept("b", failures=7, columns=("id", "größe"), sample=sample)
    record_new_build(store, tests=(kept("old"),))
    record_new_build(store, tests=(failing, kept("a")))
    record_new_build(store, environment="prod", tests=(kept("c"),))
    assert store.read_test_results("dev") == {PATH: (kept("a"), failing)}
    assert store.read_test_results("nowhere") == {}


def test_results_of_later_tests_replace_those_of_the_build(store: StateStore) -> None:
    """Tests that were taken away are not kept."""
    model_run_id = record_new_build(store, tests=(kept("a"), kept("b")))
    store.record_tests(model_run_id, "tests 2", (kept("b", failures=1), kept("c")))
    assert store.read_test_results("dev") == {PATH: (kept("b", failures=1), kept("c"))}
    assert store.read_snapshot("dev").traces[PATH].tests_hash == "tests 2"


def test_a_test_that_is_asked_twice_has_one_result(store: StateStore) -> None:
    """As a warning and as an error, for example: what it finds is the same."""
    record_new_build(store, tests=(kept("a"), kept("a")))
    assert store.read_test_results("dev") == {PATH: (kept("a"),)}


def test_results_go_with_their_trace(store: StateStore) -> None:
    """While it is current it stays, whatever becomes of its run."""
    record_new_build(store, tests=(kept(),))
    for run in store.list_runs():
        store.delete_run(run.id)
    assert store.read_test_results("dev") == {PATH: (kept(),)}
    store.forget_traces("dev", [PATH])
    assert store.read_test_results("dev") == {}
