"""Holding signals back: a step that has begun is done before Ctrl-C, or whoever asks the process to end, is heard.

A signal's handler raises wherever the main thread happens to be. Between a commit and the note that it was made, or
between starting a thread and knowing of it, that would leave behind what nobody looks after.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def held() -> Iterator[None]:
    """Let signals that come during the block be heard at its end. In other threads than the main one none is heard."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: handler for number in _SIGNALS if callable(handler := signal.getsignal(number))}
    came: list[tuple[int, FrameType | None]] = []
    with ExitStack() as ending:
        ending.callback(_tell, came, handlers)
        for number, handler in handlers.items():
            ending.callback(signal.signal, number, handler)
            signal.signal(number, lambda number, frame: came.append((number, frame)))
        yield


def _tell(came: list[tuple[int, FrameType | None]], handlers: dict[signal.Signals, Any]) -> None:
    for number, frame in came:
        handlers[signal.Signals(number)](number, frame)
