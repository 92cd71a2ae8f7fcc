"""Tables: what the items of a FROM clause yield, and how joins bring them together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from leapsql_core.names import fold
from leapsql_core.sql.expressions import read
from leapsql_core.sql.flow import NOTHING, Hidden, Rowset, Sources, Value, union, whole
from leapsql_core.sql.functions import QUERY_READERS
from leapsql_core.sql.parsing import Node, child, children, exp, listed, name_of, place_of
from leapsql_core.sql.references import find_cte, name_parts
from leapsql_core.sql.scopes import Analysis, Binding, Merged, Scope, column_in

_TABLE_PARTS: Final = {"this", "db", "catalog", "alias", "joins", "pivots", "sample"}
_JOIN_PARTS: Final = {"this", "method", "side", "kind", "on", "using"}


def bind(item: Node, scope: Scope, analysis: Analysis, *, joins: Sequence[Node] = ()) -> None:
    """Add an item of a FROM clause to a scope, with the joins that hang on it and `joins` after them.

    What stands in parentheses, or between commas, is joined by itself first: it may name what stands before it, but its
    own items come first. A comma binds looser than JOIN: what stands before it is on no side of the joins after it.
    """
    group = Scope(scope)
    _bind_item(item, group, analysis)
    for join in (*listed(item, "joins"), *joins):
        if any(value for key, value in join.args.items() if key != "this"):
            _bind_join(join, group, analysis)
        else:
            _move(group, scope)
            group = Scope(scope)
            bind(join.this, group, analysis)
    _move(group, scope)


def _move(group: Scope, scope: Scope) -> None:
    """Make the items that were joined by themselves part of a scope."""
    scope.bindings += group.bindings
    scope.merged += group.merged
    scope.rows |= group.rows


def _bind_item(item: Node, scope: Scope, analysis: Analysis) -> None:
    if isinstance(item, exp.Table):
        _bind_table(item, scope, analysis)
    elif isinstance(item, exp.Subquery) and _is_item(item.this):
        if any(item.args.get(key) for key in ("with_", "alias", "pivots", "sample", "order", "limit", "offset")):
            analysis.note("an alias of a join in parentheses", blind=True)
        bind(item.this, scope, analysis)
    elif isinstance(item, exp.Lateral):
        _bind_lateral(item, scope, analysis)
    elif isinstance(item, exp.Unnest):
        _add(item, _unnested(item, scope, analysis), scope, analysis, name="unnest")
    elif isinstance(item, (exp.Query, exp.Values)):
        _add(item, analysis.resolve(item, scope), scope, analysis)
    else:
        _bind_stranger(item, scope, analysis)


def _bind_join(join: Node, scope: Scope, analysis: Analysis) -> None:
    """Add what a join brings in, and count what its condition reads among what decides the rows."""
    if not _JOIN_PARTS.issuperset(key for key, value in join.args.items() if value):
        analysis.note("an unusual join", blind=True)
    if listed(join.this, "pivots") and not (join.args.get("on") or join.args.get("using")):
        analysis.note("PIVOT behind a join without ON, which turns both sides", blind=True)
    before = len(scope.bindings)
    bind(join.this, scope, analysis)
    left, right = scope.bindings[:before], scope.bindings[before:]
    method, side, kind = (str(join.args.get(key) or "").upper() for key in ("method", "side", "kind"))
    using = [name_of(name) for name in listed(join, "using")]
    if method == "POSITIONAL":
        scope.rows |= whole(scope.everything)
    elif method == "NATURAL":
        using = _shared_names(left, right, scope, analysis)
    on = child(join, "on")
    if on is not None:
        scope.rows |= read(on, scope, analysis)
    for name in using:
        _merge(name, left, right, side, scope, analysis)
    if kind in ("SEMI", "ANTI"):
        _take_away(right, scope, analysis)


def _take_away(right: list[Binding], scope: Scope, analysis: Analysis) -> None:
    """Take the right side of a semi or anti join out again: it decides rows, but has no columns to offer."""
    scope.rows.update(*(binding.rowset.rows for binding in right))
    scope.bindings = [binding for binding in scope.bindings if binding not in right]
    if {fold(b.name) for b in right} & {fold(b.name) for b in scope.bindings}:
        analysis.note("a semi join with a second table of the same name", blind=True)
    for merged in scope.merged:
        merged.bindings = [binding for binding in merged.bindings if binding not in right]


# -------------------------------------------------------------------------------------------------------------- items


def _is_item(node: Node) -> bool:
    """Tell whether what stands in parentheses is not a query, but an item of FROM, perhaps with joins."""
    if isinstance(node, exp.Table) or any(node.args.get(key) for key in ("alias", "joins", "pivots", "sample")):
        return not isinstance(node, exp.Select)
    return isinstance(node, exp.Subquery) and _is_item(node.this)


def _bind_table(table: Node, scope: Scope, analysis: Analysis) -> None:
    if not _TABLE_PARTS.issuperset(key for key, value in table.args.items() if value):
        analysis.note("a table as of another time", blind=True)
    identifiers = name_parts(table)
    if not identifiers:
        _bind_function(table, scope, analysis)
        return
    parts = tuple(map(name_of, identifiers))
    place = place_of(identifiers[0])
    cte = find_cte(table)
    if cte is not None:
        _add(table, analysis.cte(cte), scope, analysis, name=parts[-1])
    elif place is not None and analysis.sql[place[0]] == "'":
        _add(table, Rowset((Hidden(f"the columns of '{parts[0]}'", NOTHING),)), scope, analysis)
    else:
        name, rowset = analysis.table(parts)
        binding = _add(table, rowset, scope, analysis, name=parts[-1])
        binding.table = None if table.args.get("pivots") else name
        binding.parts = () if table.alias else parts


def _bind_function(table: Node, scope: Scope, analysis: Analysis) -> None:
    """Bind a table function; its arguments may be columns of the items before it, and decide its rows."""
    function = child(table, "this")
    if isinstance(function, exp.Values):
        _add(table, analysis.resolve(function, scope), scope, analysis)
        return
    if not isinstance(function, exp.Func):
        _bind_stranger(table, scope, analysis)
        return
    name = _function_name(function)
    if name in QUERY_READERS:
        analysis.note(f"{name}()", blind=True)
    missing = set(analysis.missing)
    sources = NOTHING.union(
        *(
            read(argument.expression if _is_option(argument) else argument, scope, analysis)
            for argument in children(function)
            if name not in QUERY_READERS
        )
    )
    analysis.missing = missing  # a bare word that is no column may be the name of a table or a file here
    column = Value("derived", sources, sources, name) if name in ("range", "generate_series") else None
    _add(table, _of_function(name, column, sources, table), scope, analysis, name=name)


def _function_name(function: Node) -> str:
    if isinstance(function, exp.GenerateSeries):
        return "range" if function.args.get("is_end_exclusive") else "generate_series"
    return fold(str(function.this)) if isinstance(function, exp.Anonymous) else fold(str(function.sql_name()))


def _is_option(argument: Node) -> bool:
    """Tell whether an argument of a table function is written ``option = value``."""
    return isinstance(argument, exp.EQ) and isinstance(argument.this, exp.Column)


def _of_function(name: str, column: Value | None, sources: Sources, item: Node) -> Rowset:
    """Return the rows of a table function; how its only column is named under a bare alias differs by version."""
    alias = child(item, "alias")
    if column is None or (alias is not None and not listed(alias, "columns")):
        return Rowset((Hidden(f"the columns of {name}()", sources),), sources)
    return Rowset((column,), sources)


def _unnested(unnest: Node, scope: Scope, analysis: Analysis) -> Rowset:
    arguments = listed(unnest, "expressions")
    sources = NOTHING.union(*(read(argument, scope, analysis) for argument in arguments))
    single = len(arguments) == 1 and not unnest.args.get("offset")
    column = Value("derived", sources, sources, "unnest") if single else None
    item = unnest.parent if isinstance(unnest.parent, exp.Lateral) else unnest
    return _of_function("unnest", column, sources, item)


def _bind_lateral(lateral: Node, scope: Scope, analysis: Analysis) -> None:
    inner = child(lateral, "this")
    if isinstance(inner, exp.Query):
        _add(lateral, analysis.resolve(inner, scope), scope, analysis)
    elif isinstance(inner, exp.Unnest):
        _add(lateral, _unnested(inner, scope, analysis), scope, analysis, name="unnest")
    else:
        _bind_stranger(lateral, scope, analysis)


def _bind_stranger(item: Node, scope: Scope, analysis: Analysis) -> None:
    construct = f"{type(item).__name__} in FROM"
    analysis.note(construct, blind=True)
    _add(item, Rowset((Hidden(construct, NOTHING),)), scope, analysis)


def _add(item: Node, rowset: Rowset, scope: Scope, analysis: Analysis, *, name: str = "") -> Binding:
    """Add rows to a scope under their alias, or under `name`; pivoted or sampled if the item says so."""
    alias = child(item, "alias")
    names = [name_of(column) for column in listed(alias, "columns")] if alias is not None else []
    rowset = analysis.rename(rowset, names)
    name = str(item.alias) or name
    for pivot in listed(item, "pivots"):
        name = str(pivot.alias) or name
        rowset = pivoted(pivot, rowset, analysis)
    if child(item, "sample") is not None:
        scope.rows |= whole(rowset.everything)
    binding = Binding(name, rowset)
    scope.bindings.append(binding)
    return binding


def pivoted(pivot: Node, rowset: Rowset, analysis: Analysis) -> Rowset:
    """Return rows after PIVOT or UNPIVOT: what columns there are hangs on all that was there."""
    construct = "UNPIVOT" if pivot.args.get("unpivot") else "PIVOT"
    analysis.note(construct, blind=pivot.find(exp.Select) is not None)
    return Rowset((Hidden(construct, rowset.everything),), rowset.everything)


# -------------------------------------------------------------------------------------------------------------- joins


def _shared_names(left: Sequence[Binding], right: Sequence[Binding], scope: Scope, analysis: Analysis) -> list[str]:
    """Return the columns that NATURAL joins by; if some columns are hidden, it may join by any."""
    both = [*left, *right]
    if any(binding.rowset.is_open for binding in both):
        analysis.note("NATURAL JOIN")
        scope.rows |= scope.everything
        scope.merged = []
        for binding in both:
            binding.rowset = Rowset((Hidden("NATURAL JOIN", scope.everything),), binding.rowset.rows)
        return []
    names = [[c.name for c in binding.rowset.columns if isinstance(c, Value) and c.name] for binding in both]
    on_left = {fold(name) for column_names in names[: len(left)] for name in column_names}
    shared = {fold(name): name for column_names in names[len(left) :] for name in column_names if fold(name) in on_left}
    return list(shared.values())


def _merge(
    name: str, left: Sequence[Binding], right: Sequence[Binding], side: str, scope: Scope, analysis: Analysis
) -> None:
    """Merge a column that USING names: its value is the left one's, the right one's, or either's."""
    values: list[Value] = []
    members: list[Binding] = []
    for bindings in (left, right):
        found, having = _one_side(name, bindings, scope, analysis)
        values.append(found)
        members += having
        scope.rows |= found.reads
    value = union(values, kind="derived") if side == "FULL" else values[side == "RIGHT"]
    key = fold(name)
    scope.merged = [m for m in scope.merged if m.name != key or not any(b in members for b in m.bindings)]
    scope.merged.append(Merged(key, value, members, coalesced=side == "FULL"))


def _one_side(name: str, bindings: Sequence[Binding], scope: Scope, analysis: Analysis) -> tuple[Value, list[Binding]]:
    """Return what a column means on one side of a join, and the items that have it, or may."""
    merged = [m for m in scope.merged if m.name == fold(name) and any(b in bindings for b in m.bindings)]
    if merged:
        return union([m.value for m in merged]), [b for m in merged for b in m.bindings]
    found = [(binding, *column_in(name, binding, analysis)) for binding in bindings]
    certain = [(binding, value) for binding, value, _ in found if value is not None]
    maybe = certain or [(binding, value) for binding, _, possible in found for value in possible]
    if not maybe:
        analysis.note(f"the column {name}, which USING names and which is not there", blind=True)
    return union([value for _, value in maybe], kind=None if maybe else "unknown"), [binding for binding, _ in maybe]
