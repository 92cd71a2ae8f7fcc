"""What our lists say of functions, held against the catalogue of the DuckDB at hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

import duckdb
import pytest

from leapsql_core.sql import KnownInput, is_decided_by_its_row, lineage
from leapsql_core.sql.functions import (
    BARE,
    FILE_READERS,
    NAME_READERS,
    ORDER_READERS,
    QUERY_READERS,
    VOLATILE,
    is_built_in,
    is_pure,
)
from leapsql_core.sql.tokens import word_set

#: To the catalogue they move within a query at most: with the zone and the calendar, which are settings of the target.
#: `age` of one argument, which counts from today, is told from that of two by its arguments.
MOVED_BY_SETTINGS = word_set("""
    age century date_diff date_part date_sub date_trunc datediff datepart datesub datetrunc day dayname dayofmonth
    dayofweek dayofyear decade era generate_series hour isodow isoyear julian last_day make_timestamptz microsecond
    millennium millisecond minute month monthname quarter range second strftime time_bucket timezone timezone_hour
    timezone_minute week weekday weekofyear year yearweek
    """)
#: Volatile for what they do; what they answer is nothing.
ANSWER_NOTHING = word_set("error sleep_ms")


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        for extension in ("core_functions", "icu", "json", "parquet"):
            connection.execute(f"LOAD {extension}")
        yield connection


def catalogue(database: duckdb.DuckDBPyConnection) -> dict[str, set[tuple[str, str | None]]]:
    """Return the kinds and stabilities of every function that a query can name; what PRAGMA alone can call is none."""
    found: dict[str, set[tuple[str, str | None]]] = {}
    for name, kind, stability in database.execute(
        "SELECT lower(function_name), function_type, stability FROM duckdb_functions() WHERE function_type <> 'pragma'"
    ).fetchall():
        if re.fullmatch(r"\w+", name):
            found.setdefault(name, set()).add((kind, stability))
    return found


def test_every_function_is_known(database: duckdb.DuckDBPyConnection) -> None:
    """A name that is on no list is a macro of the user's or comes from an extension."""
    assert [name for name in sorted(catalogue(database)) if not is_built_in(name)] == []


def test_what_the_catalogue_calls_unstable_is_volatile(database: duckdb.DuckDBPyConnection) -> None:
    """Whatever moves by the catalogue's word is on our list, but for what only settings move, which are traced."""
    moving = {
        name
        for name, facts in catalogue(database).items()
        if any(stability not in (None, "CONSISTENT") for _, stability in facts)
    }
    assert moving
    assert sorted(moving - VOLATILE - MOVED_BY_SETTINGS - ANSWER_NOTHING) == []


def test_no_macro_hides_what_moves(database: duckdb.DuckDBPyConnection) -> None:
    """The catalogue says nothing of how stable a built-in macro is: one that calls what moves is on the list itself."""
    macros = database.execute(
        "SELECT DISTINCT lower(function_name), macro_definition FROM duckdb_functions() WHERE internal"
        " AND macro_definition IS NOT NULL"
    ).fetchall()
    assert len(macros) > 50
    for name, definition in macros:
        called = {word.lower() for word in re.findall(r"(\w+)\W*\(", definition)}
        assert name in VOLATILE | NAME_READERS or not called & VOLATILE, name


def test_operators_move_by_settings_at_most(database: duckdb.DuckDBPyConnection) -> None:
    """Signs are called without a name, so none of them may be on a list: adding months to a time heeds its zone."""
    signs = "NOT regexp_matches(function_name, '\\w')"
    stabilities = database.execute(
        f"SELECT DISTINCT function_name, stability FROM duckdb_functions() WHERE {signs}"
    ).fetchall()
    assert len(stabilities) > 20
    unstable = {(name, stability) for name, stability in stabilities if stability != "CONSISTENT"}
    assert unstable <= {("+", "CONSISTENT_WITHIN_QUERY"), ("-", "CONSISTENT_WITHIN_QUERY")}


def test_what_is_called_without_parentheses_is_known(database: duckdb.DuckDBPyConnection) -> None:
    """Of all names and words that mean something on their own, those that move are on the list."""
    words = {name for (name,) in database.execute("SELECT keyword_name FROM duckdb_keywords()").fetchall()}
    names = {name for name in BARE | words | set(catalogue(database)) if is_bindable(database, f"SELECT {name}")}
    assert names == BARE | word_set("false null true current_role current_user session_user user")


def test_what_is_pure_answers_the_same_in_another_session(database: duckdb.DuckDBPyConnection) -> None:
    """Whatever tables, schemas, variables and transactions there are."""
    pure = [name for name in sorted(catalogue(database)) if is_pure(name) and name not in ANSWER_NOTHING | {"pg_sleep"}]
    calls = [
        (name, arguments) for name in pure for arguments in CONSTANTS if (name, arguments.count(",")) != ("age", 0)
    ]
    queries = [f'SELECT "{name}"({arguments})::VARCHAR' for name, arguments in calls]
    with duckdb.connect(":memory:other", config={"threads": 1}) as other:
        other.execute("LOAD icu; CREATE SCHEMA s; CREATE TABLE s.t (a INTEGER); USE s; CREATE TEMP TABLE u AS FROM t")
        other.execute("SET VARIABLE v = 1")
        answers = {query: answer(database, query) for query in queries}
        moved = [query for query in queries if answers[query] and answers[query] != answer(other, query)]
    assert len([found for found in answers.values() if found]) > 300
    assert moved == []


CONSTANTS = (
    "",
    "1",
    "'a', 'b'",
    "[1, 2]",
    "TIMESTAMPTZ '2020-01-01 10:00:00', TIMESTAMPTZ '2020-01-02 10:00:00'",
    "'day', TIMESTAMPTZ '2020-01-01 10:00:00'",
)


def is_bindable(database: duckdb.DuckDBPyConnection, sql: str) -> bool:
    try:
        database.execute(f"DESCRIBE {sql}")
    except duckdb.Error:
        return False
    return True


def test_what_reads_a_file_is_known_to(database: duckdb.DuckDBPyConnection) -> None:
    """A table function that is named for what it reads is a reader of files."""
    readers = {
        name
        for name, facts in catalogue(database).items()
        if re.match(r"read_|parquet_|sniff_", name) and any(kind == "table" for kind, _ in facts)
    }
    assert "read_csv" in readers
    assert readers <= FILE_READERS


def test_no_function_is_on_two_lists() -> None:
    """A volatile function is not pure; what needs no parentheses is volatile; names are in lower case."""
    assert not [name for name in VOLATILE if is_pure(name)]
    assert BARE <= VOLATILE
    assert NAME_READERS < QUERY_READERS
    assert all(name == name.lower() for name in VOLATILE | FILE_READERS | ORDER_READERS)
    assert all(is_pure(name) for name in ORDER_READERS | FILE_READERS | QUERY_READERS)


ARGUMENTS = (
    "",
    "i",
    "s",
    "i, j",
    "i, s",
    "s, i",
    "i, 3",
    "j, 0.5",
    "s, ','",
    "i > 300",
    "i, 0, 1000",
    "j::DOUBLE",
    "[i]",
)


def test_every_aggregate_whose_answer_moves_with_the_order_of_rows_is_known(
    database: duckdb.DuckDBPyConnection,
) -> None:
    """Where the same rows in another order give another answer, lineage says so; floats, which round, set aside."""
    tables = {"up": "n", "down": "n DESC", "mixed": "hash(n)"}
    for table, order in tables.items():
        database.execute(
            f"CREATE OR REPLACE TABLE {table} AS SELECT (n * 7919) % 1000 AS i, n % 13 AS j, 'x' || n AS s"
            f" FROM range(3000) AS r(n) ORDER BY {order}"
        )
    moving, unknown = set(), []
    aggregates = [name for name, facts in catalogue(database).items() if any(kind == "aggregate" for kind, _ in facts)]
    for name, arguments in product(sorted(aggregates), ARGUMENTS):
        query = f'SELECT "{name}"({arguments}) AS x FROM '
        if len({answer(database, query + table) for table in tables}) > 1:
            moving.add(name)
            found = lineage(query + "up", {("up",): KnownInput("up", ("i", "j", "s"))})
            unknown += [] if found.ordered else [query]
    assert {"first", "list", "string_agg"} <= moving
    assert unknown == []


def answer(database: duckdb.DuckDBPyConnection, sql: str) -> str:
    """Return what a query answers, nothing where it cannot be asked or answers in floats."""
    try:
        result = database.execute(sql)
        return "" if str(result.description[0][1]) in ("FLOAT", "DOUBLE") else repr(result.fetchone())
    except duckdb.Error:
        return ""


@pytest.mark.parametrize(
    ("expression", "decided"),
    [
        ("a > 1 AND lower(b) = 'x'", True),
        ("a IN (1, 2) AND b IS NOT NULL", True),
        ("CASE WHEN a > 1 THEN b ELSE 'c' END <> ''", True),
        ("day < today()", False),
        ("random() > 0", False),
        ("a > (SELECT max(a) FROM t)", False),
        ("EXISTS (TABLE t)", False),
        ("EXISTS (DESC t)", False),
        ("EXISTS (PIVOT_LONGER t ON a INTO NAME n VALUE v)", False),
        ("EXISTS (PIVOT_WIDER t ON a)", False),
        ("a % 2 = rowid % 2", False),
        ('a % 2 = "rowid" % 2', False),
        ("/* /* */ exists(from t where k = a) and -- */\n true", False),
        ("months_between(a, b) > 1", False),
    ],
)
def test_an_expression_is_decided_by_its_row_where_that_is_certain(expression: str, decided: bool) -> None:
    """No clock, no chance, no other table, no place of the row, no function that nobody knows, no doubtful text."""
    assert is_decided_by_its_row(expression) == decided
