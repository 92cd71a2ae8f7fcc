"""Data versions: what a relation holds, as a fingerprint per set of columns, all sets in one scan.

A version covers names, order and types of the columns, the number of rows, and the sum of the rows' hashes: a sum keeps
duplicates and forgets order. DuckDB's ``hash`` takes some different values for equal (0.0 and -0.0, a month
and thirty days, 1 and 2^64, ``[1, 2]`` and ``[[1, 2]]``, letters under a collation) and differs between its versions
for some types, so such types are hashed in a form that tells values apart and is the same everywhere.

Functions are named by their place in DuckDB's own catalogue: a database may define macros of the same names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from leapsql_core.hashing import fingerprint
from leapsql_core.models import Column, ColumnSet
from leapsql_core.names import fold, quote_identifier
from leapsql_core.warehouses.duckdb.columns import bare_type

_AS_IT_IS = frozenset(
    {
        *("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"),
        *("DATE", "TIME", "TIME_NS", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"),
        *("TIMESTAMP WITH TIME ZONE",),
    }
)
_AS_TEXT = frozenset({"VARCHAR", "JSON", "HUGEINT", "UHUGEINT", "BIT", "INTERVAL", "TIME WITH TIME ZONE", "UUID"})
_BYTES = frozenset({"BLOB"})
_FLOATING = frozenset({"FLOAT", "DOUBLE"})
_NESTED = frozenset({"list", "array", "struct", "map"})
_NARROW_DECIMAL = 18
_LOW_BITS = 2**63 - 1


def built_in(function: str) -> str:
    """Return the name of a function or an operator of DuckDB's that no macro of the database takes over.

    >>> built_in("hash"), built_in("&")
    ('system.main."hash"', 'system.main."&"')
    """
    return f"system.main.{quote_identifier(function)}"


_HASH = built_in("hash")

#: Gives DuckDB's own description of a type from the text of it, ``None`` if it has none.
TypeReader = Callable[[str], Any]


def chosen_columns(columns: Sequence[Column], column_set: ColumnSet) -> tuple[Column, ...]:
    """Return the columns of a set in the relation's order; names that the relation lacks are passed over."""
    if column_set is None:
        return tuple(columns)
    wanted = {fold(name) for name in column_set}
    return tuple(column for column in columns if fold(column.name) in wanted)


def hashed_column(column: Column, read_type: TypeReader) -> str | None:
    """Return the SQL of what is hashed of a column, ``None`` if its type cannot be compared exactly.

    It has one value, so that several column sets can share it: what takes work is hashed by itself.
    """
    name, kind = quote_identifier(column.name), bare_type(column)
    if kind in _AS_IT_IS or _is_narrow_decimal(kind):
        return name
    if kind in _FLOATING:
        # To a hash all NaN are one; their bits are not, and readers can see them.
        bits = _as_text(f"{name}::BIT")
        sign = f"{built_in('signbit')}({name})"
        return f"CASE WHEN {built_in('isnan')}({name}) THEN {_HASH}({bits}) ELSE {_HASH}({sign}, {name}) END"
    if kind in _BYTES:
        return f"{_HASH}({name})"
    if kind in _AS_TEXT:
        return f"{_HASH}({_as_text(name)})"
    described = read_type(kind)
    if described is None or not _prints_exactly(described):
        return None
    return f"{_HASH}({_as_document(name, described) if described.id in _NESTED else _as_text(name)})"


def hash_sum(hashed: Sequence[str]) -> str:
    """Return SQL for the sum of the rows' hashes over the columns `hashed`.

    DuckDB's hash of several values ends with the last one's own hash, XORed to that of the others. Sums see through an
    XOR: two rows that exchange their last values would have the sum that they had, once in 2^26, for it takes no more
    than that no bit differs both in what stays and in what moves. So what comes out is hashed once more.

    Of each hash 63 bits are summed up: DuckDB adds BIGINTs to a HUGEINT in half the time that HUGEINTs take.
    """
    if not hashed:
        return "NULL::HUGEINT"
    row = f"{_HASH}({', '.join(hashed)})"
    once_more = row if len(hashed) == 1 else f"{_HASH}({row})"
    return f"{built_in('sum')}({built_in('&')}({once_more}, {_LOW_BITS})::BIGINT)"


def _is_narrow_decimal(kind: str) -> bool:
    return kind.startswith("DECIMAL(") and int(kind[8:].split(",")[0]) <= _NARROW_DECIMAL


def _prints_exactly(kind: Any) -> bool:
    """Tell whether values of a type that differ always print differently, however deeply they are nested."""
    if kind.id in _NESTED:
        return all(_prints_exactly(child) for name, child in kind.children if name != "size")
    return kind.id in ("enum", "decimal") or str(kind) in _AS_IT_IS | _AS_TEXT | _BYTES | _FLOATING


def _as_text(value: str) -> str:
    """Return SQL for the bytes of a value's text: the hash of a text may follow its collation, of bytes none."""
    return f"{built_in('encode')}({value}::VARCHAR)"


def _as_document(value: str, kind: Any) -> str:
    """Return SQL for the bytes of the JSON of a nested value, with the bits of floats and the texts of all else in it.

    How DuckDB writes nested values as text differs by version; in 1.4 it writes ``['a, b']`` like ``['a', 'b']`` where
    the type is an ARRAY.
    """
    bits, texts = (_with_leaves(kind, leaf) for leaf in (_bits_of_floats, lambda _: "VARCHAR"))
    return f"{built_in('encode')}({built_in('to_json')}({value}::{bits}::{texts}))"


def _bits_of_floats(leaf: Any) -> str:
    return "BIT" if str(leaf) in _FLOATING else str(leaf)


def _with_leaves(kind: Any, leaf: Callable[[Any], str]) -> str:
    """Return a nested type with lists in the place of arrays, and what `leaf` makes of each type that is not nested."""
    if kind.id not in _NESTED:
        return leaf(kind)
    inner = [(name, _with_leaves(child, leaf)) for name, child in kind.children if name != "size"]
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
