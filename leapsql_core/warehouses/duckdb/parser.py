"""DuckDB's own parser: the tables that it finds in a query, and its parse tree."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from leapsql_core.errors import QueryError
from leapsql_core.names import fold
from leapsql_core.sql.database import DatabaseColumn, DatabaseReading, DatabaseTable
from leapsql_core.sql.tokens import lex, line_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: Of a database that reads text alone.
SETTINGS: Final[dict[str, str | bool | int | float | list[str]]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "threads": 1,
}
_LINE: Final = re.compile(r"^LINE (\d+):", re.MULTILINE)
_NO_PLACE: Final = 2**64 - 1
_CHANGES: Final = ("INSERT", "UPDATE", "DELETE", "MERGE")
_MEND: Final = "A model is one query; how its rows are kept, `materialized` says."


class DuckDBParser:
    """Reads SQL as DuckDB does, in an empty database of its own that can open no file; safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: DuckDBPyConnection | None = None

    def close(self) -> None:
        """Let go of the database; it is made anew when needed."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def table_names(self, sql: str) -> tuple[tuple[str, ...], ...] | None:
        """Return the tables that DuckDB finds by binding a query, as unquoted parts; ``None`` if it refuses.

        It refuses, among others, USING between unknown tables, readers of files, functions that it does not know, and
        PIVOT statements.
        """
        import duckdb

        with self._lock:
            try:
                names = self._open().get_table_names(sql, qualified=True)
            except (duckdb.Error, RuntimeError, TypeError):  # the last two: text that is no valid Unicode
                return None
        return tuple(sorted(parts_of_name(name) for name in names))

    def read(self, sql: str) -> DatabaseReading | None:
        """Return what the parse tree of one query tells; ``None`` for a PIVOT statement, whose tree DuckDB hides.

        Raises:
            QueryError: DuckDB cannot read it, or it is not one query; with DuckDB's words and the line.
        """
        document = self._serialize(sql)
        if document["error"]:
            self._check(sql)
            return None
        statements = document["statements"]
        if len(statements) != 1:
            raise QueryError("more than one statement" if statements else "no query", mend=_MEND)
        walk = _Walk(sql, self.read)
        try:
            walk.visit(statements[0]["node"], frozenset(), ())
        except RecursionError as exc:
            raise _too_deep() from exc
        return DatabaseReading(tuple(walk.tables), tuple(walk.columns))

    def _open(self) -> DuckDBPyConnection:
        if self._connection is None:
            import duckdb

            self._connection = duckdb.connect(":memory:", config=SETTINGS | {"enable_external_access": False})
            self._connection.execute("SET python_enable_replacements = false")
        return self._connection

    def _serialize(self, sql: str) -> dict[str, Any]:
        import duckdb

        with self._lock:
            try:
                row = self._open().execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchone()
            except (duckdb.Error, RuntimeError, TypeError) as exc:
                raise QueryError(_first_line(exc)) from exc
        try:
            document: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
        except RecursionError as exc:
            raise _too_deep() from exc
        return document

    def _check(self, sql: str) -> None:
        """Raise for a statement without a parse tree, unless it is the one query of that kind, a PIVOT."""
        import duckdb

        with self._lock:
            try:
                statements = self._open().extract_statements(sql)
            except (duckdb.Error, RuntimeError, TypeError) as exc:
                raise QueryError(_first_line(exc), line=_line_of_error(sql, str(exc))) from exc
        kinds = [str(statement.type).rpartition(".")[2] for statement in statements]
        if kinds not in (["MULTI"], ["CREATE", "SELECT"]):
            raise QueryError("this is not one query", mend=_MEND)


class _Walk:
    """One walk through a parse tree, which knows what names mean where.

    ``read`` reads queries that stand within it as text.
    """

    def __init__(self, sql: str, read: Callable[[str], DatabaseReading | None]) -> None:
        self._bytes = sql.encode()
        self._read = read
        self.tables: list[DatabaseTable] = []
        self.columns: list[DatabaseColumn] = []

    def visit(self, node: Any, ctes: frozenset[str], scope: tuple[tuple[str, ...], ...]) -> None:
        """Visit a node and all below it; `ctes`, and the tables without alias in `scope`, are what it sees above."""
        if isinstance(node, list):
            for item in node:
                self.visit(item, ctes, scope)
        if not isinstance(node, dict):
            return
        kind = str(node.get("type") or "")
        if kind.startswith(_CHANGES):
            raise QueryError("the query changes data on its way", mend=_MEND)
        ctes = self._visit_ctes(node, ctes, scope)
        if "from_table" in node:
            scope = (*_unaliased(node["from_table"]), *scope)
        if kind == "BASE_TABLE":
            self._note_table(node, ctes)
        elif kind == "TABLE_FUNCTION":
            self._note_function(node["function"], ctes)
        elif kind == "COLUMN_REF":
            self._note_column(node, scope)
        own = ctes | {fold(str(node["cte_name"]))} if "cte_name" in node else ctes
        for key, value in node.items():
            if key != "cte_map":
                self.visit(value, own if key in ("right", "child") else ctes, scope)

    def _visit_ctes(
        self, node: Mapping[str, Any], ctes: frozenset[str], scope: tuple[tuple[str, ...], ...]
    ) -> frozenset[str]:
        for entry in node.get("cte_map", {}).get("map", ()):
            self.visit(entry["value"], ctes, scope)
            ctes |= {fold(entry["key"])}
        return ctes

    def _note_table(self, node: Mapping[str, Any], ctes: frozenset[str]) -> None:
        parts = _parts(node)
        own = parts[1:] if len(parts) == 2 and fold(parts[0]) == "recurring" else parts
        if len(own) > 1 or fold(own[0]) not in ctes:
            self.tables.append(DatabaseTable(parts, self._character(node)))

    def _note_function(self, function: Mapping[str, Any], ctes: frozenset[str]) -> None:
        """Note the tables that a table function reads by name, where names or texts tell it, and not an expression."""
        name = fold(function["function_name"])
        first = _arguments(function)[:1]
        if name == "query":
            for text in filter(None, map(_text, first)):
                reading = self._read(text)
                self.tables += [DatabaseTable(table.parts) for table in (reading.tables if reading else ())]
        elif name in ("query_table", "histogram", "histogram_values"):
            for named in (member for argument in first for member in _members(argument)):
                written = _text(named)
                parts = tuple(named.get("column_names", ())) if written is None else parts_of_name(written)
                if len(parts) > 1 or (parts and fold(parts[0]) not in ctes):
                    self.tables.append(DatabaseTable(parts))

    def _note_column(self, node: Mapping[str, Any], scope: tuple[tuple[str, ...], ...]) -> None:
        start = self._character(node)
        if start is not None and scope and len(node["column_names"]) > 2:
            self.columns.append(DatabaseColumn(tuple(node["column_names"]), start, scope))

    def _character(self, node: Mapping[str, Any]) -> int | None:
        """Return the character that a node begins at: DuckDB counts the bytes of the text in UTF-8."""
        place = node.get("query_location", _NO_PLACE)
        return None if place >= len(self._bytes) else len(self._bytes[:place].decode(errors="replace"))


def _too_deep() -> QueryError:
    return QueryError("the query nests too deep", mend="Take it apart: give its parts names with WITH, or models.")


def parts_of_name(written: str) -> tuple[str, ...]:
    """Return the unquoted parts of a name as DuckDB writes it; what follows the name is left out.

    >>> parts_of_name('"My Tab".orders AS o(a, b)')
    ('My Tab', 'orders')
    """
    tokens = lex(written).tokens
    parts = [tokens[0].name or written] if tokens else [written]
    for dot, part in zip(tokens[1::2], tokens[2::2], strict=False):
        if dot.text != "." or not part.name:
            break
        parts.append(part.name)
    return tuple(parts)


def _parts(table: Mapping[str, Any]) -> tuple[str, ...]:
    path = table.get("qualified_name", {}).get("path")
    return tuple(path or filter(None, (table["catalog_name"], table["schema_name"], table["table_name"])))


def _unaliased(item: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Return the names of two parts or more of the tables without alias that stand in a FROM clause."""
    pending = [item]
    while pending:
        table = pending.pop()
        if table["type"] == "BASE_TABLE" and not table["alias"] and len(_parts(table)) > 1:
            yield _parts(table)
        pending += [table[side] for side in ("left", "right", "source") if table.get(side)]


def _arguments(function: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the arguments of a function, which are under one key or another, bare or with a name, by version."""
    arguments = function.get("arguments") or function.get("children") or []
    return [argument.get("expression", argument) for argument in arguments]


def _members(argument: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the members of an argument that is a list, else the argument."""
    return _arguments(argument) if argument.get("function_name") == "list_value" else [argument]


def _text(expression: Mapping[str, Any]) -> str | None:
    """Return the text that an expression is, ``None`` if it is anything else."""
    if expression.get("class") != "CONSTANT":
        return None
    constant = expression.get("literal", {}).get("text", expression.get("value", {}).get("value"))
    return constant if isinstance(constant, str) else None


def _line_of_error(sql: str, said: str) -> int | None:
    """Return the line of `sql` that an error is about; of one at the end DuckDB 1 tells none."""
    line = _LINE.search(said)
    if line is not None:
        return int(line[1])
    return line_of(sql, len(sql.rstrip())) if "at end of input" in said else None


def _first_line(exc: Exception) -> str:
    """Return what DuckDB said, in short: its first line, without the kind of error."""
    said = str(exc).partition("\n")[0]
    return said.partition("Error: ")[2] or said
