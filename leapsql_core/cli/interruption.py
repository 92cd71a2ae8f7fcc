"""Ctrl-C, and the signal that asks a process to end: either cancels what is going on, once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

#: A shell says so of a program that a signal has ended.
_FROM_A_SIGNAL = 128


@dataclass(slots=True)
class Interruption:
    """Which signal has come, if any."""

    signal: int | None = None

    @property
    def status(self) -> int:
        """The exit status that tells it; without a signal, that of Ctrl-C."""
        return _FROM_A_SIGNAL + (self.signal or signal.SIGINT)


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Raise `KeyboardInterrupt` at the first signal and pass over further ones.

    Cancelling a run takes a moment: what is being built is rolled back and recorded. A second Ctrl-C, from an
    impatient finger or from a program that hands the first one on, must not break that off.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        # Setting the signals aside here would be reported as a race where the second one has come already.
        if interruption.signal is None:
            interruption.signal = number
            raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
