"""Carrying a plan out: one transaction per model, independent models at the same time, every fact recorded."""

from leapsql_core.execution.events import Event, ModelFinished, ModelStarted, RunFinished, RunStarted
from leapsql_core.execution.observing import FileVersion, Look, observe, with_versions
from leapsql_core.execution.running import stream_run
from leapsql_core.execution.workshop import RunOptions, Workshop

__all__ = [
    "Event",
    "FileVersion",
    "Look",
    "ModelFinished",
    "ModelStarted",
    "RunFinished",
    "RunOptions",
    "RunStarted",
    "Workshop",
    "observe",
    "stream_run",
    "with_versions",
]
