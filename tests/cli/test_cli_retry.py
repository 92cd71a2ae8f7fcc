"""`leapsql run --retry-failed`: what the last run has left is taken up again, and nothing else."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from cli_shop import Shop

BROKEN = ("models/marts/customers.sql", "sum(amount)", "nothing(amount)")
MENDED = (BROKEN[0], BROKEN[2], BROKEN[1])


def left_by(shop: Shop, *words: str) -> list[str]:
    """Return the paths that a retry takes up."""
    facts = shop.leapsql("run", "--retry-failed", *words, "--output", "json").facts
    return [model["path"] for model in facts["models"]]


def test_what_failed_and_what_was_skipped_because_of_it_is_built(shop: Shop) -> None:
    """The rest is left alone, though it changed; then nothing is left."""
    shop.edit(*BROKEN)
    failed = shop.leapsql("run", "--output", "json")
    assert failed.status == 1
    shop.edit(*MENDED)
    shop.edit("models/marts/order_log.sql", "select id, amount", "select id, amount + 0 as amount")
    facts = shop.json("run", "--retry-failed")
    assert {model["path"]: model["reason"] for model in facts["models"]} == {
        "marts.customers": "new",
        "marts.totals": "new",
    }
    assert facts["retries"] == failed.facts["run_id"]
    assert shop.json("plan", "order_log")["models"][0]["action"] == "build"
    again = shop.json("run", "--retry-failed")
    assert again == {
        "run_id": None,
        "environment": "dev",
        "status": "completed",
        "models": [],
        "retries": facts["run_id"],
    }


def test_only_what_is_still_to_be_built_of_it_is_built(shop: Shop) -> None:
    """What was built meanwhile, or is as it was built, is skipped."""
    shop.leapsql("run")
    shop.edit(*BROKEN)
    shop.leapsql("run")
    shop.edit(*MENDED)
    facts = shop.json("run", "--retry-failed")
    assert {model["path"]: model["reason"] for model in facts["models"]} == {
        "marts.customers": "unchanged",
        "marts.totals": "unchanged",
    }
    assert {model["status"] for model in facts["models"]} == {"skipped"}


def test_what_fails_again_is_left_again(shop: Shop) -> None:
    """Its status is 1, as that of any run."""
    shop.edit(*BROKEN)
    shop.leapsql("run")
    for _ in range(2):
        answer = shop.leapsql("run", "--retry-failed")
        assert answer.status == 1
        assert "1 failed, 1 skipped in " in answer.out
        assert "retried what run " in answer.out
        assert " had left: 2 models of 2" in answer.out


def test_what_was_cut_off_is_left(shop: Shop) -> None:
    """Of a run that was killed: what it was building, and what it had not begun, whoever closed it."""
    shop.edit(*BROKEN)
    shop.leapsql("run")
    with closing(sqlite3.connect(shop.root / ".leapsql" / "state.db")) as connection, connection:
        connection.execute("UPDATE runs SET status = 'running', completed_at = NULL, error = NULL")
        for status, path in (("running", "marts.order_log"), ("pending", "marts.totals")):
            connection.execute(
                "UPDATE model_runs SET status = ?, reason = 'new'"
                " WHERE model_id = (SELECT id FROM models WHERE path = ?)",
                (status, path),
            )
    shop.edit(*MENDED)
    assert left_by(shop) == ["marts.customers", "marts.order_log", "marts.totals"]


def test_a_selection_narrows_it(shop: Shop) -> None:
    """To what is both left and selected; words mean what they mean everywhere."""
    shop.edit(*BROKEN)
    shop.leapsql("run")
    shop.edit(*MENDED)
    answer = shop.leapsql("run", "--retry-failed", "order_log")
    assert answer.status == 0
    assert "nothing of what run " in answer.out
    assert " has left is selected: marts.customers, marts.totals" in answer.out
    assert shop.leapsql("run", "--retry-failed", "nobody").status == 2
    assert left_by(shop, "marts.*", "--exclude", "totals") == ["marts.customers"]


def test_force_builds_all_of_it(shop: Shop) -> None:
    """Of what is left, changed or not."""
    assert shop.leapsql("run").status == 0
    shop.edit(*BROKEN)
    assert shop.leapsql("run").status == 1
    shop.edit(*MENDED)
    facts = shop.json("run", "--retry-failed", "--force")
    assert [(model["path"], model["reason"]) for model in facts["models"]] == [
        ("marts.customers", "requested"),
        ("marts.totals", "requested"),
    ]


def test_the_last_run_is_the_last_one_that_was_to_build(shop: Shop) -> None:
    """In this environment: not one of tests alone, nor one that ended before it had decided anything."""
    shop.edit(*BROKEN)
    shop.leapsql("run")
    shop.leapsql("test", "customers")
    shop.leapsql("run", "--env", "prod", "raw_orders")
    (shop.root / ".leapsql" / "warehouse.duckdb").rename(shop.root / "aside")
    (shop.root / ".leapsql" / "warehouse.duckdb").mkdir()
    assert shop.leapsql("run").status == 2
    (shop.root / ".leapsql" / "warehouse.duckdb").rmdir()
    (shop.root / "aside").rename(shop.root / ".leapsql" / "warehouse.duckdb")
    shop.edit(*MENDED)
    assert left_by(shop) == ["marts.customers", "marts.totals"]


def test_where_nothing_was_run_there_is_nothing_to_retry(shop: Shop) -> None:
    """That is wrong use, and said as such; nothing is recorded."""
    answer = shop.leapsql("run", "--retry-failed")
    assert answer.status == 2
    assert answer.err == (
        "Error: nothing was run in dev yet, so there is nothing to retry\n"
        "    `leapsql run` builds what has to be built.\n"
    )
    assert shop.json("history")["runs"] == []


def test_a_run_that_left_nothing_is_told(built: Shop) -> None:
    """No run is begun for it, and it is no failure."""
    answer = built.leapsql("run", "--retry-failed")
    assert answer.status == 0
    assert answer.out.startswith("run ")
    assert answer.out.endswith(" has left nothing behind, so there is nothing to retry\n")
    assert len(built.json("history")["runs"]) == 1


def test_what_is_gone_from_the_project_cannot_be_retried(shop: Shop) -> None:
    """It is told which models those are."""
    shop.edit(*BROKEN)
    shop.leapsql("run", "customers", "orders", "raw_orders")
    shop.remove("models/marts/customers.sql")
    shop.remove("models/marts/totals.sql")
    answer = shop.leapsql("run", "--retry-failed")
    assert answer.status == 0
    assert answer.out.endswith(" has left is gone from the project: marts.customers\n")


def test_partitions_are_said_once(shop: Shop) -> None:
    """Given twice the last would win, and the others would not be built."""
    answer = shop.leapsql("run", "--partition", "2024-01-02", "--partitions", "2024-01-03..2024-01-04")
    assert answer.status == 2
    assert "2024-01-02 and 2024-01-03..2024-01-04 are given; say it once" in answer.err


def test_a_retry_is_of_the_partitions_that_it_names(shop: Shop) -> None:
    """As the run that failed was; the others stay missing until a run is of them."""
    shop.write(
        "models/days.sql",
        "/*---\nmaterialized: incremental\nincremental:\n  time_column: day\n"
        "  partitions: {every: daily, start: 2024-01-01, end: 2024-01-05}\n---*/\n"
        "select '{{ partition.start }}'::date as day, nothing(1) as n\n",
    )
    assert shop.leapsql("run", "days", "--partition", "2024-01-02").status == 1
    shop.write("models/days.sql", (shop.root / "models/days.sql").read_text().replace("nothing(1)", "1"))
    [retried] = shop.json("run", "--retry-failed", "--partition", "2024-01-02")["models"]
    assert (retried["path"], retried["status"]) == ("days", "success")
    assert retried["detail"].endswith("; 1 of 4 partitions: 2024-01-02")
    assert left_by(shop) == []
    [missing] = shop.json("plan", "days")["models"]
    assert missing["detail"].startswith("3 of 4 partitions: 2024-01-01, 2024-01-03, 2024-01-04 (never built)")
