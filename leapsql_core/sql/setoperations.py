"""Set operations: the columns of two queries made those of one."""

from __future__ import annotations

from leapsql_core.names import fold
from leapsql_core.sql.flow import Extent, Hidden, Kind, Rowset, Value
from leapsql_core.sql.parsing import Node, exp
from leapsql_core.sql.scopes import Analysis, loose_tables


def combine(operation: Node, left: Rowset, right: Rowset, analysis: Analysis) -> Rowset:
    """Return the rows of two queries combined; all but UNION ALL compare rows, and so read all columns of both."""
    rows = left.rows | right.rows
    if not isinstance(operation, exp.Union) or operation.args.get("distinct"):
        rows |= left.values | right.values
    if not isinstance(operation, exp.Union):
        return Rowset(left.columns, rows)
    if left.is_open or right.is_open:
        what = next(c.what for c in (*left.columns, *right.columns) if isinstance(c, Hidden))
        return Rowset((Hidden(what, left.values | right.values),), rows)
    if operation.args.get("by_name"):
        return Rowset(_by_name(left, right), rows)
    if len(left.columns) != len(right.columns):
        analysis.note("a set operation between different numbers of columns", blind=True)
    _note_places(left, right, analysis)
    return Rowset(tuple(_either(x, y) for x, y in zip(_listed(left), _listed(right), strict=False)), rows)


def _note_places(left: Rowset, right: Rowset, analysis: Analysis) -> None:
    """Note whose columns decide what is joined with what: all of them count, unless those that are read will do.

    They do where ``*`` meets ``*`` and nothing else is read of its inputs: then another order of their columns, or
    another column among them, shows in what is read.
    """
    pairs = zip(_listed(left), _listed(right), strict=False)
    plain = all(x.loose == y.loose for x, y in pairs)
    for side in (left, right):
        tables = loose_tables(side.columns)
        named = side.rows.union(*(column.reads for column in _listed(side) if not column.loose))
        plain = plain and not any(s.table in tables and s.extent is not Extent.COUNT for s in named)
    tables = loose_tables((*left.columns, *right.columns))
    if plain:
        analysis.paired.append(tables)
    else:
        analysis.placed |= tables


def _listed(rowset: Rowset) -> list[Value]:
    return [column for column in rowset.columns if isinstance(column, Value)]


def _by_name(left: Rowset, right: Rowset) -> tuple[Value | Hidden, ...]:
    """Return the left columns, then those that only the right has; where one side has none, it is NULL."""
    found: dict[str, Value] = {}
    for column in (*_listed(left), *_listed(right)):
        if column.name is None:
            return (Hidden("columns by name, one of which has none", left.values | right.values),)
        key = fold(column.name)
        found[key] = _either(found[key], column) if key in found else column
    return tuple(found.values())


def _either(x: Value, y: Value) -> Value:
    """Return the column whose values come from one column or another, under the name of the first."""
    kinds = {x.kind, y.kind}
    kind: Kind = "unknown" if "unknown" in kinds else "derived" if "derived" in kinds else "direct"
    return Value(kind, x.sources | y.sources, x.reads | y.reads, x.name, x.loose or y.loose)
