"""Windows: of which tables a query reads no row but those between two moments, or those of one key.

It is proven or it does not hold: each place where the query names the table stands in a FROM clause whose own WHERE
demands of every row that a column of the table lies there. A row that does not is then joined to nothing that is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from leapsql_core.names import fold
from leapsql_core.sql.parsing import Node, child, exp, listed, name_of, parse
from leapsql_core.sql.references import find_cte, name_parts

#: What an item of a FROM clause may have; anything else, such as a sample, may make its rows hang on one another.
_PLAIN = frozenset({"this", "db", "catalog", "alias"})
_SIDES, _KINDS = frozenset({"", "LEFT", "RIGHT", "FULL"}), frozenset({"", "INNER", "OUTER", "CROSS"})
#: With a zone, an hour that a change of clocks leaves out would be moved into the next.
_MOMENTS = ("TIMESTAMP", "TIMESTAMPNTZ", "DATETIME")


def find_windows(sql: str, window: Mapping[str, str], *, whole_days: bool) -> dict[tuple[str, ...], str]:
    """Return tables, by the parts of their names without case, and the column that holds their rows in the `window`.

    `window` has the texts of ``start`` and ``end``, or of a ``key`` alone, as they stand in strings of the query. They
    may be cast to days if those are `whole_days`.
    """
    tree = parse(sql).tree
    if tree is None:
        return {}
    found: dict[tuple[str, ...], str | None] = {}
    for node in tree.walk():
        if isinstance(node, (exp.DML, exp.DDL, exp.Into)):
            return {}
        if not isinstance(node, exp.Table) or find_cte(node) is not None:
            continue
        parts = tuple(fold(name_of(part)) for part in name_parts(node))
        if not parts:
            return {}  # a function, which may read anything
        column = _held_by(node, window, whole_days=whole_days)
        found[parts] = column if found.get(parts, column) == column else None
    return {parts: column for parts, column in found.items() if column is not None}


def _held_by(table: Node, window: Mapping[str, str], *, whole_days: bool) -> str | None:
    """Return the column by which the SELECT around a table holds its rows in the window, ``None`` if it does not."""
    item = table.parent
    select = None if item is None else item.parent
    if not isinstance(item, (exp.From, exp.Join)) or not isinstance(select, exp.Select):
        return None
    joins = listed(select, "joins")
    if any(value and key not in _PLAIN for key, value in table.args.items()) or not all(map(_is_plain, joins)):
        return None
    alias = child(table, "alias")
    if alias is not None and listed(alias, "columns"):
        return None  # its columns are called otherwise here
    label = str(table.alias) or name_of(name_parts(table)[-1])
    columns: dict[str, set[str]] = {name: set() for name in ("start", "end", "key")}
    where = child(select, "where")
    for condition in _stream_conditions(None if where is None else child(where, "this")):
        for name, column, value in _stream_bounds(condition):
            said = window.get(name)
            qualifier = str(column.table)
            ours = fold(qualifier) == fold(label) if qualifier else not joins
            if ours and said is not None and _says(value, said, whole_days=whole_days):
                columns[name].add(name_of(column))
    held = columns["key"] if "start" not in window else columns["start"] & columns["end"]
    return min(held, default=None)


def _is_plain(join: Node) -> bool:
    side, kind, method = (str(join.args.get(name) or "").upper() for name in ("side", "kind", "method"))
    return side in _SIDES and kind in _KINDS and not method


def _stream_conditions(node: Node | None) -> Iterator[Node]:
    """Yield the conditions that all have to hold."""
    if isinstance(node, exp.And):
        yield from _stream_conditions(child(node, "this"))
        yield from _stream_conditions(child(node, "expression"))
    elif isinstance(node, exp.Paren):
        yield from _stream_conditions(child(node, "this"))
    elif node is not None:
        yield node


def _stream_bounds(condition: Node) -> Iterator[tuple[str, Node, Node]]:
    """Yield what a comparison bounds, with the column and the value: ``column >= start``, ``column < end``, and so."""
    left, right = child(condition, "this"), child(condition, "expression")
    if left is None or right is None:
        return
    names: dict[type[Node], tuple[str, str]] = {
        exp.GTE: ("start", ""),
        exp.LTE: ("", "start"),
        exp.LT: ("end", ""),
        exp.GT: ("", "end"),
        exp.EQ: ("key", "key"),
    }
    forward, backward = names.get(type(condition), ("", ""))
    if forward and isinstance(left, exp.Column) and not left.args.get("db"):
        yield forward, left, right
    if backward and isinstance(right, exp.Column) and not right.args.get("db"):
        yield backward, right, left


def _says(value: Node, text: str, *, whole_days: bool) -> bool:
    """Tell whether an expression is this text, as it is or as a moment."""
    if isinstance(value, exp.Cast) and not isinstance(value, exp.TryCast):
        kind = child(value, "to")
        named = "" if kind is None else str(getattr(kind.args.get("this"), "value", kind.args.get("this")))
        inner = child(value, "this")
        if inner is None or named.upper() not in (*_MOMENTS, *(["DATE"] if whole_days else [])):
            return False
        value = inner
    return isinstance(value, exp.Literal) and bool(value.args.get("is_string")) and value.args.get("this") == text
