"""Carrying a plan out: one transaction per model, independent models at the same time, every fact recorded.

Names are loaded when they are first used: who only decides looks at the warehouse, and builds nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leapsql_core.execution.adopting import lost_builds, remembered_build, with_builds, with_texts
    from leapsql_core.execution.chains import Origin, origins
    from leapsql_core.execution.events import Event, ModelFinished, ModelStarted, RunFinished, RunStarted
    from leapsql_core.execution.inspecting import stream_edited
    from leapsql_core.execution.marking import write_record
    from leapsql_core.execution.observing import FileVersion, Look, Sight, observe, see, source_versions, with_versions
    from leapsql_core.execution.records import facts_of
    from leapsql_core.execution.running import stream_begun_run, stream_run
    from leapsql_core.execution.turns import Turn, begun_run, is_abandoned, name_run
    from leapsql_core.execution.workshop import RunOptions, Workshop, request_of, utc_now

_HOMES = {
    "adopting": "lost_builds remembered_build with_builds with_texts",
    "chains": "Origin origins",  # no module has the name of a function: once loaded, it would stand in its place
    "events": "Event ModelFinished ModelStarted RunFinished RunStarted",
    "inspecting": "stream_edited",
    "marking": "write_record",
    "observing": "FileVersion Look Sight observe see source_versions with_versions",
    "records": "facts_of",
    "running": "stream_begun_run stream_run",
    "turns": "Turn begun_run is_abandoned name_run",
    "workshop": "RunOptions Workshop request_of utc_now",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

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
    "request_of",
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


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
