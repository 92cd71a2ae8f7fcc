"""Building one model: its relation, its tests, its versions and its marker, in one transaction of the warehouse."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event as Flag

from leapsql_core.errors import LeapSQLError
from leapsql_core.models import (
    BuildMode,
    Column,
    ColumnSet,
    DataTest,
    DataTestResult,
    Model,
    Node,
    Relation,
    Seed,
)
from leapsql_core.protocols import DataVersions, Marker, Warehouse, WarehouseTransaction

_SAMPLE = 5


class TestsFailed(LeapSQLError):
    """A test of severity ``error`` failed; what was built is rolled back."""

    __test__ = False

    def __init__(self, results: Sequence[DataTestResult]) -> None:
        self.results = tuple(results)
        failed = [result for result in results if not result.passed and result.test.severity == "error"]
        super().__init__("; ".join(map(describe_failure, failed)))


class Cancelled(LeapSQLError):
    """The run was cancelled while the model was being built."""


@dataclass(frozen=True, slots=True)
class Job:
    """One model to build, or only to test, with all that it takes.

    ``existing`` is what stands under the relation's name now. ``render`` gives the query to run, or a seed's file,
    late, for it may hold values of the run. ``stands`` tells whether that file is the one that the project was read
    with. ``tested`` pairs each test with the relation that it refers to.
    """

    node: Node
    mode: BuildMode
    builds: bool
    existing: str | None
    render: Callable[[], str]
    stands: Callable[[], bool]
    tested: tuple[tuple[DataTest, Relation | None], ...]
    column_sets: tuple[ColumnSet, ...]
    marker: Marker


@dataclass(frozen=True, slots=True)
class Built:
    """What a build made. ``versions`` follow the job's column sets; milliseconds."""

    rows_affected: int | None
    row_count: int | None
    columns: tuple[Column, ...]
    versions: tuple[str | None, ...]
    tests: tuple[DataTestResult, ...]
    sql: str | None
    execution_ms: int
    render_ms: int


def build(job: Job, warehouse: Warehouse, *, cancelled: Flag) -> Built:
    """Do `job`; the relation is replaced, tested and marked, or nothing of it has happened.

    Raises:
        TestsFailed: a test of severity ``error`` failed.
        Cancelled: `cancelled` was set before the commit.
        WarehouseError: the warehouse refused a statement.
        ProjectError: the template fails with the values of this run.
    """
    try:
        return _build(job, warehouse, cancelled)
    except TestsFailed:
        raise
    except LeapSQLError as exc:
        # What fails now was most likely interrupted, and no fault of the model.
        if cancelled.is_set():
            raise Cancelled("the run was cancelled") from exc
        raise


def _build(job: Job, warehouse: Warehouse, cancelled: Flag) -> Built:
    began = time.perf_counter()
    text = job.render() if job.builds else ""
    rendered = time.perf_counter()
    relation, is_view = job.node.relation, job.node.materialized == "view"
    taken = DataVersions(0, ())
    rows: int | None = None
    with warehouse.transaction() as transaction:
        _go_on(cancelled)
        if job.builds:
            rows = _make(transaction, job, text)
            _go_on(cancelled)
        columns = transaction.columns(relation)
        tests = _test(transaction, job, cancelled)
        if job.builds:
            if not is_view:
                taken = transaction.data_versions(relation, job.column_sets)
                _go_on(cancelled)
            transaction.mark(job.marker, kind="view" if is_view else "table")
        _go_on(cancelled)
    return Built(
        rows_affected=rows,
        row_count=taken.rows if taken.versions else None,
        columns=columns,
        versions=taken.versions,
        tests=tests,
        sql=text if job.builds and isinstance(job.node, Model) else None,
        execution_ms=_milliseconds(rendered),
        render_ms=round((rendered - began) * 1000),
    )


def _go_on(cancelled: Flag) -> None:
    if cancelled.is_set():
        raise Cancelled("the run was cancelled")


def _make(transaction: WarehouseTransaction, job: Job, text: str) -> int | None:
    node, relation = job.node, job.node.relation
    if isinstance(node, Seed):
        rows = transaction.load_seed(relation, text, existing=job.existing)
        if not job.stands():
            raise LeapSQLError("the file changed while it was loaded", mend="Run again.")
        return rows
    if node.materialized == "view":
        transaction.replace_view(relation, text, existing=job.existing)
        return None
    if job.mode == "incremental":
        return transaction.apply_batch(relation, text, unique_key=node.config.unique_key, how=node.config.incremental)
    return transaction.replace_table(relation, text, existing=job.existing)


def _test(transaction: WarehouseTransaction, job: Job, cancelled: Flag) -> tuple[DataTestResult, ...]:
    results: list[DataTestResult] = []
    for test, to in job.tested:
        results.append(transaction.run_test(job.node.relation, test, to=to, sample=_SAMPLE))
        _go_on(cancelled)
    if any(not result.passed and result.test.severity == "error" for result in results):
        raise TestsFailed(results)
    return tuple(results)


def describe_failure(result: DataTestResult) -> str:
    """Return one failing test in words, with some of what fails it."""
    shown = "; ".join(
        ", ".join(f"{name} = {value}" for name, value in zip(result.columns, row, strict=True)) for row in result.sample
    )
    more = "" if result.failures <= len(result.sample) else "; …"
    return f"test {result.test.label} failed: {result.failures} failing ({shown}{more})"


def _milliseconds(since: float) -> int:
    return round((time.perf_counter() - since) * 1000)
