"""Order: whether an answer hangs on the order in which the rows of its inputs arrive."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from leapsql_core.names import fold
from leapsql_core.sql.functions import ORDER_READERS
from leapsql_core.sql.parsing import Node, child, exp, listed, name_of

_ORDER_READERS: Final = (
    exp.AnyValue, exp.ApproxQuantile, exp.ArgMax, exp.ArgMin, exp.ArrayAgg, exp.First, exp.GroupConcat, exp.Last,
    exp.Mode,
)  # fmt: skip
#: What a window computes without an order of its own, and over a whole partition, whatever the order of rows.
_UNMOVED: Final = (
    exp.Sum, exp.Count, exp.Avg, exp.Min, exp.Max, exp.Median, exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Variance,
    exp.VariancePop, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.LogicalAnd, exp.LogicalOr, exp.CountIf,
)  # fmt: skip


def reads_order(tree: Node, calls: Iterable[str]) -> str | None:
    """Name what makes a query's answer hang on the order of its inputs' rows, ``None`` if nothing does.

    `calls` are the names of the functions that the text calls, as often as it does. Ties do not count: a sort key that
    does not tell rows apart gives another answer each time.
    """
    understood = 0
    for node in tree.walk():
        reason = _reason(node)
        if reason is not None:
            return reason
        understood += _is_order_reader(node)
    written = sorted(name for name in calls if name in ORDER_READERS)
    return f"{written[0]}(), which sqlglot hides" if len(written) > understood else None


def _reason(node: Node) -> str | None:
    test = _TESTS.get(type(node))
    if test is not None:
        return test(node)
    return f"{_name(node)}() without ORDER BY" if _is_order_reader(node) and not _has_own_order(node) else None


def _is_order_reader(node: Node) -> bool:
    return isinstance(node, _ORDER_READERS) or (isinstance(node, exp.Func) and _name(node) in ORDER_READERS)


def _of_query(query: Node) -> str | None:
    cut = child(query, "limit") is not None or child(query, "offset") is not None
    distinct = child(query, "distinct")
    if child(query, "order") is not None:
        return None
    if cut:
        return "LIMIT without ORDER BY"
    if distinct is not None and child(distinct, "on") is not None:
        return "DISTINCT ON without ORDER BY"
    return "ARRAY(…) without ORDER BY" if isinstance(query.parent, exp.Array) else None


def _of_window(window: Node) -> str | None:
    function = child(window, "this")
    while isinstance(function, (exp.Filter, exp.IgnoreNulls, exp.RespectNulls)):
        function = child(function, "this")
    if function is None or isinstance(function, exp.Identifier) or _is_ordered(window):
        return None
    if isinstance(function, _UNMOVED) and child(window, "spec") is None:
        return None
    return "a window without ORDER BY"


def _is_ordered(window: Node) -> bool:
    """Tell whether a window, or the named one that it builds upon, has an order."""
    if child(window, "order") is not None:
        return True
    name = fold(name_of(child(window, "alias")))
    select = window.find_ancestor(exp.Select)
    named = [w for w in listed(select, "windows") if fold(name_of(w.this)) == name] if name and select else []
    return any(_is_ordered(w) for w in named if w is not window)


def _of_extreme(aggregate: Node) -> str | None:
    """Tell of ``max(a, n)``, which takes how many there are to be from the first row that comes."""
    numbers = [*listed(aggregate, "count"), *listed(aggregate, "expressions")]
    return f"{_name(aggregate)}() of several" if any(n.find(exp.Column) is not None for n in numbers) else None


def _has_own_order(aggregate: Node) -> bool:
    """Tell whether an aggregate is given an order: within its parentheses, or by the window that it stands in."""
    above = aggregate.parent
    while isinstance(above, (exp.Filter, exp.IgnoreNulls, exp.RespectNulls)):
        above = above.parent
    if isinstance(above, (exp.Window, exp.WithinGroup)):
        return True  # a window answers for itself
    arguments = [aggregate.this, *listed(aggregate, "expression"), *listed(aggregate, "expressions")]
    arguments += [argument.this for argument in arguments if isinstance(argument, exp.IgnoreNulls)]
    return any(isinstance(argument, exp.Order) for argument in arguments)


def _name(function: Node) -> str:
    return fold(str(function.this if isinstance(function, exp.Anonymous) else function.sql_name()))


_TESTS: Final[dict[type, Callable[[Node], str | None]]] = {
    exp.Select: _of_query,
    exp.Union: _of_query,
    exp.Except: _of_query,
    exp.Intersect: _of_query,
    exp.Subquery: _of_query,
    exp.Values: _of_query,
    exp.Window: _of_window,
    exp.Max: _of_extreme,
    exp.Min: _of_extreme,
    exp.TableSample: lambda _: "a sample",
    exp.Join: lambda join: "POSITIONAL JOIN" if join.args.get("method") == "POSITIONAL" else None,
    exp.Column: lambda column: "rowid" if fold(name_of(column)) == "rowid" else None,
}
