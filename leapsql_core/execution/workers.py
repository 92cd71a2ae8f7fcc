"""Threads that models are built in: whatever becomes of a thread, its model comes to an end."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from leapsql_core.errors import LeapSQLError
from leapsql_core.execution.building import Built

#: How often it is looked whether a thread has died without a word.
_LOOK_SECONDS = 1.0


class WorkerDied(LeapSQLError):
    """The thread that built a model is gone, and nobody knows why, or could not be started."""


@dataclass(frozen=True, slots=True)
class _Task:
    """What a thread is to do, and where it is told."""

    path: str
    work: Callable[[], Built]
    future: Future[Built]


@dataclass(slots=True)
class _Worker:
    """A thread, and the tasks that it is given, one after the other; ``None`` ends it."""

    thread: threading.Thread
    tasks: queue.SimpleQueue[_Task | None]


@dataclass(slots=True)
class Workers:
    """The threads of one run, by the path that each builds; one that is done waits for the next model."""

    _busy: dict[str, tuple[_Worker, Future[Built]]] = field(default_factory=dict)
    _idle: list[_Worker] = field(default_factory=list)
    _ended: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)

    def begin(self, path: str, work: Callable[[], Built]) -> Future[Built]:
        """Begin with `work` in a thread that does nothing else; what it returns or raises is the future's."""
        future: Future[Built] = Future()
        self._idle = [worker for worker in self._idle if worker.thread.is_alive()]
        worker = self._idle.pop() if self._idle else self._new_worker()
        self._busy[path] = (worker, future)
        worker.tasks.put(_Task(path, work, future))
        try:
            if worker.thread.ident is None:
                worker.thread.start()
        except RuntimeError as exc:
            future.set_exception(WorkerDied(f"no thread could be started for it: {exc}"))
            self._ended.put(path)
        return future

    def _new_worker(self) -> _Worker:
        tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        # No run that somebody forgot to end keeps its process, and with that its lease, alive.
        return _Worker(threading.Thread(target=_work, args=(tasks, self._ended), name="leapsql", daemon=True), tasks)

    def next_ended(self) -> tuple[str, ...]:
        """Wait until the work on some of the paths has ended, and return all of these by now."""
        found: list[str] = []
        while not found or not self._ended.empty():
            try:
                path = self._ended.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                self.find_dead()
                continue
            known = self._busy.pop(path, None)
            if known is not None:
                worker, future = known
                _end(future)
                if worker.thread.is_alive():
                    self._idle.append(worker)
                found.append(path)
        return tuple(found)

    def find_dead(self) -> None:
        """End the work of threads that are gone and have not said so."""
        for path, (worker, future) in self._busy.items():
            if not worker.thread.is_alive():
                _end(future)
                self._ended.put(path)

    def close(self) -> None:
        """End the threads; those that still work end when they are done."""
        for worker in (*self._idle, *(worker for worker, _ in self._busy.values())):
            worker.tasks.put(None)
        for worker in self._idle:
            worker.thread.join()
        self._idle.clear()


def _end(future: Future[Built]) -> None:
    if not future.done():
        future.set_exception(WorkerDied("the thread that built it died"))


def _work(tasks: queue.SimpleQueue[_Task | None], ended: queue.SimpleQueue[str]) -> None:
    while (task := tasks.get()) is not None:
        threading.current_thread().name = f"leapsql {task.path}"
        try:
            task.future.set_result(task.work())
        except BaseException as exc:  # noqa: BLE001 - nothing is lost of it: who asks the future is told
            task.future.set_exception(exc)
        finally:
            ended.put(task.path)
