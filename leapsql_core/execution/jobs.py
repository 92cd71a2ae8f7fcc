"""The work that a decision asks for: what it takes, what it may not touch, and what is kept of it."""

from __future__ import annotations

from dataclasses import replace

from leapsql_core.errors import WarehouseError
from leapsql_core.execution.building import Built, Job
from leapsql_core.execution.claims import refusal_of
from leapsql_core.execution.course import Course, observations_at_turn
from leapsql_core.execution.examining import Examination
from leapsql_core.execution.kept import kept_results
from leapsql_core.execution.ledger import record_of
from leapsql_core.execution.observing import take_source_versions
from leapsql_core.execution.parts import partitions_after, parts_of
from leapsql_core.models import Decision, Model, Node, PartitionTrace, Relation, Source, Trace, TraceInput
from leapsql_core.names import fold
from leapsql_core.planning import (
    Stock,
    data_test_basis,
    data_test_hash,
    inputs_by_window,
    is_file,
    reads_order,
    stale_partitions,
    version_key,
)
from leapsql_core.protocols import AskedTest, Build, Marker
from leapsql_core.rendering import RunValues


def job_for(course: Course, path: str, decision: Decision) -> Job | str:
    """Return the work that a decision asks for, or in words why it cannot be done."""
    shop, node = course.shop, course.shop.project.nodes[path]
    refusal = refusal_of(course, node, decision)
    if refusal is not None:
        return f"{node.file}: {refusal}"
    began = shop.clock()
    last = course.ledger.traces.get(path)
    draft = course.ledger.draft(
        node,
        model_run_id=course.model_runs[path],
        code_version=course.plan.code_versions[path],
        inputs=course.ledger.inputs_of(node),
        began=began,
    )
    seen = course.ledger.relations.get(node.relation.key)
    stock = course.stock(node) if decision.action == "build" else None
    parts = None if stock is None or not isinstance(node, Model) else parts_of(node, stock, decision.partitions)
    stands = _standing(course, node, last, stock, decision)
    marked = course.look.observations.markers.get(node.relation.key)
    values = RunValues(course.run_began, None if last is None else last.built_at)

    def render() -> str:
        if not isinstance(node, Model):
            return shop.seed_file(node)
        if node.run_values:
            return shop.render(node, values, decision.mode == "incremental").resolved
        batch = node.incremental_query if decision.mode == "incremental" else None
        return (batch or node.query).resolved

    def record(built: Built) -> Build:
        inputs = _as_they_were_read(course, node, draft.inputs)
        return record_of(
            draft,
            built,
            node=node,
            project=shop.project,
            inputs=inputs,
            column_sets=course.column_sets[path],
            tests=kept_results(node, built, shop, tested_at=began),
            partitions=() if parts is None else partitions_after(parts, built, replace(draft, inputs=inputs), stands),
        )

    return Job(
        node=node,
        mode=decision.mode,
        builds=decision.action == "build",
        existing=None if seen is None else seen.kind,
        render=render,
        stands=lambda: isinstance(node, Model) or shop.seed_stands(node),
        examinations=_examinations(course, node),
        rows_version=_rows_version(course, node, draft, decision),
        column_sets=course.column_sets[path],
        marker=_marker(course, node, draft, last),
        marked=None if marked is None else marked.relation,
        record=record,
        parts=parts,
    )


def _standing(
    course: Course, node: Node, last: Trace | None, stock: Stock | None, decision: Decision
) -> tuple[PartitionTrace, ...]:
    """Return the partitions that a build leaves as they are, and what they are known to have read.

    Those that need no build have read what their inputs hold now, as far as it counts for them.
    """
    if stock is None or last is None or not isinstance(node, Model) or decision.mode == "full":
        return ()
    project, book, observations = course.shop.project, course.ledger.book, observations_at_turn(course, node)
    stale = stale_partitions(node, last, stock, project=project, book=book, observations=observations)
    return tuple(
        one if one.key in stale else replace(one, inputs=inputs_by_window(node, one, book, observations))
        for one in stock.known
    )


def _marker(course: Course, node: Node, draft: Trace, last: Trace | None) -> Marker:
    return Marker(
        node.relation,
        node.path,
        draft.environment,
        draft.model_run_id,
        draft.content_hash,
        built_at=draft.built_at,
        history=course.history,
        previous=None if last is None else last.model_run_id,
        project=course.shop.project.name,
    )


def _rows_version(course: Course, node: Node, draft: Trace, decision: Decision) -> str | None:
    """Return the version of the rows of what is only tested, or shows the rows of others."""
    if node.materialized == "view" and decision.action != "build":
        return course.ledger.book.version(node.path, None)
    if node.materialized == "view":
        return draft.data_version
    return None if decision.action == "build" else course.ledger.traces[node.path].data_version


def _examinations(course: Course, node: Node) -> tuple[Examination, ...]:
    if not isinstance(node, Model):
        return ()
    kept, book = course.kept_tests.get(node.path, {}), course.ledger.book
    usual = course.shop.project.sample_limit
    found: list[Examination] = []
    for test, to in zip(node.config.tests, node.tested, strict=True):
        basis = data_test_basis(node, test, to, book=book, observations=course.look.observations)
        asked = AskedTest(test, to, usual if test.limit is None else test.limit)
        found.append(Examination(asked, basis, kept.get(data_test_hash(test, to))))
    return tuple(found)


def _as_they_were_read(course: Course, node: Node, inputs: tuple[TraceInput, ...]) -> tuple[TraceInput, ...]:
    """Return what a build read; of what has moved since the look nobody knows how much of it it saw."""
    return tuple(replace(entry, data_version=None) if _has_moved(course, node, entry) else entry for entry in inputs)


def _has_moved(course: Course, node: Node, entry: TraceInput) -> bool:
    """Tell whether a file, or a source that is no table of this database, is not what was looked at.

    No other process can write to the tables of the database while this one has it open.
    """
    if is_file(entry):
        return course.shop.file_version(entry.relation) != entry.data_version
    source = course.shop.project.sources.get(entry.name)
    if source is None or entry.data_version is None or node.materialized == "view" or source.config.version == "never":
        return False
    return not _is_at_home(course, source) and _version_now(course, source, node, entry) != entry.data_version


def _is_at_home(course: Course, source: Source) -> bool:
    """Tell whether a source is a table of this database, or one that nobody can write to meanwhile.

    Without a schema the name means what the search path finds: the table in `main`, unless a setting says otherwise.
    """
    relation = source.relation
    if relation.foreign:
        return source.steady
    if not relation.schema:
        if {"schema", "search_path"} & {fold(name) for name in course.shop.project.target.settings}:
            return False
        relation = Relation("main", relation.name)
    seen = course.ledger.relations.get(relation.key)
    return seen is not None and seen.kind == "table"


def _version_now(course: Course, source: Source, node: Node, entry: TraceInput) -> str | None:
    """Return the version of a source as it is now, seen from beside the build."""
    ordered, sets = reads_order(node), [entry.columns]
    try:
        with course.shop.warehouse.transaction() as transaction:
            columns = transaction.columns(source.relation)
            found = take_source_versions(transaction, source, columns, [] if ordered else sets, sets if ordered else [])
    except WarehouseError:
        return None
    return found.get((source.name, version_key(entry.columns, ordered=ordered)))
