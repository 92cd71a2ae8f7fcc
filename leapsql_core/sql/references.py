"""References: the tables that a query's tree names, and where in the text their names stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from leapsql_core.models import Span
from leapsql_core.names import fold
from leapsql_core.sql.calls import text_of
from leapsql_core.sql.parsing import Node, child, exp, listed, name_of, place_of


class Named(NamedTuple):
    """A table's name as it stands in one place."""

    parts: tuple[str, ...]
    span: Span


class TreeNames(NamedTuple):
    """What a tree names, and where.

    ``tables`` are the places of tables' names, ``qualifiers`` those where a column repeats such a name, ``files`` the
    strings that stand where a table might. ``aliases`` are the places where names of CTEs and aliases of tables begin.
    ``samples`` tells of a sample without a seed, ``changes_data`` of a statement that is no query.
    """

    tables: tuple[Named, ...]
    qualifiers: tuple[Named, ...]
    files: tuple[str, ...]
    aliases: frozenset[int]
    samples: bool
    changes_data: bool


def find_names(tree: Node, sql: str) -> TreeNames:
    """Find what a query's tree names; names of common table expressions are no tables."""
    tables: list[Named] = []
    qualifiers: list[Named] = []
    files: list[str] = []
    aliases: set[int] = set()
    samples = changes_data = False
    for node in tree.walk():
        if isinstance(node, exp.TableAlias):
            aliases |= alias_places(node)
        elif isinstance(node, exp.Table):
            named = _named(name_parts(node))
            if named is not None and sql[named.span.start] == "'":
                files.append(text_of(sql[named.span.start : named.span.end]))
            elif named is not None and find_cte(node) is None:
                tables.append(named)
        elif isinstance(node, (exp.Column, exp.Dot)):
            qualifiers += _qualifier(node)
        elif isinstance(node, exp.TableSample):
            samples = samples or node.args.get("seed") is None
        elif isinstance(node, (exp.DML, exp.DDL, exp.Into)):
            changes_data = True
    return TreeNames(tuple(tables), tuple(qualifiers), tuple(files), frozenset(aliases), samples, changes_data)


def alias_places(alias: Node) -> set[int]:
    """Return where the name of a CTE or the alias of a table begins, if it has a place: columns may follow it."""
    name = child(alias, "this")
    place = None if name is None else place_of(name)
    return set() if place is None else {place[0]}


def name_parts(table: Node) -> list[Node]:
    """Return the identifiers of a table's name from left to right; none if it is a function."""
    last = child(table, "this")
    if not isinstance(last, (exp.Identifier, exp.Dot)):
        return []
    before = [part for key in ("catalog", "db") if (part := child(table, key)) is not None]
    return [*before, *_flatten(last)]


def find_cte(table: Node) -> Node | None:
    """Return the common table expression that a table's name means, ``None`` if it means a table.

    A CTE is seen by those after it and by the query that it stands before; by itself only in the right branch of a
    recursive union.
    """
    parts = name_parts(table)
    if len(parts) == 2 and fold(name_of(parts[0])) == "recurring":
        parts = parts[1:]  # what a recursive CTE with USING KEY has so far
    if len(parts) != 1:
        return None
    name = fold(name_of(parts[0]))
    trail = [table]
    while (above := trail[-1].parent) is not None:
        below = trail[-1]
        if isinstance(above, exp.With):
            seen = _before(listed(above, "expressions"), below)
            if above.args.get("recursive") and _is_repeated(below, trail):
                seen.append(below)
            trail.append(above.parent)
        else:
            with_ = child(above, "with_")
            seen = [] if with_ is None or with_ is below else listed(with_, "expressions")
            trail.append(above)
        for cte in reversed(seen):
            if fold(str(cte.alias)) == name:
                return cte
    return None


def repeated_union(cte: Node) -> Node | None:
    """Return the union that a recursive CTE repeats, out of its parentheses; ``None`` if its body is none."""
    body = child(cte, "this")
    while isinstance(body, exp.Subquery):
        body = child(body, "this")
    return body if isinstance(body, exp.Union) else None


def _is_repeated(cte: Node, trail: Sequence[Node]) -> bool:
    union = repeated_union(cte)
    return union is not None and not any(node is union.this for node in trail)


def _before(ctes: Sequence[Node], cte: Node) -> list[Node]:
    seen: list[Node] = []
    for earlier in ctes:
        if earlier is cte:
            break
        seen.append(earlier)
    return seen


# --------------------------------------------------------------------------------------------------------- qualifiers


def _qualifier(column: Node) -> list[Named]:
    """Find where a column's qualifier repeats the whole name, of two parts or more, of a table in scope."""
    identifiers = dotted(column)
    if len(identifiers) < 3 or _goes_on(column):
        return []
    written = [fold(name_of(part)) for part in identifiers]
    fitting = [
        len(parts)
        for parts in _unaliased_tables(column)
        if 1 < len(parts) < len(written) and [fold(part) for part in parts] == written[: len(parts)]
    ]
    named = _named(identifiers[: max(fitting)]) if fitting else None
    return [] if named is None else [named]


def dotted(node: Node) -> list[Node]:
    """Return the identifiers of a dotted name, from left to right, up to the first thing that is none."""
    if isinstance(node, exp.Column):
        return [part for key in ("catalog", "db", "table", "this") if (part := child(node, key)) is not None]
    return _flatten(node)


def _flatten(node: Node) -> list[Node]:
    links: list[Node] = []
    while isinstance(node, exp.Dot):
        links.append(node.expression)
        node = node.this
    found = dotted(node) if isinstance(node, exp.Column) else [node] if isinstance(node, exp.Identifier) else []
    for link in reversed(links if found else []):
        if not isinstance(link, exp.Identifier):
            break
        found.append(link)
    return found


def _goes_on(node: Node) -> bool:
    """Tell whether a dotted name is the beginning of a longer one."""
    return isinstance(node.parent, exp.Dot) and node.parent.this is node


def _unaliased_tables(column: Node) -> Iterator[tuple[str, ...]]:
    """Return the names of the tables without alias that stand in a column's scope and the enclosing ones."""
    node: Node | None = column
    while node is not None:
        if isinstance(node, (exp.Select, exp.Pivot)):
            yield from _tables_of(node)
        node = node.parent


def _tables_of(query: Node) -> Iterator[tuple[str, ...]]:
    start = child(query, "from_")
    pending: list[Node | None] = [query.this if start is None else start.this]
    pending += [join.this for join in listed(query, "joins")]
    while pending:
        item = pending.pop()
        if isinstance(item, exp.Table):
            if not item.alias:
                yield tuple(map(name_of, name_parts(item)))
            pending += [join.this for join in listed(item, "joins")]
        elif isinstance(item, exp.Subquery):
            pending.append(item.this)


def _named(identifiers: Sequence[Node]) -> Named | None:
    places = [place_of(identifier) for identifier in identifiers]
    if not places or places[0] is None or places[-1] is None:
        return None
    return Named(tuple(map(name_of, identifiers)), Span(places[0][0], places[-1][1]))
