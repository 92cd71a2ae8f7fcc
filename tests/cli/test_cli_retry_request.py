"""`leapsql run --retry-failed` does what the run that failed was asked, and says so; a contradiction is an error."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest
from cli_shop import Shop
from test_cli_retry import BROKEN, MENDED, left_by

LOG = "models/marts/order_log.sql"
REFUSED = (LOG, "unique_key: id", "unique_key: id\ntests: [{expression: amount > 10}]")
ACCEPTED = (LOG, "amount > 10", "amount > 0")

DAYS = """/*---
materialized: incremental
incremental:
  time_column: day
  partitions: {every: daily, start: 2024-01-01, end: 2024-01-06}
---*/
select '{{ partition.start }}'::date as day, nothing(1) as n
"""
WEEK = ("--partitions", "2024-01-02..2024-01-04")


def changed(shop: Shop, statement: str) -> None:
    """Change the state as it is on disk."""
    with closing(sqlite3.connect(shop.root / ".leapsql" / "state.db")) as connection, connection:
        connection.execute(statement)


def retried(shop: Shop, *words: str) -> dict[str, tuple[str, str]]:
    """Retry; status and reason of what it was about."""
    facts = shop.leapsql("run", "--retry-failed", *words, "--output", "json").facts
    return {model["path"]: (model["status"], model["reason"]) for model in facts["models"]}


def requests(shop: Shop) -> list[Any]:
    """Return what runs were asked, the latest first."""
    return [run["request"] for run in shop.json("history")["runs"]]


def fail_days(shop: Shop, *words: str) -> None:
    """Run a model with partitions that cannot be built, and mend it."""
    shop.write("models/days.sql", DAYS)
    assert shop.leapsql("run", "days", *words).status == 1
    shop.edit("models/days.sql", "nothing(1)", "1")


def days_built(shop: Shop) -> str:
    """Return which partitions a retry has built, as it says."""
    [model] = shop.json("run", "--retry-failed")["models"]
    assert (model["path"], model["status"]) == ("days", "success")
    return model["detail"].partition("; ")[2]


def test_a_full_refresh_that_failed_is_one_again(built: Shop) -> None:
    """Of the incremental model that failed, though nothing that it is made of has changed since."""
    built.edit(*REFUSED)
    assert built.leapsql("run", "--full-refresh").status == 1
    built.edit(*ACCEPTED)
    assert retried(built) == {"marts.order_log": ("success", "full_refresh")}


def test_what_waited_for_a_failure_in_a_full_refresh_is_made_anew(built: Shop) -> None:
    """Rows that its batches have gathered and that its query does not give go, as the run was to see to."""
    built.edit("models/staging/orders.sql", "customer, amount", "customer, nothing(amount) as amount")
    built.edit("seeds/raw_orders.csv", "1,ann,10,x\n", "")
    assert built.leapsql("run", "--full-refresh").status == 1
    built.edit("models/staging/orders.sql", "customer, nothing(amount) as amount", "customer, amount")
    [log] = built.json("run", "--retry-failed", "orders", "order_log")["models"][1:]
    assert (log["path"], log["reason"], log["rows_affected"]) == ("marts.order_log", "full_refresh", 2)


def test_a_retry_that_fails_is_retried_as_it_was_asked(built: Shop) -> None:
    """What the first run was asked goes from retry to retry, and with what a retry was asked besides."""
    built.edit(*REFUSED)
    assert built.leapsql("run", "--full-refresh").status == 1
    answer = built.leapsql("run", "--retry-failed")
    assert answer.status == 1
    assert " had left, with --full-refresh as it was asked: 1 model of 1\n" in answer.out
    assert built.leapsql("run", "--retry-failed", "--force").status == 1
    assert requests(built) == [
        {"force": True, "full_refresh": True},
        {"full_refresh": True},
        {"full_refresh": True},
        {},
    ]
    built.edit(*ACCEPTED)
    assert retried(built) == {"marts.order_log": ("success", "full_refresh")}
    assert "order_log" not in str(retried(built))


def test_what_a_run_was_to_build_by_force_is_built_by_a_retry(built: Shop) -> None:
    """Though it is as it was built before the failure."""
    built.edit(*BROKEN)
    assert built.leapsql("run", "--force").status == 1
    built.edit(*MENDED)
    assert retried(built) == {
        "marts.customers": ("success", "requested"),
        "marts.totals": ("success", "requested"),
    }


def test_partitions_that_failed_are_tried_again(shop: Shop) -> None:
    """They alone, without being told again; from retry to retry."""
    fail_days(shop, *WEEK)
    shop.edit("models/days.sql", "1 as n", "nothing(1) as n")
    assert shop.leapsql("run", "--retry-failed").status == 1
    shop.edit("models/days.sql", "nothing(1)", "1")
    assert days_built(shop) == "3 of 5 partitions: 2024-01-02, 2024-01-03, 2024-01-04"
    assert left_by(shop) == []
    [missing] = shop.json("plan", "days")["models"]
    assert missing["detail"].startswith("2 of 5 partitions: 2024-01-01, 2024-01-05 (never built)")


def test_partitions_may_be_narrowed_and_not_widened(shop: Shop) -> None:
    """Others than the run was of are a contradiction: wrong use, and nothing is run."""
    fail_days(shop, *WEEK)
    for others in ("2024-01-05", "2024-01-01..2024-01-03", "2024-01-03..2024-01-05"):
        answer = shop.leapsql("run", "--retry-failed", "--partitions", others)
        assert answer.status == 2
        assert "was of the partitions 2024-01-02..2024-01-04" in answer.err
        assert f"and {others} goes beyond them" in answer.err
    assert len(requests(shop)) == 1
    assert shop.leapsql("run", "--retry-failed", "--partition", "2024-01-09").status == 2
    [model] = shop.json("run", "--retry-failed", "--partition", "2024-01-03")["models"]
    assert model["detail"].endswith("; 1 of 5 partitions: 2024-01-03")


def test_a_model_without_partitions_is_left_of_a_run_of_some(shop: Shop) -> None:
    """It is retried as what it is: that nothing of it has partitions is no error."""
    shop.write("models/days.sql", DAYS.replace("nothing(1)", "1"))
    shop.write("models/report.sql", "select count(nothing(n)) as n from days")
    assert shop.leapsql("run", "days", "report", *WEEK).status == 1
    shop.edit("models/report.sql", "nothing(n)", "n")
    assert retried(shop) == {"report": ("success", "new")}


def test_a_run_that_was_killed_is_retried_as_it_was_asked(built: Shop) -> None:
    """It is noted when a run begins, not when it ends."""
    built.edit(*REFUSED)
    assert built.leapsql("run", "--full-refresh").status == 1
    changed(built, "UPDATE runs SET status = 'running', completed_at = NULL, error = NULL WHERE status = 'failed'")
    built.edit(*ACCEPTED)
    assert retried(built) == {"marts.order_log": ("success", "full_refresh")}


def test_of_an_older_state_nobody_knows_what_was_asked(built: Shop) -> None:
    """Then what is left is built in the ordinary way, and with what the retry is told."""
    built.edit(*REFUSED)
    assert built.leapsql("run", "--full-refresh").status == 1
    changed(built, "UPDATE runs SET request = NULL")
    assert requests(built) == [None, None]
    answer = built.leapsql("run", "--retry-failed")
    assert (answer.status, "as it was asked" in answer.out) == (1, False)
    assert requests(built)[0] == {}
    built.edit(*ACCEPTED)
    assert retried(built, "--full-refresh") == {"marts.order_log": ("success", "full_refresh")}


@pytest.mark.parametrize("value", ["[1]", "full", '{"partitions": "2024"}', '{"defer_to": 1}'])
def test_what_no_run_was_asked_is_told_as_damage(built: Shop, value: str) -> None:
    """Somebody has written in the state by hand: nothing is retried for it."""
    changed(built, f"UPDATE runs SET request = '{value}'")
    for words in (("history",), ("run", "--retry-failed")):
        answer = built.leapsql(*words)
        assert answer.status == 2
        assert "the file is damaged or was changed by hand" in answer.err


def test_an_adoption_is_not_what_is_retried(built: Shop) -> None:
    """No more than a run of tests alone is: the last run that was to build is."""
    built.edit(*BROKEN)
    built.leapsql("run")
    built.edit(*MENDED)
    built.edit(*REFUSED)
    assert built.leapsql("state", "adopt", "order_log").status == 1
    assert list(retried(built)) == ["marts.customers", "marts.totals"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), ""),
        (("--full-refresh", "--force", *WEEK), "--force --full-refresh --partitions 2024-01-02..2024-01-04"),
    ],
)
def test_history_shows_what_was_asked(shop: Shop, words: tuple[str, ...], said: str) -> None:
    """In the words of the command line; a column that no run has anything for is left out."""
    shop.write("models/days.sql", DAYS.replace("nothing(1)", "1"))
    assert shop.leapsql("run", "days", *words).status == 0
    head, *rows = shop.text("history").splitlines()
    assert ("asked" in head.split()) == bool(said)
    assert len(rows) == 1
    assert rows[0].endswith(said or "1 built")
