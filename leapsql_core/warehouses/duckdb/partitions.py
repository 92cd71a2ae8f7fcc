"""Partitions of a table: their rows replaced, and versions taken of what lies in their windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from leapsql_core.errors import WarehouseError
from leapsql_core.models import Column, IncrementalConfig, Partition, Relation
from leapsql_core.names import fold, quote_identifier
from leapsql_core.partitions import joined
from leapsql_core.protocols import Replacement, Slice
from leapsql_core.warehouses.duckdb.batches import agree_on_columns, check_filled, check_keys
from leapsql_core.warehouses.duckdb.columns import bare_type, describe
from leapsql_core.warehouses.duckdb.connection import execute_one, refusals
from leapsql_core.warehouses.duckdb.versions import built_in, hash_sum, version_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_MOMENTS = frozenset({"DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE"})
_SHOWN = 3
#: The start of the window around a moment, where windows are of this length in hours at most; weeks begin on Sunday.
_STARTS = (
    (1, "{trunc}('hour', {moment})"),
    (24, "{trunc}('day', {moment})"),
    (7 * 24, "{minus}({trunc}('week', {plus}({moment}, INTERVAL 1 DAY)), INTERVAL 1 DAY)"),
    (31 * 24, "{trunc}('month', {moment})"),
)


def replace_partitions(
    cursor: DuckDBPyConnection,
    batch: Relation,
    table: Relation,
    what: Replacement,
    *,
    unique_key: Sequence[str],
    how: IncrementalConfig,
) -> int:
    """Gather the rows of all slices in `batch`, check them, and put them in the place of the old; their number.

    Raises:
        WarehouseError: a row belongs to no partition of its slice, a key repeats, or columns differ where `how` says
            to fail.
    """
    with refusals(query_from=2):
        execute_one(cursor, f"CREATE TEMP TABLE {batch.sql} AS SELECT * FROM (\n{what.shape}\n) LIMIT 0")
    columns = describe(cursor, batch)
    check_filled(cursor, batch, [what.column], columns, "the column of the partitions")
    for one in what.slices:
        _gather(cursor, batch, one, columns, what.column)
    check_filled(cursor, batch, [what.column], columns, "the column of the partitions")
    if unique_key:
        check_keys(cursor, batch, unique_key, columns)
    counted = cursor.execute(f"SELECT count(*) FROM {batch.sql}").fetchone() or (0,)
    if what.anew:
        with refusals():
            cursor.execute(f"CREATE OR REPLACE TABLE {table.sql} AS SELECT * FROM {batch.sql}")
        return int(counted[0])
    _agree(cursor, columns, table, how)
    there = {fold(column.name) for column in describe(cursor, table)}
    shared = ", ".join(quote_identifier(column.name) for column in columns if fold(column.name) in there)
    replaced = [partition for one in what.slices for partition in one.partitions]
    with refusals("the partitions cannot be replaced"):
        for window in joined((*replaced, *what.gone)):
            cursor.execute(f"DELETE FROM {table.sql} WHERE {_within(window, columns, what.column)}")
        cursor.execute(f"INSERT INTO {table.sql} ({shared}) SELECT {shared} FROM {batch.sql}")
    return int(counted[0])


def _agree(cursor: DuckDBPyConnection, columns: Sequence[Column], table: Relation, how: IncrementalConfig) -> None:
    agree_on_columns(cursor, columns, describe(cursor, table), table, how.on_schema_change)


def _gather(cursor: DuckDBPyConnection, batch: Relation, one: Slice, columns: Sequence[Column], column: str) -> None:
    """Put the rows of a slice into `batch`: all of them, or those of its partitions and those of none."""
    windows = [_within(window, columns, column) for window in joined(one.partitions)]
    inside = " OR ".join(f"({window})" for window in windows) or "false"
    name = quote_identifier(column)
    if not one.strict:
        with refusals(query_from=2):
            execute_one(
                cursor,
                f"INSERT INTO {batch.sql} BY NAME SELECT * FROM (\n{one.query}\n) WHERE {name} IS NULL OR {inside}",
            )
        return
    piece = Relation(batch.schema, f"{batch.name}_piece", batch.catalog)
    with refusals(query_from=2):
        execute_one(cursor, f"CREATE OR REPLACE TEMP TABLE {piece.sql} AS SELECT * FROM (\n{one.query}\n)")
    _check_inside(cursor, piece, one, inside, column)
    with refusals():
        cursor.execute(f"INSERT INTO {batch.sql} BY NAME SELECT * FROM {piece.sql}")
        cursor.execute(f"DROP TABLE {piece.sql}")


def _check_inside(cursor: DuckDBPyConnection, piece: Relation, one: Slice, inside: str, column: str) -> None:
    name = quote_identifier(column)
    (stray,) = cursor.execute(f"SELECT count(*) FROM {piece.sql} WHERE NOT ({inside})").fetchone() or (0,)
    if not stray:
        return
    shown = cursor.execute(
        f"SELECT DISTINCT {name}::VARCHAR AS value FROM {piece.sql} WHERE NOT ({inside}) ORDER BY value LIMIT {_SHOWN}"
    ).fetchall()
    rows = "1 row lies" if stray == 1 else f"{stray:,} rows lie"
    window = joined(one.partitions)[0]
    said = window.key if window.start is None else f"from {window.start} up to {window.end}"
    raise WarehouseError(
        f"{rows} outside of the partition {said}: {column} = {', '.join(str(value) for (value,) in shown)}",
        mend="Filter them out in the query: a partition replaces the rows of its window alone. Nothing was changed.",
    )


def _within(window: Partition, columns: Sequence[Column], column: str) -> str:
    """Return SQL that tells whether a row lies in a window."""
    name = quote_identifier(column)
    if window.start is None or window.end is None:
        return f"{name}::VARCHAR = {_text(window.key)}"
    kind = next(bare_type(one) for one in columns if fold(one.name) == fold(column))
    if kind not in _MOMENTS:
        raise WarehouseError(f"{column} is of type {kind}: partitions by time need a DATE or a TIMESTAMP")
    if kind == "DATE" and window.end.hour != window.start.hour:
        raise WarehouseError(f"{column} is a DATE, which tells no hour: partitions by the hour need a TIMESTAMP")
    return f"{name} >= CAST('{window.start}' AS {kind}) AND {name} < CAST('{window.end}' AS {kind})"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


# ------------------------------------------------------------------------------------------------------------ versions


def window_versions(
    cursor: DuckDBPyConnection,
    relation: Relation,
    columns: Sequence[Column],
    column: str,
    partitions: Sequence[Partition],
    chosen: Sequence[Column],
    hashed: Sequence[str],
) -> dict[str, str]:
    """Return the versions of the columns `chosen`, which `hashed` are the hashes of, in the windows of `partitions`.

    Windows are told apart as a comparison in a query does it, which only types do that hold moments or plain texts.
    """
    kind = next((one.type for one in columns if fold(one.name) == fold(column)), "")
    windows = sorted(partitions, key=lambda one: one.key)
    if not windows or not _tells_apart(cursor, kind, windows[0]):
        return {}
    name = quote_identifier(column)
    label, within = f"{name}::VARCHAR", f"{name} IN ({', '.join(_text(one.key) for one in windows)})"
    first, last = windows[0].start, windows[-1].end
    if first is not None and last is not None:
        label = f"({_start_of_window(windows[0], f'{name}::TIMESTAMP')})::TIMESTAMP::VARCHAR"
        within = f"{name} >= CAST('{first}' AS {kind}) AND {name} < CAST('{last}' AS {kind})"
    shown = ", ".join(f"{sql} AS c{number}" for number, sql in enumerate(hashed))
    count, sums = built_in("count_star"), hash_sum([f"c{number}" for number in range(len(hashed))])
    with refusals(f"the versions of parts of {relation} cannot be taken"):
        rows = cursor.execute(
            f"SELECT label, {count}(), {sums} FROM (SELECT {label} AS label{', ' if shown else ''}{shown}"
            f" FROM {relation.sql} WHERE {within}) GROUP BY label"
        ).fetchall()
    found = {label: (times, hashes) for label, times, hashes in rows}
    versions: dict[str, str] = {}
    for window in windows:
        times, hashes = found.get(window.key if window.start is None else str(window.start), (0, None))
        versions[window.key] = version_of(chosen, rows=times, hashes=hashes)
    return versions


def _tells_apart(cursor: DuckDBPyConnection, kind: str, window: Partition) -> bool:
    """Tell whether a query that compares a column of this type with a text holds the rows that a window has here."""
    zone, collation = cursor.execute(
        "SELECT current_setting('TimeZone'), current_setting('default_collation')"
    ).fetchone() or ("", "")
    if window.start is None or window.end is None:
        return kind == "VARCHAR" and collation == ""
    if kind == "TIMESTAMP WITH TIME ZONE":
        return bool(zone == "UTC")
    # A moment of nanoseconds is rounded to the window behind its own, if it is the last before that.
    return kind in _MOMENTS - {"TIMESTAMP_NS"} and (kind != "DATE" or window.end.hour == window.start.hour)


def _start_of_window(window: Partition, moment: str) -> str:
    """Return SQL for the start of the window around a moment; all windows are as long as this one."""
    assert window.start is not None and window.end is not None  # noqa: PT018 - a window of time has both
    hours = (window.end - window.start).total_seconds() / 3600
    start = next(sql for longest, sql in _STARTS if hours <= longest)
    return start.format(moment=moment, trunc=built_in("date_trunc"), plus=built_in("+"), minus=built_in("-"))
