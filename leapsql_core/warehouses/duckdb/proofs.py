"""Proofs that two queries are one: by DuckDB's parse trees, else by the plans that it binds them to.

Both are compared in a scratch database in memory that holds the queries' inputs as empty tables, with their columns and
the settings of the target. So a proof holds for these columns alone. What DuckDB cannot write down proves nothing: both
functions answer an error with a document that says so, and two of those would be equal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from leapsql_core.errors import WarehouseError
from leapsql_core.models import Column, Relation
from leapsql_core.names import fold, quote_identifier
from leapsql_core.sql import read_calls
from leapsql_core.warehouses.duckdb.columns import bare_type, plan_of
from leapsql_core.warehouses.duckdb.settings import Setting, apply_settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: Where something stands in the text is layout.
_PLACES = frozenset({"query_location", "query_location_length"})
#: What things are called inside of a plan; they are bound by number. The names that a query yields are compared apart.
_LABELS = _PLACES | {"alias", "ctename"}

_SCRATCH = {"threads": 1, "autoinstall_known_extensions": False, "autoload_known_extensions": False}
_OWN_CATALOGS = frozenset({"memory", "temp", "system"})


class QueryProver:
    """Proves queries equal in a scratch database, which is made when it is first needed."""

    def __init__(self, catalog: str, settings: Mapping[str, Setting]) -> None:
        """Take the name that the target's database goes by in SQL, and the settings of the target."""
        self._catalog, self._settings = catalog, dict(settings)
        self._connection: DuckDBPyConnection | None = None

    def close(self) -> None:
        """Let go of the scratch database; it is made anew when needed."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def same(self, before: str, now: str, inputs: Mapping[Relation, Sequence[Column]]) -> bool:
        """Tell whether two resolved queries over `inputs` are proven to be one; ``False`` says nothing."""
        import duckdb

        try:
            connection = self._open()
            return _same_trees(connection, before, now) or self._same_plans(connection, before, now, inputs)
        except (duckdb.Error, WarehouseError, RuntimeError, TypeError, RecursionError):
            # Text that DuckDB cannot read, inputs that it cannot make: no proof, so the model is built in doubt.
            self.close()
            return False

    def _open(self) -> DuckDBPyConnection:
        if self._connection is None:
            import duckdb

            connection = duckdb.connect(":memory:", config={**_SCRATCH, "enable_external_access": False})
            self._connection = connection
            connection.execute("SET python_enable_replacements = false")
            if fold(self._catalog) not in _OWN_CATALOGS:
                connection.execute(f"ATTACH ':memory:' AS {quote_identifier(self._catalog)}")
                connection.execute(f"USE {quote_identifier(self._catalog)}")
            apply_settings(connection, {k: v for k, v in self._settings.items() if k.casefold() not in _SCRATCH})
        return self._connection

    def _same_plans(
        self, connection: DuckDBPyConnection, before: str, now: str, inputs: Mapping[Relation, Sequence[Column]]
    ) -> bool:
        if self._may_collate(before, now, inputs) or _shows_labels(before) or _shows_labels(now):
            return False
        elsewhere = sorted({relation.catalog for relation in inputs if relation.foreign and relation.catalog})
        for catalog in elsewhere:
            connection.execute(f"ATTACH ':memory:' AS {quote_identifier(catalog)}")
        try:
            # Before the transaction, which writes to one database alone.
            _make_tables(connection, {place: inputs[place] for place in inputs if place.foreign})
            connection.execute("BEGIN TRANSACTION")
            try:
                _make_tables(connection, {place: inputs[place] for place in inputs if not place.foreign})
                return _plan_alike(connection, before, now)
            finally:
                connection.execute("ROLLBACK")
        finally:
            for catalog in elsewhere:
                connection.execute(f"DETACH {quote_identifier(catalog)}")

    def _may_collate(self, before: str, now: str, inputs: Mapping[Relation, Sequence[Column]]) -> bool:
        """Tell whether a collation may take part: the plans of DuckDB 1.4 show none in the types of columns."""
        said = any("collat" in text.casefold() for text in (before, now, *self._settings))
        return said or any(bare_type(column) != column.type for columns in inputs.values() for column in columns)


def _make_tables(connection: DuckDBPyConnection, inputs: Mapping[Relation, Sequence[Column]]) -> None:
    for relation, columns in sorted(inputs.items()):
        catalog = [relation.catalog] if relation.foreign and relation.catalog else []
        schema = ".".join(quote_identifier(part) for part in (*catalog, relation.schema or "main"))
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        listed = ", ".join(f"{quote_identifier(column.name)} {column.type}" for column in columns)
        connection.execute(f"CREATE TABLE {relation.sql} ({listed})")


def _plan_alike(connection: DuckDBPyConnection, before: str, now: str) -> bool:
    first, second = plan_of(connection, before), plan_of(connection, now)
    if first is None or second is None or not len(first["plans"]) == len(second["plans"]) == 1:
        return False
    names = _output_names(connection, before) == _output_names(connection, now)
    return names and _without(first, _LABELS) == _without(second, _LABELS)


def _shows_labels(query: str) -> bool:
    """Tell whether a query may ask what something is called inside of it, which plans are compared without."""
    return "alias" in read_calls(query).functions


def _same_trees(connection: DuckDBPyConnection, before: str, now: str) -> bool:
    first, second = _tree_of(connection, before), _tree_of(connection, now)
    return first is not None and second is not None and _without(first, _PLACES) == _without(second, _PLACES)


def _tree_of(connection: DuckDBPyConnection, query: str) -> dict[str, Any] | None:
    """Return the parse tree of one query, ``None`` where DuckDB has none to show."""
    row = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [query]).fetchone()
    document: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
    return None if document["error"] or len(document["statements"]) != 1 else document


def _output_names(connection: DuckDBPyConnection, query: str) -> list[str]:
    described = connection.execute(f"SELECT * FROM (\n{query}\n) LIMIT 0").description
    return [str(name) for name, *_ in described or ()]


def _without(document: Any, keys: frozenset[str]) -> Any:
    """Return a document without what stands under `keys`, however deep."""
    if isinstance(document, dict):
        return {key: _without(value, keys) for key, value in document.items() if key not in keys}
    if isinstance(document, list):
        return [_without(value, keys) for value in document]
    return document
