"""Work that is killed before each line of some modules, one after the other: whatever it left is then looked at."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Any


def die_everywhere(
    work: Callable[..., None],
    *arguments: Any,
    within: tuple[ModuleType, ...],
    before: Callable[[], None],
    after: Callable[[], None],
) -> int:
    """Do `work` in new processes: the first is killed at the first line of the modules, the next at the second …

    `before` prepares each of them, `after` looks at what it left; the last one comes to its end. Return how many died.
    """
    context = multiprocessing.get_context("forkserver")
    files = {module.__file__ for module in within}
    deaths = 0
    while True:
        before()
        process = context.Process(target=die_at, args=(deaths + 1, files, work, arguments))
        process.start()
        process.join()
        after()
        if process.exitcode == 0:
            return deaths
        assert process.exitcode == -signal.SIGKILL
        deaths += 1


def die_at(step: int, files: set[str | None], work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
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

    sys.settrace(trace)
    work(*arguments)
    sys.settrace(None)
