"""The run status sensor: what killed runs have left open is closed, with what really became of it."""

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from dagster_shop import Shop, begin_and_die, get_job

from leapsql_core.execution.processes import this_process
from leapsql_core.state import SqliteStateStore, back_up
from leapsql_dagster import LeapSQLResource, build_run_status_sensor


def tick(shop: Shop) -> str:
    """Evaluate the sensor once, and return what it says; it never launches anything."""
    assets = shop.assets()
    sensor = build_run_status_sensor([assets])
    context = dg.build_sensor_context(instance=shop.instance, resources={"leapsql": LeapSQLResource()})
    ticked = sensor.evaluate_tick(context)
    assert ticked.run_requests == []
    return ticked.skip_message or ""


def rows(shop: Shop, run_id: str) -> dict[str, tuple[Any, ...]]:
    found = shop.state(
        f"SELECT path, r.status FROM model_runs r JOIN models ON models.id = model_id WHERE run_id = '{run_id}'"
    )
    return dict(found)


def test_what_a_killed_run_left_is_closed_in_every_environment(shop: Shop) -> None:
    """Its model has failed, its lease is free; the tick names the run, and the next one finds nothing."""
    shop.run()
    runs = [begin_and_die(shop), begin_and_die(shop, environment="prod")]
    said = tick(shop)
    for run in runs:
        assert f"Closed run {run.id} of {run.environment}: the process of this run ended before the run did." in said
        assert rows(shop, run.id) == {"marts.totals": "failed"}
        assert shop.state(f"SELECT status FROM runs WHERE id = '{run.id}'") == [("failed",)]
    assert shop.state("SELECT * FROM leases") == []
    assert tick(shop) == "No run was left open."
    assert shop.run().success


def test_what_the_warehouse_has_of_it_is_a_success(shop: Shop, tmp_path: Path) -> None:
    """Though nobody lived to note it: the run was killed between the commit and its note."""
    shop.run()
    back_up(shop.root / ".leapsql" / "state.db", tmp_path / "before.db")
    shop.edit("models/marts/totals.sql", "sum(total)", "max(total)")
    shop.run()
    ((model_run_id,),) = shop.query("select model_run_id from _leapsql.markers where relation_name = 'totals'")
    for file in (shop.root / ".leapsql").glob("state.db*"):
        file.unlink()
    shutil.copy(tmp_path / "before.db", shop.root / ".leapsql" / "state.db")
    run = begin_and_die(shop, model_run_id=model_run_id)
    assert f"Closed run {run.id}" in tick(shop)
    assert rows(shop, run.id) == {"marts.totals": "success"}
    assert shop.run().success
    assert shop.outcomes()["marts.totals"] == ("skipped", "unchanged")


def test_dagsters_own_run_is_named_while_it_seems_to_go_on(shop: Shop) -> None:
    """That is Dagster's to end: other steps of it may go on in other processes."""
    shop.run()
    going_on = shop.instance.create_run_for_job(
        get_job(shop.definitions(), "changed_models"), status=dg.DagsterRunStatus.STARTED
    )
    begin_and_die(shop, orchestrator_run_id=going_on.run_id)
    assert tick(shop).endswith(f"Dagster shows its run {going_on.run_id} as STARTED: terminate that there.")
    shop.instance.report_run_failed(going_on)
    begin_and_die(shop, orchestrator_run_id=going_on.run_id)
    assert tick(shop).endswith("ended before the run did.")


def test_a_run_that_goes_on_is_left_alone(shop: Shop) -> None:
    """Whoever looks meanwhile; and a state that is not there yet is not made."""
    assert tick(shop) == "No run was left open."
    assert not (shop.root / ".leapsql").exists()
    shop.run()
    with closing(SqliteStateStore(shop.root / ".leapsql" / "state.db")) as store:
        store.open()
        run = store.begin_run("dev", this_process(), is_dead=lambda lease, now: False)
        assert tick(shop) == "No run was left open."
        assert store.get_lease("dev") is not None
        store.complete_run(run.id, "cancelled")


def test_what_cannot_be_closed_now_is_told_and_tried_again(shop: Shop) -> None:
    """Such as while another program has the warehouse; a project that is broken is told likewise."""
    shop.run()
    run = begin_and_die(shop)
    with closing(duckdb.connect(str(shop.root / ".leapsql/warehouse.duckdb"))):
        said = tick(shop)
    assert said.startswith(f"{run.id} of dev cannot be closed now: ")
    assert "in use by" in said
    sensor = build_run_status_sensor([shop.assets()], name="closing", minimum_interval_seconds=5)
    shop.edit("models/marts/totals.sql", "select", "selec")
    context = dg.build_sensor_context(instance=shop.instance, resources={"leapsql": LeapSQLResource()})
    assert "models/marts/totals.sql:1" in (sensor.evaluate_tick(context).skip_message or "")
    assert (sensor.name, sensor.minimum_interval_seconds) == ("closing", 5)
    shop.edit("models/marts/totals.sql", "selec", "select")
    assert f"Closed run {run.id}" in tick(shop)
