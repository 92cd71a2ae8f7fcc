"""Threads that end otherwise than by building: their models have failed, the run ends, the next one goes on."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from projects import Lab

from leapsql_core.execution import ModelStarted
from leapsql_core.execution.workers import WorkerDied, Workers

Make = Callable[..., Lab]

#: Only `hit` is rendered while it is built, in the thread that builds it.
FILES = {
    "models/hit.sql": "select '{{ run_started_at }}' as t",
    "models/below.sql": "select t from hit",
    "models/beside.sql": "select 1 as x",
}


def assert_it_failed_alone(lab: Lab, said: str) -> None:
    """The rest was built, what depends on it was skipped, and nothing is left open."""
    [run] = lab.state.list_runs()
    assert (run.status, run.error) == ("failed", "failed: hit; skipped because of that: below")
    rows = lab.model_runs(run.id)
    assert {path: row.status for path, row in rows.items()} == {
        "hit": "failed",
        "below": "skipped",
        "beside": "success",
    }
    assert rows["hit"].error == f"models/hit.sql: the work on it broke off: {said}"
    assert lab.state.get_lease("dev") is None
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("leapsql")] == []
    outcome = lab.run()
    assert (outcome.status, outcome.built) == ("completed", {"hit", "below"})


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (MemoryError(), "MemoryError"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (GeneratorExit("gone"), "GeneratorExit: gone"),
    ],
)
def test_what_ends_a_thread_fails_its_model_alone(make_lab: Make, raised: BaseException, said: str) -> None:
    """Nobody has cancelled the run, and the process goes on."""

    def render(*_: Any) -> Any:
        raise raised

    lab = make_lab(FILES)
    list(lab.stream(workshop=lab.workshop(render=render)))
    assert_it_failed_alone(lab, said)


def test_a_thread_that_is_killed_from_outside_fails_its_model_alone(make_lab: Make) -> None:
    """As a debugger or a time limit does it."""
    lab, victims = make_lab(FILES), list[int]()

    def render(*_: Any) -> Any:
        victims.append(threading.get_ident())
        while True:
            time.sleep(0.001)

    events = lab.stream(workshop=lab.workshop(render=render))
    for event in events:
        if isinstance(event, ModelStarted) and event.path == "hit":
            break
    while not victims:
        time.sleep(0.001)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(victims[0]), ctypes.py_object(SystemExit))
    list(events)
    assert_it_failed_alone(lab, "SystemExit")


def test_a_fault_of_the_program_fails_the_run_and_is_raised(make_lab: Make) -> None:
    """With its traceback, for somebody has to mend it; the model has failed, which is not to say cancelled."""

    def render(*_: Any) -> Any:
        raise LookupError("nobody thought of this")

    lab = make_lab(FILES)
    with pytest.raises(LookupError, match="nobody thought of this"):
        list(lab.stream(workshop=lab.workshop(render=render), parallel=1))
    [run] = lab.state.list_runs()
    assert (run.status, run.error) == ("failed", "nobody thought of this")
    rows = lab.model_runs(run.id)
    assert rows["hit"].error == "models/hit.sql: the work on it broke off: LookupError: nobody thought of this"
    assert "running" not in {row.status for row in rows.values()}
    assert lab.run().status == "completed"
    lab.assert_as_from_scratch(but=["hit", "below"])


def dying(when: Callable[[FrameType], bool], work: Callable[[], Any]) -> Callable[[], Any]:
    """Return work whose thread dies after it, as soon as it comes to a line where something holds."""

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if event == "line" and when(frame):
            raise SystemExit
        return trace

    def do() -> Any:
        sys.settrace(lambda *_: None)
        sys._getframe(1).f_trace = trace
        return work()

    return do


def test_a_thread_that_dies_without_a_word_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it could say that it is done, or what it met with."""
    deaths: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda death: deaths.append(death.exc_type))
    workers = Workers()
    done = workers.begin("a", dying(lambda frame: frame.f_locals["task"].future.done(), lambda: "built"))
    assert workers.next_ended() == ("a",)
    assert done.result() == "built"

    def fail() -> Any:
        raise ValueError("nobody hears of it")

    broken = workers.begin("b", dying(lambda frame: True, fail))
    assert workers.next_ended() == ("b",)
    with pytest.raises(WorkerDied, match="the thread that built it died"):
        broken.result(timeout=0)
    for thread in threading.enumerate():
        if thread.name.startswith("leapsql"):
            thread.join()
    assert deaths == [SystemExit, SystemExit]


def test_a_thread_that_cannot_be_started_fails_its_model_alone(make_lab: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system has no more threads to give, for the last of the run's models as well; the run ends as it should."""
    lab, start = make_lab({"models/hit.sql": "select 1 as x"}), threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "leapsql":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    list(lab.stream())
    [run] = lab.state.list_runs()
    assert (run.status, run.error) == ("failed", "failed: hit")
    said = "models/hit.sql: no thread could be started for it: can't start new thread"
    assert lab.model_runs(run.id)["hit"].error == said
    monkeypatch.undo()
    assert lab.run().status == "completed"
