"""Data versions: what a relation holds, as a fingerprint per set of columns, all sets in one scan.

A version covers names, order and types of the columns, the number of rows, and the sum of the rows' hashes as HUGEINT:
a sum keeps duplicates and forgets order. DuckDB's ``hash`` takes some different values for equal (0.0 and -0.0, a month
and thirty days, 1 and 2^64, ``[1, 2]`` and ``[[1, 2]]``), so such types are hashed in a form that tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from leapsql_core.hashing import fingerprint
from leapsql_core.models import Column, ColumnSet
from leapsql_core.names import quote_identifier
from leapsql_core.warehouses.duckdb.columns import bare_type

_AS_IT_IS = frozenset(
    {
        *("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"),
        *("VARCHAR", "JSON", "BLOB", "BIT", "DATE", "TIME", "TIME_NS", "TIME WITH TIME ZONE", "TIMESTAMP"),
        *("TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE"),
    }
)
_AS_TEXT = frozenset({"HUGEINT", "UHUGEINT", "UUID", "INTERVAL"})
_FLOATING = frozenset({"FLOAT", "DOUBLE"})
_NESTED = frozenset({"list", "array", "struct", "map"})
_NARROW_DECIMAL = 18

#: Gives DuckDB's own description of a type from the text of it, ``None`` if it has none.
TypeReader = Callable[[str], Any]


def chosen_columns(columns: Sequence[Column], column_set: ColumnSet) -> tuple[Column, ...]:
    """Return the columns of a set in the relation's order; names that the relation lacks are passed over."""
    if column_set is None:
        return tuple(columns)
    wanted = {name.casefold() for name in column_set}
    return tuple(column for column in columns if column.name.casefold() in wanted)


def hash_terms(columns: Sequence[Column], read_type: TypeReader) -> list[str] | None:
    """Return the SQL of what is hashed in each row for `columns`, ``None`` if a type cannot be compared exactly."""
    terms: list[str] = []
    for column in columns:
        name, kind = quote_identifier(column.name), bare_type(column)
        if kind in _AS_IT_IS or _is_narrow_decimal(kind):
            terms.append(name)
        elif kind in _FLOATING:
            terms += [name, f"signbit({name})"]
        else:
            described = read_type(kind)
            if described is None or not _prints_exactly(described):
                return None
            # DuckDB 1.4 writes the texts in an ARRAY without quotes: ['a, b'] like ['a', 'b'].
            with_lists = _with_lists(described)
            terms.append(f"{name}::VARCHAR" if with_lists == str(described) else f"{name}::{with_lists}::VARCHAR")
    return terms


def hash_sum(terms: Sequence[str]) -> str:
    """Return SQL for the sum of the rows' hashes over `terms`."""
    return f"sum(hash({', '.join(terms)})::HUGEINT)" if terms else "NULL::HUGEINT"


def _is_narrow_decimal(kind: str) -> bool:
    return kind.startswith("DECIMAL(") and int(kind[8:].split(",")[0]) <= _NARROW_DECIMAL


def _prints_exactly(kind: Any) -> bool:
    """Tell whether values of a type that differ always print differently, however deeply they are nested."""
    if kind.id in _NESTED:
        return all(_prints_exactly(child) for name, child in kind.children if name != "size")
    text = str(kind)
    return kind.id in ("enum", "decimal") or text in _AS_IT_IS or text in _AS_TEXT or text in _FLOATING


def _with_lists(kind: Any) -> str:
    """Return a type with lists in the place of arrays."""
    if kind.id not in _NESTED:
        return str(kind)
    inner = [(name, _with_lists(child)) for name, child in kind.children if name != "size"]
    if kind.id == "struct":
        return f"STRUCT({', '.join(f'{quote_identifier(name)} {child}' for name, child in inner)})"
    if kind.id == "map":
        return f"MAP({', '.join(child for _, child in inner)})"
    return f"{inner[0][1]}[]"


def version_of(columns: Sequence[Column], *, rows: int, hashes: int | None, ordered: bool = False) -> str:
    """Return the version of `columns` of a relation that holds `rows` rows whose hashes sum up to `hashes`.

    `ordered` tells that the places of the rows are among what was hashed.
    """
    facts = [[[column.name, column.type] for column in columns], rows, None if rows == 0 else str(hashes)]
    return fingerprint([*facts, "in order"] if ordered else facts)
