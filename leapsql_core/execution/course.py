"""One run's way through its models: what becomes of each now, the work it takes, and what is recorded of it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Event as Flag
from typing import Literal

from leapsql_core.errors import LeapSQLError, ProjectError, WarehouseError
from leapsql_core.execution.building import Built, Cancelled, Job, TestsFailed
from leapsql_core.execution.events import ModelFinished
from leapsql_core.execution.ledger import Ledger
from leapsql_core.execution.observing import Look
from leapsql_core.execution.workshop import Workshop
from leapsql_core.models import ColumnSet, DataTest, DataTestResult, Decision, Model, Node, Relation, TraceInput
from leapsql_core.planning import Plan, is_file, settle
from leapsql_core.protocols import Marker
from leapsql_core.rendering import RunValues

End = Literal["success", "skipped", "failed", "blocked"]


@dataclass(slots=True)
class Course:
    """Where a run stands.

    ``reads_from`` names the selected nodes that each one reads, ``tests_read`` those that only its tests read; views
    that were not selected are looked through. ``ends`` says how models ended, ``causes`` which failed model a blocked
    one waits for; ``reads`` and ``began`` belong to builds that go on.
    """

    shop: Workshop
    plan: Plan
    look: Look
    ledger: Ledger
    model_runs: Mapping[str, str]
    column_sets: Mapping[str, tuple[ColumnSet, ...]]
    reads_from: Mapping[str, tuple[str, ...]]
    tests_read: Mapping[str, tuple[str, ...]]
    run_began: datetime
    full_refresh: bool = False
    ends: dict[str, End] = field(default_factory=dict)
    causes: dict[str, str] = field(default_factory=dict)
    reads: dict[str, tuple[TraceInput, ...]] = field(default_factory=dict)
    began: dict[str, datetime] = field(default_factory=dict)
    cancelled: Flag = field(default_factory=Flag)


def settled(course: Course, path: str) -> Decision:
    """Return what becomes of a model now that everything before it is done."""
    project, decision = course.shop.project, course.plan.decisions[path]
    for name in course.reads_from[path]:
        if course.ends.get(name) == "failed":
            course.causes[path] = name
            return Decision(path, "skip", "upstream_failed", f"{name} failed")
    for name in course.reads_from[path]:
        if course.ends.get(name) == "blocked":
            course.causes[path] = cause = course.causes[name]
            return Decision(path, "skip", "upstream_failed", f"{cause} failed, and so {name} was skipped")
    if decision.action != "check":
        return decision
    trace, otherwise = course.ledger.traces[path], course.plan.otherwise[path]
    return settle(project.nodes[path], trace, otherwise, project=project, book=course.ledger.book)


def job_for(course: Course, path: str, decision: Decision) -> Job | str:
    """Return the work that a decision asks for, or in words why it cannot be done."""
    shop, node = course.shop, course.shop.project.nodes[path]
    refusal = _refusal(course, node, decision) or _unbuilt(course, node)
    if refusal is not None:
        return f"{node.file}: {refusal}"
    course.began[path] = shop.clock()
    course.reads[path] = course.ledger.inputs_of(node)
    marker = Marker(
        node.relation,
        path,
        shop.project.environment,
        course.model_runs[path],
        node.content_hash,
        built_at=course.began[path],
    )
    last = course.ledger.traces.get(path)
    values = RunValues(course.run_began, None if last is None else last.built_at)
    seen = course.ledger.relations.get(node.relation.key)

    def render() -> str:
        if not isinstance(node, Model):
            return shop.seed_file(node)
        if node.run_values:
            return shop.render(node, values, decision.mode == "incremental").resolved
        batch = node.incremental_query if decision.mode == "incremental" else None
        return (batch or node.query).resolved

    def stands() -> bool:
        return isinstance(node, Model) or shop.seed_stands(node)

    return Job(
        node=node,
        mode=decision.mode,
        builds=decision.action == "build",
        existing=None if seen is None else seen.kind,
        render=render,
        stands=stands,
        tested=_tested(node),
        column_sets=course.column_sets[path],
        marker=marker,
    )


def _tested(node: Node) -> tuple[tuple[DataTest, Relation | None], ...]:
    return tuple(zip(node.config.tests, node.tested, strict=True)) if isinstance(node, Model) else ()


def _refusal(course: Course, node: Node, decision: Decision) -> str | None:
    """Return why a relation that stands there must not be replaced, ``None`` if it may."""
    seen = course.ledger.relations.get(node.relation.key)
    if decision.action != "build" or seen is None:
        return None
    marker, trace = course.look.markers.get(node.relation.key), course.ledger.traces.get(node.path)
    if marker is not None and marker.environment != course.shop.project.environment:
        other = marker.environment
        return (
            f"{node.relation} belongs to environment {other}: each environment needs a database or schemas of its own"
        )
    if course.full_refresh:
        return None
    is_known = trace is not None and trace.relation.casefold() == str(node.relation).casefold()
    grows = node.materialized == "incremental"
    if not is_known and (marker is None or marker.model_run_id != seen.comment):
        return f"{node.relation} exists and LeapSQL did not make it: drop it, rename the model, or use --full-refresh"
    if not is_known and grows:
        return f"{node.relation} exists, but the state does not know it: --full-refresh makes it anew"
    if decision.reason == "drifted" and grows:
        return decision.detail
    return None


def _unbuilt(course: Course, node: Node) -> str | None:
    """Return which model or seed that a node reads is not there, ``None`` if all are."""
    project, ledger = course.shop.project, course.ledger
    for name in project.parents[node.path]:
        relation = project.nodes[name].relation
        if name not in ledger.traces:
            where = project.environment
            return f"it reads {name}, which was never built in {where}; select +{node.path} to build both"
        if relation.key not in ledger.relations:
            return f"it reads {name}, but {relation} is not in the warehouse; select +{node.path} to build both"
    return None


# --------------------------------------------------------------------------------- how a model begins, and how it ends


def begin(course: Course, path: str, decision: Decision) -> None:
    """Record that the work on a model begins, and what it comes to by now."""
    course.shop.state.update_model_run(
        course.model_runs[path], "running", reason=decision.reason, detail=_masked(course, decision.detail)
    )


def skip(course: Course, path: str, decision: Decision, built: Built | None = None) -> ModelFinished:
    """Record that a model was not built, and return the event; `built` holds its tests if they were run."""
    course.ends[path] = "blocked" if decision.reason == "upstream_failed" else "skipped"
    if course.plan.decisions[path].action != "skip":
        course.shop.state.update_model_run(
            course.model_runs[path], "skipped", reason=decision.reason, detail=_masked(course, decision.detail)
        )
    trace = course.ledger.traces.get(path)
    return ModelFinished(
        node=course.shop.project.nodes[path],
        status="skipped",
        reason=decision.reason,
        detail=_masked(course, decision.detail),
        model_run_id=course.model_runs[path],
        code_version=course.plan.code_versions[path],
        data_version=None if trace is None else trace.data_version,
        tests=() if built is None else _masked_results(course, built.tests),
        execution_ms=None if built is None else built.execution_ms,
    )


def fail(
    course: Course, path: str, decision: Decision, error: str, *, tests: tuple[DataTestResult, ...] = ()
) -> ModelFinished:
    """Record that a model failed, and return the event."""
    course.ends[path] = "failed"
    said, detail = _masked(course, error), _masked(course, decision.detail)
    course.shop.state.update_model_run(
        course.model_runs[path], "failed", error=said, reason=decision.reason, detail=detail
    )
    return ModelFinished(
        node=course.shop.project.nodes[path],
        status="failed",
        reason=decision.reason,
        detail=detail,
        model_run_id=course.model_runs[path],
        code_version=course.plan.code_versions[path],
        tests=_masked_results(course, tests),
        error=said,
    )


def finish(course: Course, path: str, decision: Decision, future: Future[Built]) -> ModelFinished:
    """Record how the work on a model ended, and return the event."""
    node = course.shop.project.nodes[path]
    try:
        built = future.result()
    except TestsFailed as exc:
        return fail(course, path, decision, f"{node.file}: {exc}", tests=exc.results)
    except Cancelled:
        return skip(course, path, Decision(path, "skip", "cancelled", "the run was cancelled while it was built"))
    except LeapSQLError as exc:
        return fail(course, path, decision, _placed(course, node, exc))
    if decision.action == "build":
        return _succeed(course, node, decision, built)
    course.ledger.note_tests(node)
    trace = course.ledger.traces[path]
    course.shop.state.record_tests(trace.model_run_id, trace.tests_hash)
    said = "its tests changed, and pass" if decision.reason == "tests_changed" else "its tests were run again, and pass"
    return skip(course, path, Decision(path, "skip", decision.reason, said), built)


def _succeed(course: Course, node: Node, decision: Decision, built: Built) -> ModelFinished:
    path = node.path
    course.ends[path] = "success"
    record = course.ledger.note_build(
        node,
        built,
        model_run_id=course.model_runs[path],
        code_version=course.plan.code_versions[path],
        inputs=_as_they_were_read(course, course.reads.pop(path)),
        column_sets=course.column_sets[path],
        began=course.began.pop(path),
    )
    course.shop.state.record_build(record)
    return ModelFinished(
        node=node,
        status="success",
        reason=decision.reason,
        detail=_masked(course, decision.detail),
        model_run_id=course.model_runs[path],
        code_version=record.trace.code_version,
        data_version=record.trace.data_version,
        rows_affected=built.rows_affected,
        row_count=built.row_count,
        columns=built.columns,
        tests=_masked_results(course, built.tests),
        execution_ms=built.execution_ms,
        render_ms=built.render_ms,
        sql=None if built.sql is None else _masked(course, built.sql),
    )


def _as_they_were_read(course: Course, inputs: tuple[TraceInput, ...]) -> tuple[TraceInput, ...]:
    """Return what a build read; of files that have changed since the look nobody knows how much of it it saw."""
    return tuple(
        replace(entry, data_version=None)
        if is_file(entry) and course.shop.file_version(entry.relation) != entry.data_version
        else entry
        for entry in inputs
    )


def _placed(course: Course, node: Node, exc: LeapSQLError) -> str:
    """Return an error with the file, and the line if it is known, that it is about."""
    if isinstance(exc, ProjectError):
        return str(exc)
    line = exc.line if isinstance(exc, WarehouseError) else None
    at = course.shop.line_in_file(node, line) if line is not None and isinstance(node, Model) else None
    return f"{node.file}:{at}: {exc}" if at is not None else f"{node.file}: {exc}"


def _masked(course: Course, text: str) -> str:
    return course.shop.project.secrets.mask(text)


def _masked_results(course: Course, results: tuple[DataTestResult, ...]) -> tuple[DataTestResult, ...]:
    return tuple(
        replace(result, sample=tuple(tuple(_masked(course, value) for value in row) for row in result.sample))
        for result in results
    )
