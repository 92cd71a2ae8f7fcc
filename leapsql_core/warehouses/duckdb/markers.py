"""Markers: what a database itself tells of the build that made each of its relations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING, Any, Final

from leapsql_core.models import Relation
from leapsql_core.protocols import Marker
from leapsql_core.warehouses.duckdb.versions import built_in

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MARKERS: Final = Relation("_leapsql", "markers")
_COLUMNS: Final = (
    "schema_name VARCHAR NOT NULL, relation_name VARCHAR NOT NULL, model_path VARCHAR NOT NULL,"
    " environment VARCHAR NOT NULL, model_run_id VARCHAR NOT NULL, content_hash VARCHAR NOT NULL,"
    " built_at TIMESTAMP WITH TIME ZONE NOT NULL, history VARCHAR NOT NULL, previous VARCHAR,"
    " project VARCHAR NOT NULL, record VARCHAR NOT NULL"
)


def make_room_for_markers(cursor: DuckDBPyConnection) -> None:
    """Make the table of markers, if it is not there; its schema is."""
    cursor.execute(f"CREATE TABLE IF NOT EXISTS {MARKERS.sql} ({_COLUMNS})")


def read_markers(cursor: DuckDBPyConnection) -> dict[tuple[str, str], Marker]:
    """Return every marker by the `Relation.key` of what it marks; none if there is no room for them yet."""
    # A moment as a number: to make an aware datetime, older versions of DuckDB ask for one more library.
    moment = f"{built_in('epoch_us')}(built_at)"
    rows = _read(cursor, f"* EXCLUDE (record) REPLACE ({moment} AS built_at)", "true", [])
    found = [
        Marker(Relation(schema, name), path, environment, model_run_id, content_hash, _moment(microseconds), *rest)
        for schema, name, path, environment, model_run_id, content_hash, microseconds, *rest in rows
    ]
    return {marker.relation.key: marker for marker in found}


def read_records(cursor: DuckDBPyConnection, model_run_ids: Iterable[str]) -> Mapping[str, str]:
    """Return what markers hold of whole builds, by model run."""
    chosen = f"{built_in('list_contains')}(?, model_run_id)"
    return dict(_read(cursor, "model_run_id, record", chosen, [list(model_run_ids)]))


def _read(cursor: DuckDBPyConnection, columns: str, condition: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    known = cursor.execute(
        "SELECT 1 FROM duckdb_tables() WHERE database_name = current_database() AND schema_name = ? AND table_name = ?",
        [MARKERS.schema, MARKERS.name],
    ).fetchone()
    if not known:
        return []
    return cursor.execute(f"SELECT {columns} FROM {MARKERS.sql} WHERE {condition}", parameters).fetchall()


def write_marker(cursor: DuckDBPyConnection, marker: Marker, *, record: str, replaces: Relation | None) -> None:
    """Write the marker of a relation, with the `record` of its build.

    `replaces` is the relation as the marker before this one spelled it; without one there is nothing to look for.
    """
    relation = marker.relation
    if replaces is not None:
        # Equal to the letter: names without their case take ten times as long to compare.
        spelled = [relation, replaces]
        cursor.execute(
            f"DELETE FROM {MARKERS.sql} WHERE schema_name IN (?, ?) AND relation_name IN (?, ?)",
            [*(one.schema for one in spelled), *(one.name for one in spelled)],
        )
    cursor.execute(
        f"INSERT INTO {MARKERS.sql} SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?",
        [
            relation.schema,
            relation.name,
            marker.model_path,
            marker.environment,
            marker.model_run_id,
            marker.content_hash,
            marker.built_at,
            marker.history,
            marker.previous,
            marker.project,
            record,
        ],
    )


def forget_marker(cursor: DuckDBPyConnection, relation: Relation) -> None:
    """Take the marker of a relation away, however it spelled its name."""
    cursor.execute(
        f"DELETE FROM {MARKERS.sql} WHERE ({_folded('schema_name')}, {_folded('relation_name')}) = (?, ?)",
        [*relation.key],
    )


def _folded(column: str) -> str:
    """Return SQL for a name without its case, as `Relation.key` has it: DuckDB's own ``lower`` goes beyond ASCII."""
    return f"{built_in('translate')}({column}, '{ascii_uppercase}', '{ascii_lowercase}')"


def _moment(microseconds: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=microseconds)
