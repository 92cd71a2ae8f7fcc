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


@dataclass(slots=True)
class Workers:
    """The threads of one run, by the path that each builds."""

    _threads: dict[str, tuple[threading.Thread, Future[Built]]] = field(default_factory=dict)
    _ended: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)

    def begin(self, path: str, work: Callable[[], Built]) -> Future[Built]:
        """Begin with `work` in a thread of its own; what it returns or raises, of whatever kind, is the future's."""
        future: Future[Built] = Future()
        # No run that somebody forgot to end keeps its process, and with that its lease, alive.
        thread = threading.Thread(
            target=_work, args=(path, work, future, self._ended), name=f"leapsql {path}", daemon=True
        )
        self._threads[path] = (thread, future)
        try:
            thread.start()
        except RuntimeError as exc:
            future.set_exception(WorkerDied(f"no thread could be started for it: {exc}"))
            self._ended.put(path)
        return future

    def next_ended(self) -> str:
        """Wait until the work on one of the paths has ended, and return that."""
        while True:
            try:
                path = self._ended.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                self.find_dead()
                continue
            known = self._threads.pop(path, None)
            if known is not None:
                _end(known[1])
                return path

    def find_dead(self) -> None:
        """End the work of threads that are gone and have not said so."""
        for path, (thread, future) in self._threads.items():
            if not thread.is_alive():
                _end(future)
                self._ended.put(path)


def _end(future: Future[Built]) -> None:
    if not future.done():
        future.set_exception(WorkerDied("the thread that built it died"))


def _work(path: str, work: Callable[[], Built], future: Future[Built], ended: queue.SimpleQueue[str]) -> None:
    try:
        future.set_result(work())
    except BaseException as exc:  # noqa: BLE001 - nothing is lost of it: who asks the future is told
        future.set_exception(exc)
    finally:
        ended.put(path)
