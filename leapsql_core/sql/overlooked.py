"""Overlooked: what stands in a text and not in its tree.

sqlglot drops what it has no place for, such as the third argument of a function for which it knows two; and now and
then it takes a clause for something else. The text is the judge: a word that names a column and is not in the tree is
read, and a tree with more or fewer clauses than the text has words for them is not trusted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from leapsql_core.names import fold
from leapsql_core.sql.parsing import Node, exp, place_of
from leapsql_core.sql.references import alias_places
from leapsql_core.sql.tokens import RESERVED, lex, word_set

#: Words of the grammar that are not reserved, units of time, and names of types: hardly a column, but among operands.
_EXPLAINED: Final = RESERVED | word_set("""
    anti asof at bernoulli between by centuries century cross cube current current_catalog current_date current_role
    current_schema current_time current_timestamp current_user day dayofweek dayofyear days decade decades dow doy epoch
    era escape exclude exists extract filter first following full glob groups hour hours if ignore ilike include inner
    interval is isnull isodow isoyear join key last left like localtime localtimestamp map materialized microsecond
    microseconds millennia millennium millisecond milliseconds minute minutes month months name nanosecond nanoseconds
    natural next no notnull nulls ordinality others outer over overlaps partition percent positional preceding precision
    quarter quarters range recursive rename repeatable replace reservoir respect right rollup row rows sample second
    seconds semi session_user sets similar struct system tablesample ties time timestamp timezone timezone_hour
    timezone_minute unbounded unknown value values version week weekday weekofyear weeks within without year years
    yearweek zone
    """)


_CLAUSES: Final = {
    exp.Where: "where",
    exp.Having: "having",
    exp.Qualify: "qualify",
    exp.Union: "union",
    exp.Intersect: "intersect",
}


class Held(NamedTuple):
    """What a tree holds: where its identifiers begin, and how many it has of each clause, by its word.

    ``aliases`` are the places among them where names of CTEs and aliases of tables begin.
    """

    places: frozenset[int]
    aliases: frozenset[int]
    clauses: Counter[str]


def held_by(tree: Node) -> Held:
    """Return what a tree holds."""
    places: list[int] = []
    aliases: set[int] = set()
    clauses: Counter[str] = Counter()
    for node in tree.walk():
        if isinstance(node, exp.Identifier):
            place = place_of(node)
            places.append(-1 if place is None else place[0])
        elif isinstance(node, exp.TableAlias):
            aliases |= alias_places(node)
        elif type(node) in _CLAUSES and not isinstance(node.parent, exp.Filter):
            clauses[_CLAUSES[type(node)]] += 1
    return Held(frozenset(places), frozenset(aliases), clauses)


def misread(sql: str, held: Held) -> str | None:
    """Return the word of a clause that a text has more or fewer times than its tree, ``None`` if there is none.

    The WHERE of a FILTER may be left out in the text, and is never counted.
    """
    tokens = lex(sql).tokens
    written = Counter(token.word for token in tokens)
    written["where"] -= sum(
        token.word == "where" and fold(tokens[place - 1].text + tokens[place - 2].text) == "(filter"
        for place, token in enumerate(tokens)
    )
    return next((word for word in _CLAUSES.values() if written[word] != held.clauses[word]), None)


def overlooked(sql: str, held: Held) -> Iterator[tuple[str, bool]]:
    """Return the words of a text that its tree does not hold, each with whether grammar fails to explain it."""
    tokens = lex(sql).tokens
    for place, token in enumerate(tokens):
        if not token.name or token.start in held.places or token.word in RESERVED:
            continue
        before = tokens[place - 1].text if place else ""
        after = tokens[place + 1] if place + 1 < len(tokens) else token
        names_type = before == "::" or fold(before) in ("as", "collate") or after.kind == "string"
        names_value = after.text in (":=", "=>") or (after.text == ":" and before in ("{", ","))
        if after.text != "(" and not names_type and not names_value:
            is_operand = _borders(before, "(", "[") and _borders(after.text, ")", "]", ".")
            yield token.name, token.word not in _EXPLAINED or is_operand


def _borders(text: str, *marks: str) -> bool:
    """Tell whether a token may stand beside an operand: one of `marks`, a comma, a cast, an operator."""
    return text in (*marks, ",", "::") or not any(c.isalnum() or c in "_\"'()[]{};:.$" for c in text)
