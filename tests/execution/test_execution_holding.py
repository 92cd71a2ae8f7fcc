"""Steps that a signal must not break off: the signal is heard when they are done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from leapsql_core.execution.holding import held


@pytest.fixture
def told() -> Iterator[list[int]]:
    """Note the signals that are heard, in the place of what usually happens."""
    heard: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda number, frame: heard.append(number))
    yield heard
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_signal_is_heard_at_the_end_of_the_block(told: list[int]) -> None:
    """Every one that came, in order; and afterwards each is heard at once again."""
    with held():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        assert told == []
    assert told == [signal.SIGTERM, signal.SIGINT]
    signal.raise_signal(signal.SIGINT)
    assert told == [signal.SIGTERM, signal.SIGINT, signal.SIGINT]


def test_what_a_handler_raises_comes_out_at_the_end_of_the_block() -> None:
    """Ctrl-C, as Python hears it, ends what comes after the block, not the block."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    done: list[bool] = []

    def step() -> None:
        with held():
            signal.raise_signal(signal.SIGINT)
            done.append(True)

    try:
        with pytest.raises(KeyboardInterrupt):
            step()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert done == [True]


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """Where the process hears none, none is held back for it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with held():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_another_thread_nothing_is_held_back(told: list[int]) -> None:
    """Only the main thread hears signals, and only it may say how."""
    done: list[bool] = []

    def work() -> None:
        with held():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert (done, told) == ([True], [])


def test_held_blocks_may_stand_in_each_other(told: list[int]) -> None:
    """The outermost decides when a signal is heard."""
    with held():
        with held():
            signal.raise_signal(signal.SIGINT)
        assert told == []
    assert told == [signal.SIGINT]
