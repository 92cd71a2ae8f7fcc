"""`leapsql why`: the decision about one model, and everything it rests on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime

import duckdb
from cli_shop import Shop, Terminal


def test_a_model_that_stands_says_so(built: Shop) -> None:
    """An unchanged model is explained by inputs that are as they were, and by its last build."""
    lines = built.text("why", "customers").splitlines()
    assert lines[0] == "marts.customers stays as it is: unchanged"
    assert "staging.orders  as it was  customer, amount" in [line.rstrip() for line in lines]
    assert lines[-1].startswith("last built ")
    assert " in run " in lines[-1]
    assert "(2 rows, " in lines[-1]


def test_a_model_that_was_never_built_says_so(shop: Shop) -> None:
    """Before the first build there is nothing to compare."""
    text = shop.text("why", "customers")
    assert text.startswith("marts.customers is to be built: new\n")
    assert "staging.orders  not read yet, builds first  customer, amount" in text
    assert text.endswith("never built\n")
    facts = shop.json("why", "customers")
    assert (facts["last_build"], facts["failure"], facts["diff"]) == (None, None, None)


def test_a_changed_query_is_shown_as_a_diff(built: Shop, terminal: Terminal) -> None:
    """The text that was built and the text now stand as a unified diff, in colour on a terminal."""
    built.edit("models/marts/customers.sql", "sum(amount)", "max(amount)")
    text = built.text("why", "customers")
    assert text.startswith("marts.customers is to be built: its query changed\n\n--- built 20")
    assert "\n+++ now\n@@ -1,4 +1,4 @@\n-select customer, sum(amount) as total\n+select customer, max(amount)" in text
    coloured = terminal("-C", str(built.root), "why", "customers").out
    assert "\x1b[31m-select customer, sum(amount) as total\x1b[0m" in coloured
    assert "\x1b[32m+select customer, max(amount) as total\x1b[0m" in coloured
    assert "```diff\n--- built 20" in built.leapsql("why", "customers").out


def test_names_that_mean_something_else_are_shown_as_they_run(built: Shop) -> None:
    """Where the text is the same and its names are not, the diff is of the text that runs."""
    built.edit("models/marts/customers.sql", "owner: sales", "owner: sales\nschema: elsewhere")
    diff = built.json("why", "totals")["diff"]
    assert '-from "marts"."customers"' in diff
    assert '+from "elsewhere"."customers"' in diff


def test_the_query_of_a_batch_is_compared_too(built: Shop) -> None:
    """A change that only batches see is shown."""
    built.edit("models/marts/order_log.sql", "where id >", "where 1 = 1 and id >")
    facts = built.json("why", "order_log")
    assert (facts["action"], facts["reason"]) == ("build", "query_changed")
    assert "-where id > (select" in facts["diff"]
    assert "+where 1 = 1 and id > (select" in facts["diff"]
    assert "marts.order_log is to be built, from all rows: its query changed" in built.text("why", "order_log")


def test_a_cause_further_up_is_followed_to_what_changed(built: Shop) -> None:
    """A model that is only checked shows the chain to the change, with the columns that are read on the way."""
    built.edit("models/staging/orders.sql", "id, customer, amount", "id, customer, amount + 1 as amount")
    text = built.text("why", "totals")
    assert text.startswith("marts.totals is to be checked: it builds if marts.customers changes in what it reads\n")
    assert (
        "marts.totals  check\n"
        "└─ marts.customers  check  read for total\n"
        "   └─ staging.orders  build  query changed: `select id, customer, amount` →"
        " `select id, customer, amount + 1 as amount`  read for customer, amount\n"
    ) in text
    causes = built.json("why", "totals")["causes"]
    assert [(cause["path"], cause["action"], cause["reader"], cause["columns"]) for cause in causes] == [
        ("marts.customers", "check", "marts.totals", ["total"]),
        ("staging.orders", "build", "marts.customers", ["customer", "amount"]),
    ]
    assert "- **marts.totals**  check\n  - **marts.customers**  check" in built.leapsql("why", "totals").out


def test_a_cause_that_is_met_twice_is_followed_once(built: Shop) -> None:
    """Where two ways lead to one change both are shown, and what lies above it once."""
    built.write("models/marts/twice.sql", "select total from marts.customers\n")
    built.write("models/marts/both.sql", "select a.total from marts.twice a, marts.customers b\n")
    built.leapsql("run")
    built.edit("models/staging/orders.sql", "id, customer, amount", "id, customer, amount + 1 as amount")
    causes = [(cause["path"], cause["reader"]) for cause in built.json("why", "both")["causes"]]
    assert causes == [
        ("marts.customers", "marts.both"),
        ("staging.orders", "marts.customers"),
        ("marts.twice", "marts.both"),
        ("marts.customers", "marts.twice"),
    ]


RAISED = "id,customer,amount,note\n1,ann,11,x\n2,bob,20,y\n3,ann,30,z\n"


def chain(shop: Shop, model: str) -> list[tuple[str, str | None, str | None, list[str]]]:
    """Return name, reader, reason and columns of all that a decision hangs on."""
    causes = shop.json("why", model)["causes"]
    return [(cause["path"], cause["reader"], cause["reason"], cause["columns"]) for cause in causes]


def test_a_cause_that_was_built_meanwhile_is_found_behind_views(built: Shop) -> None:
    """A run of a part leaves its readers behind: they are led to what was built since, by the columns they read."""
    built.write("seeds/raw_orders.csv", RAISED)
    built.leapsql("seed")
    assert chain(built, "totals") == [
        ("marts.customers", "marts.totals", "input_changed", ["total"]),
        ("staging.orders", "marts.customers", "unchanged", ["customer", "amount"]),
        ("raw_orders", "staging.orders", "seed_changed", ["amount", "customer"]),
    ]
    text = built.text("why", "totals")
    assert "   └─ staging.orders  a view  read for customer, amount\n      └─ raw_orders  built 20" in text
    assert "  seed changed  read for amount, customer\n" in text


def test_a_cause_that_was_built_meanwhile_leads_to_its_own(built: Shop) -> None:
    """From table to table by the reasons that the state keeps; what was built before has nothing to do with it."""
    built.write("models/marts/other.sql", "select count(*) as n from staging.orders\n")
    built.write("models/marts/both.sql", "select total, n from marts.customers, marts.other\n")
    built.leapsql("run")
    built.write("seeds/raw_orders.csv", RAISED)
    built.leapsql("run", "raw_orders", "customers")
    assert chain(built, "both") == [
        ("marts.customers", "marts.both", "input_changed", ["total"]),
        ("staging.orders", "marts.customers", "unchanged", ["customer", "amount"]),
        ("raw_orders", "staging.orders", "seed_changed", ["amount", "customer"]),
    ]
    causes = built.json("why", "both")["causes"]
    assert [cause["built_at"] is None for cause in causes] == [False, True, False]
    assert causes[0]["detail"] == "staging.orders changed: data, in customer, amount"
    with closing(sqlite3.connect(built.root / ".leapsql" / "state.db")) as connection:
        connection.execute("DELETE FROM runs")
        connection.commit()
    assert [cause[0] for cause in chain(built, "both")] == ["marts.customers"]


def test_a_source_behind_a_view_is_named(shop: Shop) -> None:
    """A view shows its sources as they are now, so they are where a change may come from."""
    shop.write("models/fetched.sql", "/*---\nmaterialized: view\n---*/\nselect a, b from raw.facts")
    shop.write("models/told.sql", "select sum(a) as a from fetched")
    with closing(duckdb.connect(str(shop.root / "facts.duckdb"))) as connection:
        connection.execute("CREATE SCHEMA raw; CREATE TABLE raw.facts AS SELECT 1 AS a, 2 AS b")
    shop.edit("leapsql.yaml", "{type: duckdb}", "{type: duckdb, database: facts.duckdb}")
    shop.leapsql("run")
    with closing(duckdb.connect(str(shop.root / "facts.duckdb"))) as connection:
        connection.execute("UPDATE raw.facts SET a = 5")
    assert "told  build  input changed: fetched changed: data, in a\n" in shop.text("why", "told")
    assert chain(shop, "told") == [
        ("fetched", "told", "unchanged", ["a"]),
        ("raw.facts", "fetched", None, ["a"]),
    ]
    assert "   └─ raw.facts  a source, as it is now  read for a\n" in shop.text("why", "told")


def test_the_change_at_the_root_is_shown_in_full(built: Shop) -> None:
    """Whoever asks three levels below sees the text that changed, and what went wrong with it."""
    built.edit("models/marts/customers.sql", "sum(amount)", "nothing(amount)")
    built.leapsql("run")
    text = built.text("why", "totals")
    assert "\nmarts.customers\n  --- built 20" in text
    assert "\n  +select customer, nothing(amount) as total\n" in text
    assert "\nmarts.customers failed once since\n  models/marts/customers.sql:7: " in text
    (cause,) = built.json("why", "totals")["causes"]
    assert "+select customer, nothing(amount) as total" in cause["diff"]
    assert cause["error"].startswith("models/marts/customers.sql:7: ")
    built.edit("models/marts/customers.sql", "nothing(amount)", "max(amount)")
    assert built.json("why", "totals")["causes"][0]["error"] is None  # other code than that which failed


def test_a_text_that_is_proven_the_same_is_not_taken_for_the_cause(built: Shop) -> None:
    """Where something else decides, a difference that means nothing says so of itself."""
    built.edit("models/marts/totals.sql", "select sum(total)", "SELECT sum(total)")
    assert "proven to be the same query" not in built.text("why", "totals")
    built.edit("models/marts/customers.sql", "sum(amount)", "max(amount)")
    text = built.text("why", "totals")
    assert "\nits text changed too, and is proven to be the same query\n  --- built 20" in text


def test_each_input_says_whether_it_is_as_it_was(built: Shop) -> None:
    """An input is the same, changed, read otherwise than before, or still to be built."""
    built.write("seeds/raw_orders.csv", "id,customer,amount,note\n1,ann,11,x\n")
    built.leapsql("seed")
    (entry,) = built.json("why", "customers")["inputs"]
    assert list(entry) == ["path", "kind", "columns", "same", "built_version", "current_version", "action"]
    assert (entry["path"], entry["kind"], entry["columns"]) == ("staging.orders", "model", ["customer", "amount"])
    assert entry["same"] is False
    assert entry["built_version"] != entry["current_version"]
    assert "staging.orders  changed  customer, amount" in built.text("why", "customers")
    built.edit("models/marts/totals.sql", "sum(total)", "count(customer)")
    assert "marts.customers  read otherwise before, builds first  customer" in built.text("why", "totals")


def test_an_input_that_cannot_be_told_is_unknown(shop: Shop) -> None:
    """Where the answer moves by itself nobody knows whether it is the same."""
    shop.edit("models/staging/orders.sql", "id, customer, amount", "id, customer, random() as amount")
    shop.leapsql("run")
    assert "staging.orders  unknown  customer, amount" in shop.text("why", "customers")
    assert shop.json("why", "customers")["inputs"][0]["same"] is None


def test_what_went_wrong_since_is_told(built: Shop) -> None:
    """A model that failed since its last build shows how often and the last message."""
    built.edit("models/marts/totals.sql", "sum(total)", "nothing()")
    built.leapsql("run")
    built.leapsql("run")
    text = built.text("why", "totals")
    assert "\nit failed 2 times since\n  models/marts/totals.sql:1: " in text
    failure = built.json("why", "totals")["failure"]
    assert (failure["attempts"], failure["error"].startswith("models/marts/totals.sql:1: ")) == (2, True)


def test_an_incremental_model_says_how_it_would_be_built(built: Shop) -> None:
    """A batch, or from all rows."""
    built.write("seeds/raw_orders.csv", "id,customer,amount,note\n1,ann,11,x\n4,ann,11,x\n")
    built.leapsql("seed")
    assert built.text("why", "order_log").startswith("marts.order_log is to be built, by a batch: input changed")


def test_what_tests_found_is_told_with_when(built: Shop) -> None:
    """Those that the model has now, whose results stand; one that was never run has none."""
    [told] = built.json("why", "customers")["tests"]
    assert (told["test"], told["failures"]) == ("unique(customer)", 0)
    built.edit("models/marts/customers.sql", "  - unique: customer", "  - not_null: total\n  - unique: customer")
    found = built.text("why", "customers").split()
    assert "passed" in found[found.index("unique(customer)") : found.index("unique(customer)") + 2]
    assert "not_null(total)" not in found
    assert built.json("why", "totals")["tests"] == []


def test_a_seed_is_explained_as_well(built: Shop) -> None:
    """Seeds have no query and no inputs, but reasons."""
    built.write("seeds/raw_orders.csv", "id,customer,amount,note\n1,ann,11,x\n")
    assert built.text("why", "raw_orders").startswith("raw_orders is to be built: seed changed\n\nlast built ")


def test_a_seed_that_is_only_written_otherwise_says_so(built: Shop) -> None:
    """With a look at the warehouse and without, before a run and after."""
    rows = built.files["seeds/raw_orders.csv"]
    built.write("seeds/raw_orders.csv", rows.replace("\n", "\r\n").replace("2,bob", '2,"bob"'))
    for _ in range(2):
        (why, planned, blind) = (
            built.json("why", "raw_orders"),
            *(built.json("plan", "raw_orders", *words)["models"][0] for words in ([], ["--no-look"])),
        )
        assert (why["action"], why["reason"]) == ("skip", "formatting_only")
        assert (planned["action"], planned["detail"]) == (why["action"], why["detail"])
        assert (blind["action"], blind["reason"]) == ("check", "unobserved")
        said = "only how its file is written changed: the rows are the same"
        assert built.text("why", "raw_orders").startswith(f"raw_orders stays as it is: formatting only: {said}\n")
        assert set(built.outcomes().values()) == {"skipped: unchanged", "skipped: formatting_only"}


def test_a_build_whose_run_was_deleted_is_still_known(built: Shop) -> None:
    """The trace outlives its run; what only the run knew is gone."""
    with closing(sqlite3.connect(built.root / ".leapsql" / "state.db")) as connection:
        connection.execute("DELETE FROM runs")
        connection.commit()
    assert " in a run that was deleted\n" in built.text("why", "customers")
    assert built.json("why", "customers")["last_build"]["run_id"] is None


def test_json_of_an_explanation_holds_times_as_iso_8601(built: Shop) -> None:
    """Times are ISO 8601 with their zone."""
    facts = built.json("why", "customers")
    assert list(facts) == [
        *("environment", "path", "action", "reason", "detail", "mode", "content_hash"),
        *("causes", "inputs", "diff", "tests", "last_build", "failure"),
    ]
    assert datetime.fromisoformat(facts["last_build"]["built_at"]).tzinfo is not None


def test_a_bare_name_that_two_models_have_is_refused_with_both(built: Shop) -> None:
    """A name must mean one model."""
    built.write("models/other/totals.sql", "select 1 as one")
    answer = built.leapsql("why", "totals")
    assert answer.status == 2
    assert "`totals` could be marts.totals or other.totals" in answer.err
    assert built.leapsql("why", "Other.Totals").status == 0
