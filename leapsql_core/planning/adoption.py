"""What the warehouse knows of builds that the state lost: whose relations those are, and whose relations are nobody's.

Each relation that was built bears the id of its model run as its comment, and a marker under the same id tells the
rest. Both were committed with its rows, so they say what really happened, whatever became of the state since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from leapsql_core.models import ObservedRelation, Project, Relation, Snapshot
from leapsql_core.planning.observations import Observations
from leapsql_core.protocols import Marker

_Relations = Mapping[tuple[str, str], ObservedRelation]
_Markers = Mapping[tuple[str, str], Marker]


@dataclass(frozen=True, slots=True, order=True)
class Orphan:
    """A relation that was built for a model, and that no model makes any more."""

    path: str
    relation: str


def markers_to_adopt(
    project: Project, snapshot: Snapshot, *, markers: _Markers, relations: _Relations, history: str | None
) -> tuple[Marker, ...]:
    """Return the markers of builds that are to be taken over into the state, in the order of the project's models.

    Those of the state's own `history` that are later than the current trace: a run was killed between its commit and
    its note, or the state is an older copy. And those of any history, of this project, where the environment has no
    trace at all: its state was lost. What is older than the trace was restored from outside, and is no build to go on
    from.
    """
    found: list[Marker] = []
    for path, node in project.nodes.items():
        marker, seen = markers.get(node.relation.key), relations.get(node.relation.key)
        if marker is None or seen is None or seen.comment != marker.model_run_id:
            continue
        if marker.model_path != path or marker.environment != snapshot.environment:
            continue
        if _is_later(marker, project, snapshot, history):
            found.append(marker)
    return tuple(found)


def _is_later(marker: Marker, project: Project, snapshot: Snapshot, history: str | None) -> bool:
    trace = snapshot.traces.get(marker.model_path)
    if marker.history != history:
        return not snapshot.traces and marker.project == project.name
    if trace is None:
        return True
    if trace.model_run_id == marker.model_run_id:
        return False
    return marker.previous == trace.model_run_id or marker.built_at > trace.built_at


def find_orphans(project: Project, snapshot: Snapshot, observations: Observations) -> tuple[Orphan, ...]:
    """Return the relations that were built in the environment and that no model makes now, sorted.

    The warehouse tells, if it was looked at: a model that moved leaves its old relation behind. Else the state does.
    What another project or state has built is not ours, nor is what the project reads as a source. A model that is left
    to another environment is made here by other builds.
    """
    left = {} if project.deferral is None else project.deferral.reads
    nodes, traces, relations = project.nodes, snapshot.traces, observations.relations
    if relations is None:
        gone = ((path, trace) for path, trace in traces.items() if path not in nodes and path not in left)
        return tuple(sorted(Orphan(path, trace.relation) for path, trace in gone))
    made = {node.relation.key for node in nodes.values()}
    read = {source.relation.key for source in project.sources.values()}
    builds = {trace.model_run_id for trace in traces.values()}
    return tuple(
        sorted(
            Orphan(marker.model_path, str(marker.relation))
            for key, marker in observations.markers.items()
            if marker.environment == snapshot.environment
            and marker.model_path not in left
            and (marker.history == observations.history or marker.model_run_id in builds)
            and key not in made
            and key not in read
            and ("", key[1]) not in read
            and is_as_marked(relations, marker.relation, marker)
        )
    )


def is_as_marked(relations: _Relations, relation: Relation, marker: Marker | None) -> bool:
    """Tell whether the relation that stands there is the one that a marker speaks of."""
    seen = relations.get(relation.key)
    return marker is not None and seen is not None and seen.comment == marker.model_run_id
