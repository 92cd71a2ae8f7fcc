"""Automation conditions written as text: names, calls with plain values, and `&`, `|`, `~` between them."""

import ast
import inspect
from collections.abc import Callable
from typing import Any

import dagster as dg
from dagster._check import CheckError

from leapsql_core import UsageError, did_you_mean

_OF_DAGSTER = (
    "any_deps_in_progress",
    "any_deps_missing",
    "any_deps_updated",
    "cron_tick_passed",
    "eager",
    "execution_failed",
    "in_latest_time_window",
    "in_progress",
    "initial_evaluation",
    "missing",
    "newly_missing",
    "newly_updated",
    "on_cron",
    "on_missing",
)


def known_conditions() -> dict[str, Callable[..., dg.AutomationCondition[Any]]]:
    """Return what each name that may stand in a condition makes, called with the values written behind it."""
    # They load what plans, which loads this.
    from leapsql_dagster.conditions import model_changed, needs_build

    ours = {"model_changed": model_changed, "needs_build": needs_build}
    return {**{name: getattr(dg.AutomationCondition, name) for name in _OF_DAGSTER}, **ours}


def read_condition(text: str) -> dg.AutomationCondition[Any]:
    """Return the automation condition that `text` writes, as in ``on_cron("0 6 * * *") | eager``.

    Raises:
        UsageError: it cannot be read, or holds a name that is not known.

    >>> read_condition("eager") == dg.AutomationCondition.eager()
    True
    >>> read_condition("eager() & ~in_progress").children[0] == dg.AutomationCondition.eager()
    True
    """
    try:
        written = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as exc:
        raise _unreadable(text) from exc
    return _condition(written, text)


def _condition(written: ast.expr, text: str) -> dg.AutomationCondition[Any]:
    if isinstance(written, ast.BinOp) and isinstance(written.op, ast.BitAnd | ast.BitOr):
        left, right = _condition(written.left, text), _condition(written.right, text)
        return left & right if isinstance(written.op, ast.BitAnd) else left | right
    if isinstance(written, ast.UnaryOp) and isinstance(written.op, ast.Invert):
        return ~_condition(written.operand, text)
    if isinstance(written, ast.Name):
        return _made(written.id, text, [], {})
    if isinstance(written, ast.Call) and isinstance(written.func, ast.Name):
        try:
            values = [ast.literal_eval(value) for value in written.args]
            named = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in written.keywords}
        except (ValueError, TypeError) as exc:
            raise _unreadable(text) from exc
        return _made(written.func.id, text, values, named)
    raise _unreadable(text)


def _made(name: str, text: str, values: list[Any], named: dict[str, Any]) -> dg.AutomationCondition[Any]:
    known = known_conditions()
    make = known.get(name)
    if make is None:
        names = f"Known: {', '.join(sorted(known))}."
        raise UsageError(f"unknown condition `{name}`", mend=did_you_mean(name, known, otherwise=names))
    try:
        inspect.signature(make).bind(*values, **named)
        return make(*values, **named)
    except (CheckError, TypeError, ValueError) as exc:
        raise UsageError(f"`{name}` of `{text}`: {exc}", mend='Write it as in `on_cron("0 6 * * *")`.') from exc


def _unreadable(text: str) -> UsageError:
    return UsageError(
        f"`{text}` is no automation condition",
        mend='Write names such as `eager` or `on_cron("0 6 * * *")`, with &, | and ~ between them.',
    )
