"""A user's own SQL over the state: any question, and nothing but a question."""

from __future__ import annotations

from pathlib import Path

import pytest
from state_samples import contents, record_new_build

from leapsql_core.errors import StateError
from leapsql_core.state import SqliteStateStore, query_state


def test_a_question_is_answered_with_columns_and_rows(file_store: SqliteStateStore, path: Path) -> None:
    """In the order asked for, as plain tuples."""
    record_new_build(file_store)
    columns, rows = query_state(path, "SELECT status, rows_affected AS n, error FROM model_runs")
    assert (columns, rows) == (["status", "n", "error"], [("success", 3, None)])


def test_no_rows_still_have_columns(path: Path) -> None:
    """An empty answer is an answer."""
    assert query_state(path, "SELECT id, status FROM runs") == (["id", "status"], [])


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT * FROM n", 3),
        ("VALUES (1), (2)", 2),
        ("SELECT 1; -- and a remark", 1),
        ("/* a remark */ SELECT 1 ;  ", 1),
        ("SELECT value FROM json_each('[1, 2, 3]')", 3),
        ("SELECT name FROM pragma_table_info('environments')", 4),
        ("PRAGMA table_info(environments)", 4),
        ("PRAGMA integrity_check", 1),
        ("EXPLAIN QUERY PLAN SELECT * FROM runs", 1),
        ("SELECT julianday('now') > 0, upper('a'), count(*) OVER () FROM (SELECT 1)", 1),
    ],
)
def test_whatever_only_reads_may_be_asked(file_store: SqliteStateStore, path: Path, sql: str, rows: int) -> None:
    """All of SQLite's ways to put a question."""
    assert len(query_state(path, sql)[1]) == rows


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM runs",
        "UPDATE runs SET status = 'failed'",
        "INSERT INTO environments VALUES ('x', NULL, 'now', 'now')",
        "INSERT INTO environments VALUES ('x', NULL, 'now', 'now') RETURNING name",
        "REPLACE INTO texts VALUES ('a', 'b')",
        "WITH gone AS (SELECT id FROM runs) DELETE FROM runs WHERE id IN gone",
        "DROP TABLE runs",
        "CREATE TABLE x (y)",
        "CREATE TEMP TABLE x (y)",
        "CREATE VIEW x AS SELECT 1",
        "CREATE TRIGGER x AFTER DELETE ON runs BEGIN SELECT 1; END",
        "ALTER TABLE runs ADD COLUMN x",
        "PRAGMA user_version = 3",
        "PRAGMA user_version",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA query_only = 0",
        "PRAGMA writable_schema = ON",
        "BEGIN",
        "COMMIT",
        "SAVEPOINT a",
        "REINDEX",
        "ANALYZE",
        "ATTACH '{folder}/new.db' AS new",
        "DETACH main",
        "EXPLAIN DELETE FROM runs",
    ],
)
def test_whatever_does_more_than_read_is_refused(file_store: SqliteStateStore, path: Path, sql: str) -> None:
    """The state stays as it was, no file is made, and the message says what may be asked."""
    record_new_build(file_store)
    before, files = contents(file_store), sorted(path.parent.iterdir())
    with pytest.raises(StateError, match=r"does more than read.*\n    A question is one statement"):
        query_state(path, sql.format(folder=path.parent))
    assert contents(file_store) == before
    assert sorted(path.parent.iterdir()) == files


@pytest.mark.parametrize(
    "sql",
    [
        "VACUUM",
        "VACUUM INTO '{folder}/new.db'",
        "UPDATE sqlite_master SET name = 'x'",
        "SELECT load_extension('x')",
        "SELECT writefile('{folder}/new.db', 'x')",
    ],
)
def test_what_sqlite_refuses_by_itself_is_refused(file_store: SqliteStateStore, path: Path, sql: str) -> None:
    """Files and extensions are out of reach of a question."""
    record_new_build(file_store)
    before, files = contents(file_store), sorted(path.parent.iterdir())
    with pytest.raises(StateError, match="cannot run this SQL"):
        query_state(path, sql.format(folder=path.parent))
    assert contents(file_store) == before
    assert sorted(path.parent.iterdir()) == files


@pytest.mark.parametrize("place", ["missing", "there"])
@pytest.mark.parametrize("sql", ["SELECT 1; SELECT 2", "SELECT 1; DELETE FROM runs", ";SELECT 1; SELECT 2"])
def test_several_statements_are_refused(file_store: SqliteStateStore, path: Path, place: str, sql: str) -> None:
    """None of them runs."""
    with pytest.raises(StateError, match=r"several statements\n    A question is one"):
        query_state(path if place == "there" else path.with_name("missing.db"), sql)


@pytest.mark.parametrize("sql", ["", "  ", "-- a remark", ";"])
def test_no_statement_is_no_question(path: Path, sql: str) -> None:
    """An empty file or variable is noticed."""
    with pytest.raises(StateError, match="no question"):
        query_state(path, sql)


def test_a_mistyped_table_is_mended_by_the_message(path: Path) -> None:
    """The nearest name is offered, or all there are."""
    with pytest.raises(StateError, match=r"no such table: model_run\n    Did you mean model_runs"):
        query_state(path, "SELECT * FROM model_run")
    with pytest.raises(StateError, match=r"no such table: zzz\n    The tables are code_versions, .*traces"):
        query_state(path, "SELECT * FROM zzz")


def test_what_is_no_sql_is_refused_with_sqlites_own_words(path: Path) -> None:
    """They say where it went wrong."""
    with pytest.raises(StateError, match='near "SELEKT": syntax error'):
        query_state(path, "SELEKT 1")
