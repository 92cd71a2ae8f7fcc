"""Where state and warehouse disagree: what one says of the other that is not so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Literal

from leapsql_core.models import Node, Project, Run, Snapshot, Trace
from leapsql_core.names import fold
from leapsql_core.planning.adoption import find_orphans, is_as_marked
from leapsql_core.planning.observations import Observations
from leapsql_core.protocols import Build, Marker

#: What can be found; `docs/state.md` says what each means.
FindingKind = Literal["damaged", "open", "unrecorded", "missing", "drifted", "unmarked", "edited", "foreign", "orphan"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as the state says, and what mends it; ``mended`` if that was done."""

    kind: FindingKind
    path: str | None
    relation: str | None
    detail: str
    mend: str
    mended: bool = False


def stream_open(runs: Sequence[Run]) -> Iterator[Finding]:
    """Yield runs that were never ended though nobody goes on with them."""
    for run in runs:
        began = run.started_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        detail = f"run {run.id} of {began} was never ended, and its process is gone"
        yield Finding("open", None, None, detail, "The next run closes it, as does --repair.")


def stream_disagreements(
    project: Project, snapshot: Snapshot, observations: Observations, lost: Sequence[Build]
) -> Iterator[Finding]:
    """Yield what a look at the warehouse shows to be other than the state of one environment says, parents first.

    `snapshot` knows of the `lost` builds already, those that the warehouse has and the state does not.
    """
    unrecorded = {build.trace.model_path: build.trace for build in lost}
    for path, node in project.nodes.items():
        if path in unrecorded:
            built = unrecorded[path].built_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
            detail = f"the warehouse has a build of {built} that the state does not know"
            mend = "The next run takes it over, as does --repair."
            yield Finding("unrecorded", path, str(node.relation), detail, mend)
        else:
            yield from _compare(node, snapshot, observations)
    for orphan in find_orphans(project, snapshot, observations):
        detail = f"it was built for {orphan.path}, and no model makes it any more"
        yield Finding("orphan", orphan.path, orphan.relation, detail, "--drop-orphans drops it.")


def _compare(node: Node, snapshot: Snapshot, observations: Observations) -> Iterator[Finding]:
    trace, relations = snapshot.traces.get(node.path), observations.relations or {}
    owner = _owner(node, snapshot, observations)
    if owner is not None:
        mend = f"Give each a database or schemas of its own; or `leapsql state adopt {node.path}` takes it over."
        yield Finding("foreign", node.path, str(node.relation), f"it belongs to {owner}", mend)
        return
    if trace is None or fold(trace.relation) != fold(str(node.relation)):
        return
    seen = relations.get(node.relation.key)
    if seen is None:
        mend = "The next run builds it."
        yield Finding("missing", node.path, trace.relation, "it was built and is not in the warehouse", mend)
    elif seen.comment != trace.model_run_id:
        detail = "it is not the one that was built: it was replaced, restored or altered from outside"
        yield Finding("drifted", node.path, trace.relation, detail, mend_of_drift(node))
    elif not _is_told_by(observations.markers.get(node.relation.key), trace):
        detail = "its row in _leapsql is gone or tells of something else: a state that is lost could not be read back"
        yield Finding("unmarked", node.path, trace.relation, detail, "--repair writes it anew.")


def _is_told_by(marker: Marker | None, trace: Trace) -> bool:
    """Tell whether a marker is that of the build which left a trace, whatever state that was recorded in."""
    if marker is None:
        return False
    told = (marker.model_run_id, marker.model_path, marker.environment, marker.content_hash)
    return told == (trace.model_run_id, trace.model_path, trace.environment, trace.content_hash)


def _owner(node: Node, snapshot: Snapshot, observations: Observations) -> str | None:
    """Return whose relation it is that stands where a node is built, ``None`` if it is ours or nobody's."""
    marker, trace = observations.markers.get(node.relation.key), snapshot.traces.get(node.path)
    if marker is None or not is_as_marked(observations.relations or {}, node.relation, marker):
        return None
    if marker.environment != snapshot.environment:
        return f"environment {marker.environment}"
    is_known = trace is not None and trace.model_run_id == marker.model_run_id
    if is_known or marker.history == observations.history:
        return None
    return f"another state, of the project {marker.project}"


def mend_of_drift(node: Node) -> str:
    """Return what becomes of a relation that is not the one that was built."""
    adopting = f"`leapsql state adopt {node.path}` takes it over as it stands"
    if node.materialized == "incremental":
        return f"`leapsql run {node.path} --full-refresh` makes it anew, without the rows it gathered; {adopting}."
    return f"The next run builds it; {adopting}." if node.materialized != "view" else "The next run makes it."
