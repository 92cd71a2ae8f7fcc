"""The warehouse and its transactions, with the records that they take and return."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from leapsql_core.models import (
    Column,
    ColumnSet,
    DataTest,
    DataTestResult,
    IncrementalConfig,
    ObservedRelation,
    Partition,
    Relation,
)


@dataclass(frozen=True, slots=True)
class AskedTest:
    """A test to run: the relation that it refers to, if any, and how many failures to show at most."""

    test: DataTest
    to: Relation | None = None
    sample: int = 5


@dataclass(frozen=True, slots=True)
class Marker:
    """What the warehouse itself keeps about one relation: who made it, in which environment, from what.

    ``history`` is the id of the state that the build was recorded in, ``previous`` the model run of the trace that was
    current before it, ``project`` the project's name.
    """

    relation: Relation
    model_path: str
    environment: str
    model_run_id: str
    content_hash: str
    built_at: datetime
    history: str
    previous: str | None
    project: str


@dataclass(frozen=True, slots=True)
class DataVersions:
    """Row count of a relation, and its version on each column set asked for, in their order.

    A version is ``None`` where values of a column cannot be compared exactly: it then counts as changed.
    """

    rows: int
    versions: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """A query, and the partitions that its rows belong to; rows of others are passed over or, if `strict`, refused."""

    query: str
    partitions: tuple[Partition, ...]
    strict: bool


@dataclass(frozen=True, slots=True)
class Replacement:
    """Partitions to replace in a table, told apart by ``column``.

    ``slices`` yield their new rows; those of ``gone`` are taken away. ``anew`` makes the table itself anew. ``shape``
    is a query that yields its columns, whatever its rows.
    """

    slices: tuple[Slice, ...]
    gone: tuple[Partition, ...]
    column: str
    anew: bool
    shape: str


class WarehouseTransaction(Protocol):
    """One transaction: all of it is committed, or nothing. Every method raises `WarehouseError` when refused."""

    def load_seed(self, relation: Relation, file: str, *, existing: str | None) -> int:
        """Replace `relation` by the rows of a CSV file, typed by the engine; the number of rows."""

    def replace_table(self, relation: Relation, query: str, *, existing: str | None) -> int:
        """Replace `relation`, which is now a ``table``, a ``view`` or nothing, by a table; the number of rows."""

    def replace_view(self, relation: Relation, query: str, *, existing: str | None) -> None:
        """Replace `relation`, which is now a ``table``, a ``view`` or nothing, by a view."""

    def apply_batch(self, relation: Relation, query: str, *, unique_key: Sequence[str], how: IncrementalConfig) -> int:
        """Apply the rows of `query` to a table; the number of rows in the batch."""

    def replace_partitions(
        self,
        relation: Relation,
        what: Replacement,
        *,
        existing: str | None,
        unique_key: Sequence[str],
        how: IncrementalConfig,
    ) -> int:
        """Replace partitions of a table by the rows of queries; the number of rows."""

    def window_versions(
        self, relation: Relation, column: str, partitions: Sequence[Partition], columns: ColumnSet
    ) -> Mapping[str, str]:
        """Take the versions of the rows in the windows of partitions, by key, in one scan.

        Those that cannot be told exactly are left out, and so are all if the column does not tell windows apart.
        """

    def columns(self, relation: Relation) -> tuple[Column, ...]:
        """Return the columns of a relation, in order."""

    def query_columns(self, query: str) -> tuple[Column, ...]:
        """Return the columns that a query yields, in order; nothing of it is computed."""

    def run_tests(
        self, relation: Relation, asked: Sequence[AskedTest], *, key: Sequence[str] = ()
    ) -> tuple[DataTestResult, ...]:
        """Run tests of a relation, as many of several as can be in one pass over its rows, and return their results.

        `key` are columns that tell its rows apart. `TestsTangledError`: they have to be run one by one; one of them
        alone never raises it.
        """

    def data_versions(self, relation: Relation, column_sets: Sequence[ColumnSet]) -> DataVersions:
        """Take the row count and the versions of column sets, in one scan; names that are not there are passed over."""

    def greatest(self, relation: Relation, column: str) -> tuple[int, str | None]:
        """Return the row count and the greatest value of a column as text."""

    def mark(self, marker: Marker, *, kind: str, record: str, replaces: Relation | None) -> None:
        """Write the marker of a ``table`` or ``view``, and the id of its model run as the relation's comment.

        `record` is the whole `Build` as text, for a state that has lost it. `replaces` is the relation as the marker
        that stood before spelled it, ``None`` if there was none: then none is looked for.
        """

    def disown(self, relation: Relation, *, kind: str) -> None:
        """Take marker and comment away from a ``table`` or ``view``; its rows stay."""

    def drop(self, relation: Relation, *, kind: str) -> None:
        """Drop a ``table`` or ``view`` with its marker."""


class Warehouse(Protocol):
    """A database that models are built in. Every method raises `WarehouseError` when refused."""

    def close(self) -> None:
        """Let go of the database; closing twice is fine."""

    def relations(self) -> Mapping[tuple[str, str], ObservedRelation]:
        """Return every table and view by `Relation.key`."""

    def markers(self) -> Mapping[tuple[str, str], Marker]:
        """Return the markers by `Relation.key`; none in a database that was never built in."""

    def records(self, model_run_ids: Iterable[str]) -> Mapping[str, str]:
        """Return what markers hold of whole builds, by model run; unknown ones are left out."""

    def files(self, pattern: str) -> tuple[str, ...] | None:
        """Return the paths of the files that a name or pattern in a query means; ``None`` if they are not local."""

    def macros(self) -> Mapping[str, str | None]:
        """Return the versions of the macros that the database defines, by name in small letters.

        ``None`` for one whose definition is not all that decides what it comes to.
        """

    def types(self) -> Mapping[str, str]:
        """Return the versions of the types that the database defines, by name in small letters."""

    def functions(self, called: Collection[str]) -> Mapping[str, bool]:
        """Return of what extensions brought, by name, whether the arguments alone decide what it answers.

        `called` are the names, in small letters, of the functions that are asked about.
        """

    def prepare(self, schemas: Iterable[str]) -> None:
        """Make schemas, and room for markers, where they are missing."""

    def transaction(self) -> AbstractContextManager[WarehouseTransaction]:
        """Begin a transaction, one per thread: committed when the block ends, rolled back when it raises."""

    def interrupt(self) -> None:
        """Make every statement that is running now fail, in all threads."""
