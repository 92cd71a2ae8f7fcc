"""Expressions: what the value of an expression hangs on.

Nodes are visited one by one, without recursion but for subqueries, for generated SQL nests deep. Only kinds of nodes
that are listed here are understood; any other may hide anything.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from leapsql_core.names import fold
from leapsql_core.sql.flow import CONSTANT, NOTHING, Source, Sources, Value, whole
from leapsql_core.sql.functions import ROW_MAKERS
from leapsql_core.sql.parsing import Node, child, children, exp, listed, name_of
from leapsql_core.sql.references import dotted
from leapsql_core.sql.scopes import Analysis, Scope, levels, look_up
from leapsql_core.sql.tokens import word_set

#: Nodes without a column in or below them.
_LEAVES: Final = (
    exp.Literal, exp.Null, exp.Boolean, exp.Var, exp.DataType, exp.JSONPath, exp.HexString, exp.ByteString,
    exp.BitString, exp.RawString, exp.UnicodeString, exp.National,
)  # fmt: skip
#: Nodes, beside functions, whose value hangs on all that stands below them, and on nothing else.
_PLAIN: Final = (
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.DPipe, exp.BitwiseAnd, exp.BitwiseOr, exp.BitwiseXor,
    exp.BitwiseLeftShift, exp.BitwiseRightShift, exp.BitwiseNot, exp.Neg, exp.Not, exp.Paren, exp.Connector,
    exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.NullSafeNEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.Like, exp.ILike,
    exp.SimilarTo, exp.Glob, exp.Escape, exp.Between, exp.In, exp.Any, exp.All, exp.Bracket, exp.Slice, exp.Tuple,
    exp.AtTimeZone, exp.Interval, exp.Distinct, exp.IgnoreNulls, exp.RespectNulls, exp.WithinGroup, exp.Ordered,
    exp.Where, exp.WindowSpec, exp.JSONKeyValue,
)  # fmt: skip
#: Functions, by sqlglot's lights, that are no plain ones.
_PECULIAR: Final = (exp.Columns, exp.UDTF, exp.JSONTable, exp.XMLTable, exp.OpenJSON, exp.AnonymousAggFunc)
#: Functions that sqlglot writes as nodes of their own though no parenthesis need follow: a column of that name wins.
_BARE: Final = {
    exp.CurrentDate: "current_date",
    exp.CurrentTime: "current_time",
    exp.CurrentTimestamp: "current_timestamp",
    exp.Localtime: "localtime",
    exp.Localtimestamp: "localtimestamp",
    exp.CurrentUser: "current_user",
    exp.SessionUser: "session_user",
    exp.CurrentCatalog: "current_catalog",
    exp.CurrentSchema: "current_schema",
    exp.CurrentRole: "current_role",
}
_TAKES_LAMBDA: Final = word_set("""
    apply array_apply array_filter array_reduce array_transform filter list_apply list_filter list_reduce
    list_transform reduce
    """)


class _Step(NamedTuple):
    """A node to be visited; its values flow on, or are but read; `parameters` are of lambdas around it."""

    node: Node
    flows: bool
    parameters: frozenset[str]


class _Visit:
    """What a walk through one expression gathers."""

    def __init__(self, scope: Scope, analysis: Analysis) -> None:
        self.scope, self.analysis = scope, analysis
        self.sources: set[Source] = set()
        self.reads: set[Source] = set()
        self.unknown = False

    def value(self) -> Value:
        """Return what was gathered."""
        return Value("unknown" if self.unknown else "derived", frozenset(self.sources), frozenset(self.reads))

    def take(self, value: Value, *, flows: bool) -> None:
        """Take a value in."""
        self.reads |= value.reads
        if flows:
            self.sources |= value.sources
            self.unknown = self.unknown or value.kind == "unknown"

    def give_up(self, construct: str, *, expands: bool = False) -> None:
        """Note a construct that may read anything that stands in scope, and may stand for several columns."""
        self.analysis.note(construct)
        self.unknown = True
        self.scope.expands = self.scope.expands or expands
        for level in levels(self.scope):
            self.reads |= level.everything


def read(node: Node, scope: Scope, analysis: Analysis) -> Sources:
    """Return all that the value of an expression hangs on."""
    return evaluate(node, scope, analysis).reads


def evaluate(node: Node, scope: Scope, analysis: Analysis) -> Value:
    """Return what the value of an expression hangs on, and the name of the column that it is, if it is one."""
    while isinstance(node, exp.Paren):
        node = node.this
    names = _dotted_names(node)
    if names:
        return _column(names, scope, analysis)
    if isinstance(node, exp.Literal):
        return CONSTANT
    visit = _Visit(scope, analysis)
    steps = [_Step(node, True, frozenset())]
    while steps:
        steps += _visit(steps.pop(), visit)
    return visit.value()


def _dotted_names(node: Node) -> list[str]:
    """Return the names of a column reference, with its qualifiers and fields; none if it is something else."""
    if isinstance(node, exp.Column) and isinstance(node.this, exp.Identifier):
        return [name_of(part) for part in dotted(node)]
    if isinstance(node, exp.Dot):
        inner, length = node, 0
        while isinstance(inner, exp.Dot) and isinstance(inner.expression, exp.Identifier):
            inner, length = inner.this, length + 1
        if isinstance(inner, exp.Identifier) or (isinstance(inner, exp.Column) and _dotted_names(inner)):
            return [name_of(part) for part in dotted(node)]
    return []


def _column(names: list[str], scope: Scope, analysis: Analysis) -> Value:
    value = look_up(names, scope, analysis)
    if value is not None:
        return value
    _note_missing(names, scope, analysis)
    return Value("unknown", NOTHING, NOTHING, names[-1])


def _note_missing(names: list[str], scope: Scope, analysis: Analysis) -> None:
    """Note a column that nothing in scope has; and which table should have it, where that is beyond doubt."""
    analysis.note(f"the column {'.'.join(names)}, which is not there", blind=True)
    bindings = [binding for level in levels(scope) for binding in level.bindings]
    meant = [b for b in bindings if len(names) == 1 or (len(names) == 2 and b.bears([fold(names[0])]))]
    table = meant[0].table if len(meant) == 1 else None
    if table is not None and not any(t == table and fold(c) == fold(names[-1]) for t, c in analysis.known):
        analysis.missing.add((table, names[-1]))
    elif table is None and len(names) == 1:
        analysis.missing.add(("", names[0]))


def _visit(step: _Step, visit: _Visit) -> list[_Step]:
    """Take in what one node hangs on, and return what is to be visited below it."""
    node, flows, parameters = step
    if isinstance(node, _LEAVES):
        return []
    if isinstance(node, (exp.Column, exp.Dot, exp.Identifier)):
        return _visit_name(step, visit)
    if isinstance(node, (exp.Query, exp.Values, exp.Exists)):
        _visit_query(step, visit)
        return []
    if type(node) in _BARE:
        _take_doubtful([_BARE[type(node)]], visit, flows=flows)
    if isinstance(node, exp.Star):
        if not isinstance(node.parent, exp.Count):
            visit.give_up("* within an expression", expands=True)
        return []
    if isinstance(node, (exp.Explode, exp.Unnest)) or _name(node) in ROW_MAKERS:
        return _visit_row_maker(step, visit)
    below = _below(step)
    if below is not None:
        return below
    if isinstance(node, exp.Window):
        return _window_below(step, visit)
    if isinstance(node, _PLAIN) or (isinstance(node, exp.Func) and not isinstance(node, _PECULIAR)):
        return [_Step(lower, flows, parameters) for lower in children(node)]
    construct = _CONSTRUCTS.get(type(node))
    expands = isinstance(node, exp.Columns) or construct is None
    visit.give_up(construct or f"{type(node).__name__} in an expression", expands=expands)
    visit.analysis.blind = visit.analysis.blind or construct is None
    return []


_CONSTRUCTS: Final = {
    exp.Columns: "COLUMNS(…)",
    exp.PositionalColumn: "a column by its position (#n)",
    exp.Placeholder: "a parameter",
    exp.Parameter: "a parameter",
}


def _visit_name(step: _Step, visit: _Visit) -> list[_Step]:
    """Take in a column, a field, a lambda's parameter; or the column before a method's dot, as in ``a.upper()``."""
    node, flows, parameters = step
    names = [name_of(node)] if isinstance(node, exp.Identifier) else _dotted_names(node)
    if names:
        if fold(names[0]) not in parameters:
            visit.take(_column(names, visit.scope, visit.analysis), flows=flows)
        elif len(names) > 1:
            _take_doubtful(names, visit, flows=flows)  # a table of the parameter's name comes first
        return []
    if isinstance(node, exp.Column):
        visit.give_up("* within an expression", expands=True)
        return []
    owner, member = node.this, node.expression
    steps = [] if isinstance(member, exp.Identifier) else [_Step(member, flows, parameters)]
    names = [name_of(owner)] if isinstance(owner, exp.Identifier) else _dotted_names(owner)
    if not names or not isinstance(member, exp.Func):
        return [_Step(owner, flows, parameters), *steps]
    if fold(names[0]) not in parameters:
        _take_doubtful(names, visit, flows=flows)  # it may be the schema of the function
    return steps


def _visit_query(step: _Step, visit: _Visit) -> None:
    """Take in a subquery: its columns and what decides its rows, the latter alone if it is asked whether there are."""
    node, flows, _ = step
    exists = isinstance(node, exp.Exists)
    rowset = visit.analysis.resolve(node.this if exists else node, visit.scope)
    visit.reads |= rowset.rows
    for column in () if exists else rowset.columns:
        visit.take(column if isinstance(column, Value) else Value("unknown", NOTHING, column.sources), flows=flows)


def _take_doubtful(names: list[str], visit: _Visit, *, flows: bool) -> None:
    """Take in a column if there is one of that name; where columns are unknown, all of them."""
    value = look_up(names, visit.scope, visit.analysis) or CONSTANT
    if all(visit.analysis.knows(source) for source in value.reads):
        visit.take(value, flows=flows)
    else:
        visit.take(Value("unknown", NOTHING, whole(value.reads)), flows=flows)


def _visit_row_maker(step: _Step, visit: _Visit) -> list[_Step]:
    """Take in `unnest`, whose argument decides how many rows there are."""
    for argument in children(step.node):
        if not isinstance(argument, exp.PropertyEQ):
            value = evaluate(argument, visit.scope, visit.analysis)
            visit.take(value, flows=step.flows)
            visit.scope.rows |= value.reads
    return []


def _below(step: _Step) -> list[_Step] | None:
    """Return what is to be visited below a node some of whose parts are names, or read without flowing on."""
    node, flows, parameters = step

    def steps(*keys: str, flowing: bool = flows, inner: frozenset[str] = parameters) -> list[_Step]:
        return [_Step(lower, flowing, inner) for key in keys for lower in listed(node, key)]

    if isinstance(node, (exp.Cast, exp.Collate, exp.Alias)):
        return steps("this")
    if isinstance(node, (exp.PropertyEQ, exp.Kwarg)):
        # The key of a struct is a name, that of a MAP {…} an expression.
        return steps("expression") if isinstance(node.this, exp.Identifier) else steps("this", "expression")
    if isinstance(node, exp.Filter):
        return steps("this") + steps("expression", flowing=False)
    if isinstance(node, exp.Order):
        return steps("this") + steps("expressions", flowing=flows and child(node, "this") is None)
    if isinstance(node, exp.Lambda):
        named = frozenset(fold(name_of(parameter)) for parameter in listed(node, "expressions"))
        return steps("this", inner=parameters | named) if _is_lambda(node) else steps("this", "expressions")
    if isinstance(node, exp.Comprehension):
        named = frozenset(fold(name_of(child(node, key))) for key in ("expression", "position"))
        return (
            steps("iterator")
            + steps("this", inner=parameters | named)
            + steps("condition", flowing=False, inner=parameters | named)
        )
    return None


def _window_below(step: _Step, visit: _Visit) -> list[_Step]:
    """Return what is to be visited of a window: what it computes flows on, its frame is but read."""
    node, flows, parameters = step
    frame = [part for key in ("partition_by", "order", "spec") for part in listed(node, key)]
    name = name_of(child(node, "alias"))
    if name:
        level = next((level for level in levels(visit.scope) if fold(name) in level.windows), None)
        frame += [] if level is None else [level.windows[fold(name)]]
    of_window = child(node, "this")
    steps = [_Step(part, False, parameters) for part in frame]
    if of_window is not None and not isinstance(of_window, exp.Identifier):
        steps.append(_Step(of_window, flows, parameters))
    return steps


def _is_lambda(node: Node) -> bool:
    """Tell whether ``x -> …`` is a lambda; elsewhere it is JSON's arrow, which sqlglot cannot tell apart."""
    function = node.parent
    if not isinstance(function, exp.Func):
        return False
    arguments = list(children(function))
    known = isinstance(function, (exp.Transform, exp.ArrayFilter)) or _name(function) in _TAKES_LAMBDA
    return known and arguments[0] is not node


def _name(function: Node) -> str:
    return fold(str(function.this)) if isinstance(function, exp.Anonymous) else ""
