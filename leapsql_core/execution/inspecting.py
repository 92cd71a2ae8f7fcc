"""Looking at the rows themselves: whether tables still hold what their builds have put there."""

from __future__ import annotations

from collections.abc import Iterator

from leapsql_core.models import ObservedRelation, Project, Snapshot
from leapsql_core.planning import Finding, Observations
from leapsql_core.protocols import Warehouse


def stream_edited(
    project: Project, warehouse: Warehouse, snapshot: Snapshot, observations: Observations
) -> Iterator[Finding]:
    """Take the data versions of all tables that stand as they were built, and yield those that differ, parents first.

    A table whose version could not be taken when it was built is passed over.

    Raises:
        WarehouseError: a table cannot be read.
    """
    for path, node in project.nodes.items():
        trace = snapshot.traces.get(path)
        seen: ObservedRelation | None = (observations.relations or {}).get(node.relation.key)
        if trace is None or seen is None or seen.comment != trace.model_run_id or trace.data_version is None:
            continue
        if trace.materialized == "view":
            continue
        with warehouse.transaction() as transaction:
            [version] = transaction.data_versions(node.relation, [None]).versions
        if version != trace.data_version:
            detail = "its rows or columns are not those that were built: they were changed from outside"
            mend = "--repair marks it as drifted: the next run builds it, or leaves an incremental one to you."
            yield Finding("edited", path, trace.relation, detail, mend)
