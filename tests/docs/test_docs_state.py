"""`docs/state.md` names every table and column of the state, and every question in it is answered."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from docs_reading import Block, Reader, Step, code_in, find_table, read_blocks, read_page

from leapsql_core.models import ModelRunStatus, RunStatus
from leapsql_core.state import query_state

PAGE = "docs/state.md"
QUESTIONS = [block for block in read_blocks(read_page(PAGE)) if block.language == "sql"]
TABLES = {code_in(row["table"])[0]: row for row in find_table(read_page(PAGE), "table", "a row is")}


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a small project that was run twice, the second time with a model that fails."""
    root = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        reader = Reader()
        for command in ("init sql", "-C sql run"):
            assert "Error" not in reader.follow(Step(0, command=f"leapsql {command}"))
        Path("sql/models/marts/broken.sql").write_text("SELECT nothing() AS x FROM staging.stg_orders")
        assert "1 failed" in reader.follow(Step(0, command="leapsql -C sql run"))
    return root / "sql/.leapsql/state.db"


@pytest.fixture
def connection(state: Path) -> Iterator[sqlite3.Connection]:
    """The state, opened by plain SQLite."""
    with closing(sqlite3.connect(f"{state.as_uri()}?mode=ro", uri=True)) as connection:
        yield connection


def test_every_table_and_column_is_told_of(connection: sqlite3.Connection) -> None:
    """In their order; no more and no fewer."""
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert set(TABLES) == set(tables)
    for table in tables:
        columns = [name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", [table])]
        told = [code for code in code_in(TABLES[table]["columns"]) if code in columns]
        assert told == columns, table
        assert not set(code_in(TABLES[table]["columns"])) - set(columns)


def test_every_status_is_told_of() -> None:
    """Of runs and of model runs."""
    for table, statuses in (("runs", RunStatus), ("model_runs", ModelRunStatus)):
        assert f"`status` ({', '.join(statuses.__args__)})" in TABLES[table]["columns"]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda block: f"line {block.line}")
def test_every_question_has_an_answer(question: Block, state: Path, connection: sqlite3.Connection) -> None:
    """Plain SQLite answers it with rows, and `leapsql query` with the same."""
    answer = connection.execute(question.text).fetchall()
    assert answer
    _, same = query_state(state, question.text)
    assert same == answer
