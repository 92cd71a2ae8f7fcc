"""Subqueries that stand for a value: which of several rows they take, where a database lets them yield several."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Final

from leapsql_core.sql.tokens import lex, word_set

_SETTING: Final = "scalar_subquery_error_on_multiple_rows"
_BEGINNINGS: Final = word_set("from pivot select table unpivot values with")


def takes_first_row(sql: str, settings: Mapping[str, object]) -> str | None:
    """Name what makes an answer hang on which row of a subquery comes first, ``None`` if nothing does.

    DuckDB refuses a value of several rows, unless a setting says otherwise; then any subquery is taken for such a one.

    >>> settings = {"scalar_subquery_error_on_multiple_rows": False}
    >>> takes_first_row("SELECT (SELECT a FROM t)", settings), takes_first_row("SELECT (1)", settings)
    ('a subquery that may yield several rows', None)
    >>> takes_first_row("SELECT (SELECT a FROM t)", {}) is None
    True
    """
    said = {name.casefold(): str(value).casefold() for name, value in settings.items()}
    if said.get(_SETTING, "true") in ("true", "1"):
        return None
    asks = any(mark.text == "(" and token.word in _BEGINNINGS for mark, token in pairwise(lex(sql).tokens))
    return "a subquery that may yield several rows" if asks else None
