"""Work that is killed before each line of some modules, one after the other: whatever it left is then looked at."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import FrameType, ModuleType
from typing import Any


def die_everywhere(
    work: Callable[..., None],
    *arguments: Any,
    within: tuple[ModuleType, ...],
    before: Callable[[], None],
    after: Callable[[], None],
) -> int:
    """Do `work` in new processes: the first is killed at the first line of the modules, the next at the second.

    `before` prepares each of them, `after` looks at what it left; the last one comes to its end. Return how many died.
    """
    # Processes are forked from one that has no threads, and is not started anew for each of them.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    files = {module.__file__ for module in within}
    parent = context.Process(target=beget, args=(theirs, files, work, arguments), daemon=True)
    parent.start()
    theirs.close()
    try:
        deaths = 0
        while True:
            before()
            ours.send(deaths + 1)
            exit_code = ours.recv()
            after()
            if exit_code == 0:
                return deaths
            assert exit_code == -signal.SIGKILL
            deaths += 1
    finally:
        ours.close()
        parent.join()


def beget(orders: Connection, files: set[str | None], work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """For each number that comes, do `work` in a process that is killed at that step; answer with its exit code."""
    while True:
        try:
            step = orders.recv()
        except EOFError:
            return
        child = os.fork()
        if child == 0:
            _die_at(step, files, work, arguments)
        orders.send(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def _die_at(step: int, files: set[str | None], work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """Do `work`, and be killed before the line with this number of those that are run in `files`."""
    left = step

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename not in files:
            return None
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    status = 1
    try:
        sys.settrace(trace)
        work(*arguments)
        status = 0
    finally:
        sys.settrace(None)
        os._exit(status)
