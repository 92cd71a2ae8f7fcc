"""Python assets between models, in one graph."""

from contextlib import suppress
from typing import Any

import dagster as dg
import duckdb
import pytest
from dagster_shop import Shop, materialized

from leapsql_core import UsageError
from leapsql_dagster import LeapSQLProject, LeapSQLResource, leapsql_assets

KEY = dg.AssetKey(["py", "scores"])


@pytest.fixture
def scored(shop: Shop) -> Shop:
    """Customers (model) → scores (Python) → ranks (model) → summary (Python)."""
    shop.write({"models/marts/ranks.sql": "select customer, score + 1 as rank from py.scores"})
    return shop


def python_assets(ran: list[str]) -> list[dg.AssetsDefinition]:
    @dg.asset(key=KEY, deps=[["marts", "customers"]])
    def scores(leapsql: LeapSQLResource) -> None:
        ran.append("scores")
        with leapsql.get_connection() as connection:
            connection.execute("create schema if not exists py")
            connection.execute(
                "create or replace table py.scores as select customer, total as score from marts.customers"
            )

    @dg.asset(deps=[["marts", "ranks"]])
    def summary() -> None:
        ran.append("summary")

    return [scores, summary]


def run(scored: Shop, **options: Any) -> tuple[dg.ExecuteInProcessResult, list[str]]:
    ran: list[str] = []
    also = dg.AssetSelection.assets(KEY, "summary")
    definitions = scored.definitions(*python_assets(ran), in_job=also)
    return scored.run(definitions, **options), ran


@pytest.mark.parametrize("mode", ["all", "changed"])
def test_models_and_python_assets_take_turns_in_one_graph(scored: Shop, mode: str) -> None:
    """Model → Python → model → Python runs in order, in both modes."""
    result, ran = run(scored, tags={"leapsql/mode": mode})
    assert result.success
    assert ran == ["scores", "summary"]
    assert {"marts/customers", "marts/ranks", "py/scores", "summary"} <= set(materialized(result))
    assert scored.query("select rank from marts.ranks order by 1") == [(21,), (41,)]


def test_a_skipped_model_still_releases_the_python_asset_that_reads_it(scored: Shop) -> None:
    """Only the last model changed: it is built, the Python asset before it runs, the first model is skipped."""
    run(scored)
    scored.edit("models/marts/ranks.sql", "score + 1", "score + 2")
    result, ran = run(scored)
    assert result.success
    assert ran == ["scores", "summary"]
    assert materialized(result) == ["marts/ranks", "py/scores", "summary"]
    (first, second) = scored.state(
        "SELECT r.reason, m.path FROM model_runs r JOIN models m ON m.id = r.model_id JOIN runs u ON u.id = r.run_id"
        " WHERE m.path IN ('marts.customers', 'marts.ranks') ORDER BY u.started_at DESC, m.path LIMIT 2"
    )
    assert {first, second} == {("unchanged", "marts.customers"), ("query_changed", "marts.ranks")}
    assert scored.query("select rank from marts.ranks order by 1") == [(22,), (42,)]


def test_nothing_changed_and_the_python_asset_wrote_the_same(scored: Shop) -> None:
    """A Python asset that writes the same rows again gives the model after it nothing to do."""
    run(scored)
    result, ran = run(scored)
    assert result.success
    assert ran == ["scores", "summary"]
    assert materialized(result) == ["py/scores", "summary"]
    assert scored.outcomes()["marts.ranks"] == ("skipped", "unchanged")


def test_what_a_python_asset_wrote_anew_is_seen_by_the_model_after_it(scored: Shop) -> None:
    """The first model's new values travel through the Python asset in the same run."""
    run(scored)
    scored.edit("seeds/raw_orders.csv", "2,bob,20", "2,bob,25")
    result, _ = run(scored)
    assert {"marts/customers", "marts/ranks"} <= set(materialized(result))
    assert scored.outcomes()["marts.ranks"] == ("success", "input_changed")
    assert scored.query("select rank from marts.ranks order by 1") == [(26,), (41,)]


def test_a_failed_model_releases_nothing(scored: Shop) -> None:
    """A Python asset does not run on what a failed model left behind."""
    run(scored)
    scored.edit("models/marts/customers.sql", "sum(amount)", "error('no')")
    result, ran = run(scored)
    assert not result.success
    assert ran == []


def test_one_run_of_dagster_may_be_several_runs_of_ours(scored: Shop) -> None:
    """Each op execution is a row of `runs` with the same orchestrator run id."""
    result, _ = run(scored)
    assert scored.state("SELECT orchestrator_run_id, count(*) FROM runs GROUP BY 1") == [(result.run_id, 2)]


def test_a_connection_is_closed_when_the_block_raises(shop: Shop) -> None:
    """After an exception in the block nobody holds the database."""
    shop.definitions()
    resource = LeapSQLResource(project_dir=str(shop.root))
    with suppress(ZeroDivisionError), resource.get_connection() as connection:
        connection.execute("create table t as select 1 as a")
        _ = 1 / 0
    with pytest.raises(duckdb.ConnectionException):
        connection.execute("select 1")


def test_a_connection_goes_to_the_environment_that_the_run_asks_for(scored: Shop) -> None:
    """The tag that moves a run to another environment moves its Python assets too."""
    result, ran = run(scored, tags={"leapsql/environment": "prod"})
    assert result.success
    assert ran == ["scores", "summary"]
    assert scored.query("select count(*) from py.scores", database="prod") == [(2,)]
    assert not (scored.root / ".leapsql/warehouse.duckdb").exists()


def test_with_several_projects_a_connection_must_be_told_which(shop: Shop, instance: dg.DagsterInstance) -> None:
    """Two loaded projects and no `project_dir`: an error that says what to set."""
    other = Shop(shop.root.parent / "other", instance)
    other.write({"leapsql.yaml": "target: {type: duckdb}", "models/a.sql": "select 1 as a"})

    @leapsql_assets(project=LeapSQLProject(other.root))
    def others(context: dg.AssetExecutionContext, leapsql: LeapSQLResource):
        yield from leapsql.run(context)

    shop.assets()
    with pytest.raises(UsageError, match="several projects"), LeapSQLResource().get_connection():
        pass


@pytest.mark.parametrize("mode", ["all", "changed"])
def test_views_stand_between_python_assets_as_tables_do(scored: Shop, mode: str) -> None:
    """Model → Python → view → Python: each is run once, in order, though Dagster looks through views."""
    scored.edit("models/marts/ranks.sql", "select", "/*--- {materialized: view} ---*/\nselect")
    assert run(scored)[0].success
    result, ran = run(scored, tags={"leapsql/mode": mode})
    assert result.success
    assert ran == ["scores", "summary"]
    assert ("marts/ranks" in materialized(result)) == (mode == "all")
