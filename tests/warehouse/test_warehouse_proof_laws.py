"""A law of proofs: whenever two queries are said to be one, they give the same rows on any tables.

Pairs are a random query and the same text with one or two of its tokens exchanged, renamed or wrapped: most of them are
still queries, some of them still the same. ``LEAPSQL_PAIRS`` sets how many are tried, and ``LEAPSQL_SEED`` the first.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator

import duckdb
import pytest
from sql_grammar import NAMES, SCHEMA, Chooser, QueryWriter, RandomChooser

from leapsql_core.models import Column, Relation
from leapsql_core.sql import same_tokens
from leapsql_core.warehouses.duckdb.proofs import QueryProver

PAIRS = int(os.environ.get("LEAPSQL_PAIRS", "2500"))
SEED = int(os.environ.get("LEAPSQL_SEED", "0"))
TYPES = {"s": "STRUCT(a INTEGER, b INTEGER)", "l": "INTEGER[]"}
INPUTS = {
    Relation(*(name.split(".") if "." in name else ("main", name))): tuple(
        Column(column, TYPES.get(column, "INTEGER")) for column in columns
    )
    for name, columns in SCHEMA.items()
}
SIBLINGS = (
    ("UNION ALL", "UNION", "INTERSECT", "EXCEPT"),
    ("LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "JOIN", "INNER JOIN", "LEFT OUTER JOIN", "SEMI JOIN", "ANTI JOIN"),
    ("SELECT DISTINCT", "SELECT"),
    ("sum", "max", "min", "count"),
    ("<", "<=", ">", ">=", "=", "<>", "!="),
    ("ORDER BY", "GROUP BY", "PARTITION BY"),
    ("EXCLUDE", "REPLACE"),
    ("CROSS JOIN", ",", "NATURAL JOIN"),
    ("AND", "OR"),
    ("IS NULL", "IS NOT NULL", "ISNULL"),
    ("MATERIALIZED ", ""),
    ("IN", "NOT IN"),
    ("AS ", ""),
    ("EXISTS", "NOT EXISTS"),
    ("*", "* EXCLUDE ()"),
    ("BY NAME", ""),
)


# -------------------------------------------------------------------------------------------------- one text to another


def renamed(choose: Chooser, text: str) -> str:
    """Call something by another name, everywhere."""
    old, new = choose.pick(NAMES), choose.pick((*NAMES, "zz", '"Zz"', "A", '"A"'))
    return re.sub(rf"\b{old}\b", new, text)


def with_another_name(choose: Chooser, text: str) -> str:
    """Call one thing by another name, in one place."""
    return exchanged(choose, text, r"\b[a-z]\b", lambda _: choose.pick((*NAMES, '"B"', "B", "T.a", "t.a")))


def with_another_number(choose: Chooser, text: str) -> str:
    """Exchange a number, or write it otherwise."""
    numbers = ("0", "1", "2", "3", "01", "1.0", "+1", "-1", "(1)", "1::INTEGER", "'1'", "NULL")
    return exchanged(choose, text, r"\b\d\b", lambda _: choose.pick(numbers))


def with_a_sibling(choose: Chooser, text: str) -> str:
    """Exchange a word for one that may stand in its place."""
    family = choose.pick(SIBLINGS)
    old = choose.pick([word for word in family if word])
    edge = r"\b" if old.strip().isalpha() else ""
    return exchanged(choose, text, edge + re.escape(old) + edge, lambda _: choose.pick(family))


def wrapped(choose: Chooser, text: str) -> str:
    """Wrap a name into something that may be nothing."""
    shells = (
        "({})",
        "{} + 0",
        "{}::INTEGER",
        "+{}",
        "coalesce({})",
        "{} COLLATE nocase",
        "least({})",
        "CAST({} AS INT)",
    )
    return exchanged(choose, text, r"\b[a-z]\.[a-z]\b|\b[a-z]\b", choose.pick(shells).format)


def with_sides_swapped(choose: Chooser, text: str) -> str:
    """Swap the two sides of a comparison."""
    sides = re.compile(r"(\b[\w.]+\b) (=|>=|>|<) (\b[\w.]+\b)")
    found = list(sides.finditer(text))
    if not found:
        return text
    match = choose.pick(found)
    return f"{text[: match.start()]}{match[3]} {match[2]} {match[1]}{text[match.end() :]}"


def exchanged(choose: Chooser, text: str, pattern: str, by: Callable[[str], str]) -> str:
    """Exchange one of the places where `pattern` is found."""
    found = list(re.finditer(pattern, text))
    if not found:
        return text
    match = choose.pick(found)
    return text[: match.start()] + by(match[0]) + text[match.end() :]


CHANGES = (renamed, with_another_name, with_another_number, with_a_sibling, wrapped, with_sides_swapped)


def pair_of(seed: int) -> tuple[str, str]:
    """Return a random query and what became of it."""
    choose = RandomChooser(seed)
    before, _ = QueryWriter(choose).query(depth=choose.pick((0, 1, 1, 2)))
    now = before
    for _ in range(choose.pick((1, 1, 1, 2))):
        now = choose.pick(CHANGES)(choose, now)
    return before, now


# --------------------------------------------------------------------------------------------------------------- tables


def make_tables(connection: duckdb.DuckDBPyConnection, seed: int) -> None:
    """Fill every table with a few rows of small numbers and NULLs, different ones for each seed."""
    choose = RandomChooser(seed)
    for relation, columns in INPUTS.items():
        listed = ", ".join(f'"{column.name}" {column.type}' for column in columns)
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {relation.schema}")
        connection.execute(f"CREATE TABLE {relation.sql} ({listed})")
        for _ in range(choose.pick((0, 2, 3, 5))):
            values = [value_of(choose, column.type) for column in columns]
            connection.execute(f"INSERT INTO {relation.sql} VALUES ({', '.join(values)})")


def value_of(choose: Chooser, kind: str) -> str:
    """Return a value as SQL."""
    number = choose.pick(("0", "1", "1", "2", "3", "NULL"))
    if kind.startswith("STRUCT"):
        return f"{{'a': {number}, 'b': {choose.pick(('0', '1', '2'))}}}"
    return f"[{number}, {choose.pick(('1', '2'))}]" if kind.endswith("[]") else number


@pytest.fixture(scope="module")
def worlds() -> Iterator[list[duckdb.DuckDBPyConnection]]:
    made = [duckdb.connect(":memory:", config={"threads": 1}) for _ in range(4)]
    for seed, connection in enumerate(made):
        make_tables(connection, seed)
    yield made
    for connection in made:
        connection.close()


def answer_of(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[list[str], Counter[str]] | str:
    """Return names and rows of a query, or the kind of error that it ends in."""
    try:
        found = connection.execute(query)
        names = [str(name) for name, *_ in found.description or ()]
        return names, Counter(map(repr, found.fetchall()))
    except duckdb.Error as exc:
        return type(exc).__name__


def test_queries_that_are_proven_one_give_the_same_rows(worlds: list[duckdb.DuckDBPyConnection]) -> None:
    """Of thousands of pairs that look much alike, none that is called the same gives other rows or names anywhere."""
    prover = QueryProver("laws", {})
    proven = by_tokens = 0
    for seed in range(SEED, SEED + PAIRS):
        before, now = pair_of(seed)
        if before == now:
            continue
        tokens = same_tokens(before, now)
        if not tokens and not prover.same(before, now, INPUTS):
            continue
        proven, by_tokens = proven + 1, by_tokens + tokens
        for world in worlds:
            assert answer_of(world, before) == answer_of(world, now), (seed, before, now)
    prover.close()
    assert proven - by_tokens > PAIRS // 25, "too few pairs were proven the same for this to say much"
