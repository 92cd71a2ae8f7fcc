"""Types that a database defines: what a query that names one rests on beside its inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leapsql_core.hashing import fingerprint
from leapsql_core.names import fold, quote_identifier
from leapsql_core.warehouses.duckdb.columns import type_text
from leapsql_core.warehouses.duckdb.connection import refusals

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_DEFINED: Final = "SELECT database_name, schema_name, type_name FROM duckdb_types() WHERE NOT internal ORDER BY ALL"


def read_types(cursor: DuckDBPyConnection) -> dict[str, str]:
    """Return a version of each type by its name in small letters; one of all types that share the name."""
    found: dict[str, list[list[str]]] = {}
    with refusals("the types of the database cannot be read"):
        for parts in cursor.execute(_DEFINED).fetchall():
            name = ".".join(map(quote_identifier, parts))
            described = cursor.execute(f"SELECT NULL::{name}").description or ()
            texts = [type_text(kind) for _, kind, *_ in described]
            found.setdefault(fold(str(parts[-1])), []).append([str(parts[1]), *texts])
    return {name: fingerprint(definitions) for name, definitions in found.items()}
