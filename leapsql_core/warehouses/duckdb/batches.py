"""Batches of incremental models: checked against the table they go to, then applied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from leapsql_core.errors import WarehouseError
from leapsql_core.models import Column, IncrementalConfig, Relation
from leapsql_core.names import did_you_mean, fold, quote_identifier
from leapsql_core.planning import OTHER_COLUMNS_MEND, compare_batch
from leapsql_core.warehouses.duckdb.columns import describe
from leapsql_core.warehouses.duckdb.connection import refusals

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SHOWN = 5
_OTHERS_SHOWN = 3
_LONGEST_VALUE = 40


def apply_batch(
    cursor: DuckDBPyConnection,
    batch: Relation,
    table: Relation,
    *,
    unique_key: Sequence[str],
    how: IncrementalConfig,
) -> None:
    """Apply the rows of `batch` to `table`, columns matched by name.

    Without a strategy, rows replace those of the same ``unique_key``, or are appended if there is none.

    Raises:
        WarehouseError: a NULL or repeated key, or columns that differ where `how` says to fail.
    """
    new = describe(cursor, batch)
    if unique_key:
        _check_keys(cursor, batch, unique_key, new)
    if how.time_column is not None:
        _check_filled(cursor, batch, [how.time_column], new, "time_column")
    _agree_on_columns(cursor, new, describe(cursor, table), table, how.on_schema_change)
    there = {fold(column.name) for column in describe(cursor, table)}
    shared = [quote_identifier(column.name) for column in new if fold(column.name) in there]
    strategy = how.strategy or ("delete+insert" if unique_key else "append")
    keys = [quote_identifier(name) for name in unique_key]
    matching = " AND ".join(f"old.{key} = new.{key}" for key in keys)
    with refusals("the batch cannot be applied"):
        if strategy == "merge":
            _merge(cursor, batch, table, matching, shared)
            return
        if strategy == "delete+insert":
            cursor.execute(f"DELETE FROM {table.sql} AS old USING {batch.sql} AS new WHERE {matching}")
        elif strategy == "time_column":
            time = quote_identifier(how.time_column or "")
            window = f"SELECT min({time}) AS first, max({time}) AS last FROM {batch.sql}"
            cursor.execute(
                f"DELETE FROM {table.sql} AS old USING ({window}) AS w WHERE old.{time} BETWEEN w.first AND w.last"
            )
        cursor.execute(f"INSERT INTO {table.sql} ({', '.join(shared)}) SELECT {', '.join(shared)} FROM {batch.sql}")


def _merge(cursor: DuckDBPyConnection, batch: Relation, table: Relation, matching: str, columns: Sequence[str]) -> None:
    updates = ", ".join(f"{column} = new.{column}" for column in columns)
    values = ", ".join(f"new.{column}" for column in columns)
    cursor.execute(
        f"MERGE INTO {table.sql} AS old USING {batch.sql} AS new ON {matching}"
        f" WHEN MATCHED THEN UPDATE SET {updates}"
        f" WHEN NOT MATCHED THEN INSERT ({', '.join(columns)}) VALUES ({values})"
    )


def _check_keys(
    cursor: DuckDBPyConnection, batch: Relation, unique_key: Sequence[str], columns: Sequence[Column]
) -> None:
    _check_filled(cursor, batch, unique_key, columns, "unique_key")
    keys = ", ".join(quote_identifier(name) for name in unique_key)
    texts = ", ".join(f"{quote_identifier(name)}::VARCHAR" for name in unique_key)
    with refusals("the keys of the batch cannot be checked"):
        repeated = cursor.execute(
            f"SELECT {texts}, count(*) FROM {batch.sql} GROUP BY {keys} HAVING count(*) > 1"
            f" ORDER BY {keys} LIMIT {_SHOWN}"
        ).fetchall()
    if repeated:
        some = "; ".join(f"{', '.join(row[:-1])} ({row[-1]} times)" for row in repeated)
        raise WarehouseError(
            f"unique_key ({', '.join(unique_key)}) repeats in the batch: {some}",
            mend="Keep one row per key in the query. Nothing was changed.",
        )


def _check_filled(
    cursor: DuckDBPyConnection, batch: Relation, names: Sequence[str], columns: Sequence[Column], field: str
) -> None:
    """Refuse a batch that lacks a column which decides where its rows belong, or has NULL in it."""
    known = {fold(column.name) for column in columns}
    for name in names:
        if fold(name) not in known:
            listed = ", ".join(column.name for column in columns)
            hint = did_you_mean(name, [column.name for column in columns], otherwise=f"It yields: {listed}.")
            raise WarehouseError(f"{field} names `{name}`, which the query does not yield", mend=hint)
    empty = " OR ".join(f"{quote_identifier(name)} IS NULL" for name in names)
    with refusals("the keys of the batch cannot be checked"):
        found = cursor.execute(f"SELECT count(*) FROM {batch.sql} WHERE {empty}").fetchone()
    nulls = found[0] if found else 0
    if nulls:
        rows = "1 row of the batch has" if nulls == 1 else f"{nulls} rows of the batch have"
        raise WarehouseError(
            f"{rows} NULL in {field} ({', '.join(names)}): {_some_of(cursor, batch, empty, names, columns)}",
            mend="Filter them out, or choose a column that is always set. Nothing was changed.",
        )


def _some_of(
    cursor: DuckDBPyConnection, batch: Relation, condition: str, names: Sequence[str], columns: Sequence[Column]
) -> str:
    """Return some rows of a batch in words: these columns of them, and the first others."""
    named = {fold(name) for name in names}
    chosen = [column.name for column in columns if fold(column.name) in named]
    chosen += [column.name for column in columns if fold(column.name) not in named][:_OTHERS_SHOWN]
    texts = ", ".join(f"{quote_identifier(name)}::VARCHAR" for name in chosen)
    with refusals("the keys of the batch cannot be checked"):
        rows = cursor.execute(
            f"SELECT {texts} FROM {batch.sql} WHERE {condition} ORDER BY ALL LIMIT {_SHOWN}"
        ).fetchall()
    return "; ".join(
        ", ".join(f"{name} = {_whole_or_not(value)}" for name, value in zip(chosen, row, strict=True)) for row in rows
    )


def _whole_or_not(value: str | None) -> str:
    """Return a value if it is not long; part of one might be part of a secret, which nobody would know to mask.

    >>> _whole_or_not(None), _whole_or_not("a"), _whole_or_not("a" * 100)
    ('NULL', 'a', '…')
    """
    shown = "NULL" if value is None else value
    return shown if len(shown) <= _LONGEST_VALUE else "…"


def _agree_on_columns(
    cursor: DuckDBPyConnection, new: Sequence[Column], old: Sequence[Column], table: Relation, on_change: str
) -> None:
    """Bring the table's columns in line with the batch's as `on_schema_change` says, or refuse."""
    change = compare_batch(old, new)
    if not change or on_change == "ignore":
        return
    if on_change == "fail":
        raise WarehouseError(f"the columns of the batch differ from the table's: {change}", mend=OTHER_COLUMNS_MEND)
    with refusals("the columns of the table cannot be changed"):
        for column in change.added:
            cursor.execute(f"ALTER TABLE {table.sql} ADD COLUMN {quote_identifier(column.name)} {column.type}")
        if on_change == "sync":
            for column in change.gone:
                cursor.execute(f"ALTER TABLE {table.sql} DROP COLUMN {quote_identifier(column.name)}")
            for before, column in change.retyped:
                name = quote_identifier(before.name)
                cursor.execute(f"ALTER TABLE {table.sql} ALTER COLUMN {name} SET DATA TYPE {column.type}")
