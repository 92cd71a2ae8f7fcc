"""Calls: which functions a text calls, what in it moves by itself, and which files it reads.

Tokens tell all of this, so it is known of SQL that no parser reads, and no parser can lose any of it.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from typing import Final, NamedTuple

from leapsql_core.names import fold
from leapsql_core.sql.functions import BARE, FILE_READERS, NAME_READERS, VOLATILE, is_pure
from leapsql_core.sql.tokens import RESERVED, Token, lex, word_set

#: Words of the grammar that a parenthesis may follow, beside the reserved ones; none is a function of DuckDB.
GRAMMAR: Final = (
    word_set("""
    anti at between bernoulli by columns cross cube escape exclude exists filter full glob ilike include inner is isnull
    join key like materialized natural notnull nulls outer over percent positional recursive rename repeatable
    reservoir rollup sample semi sets similar system tablesample temp temporary ties union values within
    """)
    | RESERVED
)
#: Types that are written with parentheses behind them.
TYPES: Final = word_set("""
    bit bpchar char character dec decimal enum float interval nchar numeric nvarchar struct time timestamp varchar
    """)
#: Words that begin a part of a query, FROM among them.
_CLAUSES: Final = word_set("from join select on where by having qualify limit offset values when then else return")
#: What DESCRIBE and SHOW show of the catalogue, where they name no table.
_OF_CATALOGUE: Final = word_set("all databases schemas tables variables")
#: Readers of files that give, beside what is in them, the time of their last change.
_TELL_TIMES: Final = word_set("read_blob read_text")
_SET_OPERATIONS: Final = word_set("union except intersect")
#: Words that other tables come with; and the place of a row, which is no part of its version.
_ASKING: Final = word_set("""
    desc describe from pivot pivot_longer pivot_wider rowid select show summarize table unpivot values with
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


def is_decided_by_its_row(expression: str) -> bool:
    """Tell whether an expression over the columns of one row has one value for it, today and tomorrow.

    So it is certain where every function is a pure built-in, and no other table is asked.

    >>> is_decided_by_its_row("amount > abs(paid)"), is_decided_by_its_row("day < now()")
    (True, False)
    """
    calls, lexed = read_calls(expression), lex(expression)
    asks = lexed.odd or any(fold(token.name or token.word) in _ASKING for token in lexed.tokens)
    return not asks and not calls.volatile and not calls.files and all(map(is_pure, calls.functions))


def find_calls(sql: str, *, aliases: Container[int] = ()) -> list[Call]:
    """Find what may be a call: a name with a parenthesis behind it, that is no word of the grammar and no type.

    ``aliases`` are the places where names of CTEs and aliases of tables are known to begin; without them, one that is
    given with its columns, as in ``WITH a(x) AS …``, may pass for a call.
    """
    tokens = lex(sql).tokens
    return [
        Call(fold(token.name), place)
        for place, token in enumerate(tokens[:-1])
        if tokens[place + 1].text == "("
        and token.name
        and (token.word not in GRAMMAR or (token.word == "glob" and _is_item(tokens, place)))
        and token.start not in aliases
        and token.word not in TYPES
        and not (place and (tokens[place - 1].text == "::" or tokens[place - 1].word == "as"))
    ]


def read_calls(sql: str, *, aliases: Container[int] = ()) -> Calls:
    """Tell which functions `sql` calls, what in it moves by itself, and which files it tells functions to read.

    ``aliases`` are as in `find_calls`. What is given to `query` as text counts as if it stood there itself; a reader of
    files, tables or queries that is told by an expression what to read counts as volatile.
    """
    lexed = lex(sql)
    tokens = lexed.tokens
    calls = find_calls(sql, aliases=aliases)
    functions = {call.name for call in calls}
    volatile = {call.name for call in calls if call.name in VOLATILE or _is_age_of_now(tokens, call)}
    volatile |= {name for place in range(len(tokens)) if (name := _bare(tokens, place))}
    volatile |= {"show" for place in range(len(tokens)) if _shows_catalogue(tokens, place)}
    volatile |= {"last_modified"} if functions & _TELL_TIMES and _shows_times(tokens) else set()
    if lexed.odd:  # a database may see other tokens, so anything that looks like a call is one
        volatile |= {name for match in _LOOSE_CALL.finditer(sql) if (name := fold(match[1])) in VOLATILE | {"age"}}
        volatile |= {name for word in re.findall(r"\w+", sql) if (name := fold(word)) in BARE}
    files: set[str] = set()
    for call in calls:
        argument = _first_argument(tokens, call.place)
        if call.name in FILE_READERS:
            named = _texts(argument)
            files.update(named)
            volatile.update(() if named else (call.name,))
        elif call.name == "query":
            inner = read_calls(text_of(argument[0].text)) if _is_text(argument) else Calls((), (call.name,), ())
            functions.update(inner.functions)
            volatile.update(inner.volatile)
            files.update(inner.files)
        elif call.name in NAME_READERS and not _names_tables(argument):
            aggregate = call.name.startswith("histogram") and not _is_item(tokens, call.place)
            volatile.update(() if aggregate else (call.name,))
    return Calls(tuple(sorted(functions)), tuple(sorted(volatile)), tuple(sorted(files)))


def text_of(literal: str) -> str:
    """Return the text that a string literal in single quotes stands for."""
    return literal[1:-1].replace("''", "'")


# ------------------------------------------------------------------------------------------------------- what moves


def _bare(tokens: Sequence[Token], place: int) -> str:
    """Return the name at `place` if it is a function that needs no parentheses, and no field, alias or qualifier."""
    name = fold(tokens[place].name)
    if name not in BARE:
        return ""
    before = tokens[place - 1] if place else None
    if before is not None and (before.text == "." or before.word == "as"):
        return ""
    end = place + 1
    while end + 1 < len(tokens) and tokens[end].text == "." and tokens[end + 1].name:
        end += 2
    is_method = end > place + 1 and end < len(tokens) and tokens[end].text == "("  # current_date.year()
    return name if end == place + 1 or is_method else ""


def _shows_catalogue(tokens: Sequence[Token], place: int) -> bool:
    """Tell whether a statement begins here that shows what the database holds: SHOW, or DESCRIBE without a table."""
    word = tokens[place].word
    if word not in ("show", "describe", "desc"):
        return False
    start = place - 1
    while start >= 0 and tokens[start].word in ("all", "distinct", "by", "name"):
        start -= 1
    if start >= 0 and tokens[start].text not in ("(", ";") and tokens[start].word not in _SET_OPERATIONS:
        return False
    after = tokens[place + 1] if place + 1 < len(tokens) else None
    return word == "show" or after is None or after.text in (")", ";") or after.word in _OF_CATALOGUE


def _shows_times(tokens: Sequence[Token]) -> bool:
    """Tell whether a text names the time of a file's last change, or takes all columns as they come."""
    first = ("", "(", *_SET_OPERATIONS, "all", "name")
    before = ["", *(fold(token.text) for token in tokens)]
    return any(
        fold(token.name) == "last_modified"
        or (token.text == "*" and before[place] in ("select", "distinct", "all", ",", ".", "("))
        or (token.word == "from" and before[place] in first)
        for place, token in enumerate(tokens)
        if not (token.text == "*" and before[place] == "(" and before[place - 1] == "count")
    )


def _is_age_of_now(tokens: Sequence[Token], call: Call) -> bool:
    """Tell whether this is `age(x)`, which counts from today; `age(x, y)` does not."""
    after = call.place + 2 + len(_first_argument(tokens, call.place))
    return call.name == "age" and (after >= len(tokens) or tokens[after].text != ",")


# ------------------------------------------------------------------------------------------------------- arguments


def _is_item(tokens: Sequence[Token], place: int) -> bool:
    """Tell whether a name stands in a FROM clause: GLOB is an operator elsewhere, and `histogram` an aggregate."""
    depth = 0
    for token in reversed(tokens[:place]):
        depth += (token.text in (")", "]", "}")) - (token.text in ("(", "[", "{"))
        if depth < 0 or (depth == 0 and token.word in _CLAUSES):
            return depth == 0 and token.word in ("from", "join")
    return False


def _first_argument(tokens: Sequence[Token], place: int) -> Sequence[Token]:
    """Return the first argument of the call whose name stands at `place`."""
    depth = 0
    for end in range(place + 2, len(tokens)):
        text = tokens[end].text
        if depth == 0 and text in (",", ")"):
            return tokens[place + 2 : end]
        depth += (text in ("(", "[", "{")) - (text in (")", "]", "}"))
    return tokens[place + 2 :]


def _is_text(argument: Sequence[Token]) -> bool:
    return len(argument) == 1 and argument[0].kind == "string" and argument[0].text[0] == "'"


def _members(argument: Sequence[Token]) -> list[list[Token]]:
    """Return the members of an argument in brackets, or the argument itself."""
    if not argument or argument[0].text != "[" or argument[-1].text != "]":
        return [list(argument)]
    members: list[list[Token]] = [[]]
    for token in argument[1:-1]:
        if token.text == ",":
            members.append([])
        else:
            members[-1].append(token)
    return members


def _texts(argument: Sequence[Token]) -> list[str]:
    """Return the texts that an argument names, one or a list of them; none if it is anything else."""
    members = _members(argument)
    return [text_of(member[0].text) for member in members] if all(map(_is_text, members)) else []


def _names_tables(argument: Sequence[Token]) -> bool:
    """Tell whether an argument names tables: texts or dotted names, one or a list of them."""
    return all(_is_text(member) or _is_path(member) for member in _members(argument))


def _is_path(tokens: Sequence[Token]) -> bool:
    """Tell whether tokens are a dotted name."""
    return len(tokens) % 2 == 1 and all(t.name if n % 2 == 0 else t.text == "." for n, t in enumerate(tokens))
