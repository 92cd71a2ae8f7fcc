"""What the state remembers of the warehouse, in the form of what would be seen there: for deciding without a look."""

from __future__ import annotations

from collections.abc import Mapping

from leapsql_core.models import Column, Model, ObservedRelation, Project, Snapshot
from leapsql_core.planning.observations import Observations
from leapsql_core.planning.surroundings import remembered_surroundings
from leapsql_core.planning.versions import reads_order, version_key


def remembered(project: Project, snapshot: Snapshot, *, settings: Mapping[str, str]) -> Observations:
    """Return observations as if nobody had touched the warehouse, nor anything outside, since the latest builds.

    Relations stand as they were built, a source is as the latest build that read it found it. What no build has told
    is left out, and stays unknown.
    """
    source_versions: dict[tuple[str, str], str | None] = {}
    source_columns: dict[str, tuple[Column, ...]] = {}
    traces = sorted(snapshot.traces.values(), key=lambda trace: (trace.built_at, trace.model_run_id))
    for trace in traces:
        node = project.nodes.get(trace.model_path)
        for entry in trace.inputs:
            if entry.name not in project.sources:
                continue
            if entry.seen is not None:
                source_columns[entry.name] = entry.seen
            if isinstance(node, Model) and trace.materialized != "view":
                key = version_key(entry.columns, ordered=reads_order(node))
                source_versions[(entry.name, key)] = entry.data_version
    around = remembered_surroundings(project, traces)
    return Observations(
        relations={
            node.relation.key: ObservedRelation(
                "view" if snapshot.traces[path].materialized == "view" else "table", snapshot.traces[path].model_run_id
            )
            for path, node in project.nodes.items()
            if path in snapshot.traces
        },
        source_versions=source_versions,
        source_columns=source_columns,
        settings=settings,
        files=around.files,
        macros=around.macros,
        types=around.types,
        remembered=True,
    )
