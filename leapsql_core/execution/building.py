"""Building one model: its relation, its tests, its versions and its marker, in one transaction of the warehouse."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from threading import Event as Flag

from leapsql_core.compilation import columns_of
from leapsql_core.errors import LeapSQLError, TestsTangledError
from leapsql_core.execution.examining import Examination, TestsFailed, examine
from leapsql_core.execution.marking import write_record
from leapsql_core.execution.parts import Parts
from leapsql_core.hashing import fingerprint
from leapsql_core.models import (
    BuildMode,
    Column,
    ColumnSet,
    DataTestResult,
    Model,
    Node,
    Relation,
    Seed,
)
from leapsql_core.names import fold
from leapsql_core.planning import all_in_order
from leapsql_core.protocols import Build, DataVersions, Marker, Warehouse, WarehouseTransaction


class Cancelled(LeapSQLError):
    """The run was cancelled while the model was being built."""


@dataclass(frozen=True, slots=True)
class Job:
    """One model to build, or only to test, with all that it takes.

    ``existing`` is what stands under the relation's name now. ``render`` gives the query to run, or a seed's file,
    late, for it may hold values of the run. ``stands`` tells whether that file is the one that the project was read
    with. ``rows_version`` is the version of the rows where no build takes one. ``record`` gives what is to be kept of
    the build; it is asked within the transaction, in the thread that builds. ``marked`` is the relation as the marker
    that stands now spells it. ``parts`` are what a build of partitions takes beside the query, which then holds
    placeholders.
    """

    node: Node
    mode: BuildMode
    builds: bool
    existing: str | None
    render: Callable[[], str]
    stands: Callable[[], bool]
    examinations: tuple[Examination, ...]
    rows_version: str | None
    column_sets: tuple[ColumnSet, ...]
    marker: Marker
    marked: Relation | None
    record: Callable[[Built], Build]
    parts: Parts | None = None


@dataclass(frozen=True, slots=True)
class Built:
    """What a build made. ``versions`` follow the job's column sets, ``bases`` and ``tests`` its tests; milliseconds.

    A basis is what a result rests on, the rows among it, ``None`` if nobody can tell. ``in_order`` is the version of
    all that a seed holds, in the order of its rows. ``partitions`` are the versions of those that were built, by key;
    ``windows`` those of what they read in their windows, by input and key.
    """

    rows_affected: int | None
    row_count: int | None
    columns: tuple[Column, ...]
    versions: tuple[str | None, ...]
    tests: tuple[DataTestResult, ...]
    bases: tuple[str | None, ...]
    sql: str | None
    execution_ms: int
    render_ms: int
    in_order: str | None = None
    record: Build | None = None
    partitions: Mapping[str, str] = field(default_factory=dict)
    windows: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def build(job: Job, warehouse: Warehouse, *, cancelled: Flag) -> Built:
    """Do `job`; the relation is replaced, tested and marked, or nothing of it has happened.

    Raises:
        TestsFailed: a test of severity ``error`` failed.
        Cancelled: `cancelled` was set before the commit.
        WarehouseError: the warehouse refused a statement.
        ProjectError: the template fails with the values of this run.
    """
    try:
        try:
            return _build(job, warehouse, cancelled)
        except TestsTangledError:
            # The transaction is gone. Once more: one by one, each test says what is wrong with it.
            return _build(job, warehouse, cancelled, one_by_one=True)
    except TestsFailed:
        raise
    except LeapSQLError as exc:
        # What fails now was most likely interrupted, and no fault of the model.
        if cancelled.is_set():
            raise Cancelled("the run was cancelled") from exc
        raise


def _build(job: Job, warehouse: Warehouse, cancelled: Flag, *, one_by_one: bool = False) -> Built:
    began = time.perf_counter()
    text = job.render() if job.builds else ""
    rendered = time.perf_counter()
    relation, is_view = job.node.relation, job.node.materialized == "view"
    sets = job.column_sets
    taken = DataVersions(0, ())
    rows: int | None = None
    with warehouse.transaction() as transaction:
        _go_on(cancelled)
        windows = {} if job.parts is None else job.parts.windows(transaction)
        if job.builds:
            rows = _make(transaction, job, text)
            _go_on(cancelled)
        columns = transaction.columns(relation)
        if job.builds and not is_view:
            in_order = (all_in_order(columns),) if isinstance(job.node, Seed) else ()
            taken = transaction.data_versions(relation, (*sets, *in_order))
            _go_on(cancelled)
        bases = _bases(job, taken)
        own = {} if job.parts is None else job.parts.versions(transaction)
        _go_on(cancelled)
        built = Built(
            rows_affected=rows,
            row_count=taken.rows if taken.versions else None,
            columns=columns,
            versions=taken.versions[: len(sets)],
            tests=examine(
                transaction,
                job.node,
                job.examinations,
                bases,
                one_by_one=one_by_one,
                go_on=lambda: _go_on(cancelled),
            ),
            bases=bases,
            sql=_shown(job, text) if job.builds and job.mode != "adopt" and isinstance(job.node, Model) else None,
            execution_ms=0,
            render_ms=round((rendered - began) * 1000),
            in_order=next(iter(taken.versions[len(sets) :]), None),
            partitions=own,
            windows=windows,
        )
        if job.builds:
            record = replace(job.record(built), execution_ms=_milliseconds(rendered))
            built = replace(built, record=record)
            kind = "view" if is_view else "table"
            transaction.mark(job.marker, kind=kind, record=write_record(record), replaces=job.marked)
        _go_on(cancelled)
    return replace(built, execution_ms=_milliseconds(rendered))


def _go_on(cancelled: Flag) -> None:
    if cancelled.is_set():
        raise Cancelled("the run was cancelled")


def _make(transaction: WarehouseTransaction, job: Job, text: str) -> int | None:
    node, relation = job.node, job.node.relation
    if job.mode == "adopt":
        _check_columns(transaction, node)
        return None
    if isinstance(node, Seed):
        rows = transaction.load_seed(relation, text, existing=job.existing)
        if not job.stands():
            raise LeapSQLError("the file changed while it was loaded", mend="Run again.")
        return rows
    if node.materialized == "view":
        transaction.replace_view(relation, text, existing=job.existing)
        return None
    if job.parts is not None:
        what = job.parts.replacement(text, anew=job.mode == "full")
        how, unique_key = node.config.incremental, node.config.unique_key
        return transaction.replace_partitions(relation, what, existing=job.existing, unique_key=unique_key, how=how)
    if job.mode == "incremental":
        return transaction.apply_batch(relation, text, unique_key=node.config.unique_key, how=node.config.incremental)
    return transaction.replace_table(relation, text, existing=job.existing)


def _shown(job: Job, text: str) -> str:
    """Return the query as it ran; of partitions that of the first."""
    slices = () if job.parts is None else job.parts.replacement(text, anew=False).slices
    return slices[0].query if slices else text


def _check_columns(transaction: WarehouseTransaction, node: Node) -> None:
    """Refuse to adopt a table that is certainly not what the query makes: its columns have other names."""
    made = columns_of(node)
    if made is None:
        return
    there = [column.name for column in transaction.columns(node.relation)]
    if [fold(name) for name in there] != [fold(name) for name in made]:
        cause = f"{node.relation} has the columns {', '.join(there)}, and the model makes {', '.join(made)}"
        raise LeapSQLError(cause, mend="Rename what is there, or let a run build it.")


def _bases(job: Job, taken: DataVersions) -> tuple[str | None, ...]:
    """Return what the result of each test rests on: the rows of its model, and what it reads elsewhere."""
    versions = dict(zip(job.column_sets, taken.versions, strict=False))
    rows = versions.get(None, job.rows_version)
    return tuple(
        None if rows is None or one.basis is None else fingerprint([rows, one.basis]) for one in job.examinations
    )


def _milliseconds(since: float) -> int:
    return round((time.perf_counter() - since) * 1000)
