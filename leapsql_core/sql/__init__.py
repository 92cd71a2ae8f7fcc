"""The analysis of SQL: what a query reads, how columns flow through it, and whether two texts are the same query.

The only place that imports sqlglot; its trees never leave. Importing this package does not load it yet.
"""

from leapsql_core.sql.calls import is_decided_by_its_row, read_calls
from leapsql_core.sql.conditions import unfit_condition
from leapsql_core.sql.database import DatabaseColumn, DatabaseParser, DatabaseReading, DatabaseTable
from leapsql_core.sql.inputs import KnownInput
from leapsql_core.sql.lineage import lineage
from leapsql_core.sql.overtaking import is_called_by_grammar, overlooked_calls
from leapsql_core.sql.resolution import resolve
from leapsql_core.sql.scanning import scan
from leapsql_core.sql.subqueries import takes_first_row
from leapsql_core.sql.tokens import is_several, mentioned, same_tokens
from leapsql_core.sql.windows import windows

__all__ = [
    "DatabaseColumn",
    "DatabaseParser",
    "DatabaseReading",
    "DatabaseTable",
    "KnownInput",
    "is_called_by_grammar",
    "is_decided_by_its_row",
    "is_several",
    "lineage",
    "mentioned",
    "overlooked_calls",
    "read_calls",
    "resolve",
    "same_tokens",
    "scan",
    "takes_first_row",
    "unfit_condition",
    "windows",
]
