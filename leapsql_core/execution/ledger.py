"""What a run knows of traces and versions as it goes on, and the records that it makes of them for the state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Literal

from leapsql_core.execution.building import Built
from leapsql_core.execution.observing import Look, with_versions
from leapsql_core.execution.records import batch_hash, code_of, query_hash, texts_of
from leapsql_core.hashing import column_set_key
from leapsql_core.models import (
    Column,
    ColumnSet,
    KeptTestResult,
    Model,
    Node,
    ObservedRelation,
    PartitionTrace,
    Project,
    Snapshot,
    Trace,
    TraceInput,
)
from leapsql_core.planning import ALL_IN_ORDER, VersionBook, surroundings_of, tests_version
from leapsql_core.protocols import Build


class Ledger:
    """The current traces, their data versions and relations; all move on with every build.

    ``rewritten`` are nodes whose code is not the one that their trace was built from.
    """

    def __init__(self, project: Project, snapshot: Snapshot, look: Look, *, rewritten: Iterable[str]) -> None:
        """Begin with the state's `snapshot` and what a `look` at the warehouse showed since."""
        self._project, self._seen = project, look.observations
        taken = look.data_versions
        self.relations: dict[tuple[str, str], ObservedRelation] = dict(look.observations.relations or {})
        self.rewritten = set(rewritten)
        self.traces: dict[str, Trace] = dict(snapshot.traces)
        self.partitions: dict[str, tuple[PartitionTrace, ...]] = dict(snapshot.partitions)
        self.data_versions: dict[str, Mapping[str, str]] = dict(with_versions(snapshot, taken).data_versions)
        live = replace(look.observations, relations=self.relations)
        self.observations = live
        self.book = VersionBook(project, self.traces, self.data_versions, live, rewritten=self.rewritten)

    def inputs_of(self, node: Node) -> tuple[TraceInput, ...]:
        """Return the inputs of a node as a build that begins now reads them."""
        read = [
            TraceInput(
                name=entry.name,
                relation=str(entry.relation),
                columns=entry.columns,
                data_version=self.book.read_version(node, entry.name, entry.columns),
                seen=self._seen_of(entry.name),
            )
            for entry in node.inputs
        ]
        return (*read, *surroundings_of(node, self._seen, self._project.secrets))

    def _seen_of(self, name: str) -> tuple[Column, ...] | None:
        """Return the columns of an input that the compiler does not know, such as those of a source."""
        node = self._project.nodes.get(name)
        hidden = isinstance(node, Model) and node.lineage.columns is None
        return self.book.columns(name) if node is None or hidden else None

    def note_tests(self, node: Node) -> str:
        """Note in the current trace of a node that its tests pass on what is there now; return what they rest on."""
        trace = replace(self.traces[node.path], tests_hash=tests_version(node, self.book, shown={}))
        self.traces[node.path] = trace
        return trace.tests_hash

    def draft(
        self,
        node: Node,
        *,
        model_run_id: str,
        code_version: str,
        inputs: tuple[TraceInput, ...],
        began: datetime,
    ) -> Trace:
        """Return the trace of a build that begins now, but for what only the build can tell.

        A view has its version, and its tests theirs, from what it reads: that is settled before it is built.
        """
        shown: dict[str, str | None] = {}
        if isinstance(node, Model) and node.materialized == "view":
            shown[node.path] = self.book.view_version(node, None, code=code_version)
        return Trace(
            model_run_id=model_run_id,
            model_path=node.path,
            environment=self._project.environment,
            materialized=node.materialized,
            relation=str(node.relation),
            content_hash=node.content_hash,
            code_version=code_version,
            query_hash=query_hash(node, self._project) or node.content_hash,
            incremental_query_hash=batch_hash(node, self._project),
            data_version=shown.get(node.path),
            columns=(),
            tests_hash=tests_version(node, self.book, shown=shown),
            inputs=inputs,
            built_at=began,
        )

    def note_build(self, node: Node, build: Build) -> None:
        """Make the trace of a build the current one."""
        trace = build.trace
        kind: Literal["table", "view"] = "view" if node.materialized == "view" else "table"
        self.data_versions[trace.model_run_id] = build.data_versions
        self.relations[node.relation.key] = ObservedRelation(kind, trace.model_run_id)
        self.rewritten.discard(node.path)
        self.traces[node.path] = trace
        self.partitions[node.path] = build.partitions


def record_of(
    draft: Trace,
    built: Built,
    *,
    node: Node,
    project: Project,
    inputs: tuple[TraceInput, ...],
    column_sets: tuple[ColumnSet, ...],
    tests: tuple[KeptTestResult, ...],
    partitions: tuple[PartitionTrace, ...] = (),
) -> Build:
    """Return what the state is to record of a build, from its draft and what it made."""
    versions = {
        column_set_key(columns): version
        for columns, version in zip(column_sets, built.versions, strict=False)
        if version is not None
    }
    if built.in_order is not None:
        versions[ALL_IN_ORDER] = built.in_order
    data_version = draft.data_version if node.materialized == "view" else versions.get("*")
    return Build(
        trace=replace(draft, data_version=data_version, columns=built.columns, inputs=inputs),
        code=code_of(node, project),
        texts=texts_of(node, project),
        data_versions=versions,
        tests=tests,
        rows_affected=built.rows_affected,
        render_ms=built.render_ms,
        partitions=partitions,
    )
