"""Macros that a database defines: what a query that calls one rests on beside its inputs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from leapsql_core.errors import QueryError
from leapsql_core.hashing import fingerprint
from leapsql_core.names import fold
from leapsql_core.sql import is_called_by_grammar, overlooked_calls, read_calls
from leapsql_core.sql.functions import ORDER_READERS, is_built_in
from leapsql_core.warehouses.duckdb.connection import refusals
from leapsql_core.warehouses.duckdb.parser import DuckDBParser

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_DEFINED = """
SELECT function_name, function_type, schema_name, parameters::VARCHAR, macro_definition
FROM duckdb_functions()
WHERE NOT internal AND macro_definition IS NOT NULL
ORDER BY ALL
"""
_WORD = re.compile(r"\w+")
#: Where none of these words is, no answer hangs on the order of rows.
_OF_ORDER = ORDER_READERS | {"distinct", "limit", "max", "min", "offset", "over", "positional", "rowid"}


def read_macros(cursor: DuckDBPyConnection, types: Mapping[str, str]) -> dict[str, str | None]:
    """Return a version of each macro by its name in small letters: that of its definition and of those it calls.

    `types` are versions of the types that the database defines, which belong to it too where it names them.

    ``None`` where a definition is not all that decides: it reads tables or files, or its answer moves by itself. One
    that bears the name of a built-in function is taken for that one by whoever looks for what a query reads: it must
    not hang on the order of rows either.
    """
    with refusals("the macros of the database cannot be read"):
        rows = cursor.execute(_DEFINED).fetchall()
    if not rows:
        return {}
    defined: dict[str, list[list[str]]] = {}
    for name, *definition in rows:
        defined.setdefault(fold(str(name)), []).append([str(part) for part in definition])
    closed = {name: all(_is_closed(kind, text) for kind, *_, text in defined[name]) for name in defined}
    return {name: _version(name, defined, closed, types) for name in defined}


def _version(
    name: str, defined: Mapping[str, list[list[str]]], closed: Mapping[str, bool], types: Mapping[str, str]
) -> str | None:
    reached, left, written = {name}, [name], set[str]()
    while left:
        texts = [text for *_, text in defined[left.pop()]]
        words = {fold(word) for text in texts for word in _WORD.findall(text)}
        called = (words & defined.keys()).union(*(overlooked_calls(text, defined) for text in texts))
        left += sorted(called - reached)
        reached |= called
        written |= words
    if not all(closed[other] for other in reached) or (_takes_over(name) and written & _OF_ORDER):
        return None
    named = {word: types[word] for word in sorted(written & types.keys())}
    return fingerprint([*([other, defined[other]] for other in sorted(reached)), *([named] if named else [])])


def _takes_over(name: str) -> bool:
    """Tell whether a macro stands in for something of DuckDB's own: a function, an operator."""
    return is_built_in(name) or is_called_by_grammar(name)


@lru_cache(maxsize=1024)
def _is_closed(kind: str, text: str) -> bool:
    """Tell whether a definition alone decides what it comes to, given its arguments; opening a parser takes long."""
    query = text if kind == "table_macro" else f"SELECT ({text}\n)"
    parser = DuckDBParser()
    try:
        reading = parser.read(query)
    except QueryError:
        return False
    finally:
        parser.close()
    calls = read_calls(query)
    return reading is not None and not reading.tables and not calls.volatile and not calls.files
