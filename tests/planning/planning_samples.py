"""A world to plan in: a project as if it had been built, and what may have happened since. No database, no files."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from projects import compile_project

from leapsql_core.execution import Look
from leapsql_core.execution.building import Built
from leapsql_core.execution.ledger import Ledger, record_of
from leapsql_core.models import (
    CodeVersion,
    Column,
    ColumnSet,
    Decision,
    Failure,
    Model,
    ObservedRelation,
    Project,
    Relation,
    Snapshot,
    Trace,
)
from leapsql_core.planning import Observations, Plan, Texts, column_sets_read, plan, sets_read_in_order, version_key

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

Files = Mapping[str, str]


def columns_made(node: Any) -> tuple[Column, ...]:
    """Return the columns that a node would have, all integers."""
    if isinstance(node, Model):
        names = [column.name for column in node.lineage.columns or ()] or ["a", "b"]
    else:
        names = list(node.columns)
    return tuple(Column(name, "INTEGER") for name in names)


@dataclass
class World:
    """A project as it was built, what the state keeps of that, and what the warehouse shows now."""

    files: Files
    options: Mapping[str, Any] = field(default_factory=dict)
    traces: dict[str, Trace] = field(default_factory=dict)
    data_versions: dict[str, dict[str, str]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    code: dict[str, CodeVersion] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    relations: dict[tuple[str, str], ObservedRelation] = field(default_factory=dict)
    source_versions: dict[tuple[str, str], str | None] = field(default_factory=dict)
    source_columns: dict[str, tuple[Column, ...]] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    seeds: dict[str, str | None] = field(default_factory=dict)
    functions: dict[str, bool] = field(default_factory=dict)
    looks: bool = True

    def __post_init__(self) -> None:
        self.built_settings = dict(self.settings)
        self.look_at_sources()
        for path in self.project.nodes:
            self.build(path)

    @property
    def project(self) -> Project:
        return compile_project(self.files, **self.options)

    @property
    def snapshot(self) -> Snapshot:
        return Snapshot(self.project.environment, self.traces, self.data_versions, self.failures)

    @property
    def observations(self) -> Observations:
        if not self.looks:
            return Observations(settings=self.settings)
        return Observations(
            self.relations,
            self.source_versions,
            self.source_columns,
            self.unreadable,
            settings=self.settings,
            functions=self.functions,
        )

    def look_at_sources(self) -> None:
        """Take versions of all sources, as a run does before it decides."""
        project = self.project
        every, in_order = column_sets_read(project), sets_read_in_order(project)
        for name, source in project.sources.items():
            self.source_columns.setdefault(
                name, (Column("a", "INTEGER"), Column("b", "INTEGER"), Column("k", "INTEGER"))
            )
            if source.config.version in ("data", "column"):
                for columns in every[name]:
                    self.source_versions.setdefault((name, version_key(columns)), f"{name} as it was")
                for columns in in_order.get(name, ()):
                    self.source_versions.setdefault((name, version_key(columns, ordered=True)), f"{name} in order")

    def build(self, path: str, *, changed: Collection[str] = ()) -> None:
        """Note a build of `path` that gave other values in the columns `changed`, and the same in all others."""
        project = self.project
        node, before = project.nodes[path], self.traces.get(path)
        look = Look(replace(self.observations, relations=self.relations))
        ledger = Ledger(project, self.snapshot, look, rewritten=())
        sets = column_sets_read(project)[path]
        run = f"run of {path}" if before is None else before.model_run_id + "'"
        draft = ledger.draft(
            node,
            model_run_id=run,
            code_version=node.content_hash if before is None else before.code_version,
            inputs=ledger.inputs_of(node),
            began=NOON,
        )
        versions = tuple(self._version(before, path, one, changed) for one in sets)
        in_order = f"rows of {path}" if node.materialized == "seed" else None
        built = Built(1, 1, columns_made(node), versions, (), (), "", 1, 1, in_order)
        record = record_of(draft, built, node=node, project=project, inputs=draft.inputs, column_sets=sets, tests=())
        self.traces[path] = record.trace
        self.data_versions[run] = dict(record.data_versions)
        self.texts.update(record.texts)
        self.code[record.code.content_hash] = record.code
        self.relations[node.relation.key] = ObservedRelation(
            "view" if node.materialized == "view" else "table", record.trace.model_run_id
        )

    def _version(self, before: Trace | None, path: str, columns: ColumnSet, changed: Collection[str]) -> str:
        key = version_key(columns)
        known = {} if before is None else self.data_versions[before.model_run_id]
        old = known.get(key, f"{path} {key}")
        return old + "!" if changed and (columns is None or set(columns) & set(changed)) else old

    def edit(self, changes: Mapping[str, str | None]) -> World:
        """Change files; ``None`` deletes one."""
        files = {**self.files, **changes}
        self.files = {name: text for name, text in files.items() if text is not None}
        self.look_at_sources()
        return self

    def move_source(self, name: str, *columns: str) -> World:
        """Let the data of a source change in `columns`, or in all."""
        for (source, key), version in self.source_versions.items():
            if source == name and (not columns or key.startswith("*") or any(f'"{c}"' in key for c in columns)):
                self.source_versions[source, key] = f"{version}!"
        return self

    def plan(self, *selection: str, **options: Any) -> Plan:
        return plan(
            self.project,
            self.snapshot,
            self.observations,
            lambda *_: False,
            texts=Texts(self.texts, self.code, self.seeds),
            selection=list(selection) or None,
            **options,
        )

    def decide(self, path: str, **options: Any) -> Decision:
        return self.plan(**options).decisions[path]

    def actions(self, *selection: str, **options: Any) -> dict[str, str]:
        return {path: one.action for path, one in self.plan(*selection, **options).decisions.items()}

    def reasons(self, *selection: str, **options: Any) -> dict[str, str]:
        return {path: one.reason for path, one in self.plan(*selection, **options).decisions.items()}


def relation(path: str) -> tuple[str, str]:
    """Return the key of the relation of a model at the top of the folder."""
    return Relation("main", path).key


def incremental(query: str, *, on_query_change: str = "rebuild", key: str = "k", more: str = "") -> str:
    """Return the text of an incremental model."""
    return (
        f"/*---\nmaterialized: incremental\nunique_key: {key}\nincremental: {{on_query_change: {on_query_change}}}\n"
        f"{more}---*/\n{query}\n{{% if is_incremental() %}} where k > (select max(k) from {{{{ this }}}}) {{% endif %}}"
    )


def model(query: str, **frontmatter: str) -> str:
    """Return the text of a model with frontmatter."""
    lines = "".join(f"{name}: {value}\n" for name, value in frontmatter.items())
    return f"/*---\n{lines}---*/\n{query}\n" if lines else f"{query}\n"
