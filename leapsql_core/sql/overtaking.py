"""Overtaking: which macros of a database a text may call though no call of them can be seen in it.

Whatever DuckDB computes is a function to it, operators and brackets included, and a macro may bear any of their names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from leapsql_core.names import fold
from leapsql_core.sql.calls import GRAMMAR, TYPES
from leapsql_core.sql.functions import is_built_in
from leapsql_core.sql.tokens import lex, mentioned, word_set

#: Functions that the grammar calls by no name of theirs, behind the word or mark that does. Operators go by their own.
_WRITTEN: Final = """
    ( row
    [ array_extract array_slice array_value json_extract list_extract list_slice list_value map_extract
    [ map_extract_value
    [ struct_extract struct_extract_at variant_extract
    { map struct_pack
    . struct_extract union_extract variant_extract
    * count_star
    ! factorial !__postfix
    count count_star
    at timezone
    escape ilike_escape like_escape not_ilike_escape not_like_escape
    extract date_part
    for list_apply list_filter list_transform
    glob ~~~
    ilike ~~* !~~*
    in contains
    interval to_centuries to_days to_decades to_hours to_microseconds to_millennia to_milliseconds to_minutes to_months
    interval to_quarters to_seconds to_weeks to_years
    like ~~ !~~
    position instr strpos
    similar regexp_full_match
    substring substr
    trim ltrim rtrim
    current_role current_role
    current_user current_user
    session_user session_user
    user user
"""
_MARKS_OF: Final = {
    name: frozenset(mark for mark, *names in map(str.split, _WRITTEN.strip().splitlines()) if name in names)
    for name in {name for line in _WRITTEN.strip().splitlines() for name in line.split()[1:]}
}
#: Statements that call functions of their own choice.
_CALLING_ANY: Final = word_set("describe pivot pivot_longer pivot_wider summarize unpivot")
_NAME: Final = re.compile(r"[^\W\d]\w*")


def overlooked_calls(text: str, macros: Iterable[str]) -> list[str]:
    """Return those of `macros`, in lower case, that `text` may call though `find_calls` finds no call; sorted.

    It takes them for grammar, or the grammar calls them: ``a + b`` is a call of ``+``, ``[a, b]`` one of `list_value`.

    >>> overlooked_calls("SELECT f(a), percent(1) FROM t", ["f", "percent", "sample"])
    ['percent']
    >>> overlooked_calls("SELECT EXTRACT(year FROM a) - 1 FROM t", ["date_part", "timezone", "*", "-"])
    ['-', 'date_part']
    """
    words = [name for name in macros if name in GRAMMAR or name in TYPES]
    written = [name for name in macros if is_called_by_grammar(name)]
    built_in = [name for name in macros if is_built_in(name)]
    found = set(mentioned(text, words)) if words else set[str]()
    if written or built_in:
        lexed = lex(text)
        here = {fold(token.text) for token in lexed.tokens}
        operators = " ".join(token.text for token in lexed.tokens if token.kind == "operator")
        for name in written:
            marks = _MARKS_OF.get(name, {name})
            found.update([name] if lexed.odd or any(mark in here or mark in operators for mark in marks) else ())
        found.update(built_in if here & _CALLING_ANY else ())
    return sorted(found)


def is_called_by_grammar(function: str) -> bool:
    """Tell whether a text may call a function, by its name in lower case, without that name.

    >>> is_called_by_grammar("+"), is_called_by_grammar("list_value"), is_called_by_grammar("lower")
    (True, True, False)
    """
    return function in _MARKS_OF or _NAME.fullmatch(function) is None
