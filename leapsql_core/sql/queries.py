"""Queries: the columns that SELECT, set operations and VALUES yield, and what decides their rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from leapsql_core.names import fold
from leapsql_core.sql.expressions import evaluate, read
from leapsql_core.sql.flow import NOTHING, Hidden, Rowset, Sources, Value, union, whole
from leapsql_core.sql.naming import name_of_expression
from leapsql_core.sql.parsing import Node, child, exp, listed, name_of
from leapsql_core.sql.references import repeated_union
from leapsql_core.sql.scopes import Analysis, Scope, loose_tables
from leapsql_core.sql.setoperations import combine
from leapsql_core.sql.stars import expand
from leapsql_core.sql.tables import bind, pivoted

Column = Value | Hidden

_PARTS: Final = {
    exp.Select: {
        "with_", "distinct", "expressions", "from_", "joins", "where", "group", "having", "qualify", "windows",
        "order", "limit", "offset", "sample",
    },
    exp.Union: {"with_", "this", "expression", "distinct", "by_name", "order", "limit", "offset"},
    exp.Except: {"with_", "this", "expression", "distinct", "order", "limit", "offset"},
    exp.Intersect: {"with_", "this", "expression", "distinct", "order", "limit", "offset"},
    exp.Subquery: {"with_", "this", "alias", "pivots", "joins", "sample", "order", "limit", "offset"},
    exp.Values: {"expressions", "alias", "joins", "order", "limit", "offset"},
    exp.Pivot: {"with_", "this", "expressions", "using", "group", "unpivot", "into", "include_nulls", "fields"},
    exp.Group: {"expressions", "all"},
    exp.Limit: {"expression", "limit_options"},
    exp.Fetch: {"direction", "count", "limit_options"},
}  # fmt: skip
#: What `unnest` certainly makes one column of: lists. Of a struct it makes as many as there are fields.
_LISTS: Final = (exp.Array, exp.GenerateSeries, exp.Split, exp.ArrayDistinct, exp.ArraySort, exp.ArrayAgg, exp.MapKeys)
_MOST_ROUNDS: Final = 100


def resolve(query: Node, parent: Scope | None, analysis: Analysis) -> Rowset:
    """Return what a query yields; names that it does not know itself mean what they mean in `parent`."""
    _check_parts(query, analysis)
    _announce_ctes(query, parent, analysis)
    if isinstance(query, exp.Select):
        return _select(query, parent, analysis)
    if isinstance(query, exp.SetOperation):
        return _set_operation(query, parent, analysis)
    if isinstance(query, exp.Subquery):
        if any(query.this.args.get(key) for key in ("alias", "pivots", "sample")) or not isinstance(
            query.this, exp.Query
        ):
            analysis.note("parentheses around something other than a query", blind=True)
        return _modified(query, resolve(query.this, parent, analysis), parent, analysis)
    if isinstance(query, exp.Values):
        return _modified(query, _values(query, parent, analysis), parent, analysis)
    if isinstance(query, exp.Pivot):
        scope = Scope(parent)
        bind(query.this, scope, analysis)
        return pivoted(query, Rowset((Hidden("PIVOT", scope.everything),), scope.everything), analysis)
    construct = type(query).__name__.upper()
    analysis.note(construct, blind=True)
    return Rowset((Hidden(construct, NOTHING),))


def _check_parts(node: Node, analysis: Analysis) -> None:
    """Note a node with a part that nothing here understands."""
    known = _PARTS.get(type(node))
    strange = sorted(key for key, value in node.args.items() if value and known is not None and key not in known)
    if strange:
        analysis.note(f"{strange[0].strip('_').upper()} in {type(node).__name__.upper()}", blind=True)


# --------------------------------------------------------------------------------------- common table expressions


def _announce_ctes(query: Node, parent: Scope | None, analysis: Analysis) -> None:
    """Keep the common table expressions of a query for whoever reads them; DuckDB looks at no others either."""
    with_ = child(query, "with_")
    for cte in listed(with_, "expressions") if with_ is not None else ():
        recursive = with_ is not None and bool(with_.args.get("recursive"))
        analysis.ctes[id(cte)] = partial(_resolve_cte, cte, parent, analysis, recursive=recursive)


def _resolve_cte(cte: Node, parent: Scope | None, analysis: Analysis, *, recursive: bool) -> Rowset:
    alias = child(cte, "alias")
    names = [name_of(column) for column in listed(alias, "columns")] if alias is not None else []
    repeated = repeated_union(cte) if recursive else None
    if cte.args.get("key_expressions"):
        analysis.note("USING KEY", blind=True)
    if repeated is None:
        return analysis.rename(resolve(cte.this, parent, analysis), names)
    return _resolve_repeated(cte, repeated, names, parent, analysis)


def _resolve_repeated(
    cte: Node, repeated: Node, names: Sequence[str], parent: Scope | None, analysis: Analysis
) -> Rowset:
    """Resolve a recursive union again and again, until nothing is added to what it hangs on."""
    _announce_ctes(repeated, parent, analysis)
    first = resolve(repeated.this, parent, analysis)
    known = analysis.rename(first, names)
    for _ in range(_MOST_ROUNDS):
        analysis.ctes[id(cte)] = known
        _announce_ctes(repeated, parent, analysis)
        again = combine(repeated, first, resolve(repeated.expression, parent, analysis), analysis)
        again = _modified(repeated, again, parent, analysis).renamed(names)
        if again == known:
            break
        known = again
    else:
        analysis.note("a recursion that does not settle", blind=True)
    return known


# ------------------------------------------------------------------------------------------------- select


def _select(query: Node, parent: Scope | None, analysis: Analysis) -> Rowset:
    scope = Scope(parent, windows={fold(name_of(w.this)): w for w in listed(query, "windows")})
    start = child(query, "from_")
    if start is not None:
        bind(start.this, scope, analysis, joins=listed(query, "joins"))
    scope.alias_rule = "last"
    columns: list[Column] = []
    for item in listed(query, "expressions"):
        columns += _project(item, scope, analysis)
    scope.rows |= _filters(query, columns, scope, analysis)
    order = child(query, "order")
    ordering = None
    if order is not None:
        ordered = [item.this for item in listed(order, "expressions")]
        ordering = NOTHING.union(*_listed_reads(ordered, columns, scope, analysis))
    rows = frozenset(scope.rows).union(*(binding.rowset.rows for binding in scope.bindings))
    return _cut(query, Rowset(tuple(columns), rows), ordering, scope, analysis)


def _project(item: Node, scope: Scope, analysis: Analysis) -> list[Column]:
    """Return the columns that one item of a select list stands for."""
    inner = item
    while isinstance(inner, (exp.Paren, exp.Alias)):
        inner = inner.this
    if isinstance(inner, exp.Star) or (isinstance(inner, exp.Column) and isinstance(inner.this, exp.Star)):
        return expand(inner, scope, analysis)
    scope.expands = False
    value = replace(evaluate(inner, scope, analysis), loose=False)
    alias = str(item.alias) if isinstance(item, exp.Alias) else ""
    if alias:
        known = scope.aliases.get(fold(alias))
        value = value.named(alias)
        scope.aliases[fold(alias)] = value if known is None else union([value, known])
    elif value.name is None:
        value = value.named(name_of_expression(inner))
    if scope.expands:
        return [Hidden("columns chosen by a pattern", value.reads)]
    if isinstance(inner, exp.Explode) and (listed(inner, "expressions") or not isinstance(inner.this, _LISTS)):
        return [Hidden("unnest(…), which may yield several columns", value.reads)]
    return [value]


def _filters(query: Node, columns: Sequence[Column], scope: Scope, analysis: Analysis) -> Sources:
    """Return what the clauses read that decide which rows a SELECT has, before it is cut to a LIMIT."""
    done: set[Sources] = set()
    where, group, distinct = child(query, "where"), child(query, "group"), child(query, "distinct")
    if where is not None:
        done.add(read(where.this, scope, analysis))
    if group is not None:
        _check_parts(group, analysis)
        done.update(_listed_reads(_flatten(listed(group, "expressions")), columns, scope, analysis))
        if group.args.get("all"):
            if listed(group, "expressions"):
                analysis.note("GROUP BY ALL with something behind it", blind=True)
            done.update(_reads_of(column) for column in columns)
    scope.alias_rule = "equal"
    for key in ("having", "qualify"):
        clause = child(query, key)
        if clause is not None:
            done.add(read(clause.this, scope, analysis))
    if distinct is not None:
        on = child(distinct, "on")
        if on is None:
            done.update(_reads_of(column) for column in columns)
        else:
            done.update(_listed_reads(_flatten([on]), columns, scope, analysis))
            if child(query, "order") is None:
                done.add(whole(scope.everything))
    if child(query, "sample") is not None:
        done.add(whole(scope.everything))
    return NOTHING.union(*done)


def _cut(query: Node, rowset: Rowset, ordering: Sources | None, scope: Scope, analysis: Analysis) -> Rowset:
    """Return a query's rows after ORDER BY, LIMIT and OFFSET; without an order, a limit reads everything."""
    rows = {rowset.rows, ordering or NOTHING}
    limits = [part for key in ("limit", "offset") if (part := child(query, key)) is not None]
    for limit in limits:
        _check_parts(limit, analysis)
        rows.update(read(count, scope, analysis) for key in ("expression", "count") for count in listed(limit, key))
    if limits and ordering is None:
        rows.add(whole(rowset.everything))
    return Rowset(rowset.columns, NOTHING.union(*rows))


def _listed_reads(
    items: Iterable[Node], columns: Sequence[Column], scope: Scope, analysis: Analysis
) -> Iterator[Sources]:
    """Return what the items of GROUP BY, ORDER BY or DISTINCT ON read, which may be numbers of columns, or ALL."""
    for item in items:
        if isinstance(item, exp.Var) or _is_number(item) or isinstance(item, exp.PositionalColumn):
            number = item.this if isinstance(item, exp.PositionalColumn) else item
            place = int(number.this) - 1 if _is_number(number) else -1
            known = not any(isinstance(column, Hidden) for column in columns[: place + 1])
            chosen = columns[place : place + 1] if place >= 0 and known else columns
            analysis.placed |= loose_tables(columns[: place + 1])
            yield from map(_reads_of, chosen)
        else:
            yield read(item, scope, analysis)


def _is_number(node: Node) -> bool:
    return isinstance(node, exp.Literal) and not node.is_string and str(node.this).isdigit()


def _flatten(items: Iterable[Node]) -> Iterator[Node]:
    """Return the expressions within GROUPING SETS, ROLLUP, CUBE and parentheses."""
    for item in items:
        if isinstance(item, (exp.GroupingSets, exp.Rollup, exp.Cube, exp.Tuple)):
            yield from _flatten(listed(item, "expressions"))
        elif isinstance(item, exp.Paren):
            yield from _flatten([item.this])
        else:
            yield item


def _reads_of(column: Column) -> Sources:
    return column.sources if isinstance(column, Hidden) else column.reads


# ---------------------------------------------------------------------------------------------- everything else


def _set_operation(query: Node, parent: Scope | None, analysis: Analysis) -> Rowset:
    """Resolve a chain of set operations from its first query on; chains are long in generated SQL."""
    chain = [query]
    while isinstance(chain[-1].this, exp.SetOperation) and child(chain[-1].this, "with_") is None:
        chain.append(chain[-1].this)
        _check_parts(chain[-1], analysis)
    rowset = resolve(chain[-1].this, parent, analysis)
    for operation in reversed(chain):
        rowset = combine(operation, rowset, resolve(operation.expression, parent, analysis), analysis)
        rowset = _modified(operation, rowset, parent, analysis)
    return rowset


def _modified(query: Node, rowset: Rowset, parent: Scope | None, analysis: Analysis) -> Rowset:
    """Return rows after the ORDER BY and LIMIT of a set operation or of parentheses, which order by its columns."""
    order = child(query, "order")
    ordering: Sources | None = None
    if order is not None:
        reads = [_ordering_column(item.this, rowset) for item in listed(order, "expressions")]
        ordering = NOTHING.union(*reads)
        if order.find(exp.Select) is not None:
            analysis.note("a subquery in the ORDER BY of a set operation", blind=True)
    return _cut(query, rowset, ordering, Scope(parent), analysis)


def _ordering_column(item: Node, rowset: Rowset) -> Sources:
    """Return what ordering by an output column reads; by anything else, everything."""
    if not rowset.is_open and _is_number(item) and 0 < int(item.this) <= len(rowset.columns):
        return _reads_of(rowset.columns[int(item.this) - 1])
    if not rowset.is_open and isinstance(item, exp.Column) and child(item, "table") is None:
        for column in rowset.columns:
            if isinstance(column, Value) and fold(column.name or "") == fold(name_of(item)):
                return column.reads
    return whole(rowset.everything)


def _values(query: Node, parent: Scope | None, analysis: Analysis) -> Rowset:
    """Return the rows of VALUES: columns col0, col1, …, each of which may come from any of its rows."""
    scope = Scope(parent)
    rows = [listed(row, "expressions") if isinstance(row, exp.Tuple) else [row] for row in listed(query, "expressions")]
    columns = [
        union([evaluate(item, scope, analysis) for item in items], kind="derived").named(f"col{place}")
        for place, items in enumerate(zip(*rows, strict=False))
    ]
    return Rowset(tuple(columns), frozenset(scope.rows))
