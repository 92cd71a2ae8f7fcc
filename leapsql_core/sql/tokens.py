"""Tokens: how SQL text falls apart, and whether two texts hold the same tokens.

The lexer is our own, because what is proven with it must not change when a parser is upgraded. It reads any text; where
databases might disagree (nested comments, lone carriage returns, unusual spaces) it reads somehow and says `odd`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from leapsql_core.names import fold

Kind = Literal["word", "quoted", "string", "number", "operator", "mark"]


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text, for lists that are easier to read as text than as a list."""
    return frozenset(text.split())


#: The words that are reserved in every supported DuckDB (`duckdb_keywords()`): no column, table or alias bears one
#: unquoted, so their case means nothing, except where a name of any kind may stand (see `_may_be_name`).
RESERVED: Final = word_set("""
    all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create default
    deferrable desc describe distinct do else end except false fetch for foreign from group having in initially
    intersect into lambda lateral leading limit not null offset on only or order pivot pivot_longer pivot_wider placing
    primary qualify references returning select show some summarize symmetric table then to trailing true union unique
    unpivot using variadic when where window with
    """)

_TOKEN: Final = re.compile(
    r"""
    (?P<space>[ \t\n\r\f]+)
  | (?P<word>[^\W\d][\w$]*+(?!'))
  | (?P<mark>[()\[\]{},;]|\.(?![0-9])|::|:=|:)
  | (?P<line_comment>--[^\n]*)
  | (?P<block_comment>/\*)
  | (?P<operator>(?:(?!--|/\*)[-+*/%<>=|&^~!@\#?])+)
  | (?P<string>'[^']*+(?:''[^']*+)*+')
  | (?P<quoted>"[^"]*+(?:""[^"]*+)*+")
  | (?P<number>\.?[0-9](?:[eE][+-](?=[0-9])|[\w.])*)
  | (?P<odd>[^\W\d]\w*'(?:[^'\\]++|\\.|'')*'|\$\$.*?\$\$|\$(?P<tag>\w+)\$.*?\$(?P=tag)\$|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_KINDS: Final[dict[str, Kind]] = {
    "word": "word",
    "mark": "mark",
    "operator": "operator",
    "string": "string",
    "quoted": "quoted",
    "number": "number",
    "odd": "string",
}
#: Numbers as every DuckDB reads them. ``1e`` is one at the very end of a text alone, and elsewhere one and a name.
_NUMBER: Final = re.compile(
    r"(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9][0-9_]*)?|0[xX][0-9a-fA-F_]+|0[bB][01_]+"
)
_BLOCK_EDGE: Final = re.compile(r"/\*|\*/")
#: Carriage returns that end no line, and spaces and invisible characters beyond ASCII's usual ones: DuckDB rewrites
#: some of them before it reads, by rules of its own.
_STRANGE_SPACE: Final = re.compile(
    "\r(?!\n)|[\x00\x0b\x1c-\x1f\x85\xa0\xad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]"
)


class Token(NamedTuple):
    """A piece of SQL that is neither space nor comment: characters `start` to `end`, `end` not included.

    ``spaced`` tells whether space or a comment stands before it.
    """

    kind: Kind
    text: str
    start: int
    end: int
    spaced: bool

    @property
    def word(self) -> str:
        """The word without its case, empty for anything but an unquoted word."""
        return fold(self.text) if self.kind == "word" else ""

    @property
    def name(self) -> str:
        """The name that a quoted or unquoted identifier stands for, empty for anything else."""
        if self.kind == "quoted":
            return self.text[1:-1].replace('""', '"')
        return self.text if self.kind == "word" else ""


class Lexed(NamedTuple):
    """A text's tokens; ``odd`` if databases might split it differently."""

    tokens: tuple[Token, ...]
    odd: bool


def line_of(text: str, position: int) -> int:
    """Return the line of a character of `text`, counted from 1."""
    return text.count("\n", 0, position) + 1


@lru_cache(maxsize=64)
def lex(text: str) -> Lexed:
    """Split `text` into tokens; never fails."""
    tokens: list[Token] = []
    odd = _STRANGE_SPACE.search(text) is not None
    spaced = False
    position = 0
    match_at = _TOKEN.match
    while match := match_at(text, position):
        start, position = position, match.end()
        kind = match.lastgroup
        if kind == "space":
            spaced = True
        elif kind == "line_comment" or kind == "block_comment":
            odd = odd or (bool(tokens) and not spaced and _grows(tokens[-1]))
            spaced = True
            if kind == "block_comment":
                position, plain = _end_of_block_comment(text, position)
                odd = odd or not plain
        else:
            piece = text[start:position]
            odd = odd or kind == "odd" or (kind == "word" and "$" in piece)
            odd = odd or (kind == "number" and _NUMBER.fullmatch(piece) is None)
            tokens.append(Token(_KINDS[kind or "odd"], piece, start, position, spaced))
            spaced = False
    return Lexed(tuple(tokens), odd)


def _grows(token: Token) -> bool:
    """Tell whether the beginning of a comment right behind a token may be taken for more of it.

    DuckDB 2.0 refuses ``a::/**/int``, and to 1.4 ``->>/**/`` is another operator than ``->>`` and binds otherwise.
    """
    return token.kind == "operator" or token.text in (":", "::", ":=")


def _end_of_block_comment(text: str, position: int) -> tuple[int, bool]:
    """Find where the comment ends whose inside begins at `position`; false if it is nested or never ends."""
    depth, plain = 1, True
    for edge in _BLOCK_EDGE.finditer(text, position):
        if edge[0] == "/*":
            depth, plain = depth + 1, False
        else:
            depth -= 1
        if not depth:
            return edge.end(), plain
    return len(text), False


# ------------------------------------------------------------------------------------------------------- same tokens

#: Operators that mean the same with and without space around them, beside anything but another operator.
_FREE_OPERATORS: Final = word_set("= == < > <= >= <> != + - * / // % ** ^ || -> ->> => & | << >> ~ && @> <@ ^@")
_FREE_MARKS: Final = word_set("( ) [ ] { } , ; :: :=")
_PLAIN_NUMBER: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def mentioned(text: str, names: Collection[str]) -> list[str]:
    """Return those of `names` that stand in a text of SQL, quoted or not, for all we know; sorted.

    >>> mentioned('SELECT "A b" FROM t -- c', ["c", "a B", "t"]), mentioned("SELECT 'a', ab", ["a"])
    (['a B', 't'], [])
    """
    if not names:
        return []
    lexed = lex(text)
    here = {fold(token.name) for token in lexed.tokens}
    folded = fold(text) if lexed.odd else ""
    return sorted(name for name in names if fold(name) in here or (lexed.odd and fold(name) in folded))


def is_several(text: str) -> bool:
    """Tell whether an expression holds ``COLUMNS(…)``, and so is one for each of several columns.

    >>> is_several("Columns(*) > 0"), is_several("columns > 0 and x = 'columns(*)'")
    (True, False)
    """
    tokens = lex(text).tokens
    return any(token.word == "columns" and after.text == "(" for token, after in pairwise(tokens))


def same_tokens(a: str, b: str) -> bool:
    r"""Tell whether `a` and `b` are proven to hold the same tokens; comments, layout and final semicolons don't count.

    Sound for DuckDB 1.4 and later: true means that both parse to the same tree, or both fail. False means nothing.

    >>> same_tokens("select a, -- first\n b from t", "SELECT a, b\nFROM t;")
    True
    >>> same_tokens("select A from t", "select a from t"), same_tokens("select 'a' 'b'", "select 'a'\n'b'")
    (False, False)
    """
    if a == b:
        return True
    left, right = lex(a), lex(b)
    if left.odd or right.odd:
        return False
    first, second = _without_end(left.tokens), _without_end(right.tokens)
    return len(first) == len(second) and all(
        _same_text(first, place, other) and _same_gap(first, place, other) for place, other in enumerate(second)
    )


def _without_end(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    length = len(tokens)
    while length and tokens[length - 1].text == ";":
        length -= 1
    return tokens[:length]


def _same_text(tokens: tuple[Token, ...], place: int, other: Token) -> bool:
    token = tokens[place]
    if token.text == other.text:
        return token.kind == other.kind
    return token.word == other.word and token.word in RESERVED and not _may_be_name(tokens, place)


def _same_gap(tokens: tuple[Token, ...], place: int, other: Token) -> bool:
    if not place:
        return True
    before, token = tokens[place - 1], tokens[place]
    if before.kind == token.kind == "string":
        return False
    return token.spaced == other.spaced or _free(before, token) or _free(token, before)


def _free(token: Token, neighbour: Token) -> bool:
    """Tell whether space between `token` and its neighbour means nothing, whoever reads it."""
    if token.text in _FREE_MARKS:
        return neighbour.text != ":"
    if token.text == ":" or (token.kind == "operator" and token.text in _FREE_OPERATORS):
        return neighbour.kind in ("word", "quoted", "string") or bool(_PLAIN_NUMBER.fullmatch(neighbour.text))
    return token.text == "." and neighbour.kind in ("word", "quoted")


def _may_be_name(tokens: tuple[Token, ...], place: int) -> bool:
    """Tell whether a reserved word stands where a name of any kind may: after AS or a dot, before a colon or arrow."""
    if place and (tokens[place - 1].text == "." or tokens[place - 1].word == "as"):
        return True
    return place + 1 < len(tokens) and tokens[place + 1].text in (":", ":=", "=>", ".")
