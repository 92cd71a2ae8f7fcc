"""Carrying a plan out: one transaction per model, independent models at the same time, every fact recorded."""

from leapsql_core.execution.adopting import lost_builds, remembered_build, with_builds, with_texts
from leapsql_core.execution.events import Event, ModelFinished, ModelStarted, RunFinished, RunStarted
from leapsql_core.execution.inspecting import stream_edited
from leapsql_core.execution.marking import write_record
from leapsql_core.execution.observing import FileVersion, Look, Sight, observe, see, source_versions, with_versions
from leapsql_core.execution.origins import Origin, origins
from leapsql_core.execution.records import facts_of
from leapsql_core.execution.running import stream_begun_run, stream_run
from leapsql_core.execution.turns import Turn, begun_run, is_abandoned, name_run
from leapsql_core.execution.workshop import RunOptions, Workshop, utc_now

__all__ = [
    "Event",
    "FileVersion",
    "Look",
    "ModelFinished",
    "ModelStarted",
    "Origin",
    "RunFinished",
    "RunOptions",
    "RunStarted",
    "Sight",
    "Turn",
    "Workshop",
    "begun_run",
    "facts_of",
    "is_abandoned",
    "lost_builds",
    "name_run",
    "observe",
    "origins",
    "remembered_build",
    "see",
    "source_versions",
    "stream_begun_run",
    "stream_edited",
    "stream_run",
    "utc_now",
    "with_builds",
    "with_texts",
    "with_versions",
    "write_record",
]
