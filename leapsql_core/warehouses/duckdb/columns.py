"""Columns of a relation as DuckDB has them: names, types, and the collations that types carry but don't show."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from leapsql_core.models import Column, Relation
from leapsql_core.names import quote_identifier
from leapsql_core.warehouses.duckdb.connection import refusals

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_COLLATE = " COLLATE "
_LOOKALIKE = Relation("main", "leapsql_columns", catalog="temp")
_COLLATION = re.compile(rf"{_COLLATE}[\w.,]+\Z")


def describe(cursor: DuckDBPyConnection, relation: Relation) -> tuple[Column, ...]:
    """Return the columns of a relation, in order; a type with a collation is written ``VARCHAR COLLATE nocase``.

    Raises:
        WarehouseError: it is not there, or cannot be read.
    """
    with refusals(f"{relation} cannot be read"):
        return _describe(cursor, relation.sql)


def describe_query(cursor: DuckDBPyConnection, query: str) -> tuple[Column, ...]:
    """Return the columns that a query yields, as a table made of it would have them.

    Raises:
        WarehouseError: it cannot be bound.
    """
    with refusals("the query cannot be read"):
        return _describe(cursor, f"(\n{query}\n)")


def _describe(cursor: DuckDBPyConnection, source: str) -> tuple[Column, ...]:
    """Return the columns of what may stand behind FROM."""
    described = cursor.execute(f"SELECT * FROM {source} LIMIT 0").description or ()
    types = [type_text(kind) for _, kind, *_ in described]
    collations = _collations(cursor, source) if any("VARCHAR" in kind for kind in types) else []
    return tuple(
        Column(name, kind + (_COLLATE + collation if collation else ""))
        for (name, *_), kind, collation in zip(described, types, collations or [""] * len(types), strict=True)
    )


def bare_type(column: Column) -> str:
    """Return a column's type without its collation.

    >>> bare_type(Column("a", "VARCHAR COLLATE nocase"))
    'VARCHAR'
    """
    return _COLLATION.sub("", column.type)


def type_text(kind: Any) -> str:
    """Return DuckDB's description of a type as SQL that is the same in each of its versions.

    DuckDB quotes the fields of a struct where they are keywords, and so by version; here they are always quoted. A
    struct without names is a TUPLE, and the type of a bare NULL, which views may have, INTEGER, as it is in a table.
    """
    if kind.id in ("struct", "union", "tuple"):
        fields = [(name, type_text(inner)) for name, inner in kind.children if not (kind.id == "union" and name == "")]
        if any(name for name, _ in fields):
            return f"{kind.id.upper()}({', '.join(f'{quote_identifier(name)} {inner}' for name, inner in fields)})"
        return f"TUPLE({', '.join(inner for _, inner in fields)})"
    if kind.id == "map":
        return f"MAP({', '.join(type_text(inner) for _, inner in kind.children)})"
    if kind.id in ("list", "array"):
        size = dict(kind.children).get("size", "")
        return f"{type_text(kind.children[0][1])}[{size}]"
    return "INTEGER" if kind.id == "null" else str(kind)


def _collations(cursor: DuckDBPyConnection, source: str) -> list[str]:
    """Return the collation of each column, empty where there is none.

    DuckDB's catalogue keeps collations to itself; the plan of a query shows them. Of a view that reads files it shows
    no plan, but of a table with the same columns it does.
    """
    document = plan_of(cursor, f"SELECT * FROM {source}")
    if document is None:
        cursor.execute(f"CREATE OR REPLACE TEMP TABLE {_LOOKALIKE.sql} AS SELECT * FROM {source} LIMIT 0")
        document = plan_of(cursor, f"SELECT * FROM {_LOOKALIKE.sql}")
        cursor.execute(f"DROP TABLE {_LOOKALIKE.sql}")
    outputs = document["plans"][0]["expressions"] if document is not None else []
    return [",".join(_stream_collations(output["return_type"])) for output in outputs]


def plan_of(cursor: DuckDBPyConnection, query: str) -> dict[str, Any] | None:
    """Return DuckDB's plan of a query, not optimized; ``None`` if it cannot be bound or shown, or nests too deep."""
    row = cursor.execute("SELECT json_serialize_plan(?::VARCHAR, optimize := false)", [query]).fetchone()
    try:
        document: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
    except RecursionError:
        return None
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
