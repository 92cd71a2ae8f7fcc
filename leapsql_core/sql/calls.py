"""Calls: which functions a text calls, which of them move by themselves, and which files they read.

Tokens tell all of this, so it is known of SQL that no parser reads, and no parser can lose any of it.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from typing import Final, NamedTuple

from leapsql_core.sql.functions import BARE, FILE_READERS, VOLATILE
from leapsql_core.sql.tokens import RESERVED, Token, fold, lex, word_set

#: Words of the grammar that a parenthesis may follow, beside the reserved ones; none is a function of DuckDB.
_GRAMMAR: Final = (
    word_set("""
    anti at between bernoulli by columns cross cube escape exclude filter full glob ilike include inner is isnull join
    key like materialized natural notnull nulls outer over percent positional recursive rename repeatable reservoir
    rollup sample semi sets similar system tablesample temp temporary ties union values within
    """)
    | RESERVED
)
#: Types that are written with parentheses behind them.
_TYPES: Final = word_set("""
    bit bpchar char character dec decimal enum float interval nchar numeric nvarchar struct time timestamp varchar
    """)
_LOOSE_CALL: Final = re.compile(r"(\w+)\W*\(")


class Call(NamedTuple):
    """A function's name in lower case, and where among the tokens the name stands."""

    name: str
    place: int


class Calls(NamedTuple):
    """What the calls of a text say: names in lower case, sorted; the literal names of files, sorted."""

    functions: tuple[str, ...]
    volatile: tuple[str, ...]
    files: tuple[str, ...]


def find_calls(sql: str, *, names: Container[int] = ()) -> list[Call]:
    """Find what may be a call: a name with a parenthesis behind it, that is no word of the grammar and no type.

    ``names`` are the places where identifiers are known to begin; without them, a name that is given with its columns,
    as in ``WITH a(x) AS …``, may pass for a call.
    """
    tokens = lex(sql).tokens
    return [
        Call(fold(token.name), place)
        for place, token in enumerate(tokens[:-1])
        if tokens[place + 1].text == "("
        and token.name
        and (token.word not in _GRAMMAR or _is_file_list(tokens, place))
        and token.start not in names
        and token.word not in _TYPES
        and not (place and (tokens[place - 1].text == "::" or tokens[place - 1].word == "as"))
    ]


def read_calls(sql: str, *, names: Container[int] = ()) -> Calls:
    """Tell which functions `sql` calls, which of them move by themselves, and which files they are told to read.

    ``names`` are as in `find_calls`. A reader of files whose first argument is no literal counts as volatile.
    """
    lexed = lex(sql)
    tokens = lexed.tokens
    calls = find_calls(sql, names=names)
    volatile = {call.name for call in calls if call.name in VOLATILE or _is_age_of_now(tokens, call)}
    volatile |= {name for place in range(len(tokens)) if (name := _bare(tokens, place))}
    if lexed.odd:  # a database may see other tokens, so anything that looks like a call is one
        volatile |= {name for match in _LOOSE_CALL.finditer(sql) if (name := fold(match[1])) in VOLATILE | {"age"}}
        volatile |= {name for word in re.findall(r"\w+", sql) if (name := fold(word)) in BARE}
    files: set[str] = set()
    for call in calls:
        if call.name in FILE_READERS:
            named = _literal_files(tokens, call.place + 2)
            files.update(named)
            volatile.update(() if named else (call.name,))
    return Calls(tuple(sorted({call.name for call in calls})), tuple(sorted(volatile)), tuple(sorted(files)))


def text_of(literal: str) -> str:
    """Return the text that a string literal in single quotes stands for."""
    return literal[1:-1].replace("''", "'")


def _bare(tokens: Sequence[Token], place: int) -> str:
    """Return the name at `place` if it is a function that needs no parentheses, and no field, alias or qualifier."""
    name = fold(tokens[place].name)
    if name not in BARE:
        return ""
    before = tokens[place - 1] if place else None
    after = tokens[place + 1].text if place + 1 < len(tokens) else ""
    return "" if after == "." or (before is not None and (before.text == "." or before.word == "as")) else name


def _is_file_list(tokens: Sequence[Token], place: int) -> bool:
    """Tell whether GLOB is the table function of that name here, and not the operator."""
    before = tokens[place - 1] if place else None
    return (
        tokens[place].word == "glob" and before is not None and (before.text == "," or before.word in ("from", "join"))
    )


def _is_age_of_now(tokens: Sequence[Token], call: Call) -> bool:
    """Tell whether this is `age(x)`, which counts from today; `age(x, y)` does not."""
    if call.name != "age":
        return False
    depth = commas = 0
    for token in tokens[call.place + 1 :]:
        depth += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
        commas += token.text == "," and depth == 1
        if not depth:
            break
    return not commas


def _literal_files(tokens: Sequence[Token], place: int) -> list[str]:
    """Return the files named by a first argument that is a string or a list of strings, none if it is anything else."""
    arguments: list[Token] = []
    for token in tokens[place:]:
        if token.text in (",", ")") and (not arguments or arguments[0].text != "[" or arguments[-1].text == "]"):
            break
        arguments.append(token)
    if arguments and arguments[0].text == "[":
        arguments = arguments[1:-1]
        separators, arguments = arguments[1::2], arguments[0::2]
        if any(token.text != "," for token in separators):
            return []
    elif len(arguments) != 1:
        return []
    plain = all(token.kind == "string" and token.text[0] == "'" for token in arguments)
    return [text_of(token.text) for token in arguments] if plain else []
