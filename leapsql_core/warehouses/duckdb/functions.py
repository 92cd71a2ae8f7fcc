"""Functions that are neither DuckDB's own nor macros of the database: extensions bring them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from leapsql_core.names import quote_identifier
from leapsql_core.sql.functions import is_built_in
from leapsql_core.warehouses.duckdb.columns import plan_of
from leapsql_core.warehouses.duckdb.connection import refusals

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: The catalogue says nothing of the stability of table functions, nor of macros.
_STABILITIES: Final = """
SELECT lower(function_name), bool_and(coalesce(stability, '') = 'CONSISTENT')
FROM duckdb_functions()
WHERE lower(function_name) IN (SELECT unnest(?)) AND (internal OR macro_definition IS NULL)
GROUP BY ALL
ORDER BY ALL
"""


def read_stabilities(
    cursor: DuckDBPyConnection, called: Iterable[str], *, is_known: Callable[[str], bool] = is_built_in
) -> dict[str, bool]:
    """Tell of the functions among `called` that are not known whether their arguments alone decide what they answer.

    So it is where the catalogue calls them consistent, and nowhere else. Names are in small letters; one that the
    catalogue lacks is left out: it is a macro of the database, or no function.
    """
    strangers = sorted(name for name in called if not is_known(name))
    if not strangers:
        return {}
    with refusals("the functions of the database cannot be read"):
        for name in strangers:  # an extension is loaded when something that it brings is looked for
            for query in (f"SELECT {quote_identifier(name)}()", f"FROM {quote_identifier(name)}()"):
                plan_of(cursor, query)
        return {str(name): bool(settled) for name, settled in cursor.execute(_STABILITIES, [strangers]).fetchall()}
