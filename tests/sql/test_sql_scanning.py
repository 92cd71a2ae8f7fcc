from __future__ import annotations

import subprocess
import sys

import pytest

from leapsql_core.errors import QueryError
from leapsql_core.sql import DatabaseReading, KnownInput, lineage, scan
from leapsql_core.warehouses.duckdb.parser import DuckDBParser


@pytest.fixture(scope="module")
def parser() -> DuckDBParser:
    return DuckDBParser()


@pytest.mark.parametrize(
    ("sql", "cause", "line"),
    [
        ("", "no query", None),
        ("-- nothing\n/* at all */;", "no query", None),
        ("SELECT 1;\nSELECT 2", "more than one statement", 2),
        ("\nINSERT INTO t SELECT 1", "this is a statement that begins with INSERT, not a query", 2),
        ("create table x as select 1", "this is a statement that begins with CREATE, not a query", 1),
        ("SELCT 1", "no query begins with `SELCT`", 1),
        ("'a'", "no query begins with `'a'`", 1),
        (
            "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a",
            "the query changes data, or makes a table, on its way",
            None,
        ),
        ("SELECT a INTO t FROM u", "the query changes data, or makes a table, on its way", None),
        (
            "WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a",
            "the query changes data, or makes a table, on its way",
            None,
        ),
        ("SELECT a\nFROM t\nWHERE (", "syntax error", 3),
        ("SELECT a b c\nFROM t", 'syntax error at or near "c"', 1),
    ],
)
def test_what_is_not_one_query_is_refused(sql: str, cause: str, line: int | None, parser: DuckDBParser) -> None:
    """The error says what is wrong and on which line, and most say what would be right."""
    with pytest.raises(QueryError) as caught:
        scan(sql, database=parser)
    assert caught.value.cause.startswith(cause)
    assert caught.value.line == line


def test_sql_that_no_one_reads_is_refused_without_a_database_too() -> None:
    """Sqlglot's words and line, then."""
    with pytest.raises(QueryError, match="the query cannot be read: ") as caught:
        scan("SELECT a\nFROM (t")
    assert caught.value.line == 2


@pytest.mark.parametrize("head", ["-- head\n;", "/* a /* b */ */ ; -- c\n ;", ";;"])
def test_a_final_semicolon_and_comments_are_fine(head: str) -> None:
    """So are empty statements around the one."""
    found = scan(f"{head}SELECT 1 FROM t; ; -- tail")
    assert [reference.parts for reference in found.references] == [("t",)]
    assert found.warning is None


def test_what_sqlglot_reads_and_the_database_not_is_warned_of(parser: DuckDBParser) -> None:
    """It is not refused, for the database that runs it may know more; but the author is told."""
    found = scan("SELECT a FROM 'f.csv' 'x'", database=parser)
    assert found.files == ("f.csv",)
    assert found.warning == "the database will not run this: syntax error at or near \"'x'\" (line 1)"


def test_what_only_the_database_reads_is_warned_of(parser: DuckDBParser) -> None:
    """The warning says what sqlglot tripped over and where; everything else is known all the same."""
    found = scan("SELECT x'ab', now()\nFROM s.t, 'f.csv' TABLESAMPLE 10%", database=parser)
    assert found.warning is not None
    assert "sqlglot does not understand this query (line 1)" in found.warning
    assert "its column lineage is unknown" in found.warning
    assert [r.parts for r in found.references] == [("s", "t")]
    assert (found.files, found.volatile, found.functions) == (("f.csv",), ("now", "sample"), ("now",))


def test_a_pivot_statement_that_neither_shows_is_refused(parser: DuckDBParser) -> None:
    """DuckDB shows no tree of it, and sqlglot trips over the literal."""
    with pytest.raises(QueryError, match="the query cannot be read"):
        scan("PIVOT t ON y USING max(z || x'ab')", database=parser)


@pytest.mark.parametrize(
    ("sql", "volatile"),
    [
        ("SELECT now(), NOW ( ), today(), 1 AS now", "now today"),
        ("SELECT now, t.now, random AS x FROM t", ""),
        ("SELECT t.now() FROM t", "now"),
        ("SELECT 'now()' AS a /* now() */ -- random()", ""),
        ('SELECT "now"(), system.main.random()', "now random"),
        (
            "SELECT current_date, current_timestamp, current_time, localtime, localtimestamp",
            "current_date current_time current_timestamp localtime localtimestamp",
        ),
        ('SELECT "current_date"', "current_date"),
        ("SELECT a AS current_date, t.current_date, current_date.x FROM t", ""),
        (
            "SELECT current_localtimestamp(), get_current_timestamp(), transaction_timestamp()",
            "current_localtimestamp get_current_timestamp transaction_timestamp",
        ),
        (
            "SELECT uuid(), gen_random_uuid(), uuidv4(), uuidv7(), setseed(0.5)",
            "gen_random_uuid setseed uuid uuidv4 uuidv7",
        ),
        (
            "SELECT nextval('s'), currval('s'), txid_current(), current_setting('x'), getvariable('y')",
            "current_setting currval getvariable nextval txid_current",
        ),
        ("SELECT age(a)", "age"),
        ("SELECT age(f(a, b))", "age"),
        ("SELECT age(a, b), age(a, f(b))", ""),
        ("SELECT a FROM t TABLESAMPLE 10%", "sample"),
        ("SELECT a FROM t USING SAMPLE 3 ROWS", "sample"),
        ("SELECT a FROM t USING SAMPLE reservoir(3 ROWS) REPEATABLE (7)", ""),
        ("SELECT a FROM t TABLESAMPLE bernoulli(10%) REPEATABLE (7)", ""),
        ("SELECT a FROM t USING SAMPLE 10% (bernoulli, 7)", ""),
        ("SELECT * FROM duckdb_tables(), pragma_table_info('t')", "duckdb_tables pragma_table_info"),
        ("SHOW TABLES", "show"),
        ("SELECT last_modified FROM read_text('a.txt')", "last_modified"),
        ("SELECT content FROM (FROM read_blob('a.txt'))", "last_modified"),
        ("SELECT count(*), 2 * size AS double FROM read_text('a.txt')", ""),
        ("SELECT DISTINCT * FROM read_text('a.txt')", "last_modified"),
        ("SELECT t.*, last_modified FROM read_csv('a.csv') AS t", ""),
        ("SELECT * FROM read_csv(a || '.csv')", "read_csv"),
        ("SELECT * FROM read_csv(['a.csv', b])", "read_csv"),
        ("SELECT * FROM read_parquet(list_value('a'))", "read_parquet"),
        ("SELECT * FROM query('FROM ' || 't'), query_table(x || 'y')", "query query_table"),
        ("SELECT * FROM query('FROM t'), query_table('u'), query_table(s.v), query_table(['w', \"x\".y])", ""),
        ("FROM query('SELECT now(), ''random()'' FROM query(''SHOW TABLES'')')", "now show"),
        ("FROM query($$FROM t$$), query_table(lower('T')), query_table(['t', 'u' || 'v'])", "query query_table"),
        ("FROM histogram(t, a), s.histogram_values('t', a), (SELECT a, histogram(a + 1), min(histogram(a || b)))", ""),
        ("FROM x, histogram('t' || 'u', a) JOIN histogram_values(['t'][1], a)", "histogram histogram_values"),
        ("SELECT version(), current_date.year(), current_timestamp.a.hour()", "current_date current_timestamp version"),
        ("FROM (SHOW TABLES)", "show"),
        ("FROM (DESCRIBE t)", ""),
        ("SELECT a AS show, t.show FROM t ORDER BY a DESC, all DESC", ""),
        ("SELECT $$now()$$, e'\\' || now() || \\''", "now"),
        ("SELECT '\u00a0', date'random()', current_date", "current_date random"),
        ("WITH now(x) AS (SELECT 1) SELECT * FROM now", ""),
    ],
)
def test_functions_whose_answer_moves_by_itself_are_named(sql: str, volatile: str) -> None:
    """Calls count, names do not; where a text is odd, what looks like a call is one."""
    assert " ".join(scan(sql).volatile) == volatile


@pytest.mark.parametrize("sql", ["FROM (DESCRIBE)", "SELECT 1 UNION ALL BY NAME (DESC)", "FROM t, (DESC all tables)"])
def test_what_the_database_holds_moves(sql: str, parser: DuckDBParser) -> None:
    """What DESCRIBE shows without a table, sqlglot does not read."""
    assert scan(sql, database=parser).volatile == ("show",)


@pytest.mark.parametrize(
    ("sql", "functions"),
    [
        ("SELECT Sum(a), my_macro(b), s.other(c), a.lower(), count(*) FROM t", "count lower my_macro other sum"),
        ("SELECT a::DECIMAL(10, 2), CAST(b AS VARCHAR(3)), c IN (1), d OVER (e) FROM t", ""),
        ("WITH a(x) AS (SELECT 1), b AS (SELECT 2) SELECT * FROM a AS c(y), b d(z)", ""),
        ("SELECT * FROM t WHERE x GLOB ('a') AND EXISTS (SELECT 1)", ""),
        ("SELECT * FROM glob('a'), range(3)", "glob range"),
        ("FROM query('SELECT a, my_macro(b) FROM other(c)')", "my_macro other query"),
        ('WITH "a"(x) AS (SELECT 1) SELECT "My macro"(x), "a"(x) FROM "a" AS "b"(y)', "a my macro"),
        ("SELECT sum(a) FILTER (WHERE b) OVER (PARTITION BY c) FROM t GROUP BY ROLLUP (c)", "sum"),
    ],
)
def test_the_functions_that_a_query_calls_are_named(sql: str, functions: str) -> None:
    """All of them, for any may be a macro of the database; names of CTEs, aliases and types are none."""
    try:
        found = scan(sql)
    except QueryError:
        found = scan(sql.replace(", d OVER (e)", ""))
    assert " ".join(found.functions) == functions


def test_files_that_a_text_names_are_named_too() -> None:
    """What `query` is given is read as a query."""
    assert scan("FROM query('SELECT * FROM read_csv(''a.csv'')'), read_text(['b', 'c'])").files == ("a.csv", "b", "c")


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("FROM query('FROM a JOIN ' || 'b')", []),
        ("FROM query_table('a' || 'b'), query_table(lower('C')), c", [("c",)]),
        ("FROM query_table(['a', 'b' || 'c', d.e])", [("a",), ("d", "e")]),
        ("FROM histogram('a' || '', b)", []),
    ],
)
def test_what_an_expression_names_is_not_guessed(sql: str, tables: list[tuple[str, ...]], parser: DuckDBParser) -> None:
    """A piece of a name is no table, and a piece of a query no query: the query moves, and that is all that is said."""
    found = scan(sql, database=parser)
    assert [reference.parts for reference in found.references] == tables
    assert found.volatile
    assert found.warning is None


@pytest.mark.parametrize(
    ("sql", "places"),
    [
        ("TABLE a.b", [6]),
        ("/* x */ TABLE t ORDER BY 1", [14]),
        ("SELECT (TABLE t), x IN (table u) FROM (TABLE v)", [14, 30, 45]),
        ("WITH x AS (TABLE t) TABLE x UNION ALL TABLE u", [17, 44]),
        ("SELECT t.table, 1 AS table FROM t", [32]),
    ],
)
def test_a_table_statement_is_a_query(sql: str, places: list[int], parser: DuckDBParser) -> None:
    """Wherever a query may stand, in any version of sqlglot; names keep their places."""
    for found in (scan(sql), scan(sql, database=parser)):
        assert sorted(span.start for reference in found.references for span in reference.spans) == places
        assert found.warning is None


def test_the_database_is_asked_once_where_its_list_will_do() -> None:
    """A database that names the tables shows no tree as well."""

    class Names:
        def table_names(self, sql: str) -> tuple[tuple[str, ...], ...]:
            return (("S", "T"), ("hidden",))

        def read(self, sql: str) -> DatabaseReading:
            raise AssertionError

    found = scan("SELECT * FROM s.t", database=Names())
    assert [(r.parts, len(r.spans)) for r in found.references] == [(("s", "t"), 1), (("hidden",), 0)]


def test_importing_the_package_loads_no_parser() -> None:
    """Sqlglot and DuckDB come in when something is parsed."""
    code = (
        "import sys, leapsql_core.sql, leapsql_core.warehouses.duckdb.parser\n"
        "leapsql_core.sql.same_tokens('select 1', 'SELECT 1')\n"
        "assert not {'sqlglot', 'duckdb'} & set(sys.modules)\n"
        "leapsql_core.sql.scan('select 1')\n"
        "assert 'sqlglot' in sys.modules and 'duckdb' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_scan_and_lineage_agree_on_what_is_read(parser: DuckDBParser) -> None:
    """Every reference of the scan is an input of the lineage."""
    sql = "WITH q AS (SELECT * FROM a.b) SELECT * FROM q, c.d.e, (SELECT 1 FROM f) g"
    keys = {
        reference.key: KnownInput(".".join(reference.parts), None)
        for reference in scan(sql, database=parser).references
    }
    assert [read.table for read in lineage(sql, keys).reads] == ["a.b", "c.d.e", "f"]
