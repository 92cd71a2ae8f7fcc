"""The work that a decision asks for: what it takes, what it may not touch, and what is kept of it."""

from __future__ import annotations

from dataclasses import replace

from leapsql_core.errors import WarehouseError
from leapsql_core.execution.building import Built, Job
from leapsql_core.execution.claims import refusal_of
from leapsql_core.execution.course import Course
from leapsql_core.execution.examining import Examination
from leapsql_core.execution.kept import kept_results
from leapsql_core.execution.ledger import record_of
from leapsql_core.execution.observing import take_source_versions
from leapsql_core.models import Decision, Model, Node, Source, Trace, TraceInput
from leapsql_core.planning import data_test_basis, data_test_hash, is_file, reads_order, version_key
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
        return record_of(
            draft,
            built,
            node=node,
            project=shop.project,
            inputs=_as_they_were_read(course, node, draft.inputs),
            column_sets=course.column_sets[path],
            tests=kept_results(node, built, shop, tested_at=began),
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
    seen = course.ledger.relations.get(source.relation.key)
    is_at_home = source.steady if source.relation.foreign else seen is not None and seen.kind == "table"
    return not is_at_home and _version_now(course, source, node, entry) != entry.data_version


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
