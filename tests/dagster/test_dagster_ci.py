"""Branch deployments and continuous integration: what differs from production is built in an environment of its own."""

import hashlib
from typing import Any

import dagster as dg
import pytest
from dagster_shop import Shop, materialized, messages

from leapsql_core import UsageError
from leapsql_dagster import LeapSQLResource, build_automation_sensors, build_observable_sources, needs_build
from leapsql_dagster.ci import build_changed, changed_keys

TOTALS, CUSTOMERS = "models/marts/totals.sql", "models/marts/customers.sql"


def production(shop: Shop) -> dict[str, Any]:
    """Return as what production is read."""
    return {"environment": "prod", "state_path": shop.root / "prod-state.db"}


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """A project that is built in production, in a state of its own; from now on it is read as a branch."""
    shop.project_options = production(shop)
    assert shop.run().success
    shop.project_options = {"environment": "dev", "defer_to": "prod", "state_of": shop.root / "prod-state.db"}
    return shop


def changed(shop: Shop, **options: Any) -> list[str]:
    return [key.to_user_string() for key in changed_keys([shop.assets()], **options)]


def build(shop: Shop, **options: Any) -> dg.ExecuteInProcessResult:
    result = build_changed([shop.assets()], instance=shop.instance, **options)
    assert result is not None
    return result


def test_without_a_change_there_is_nothing_to_build(shop: Shop) -> None:
    """Nothing is asked for, and no run begins."""
    before = len(shop.instance.get_runs())
    assert changed(shop) == []
    assert build_changed([shop.assets()], instance=shop.instance) is None
    assert len(shop.instance.get_runs()) == before


def test_what_changed_is_built_in_the_branch_with_what_lies_below(shop: Shop) -> None:
    """It reads in production what did not change; production stays as it is, to the byte."""
    files = [shop.root / ".leapsql/prod.duckdb", shop.root / "prod-state.db"]
    before = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    shop.edit(CUSTOMERS, "sum(amount)", "max(amount)")
    assert changed(shop) == ["marts/customers", "marts/totals"]
    assert changed(shop, select="marts.*", exclude=["marts.customers"]) == ["marts/totals"]
    assert materialized(build(shop)) == ["marts/customers", "marts/totals"]
    assert shop.query("select total from marts.totals") == [(50,)]
    assert materialized(build(shop)) == []
    assert [hashlib.sha256(file.read_bytes()).hexdigest() for file in files] == before


def test_a_failure_is_the_run_s(shop: Shop) -> None:
    """Continuous integration goes red."""
    shop.edit(CUSTOMERS, "sum(amount)", "error('no')")
    assert not build(shop, raise_on_error=False).success
    with pytest.raises(dg.Failure, match=r"marts\.customers"):
        build(shop)


def test_in_a_branch_that_fails_the_checks_of_what_stands_in_production_are_green(shop: Shop) -> None:
    """Dagster takes a check that a failed run says nothing of for one that failed; tests say what they found there."""
    shop.edit(TOTALS, "sum(total)", "error('no')")
    result = shop.run()
    assert not result.success
    found = {f"{one.asset_key.to_user_string()}:{one.check_name}": one for one in result.get_asset_check_evaluations()}
    assert {name for name, one in found.items() if not one.passed} == {"marts/totals:build"}
    planned = {check for one in [shop.assets()] for check in one.check_keys}
    assert {(one.asset_key, one.check_name) for one in found.values()} == {(k.asset_key, k.name) for k in planned}
    assert found["marts/customers:build"].description == "stands in prod just so, and is read there"


def test_checks_alone_of_what_stands_in_production_are_answered_from_there(shop: Shop) -> None:
    """Nothing is built or tested in the branch."""
    chosen = dg.AssetSelection.checks_for_assets(dg.AssetKey(["marts", "customers"]))
    alone = dg.define_asset_job("alone", selection=chosen, executor_def=dg.in_process_executor)
    definitions = dg.Definitions(assets=[shop.assets()], jobs=[alone], resources={"leapsql": LeapSQLResource()})
    result = shop.run(definitions, job="alone")
    found = {one.check_name: one.passed for one in result.get_asset_check_evaluations()}
    assert found == {"build": True, "not_null_customer": True, "unique_customer": True}
    assert not (shop.root / ".leapsql/state.db").exists()


def test_the_job_of_a_branch_builds_only_what_differs(shop: Shop) -> None:
    """The changed-models job as it stands: the rest is not materialized, and the log says where it is read."""
    shop.edit(TOTALS, "sum(total)", "min(total)")
    result = shop.run()
    assert materialized(result) == ["marts/totals"]
    assert "4 of what is selected stand in prod just so: raw_orders, staging.orders" in messages(result, shop.instance)
    assert shop.query("select total from marts.totals") == [(20,)]


def test_what_is_clicked_is_built_in_the_branch(shop: Shop) -> None:
    """In mode `all` what is selected is built, from what production holds."""
    result = shop.run(asset_selection=[dg.AssetKey(["marts", "totals"])], tags={"leapsql/mode": "all"})
    assert materialized(result) == ["marts/totals"]
    assert shop.query("select total from marts.totals") == [(60,)]


def test_what_waits_for_a_model_that_is_left_to_production_runs(shop: Shop) -> None:
    """A Python asset below it is released."""
    ran: list[str] = []

    @dg.asset(key=["py", "note"], deps=[["marts", "customers"]])
    def note() -> None:
        ran.append("note")

    shop.edit(TOTALS, "sum(total)", "min(total)")
    definitions = shop.definitions(note, in_job=dg.AssetSelection.assets(["py", "note"]))
    assert shop.run(definitions).success
    assert ran == ["note"]


def test_production_itself_defers_to_nobody(shop: Shop) -> None:
    """The same definitions serve everywhere: where they are read as production, all of it is built there."""
    shop.project_options = {"environment": "prod", "defer_to": "prod", "state_path": shop.root / "prod-state.db"}
    shop.edit(TOTALS, "sum(total)", "min(total)")
    assert materialized(shop.run()) == ["marts/totals"]
    assert shop.query("select total from marts.totals", database="prod") == [(20,)]
    with pytest.raises(UsageError, match="read as prod, and defers to prod"):
        changed(shop)


def test_conditions_of_a_branch_ask_for_what_differs(shop: Shop) -> None:
    """Neither on the first tick nor after the build is anything asked for that production holds."""
    assets = shop.assets()
    sensors = build_automation_sensors([assets], condition=needs_build())
    definitions = dg.Definitions(assets=[assets], sensors=sensors, resources={"leapsql": LeapSQLResource()})

    def asked() -> list[str]:
        repository = definitions.get_repository_def()
        (sensor,) = repository.sensor_defs
        ticked = sensor.evaluate_tick(dg.build_sensor_context(shop.instance, repository_def=repository))
        return sorted(key.to_user_string() for one in ticked.run_requests for key in one.asset_selection)

    assert asked() == []
    shop.edit(TOTALS, "sum(total)", "min(total)")
    assert asked() == ["marts/totals"]
    assert shop.run().success
    assert asked() == []


@pytest.mark.parametrize("built", [False, True], ids=["before anything is built", "after a build"])
def test_sources_are_observed_where_the_branch_reads_them(shop: Shop, built: bool) -> None:
    """In production's database: what moves there is another version, and it is the one that production would see."""
    shop.query("create schema raw; create table raw.events as select 1 as id, 'a' as note", database="prod")
    shop.write({"models/marts/events.sql": "select id, note from raw.events"})
    if built:
        assert materialized(shop.run()) == ["marts/events"]
    assert (shop.root / ".leapsql/warehouse.duckdb").exists() == built
    first = observed(shop)
    assert first == observed(shop)
    shop.query("insert into raw.events values (2, 'b')", database="prod")
    moved = observed(shop)
    assert moved != first
    shop.project_options = production(shop)
    assert observed(shop) == moved


def test_a_run_that_leaves_models_to_production_tells_of_no_source(shop: Shop) -> None:
    """It looks only at what its own models read, and another version would make their consumers look stale."""
    shop.query("create schema raw; create table raw.events as select 1 as id, 'a' as note", database="prod")
    shop.write(
        {"models/marts/ids.sql": "select id from raw.events", "models/marts/notes.sql": "select note from raw.events"}
    )
    here, shop.project_options = (
        shop.project_options,
        {"environment": "prod", "state_path": shop.root / "prod-state.db"},
    )
    assert shop.run().success
    shop.project_options = here
    shop.edit("models/marts/ids.sql", "select id", "select -id as id")
    sources = build_observable_sources(shop.assets())
    result = shop.run(shop.definitions(sources))
    assert materialized(result) == ["marts/ids"]
    assert result.get_asset_observation_events() == []
    everything = shop.run(shop.definitions(sources), tags={"leapsql/mode": "all"})
    assert [one.asset_key for one in everything.get_asset_observation_events()] == [dg.AssetKey(["raw", "events"])]


def observed(shop: Shop) -> str:
    """Observe the only source, and return its version."""
    sources = build_observable_sources(shop.assets())
    job = dg.define_asset_job("observe", selection=dg.AssetSelection.assets(*sources.keys))
    definitions = dg.Definitions(assets=[sources], jobs=[job], resources={"leapsql": LeapSQLResource()})
    (event,) = shop.run(definitions, job="observe").get_asset_observation_events()
    return str((event.asset_observation_data.asset_observation.tags or {})["dagster/data_version"])
