"""Real `leapsql` processes that end as they are told: by themselves, by SIGKILL, or for want of room on the disk."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

import leapsql_core

_CORE = Path(leapsql_core.__file__).parent
#: Where a process is killed between two lines: all that works while a run goes on.
_PLACES = tuple(str(_CORE / name) + os.sep for name in ("execution", "state", "warehouses"))


@dataclass(frozen=True, slots=True)
class Fate:
    """How a process is to end: killed after so many seconds, before a line by its number, or before a step by its name.

    A step is a function of the core. ``room`` is how many bytes a file may have. Without any of them the process ends
    by itself. ``counts`` has it count its lines.
    """

    after: float | None = None
    at_line: int | None = None
    before: str | None = None
    room: int | None = None
    counts: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: its exit status (below 0 the signal), what it printed, how long it took, its lines."""

    status: int
    out: str
    err: str
    seconds: float
    lines: int = 0

    @property
    def was_killed(self) -> bool:
        """Whether it was."""
        return self.status == -signal.SIGKILL

    @property
    def is_told_plainly(self) -> bool:
        """Whether it ended by itself, with a status that means something, and no traceback."""
        return self.status in (0, 1, 2) and "Traceback" not in self.err + self.out


class Launcher:
    """Starts `leapsql` in processes that are forked from one which has everything loaded and no threads."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._parent = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._parent.start()
        theirs.close()

    def close(self) -> None:
        """Let the process that forks end."""
        self._pipe.close()
        self._parent.join()

    def run(self, *words: str, fate: Fate = Fate()) -> Ended:
        """Run `leapsql` with these words to its end, whatever that is."""
        [ended] = self.run_together([words], fate=fate)
        return ended

    def run_together(self, commands: Sequence[Sequence[str]], *, fate: Fate = Fate()) -> list[Ended]:
        """Run several commands at once, each in a process of its own."""
        self._pipe.send(([list(words) for words in commands], fate))
        found: list[Ended] = self._pipe.recv()
        return found


def _serve(orders: Connection) -> None:
    while True:
        try:
            commands, fate = orders.recv()
        except EOFError:
            return
        for module in ("duckdb", "leapsql_core.cli.run", "leapsql_core.cli.state", "leapsql_core.warehouses.opening"):
            # What every run needs is loaded once, when the first is asked for.
            importlib.import_module(module)
        orders.send(_run(commands, fate))


def _run(commands: list[list[str]], fate: Fate) -> list[Ended]:
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder, str(number)) for number in range(len(commands))]
        began = time.monotonic()
        children = []
        for place, words in zip(places, commands, strict=True):
            child = os.fork()
            if child == 0:
                _live(words, fate, place)
            children.append(child)
        if fate.after is not None:
            time.sleep(fate.after)
            for child in children:
                os.kill(child, signal.SIGKILL)
        statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        seconds = time.monotonic() - began
        return [_ended(place, status, seconds) for place, status in zip(places, statuses, strict=True)]


def _ended(place: Path, status: int, seconds: float) -> Ended:
    said = {end: _read(place.with_suffix(end)) for end in (".out", ".err", ".lines")}
    return Ended(status, said[".out"], said[".err"], seconds, int(said[".lines"] or 0))


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""


def _live(words: list[str], fate: Fate, place: Path) -> None:
    """Be a `leapsql` process from beginning to end; this never returns."""
    status = 1
    try:
        for number, end in ((1, ".out"), (2, ".err")):
            os.dup2(os.open(place.with_suffix(end), os.O_WRONLY | os.O_CREAT), number)
        from leapsql_core.cli.app import app

        if fate.room is not None:
            # Python passes over the signal that comes with it, so that writing fails as it does on a full disk.
            resource.setrlimit(resource.RLIMIT_FSIZE, (fate.room, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        counted = _count_lines(fate) if fate.counts or fate.at_line or fate.before else [0]
        try:
            app.main(words, prog_name="leapsql")
        except SystemExit as exc:
            status = exc.code if isinstance(exc.code, int) else 0
        sys.settrace(None)
        if fate.counts:
            place.with_suffix(".lines").write_text(str(counted[0]))
    except Exception:  # noqa: BLE001 - a program would end so
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _count_lines(fate: Fate) -> list[int]:
    """Count the lines that run in all threads from now on, and be killed where it is said."""
    counted = [0]

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(_PLACES):
            return None
        if event == "line":
            counted[0] += 1
        if counted[0] == fate.at_line or (event == "call" and frame.f_code.co_name == fate.before):
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    threading.settrace(trace)
    sys.settrace(trace)
    return counted
