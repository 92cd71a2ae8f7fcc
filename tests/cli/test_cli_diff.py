"""`leapsql diff`: what differs between two environments, or between what was built and the files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_shop import Shop

RAISED = "id,customer,amount,note\n1,ann,11,x\n2,bob,20,y\n3,ann,30,z\n"


@pytest.fixture
def both(built: Shop) -> Iterator[Shop]:
    """A project that was run in dev and in prod."""
    assert built.leapsql("run", "--env", "prod").status == 0
    return built


def test_two_environments_of_one_project_do_not_differ(both: Shop) -> None:
    """They hold the same in relations of their own."""
    assert both.text("diff", "dev", "prod") == "no difference\n"
    assert both.json("diff", "dev", "prod") == {"environment": "dev", "other": "prod", "models": [], "unknown": []}


def test_each_respect_in_which_a_model_differs_has_a_row(both: Shop) -> None:
    """The query by its first difference, configuration by its fields, columns, and data with where they come from."""
    both.write("seeds/raw_orders.csv", RAISED)
    both.edit("models/marts/customers.sql", "sum(amount) as total", "sum(amount) as total, count(*) as n")
    both.edit("models/marts/customers.sql", "owner: sales", "owner: finance\ngroup: money\nmaterialized: view")
    both.write("models/marts/new.sql", "select customer from marts.customers\n")
    both.leapsql("run", "--env", "prod")
    assert both.leapsql("diff", "dev", "prod", "--output", "text").lines == [
        "model            differs in     dev → prod",
        "marts.customers  query          `select customer, sum(amount) as total` →"
        " `select customer, sum(amount) as total, count(*) as n`",
        "                 config         materialized: table → view",
        "                 description    group: not set → money; owner: sales → finance",
        "                 columns        +n",
        "                 data, perhaps  from staging.orders (customer, amount)",
        "marts.new        only in prod",
        "marts.totals     data           perhaps from marts.customers (total)",
        "raw_orders       data           from its file",
        "staging.orders   data, perhaps  from raw_orders (id, customer, amount)",
        "",
        "4 differ, 1 only in prod, 1 without a difference",
    ]
    (customers, new, *_) = both.json("diff", "dev", "prod")["models"]
    assert list(customers) == ["path", "only_in", "query", "config", "columns", "data", "inputs"]
    assert customers["columns"]["added"] == [{"name": "n", "type": "BIGINT"}]
    assert customers["config"][0] == {"field": "group", "from": None, "to": "money", "descriptive": True}
    assert customers["inputs"][0] == {
        "path": "staging.orders",
        "same": False,
        "columns": ["customer", "amount"],
        "read_in": None,
    }
    assert (new["path"], new["only_in"], new["data"]) == ("marts.new", "prod", None)


def test_the_whole_difference_of_a_text_is_shown_on_request(both: Shop) -> None:
    """With `--full`, and in JSON anyway."""
    both.edit("models/marts/totals.sql", "sum(total)", "max(total)")
    both.leapsql("run", "--env", "prod")
    removed, added = "-select sum(total) as total", "+select max(total) as total"
    expected = f"--- dev\n+++ prod\n@@ -1,2 +1,2 @@\n{removed}\n{added}\n from marts.customers"
    assert expected not in both.text("diff", "dev", "prod")
    assert f"**marts.totals**\n\n```diff\n{expected}\n```" in both.leapsql("diff", "dev", "prod", "--full").out
    (totals,) = both.json("diff", "dev", "prod")["models"]
    assert totals["query"]["diff"] == expected


def test_what_cannot_be_told_is_said_and_is_no_difference(shop: Shop) -> None:
    """A view whose answer moves by itself has no version to compare."""
    shop.write("models/dice.sql", "/*---\nmaterialized: view\n---*/\nselect random() as n\n")
    for environment in ("dev", "prod"):
        shop.leapsql("run", "--env", environment)
    assert shop.leapsql("diff", "dev", "prod", "--output", "text").lines == [
        "whether their data differ cannot be told: dice",
        "",
        "no difference",
    ]
    assert shop.json("diff", "dev", "prod")["unknown"] == ["dice"]
    assert shop.leapsql("diff", "dev", "prod", "--exit-code").status == 0


def test_b_may_stand_in_a_state_of_its_own(built: Shop, tmp_path: Path) -> None:
    """`--other-state` says where; B is then A, if it is left out."""
    other = tmp_path / "other.db"
    built.write("seeds/raw_orders.csv", RAISED)
    built.edit("leapsql.yaml", "vars:", "state_path: .leapsql/state.db\nvars:")
    built.leapsql("run", "--env", "prod", "--state", str(other))
    models = built.json("diff", "dev", "prod", "--other-state", str(other), "--select", "raw_orders")["models"]
    assert [(model["path"], model["data"]) for model in models] == [("raw_orders", "differs")]
    assert built.leapsql("diff", "dev", "prod").status == 2
    again = built.leapsql("diff", "dev", "--other-state", str(other))
    assert (again.status, f"It is looked for in {other}." in again.err) == (2, True)
    assert built.leapsql("diff", "dev", "--other-state", str(built.root / ".leapsql/state.db")).lines == [
        "no difference"
    ]


def test_a_broken_project_does_not_keep_environments_from_being_compared(both: Shop) -> None:
    """The state alone is read."""
    both.write("models/broken.sql", "select from {{")
    assert both.leapsql("diff", "dev", "prod").lines == ["no difference"]
    assert both.leapsql("diff", "dev").status == 2


def test_an_environment_that_was_never_built_is_an_error(built: Shop) -> None:
    """One that the project knows is said to be empty; for any other the nearest names are offered."""
    empty = built.leapsql("diff", "dev", "prod")
    assert (empty.status, "nothing was built in environment `prod` yet" in empty.err) == (2, True)
    strange = built.leapsql("diff", "dve", "prod")
    assert (strange.status, "knows no environment `dve`" in strange.err, "Did you mean dev?" in strange.err) == (
        2,
        True,
        True,
    )
    assert "Did you mean prod?" in built.leapsql("diff", "prd").err


def test_env_and_a_must_not_contradict_each_other(built: Shop) -> None:
    """Nobody has to guess which of the two wins."""
    answer = built.leapsql("--env", "prod", "diff", "dev")
    assert (answer.status, "--env says prod, and A is dev" in answer.err) == (2, True)
    assert built.leapsql("--env", "dev", "diff", "dev").status == 0


def test_what_was_built_does_not_differ_from_the_files_it_was_built_from(built: Shop) -> None:
    """Without A it is the environment that is used when none is named."""
    assert built.leapsql("diff").lines == built.leapsql("diff", "dev").lines == ["no difference"]
    facts = built.json("diff")
    assert facts == {"environment": "dev", "other": None, "models": [], "only_in": [], "recurring": []}


def test_the_files_are_compared_with_what_was_built(built: Shop) -> None:
    """What a plan would do, columns that come and go, and what the project no longer has."""
    built.edit("models/marts/customers.sql", "sum(amount) as total", "count(*) as n, sum(amount) as total")
    built.edit("models/staging/orders.sql", "owner: data@", "owner: ann@")
    built.write("models/marts/new.sql", "select 1 as one\n")
    built.remove("models/marts/order_log.sql")
    assert built.leapsql("diff", "--output", "text").lines == [
        "action  model            reason         columns  detail",
        "build   marts.new        new",
        "skip    staging.orders   metadata only           only owner changed",
        "build   marts.customers  query changed  +n       `select customer, sum(amount) as total` →"
        " `select customer, count(*) as n, sum(amount) as total`",
        "check   marts.totals     input pending           marts.customers",
        "        marts.order_log  only in dev",
        "",
        "2 differ, 1 may differ, 1 not built in dev yet, 1 only in dev",
    ]
    facts = built.json("diff")
    assert [model["path"] for model in facts["models"]] == [
        *("marts.new", "staging.orders", "marts.customers", "marts.totals"),
    ]
    customers = facts["models"][2]
    assert list(customers) == ["path", "action", "reason", "detail", "columns", "diff"]
    assert customers["columns"]["added"] == [{"name": "n", "type": None}]
    assert "+select customer, count(*) as n, sum(amount) as total" in customers["diff"]
    assert facts["only_in"] == ["marts.order_log"]
    assert "\n  +select customer, count(*) as n" in built.text("diff", "--full")


def test_files_are_compared_with_another_environment_as_they_are_read_for_it(both: Shop) -> None:
    """Variables of that environment count, not those of the one that is usual."""
    both.edit("leapsql.yaml", "prod: {target", "prod: {vars: {least: 15}, target")
    assert both.leapsql("diff", "dev").lines == ["no difference"]
    changed = both.json("diff", "prod")
    assert changed["environment"] == "prod"
    assert changed["models"][0]["detail"] == "its query changed: `where amount > 0` → `where amount > 15`"


def test_what_moves_by_itself_is_no_difference_to_the_files(shop: Shop) -> None:
    """A model that every run builds, and what only hangs on that, is told below."""
    shop.write("models/dice.sql", "select random() as n\n")
    shop.write("models/doubled.sql", "select n * 2 as n from dice\n")
    shop.leapsql("run")
    answer = shop.leapsql("diff", "--output", "text", "--exit-code")
    assert (answer.status, answer.lines) == (
        0,
        ["built by every run, changed or not: dice", "", "no difference"],
    )
    shop.edit("models/dice.sql", "random()", "random() + 1")
    assert [model["path"] for model in shop.json("diff")["models"]] == ["dice", "doubled"]


def test_a_selection_is_compared_alone(both: Shop) -> None:
    """By the words of every other command; what is gone from the project is then left out."""
    both.edit("models/marts/customers.sql", "sum(amount)", "max(amount)")
    both.remove("models/marts/order_log.sql")
    assert [model["path"] for model in both.json("diff", "--select", "tag:report")["models"]] == ["marts.customers"]
    assert both.json("diff", "--select", "tag:report")["only_in"] == []
    both.leapsql("run", "--env", "prod")
    paths = [model["path"] for model in both.json("diff", "dev", "prod", "--exclude", "customers")["models"]]
    assert paths == ["marts.totals"]
    assert both.leapsql("diff", "dev", "prod", "--select", "nothing_like_it").status == 2


def test_the_exit_status_tells_of_differences_on_request(both: Shop) -> None:
    """As `git diff` has it: 0 in any case, unless `--exit-code` is given."""
    both.edit("models/marts/totals.sql", "sum(total)", "max(total)")
    assert [both.leapsql("diff", *words).status for words in ([], ["--exit-code"])] == [0, 1]
    both.leapsql("run", "--env", "prod")
    assert both.leapsql("diff", "dev", "prod").status == 0
    assert both.leapsql("diff", "dev", "prod", "--exit-code").status == 1
    both.leapsql("run")
    assert both.leapsql("diff", "dev", "prod", "--exit-code").status == 0


def test_the_warehouse_is_left_alone_on_request(built: Shop) -> None:
    """With `--no-look` files and state are compared, and what was not looked at is said."""
    built.write(".leapsql/warehouse.duckdb", "no database")
    assert built.leapsql("diff").status == 2
    lines = built.leapsql("diff", "--no-look", "--output", "text").lines
    assert lines == ["the warehouse was not looked at", "", "no difference"]
    built.edit("models/marts/totals.sql", "sum(total)", "max(total)")
    assert [model["path"] for model in built.json("diff", "--no-look")["models"]] == ["marts.totals"]


def test_a_comparison_writes_nothing(shop: Shop) -> None:
    """Neither state nor warehouse comes to be."""
    assert shop.leapsql("diff").status == 0
    assert shop.leapsql("diff", "dev", "prod").status == 2
    assert not (shop.root / ".leapsql").exists()


def test_secrets_are_masked_in_differences(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret value shows in no comparison."""
    monkeypatch.setenv("TOKEN", "hunter2")
    shop.edit("leapsql.yaml", "name: shop", "name: shop\nsecrets: [TOKEN]")
    shop.write("models/keyed.sql", "select '{{ env.TOKEN }}' as key, 1 as n")
    shop.leapsql("run")
    shop.edit("models/keyed.sql", "1 as n", "2 as n")
    monkeypatch.setenv("TOKEN", "hunter3")
    shop.leapsql("run", "--env", "prod")
    for words in (["diff", "--full"], ["diff", "dev", "prod", "--full"]):
        for form in ("text", "markdown", "json"):
            answer = shop.leapsql(*words, "--output", form)
            assert "keyed" in answer.out
            assert "hunter" not in answer.out + answer.err
