"""Cancelling: whoever stops listening ends the run; what was committed counts, the rest is as before."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import Any

import pytest
from projects import Lab

from leapsql_core.execution import Event, ModelFinished, ModelStarted, RunFinished

Make = Callable[..., Lab]

FOREVER = "select count(*) as n from range(1000000000000) as r(n) where hash(n) = 7"
FILES = {
    "models/a_done.sql": "select 1 as x",
    "models/b_slow.sql": FOREVER,
    "models/c_waits.sql": "select n from b_slow",
    "models/d_next.sql": "select x from a_done",
}


def until(lab: Lab, events: Generator[Event, None, None]) -> None:
    """Take events until `a_done` has finished and `b_slow` has started."""
    done: set[Any] = set()
    while not {("done", "a_done"), ("started", "b_slow")} <= done:
        event = next(events)
        if isinstance(event, ModelFinished):
            done.add(("done", event.path))
        elif isinstance(event, ModelStarted):
            done.add(("started", event.path))


def assert_cancelled(lab: Lab) -> None:
    """What was committed counts as built; the rest is skipped as cancelled, of which nothing shows."""
    [run] = lab.state.list_runs()
    assert (run.status, run.error) == ("cancelled", "the run was cancelled")
    rows = {path: (row.status, row.reason) for path, row in lab.model_runs(run.id).items()}
    assert rows["a_done"] == ("success", "new")
    assert rows["b_slow"] == rows["c_waits"] == ("skipped", "cancelled")
    assert set(lab.state.read_snapshot("dev").traces) >= {"a_done"}
    assert set(lab.state.read_snapshot("dev").failures) == set()
    relations = lab.warehouse.relations()
    assert ("main", "a_done") in relations
    assert ("main", "b_slow") not in relations
    for path, trace in lab.state.read_snapshot("dev").traces.items():
        assert relations["main", path].comment == trace.model_run_id


def test_closing_the_events_cancels_the_run(make_lab: Make) -> None:
    """As a `for` loop does that is left, or a process that is asked to stop."""
    lab = make_lab(FILES)
    events = lab.stream(parallel=2)
    until(lab, events)
    events.close()
    assert_cancelled(lab)


@pytest.mark.parametrize("thrown", [ValueError("mine"), KeyboardInterrupt(), SystemExit(1)])
def test_an_exception_thrown_in_cancels_the_run_and_comes_back(make_lab: Make, thrown: BaseException) -> None:
    """Whatever the caller throws is the caller's: the run is cancelled, not failed."""
    lab = make_lab(FILES)
    events = lab.stream(parallel=2)
    until(lab, events)
    with pytest.raises(type(thrown)):
        events.throw(thrown)
    assert_cancelled(lab)


def test_the_next_run_goes_on_where_it_was_cancelled(make_lab: Make) -> None:
    """What was built stays built; the warehouse is as usable as ever."""
    lab = make_lab(FILES)
    events = lab.stream(parallel=2)
    until(lab, events)
    events.close()
    lab.edit({"models/b_slow.sql": "select 7 as n"})
    outcome = lab.run()
    assert outcome.status == "completed"
    assert outcome["a_done"].reason == "unchanged"
    assert {"b_slow", "c_waits"} <= outcome.built
    lab.assert_as_from_scratch()


def test_a_run_that_is_left_before_anything_was_begun_is_cancelled(make_lab: Make) -> None:
    """Right after the plan was told: every model is skipped."""
    lab = make_lab(FILES)
    events = lab.stream()
    next(events)
    events.close()
    [run] = lab.state.list_runs()
    assert run.status == "cancelled"
    assert {(row.status, row.reason) for row in lab.model_runs(run.id).values()} == {("skipped", "cancelled")}


def test_a_run_that_was_never_listened_to_never_was(make_lab: Make) -> None:
    """Events are taken lazily: nothing is recorded before the first."""
    lab = make_lab(FILES)
    lab.stream().close()
    assert lab.state.list_runs() == []


def test_leaving_after_the_end_changes_nothing(make_lab: Make) -> None:
    """A run that has ended is not cancelled any more."""
    lab = make_lab({"models/a.sql": "select 1 as x"})
    events = lab.stream()
    for event in events:
        if isinstance(event, RunFinished):
            break
    events.close()
    [run] = lab.state.list_runs()
    assert run.status == "completed"


def test_what_was_committed_before_anybody_heard_of_it_counts(make_lab: Make) -> None:
    """A model that is done when the run is cancelled is recorded as built, though its event never came."""
    lab = make_lab({"models/a.sql": "select '{{ run_started_at }}' as x", "models/b.sql": FOREVER})
    events = lab.stream(parallel=2)
    started: set[str] = set()
    while started != {"a", "b"}:
        event = next(events)
        if isinstance(event, ModelStarted):
            started.add(event.path)
    while ("main", "a") not in lab.warehouse.relations():
        pass
    events.close()
    [run] = lab.state.list_runs()
    rows = {path: row.status for path, row in lab.model_runs(run.id).items()}
    assert rows == {"a": "success", "b": "skipped"}
    trace = lab.state.read_snapshot("dev").traces["a"]
    assert lab.warehouse.relations()["main", "a"].comment == trace.model_run_id


def test_a_model_that_failed_before_the_run_was_cancelled_failed(make_lab: Make) -> None:
    """Its failure is its own, and is not taken for the cancelling."""
    lab = make_lab({"models/a.sql": "select '{{ run_started_at }}' as x, error('mine') as y", "models/b.sql": FOREVER})
    ended = threading.Event()
    render = lab.workshop().render

    def fail(*arguments: Any) -> Any:
        try:
            return render(*arguments)
        finally:
            ended.set()

    events = lab.stream(workshop=lab.workshop(render=fail), parallel=1)
    for event in events:
        if isinstance(event, ModelStarted) and event.path == "b":
            break
    assert ended.is_set()
    events.close()
    [run] = lab.state.list_runs()
    rows = {path: row.status for path, row in lab.model_runs(run.id).items()}
    assert rows == {"a": "failed", "b": "skipped"}


def test_models_that_were_unchanged_stay_so_in_a_cancelled_run(make_lab: Make) -> None:
    """What was decided before is not undone."""
    lab = make_lab({"models/a.sql": "select 1 as x"})
    lab.run()
    lab.edit({"models/b.sql": FOREVER})
    events = lab.stream()
    for event in events:
        if isinstance(event, ModelStarted):
            break
    events.close()
    run = lab.state.list_runs()[0]
    rows = {path: (row.status, row.reason) for path, row in lab.model_runs(run.id).items()}
    assert rows == {"a": ("skipped", "unchanged"), "b": ("skipped", "cancelled")}


def test_a_cancelled_batch_is_taken_back(make_lab: Make) -> None:
    """An incremental model holds what it held; the next run applies the batch once."""
    batch = f"{{% if is_incremental() %}} , ({FOREVER}) as slow(m) {{% endif %}}"
    text = f"/*---\nmaterialized: incremental\nunique_key: n\n---*/\nselect src.n from src {batch}"
    lab = make_lab({"models/i.sql": text})
    lab.sql("create table src as select 1 as n")
    lab.run()
    lab.sql("insert into src values (2)")
    events = lab.stream()
    for event in events:
        if isinstance(event, ModelStarted):
            break
    events.close()
    assert lab.rows("from main.i") == [(1,)]
    lab.replace("models/i.sql", batch, "")
    assert lab.run().status == "completed"
    assert lab.rows("from main.i order by 1") == [(1,), (2,)]
