"""One run's way through its models: what becomes of each now, and what is recorded of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from threading import Event as Flag
from typing import Any, Literal

from leapsql_core.errors import LeapSQLError, ProjectError, WarehouseError
from leapsql_core.execution.building import Built, Cancelled
from leapsql_core.execution.events import ModelFinished
from leapsql_core.execution.examining import TestsFailed
from leapsql_core.execution.kept import kept_results
from leapsql_core.execution.ledger import Ledger
from leapsql_core.execution.observing import Look
from leapsql_core.execution.windows import look_into_windows
from leapsql_core.execution.workshop import RunOptions, Workshop
from leapsql_core.hashing import column_set_key
from leapsql_core.models import (
    ColumnSet,
    DataTestResult,
    Decision,
    KeptTestResult,
    Model,
    ModelRunStatus,
    Node,
    Trace,
    TraceInput,
)
from leapsql_core.planning import Observations, Plan, Stock, Texts, query_difference, settle, take_stock

End = Literal["success", "skipped", "failed", "blocked"]


@dataclass(slots=True)
class Course:
    """Where a run stands.

    ``reads_from`` names the selected nodes that each one reads, ``tests_read`` those that only its tests read; views
    that were not selected are looked through. ``history`` is the id of the state, ``kept_tests`` holds what tests found
    in the current relations, by path and what they ask. ``texts`` are those of earlier builds that are not now's.
    ``adopted`` are models whose builds the state had lost. ``ends`` says how models ended, ``causes`` which failed
    model a blocked one waits for. ``seen_at_turn`` is what is known when the turn of a model comes whose partitions
    read inputs by their windows. ``unwritten`` are the writes to the state that are due.
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
    history: str
    kept_tests: Mapping[str, Mapping[str, KeptTestResult]]
    options: RunOptions
    texts: Texts
    adopted: tuple[str, ...] = ()
    ends: dict[str, End] = field(default_factory=dict)
    causes: dict[str, str] = field(default_factory=dict)
    cancelled: Flag = field(default_factory=Flag)
    seen_at_turn: dict[str, Observations] = field(default_factory=dict)
    unwritten: list[Callable[[], object]] = field(default_factory=list)

    def write_down(self) -> None:
        """Write to the state, as one, what there is to be recorded; where that fails, it stays due."""
        if self.unwritten:
            with self.shop.state.together():
                for write in self.unwritten:
                    write()
            self.unwritten.clear()

    def stock(self, node: Node) -> Stock | None:
        """Return the partitions that a node has now, ``None`` if it has none by its configuration."""
        known = self.ledger.partitions.get(node.path, ())
        return take_stock(node, known, self.look.observations, self.options.partitions)


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
    if course.options.test or not (decision.action == "check" or path in course.plan.unsettled):
        return decision
    node, trace = project.nodes[path], course.ledger.traces[path]
    found = settle(
        node,
        trace,
        course.plan.otherwise.get(path, decision),
        project=project,
        book=course.ledger.book,
        observations=observations_at_turn(course, node),
        stock=course.stock(node),
    )
    built = [name for name in course.reads_from[path] if course.ends.get(name) == "success"]
    if found.action != "skip" or not built:
        return found
    were = "was" if len(built) == 1 else "were"
    said = f"{', '.join(built)} {were} built, and gave the same in what it reads"
    return replace(found, detail=f"{found.detail}; {said}")


def observations_at_turn(course: Course, node: Node) -> Observations:
    """Return what is known when the turn of a node comes: of what its partitions read by their windows, what is new."""
    if not isinstance(node, Model) or not node.windowed:
        return course.ledger.observations
    if node.path not in course.seen_at_turn:
        known, book = course.ledger.partitions, course.ledger.book
        windows = look_into_windows(course.shop.warehouse, [node], known, book)
        course.seen_at_turn[node.path] = replace(course.ledger.observations, windows=windows)
    return course.seen_at_turn[node.path]


# --------------------------------------------------------------------------------- how a model begins, and how it ends


# What each of them records is written by `Course.write_down`, which follows before anybody is told of it.


def _note(course: Course, path: str, status: ModelRunStatus, **facts: Any) -> None:
    course.unwritten.append(partial(course.shop.state.update_model_run, course.model_runs[path], status, **facts))


def begin(course: Course, path: str, decision: Decision) -> None:
    """Record that the work on a model begins, and what it comes to by now."""
    detail = _masked(course, decision.detail)
    _note(course, path, "running", reason=decision.reason, detail=detail)


def skip(course: Course, path: str, decision: Decision, built: Built | None = None) -> ModelFinished:
    """Record that a model was not built, and return the event; `built` holds its tests if they were run."""
    course.ends[path] = "blocked" if decision.reason == "upstream_failed" else "skipped"
    if course.plan.decisions[path].action != "skip":
        took, detail = None if built is None else built.execution_ms, _masked(course, decision.detail)
        _note(course, path, "skipped", execution_ms=took, reason=decision.reason, detail=detail)
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
    _note(course, path, "failed", error=said, reason=decision.reason, detail=detail)
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
    refusal = future.exception()
    if refusal is not None:
        return _finish_unbuilt(course, node, decision, refusal)
    built = future.result()
    if decision.action == "build":
        return _succeed(course, node, decision, built)
    trace = course.ledger.traces[path]
    tests_hash = course.ledger.note_tests(node)
    kept = kept_results(node, built, course.shop)
    course.unwritten.append(partial(course.shop.state.record_tests, trace.model_run_id, tests_hash, kept))
    said = {
        "tests_changed": "its tests changed, and pass",
        "tests_requested": f"{sum(result.passed for result in built.tests)} of {len(built.tests)} pass",
    }.get(decision.reason, "its tests were run again, and pass")
    return skip(course, path, Decision(path, "skip", decision.reason, said), built)


def _finish_unbuilt(course: Course, node: Node, decision: Decision, exc: BaseException) -> ModelFinished:
    """Record that a model was not built, for whatever its thread met with, and return the event."""
    path = node.path
    if isinstance(exc, TestsFailed):
        # Masked before anything of it is put into words: of a secret cut short nobody would know that it is one.
        masked = TestsFailed(_masked_results(course, exc.results))
        return fail(course, path, decision, f"{node.file}: {masked}", tests=exc.results)
    if isinstance(exc, Cancelled):
        return skip(course, path, Decision(path, "skip", "cancelled", "the run was cancelled while it was built"))
    if isinstance(exc, LeapSQLError):
        return fail(course, path, decision, _placed(course, node, exc))
    said = f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
    return fail(course, path, decision, f"{node.file}: the work on it broke off: {said}")


def raise_unforeseen(future: Future[Built]) -> None:
    """Raise what a thread met with and nobody has foreseen, for it is a fault of the program.

    Want of memory, and what ends a thread, are none: such a model fails alone.
    """
    exc = future.exception()
    if isinstance(exc, Exception) and not isinstance(exc, LeapSQLError | MemoryError):
        raise exc


def _succeed(course: Course, node: Node, decision: Decision, built: Built) -> ModelFinished:
    path, record = node.path, built.record
    assert record is not None  # a build leaves a record
    record = replace(record, execution_ms=built.execution_ms)
    last = course.ledger.traces.get(path)
    course.ends[path] = "success"
    course.ledger.note_build(node, record)
    course.unwritten.append(partial(course.shop.state.record_build, record))
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
        moved=_moved(last, record.trace.inputs),
        difference=None if last is None else _difference(course, node, last),
        partitions=tuple(one for one in record.partitions if one.model_run_id == record.trace.model_run_id),
    )


def _moved(last: Trace | None, reads: tuple[TraceInput, ...]) -> tuple[str, ...]:
    """Return the names of what is not known to be as the last build read it; nothing if there was none."""
    if last is None:
        return ()
    versions = {(entry.name, column_set_key(entry.columns)): entry.data_version for entry in last.inputs}
    return tuple(
        entry.name
        for entry in reads
        if entry.data_version is None or versions.get((entry.name, column_set_key(entry.columns))) != entry.data_version
    )


def _difference(course: Course, node: Node, last: Trace) -> str | None:
    secrets = course.shop.project.secrets
    return query_difference(
        node, last, texts=course.texts, secrets=secrets, name_before="built last", name_now="built now"
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
