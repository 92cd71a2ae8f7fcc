"""`leapsql run` and `leapsql seed`: what is built, what is told of it, and in which form."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from cli_shop import PATHS, Program, Shop, Terminal, without_colour

HOLD = """
import duckdb, sys, time
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


def hold(database: Path, seconds: float) -> subprocess.Popen[str]:
    """Open a database in another process, for so long."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(database), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


# -------------------------------------------------------------------------------------------------------------- JSON


def test_json_of_a_run_is_to_the_letter(shop: Shop) -> None:
    """Scripts rely on these keys, on no others, and on parents standing first."""
    facts = shop.json("run")
    assert list(facts) == ["run_id", "environment", "status", "models"]
    assert (facts["environment"], facts["status"]) == ("dev", "completed")
    assert [model["path"] for model in facts["models"]] == PATHS
    for model in facts["models"]:
        assert list(model) == ["path", "status", "reason", "detail", "rows_affected", "execution_ms", "error"]
        assert (model["status"], model["reason"], model["error"]) == ("success", "new", None)
    assert facts["models"][2]["rows_affected"] == 2
    assert isinstance(facts["models"][2]["execution_ms"], int)
    assert shop.json("history")["runs"][0]["run_id"] == facts["run_id"]


def test_json_is_valid_when_a_model_fails(built: Shop) -> None:
    """A failed run still answers in JSON, says what failed, and is status 1."""
    built.edit("models/marts/customers.sql", "sum(amount)", "nothing()")
    built.edit("models/marts/totals.sql", "sum(total)", "sum(total) + 1")
    answer = built.leapsql("run", "--output", "json")
    assert (answer.status, answer.err) == (1, "")
    assert answer.facts["status"] == "failed"
    failed, below = answer.facts["models"][2], answer.facts["models"][4]
    assert (failed["status"], failed["reason"]) == ("failed", "query_changed")
    assert failed["error"].startswith("models/marts/customers.sql:")
    assert below == {
        "path": "marts.totals",
        "status": "skipped",
        "reason": "upstream_failed",
        "detail": "marts.customers failed",
        "rows_affected": None,
        "execution_ms": None,
        "error": None,
    }


def test_json_stands_alone_on_standard_output(built: Shop) -> None:
    """What JSON has no place for is said on standard error."""
    built.remove("models/marts/totals.sql")
    built.edit("leapsql.yaml", "name: shop", "name: shop\nsources: {raw.unread: {}}")
    answer = built.leapsql("run", "--output", "json")
    assert answer.facts["status"] == "completed"
    assert "Warning: leapsql.yaml" in answer.err
    assert "Warning: in the warehouse, but no model makes it any more: marts.totals" in answer.err


# ---------------------------------------------------------------------------------------------------------- decisions


def test_a_second_run_builds_nothing(built: Shop) -> None:
    """Run is in changed mode."""
    assert set(built.outcomes().values()) == {"skipped: unchanged"}


def test_selection_and_exclusion_bound_a_run(built: Shop) -> None:
    """SELECT and --exclude mean what they mean everywhere."""
    assert list(built.outcomes("tag:core", "--exclude", "marts.*")) == ["staging.orders"]
    assert list(built.outcomes("+totals", "--exclude", "raw_orders", "--exclude", "staging.*")) == [
        "marts.customers",
        "marts.totals",
    ]


def test_force_builds_the_selection(built: Shop) -> None:
    """`--force` builds what is selected, changed or not."""
    assert built.outcomes("totals", "--force") == {"marts.totals": "success: requested"}


def test_full_refresh_makes_incremental_models_anew(built: Shop) -> None:
    """`--full-refresh` gathers an incremental model from all rows again."""
    facts = built.json("run", "order_log", "--full-refresh")
    (log,) = facts["models"]
    assert (log["reason"], log["rows_affected"]) == ("full_refresh", 3)


def test_threads_are_as_many_as_asked_for(shop: Shop) -> None:
    """`--threads 1` builds one model at a time, and none is wrong use."""
    assert shop.leapsql("run", "--threads", "1").status == 0
    assert shop.leapsql("run", "--threads", "0").status == 2


def test_a_run_of_nothing_changed_is_done(built: Shop) -> None:
    """A selection that holds nothing any more is no error."""
    answer = built.leapsql("run", "state:changed")
    assert (answer.status, answer.lines) == (0, ["0 models in " + answer.lines[0].removeprefix("0 models in ")])
    assert built.json("run", "state:changed")["models"] == []


# ------------------------------------------------------------------------------------------------------------- seeds


def test_seed_loads_seeds_alone(shop: Shop) -> None:
    """`leapsql seed` is a run of seeds; what reads them is left for `run`."""
    facts = shop.json("seed")
    assert [(model["path"], model["status"]) for model in facts["models"]] == [("raw_orders", "success")]
    assert list(facts) == ["run_id", "environment", "status", "models"]
    again = shop.json("seed", "raw_orders")
    assert again["models"][0]["reason"] == "unchanged"
    assert shop.json("seed", "--force")["models"][0]["reason"] == "requested"
    assert shop.json("seed", "+customers")["models"][0]["path"] == "raw_orders"


def test_seed_refuses_words_that_select_no_seed(shop: Shop) -> None:
    """A selection without a seed is a mistake, and the way to find seeds is told."""
    answer = shop.leapsql("seed", "customers")
    assert answer.status == 2
    assert "Error: `customers` selects no seed" in answer.err
    assert "materialized:seed" in answer.err


# -------------------------------------------------------------------------------------------------------- for people


def test_what_was_done_is_a_table_and_one_line(shop: Shop) -> None:
    """A run ends with a table of model, result, reason, rows and time, and a summary."""
    lines = shop.leapsql("run").lines
    assert [cell.strip() for cell in lines[0].split("|")[1:-1]] == ["model", "result", "reason", "rows", "time"]
    assert lines[1].startswith("| -")
    assert [cell.strip() for cell in lines[4].split("|")[1:-2]] == ["marts.customers", "built", "new", "2"]
    assert lines[-1].startswith("5 built in ")


def test_results_say_what_they_came_from(built: Shop) -> None:
    """A reason stands with the change that caused it."""
    built.edit("models/marts/customers.sql", "sum(amount)", "max(amount)")
    text = built.text("run")
    assert "query changed: `select customer, sum(amount) as total` → `select customer, max(amount) as total`" in text
    assert "input changed: marts.customers changed: data, in total" in text
    assert "2 built, 3 unchanged in " in text


def test_failures_are_told_in_full_after_the_table(built: Shop) -> None:
    """A failed model is told with its file, its line and the whole message; a failed test with what fails it."""
    built.edit("models/marts/customers.sql", "group by customer", "group by customer, id")
    built.write("models/marts/other.sql", "select 1 as one\nunion all\nselect nothing() from staging.orders\n")
    answer = built.leapsql("run", "--output", "text")
    assert answer.status == 1
    assert (
        "\nmarts.customers failed\n  models/marts/customers.sql: test unique(customer) failed: 1 failing" in answer.out
    )
    assert "(customer = ann, times = 2)" in answer.out
    assert "\nmarts.other failed\n  models/marts/other.sql:3: " in answer.out
    assert "marts.totals     skipped    upstream failed: marts.customers failed" in answer.out
    assert answer.lines[-1].startswith("3 unchanged, 2 failed, 1 skipped in ")


def test_a_failing_test_that_only_warns_is_told_and_lets_the_model_pass(shop: Shop) -> None:
    """A warning of a test stands below the table, and the run is done."""
    shop.edit("models/marts/customers.sql", "unique: customer", "expression: {expression: total > 30, severity: warn}")
    answer = shop.leapsql("run", "--output", "text")
    assert answer.status == 0
    assert "\nmarts.customers warns\n  test expression(total > 30) failed: 1 failing (" in answer.out


def test_tests_that_are_run_without_a_build_are_told_apart(built: Shop) -> None:
    """A model whose tests alone changed is tested, neither built nor passed over."""
    built.edit("models/marts/customers.sql", "unique: customer", "not_null: customer")
    answer = built.leapsql("run", "--output", "text")
    assert "marts.customers  tested     tests changed: its tests changed, and pass" in answer.out
    assert "1 tested, 4 unchanged in " in answer.out


def many(shop: Shop, count: int) -> None:
    """Give the project so many models more."""
    for number in range(count):
        shop.write(f"models/many/m{number:02}.sql", f"select {number} as n")


def test_many_unchanged_models_are_folded_into_one_line(shop: Shop) -> None:
    """A run that has nothing to do prints one line however large the project is; `--verbose` lists all."""
    many(shop, 17)
    assert shop.leapsql("run").lines[-1].startswith("22 built in ")
    lines = shop.leapsql("run").lines
    assert len(lines) == 1
    assert lines[0].startswith("22 unchanged in ")
    assert len(shop.leapsql("run", "--verbose").lines) == 2 + 22 + 2
    shop.edit("models/many/m03.sql", "3", "33")
    shop.write("models/many/more.sql", "select 'more' as n")
    assert [line.split()[1] for line in shop.text("plan").splitlines()[1:-2]] == ["many.m03", "many.more"]
    assert [line.split()[0] for line in shop.text("run").splitlines()[1:-2]] == ["many.m03", "many.more"]


def test_few_unchanged_models_are_listed(shop: Shop) -> None:
    """Up to twenty unchanged models are shown one by one."""
    many(shop, 15)
    shop.leapsql("run")
    assert sum("unchanged" in line for line in shop.leapsql("run").lines) == 20 + 1


def test_what_is_out_of_date_and_was_not_selected_is_said_in_one_line(built: Shop) -> None:
    """Unselected parents that changed are named, in the plan and in the run."""
    built.edit("models/staging/orders.sql", "id, customer, amount", "id, customer, amount * 2 as amount")
    for command in ("plan", "run"):
        said = [line for line in built.leapsql(command, "customers").lines if "not selected" in line]
        assert said == ["not selected, but out of date: staging.orders"]


def test_a_test_of_everything_calls_nothing_unselected(built: Shop) -> None:
    """A model without tests was selected with the others: what is said is that they read it as it was."""
    built.edit("models/staging/orders.sql", "id, customer, amount", "id, customer, amount * 2 as amount")
    said = [line for line in built.leapsql("test").lines if "out of date" in line]
    assert said == ["read by what was tested, but out of date: staging.orders"]


def test_a_warning_of_the_project_is_one_line(shop: Shop) -> None:
    """Warnings stand below the table, each in its own line with its mend."""
    shop.edit("leapsql.yaml", "name: shop", "name: shop\nsources: {raw.ordrs: {}}")
    lines = shop.leapsql("run").lines
    assert len([line for line in lines if line.startswith("warning: leapsql.yaml") and "raw.ordrs" in line]) == 1


# -------------------------------------------------------------------------------------------------------- on a terminal


def test_a_terminal_shows_a_bar_while_models_are_built(shop: Shop, terminal: Terminal) -> None:
    """The bar counts what is done, names what is being built, and is gone when the table comes."""
    shop.write("models/slow.sql", "select count(*) as n from range(60000000) a where hash(a.range) % 7 = 1\n")
    shop.edit("models/marts/totals.sql", "sum(total)", "nothing()")
    answer = terminal("-C", str(shop.root), "run", width=100)
    assert answer.status == 1
    shown = without_colour(answer.out)
    assert "starting…" in shown
    assert " of 6" in shown
    assert "1 failed" in shown
    assert "  slow  " in shown
    table = answer.out.rpartition("\x1b[2K")[2]
    assert without_colour(table).lstrip("\n").startswith("model ")
    assert "━" not in table
    assert "\x1b[32mbuilt\x1b[0m" in table
    assert "\x1b[31mfailed\x1b[0m" in table


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_is_wider_than_the_terminal_and_no_name_is_cut(built: Shop, terminal: Terminal, width: int) -> None:
    """Long reasons are shortened or wrapped; names of models stay whole."""
    built.edit("models/marts/customers.sql", "sum(amount)", "max(amount) + 0 + 0 + 0 + 0 + 0 + 0 + 0")
    built.edit("models/marts/totals.sql", "sum(total)", "nothing_of_that_name_is_there()")
    for command in ("plan", "run"):
        shown = without_colour(terminal("-C", str(built.root), command, width=width).out).rpartition("━")[2]
        assert all(len(line) <= width for line in shown.splitlines())
        for path in PATHS:
            assert path in shown


def test_without_a_terminal_progress_is_told_only_when_asked_for(shop: Shop) -> None:
    """Standard error is silent, but for `--verbose`, which tells what came of each model as soon as it is known."""
    shop.edit("models/marts/totals.sql", "sum(total)", "nothing()")
    assert shop.leapsql("run").err == ""
    shop.edit("models/marts/customers.sql", "unique: customer", "not_null: customer")
    said = shop.leapsql("run", "--verbose", "--force", "--exclude", "customers").err.splitlines()
    assert len(said) == 4
    assert any(line.startswith("raw_orders: built in ") for line in said)
    assert "marts.totals: failed" in said
    assert shop.leapsql("run", "--verbose", "customers").err.startswith("marts.customers: tested in ")


# ------------------------------------------------------------------------------------------------- somebody else's lock


def test_a_run_waits_for_a_database_that_is_held_and_says_for_whom(shop: Shop, program: Program) -> None:
    """`--wait` bounds the waiting; the holder is named, and then the run goes on."""
    (shop.root / ".leapsql").mkdir()
    holder = hold(shop.root / ".leapsql" / "warehouse.duckdb", 2)
    answer = shop.leapsql("run", "--wait", "30", "--output", "json")
    holder.wait()
    assert answer.facts["status"] == "completed"
    assert answer.err.startswith("waiting for ")
    assert f"process {holder.pid}" in answer.err
    assert answer.err.count("\n") == 1


def test_a_database_that_stays_held_is_status_2(shop: Shop, terminal: Terminal) -> None:
    """When the waiting is over the message names the holder, and the run is recorded as failed."""
    (shop.root / ".leapsql").mkdir()
    holder = hold(shop.root / ".leapsql" / "warehouse.duckdb", 30)
    try:
        answer = shop.leapsql("run", "--wait", "0")
        shown = terminal("-C", str(shop.root), "run", "--wait", "0.5")
        plan = shop.leapsql("plan")
    finally:
        holder.kill()
        holder.wait()
    assert (answer.status, shown.status) == (2, 2)
    assert "is in use by" in answer.err
    assert str(holder.pid) in answer.err
    assert "waiting for " in without_colour(shown.out)
    assert plan.status == 0
    with closing(sqlite3.connect(shop.root / ".leapsql" / "state.db")) as connection:
        assert connection.execute("SELECT DISTINCT status FROM runs").fetchall() == [("failed",)]


def test_tests_alone_are_run_on_request(built: Shop) -> None:
    """All that are selected, and an error where none are; exit status 1 where one fails."""
    facts = built.json("test")
    assert [(one["path"], one["status"], one["reason"]) for one in facts["models"]] == [
        ("marts.customers", "skipped", "tests_requested")
    ]
    assert built.json("history")["runs"][0]["models"]["tested"] == 1
    refused = built.leapsql("test", "totals")
    assert refused.status == 2
    assert "`totals` selects no model with tests" in refused.err
    built.edit("models/marts/customers.sql", "  - unique: customer", "  - expression: total < 0")
    failed = built.leapsql("test", "customers")
    assert failed.status == 1
    assert "expression(total < 0) failed" in failed.out


def test_json_of_tests_says_what_each_found(built: Shop) -> None:
    """Passed, failed or only warned of, with some of what fails; a warning alone is exit status 0."""
    kept = "{column: customer, values: [bob], severity: warn}"
    built.edit(
        "models/marts/customers.sql", "  - unique: customer", f"  - unique: customer\n  - accepted_values: {kept}"
    )
    [model] = built.json("test", "tag:report")["models"]
    assert model["tests"] == [
        {"test": "unique(customer)", "status": "pass", "failures": 0, "columns": [], "sample": []},
        {
            "test": "accepted_values(customer in bob)",
            "status": "warn",
            "failures": 1,
            "columns": ["customer", "times"],
            "sample": [["ann", "1"]],
        },
    ]
    built.edit("models/marts/customers.sql", ", severity: warn", "")
    answer = built.leapsql("test", "tag:report", "--output", "json")
    [model] = answer.facts["models"]
    assert (answer.status, model["status"], [test["status"] for test in model["tests"]]) == (
        1,
        "failed",
        ["pass", "fail"],
    )


def test_a_test_that_cannot_run_stops_everything(built: Shop) -> None:
    """Nothing is run and nothing recorded; the error has file and line, and the status is 2."""
    runs = len(built.json("history")["runs"])
    built.edit("models/marts/customers.sql", "  - unique: customer", "  - expression: totl > 0")
    for command in ("run", "test", "plan"):
        answer = built.leapsql(command)
        assert answer.status == 2
        cause = "test expression(totl > 0): marts.customers has no column `totl`"
        assert answer.err == f"Error: models/marts/customers.sql:5: {cause}\n    Did you mean total?\n"
    assert len(built.json("history")["runs"]) == runs
