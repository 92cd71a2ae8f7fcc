"""Metering: what Jinja reads of a template, changed so that all that it does is paid for."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from typing import Any, Final

from jinja2 import nodes, pass_context
from jinja2.runtime import Context, markup_join, str_join
from jinja2.visitor import NodeTransformer

from leapsql_core.rendering.allowance import allowance, counted, pay_filter

#: Filters of our own, by names that no template can spell.
_TURN: Final = "a turn"
_WEIGHED: Final = "weighed"
_JOINED: Final = "joined by ~"
_MATERIALIZED: Final = frozenset({"batch", "join", "slice", "sum", "tojson"})
_BODIES = (nodes.For, nodes.Macro, nodes.CallBlock, nodes.Block)


def metered(template: nodes.Template) -> nodes.Template:
    """Return a template in which turns, calls and comparisons are paid for."""
    changed: nodes.Template = _Meter().visit(template)
    return changed


class _Meter(NodeTransformer):
    """Puts a payment at the beginning of all that may happen more than once, and around all that may be large."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        if node.test is not None:
            node.test = nodes.And(_own(_TURN, nodes.Const(0, lineno=node.lineno), node), node.test, lineno=node.lineno)
        return self._with_turn(node)

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:
        return self._with_turn(node)

    visit_CallBlock = visit_Block = visit_Macro

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _own(_JOINED, nodes.List(node.nodes, lineno=node.lineno), node)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        node.expr = _weighed(node.expr)
        for operand in node.ops:
            operand.expr = _weighed(operand.expr)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            node.node = _weighed(node.node)
        else:
            node.arg = _weighed(node.arg)
        return node

    def visit_Pair(self, node: nodes.Pair) -> nodes.Node:
        self.generic_visit(node)
        node.key = _weighed(node.key)
        return node

    def _with_turn(self, node: Any) -> nodes.Node:
        written = sum(len(text.data) for text in node.find_all(nodes.TemplateData))
        self.generic_visit(node)
        turn = _own(_TURN, nodes.Const(written, lineno=node.lineno), node)
        node.body.insert(0, nodes.ExprStmt(turn, lineno=node.lineno))
        return node  # type: ignore[no-any-return]


def _weighed(node: nodes.Expr) -> nodes.Expr:
    return node if isinstance(node, nodes.Const) else _own(_WEIGHED, node, node)


def _own(name: str, value: nodes.Expr, at: nodes.Node) -> nodes.Filter:
    return nodes.Filter(value, name, [], [], None, None, lineno=at.lineno, environment=at.environment)


def meter(functions: MutableMapping[str, Any]) -> None:
    """Let every filter, or test, be paid for."""
    for name, function in list(functions.items()):
        functions[name] = _paid(name, function)


def _paid(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    # Jinja passes its context, or a part of it, first to those that ask for it.
    ahead = 1 if hasattr(function, "jinja_pass_arg") else 0

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        given = list(args)
        if name in _MATERIALIZED and isinstance(given[ahead], Iterator):
            given[ahead] = list(given[ahead])
        pay_filter(name, given[ahead], [*given[ahead + 1 :], *kwargs.values()])
        return counted(function(*given, **kwargs))

    return call


# Asked for the context, so that Jinja does not work them out when it compiles a template.


@pass_context
def _turn(context: Context, written: int) -> bool:
    allowance().turn(written)
    return True


@pass_context
def _weigh(context: Context, value: Any) -> Any:
    allowance().weigh(value)
    return value


@pass_context
def _join(context: Context, parts: Sequence[Any]) -> str:
    spent = allowance()
    spent.pay_text(spent.weigh(*parts))
    return (markup_join if context.eval_ctx.autoescape else str_join)(parts)


#: Filters that metered templates call.
OWN_FILTERS: Final[dict[str, Callable[..., Any]]] = {_TURN: _turn, _WEIGHED: _weigh, _JOINED: _join}
