"""Taking over what the warehouse knows of builds and the state does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from leapsql_core.execution.marking import read_record
from leapsql_core.execution.observing import Sight
from leapsql_core.models import Project, Snapshot
from leapsql_core.planning import Texts, markers_to_adopt
from leapsql_core.protocols import Build, StateReader, Warehouse


def lost_builds(project: Project, warehouse: Warehouse, snapshot: Snapshot, sight: Sight) -> tuple[Build, ...]:
    """Return the builds that are to be taken over into the state; see `markers_to_adopt`.

    One whose record cannot be read, or is of something else, is none: its relation counts as drifted.

    Raises:
        WarehouseError: the records cannot be read.
    """
    markers = markers_to_adopt(
        project, snapshot, markers=sight.markers, relations=sight.relations, history=sight.history
    )
    records = warehouse.records([marker.model_run_id for marker in markers]) if markers else {}
    found: list[Build] = []
    for marker in markers:
        build = read_record(records.get(marker.model_run_id, ""))
        if build is None:
            continue
        trace = build.trace
        said = (trace.model_run_id, trace.model_path, trace.environment, trace.content_hash)
        if said == (marker.model_run_id, marker.model_path, marker.environment, marker.content_hash):
            found.append(build)
    return tuple(found)


def with_builds(snapshot: Snapshot, builds: Sequence[Build]) -> Snapshot:
    """Return a snapshot in which the traces of `builds` are the current ones."""
    traces = {build.trace.model_path: build.trace for build in builds}
    versions = {build.trace.model_run_id: build.data_versions for build in builds}
    return replace(
        snapshot,
        traces=dict(sorted({**snapshot.traces, **traces}.items())),
        data_versions={**snapshot.data_versions, **versions},
        failures={path: failure for path, failure in snapshot.failures.items() if path not in traces},
    )


def remembered_build(state: StateReader, snapshot: Snapshot, path: str) -> Build:
    """Return the current build of a model as the state keeps it, whole, so that the warehouse may keep it again."""
    trace = snapshot.traces[path]
    hashes = [hash_ for hash_ in (trace.query_hash, trace.incremental_query_hash) if hash_ is not None]
    return Build(
        trace=trace,
        code=state.read_code_versions([trace.content_hash])[trace.content_hash],
        texts=state.read_texts(hashes),
        data_versions=snapshot.data_versions.get(trace.model_run_id, {}),
        tests=state.read_test_results(snapshot.environment).get(path, ()),
    )


def with_texts(texts: Texts, builds: Sequence[Build]) -> Texts:
    """Return texts that hold those of `builds` besides."""
    resolved = {hash_: text for build in builds for hash_, text in build.texts.items()}
    code = {build.code.content_hash: build.code for build in builds}
    return replace(texts, resolved={**resolved, **texts.resolved}, code={**code, **texts.code})
