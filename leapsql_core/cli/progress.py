"""What a run is doing: a bar with the models in flight on a terminal; elsewhere nothing, or lines if asked for."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from leapsql_core.cli.output import say
from leapsql_core.cli.wording import duration, seconds
from leapsql_core.execution import Event, ModelFinished, ModelStarted, RunStarted
from leapsql_core.names import printable

if TYPE_CHECKING:
    from rich.console import RenderableType


class Watch:
    """Follows a run and says nothing of it, but for whom it waits."""

    def says(self, doing: str) -> None:
        """Note what is being done before models are built."""

    def waits(self, message: str) -> None:
        """Tell for whom the run waits."""
        say(message)

    def notes(self, event: Event) -> None:
        """Note what happened."""


class LineWatch(Watch):
    """Says in one line what came of each model that was worked on, as soon as it is known."""

    def notes(self, event: Event) -> None:
        """Write a line for a model that was built, tested, or failed."""
        if isinstance(event, ModelFinished) and (event.status != "skipped" or event.execution_ms is not None):
            took = duration(event.execution_ms)
            done = {"success": "built", "failed": "failed", "skipped": "tested"}[event.status]
            say(f"{event.path}: {done}" + (f" in {took}" if took else ""))


class LiveWatch(Watch):
    """Draws a bar and the models in flight; what it has drawn is gone when the run ends."""

    def __init__(self) -> None:
        self._doing = "starting"
        self._began = time.monotonic()
        self._left: set[str] = set()
        self._total = 0
        self._failed = 0
        self._in_flight: dict[str, float] = {}

    def says(self, doing: str) -> None:
        """Show what is being done in place of the bar."""
        self._doing = doing

    def waits(self, message: str) -> None:
        """Show for whom the run waits in place of the bar."""
        self._doing = printable(message)

    def notes(self, event: Event) -> None:
        """Move the bar on."""
        if isinstance(event, RunStarted):
            self._left = {path for path, decision in event.plan.decisions.items() if decision.action != "skip"}
            self._total = len(self._left)
        elif isinstance(event, ModelStarted):
            self._in_flight[event.path] = time.monotonic()
        elif isinstance(event, ModelFinished):
            self._in_flight.pop(event.path, None)
            self._left.discard(event.path)
            self._failed += event.status == "failed"

    def __rich__(self) -> RenderableType:
        """Draw the present moment."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        now = time.monotonic()
        elapsed = seconds(now - self._began) if now - self._began >= 1 else ""
        if not self._total:
            return Text(f"{self._doing}…  {elapsed}", style="dim")
        done = self._total - len(self._left)
        bar = Table.grid(padding=(0, 2))
        failed = Text(f"{self._failed} failed", style="red") if self._failed else Text("")
        bar.add_row(ProgressBar(self._total, done, width=24), Text(f"{done} of {self._total}"), failed, elapsed)
        models = Table.grid(padding=(0, 2))
        for path, began in list(self._in_flight.items()):
            models.add_row(Text(f"  {path}", style="dim"), Text(seconds(now - began), style="dim"))
        return Group(bar, models)


@contextmanager
def watching(*, verbose: bool) -> Iterator[Watch]:
    """Yield what is to be told of a run's events; a bar is drawn only where standard error is a terminal."""
    if not sys.stderr.isatty():
        yield LineWatch() if verbose else Watch()
        return
    from rich.console import Console
    from rich.live import Live

    watch = LiveWatch()
    with Live(watch, console=Console(stderr=True), transient=True, refresh_per_second=10):
        yield watch
