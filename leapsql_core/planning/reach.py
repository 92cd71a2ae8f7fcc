"""What shows through what: a view that a run leaves alone still shows what the run makes of the tables below it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from leapsql_core.models import Project, Trace

_NOTHING: frozenset[str] = frozenset()


def chosen_behind(project: Project, traces: Mapping[str, Trace], chosen: Collection[str]) -> dict[str, frozenset[str]]:
    """Return for each node and source which chosen nodes a reader of it reads.

    Itself, if it is chosen; else, if it is a view, what its own inputs show; else nothing.
    """
    behind: dict[str, frozenset[str]] = dict.fromkeys(project.sources, _NOTHING)
    for path, node in project.nodes.items():
        trace = traces.get(path)
        if path in chosen:
            behind[path] = frozenset({path})
        elif node.materialized == "view" or (trace is not None and trace.materialized == "view"):
            behind[path] = _NOTHING.union(*(behind[entry.name] for entry in node.inputs))
        else:
            behind[path] = _NOTHING
    return behind
