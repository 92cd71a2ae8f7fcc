"""Columns of a relation as DuckDB has them: names, types, and the collations that types carry but don't show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from leapsql_core.models import Column, Relation
from leapsql_core.warehouses.duckdb.connection import refusals

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_COLLATE = " COLLATE "


def describe(cursor: DuckDBPyConnection, relation: Relation) -> tuple[Column, ...]:
    """Return the columns of a relation, in order; a type with a collation is written ``VARCHAR COLLATE nocase``.

    Raises:
        WarehouseError: it is not there, or cannot be read.
    """
    with refusals(f"{relation} cannot be read"):
        described = cursor.execute(f"SELECT * FROM {relation.sql} LIMIT 0").description or ()
        types = [str(kind) for _, kind, *_ in described]
        collations = _collations(cursor, relation) if any("VARCHAR" in kind for kind in types) else []
    return tuple(
        Column(name, kind + (_COLLATE + collation if collation else ""))
        for (name, *_), kind, collation in zip(described, types, collations or [""] * len(types), strict=True)
    )


def bare_type(column: Column) -> str:
    """Return a column's type without its collation.

    >>> bare_type(Column("a", "VARCHAR COLLATE nocase"))
    'VARCHAR'
    """
    return column.type.partition(_COLLATE)[0]


def _collations(cursor: DuckDBPyConnection, relation: Relation) -> list[str]:
    """Return the collation of each column, empty where there is none; nothing if DuckDB does not tell any.

    Its catalogue keeps collations to itself; the plan of a query shows them, unless a view reads files in it.
    """
    document = plan_of(cursor, f"SELECT * FROM {relation.sql}")
    if document is None:
        return []
    return [",".join(_stream_collations(output["return_type"])) for output in document["plans"][0]["expressions"]]


def plan_of(cursor: DuckDBPyConnection, query: str) -> dict[str, Any] | None:
    """Return DuckDB's plan of a query, not optimized; ``None`` if the query cannot be bound or its plan be shown."""
    row = cursor.execute("SELECT json_serialize_plan(?::VARCHAR, optimize := false)", [query]).fetchone()
    document: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
    return None if document["error"] else document


def _stream_collations(kind: Any) -> Iterator[str]:
    """Yield the collations in a type, however deeply they are nested."""
    if isinstance(kind, dict):
        if kind.get("collation"):
            yield str(kind["collation"]).lower()
        for inner in kind.values():
            yield from _stream_collations(inner)
    elif isinstance(kind, list):
        for inner in kind:
            yield from _stream_collations(inner)
