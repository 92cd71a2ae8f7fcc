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
from leapsql_core.models import ColumnSet, Node, ObservedRelation, Project, Snapshot, Trace, TraceInput
from leapsql_core.planning import VersionBook, surroundings_of, tests_version
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
        self.data_versions: dict[str, Mapping[str, str]] = dict(with_versions(snapshot, taken).data_versions)
        live = replace(look.observations, relations=self.relations)
        self.book = VersionBook(project, self.traces, self.data_versions, live, rewritten=self.rewritten)

    def inputs_of(self, node: Node) -> tuple[TraceInput, ...]:
        """Return the inputs of a node as a build that begins now reads them."""
        read = [
            TraceInput(
                name=entry.name,
                relation=str(entry.relation),
                columns=entry.columns,
                data_version=self.book.read_version(node, entry.name, entry.columns),
                seen=self._seen.source_columns.get(entry.name),
            )
            for entry in node.inputs
        ]
        return (*read, *surroundings_of(node, self._seen, self._project.secrets))

    def note_tests(self, node: Node) -> None:
        """Note in the current trace of a node that its tests pass on what is there now."""
        self.traces[node.path] = replace(self.traces[node.path], tests_hash=tests_version(node, self.book))

    def note_build(
        self,
        node: Node,
        built: Built,
        *,
        model_run_id: str,
        code_version: str,
        inputs: tuple[TraceInput, ...],
        column_sets: tuple[ColumnSet, ...],
        began: datetime,
    ) -> Build:
        """Make the build's trace the current one, and return what the state is to record of it."""
        versions = {
            column_set_key(columns): version
            for columns, version in zip(column_sets, built.versions, strict=False)
            if version is not None
        }
        self.data_versions[model_run_id] = versions
        trace = Trace(
            model_run_id=model_run_id,
            model_path=node.path,
            environment=self._project.environment,
            materialized=node.materialized,
            relation=str(node.relation),
            content_hash=node.content_hash,
            code_version=code_version,
            query_hash=query_hash(node, self._project) or node.content_hash,
            incremental_query_hash=batch_hash(node, self._project),
            data_version=versions.get("*"),
            columns=built.columns,
            tests_hash="",
            inputs=inputs,
            built_at=began,
        )
        kind: Literal["table", "view"] = "view" if node.materialized == "view" else "table"
        self.relations[node.relation.key] = ObservedRelation(kind, model_run_id)
        self.rewritten.discard(node.path)
        self.traces[node.path] = trace
        # A view has its version, and its tests theirs, from what is known once it stands.
        data_version = self.book.version(node.path, None) if kind == "view" else trace.data_version
        trace = replace(trace, data_version=data_version, tests_hash=tests_version(node, self.book))
        self.traces[node.path] = trace
        return Build(
            trace=trace,
            code=code_of(node, self._project),
            texts=texts_of(node, self._project),
            data_versions=versions,
            rows_affected=built.rows_affected,
            execution_ms=built.execution_ms,
            render_ms=built.render_ms,
        )
