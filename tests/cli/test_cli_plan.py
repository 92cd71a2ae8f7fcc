"""`leapsql plan`: what a run would do, and why."""

from __future__ import annotations

from cli_shop import PATHS, Shop, Terminal, without_colour


def test_json_of_a_plan_is_to_the_letter(shop: Shop) -> None:
    """Scripts rely on these keys, on no others, and on parents standing first."""
    facts = shop.json("plan")
    assert list(facts) == ["environment", "models"]
    assert facts["environment"] == "dev"
    assert [model["path"] for model in facts["models"]] == PATHS
    for model in facts["models"]:
        assert list(model) == ["path", "action", "reason", "detail", "content_hash"]
        assert (model["action"], model["reason"]) == ("build", "new")
        assert len(model["content_hash"]) == 64


def test_a_plan_writes_nothing(shop: Shop) -> None:
    """Planning makes neither state nor warehouse."""
    assert shop.leapsql("plan").status == 0
    assert not (shop.root / ".leapsql").exists()


def test_actions_are_build_check_and_skip(built: Shop) -> None:
    """What changed builds, what hangs on it is checked, the rest is skipped; the status is 0 all the same."""
    built.edit("models/marts/customers.sql", "sum(amount)", "max(amount)")
    facts = built.json("plan")
    assert {model["path"]: (model["action"], model["reason"]) for model in facts["models"]} == {
        "raw_orders": ("skip", "unchanged"),
        "staging.orders": ("skip", "unchanged"),
        "marts.customers": ("build", "query_changed"),
        "marts.order_log": ("skip", "unchanged"),
        "marts.totals": ("check", "input_pending"),
    }
    answer = built.leapsql("plan", "--output", "text")
    assert answer.status == 0
    assert answer.lines == [
        "action  model            reason         detail",
        "skip    raw_orders       unchanged",
        "skip    staging.orders   unchanged",
        "build   marts.customers  query changed  `select customer, sum(amount) as total` →"
        " `select customer, max(amount) as total`",
        "skip    marts.order_log  unchanged",
        "check   marts.totals     input pending  marts.customers",
        "",
        "1 to build, 1 to check, 3 unchanged",
    ]


def test_force_and_full_refresh_are_planned(built: Shop) -> None:
    """A plan answers for the options that a run would have."""
    assert [m["reason"] for m in built.json("plan", "totals", "--force")["models"]] == ["requested"]
    assert [m["reason"] for m in built.json("plan", "order_log", "--full-refresh")["models"]] == ["full_refresh"]


def test_no_look_leaves_the_warehouse_alone(built: Shop) -> None:
    """With `--no-look` a database that is no database is no matter, and what rests on it is to be checked."""
    built.write(".leapsql/warehouse.duckdb", "no database")
    assert built.leapsql("plan").status == 2
    answer = built.leapsql("plan", "--no-look")
    assert answer.status == 0
    assert "the warehouse was not looked at" in answer.lines[-3]
    assert answer.lines[-2] == ""
    assert answer.lines[-1].endswith("5 to check")
    assert answer.out.count("not looked at") == 1  # and not once more for each model


def test_an_empty_selection_is_said_to_be_empty(built: Shop) -> None:
    """A plan of nothing is no table."""
    assert built.leapsql("plan", "state:changed").lines == ["nothing is selected"]


def test_earlier_failures_are_told(built: Shop) -> None:
    """A model that failed since its last build says so, in the table too."""
    built.edit("models/marts/totals.sql", "sum(total)", "nothing()")
    built.leapsql("run")
    assert "; it failed once since" in built.leapsql("plan").out
    built.write("models/marts/odd.sql", "select nothing() from staging.orders")
    built.leapsql("run")
    line = next(line for line in built.text("plan").splitlines() if "marts.odd" in line)
    assert line.split("  ")[-1] == "it failed once since"


def test_secrets_are_masked(shop: Shop, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """A secret value shows in no plan, explanation or rendered query."""
    monkeypatch.setenv("TOKEN", "hunter2")
    shop.edit("leapsql.yaml", "name: shop", "name: shop\nsecrets: [TOKEN]")
    shop.write("models/keyed.sql", "select '{{ env.TOKEN }}' as key, 1 as n")
    shop.leapsql("run")
    shop.edit("models/keyed.sql", "1 as n", "2 as n")
    monkeypatch.setenv("TOKEN", "hunter3")
    for words in (["plan"], ["why", "keyed"], ["render", "keyed"], ["run"]):
        for form in ("text", "markdown", "json"):
            answer = shop.leapsql(*words, "--output", form)
            assert "hunter" not in answer.out + answer.err


def test_a_detail_that_has_no_room_goes_to_lines_of_its_own(built: Shop, terminal: Terminal) -> None:
    """On a narrow terminal the table keeps names whole and puts details below them."""
    built.edit("models/marts/customers.sql", "sum(amount)", "max(amount)")
    lines = without_colour(terminal("-C", str(built.root), "plan", width=50).out).splitlines()
    place = lines.index("build   marts.customers  query changed")
    assert lines[place + 1].startswith("    `select customer, sum(amount)")
