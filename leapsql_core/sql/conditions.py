"""Conditions: the `where` and the `expression` of a test, which stand in brackets within a query of ours."""

from __future__ import annotations

from typing import Final

from leapsql_core.sql.tokens import lex

_CLOSES: Final = {")": "(", "]": "[", "}": "{"}
_END: Final = "\n)"


def unfit_condition(text: str) -> str | None:
    """Return why a text cannot stand in brackets as one condition, ``None`` if nothing speaks against it.

    >>> unfit_condition("a > 1) or (true"), unfit_condition("a = 'x)' -- and so on")
    ('a bracket closes that was not opened', None)
    """
    *tokens, last = lex(text + _END).tokens
    if not tokens:
        return "it holds no condition"
    if last.text != ")" or last.start != len(text) + 1:
        return "a quote or a comment does not end"
    opened: list[str] = []
    for token in tokens:
        if token.text == ";":
            return "`;` would end the query that it stands in"
        if token.text in ("'", '"'):
            return "a quote does not end"
        if token.text in _CLOSES.values():
            opened.append(token.text)
        elif token.text in _CLOSES and (not opened or opened.pop() != _CLOSES[token.text]):
            return "a bracket closes that was not opened"
    return "a bracket is not closed" if opened else None
