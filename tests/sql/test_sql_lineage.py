from __future__ import annotations

import re

import pytest
from sql_lineage_format import describe, given
from sql_samples import Sample, read_samples

from leapsql_core.models import ColumnSource, OutputColumn, Read
from leapsql_core.sql import KnownInput, lineage

SAMPLES = read_samples("lineage.sql")
T = {("t",): KnownInput("t", ("a", "b", "c"))}


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_columns_flow_as_the_fixture_says(sample: Sample) -> None:
    """Names, kinds and sources of the output, what decides the rows, all that is read, and what is unknown."""
    found = describe(lineage(sample.sql, given(sample.sql)))
    assert found == {key: sample.fact(key) for key in sample.facts}


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_every_input_is_read_for_its_rows_at_least(sample: Sample) -> None:
    """Each input stands in `rows` and in `reads`, once, by name; and what decides rows is among what is read."""
    inputs = given(sample.sql)
    found = lineage(sample.sql, inputs)
    names = sorted({known.name for known in inputs.values()})
    assert [read.table for read in found.rows] == [read.table for read in found.reads] == names
    for rows, reads in zip(found.rows, found.reads, strict=True):
        assert reads.columns is None or (rows.columns is not None and set(rows.columns) <= set(reads.columns))


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_what_flows_into_a_column_is_read_by_it(sample: Sample) -> None:
    """Sources are among a column's reads, those among the query's; a column of unknown kind names no sources."""
    found = lineage(sample.sql, given(sample.sql))
    reads = {read.table: read.columns for read in found.reads}
    for column in found.columns or ():
        assert column.reads is None or set(column.sources) <= set(column.reads)
        assert column.kind != "unknown" or not column.sources
        for source in column.reads or ():
            columns = reads[source.table]
            assert columns is None or source.column in columns


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_lineage_changes_no_tree(sample: Sample) -> None:
    """Asking again, and asking with other inputs in between, gives the same answer."""
    first = lineage(sample.sql, given(sample.sql))
    blank = {key: KnownInput(known.name, None) for key, known in given(sample.sql).items()}
    lineage(sample.sql, blank)
    assert lineage(sample.sql, given(sample.sql)) == first


def test_columns_are_read_in_the_input_s_own_order() -> None:
    """A reader of a reordered input has another set of columns: the order is that of the input."""
    (read,) = lineage("SELECT c, a FROM t", T).reads
    assert read == Read("t", ("a", "c"))
    (read,) = lineage("SELECT c, a FROM t", {("t",): KnownInput("t", ("c", "b", "a"))}).reads
    assert read == Read("t", ("c", "a"))


def test_an_input_under_two_keys_is_one() -> None:
    """Two references that mean the same input are answered for together."""
    inputs = {("t",): KnownInput("x.t", ("a", "b")), ("x", "t"): KnownInput("x.t", ("a", "b"))}
    found = lineage("SELECT t.a FROM t JOIN x.t AS u ON t.a = u.b", inputs)
    assert found.reads == (Read("x.t", ("a", "b")),)
    assert found.columns == (OutputColumn("a", "direct", (ColumnSource("x.t", "a"),), (ColumnSource("x.t", "a"),)),)


def test_a_table_that_nothing_was_told_of_has_unknown_columns() -> None:
    """It is answered for under its dotted name."""
    found = lineage("SELECT a FROM s.t", {})
    assert found.reads == (Read("s.t", ("a",)),)


def test_an_input_that_only_the_database_sees_is_read_whole() -> None:
    """What the tree does not name may be read anywhere in the query."""
    found = lineage("SELECT a FROM t", {**T, ("u",): KnownInput("u", ("x",))})
    assert found.reads == (Read("t", ("a",)), Read("u", None))
    assert found.unknown == "u, which only the database sees"


def test_a_new_column_that_captures_a_name_changes_what_is_read() -> None:
    """Lineage is of the inputs' current columns: a name means the inner table as soon as that has the column."""
    sql = "SELECT (SELECT max(x) FROM u WHERE b = 1) AS m FROM t"
    before = lineage(sql, {**T, ("u",): KnownInput("u", ("x",))})
    after = lineage(sql, {**T, ("u",): KnownInput("u", ("x", "b"))})
    assert before.reads == (Read("t", ("b",)), Read("u", ("x",)))
    assert after.reads == (Read("t", ()), Read("u", ("x", "b")))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM " + "(SELECT * FROM " * 120 + "t" + ")" * 120,
        "SELECT a FROM t WHERE " + " OR ".join(f"b = {number}" for number in range(3000)),
        " UNION ALL ".join("SELECT a FROM t" for _ in range(1500)),
        "WITH c0 AS (SELECT a FROM t), "
        + ", ".join(f"c{n} AS (SELECT x.a FROM c{n - 1} x JOIN c{n - 1} y ON x.a = y.a)" for n in range(1, 60))
        + " SELECT a FROM c59",
        "SELECT " + " + ".join(["a"] * 2000) + " AS s FROM t",
    ],
    ids=["nested", "conditions", "branches", "chained CTEs", "sum"],
)
def test_generated_sql_of_any_size_is_understood(sql: str) -> None:
    """Depth and length end in an answer, in reasonable time, and never in an error."""
    (read,) = lineage(sql, T).reads
    assert read.columns is None or "a" in read.columns


def test_what_nests_too_deep_is_unknown() -> None:
    """Where Python's own stack would not do, everything counts as read."""
    sql = "SELECT (" * 190 + "SELECT a FROM t" + ")" * 190
    assert lineage(sql, T).reads == (Read("t", None),)
    sql = "SELECT " + "(" * 900 + "a" + ")" * 900 + " FROM t"
    found = lineage(sql, T)
    assert found.reads == (Read("t", None),)
    assert found.unknown == "SQL that sqlglot does not understand"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a FROM t FOR UPDATE",
        "SELECT a FROM t AT (VERSION => 3)",
        "WITH RECURSIVE r(x, y) USING KEY (x) AS (SELECT a, b FROM t UNION SELECT x, y FROM r) SELECT x FROM r",
        "SELECT $1 AS a FROM t",
        "SELECT a FROM t, my_table_macro(3)",
        "SELECT a FROM t GROUP BY ALL UNION (SELECT 1)",
        "SELECT a FROM t JOIN u ON f(a, b) AND EXISTS (SELECT 1 FROM histogram(t, a))",
        "SELECT * FROM (DESCRIBE t)",
        "SELECT a FROM (t JOIN t AS u USING (a)) PIVOT (sum(b) FOR a IN (1))",
        "SELECT a FROM t UNION ALL SELECT a, b FROM t",
        "SELECT a FROM t SEMI JOIN (VALUES (1)) AS t(a) USING (a)",
        "SELECT a FROM t, LATERAL flatten(b)",
        "SELECT a FROM t ORDER BY nope",
        "SELECT t.* LIKE 'x' FROM t",
        "(SELECT a FROM t) ORDER BY (SELECT max(b) FROM t) LIMIT 1",
        "SELECT q FROM t AS x(o, p, q, r)",
        "WITH x(p, q) AS (SELECT a FROM t) SELECT p FROM x",
    ],
)
def test_what_is_not_understood_hides_nothing(sql: str) -> None:
    """An unlisted construct is named, and everything of the inputs counts as read."""
    found = lineage(sql, T)
    assert found.unknown is not None
    assert Read("t", None) in found.reads or found.reads == (Read("t", ("a", "b", "c")),)


@pytest.mark.parametrize(
    ("sql", "missing"),
    [
        ("SELECT nope FROM t", [("t", "nope")]),
        ("SELECT z.nope FROM t AS z, u", [("t", "nope")]),
        ("SELECT a FROM t WHERE EXISTS (SELECT 1 FROM (SELECT 1 AS one) q WHERE t.nope = 1)", [("t", "nope")]),
        ("SELECT * EXCLUDE (nope) FROM t", [("t", "nope")]),
        ("SELECT t.* EXCLUDE (a, nope) REPLACE (1 AS b) FROM t, u", [("t", "nope")]),
        ("SELECT * REPLACE (1 AS nope) FROM t", [("t", "nope")]),
        ("SELECT * RENAME (nope AS x) FROM t", [("t", "nope")]),
        ("SELECT * EXCLUDE (A, t.B) REPLACE (1 AS C) FROM t", []),
        ("SELECT * EXCLUDE (nope) FROM t, u", []),
        ("SELECT * EXCLUDE (nope) FROM t, raw", []),
        ("SELECT * EXCLUDE (nope) FROM (SELECT a FROM t)", []),
        ("SELECT x.nope FROM t AS x, u", []),
        ("SELECT nope FROM t, raw", []),
        ("SELECT nope FROM (SELECT a FROM t)", [("", "nope")]),
        ("SELECT nope FROM t, u", [("", "nope")]),
        ("WITH w AS (SELECT a FROM t) SELECT x FROM w, u WHERE nope > 1", [("", "nope")]),
        ("SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE nope = 1)", [("", "nope")]),
        ("SELECT c FROM (SELECT a FROM t)", []),
        ("SELECT a AS nope FROM t, u WHERE nope > 1", []),
        ("SELECT nope FROM t, u, range(3) AS r(nope)", []),
        ("SELECT list_transform([1], nope -> nope + x) FROM t, u", []),
        ("SELECT some_macro(nope) FROM t, u", []),
        ("SELECT current_date FROM t, u", []),
        ("SELECT t, u FROM t, u", []),
        ("SELECT COLUMNS(nope -> nope <> 'a') FROM t, u", []),
        ("SELECT a FROM t, u ORDER BY ALL", []),
        ("SELECT sum(a) OVER nope FROM t, u WINDOW nope AS (ORDER BY x)", []),
        ("SELECT x.a FROM t AS x(z)", []),
        ("SELECT rowid, t.rowid FROM t", []),
        ("SELECT user, current_user, current_role FROM t", []),
        ("SELECT t.nope FROM t, (SELECT 1) AS t", []),
        ("SELECT * FROM t, some_macro(nope)", []),
        ("WITH unread AS (SELECT nope FROM t) SELECT a FROM t", []),
        ("SELECT s.nope FROM t AS s(s)", []),
    ],
)
def test_a_missing_column_is_reported_where_it_is_certain(sql: str, missing: list[tuple[str, str]]) -> None:
    """An input whose columns are known lacks it, and nothing else could be meant."""
    tables = {**T, ("u",): KnownInput("u", ("x",)), ("raw",): KnownInput("raw", None)}
    found = lineage(sql, {key: given for key, given in tables.items() if re.search(rf"\b{given.name}\b", sql)})
    assert [(source.table, source.column) for source in found.missing] == missing


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 AS x, a FROM t ORDER BY b LIMIT 3",
        "SELECT list(a ORDER BY b) AS l, string_agg(a, ',' ORDER BY c) AS s, first(a ORDER BY b) FROM t",
        "SELECT any_value(a ORDER BY b), arg_max(a, b ORDER BY c), json_group_array(a ORDER BY b) FROM t",
        "SELECT sum(a) OVER (), rank() OVER (), count(*) OVER (PARTITION BY b), row_number() OVER (ORDER BY a) FROM t",
        "SELECT lag(a) OVER w, last_value(a) OVER (w) FROM t WINDOW w AS (PARTITION BY b ORDER BY c)",
        "SELECT sum(a) FILTER (b > 1) OVER (PARTITION BY c), first_value(a IGNORE NULLS) OVER (ORDER BY b) FROM t",
        "SELECT mode(a) OVER (ORDER BY b) FROM t",
        "SELECT max(a), min(a, 3), max(a, 2) FROM t",
        "SELECT mode() WITHIN GROUP (ORDER BY a) FROM t",
        "SELECT DISTINCT ON (a) b FROM t ORDER BY a, b",
        "SELECT ARRAY(SELECT a FROM t ORDER BY b) AS x",
        "SELECT DISTINCT a FROM t UNION SELECT b FROM t",
        "(SELECT a FROM t) UNION ALL (SELECT b FROM t) ORDER BY 1 LIMIT 1",
    ],
)
def test_an_answer_that_hangs_on_no_order_says_so(sql: str) -> None:
    """Sorted aggregates, windows and limits, and those that do not care, leave `ordered` empty."""
    assert lineage(sql, T).ordered is None


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT a FROM t LIMIT 1", "LIMIT without ORDER BY"),
        ("SELECT a FROM t OFFSET 1", "LIMIT without ORDER BY"),
        ("SELECT * FROM (SELECT a FROM t LIMIT 1) ORDER BY a", "LIMIT without ORDER BY"),
        ("(SELECT a FROM t) UNION ALL (SELECT b FROM t) LIMIT 1", "LIMIT without ORDER BY"),
        ("(SELECT a FROM t ORDER BY a) LIMIT 1", "LIMIT without ORDER BY"),
        ("SELECT DISTINCT ON (a) b FROM t", "DISTINCT ON without ORDER BY"),
        ("SELECT list(a) FROM t", "array_agg() without ORDER BY"),
        ("SELECT string_agg(a, ',') FILTER (b > 1) FROM t", "group_concat() without ORDER BY"),
        ("SELECT max_by(a, b) FROM t", "arg_max() without ORDER BY"),
        ("SELECT arg_min_null(a, b) FROM t", "arg_min_null() without ORDER BY"),
        ("SELECT any_value(a) FROM t", "any_value() without ORDER BY"),
        ("SELECT approx_top_k(a, 3) FROM t", "approx_top_k() without ORDER BY"),
        ("SELECT max(a, b) FROM t", "max() of several"),
        ("SELECT min(a, b) OVER () FROM t", "min() of several"),
        ("SELECT date_trunc('month', a, any_value(b)) FROM t", "any_value(), which sqlglot hides"),
        ("SELECT row_number() OVER () FROM t", "a window without ORDER BY"),
        ("SELECT sum(a) OVER (ROWS 1 PRECEDING) FROM t", "a window without ORDER BY"),
        ("SELECT lag(a) OVER w FROM t WINDOW w AS (PARTITION BY b)", "a window without ORDER BY"),
        ("SELECT list(a) OVER (PARTITION BY b) FROM t", "a window without ORDER BY"),
        ("SELECT ARRAY(SELECT a FROM t) AS x", "ARRAY(…) without ORDER BY"),
        ("SELECT t.a FROM t POSITIONAL JOIN t u", "POSITIONAL JOIN"),
        ("SELECT rowid FROM t", "rowid"),
        ("SELECT a FROM t TABLESAMPLE 10% REPEATABLE (1)", "a sample"),
        ("SELECT my_macro(a) FROM t", "the function my_macro(), which may be a macro"),
    ],
)
def test_an_answer_that_hangs_on_the_order_of_rows_says_why(sql: str, reason: str) -> None:
    """What takes the first that comes reads the order of its inputs."""
    assert lineage(sql, T).ordered == reason


def test_nothing_depends_on_the_hash_seed() -> None:
    """Sets are sorted before they are shown."""
    sql = "SELECT a + b + c AS s, (SELECT max(x) FROM u WHERE y = z) AS m FROM t WHERE a IN (SELECT z FROM u)"
    found = lineage(sql, {**T, ("u",): KnownInput("u", ("x", "y", "z"))})
    assert found.columns is not None
    assert [s.column for s in found.columns[0].sources] == ["a", "b", "c"]
    assert [(s.table, s.column) for s in found.columns[1].reads or ()] == [("u", "x"), ("u", "y"), ("u", "z")]
