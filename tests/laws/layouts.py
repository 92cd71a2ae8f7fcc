"""The same query, laid out anew: spaces, line ends, comments, the case of reserved words.

What may be changed is what the design promises to see through: never a space between two operators, for ``> -1`` and
``>-1`` are other tokens, nor the case of anything but reserved words, nor what stands within Jinja's braces.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence

from chance import Choice

from leapsql_core.sql.tokens import word_set

RESERVED = word_set("""
    all and any as asc case cast desc distinct else end except from group having in intersect lateral limit not null
    offset on or order qualify select table then union using when where with
    """)

_PIECE = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<jinja>\{\{.*?\}\}|\{%.*?%\})
  | (?P<string>'(?:[^']|'')*')
  | (?P<quoted>"(?:[^"]|"")*")
  | (?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?)
  | (?P<word>[^\W\d]\w*)
  | (?P<mark>::|[(),.;\[\]])
  | (?P<operator>[-+*/<>=|!]+)
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_FREE_MARKS = frozenset({"::", "(", ")", ",", ";", "[", "]"})
_VALUES = frozenset({"string", "quoted", "number", "word"})

#: What may stand where a space stands.
_SPACES = (
    " ",
    "\n",
    "\t",
    "\r\n",
    "\n\n      ",
    " -- it's a remark; \"select\n",
    "\t/* a remark\n-- of 'two lines */ ",
    " /**/",
    "\n--\n",
    " /* select 1; */\r\n",
)
#: What may stand where nothing has to.
_FREE = ("", "", "", *_SPACES)
_ENDS = ("", "\n", ";", " ;\n", " -- the end", "\n/* the end */\n", ";;", "; -- the end\n")
_BEGINNINGS = ("", "\n", "-- a remark\n", "/* it's\n; a remark */ ", "\r\n\t")
_CASES: tuple[Callable[[str], str], ...] = (str, str, str.upper, str.title, str.lower)


def spread(query: str, numbers: Sequence[int]) -> str:
    r"""Lay `query` out as `numbers` say, which are used again and again; without any it is as it was.

    >>> print(spread("select a.k, 'x' from a where k > -1", [1, 2]).replace("\t", " "))
    <BLANKLINE>
    SELECT
    a.k,'x' from a
    WHERE
    k>
    -1
    <BLANKLINE>
    """
    if not numbers:
        return query
    numbered = itertools.cycle(numbers)
    choice = Choice(lambda count: next(numbered) % count)
    pieces = [(str(found.lastgroup), found[0]) for found in _PIECE.finditer(query)]
    text = choice.one(_BEGINNINGS)
    for place, (kind, piece) in enumerate(pieces):
        if kind == "space":
            before, after = pieces[place - 1], pieces[place + 1]
            text += choice.one(_FREE if _is_free(before, after) or _is_free(after, before) else _SPACES)
            continue
        if place and pieces[place - 1][0] != "space":
            before = pieces[place - 1]
            text += choice.one(_FREE) if _is_free(before, (kind, piece)) or _is_free((kind, piece), before) else ""
        text += choice.one(_CASES)(piece) if _may_change_case(pieces, place) else piece
    return text + choice.one(_ENDS)


def _is_free(piece: tuple[str, str], neighbour: tuple[str, str]) -> bool:
    """Tell whether space between `piece` and its neighbour means nothing."""
    if "jinja" in (piece[0], neighbour[0]):
        return False
    if piece[1] in _FREE_MARKS:
        return neighbour[0] != "other"
    return neighbour[0] in _VALUES and (piece[0] == "operator" or (piece[1] == "." and neighbour[0] != "number"))


def _may_change_case(pieces: Sequence[tuple[str, str]], place: int) -> bool:
    """Tell whether a piece is a reserved word where no name may stand."""
    kind, piece = pieces[place]
    before = [text for kind, text in pieces[:place] if kind != "space"][-1:]
    return kind == "word" and piece.lower() in RESERVED and before not in (["as"], ["."])
