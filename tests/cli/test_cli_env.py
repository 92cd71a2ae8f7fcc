"""`leapsql env`: which environments the state knows, and how they come and go."""

from __future__ import annotations

from cli_shop import Shop


def listed(shop: Shop, *words: str) -> dict[str, tuple[int, int, str | None]]:
    """Return models built, runs and commit of each environment."""
    facts = shop.json("env", *words)["environments"]
    return {fact["name"]: (fact["models"], fact["runs"], fact["commit_ref"]) for fact in facts}


def test_environments_are_listed_with_what_is_built_in_them(built: Shop) -> None:
    """A run makes its environment known; `env` alone lists as `env list` does."""
    built.leapsql("run", "raw_orders", "--env", "prod")
    assert listed(built) == listed(built, "list") == {"dev": (5, 1, None), "prod": (1, 1, None)}
    lines = built.text("env").splitlines()
    assert lines[0].split() == ["environment", "models", "runs", "commit", "created"]
    assert [line.split()[:3] for line in lines[1:]] == [["dev", "5", "1"], ["prod", "1", "1"]]


def test_before_the_first_run_there_is_none(shop: Shop) -> None:
    """Neither listing nor wrong use makes a state."""
    answer = shop.leapsql("env")
    assert (answer.status, answer.lines) == (0, ["no environment was built in yet"])
    assert "There is no state" in answer.err
    assert shop.leapsql("env", "delete", "dev", "--yes").status == 2
    assert shop.leapsql("env", "commit", "dev", "abc").status == 2
    assert not (shop.root / ".leapsql").exists()


def test_an_environment_can_be_created_before_its_first_run(shop: Shop) -> None:
    """It may stand at a commit from the beginning; a second one of that name is refused."""
    assert shop.text("env", "create", "prod", "--commit", "abc") == "created: prod at abc\n"
    assert listed(shop) == {"prod": (0, 0, "abc")}
    again = shop.leapsql("env", "create", "prod")
    assert again.status == 2
    assert "there is an environment `prod` already" in again.err
    strange = shop.leapsql("env", "create", "prud")
    assert strange.status == 2
    assert "leapsql.yaml has no environment `prud`" in strange.err
    assert "Did you mean prod?" in strange.err


def test_the_commit_of_an_environment_is_noted(built: Shop) -> None:
    """What is deployed can say which commit it is."""
    assert built.json("env", "commit", "dev", "0a1b2c3") == {"name": "dev", "commit_ref": "0a1b2c3"}
    assert listed(built)["dev"] == (5, 1, "0a1b2c3")
    unknown = built.leapsql("env", "commit", "dav", "0a1b2c3")
    assert unknown.status == 2
    assert "Did you mean dev?" in unknown.err


def test_an_environment_is_forgotten_only_when_that_is_confirmed(built: Shop) -> None:
    """Without `--yes` it is said what would go; with it runs and traces go, and the warehouse stays."""
    refused = built.leapsql("env", "delete", "dev")
    assert refused.status == 2
    assert "the environment dev has 1 run, which would be forgotten with its traces" in refused.err
    assert listed(built) == {"dev": (5, 1, None)}
    assert built.json("env", "delete", "dev", "--yes") == {"deleted": "dev"}
    assert listed(built) == {}
    assert built.json("query", "SELECT count(*) AS n FROM current_traces") == [{"n": 0}]
    assert (built.root / ".leapsql" / "warehouse.duckdb").exists()
