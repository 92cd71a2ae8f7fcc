"""Parsing: sqlglot's door. Its trees are handed out to the modules of this package alone, and never changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import ParseError, SqlglotError

from leapsql_core.sql.tokens import lex, word_set

Node: TypeAlias = exp.Expr

#: Statements that yield rows, and so may be a model's query; and those that change data, which may begin like one.
_STATEMENTS: Final = (exp.Query, exp.Values, exp.Pivot, exp.Summarize, exp.Describe, exp.Show, exp.DML)
#: What may stand at the end of a set operation, before its second query.
_SET_OPERATION: Final = word_set("union except intersect all distinct name")
#: Deeper parentheses are left to the database: a parser written with recursion might not come back.
_DEEPEST: Final = 200
_NO_LINE_END: Final = re.compile(r"[^\n]")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A query's tree, or what sqlglot tripped over and where; the tree of ``WITH … INSERT`` is one, too."""

    tree: Node | None
    trouble: str = ""
    line: int | None = None


@lru_cache(maxsize=64)
def parse(sql: str) -> Parsed:
    """Parse one query; never fails."""
    if _depth(sql) > _DEEPEST:
        return Parsed(None, f"brackets or CASE nest more than {_DEEPEST} deep")
    parsed = _parse(sql)
    if parsed.tree is None and (end := _end_of_pivot(sql)):
        shorter = _parse(sql[:end])
        return shorter if isinstance(shorter.tree, exp.Pivot) else parsed
    return parsed


def _parse(sql: str) -> Parsed:
    try:
        trees = DuckDB().parse(_from_for_table(_without_comments(sql)))
    except ParseError as exc:
        first = exc.errors[0] if exc.errors else {}
        description = str(first.get("description") or "syntax error").rstrip(".")
        near = str(first.get("highlight") or "")
        return Parsed(None, f"{description} at `{near}`" if near else description, first.get("line"))
    except (SqlglotError, RecursionError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as exc:
        return Parsed(None, f"{type(exc).__name__} in sqlglot")
    statements = [tree for tree in trees if tree is not None and not isinstance(tree, exp.Semicolon)]
    if len(statements) == 1 and isinstance(statements[0], _STATEMENTS):
        return Parsed(statements[0])
    return Parsed(None, "it takes the text for something other than one query")


def _without_comments(sql: str) -> str:
    """Write spaces for comments, for sqlglot stumbles over one within ``ORDER BY``; nothing is moved by it."""
    lexed = lex(sql)
    if lexed.odd:
        return sql
    ends = (0, *(token.end for token in lexed.tokens))
    starts = (*(token.start for token in lexed.tokens), len(sql))
    gaps = [_NO_LINE_END.sub(" ", sql[end:start]) for end, start in zip(ends, starts, strict=True)]
    texts = (*(token.text for token in lexed.tokens), "")
    return "".join(gap + text for gap, text in zip(gaps, texts, strict=True))


def _from_for_table(sql: str) -> str:
    """Write ``FROM t`` for ``TABLE t``, which sqlglot 30.29 takes for a column or an alias; nothing is moved by it."""
    if "table" not in sql.lower():
        return sql
    tokens = lex(sql).tokens
    for before, token, after in zip((None, *tokens), tokens, tokens[1:], strict=False):
        begins = before is None or before.text in ("(", ")", ";") or before.word in _SET_OPERATION
        if token.word == "table" and after.name and begins:
            sql = f"{sql[: token.start]}from {sql[token.end :]}"
    return sql


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
    """Return how deep brackets and CASE nest.

    sqlglot reads each level in a call of its own, and from Python 3.12 on nothing limits these.
    """
    deepest = brackets = cases = 0
    for token in lex(sql).tokens:
        if token.text in ("(", "[", "{"):
            brackets += 1
        elif token.text in (")", "]", "}"):
            brackets -= 1
        elif token.word == "case":
            cases += 1
        elif token.word == "end" and cases:  # it may be a name, too
            cases -= 1
        deepest = max(deepest, brackets + cases)
    return deepest


__all__ = ["Node", "Parsed", "child", "children", "exp", "listed", "name_of", "parse", "place_of"]
