"""One DuckDB transaction: building a relation, testing it, taking its versions, marking it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from leapsql_core.errors import TestsTangledError, WarehouseError
from leapsql_core.models import (
    Column,
    ColumnSet,
    DataTest,
    DataTestResult,
    IncrementalConfig,
    Partition,
    Relation,
)
from leapsql_core.names import fold, quote_identifier
from leapsql_core.planning import IN_ORDER
from leapsql_core.protocols import AskedTest, DataVersions, Marker, Replacement
from leapsql_core.warehouses.duckdb.batches import apply_batch
from leapsql_core.warehouses.duckdb.checking import failing_rows
from leapsql_core.warehouses.duckdb.columns import describe, describe_query, plan_of
from leapsql_core.warehouses.duckdb.connection import execute_one, refusals
from leapsql_core.warehouses.duckdb.counting import COUNTS_ROWS, one_pass
from leapsql_core.warehouses.duckdb.csv_files import READ_SEED, literal_path
from leapsql_core.warehouses.duckdb.markers import forget_marker, write_marker
from leapsql_core.warehouses.duckdb.partitions import replace_partitions, window_versions
from leapsql_core.warehouses.duckdb.versions import built_in, chosen_columns, hash_sum, hashed_column, version_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_batch_numbers = itertools.count()


class DuckDBTransaction:
    """The statements of one transaction, over a cursor that has begun it."""

    def __init__(self, cursor: DuckDBPyConnection) -> None:
        self._cursor = cursor
        self._columns: dict[str, tuple[Column, ...]] = {}

    def load_seed(self, relation: Relation, file: str, *, existing: str | None) -> int:
        """Replace `relation` by the rows of a CSV file; types are sniffed from the whole file.

        The names of the folders that it lies in are no columns.
        """
        self._begin_change(relation, existing, wanted="table")
        with refusals("the seed cannot be loaded"):
            made = self._cursor.execute(
                f"CREATE OR REPLACE TABLE {relation.sql} AS {READ_SEED}", [literal_path(file)]
            ).fetchone()
        return _count(made)

    def replace_table(self, relation: Relation, query: str, *, existing: str | None) -> int:
        """Replace `relation` by a table of the rows of `query`."""
        self._begin_change(relation, existing, wanted="table")
        with refusals(query_from=2):
            made = execute_one(self._cursor, f"CREATE OR REPLACE TABLE {relation.sql} AS\n{query}\n").fetchone()
        return _count(made)

    def replace_view(self, relation: Relation, query: str, *, existing: str | None) -> None:
        """Replace `relation` by a view of `query`."""
        self._begin_change(relation, existing, wanted="view")
        with refusals(query_from=2):
            execute_one(self._cursor, f"CREATE OR REPLACE VIEW {relation.sql} AS\n{query}\n")

    def _begin_change(self, relation: Relation, existing: str | None, *, wanted: str) -> None:
        """Drop a view where a table is wanted, or the reverse: DuckDB does not replace one by the other."""
        self._columns.clear()
        if existing is not None and existing != wanted:
            with refusals(f"the {existing} {relation} cannot be replaced by a {wanted}"):
                self._cursor.execute(f"DROP {_kind(existing)} {relation.sql}")

    def apply_batch(self, relation: Relation, query: str, *, unique_key: Sequence[str], how: IncrementalConfig) -> int:
        """Apply the rows of `query` to the table `relation`."""
        batch = Relation("main", f"leapsql_batch_{next(_batch_numbers)}", catalog="temp")
        with refusals(query_from=2):
            made = execute_one(self._cursor, f"CREATE TEMP TABLE {batch.sql} AS\n{query}\n").fetchone()
        self._columns.clear()
        apply_batch(self._cursor, batch, relation, unique_key=unique_key, how=how)
        with refusals():
            self._cursor.execute(f"DROP TABLE {batch.sql}")
        return _count(made)

    def replace_partitions(
        self,
        relation: Relation,
        what: Replacement,
        *,
        existing: str | None,
        unique_key: Sequence[str],
        how: IncrementalConfig,
    ) -> int:
        """Replace partitions of the table `relation`; all new rows are there before an old one goes."""
        batch = Relation("main", f"leapsql_batch_{next(_batch_numbers)}", catalog="temp")
        self._begin_change(relation, existing if what.anew else None, wanted="table")
        rows = replace_partitions(self._cursor, batch, relation, what, unique_key=unique_key, how=how)
        with refusals():
            self._cursor.execute(f"DROP TABLE {batch.sql}")
        return rows

    def window_versions(
        self, relation: Relation, column: str, partitions: Sequence[Partition], columns: ColumnSet
    ) -> Mapping[str, str]:
        """Take the versions of the rows in the windows of partitions, by key."""
        described = self.columns(relation)
        chosen = chosen_columns(described, columns)
        hashed = [hashed_column(one, self._read_type) for one in chosen]
        if any(one is None for one in hashed):
            return {}
        return window_versions(self._cursor, relation, described, column, partitions, chosen, [h for h in hashed if h])

    def columns(self, relation: Relation) -> tuple[Column, ...]:
        """Return names and types of the columns, in order; a type tells its collation."""
        known = self._columns.get(relation.sql)
        if known is None:
            # Within a transaction nobody else's change shows: what was asked once stands until its own next change.
            known = self._columns[relation.sql] = describe(self._cursor, relation)
        return known

    def query_columns(self, query: str) -> tuple[Column, ...]:
        """Return names and types of the columns that a query yields."""
        return describe_query(self._cursor, query)

    def run_tests(
        self, relation: Relation, asked: Sequence[AskedTest], *, key: Sequence[str] = ()
    ) -> tuple[DataTestResult, ...]:
        """Run tests, as many as can be in one pass over the rows; failing rows are shown by `key` and what is tested.

        Raises:
            TestsTangledError: the pass failed. Run one by one, each test says what is wrong with it.
            WarehouseError: a test cannot run.
        """
        columns = self.columns(relation)
        counted = self._count_in_one_pass(relation, [one.test for one in asked], columns)
        return tuple(
            self._run_test(relation, one, columns, counted.get(place), key=key) for place, one in enumerate(asked)
        )

    def _count_in_one_pass(
        self, relation: Relation, tests: Sequence[DataTest], columns: tuple[Column, ...]
    ) -> dict[int, int]:
        """Return what is counted in one pass, by the places of the tests."""
        [(collation,)] = self._cursor.execute("SELECT current_setting('default_collation')").fetchall()
        counting = one_pass(relation, tests, columns, collates=bool(collation))
        if counting is None:
            return {}
        try:
            with refusals(f"tests of {relation} cannot run side by side"):
                [counts] = execute_one(self._cursor, counting.sql, counting.parameters).fetchall()
        except WarehouseError as exc:
            raise TestsTangledError(exc.cause) from exc
        if len(counts) != len(counting.places):
            raise TestsTangledError(f"a test of {relation} stands for several")
        return dict(zip(counting.places, counts, strict=True))

    def _run_test(
        self,
        relation: Relation,
        one: AskedTest,
        columns: tuple[Column, ...],
        counted: int | None,
        *,
        key: Sequence[str],
    ) -> DataTestResult:
        """Run what of a test was not `counted` yet, and show some of what fails it."""
        if counted == 0:
            return DataTestResult(one.test, 0)
        failing = failing_rows(relation, one.test, columns, one.to, key=key)
        failures = counted if one.test.kind in COUNTS_ROWS else None
        with refusals(f"test {one.test.label} cannot run"):
            if failures is None:
                rows = execute_one(self._cursor, f"SELECT count(*) FROM ({failing.sql})", failing.parameters)
                failures = _count(rows.fetchone())
            if failures == 0 or one.sample == 0:
                return DataTestResult(one.test, failures)
            # As text, for Python has no form for some of DuckDB's values.
            showing = f"SELECT COLUMNS(*)::VARCHAR FROM ({failing.sql}) LIMIT {int(one.sample)}"
            shown = execute_one(self._cursor, showing, failing.parameters)
            names = tuple(column[0] for column in shown.description or ())
            sample = tuple(tuple("NULL" if v is None else str(v) for v in row) for row in shown.fetchall())
        return DataTestResult(one.test, failures, names, sample)

    def data_versions(self, relation: Relation, column_sets: Sequence[ColumnSet]) -> DataVersions:
        """Take the row count and the version of every column set in one scan.

        A set with `IN_ORDER` in it covers the order of the rows too, which only tables have.
        """
        columns = self.columns(relation)
        chosen = [chosen_columns(columns, column_set) for column_set in column_sets]
        ordered = [IN_ORDER in (column_set or ()) for column_set in column_sets]
        shows_order = any(ordered) and self._shows_order(relation, columns)
        needed = dict.fromkeys(column for some in chosen for column in some)
        hashed = {column: hashed_column(column, self._read_type) for column in needed}
        names = {column: f"c{number}" for number, column in enumerate(hashed)}
        sums: list[str | None] = []
        for some, in_order in zip(chosen, ordered, strict=True):
            if any(hashed[column] is None for column in some) or (in_order and not shows_order):
                sums.append(None)
            else:
                sums.append(hash_sum([*(names[column] for column in some), *(["place"] if in_order else [])]))
        number = f"{built_in('count_star')}()"
        scanned = ", ".join([number, *(expression for expression in sums if expression is not None)])
        shown = [f"{sql} AS {names[column]}" for column, sql in hashed.items() if sql is not None]
        if shows_order:
            # Rows of a table that is not committed yet are counted from another number than 0.
            first = f"(SELECT {built_in('min')}(rowid) FROM {relation.sql})"
            shown.append(f"{built_in('-')}(rowid, {first}) AS place")
        table = f"(SELECT {', '.join(shown)} FROM {relation.sql})" if shown else relation.sql
        with refusals(f"the version of {relation} cannot be taken"):
            row = self._cursor.execute(f"SELECT {scanned} FROM {table}").fetchone()
        rows, *found = row or (0,)
        hashes = iter(found)
        versions = tuple(
            None if expression is None else version_of(some, rows=rows, hashes=next(hashes), ordered=in_order)
            for some, expression, in_order in zip(chosen, sums, ordered, strict=True)
        )
        return DataVersions(rows, versions)

    def _read_type(self, kind: str) -> Any:
        import duckdb

        # Beside the transaction, which a type that cannot be read would abort.
        with self._cursor.cursor() as beside:
            try:
                return beside.sqltype(kind)
            except duckdb.Error:
                # A type of an extension, for example: it counts as one that cannot be compared.
                return None

    def _shows_order(self, relation: Relation, columns: Sequence[Column]) -> bool:
        """Tell whether ``rowid`` means the places of the rows: so it does in tables, unless a column bears the name."""
        if any(fold(column.name) == "rowid" for column in columns):
            return False
        with refusals(f"{relation} cannot be read"):
            return plan_of(self._cursor, f"SELECT rowid FROM {relation.sql}") is not None

    def greatest(self, relation: Relation, column: str) -> tuple[int, str | None]:
        """Return the row count and the greatest value of `column` as text."""
        with refusals(f"the version of {relation} cannot be taken"):
            row = self._cursor.execute(
                f"SELECT {built_in('count_star')}(), {built_in('max')}({quote_identifier(column)})::VARCHAR"
                f" FROM {relation.sql}"
            ).fetchone()
        return (0, None) if row is None else (row[0], row[1])

    def mark(self, marker: Marker, *, kind: str, record: str, replaces: Relation | None) -> None:
        """Write the marker of a relation, with the `record` of its build, and the relation's comment.

        `replaces` is the relation as the marker before this one spelled it; without one there is nothing to look for.
        """
        relation = marker.relation
        comment = marker.model_run_id.replace("'", "''")
        with refusals(f"{relation} cannot be marked"):
            self._cursor.execute(f"COMMENT ON {_kind(kind)} {relation.sql} IS '{comment}'")
            write_marker(self._cursor, marker, record=record, replaces=replaces)

    def disown(self, relation: Relation, *, kind: str) -> None:
        """Take marker and comment away from a relation."""
        with refusals(f"the marker of {relation} cannot be taken away"):
            self._cursor.execute(f"COMMENT ON {_kind(kind)} {relation.sql} IS NULL")
            forget_marker(self._cursor, relation)

    def drop(self, relation: Relation, *, kind: str) -> None:
        """Drop a relation with its marker."""
        self._columns.clear()
        with refusals(f"{relation} cannot be dropped"):
            self._cursor.execute(f"DROP {_kind(kind)} {relation.sql}")
            forget_marker(self._cursor, relation)


def _kind(kind: str) -> str:
    return "VIEW" if kind == "view" else "TABLE"


def _count(row: tuple[int, ...] | None) -> int:
    return 0 if row is None else int(row[0])
