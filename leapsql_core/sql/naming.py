"""Naming: how DuckDB names a column that has no alias, where that is certain in every supported version."""

from __future__ import annotations

import re
from typing import Final

from leapsql_core.sql.parsing import Node, child, exp, name_of
from leapsql_core.sql.references import dotted

#: Names that DuckDB writes without quotes for certain: an underscore is in hardly any of its keywords.
_PLAIN: Final = re.compile(r"(?!grouping_id|pivot_|try_cast)[a-z][a-z0-9]*(?:_[a-z0-9]+)+")
_AGGREGATES: Final = {exp.Count: "count", exp.Sum: "sum", exp.Min: "min", exp.Max: "max", exp.Avg: "avg"}


def name_of_expression(node: Node) -> str | None:
    """Return the name of an output column that is this expression; ``None`` if it is not certain.

    DuckDB takes the text of the expression, written in its own way.
    """
    if isinstance(node, exp.Literal):
        return f"'{str(node.this).replace(chr(39), 2 * chr(39))}'" if node.is_string else _number(node)
    function = _AGGREGATES.get(type(node))
    if function is not None:
        argument = child(node, "this")
        if isinstance(argument, exp.Star) or (function == "count" and argument is None):
            return "count_star()"
        strange = any(value for key, value in node.args.items() if key not in ("this", "big_int"))
        inside = None if argument is None or strange else _column(argument)
        return None if inside is None else f"{function}({inside})"
    return None


def _number(node: Node) -> str | None:
    return str(node.this) if str(node.this).isdigit() else None


def _column(node: Node) -> str | None:
    """Return a column's dotted name, unless a part of it would have to be quoted."""
    if not isinstance(node, exp.Column):
        return None
    names = [name_of(part) for part in dotted(node)]
    return ".".join(names) if names and all(map(_PLAIN.fullmatch, names)) else None
