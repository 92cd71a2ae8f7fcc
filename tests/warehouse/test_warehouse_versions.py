"""Data versions: equal exactly when names, types, and the rows as a multiset are equal on the columns asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from warehouse_samples import Sql, T, version, versions

from leapsql_core.models import ColumnSet, Relation
from leapsql_core.planning import IN_ORDER
from leapsql_core.warehouses.duckdb.connection import Waiting
from leapsql_core.warehouses.duckdb.warehouse import DuckDBWarehouse

Opener = Callable[..., DuckDBWarehouse]
FIXTURE = Path(__file__).with_name("data_versions.json")


def version_of(warehouse: DuckDBWarehouse, query: str, columns: ColumnSet = None) -> str | None:
    """Return the version of a table with the rows of a query."""
    with warehouse.transaction() as transaction:
        seen = warehouse.relations().get(T.key)
        transaction.replace_table(T, query, existing=None if seen is None else seen.kind)
        return transaction.data_versions(T, [columns]).versions[0]


def values(*rows: str, kind: str) -> str:
    return "SELECT x FROM (" + " UNION ALL ".join(f"SELECT ({row})::{kind} AS x" for row in rows) + ")"


# ------------------------------------------------------------------------------------------------------ what is seen


def test_the_order_of_rows_does_not_matter(warehouse: DuckDBWarehouse) -> None:
    """A relation is a multiset of rows."""
    up = version_of(warehouse, "SELECT n, hash(n) AS h FROM range(5000) AS r(n) ORDER BY n")
    assert up == version_of(warehouse, "SELECT n, hash(n) AS h FROM range(5000) AS r(n) ORDER BY h")


def test_duplicates_count(warehouse: DuckDBWarehouse) -> None:
    """The same row twice is not once, nor three times; nor are two pairs what another two pairs are."""
    times = [version_of(warehouse, f"SELECT 7 AS a FROM range({n})") for n in range(5)]
    assert len(set(times)) == 5
    pairs = version_of(warehouse, "VALUES (1), (1), (2), (2)")
    assert pairs != version_of(warehouse, "VALUES (3), (3), (4), (4)")
    assert pairs != version_of(warehouse, "VALUES (1), (1), (1), (2)")


def test_every_changed_cell_of_a_chosen_column_is_seen_and_no_other(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """Each cell of a table with three columns is changed in turn: the versions with its column move, the others not."""
    sql("CREATE TABLE main.t (a INTEGER, b VARCHAR, c DOUBLE)")
    sql("INSERT INTO main.t SELECT n, n::VARCHAR, n / 2 FROM range(4) AS r(n)")
    sets: list[ColumnSet] = [None, (), ("a",), ("b",), ("c",), ("a", "b"), ("B", "C"), ("c", "a")]
    before = versions(warehouse, *sets).versions
    for row in range(4):
        for column, change in (("a", "a + 100"), ("b", "b || '!'"), ("c", "c + 0.25")):
            sql(f"UPDATE main.t SET {column} = {change} WHERE rowid = {row}")
            now = versions(warehouse, *sets).versions
            for asked, old, new in zip(sets, before, now, strict=True):
                reads_it = asked is None or column in {name.lower() for name in asked}
                assert (old != new) == reads_it, (asked, column)
            before = now


def test_values_that_change_places_are_seen(warehouse: DuckDBWarehouse) -> None:
    """The same values in other rows, or in the other column, are other data."""
    version_one = version_of(warehouse, "VALUES (1, 2), (3, 4)")
    assert version_one != version_of(warehouse, "VALUES (1, 4), (3, 2)")
    assert version_one != version_of(warehouse, "VALUES (2, 1), (4, 3)")


@pytest.mark.parametrize(
    ("one", "other", "here", "there"),
    [(267, 489, 411, 464), (267, 489, 38, 281), (378, 806, 16, 422)],
)
def test_rows_that_exchange_their_last_values_are_seen(
    warehouse: DuckDBWarehouse, sql: Sql, one: int, other: int, here: int, there: int
) -> None:
    """No bit of DuckDB's hashes differs both in what stays of these rows and in what moves: plain sums are equal."""
    before, after = f"VALUES ({one}, {here}), ({other}, {there})", f"VALUES ({one}, {there}), ({other}, {here})"
    plain = "SELECT sum(hash(a, b)) FROM ({}) AS r(a, b)"
    assert sql.one(plain.format(before)) == sql.one(plain.format(after))
    assert version_of(warehouse, before) != version_of(warehouse, after)
    among_others = "SELECT 'x' AS a, b, c FROM ({}) AS r(b, c)"
    assert version_of(warehouse, among_others.format(before), ("b", "c")) != version_of(
        warehouse, among_others.format(after), ("b", "c")
    )


def test_no_columns_are_the_number_of_rows(warehouse: DuckDBWarehouse) -> None:
    """Who reads no column counts rows: other values are the same, another number is not."""
    three = version_of(warehouse, "SELECT n AS a FROM range(3) AS r(n)", ())
    assert three == version_of(warehouse, "SELECT 'x' AS b FROM range(3)", ())
    assert three != version_of(warehouse, "SELECT 'x' AS b FROM range(4)", ())


def test_no_rows_have_a_version_that_knows_the_columns(warehouse: DuckDBWarehouse) -> None:
    """An empty table is told from one with a NULL, and from an empty one with other columns."""
    empty = version_of(warehouse, "SELECT 1 AS a WHERE false")
    assert empty is not None
    assert empty == version_of(warehouse, "SELECT 2 AS a WHERE false")
    assert empty != version_of(warehouse, "SELECT NULL::INTEGER AS a")
    assert empty != version_of(warehouse, "SELECT 1 AS b WHERE false")
    assert empty != version_of(warehouse, "SELECT 1::BIGINT AS a WHERE false")


def test_names_types_and_order_of_columns_count(warehouse: DuckDBWarehouse) -> None:
    """DuckDB hashes 1 alike in every integer type, so types stand in the version themselves."""
    query = "SELECT 1 AS a, 2 AS b"
    others = [
        "SELECT 1 AS A, 2 AS b",
        "SELECT 1 AS a, 2 AS c",
        "SELECT 2 AS b, 1 AS a",
        "SELECT 1::BIGINT AS a, 2 AS b",
    ]
    assert version_of(warehouse, query) not in {version_of(warehouse, other) for other in others}


def test_collations_count(warehouse: DuckDBWarehouse) -> None:
    """'X' = 'x' in a column without case: its readers see other data, though the letters are the same."""
    plain = version_of(warehouse, "SELECT 'X' AS a")
    nocase = version_of(warehouse, "SELECT 'X' COLLATE NOCASE AS a")
    assert len({plain, nocase, version_of(warehouse, "SELECT 'X' COLLATE NOACCENT AS a")}) == 3
    assert nocase == version_of(warehouse, "SELECT 'X' COLLATE NoCase AS a")


def test_letters_count_under_a_collation_that_does_not_see_them(warehouse: DuckDBWarehouse) -> None:
    """Readers may print a value that compares equal to another, also one within another."""
    for query in (
        "SELECT 'X' COLLATE NOCASE AS a",
        "SELECT ['X' COLLATE NOCASE] AS a",
        "SELECT {'k': 'X' COLLATE NOCASE} AS a",
    ):
        assert version_of(warehouse, query) != version_of(warehouse, query.replace("X", "x"))


@pytest.mark.parametrize("kind", ["VARCHAR", "JSON", "VARCHAR[]", "ENUM('x', 'X')"])
def test_letters_count_under_a_default_collation(open_warehouse: Opener, kind: str) -> None:
    """So they do where the target makes all text compare without case."""
    warehouse = open_warehouse(settings={"default_collation": "NOCASE"})
    warehouse.prepare(["main"])
    value = {"JSON": """'"X"'""", "VARCHAR[]": "['X']"}.get(kind, "'X'")
    upper, lower = (version_of(warehouse, f"SELECT {v}::{kind} AS a") for v in (value, value.replace("X", "x")))
    assert None not in (upper, lower)
    assert upper != lower


def test_names_that_are_not_there_are_passed_over_until_they_are(warehouse: DuckDBWarehouse) -> None:
    """A column that a query may mean and that comes to be is a change."""
    without = version_of(warehouse, "SELECT 1 AS a", ("a", "b"))
    assert without == version_of(warehouse, "SELECT 1 AS a, 2 AS c", ("a", "b"))
    assert without != version_of(warehouse, "SELECT 1 AS a, 2 AS b", ("a", "b"))


def test_columns_of_any_name_are_told_apart(warehouse: DuckDBWarehouse) -> None:
    """Quotes, commas and keywords in names are names."""
    for name in ('q"uote', "com,ma", "select", "sp ace", "*", ")"):
        quoted = '"' + name.replace('"', '""') + '"'
        one = version_of(warehouse, f"SELECT 1 AS {quoted}, 2 AS b", (name,))
        assert one == version_of(warehouse, f"SELECT 1 AS {quoted}, 3 AS b", (name,))
        assert one != version_of(warehouse, f"SELECT 9 AS {quoted}, 2 AS b", (name,))


def test_a_set_is_the_same_in_any_case_and_order(warehouse: DuckDBWarehouse) -> None:
    """Sets are sets of SQL names."""
    query = "SELECT 1 AS a, 2 AS b, 3 AS c"
    assert version_of(warehouse, query, ("a", "B")) == version_of(warehouse, query, ("b", "A"))


def test_the_row_count_comes_with_the_versions(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """One scan tells it all; no sets at all still count."""
    sql("CREATE TABLE main.t AS SELECT n AS a FROM range(7) AS r(n)")
    assert versions(warehouse).rows == 7
    assert versions(warehouse, None, (), ("a",)).rows == 7


def test_views_and_relations_of_any_name_have_versions(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """A source may be a view, and its name may need quotes."""
    sql('CREATE VIEW main."odd ""na\'me" AS SELECT 1 AS a')
    assert version(warehouse, relation=Relation("main", "odd \"na'me")) == version_of(warehouse, "SELECT 1 AS a")


# --------------------------------------------------------------------------------------------------------------- types

#: The bits of two values that are no numbers, which DuckDB prints alike.
NAN, OTHER_NAN = (f"('0' || repeat('1', 12) || repeat('0', 50) || '{last}')" for last in (0, 1))


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("DOUBLE", "'0.0'", "'-0.0'"),
        ("FLOAT", "'0.0'", "'-0.0'"),
        ("DOUBLE", "'nan'", "NULL"),
        ("DOUBLE", "'nan'", "'-nan'"),
        ("DOUBLE", f"{NAN}::BIT", f"{OTHER_NAN}::BIT"),
        (
            "FLOAT",
            "('0' || repeat('1', 9) || repeat('0', 22))::BIT",
            "('0' || repeat('1', 10) || repeat('0', 21))::BIT",
        ),
        ("DOUBLE[]", f"[{NAN}::BIT::DOUBLE]", f"[{OTHER_NAN}::BIT::DOUBLE]"),
        ("MAP(VARCHAR, FLOAT[1])", "MAP {'a': ['nan'::FLOAT]}", "MAP {'a': ['-nan'::FLOAT]}"),
        ("DOUBLE", "'nan'", "'inf'"),
        ("DOUBLE", "'inf'", "'-inf'"),
        ("DOUBLE", "0.1", "0.1 + 1e-17"),
        ("DOUBLE", "1e308", "1.0000000000000002e308"),
        ("HUGEINT", "1", "18446744073709551616"),
        ("UHUGEINT", "1", "18446744073709551616"),
        ("INTERVAL", "INTERVAL 1 MONTH", "INTERVAL 30 DAYS"),
        ("INTERVAL", "INTERVAL 1 DAY", "INTERVAL 24 HOURS"),
        ("INTEGER", "NULL", "0"),
        ("BOOLEAN", "NULL", "false"),
        ("VARCHAR", "NULL", "''"),
        ("VARCHAR", "''", "' '"),
        ("VARCHAR", "'NULL'", "NULL"),
        ("VARCHAR", "'é'", "'e' || chr(769)"),
        ("VARCHAR", "'a' || chr(0)", "'a'"),
        ("BLOB", "'\\x00'", "''"),
        ("BLOB", "'\\x00\\x00'", "'\\x00'"),
        ("BIT", "'0101'", "'101'"),
        ("UUID", "'00000000-0000-0000-0000-000000000001'", "'00000000-0000-0001-0000-000000000000'"),
        ("DECIMAL(9, 2)", "1.10", "1.11"),
        ("DECIMAL(18, 4)", "99999999999999.9999", "99999999999999.9998"),
        ("DECIMAL(38, 10)", "1", "1 + 18446744073709551616::HUGEINT"),
        ("DECIMAL(38, 38)", "0.00000000000000000000000000000000000001", "0"),
        ("DATE", "'infinity'", "'-infinity'"),
        ("DATE", "'2026-03-01'", "'2026-03-02'"),
        ("TIME", "'12:00:00.000001'", "'12:00:00.000002'"),
        ("TIME WITH TIME ZONE", "'12:00:00+01'", "'11:00:00+00'"),
        ("TIME WITH TIME ZONE", "'12:00:00+01:00:01'", "'12:00:00+01:00:02'"),
        ("TIMESTAMP", "'2026-03-01 12:00:00.000001'", "'2026-03-01 12:00:00.000002'"),
        ("TIMESTAMP_NS", "'2026-03-01 12:00:00.000000001'", "'2026-03-01 12:00:00.000000002'"),
        ("TIMESTAMP WITH TIME ZONE", "'2026-10-25 00:30:00+00'", "'2026-10-25 01:30:00+00'"),
        ("ENUM('a', 'b')", "'a'", "'b'"),
        ("JSON", "'{\"a\": 1}'", "'{\"a\":1}'"),
        ("JSON", "'null'", "NULL"),
        ("INTEGER[]", "[1, 2]", "[2, 1]"),
        ("INTEGER[]", "[]", "NULL"),
        ("INTEGER[]", "[NULL]", "[]"),
        ("INTEGER[][]", "[[1], [2]]", "[[1, 2]]"),
        ("INTEGER[][]", "[[1, 2], []]", "[[1, 2]]"),
        ("DOUBLE[]", "['0.0']", "['-0.0']"),
        ("HUGEINT[]", "[1]", "[18446744073709551616]"),
        ("INTERVAL[]", "[INTERVAL 1 MONTH]", "[INTERVAL 30 DAYS]"),
        ("VARCHAR[]", "['a, b']", "['a', 'b']"),
        ("VARCHAR[]", "['NULL']", "[NULL]"),
        ("VARCHAR[]", "['']", "[NULL]"),
        ("VARCHAR[]", "[' a']", "['a']"),
        ("VARCHAR[]", "[chr(92)]", "[chr(92) || chr(92)]"),
        ("VARCHAR[2]", "['a', 'b, c']", "['a, b', 'c']"),
        ("VARCHAR[1]", "['NULL']", "[NULL]"),
        ("VARCHAR[]", "['[a, b]']", "['[''a'', ''b'']']"),
        ("ENUM('a', 'b', 'a, b')[]", "['a, b']", "['a', 'b']"),
        ("JSON[]", """['"a, b"']""", """['"a"', '"b"']"""),
        ("BLOB[]", "['\\x5Cx00']", "['\\x00']"),
        ("BIT[]", "['0101']", "['101']"),
        ("TIMETZ[]", "['12:00:00+01']", "['11:00:00+00']"),
        ("DECIMAL(38, 10)[]", "[1]", "[1 + 18446744073709551616::HUGEINT]"),
        ("STRUCT(a INTEGER, b INTEGER)", "{'a': 1, 'b': 2}", "{'a': 2, 'b': 1}"),
        ("STRUCT(a INTEGER, b INTEGER)", "{'a': 1, 'b': NULL}", "NULL"),
        ("STRUCT(a VARCHAR, b VARCHAR)", "{'a': 'x, b: y', 'b': 'z'}", "{'a': 'x', 'b': 'y, b: z'}"),
        ('STRUCT("o\'dd ""na,me" VARCHAR[2])', "{'o''dd \"na,me': ['a', 'b, c']}", "{'o''dd \"na,me': ['a, b', 'c']}"),
        ("MAP(VARCHAR, INTEGER)", "MAP {'a': 1}", "MAP {'a': 2}"),
        ("MAP(VARCHAR, INTEGER)", "MAP {'a': 1, 'b': 2}", "MAP {'b': 2, 'a': 1}"),
        ("MAP(VARCHAR, VARCHAR[1])", "MAP {'a': ['NULL']}", "MAP {'a': [NULL]}"),
        ("STRUCT(l STRUCT(a VARCHAR)[])", "{'l': [{'a': 'x'}]}", "{'l': [{'a': 'y'}]}"),
    ],
)
def test_values_that_differ_have_versions_that_differ(
    warehouse: DuckDBWarehouse, kind: str, one: str, other: str
) -> None:
    """What DuckDB's hash takes for equal, and what only prints alike, is told apart; the same value is the same."""
    first, second = values(one, "NULL", kind=kind), values(other, "NULL", kind=kind)
    assert version_of(warehouse, first) == version_of(warehouse, first)
    assert version_of(warehouse, first) is not None
    assert version_of(warehouse, first) != version_of(warehouse, second)


@pytest.mark.parametrize(
    "kind", ["UNION(a INTEGER, b VARCHAR)", "UNION(a INTEGER)[]", "STRUCT(u UNION(a INTEGER))", "BIGNUM"]
)
def test_a_type_that_cannot_be_compared_exactly_has_no_version(warehouse: DuckDBWarehouse, kind: str) -> None:
    """Nobody is told that such a column is unchanged; versions without it are told as ever."""
    query = f"SELECT NULL::{kind} AS x, 1 AS a"
    assert version_of(warehouse, query) is None
    assert version_of(warehouse, query, ("x",)) is None
    assert version_of(warehouse, query, ("a",)) == version_of(warehouse, "SELECT 1 AS a", ("a",))
    assert version_of(warehouse, query, ()) == version_of(warehouse, "SELECT 1 AS a", ())


def test_a_type_that_duckdb_cannot_describe_has_no_version(warehouse: DuckDBWarehouse) -> None:
    """A type that an extension brings may have a name that means nothing elsewhere: it cannot be compared."""
    with warehouse.transaction() as transaction:
        assert transaction._read_type("NO SUCH TYPE(7)") is None
        assert transaction._read_type("INTEGER[]") is not None


# --------------------------------------------------------------------------------------------------------------- order


def test_the_order_of_a_table_can_be_asked_for(warehouse: DuckDBWarehouse) -> None:
    """Who reads the first rows of a source reads its order: the same rows in another are other data then."""
    up, down = (
        "SELECT n AS a, 1 AS b FROM range(9) AS r(n)",
        "SELECT n AS a, 1 AS b FROM range(9) AS r(n) ORDER BY n DESC",
    )
    for plain, in_order in ((("a",), ("a", IN_ORDER)), ((), (IN_ORDER,)), (("b",), ("b", IN_ORDER))):
        assert version_of(warehouse, up, plain) == version_of(warehouse, down, plain)
        assert version_of(warehouse, up, in_order) == version_of(warehouse, up, in_order)
        assert version_of(warehouse, up, in_order) != version_of(warehouse, up, plain)
    assert version_of(warehouse, up, ("a", IN_ORDER)) != version_of(warehouse, down, ("a", IN_ORDER))


def test_the_order_of_rows_is_the_same_before_a_commit_and_after(warehouse: DuckDBWarehouse) -> None:
    """DuckDB counts the rows of a table that is not committed yet from another number."""
    before = version_of(warehouse, "SELECT n AS a FROM range(9) AS r(n)", ("a", IN_ORDER))
    assert before == version(warehouse, ("a", IN_ORDER)) is not None


def test_the_order_of_what_has_none_to_show_cannot_be_told(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """A view has no places of rows, nor has a table that calls a column so; their other versions are told as ever."""
    sql("CREATE TABLE main.t AS SELECT 1 AS a")
    sql("CREATE VIEW main.v AS FROM main.t")
    sql("CREATE TABLE main.r AS SELECT 1 AS a, 2 AS RowID")
    for name in ("v", "r"):
        found = versions(warehouse, ("a", IN_ORDER), ("a",), relation=Relation("main", name)).versions
        assert found[0] is None
        assert found[1] == version(warehouse, ("a",))


# ---------------------------------------------------------------------------------------------------------- by chance

CELLS: dict[str, st.SearchStrategy[Any]] = {
    "INTEGER": st.integers(-2, 2),
    "BIGINT": st.sampled_from([0, 1, -1, 2**62]),
    "HUGEINT": st.sampled_from([0, 1, 2**64, 2**64 + 1, -1]),
    "DOUBLE": st.sampled_from([0.0, -0.0, 1.5, float("inf"), float("nan")]),
    "VARCHAR": st.sampled_from(["", "a", "A", "a, b", "NULL", "'", "\\", "é"]),
    "BOOLEAN": st.booleans(),
    "DECIMAL(10, 2)": st.sampled_from(["0.00", "0.01", "1.00", "-1.00"]),
    "DECIMAL(30, 2)": st.sampled_from(["0.00", "184467440737095516.16", "1.00"]),
    "DATE": st.sampled_from(["2026-03-01", "1582-10-15", "infinity"]),
    "INTERVAL": st.sampled_from(["1 month", "30 days", "24 hours", "1 day"]),
    "VARCHAR[]": st.lists(st.sampled_from(["a", "", "a, b", "NULL", None]), max_size=2),
    "STRUCT(a INTEGER, b VARCHAR)": st.fixed_dictionaries(
        {"a": st.sampled_from([1, 2, None]), "b": st.sampled_from(["x", "x, b: y", None])}
    ),
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[Any]]]:
    """Draw the types of up to three columns, and rows whose cells may be NULL."""
    kinds = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=3))
    row = st.tuples(*(st.one_of(st.none(), CELLS[kind]) for kind in kinds)).map(list)
    return kinds, draw(st.lists(row, max_size=4))


@pytest.fixture(scope="module")
def shared() -> Iterator[DuckDBWarehouse]:
    warehouse = DuckDBWarehouse.open(":memory:", {}, read_only=False, waiting=Waiting())
    yield warehouse
    warehouse.close()


def fill(warehouse: DuckDBWarehouse, kinds: list[str], rows: list[list[Any]]) -> list[str]:
    """Make a table of rows; return them as DuckDB prints them, exactly, in no order."""
    sql = Sql(warehouse)
    sql(f"CREATE OR REPLACE TABLE main.t ({', '.join(f'c{n} {kind}' for n, kind in enumerate(kinds))})")
    for row in rows:
        sql(f"INSERT INTO main.t VALUES ({', '.join('?' for _ in row)})", row)
    return sorted(repr(row) for row in sql("SELECT COLUMNS(*)::VARCHAR FROM main.t"))


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_versions_are_equal_exactly_when_the_rows_are(shared: DuckDBWarehouse, data: st.DataObject) -> None:
    """Over tables of any types: shuffled rows keep the version, a drawn change shows in it if it shows in the rows."""
    kinds, rows = data.draw(tables())
    sets: list[ColumnSet] = [None, (), *((f"c{n}",) for n in range(len(kinds)))]
    before = fill(shared, kinds, rows)
    known = versions(shared, *sets).versions
    assert None not in known
    assert fill(shared, kinds, data.draw(st.permutations(rows))) == before
    assert versions(shared, *sets).versions == known
    if not rows:
        return
    row = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.integers(0, len(kinds) - 1))
    cell = data.draw(st.one_of(st.none(), CELLS[kinds[column]]))
    rows = [list(one) for one in rows]
    rows[row][column] = cell
    moved = fill(shared, kinds, rows) != before
    for asked, old, new in zip(sets, known, versions(shared, *sets).versions, strict=True):
        reads_it = asked is None or f"c{column}" in asked
        assert (old != new) == (moved and reads_it), (asked, kinds, rows)


# -------------------------------------------------------------------------------------------------- one version for all

EVERY_TYPE = """
SELECT true AS bool, 1::TINYINT AS tiny, 2::SMALLINT AS small, 3::INTEGER AS int, 4::BIGINT AS big, 5::HUGEINT AS huge,
  6::UTINYINT AS utiny, 7::USMALLINT AS usmall, 8::UINTEGER AS uint, 9::UBIGINT AS ubig, 10::UHUGEINT AS uhuge,
  1.5::FLOAT AS float, 2.5::DOUBLE AS double, 3.25::DECIMAL(9, 2) AS narrow, 4.125::DECIMAL(38, 3) AS wide,
  'text' AS text, '\\xAB'::BLOB AS blob, '0101'::BIT AS bits, DATE '2026-03-01' AS date, TIME '12:00:01' AS time,
  '12:00:01+02'::TIMETZ AS timetz, TIMESTAMP '2026-03-01 12:00:01.5' AS moment,
  '2026-03-01 12:00:01'::TIMESTAMP_S AS moment_s, '2026-03-01 12:00:01.001'::TIMESTAMP_MS AS moment_ms,
  '2026-03-01 12:00:01.000000001'::TIMESTAMP_NS AS moment_ns, TIMESTAMPTZ '2026-03-01 12:00:01+00' AS instant,
  INTERVAL '1 month 2 days' AS span, UUID '00000000-0000-0000-0000-00000000000a' AS uuid,
  'b'::ENUM('a', 'b') AS enum, '{"a": [1]}'::JSON AS json, [1, NULL] AS list, ['a', 'b, c'] AS texts,
  [1, 2]::INTEGER[2] AS array, {'a': 1, 'b': 'x y'} AS struct, MAP {'k': [1.5::DOUBLE]} AS map,
  'X' COLLATE NOCASE AS nocase, 'nan'::DOUBLE AS nan, ['a\\b', 'c''d', NULL, 'NULL'] AS awkward,
  {'distance': [INTERVAL 1 DAY], 'nearest': {'exact': '\\'}} AS keywords
UNION ALL BY NAME SELECT NULL::BOOLEAN AS bool
"""


def test_macros_that_bear_the_names_of_functions_change_no_version(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """What a database defines as `hash`, `sum` or `-` is no part of how its relations are told apart."""
    sql(f"CREATE TABLE main.t AS {EVERY_TYPE}")
    sets: list[ColumnSet] = [None, (), ("int", IN_ORDER), ("int", "double")]
    before = versions(warehouse, *sets)
    for named in ("hash(a)", "sum(a)", "encode(a)", "to_json(a)", "isnan(a)", "signbit(a)", "min(a)", "max(a)"):
        sql(f"CREATE MACRO {named} AS 1")
    for named in ('"&"(a, b)', '"-"(a, b)', "count_star()"):
        sql(f"CREATE MACRO {named} AS 2")
    assert sql("SELECT hash('a'), 5 - 1, count(*)") == [(1, 2, 2)]
    assert versions(warehouse, *sets) == before
    with warehouse.transaction() as transaction:
        assert transaction.greatest(T, "int") == (2, "3")


def test_every_supported_duckdb_gives_the_same_versions(warehouse: DuckDBWarehouse) -> None:
    """Versions that were taken once hold on each version of DuckDB: an upgrade rebuilds nothing."""
    with warehouse.transaction() as transaction:
        transaction.replace_table(T, EVERY_TYPE, existing=None)
        names = [column.name for column in transaction.columns(T)]
        sets: list[ColumnSet] = [None, (), *((name,) for name in names)]
        found = transaction.data_versions(T, sets).versions
    assert dict(zip(["*", "no columns", *names], found, strict=True)) == json.loads(FIXTURE.read_text())
