"""Parsing: sqlglot's door. Its trees are handed out to the modules of this package alone, and never changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import ParseError, SqlglotError

from leapsql_core.sql.tokens import lex

Node: TypeAlias = exp.Expr

#: Statements that yield rows, and so may be a model's query.
_QUERIES: Final = (exp.Query, exp.Values, exp.Pivot, exp.Summarize, exp.Describe, exp.Show)
#: Deeper parentheses are left to the database: a parser written with recursion might not come back.
_DEEPEST: Final = 200


@dataclass(frozen=True, slots=True)
class Parsed:
    """A query's tree, or what sqlglot tripped over and where."""

    tree: Node | None
    trouble: str = ""
    line: int | None = None


@lru_cache(maxsize=64)
def parse(sql: str) -> Parsed:
    """Parse one query; never fails."""
    if _depth(sql) > _DEEPEST:
        return Parsed(None, f"parentheses nest more than {_DEEPEST} deep")
    parsed = _parse(sql)
    if parsed.tree is None and (end := _end_of_pivot(sql)):
        shorter = _parse(sql[:end])
        return shorter if isinstance(shorter.tree, exp.Pivot) else parsed
    return parsed


def _parse(sql: str) -> Parsed:
    try:
        statements = [tree for tree in DuckDB().parse(sql) if tree is not None]
    except ParseError as exc:
        first = exc.errors[0] if exc.errors else {}
        description = str(first.get("description") or "syntax error").rstrip(".")
        near = str(first.get("highlight") or "")
        return Parsed(None, f"{description} at `{near}`" if near else description, first.get("line"))
    except (SqlglotError, RecursionError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as exc:
        return Parsed(None, f"{type(exc).__name__} in sqlglot")
    if len(statements) == 1 and isinstance(statements[0], _QUERIES):
        return Parsed(statements[0])
    return Parsed(None, "it takes the text for something other than one query")


def _end_of_pivot(sql: str) -> int:
    """Return where ORDER BY, LIMIT or OFFSET follows a PIVOT statement, which sqlglot does not read; 0 if none does."""
    tokens = lex(sql).tokens
    depth = pivot = end = 0
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")")
        word = token.word if not depth else ""
        pivot = pivot or word in ("pivot", "pivot_wider", "pivot_longer", "unpivot")
        end = end or (token.start if pivot and word in ("order", "limit", "offset") else 0)
    tail = {token.word for token in tokens if end and token.start >= end}
    return 0 if tail & {"select", "from", "table", "values"} else end


def children(node: Node) -> Iterator[Node]:
    """Return the nodes right below `node`."""
    children_of: Iterator[Node] = node.iter_expressions()
    return children_of


def child(node: Node, key: str) -> Node | None:
    """Return what stands under `key` if it is one node."""
    value = node.args.get(key)
    return value if isinstance(value, exp.Expr) else None


def listed(node: Node, key: str) -> list[Node]:
    """Return the nodes that stand under `key`, one or many."""
    value = node.args.get(key)
    if isinstance(value, list):
        return [item for item in value if isinstance(item, exp.Expr)]
    return [value] if isinstance(value, exp.Expr) else []


def name_of(node: Node | None) -> str:
    """Return the name that a node bears, empty if none."""
    return "" if node is None else str(node.name)


def place_of(identifier: Node) -> tuple[int, int] | None:
    """Return where an identifier stands in the text, its quotes included; the end is not."""
    meta = identifier.meta
    return (meta["start"], meta["end"] + 1) if "start" in meta else None


def _depth(sql: str) -> int:
    deepest = depth = 0
    for token in lex(sql).tokens:
        if token.text in ("(", "[", "{"):
            depth += 1
            deepest = max(deepest, depth)
        elif token.text in (")", "]", "}"):
            depth -= 1
    return deepest


__all__ = ["Node", "Parsed", "child", "children", "exp", "listed", "name_of", "parse", "place_of"]
