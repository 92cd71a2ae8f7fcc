"""`leapsql history` and `leapsql query`: what the state remembers."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from cli_shop import Shop, Terminal, without_colour

from leapsql_core.state import SqliteStateStore


def test_history_lists_runs_the_latest_first(built: Shop) -> None:
    """Each run stands with its id, status, start, duration and counts."""
    built.edit("models/marts/customers.sql", "sum(amount)", "nothing()")
    built.leapsql("run")
    facts = built.json("history")
    assert list(facts) == ["environment", "runs"]
    latest, first = facts["runs"]
    assert list(latest) == [
        *("run_id", "status", "started_at", "completed_at", "duration_ms", "models", "request"),
        *("orchestrator_run_id", "error"),
    ]
    assert (latest["status"], latest["models"]) == (
        "failed",
        {"built": 0, "tested": 0, "unchanged": 3, "failed": 1, "skipped": 1},
    )
    assert (first["status"], first["models"]) == (
        "completed",
        {"built": 5, "tested": 0, "unchanged": 0, "failed": 0, "skipped": 0},
    )
    assert latest["error"] == "failed: marts.customers; skipped because of that: marts.totals"
    started = datetime.fromisoformat(latest["started_at"])
    assert started.tzinfo is not None
    lines = built.text("history").splitlines()
    assert lines[0].split() == ["run", "status", "started", "took", "models", "error"]
    assert lines[1].startswith(f"{latest['run_id'][:8]}  failed     {started.astimezone():%Y-%m-%d %H:%M:%S}  ")
    assert "3 unchanged, 1 failed, 1 skipped" in lines[1]


def test_history_shows_as_many_runs_as_asked_for(built: Shop) -> None:
    """`--limit` bounds the list, at one or more."""
    built.leapsql("run")
    assert len(built.json("history", "--limit", "1")["runs"]) == 1
    assert built.leapsql("history", "--limit", "0").status == 2


def test_history_keeps_environments_apart(built: Shop) -> None:
    """Runs of another environment are not shown."""
    assert built.json("history", "--env", "prod")["runs"] == []
    assert "nothing has run in environment prod yet" in built.leapsql("history", "--env", "prod").out
    built.leapsql("run", "raw_orders", "--env", "prod")
    assert "customers has not run in environment prod yet" in built.leapsql("history", "customers", "--env", "prod").out
    assert len(built.json("history", "raw_orders", "--env", "prod")["model_runs"]) == 1


def test_history_names_the_run_of_an_orchestrator(built: Shop) -> None:
    """A run that something else asked for shows whose it is; a running one has no duration yet."""
    state = SqliteStateStore(built.root / ".leapsql" / "state.db")
    state.open()
    state.create_run("dev", orchestrator_run_id="0a1b2c3d-rest")
    state.close()
    (run, _) = built.json("history")["runs"]
    assert (run["status"], run["duration_ms"], run["completed_at"]) == ("running", None, None)
    assert run["orchestrator_run_id"] == "0a1b2c3d-rest"
    assert built.text("history").splitlines()[1].endswith("  0a1b2c3d")


def test_history_of_a_model_lists_its_model_runs(built: Shop) -> None:
    """Each with status, reason, rows, time, content hash, data version and run."""
    built.edit("models/marts/customers.sql", "sum(amount)", "max(amount)")
    built.leapsql("run")
    facts = built.json("history", "customers")
    assert list(facts) == ["environment", "path", "model_runs"]
    latest, first = facts["model_runs"]
    assert list(latest) == [
        *("run_id", "model_run_id", "status", "reason", "detail", "rows_affected", "execution_ms"),
        *("content_hash", "data_version", "started_at", "completed_at", "error"),
    ]
    assert (latest["reason"], first["reason"]) == ("query_changed", "new")
    lines = built.text("history", "customers").splitlines()
    assert lines[0].split() == ["run", "started", "status", "reason", "rows", "time", "content", "data"]
    assert lines[1].startswith(latest["run_id"][:8])
    assert latest["content_hash"][:8] in lines[1]
    assert latest["data_version"][:8] in lines[1]


def test_history_answers_while_the_project_is_broken(built: Shop) -> None:
    """Only the state is read, so a model that cannot be read, or is gone, is no matter."""
    built.remove("models/marts/totals.sql")
    built.write("models/broken.sql", "select {{ nothing }}")
    assert built.leapsql("plan").status == 2
    assert len(built.json("history")["runs"]) == 1
    assert len(built.json("history", "totals")["model_runs"]) == 1


def test_history_of_a_model_that_never_ran_is_wrong_use(built: Shop) -> None:
    """A name that the state does not know is refused with the nearest."""
    assert "Did you mean totals?" in built.leapsql("history", "totls").err
    answer = built.leapsql("history", "xyzzy")
    assert (answer.status, "once a run has seen it" in answer.err) == (2, True)


def test_a_name_with_a_quote_is_a_name(shop: Shop) -> None:
    """Names are values, whatever stands in them."""
    shop.write("models/o'brien.sql", "select 1 as one")
    assert shop.leapsql("run", "o'brien").status == 0
    assert len(shop.json("history", "o'brien")["model_runs"]) == 1


def test_no_state_yet_reads_as_nothing_and_is_said(shop: Shop) -> None:
    """Before the first run there is no history; that there is no state stands on standard error."""
    answer = shop.leapsql("history", "--output", "json")
    assert (answer.status, answer.facts["runs"]) == (0, [])
    assert answer.err.startswith("There is no state at ")
    assert not (shop.root / ".leapsql").exists()


# ------------------------------------------------------------------------------------------------------------- query


def test_query_answers_in_every_form(built: Shop) -> None:
    """A table for people, a list of objects for scripts."""
    question = "select path, length(path) as long from models where materialized = 'view'"
    assert built.json("query", question) == [{"path": "staging.orders", "long": 14}]
    assert built.text("query", question) == "path            long\nstaging.orders    14\n\n1 row\n"
    assert built.leapsql("query", question).lines == [
        "| path           | long |",
        "| -------------- | ---: |",
        "| staging.orders |   14 |",
        "",
        "1 row",
    ]


def test_query_shows_values_of_every_kind(built: Shop) -> None:
    """Nothing is NULL, bytes are hexadecimal, infinity is a text; names that repeat are numbered."""
    question = "select null as n, x'ab01' as b, 9e999 as inf, 1.5 as f, 1 as f, 'a' || char(10) || 'b' as f_2"
    assert built.json("query", question) == [
        {"n": None, "b": "ab01", "inf": "inf", "f": 1.5, "f_2": 1, "f_2_2": "a\nb"}
    ]
    assert built.text("query", question).splitlines()[1].split() == ["ab01", "inf", "1.5", "1", "a", "b"]


def test_query_only_reads(built: Shop) -> None:
    """A statement that would write is refused."""
    answer = built.leapsql("query", "delete from runs")
    assert (answer.status, answer.err.startswith("Error: ")) == (2, True)
    assert len(built.json("history")["runs"]) == 1


def test_query_needs_no_project_where_the_state_is_named(built: Shop, tmp_path: Path) -> None:
    """With `--state` any state can be asked, from anywhere."""
    state = str(built.root / ".leapsql" / "state.db")
    nowhere = Shop(tmp_path)
    assert nowhere.json("query", "--state", state, "select count(*) as n from runs") == [{"n": 1}]
    assert nowhere.leapsql("query", "select 1").status == 2


def test_rows_that_are_too_wide_become_lists_of_their_values(built: Shop, terminal: Terminal) -> None:
    """On a terminal no value is cut: where a table has no room each value has a line."""
    shown = without_colour(terminal("-C", str(built.root), "query", "select * from models limit 2", width=90).out)
    lines = shown.splitlines()
    assert lines[0].startswith("id            ")
    assert lines[1] == "path          raw_orders"
    assert lines[10] == ""
    assert lines[12].startswith("path          ")
    assert lines[-1] == "2 rows"
    long = "select 'one two three four five six seven eight nine ten' as words, 2 as n"
    assert without_colour(terminal("-C", str(built.root), "query", long, width=30).out).splitlines() == [
        "words  one two three four five",
        "       six seven eight nine",
        "       ten",
        "n      2",
        "",
        "1 row",
    ]


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_an_answer_without_rows_is_an_answer(built: Shop, form: str) -> None:
    """No rows are no error in any form."""
    answer = built.leapsql("query", "select path from models where 1 = 0", "--output", form)
    assert answer.status == 0
    assert answer.out.strip().endswith("[]" if form == "json" else "0 rows")


def test_a_state_of_a_newer_version_is_refused(built: Shop) -> None:
    """What this LeapSQL cannot read it says so of."""
    with closing(sqlite3.connect(built.root / ".leapsql" / "state.db")) as connection:
        connection.execute("PRAGMA user_version = 999")
    assert built.leapsql("history").status == 2
