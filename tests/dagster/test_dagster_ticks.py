"""What the sensor and the schedule ask for."""

import logging
from typing import Any

import dagster as dg
import pytest
from dagster_shop import Shop, begin_and_die, get_job, tags_of

from leapsql_core import UsageError
from leapsql_dagster import (
    LeapSQLResource,
    build_changed_models_job,
    build_changed_models_schedule,
    build_changed_models_sensor,
)

ALL = ["main/raw_orders", "marts/customers", "marts/order_count", "marts/totals", "staging/orders"]


class Noting(logging.Handler):
    """Keeps what is logged."""

    def __init__(self, said: list[str]) -> None:
        super().__init__()
        self.said = said

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def tick(
    shop: Shop, definitions: dg.Definitions, *, resource: LeapSQLResource | None = None, said: list[str] | None = None
) -> Any:
    """Evaluate the sensor once; what it logs is `said`."""
    context = dg.build_sensor_context(
        instance=shop.instance,
        repository_def=definitions.get_repository_def(),
        resources={"leapsql": resource or LeapSQLResource()},
    )
    context.log.addHandler(Noting([] if said is None else said))
    (sensor,) = definitions.get_repository_def().sensor_defs
    return sensor.evaluate_tick(context)


def asked(ticked: Any) -> list[str]:
    """Return the keys of the one request of a tick."""
    (request,) = ticked.run_requests
    return [key.to_user_string() for key in request.asset_selection]


def follow(shop: Shop, definitions: dg.Definitions, ticked: Any) -> dg.ExecuteInProcessResult:
    """Do what the daemon does with a tick: run the job for what was asked, in a process that loads the files anew."""
    (request,) = ticked.run_requests
    job = get_job(shop.definitions(), "changed_models")
    return job.execute_in_process(
        instance=shop.instance, asset_selection=request.asset_selection, tags=request.tags, raise_on_error=False
    )


def test_everything_is_asked_for_when_nothing_was_built(shop: Shop) -> None:
    """A fresh state needs all of it, in one run, of the changed-models job."""
    definitions = shop.definitions()
    first = tick(shop, definitions)
    assert asked(first) == ALL
    (sensor,) = definitions.get_repository_def().sensor_defs
    assert sensor.job_name == "changed_models"


def test_a_second_tick_skips_and_says_why(shop: Shop) -> None:
    """After the run nothing is asked for."""
    definitions = shop.definitions()
    follow(shop, definitions, tick(shop, definitions))
    assert tick(shop, definitions).skip_message == "No model changed: all 5 stand as they were built."


def test_a_saved_edit_is_noticed_without_a_reload(shop: Shop) -> None:
    """The loaded definitions are old, the files are new: the edited model is asked for, and what lies below it."""
    definitions = shop.definitions()
    follow(shop, definitions, tick(shop, definitions))
    shop.edit("models/marts/customers.sql", "sum(amount)", "max(amount)")
    second = tick(shop, definitions)
    assert asked(second) == ["marts/customers", "marts/totals"]
    follow(shop, definitions, second)
    assert shop.query("select customer, total from marts.customers order by 1") == [("ann", 30), ("bob", 20)]
    assert tick(shop, definitions).skip_message


def test_a_comment_launches_nothing(shop: Shop) -> None:
    """An edit of layout is no change."""
    definitions = shop.definitions()
    follow(shop, definitions, tick(shop, definitions))
    shop.edit("models/marts/customers.sql", "select", "select /* who */")
    assert tick(shop, definitions).skip_message


def test_a_seed_that_is_only_written_otherwise_launches_nothing(shop: Shop) -> None:
    """Nor has it a new code version when it is loaded again; the run that is forced keeps it too."""
    definitions = shop.definitions()
    follow(shop, definitions, tick(shop, definitions))
    seed = dg.AssetKey(["main", "raw_orders"])
    version = shop.assets().get_asset_spec(seed).code_version
    shop.edit("seeds/raw_orders.csv", "\n", "\r\n")
    assert tick(shop, definitions).skip_message
    assert shop.assets().get_asset_spec(seed).code_version == version
    assert shop.run().success
    assert shop.outcomes()["raw_orders"] == ("skipped", "formatting_only")
    result = shop.run(tags={"leapsql/mode": "all"})
    assert shop.outcomes()["raw_orders"] == ("success", "requested")
    assert tags_of(result, "main/raw_orders")["dagster/code_version"] == version
    shop.edit("seeds/raw_orders.csv", "2,bob,20", "2,bob,25")
    assert "main/raw_orders" in asked(tick(shop, definitions))


def test_going_there_and_back_again_fires_each_time(shop: Shop) -> None:
    """A→B→A: the last edit is a change too, and its request has a key of its own."""
    definitions = shop.definitions()
    keys: list[str] = []
    for old, new in (("", ""), ("sum(amount)", "max(amount)"), ("max(amount)", "sum(amount)"), ("sum(", "max(")):
        shop.edit("models/marts/customers.sql", old, new)
        ticked = tick(shop, definitions)
        keys.append(ticked.run_requests[0].run_key)
        follow(shop, definitions, ticked)
    assert len(set(keys)) == 4


def test_the_same_change_has_the_same_key(shop: Shop) -> None:
    """Two ticks before the run has begun ask under one key, so that Dagster launches one run."""
    definitions = shop.definitions()
    keys = {tick(shop, definitions).run_requests[0].run_key for _ in range(2)}
    assert len(keys) == 1


def test_what_keeps_failing_is_asked_for_a_few_times_only(shop: Shop) -> None:
    """Each attempt has its own key; after the last the tick says what failed and waits for an edit, which fires."""
    definitions = shop.definitions()
    follow(shop, definitions, tick(shop, definitions))
    shop.edit("models/marts/customers.sql", "sum(amount)", "error('no')")
    keys: list[str] = []
    for _ in range(3):
        ticked = tick(shop, definitions)
        keys.append(ticked.run_requests[0].run_key)
        assert not follow(shop, definitions, ticked).success
    assert len(set(keys)) == 3
    assert "marts/customers failed 3 times" in tick(shop, definitions).skip_message
    shop.edit("models/marts/customers.sql", "error('no')", "min(amount)")
    mended = tick(shop, definitions)
    assert mended.run_requests[0].run_key not in keys
    assert follow(shop, definitions, mended).success


def test_a_run_that_died_before_it_wrote_anything_counts_as_an_attempt(shop: Shop) -> None:
    """Runs that fail before the op leave no row in the state; they are counted all the same."""
    definitions = shop.definitions()
    first = tick(shop, definitions)
    (request,) = first.run_requests
    shop.instance.create_run_for_job(
        get_job(definitions, "changed_models"), tags=request.tags, status=dg.DagsterRunStatus.FAILURE
    )
    assert tick(shop, definitions).run_requests[0].run_key != request.run_key


def test_a_change_that_is_being_built_is_not_asked_for_again(shop: Shop) -> None:
    """While a run of the change goes on, the tick names it and waits."""
    definitions = shop.definitions()
    (request,) = tick(shop, definitions).run_requests
    run = shop.instance.create_run_for_job(
        get_job(definitions, "changed_models"), tags=request.tags, status=dg.DagsterRunStatus.STARTED
    )
    assert tick(shop, definitions).skip_message == f"Run {run.run_id} is building this change."


def test_a_run_whose_process_was_killed_is_building_nothing(shop: Shop) -> None:
    """Though Dagster shows it as started for ever: it counts as an attempt, also when it was closed since."""
    definitions = shop.definitions()
    follow(shop, definitions, tick(shop, definitions))
    shop.edit("models/marts/totals.sql", "sum(total)", "max(total)")
    (request,) = tick(shop, definitions).run_requests
    run = shop.instance.create_run_for_job(
        get_job(definitions, "changed_models"), tags=request.tags, status=dg.DagsterRunStatus.STARTED
    )
    begin_and_die(shop, orchestrator_run_id=run.run_id)
    (again,) = tick(shop, definitions).run_requests
    assert (again.run_key, again.tags) == (request.run_key.replace(":0", ":1"), request.tags)
    shop.run(asset_selection=[dg.AssetKey(["marts", "order_count"])])
    assert tick(shop, definitions).run_requests[0].run_key == again.run_key
    assert follow(shop, definitions, tick(shop, definitions)).success
    assert tick(shop, definitions).skip_message.startswith("No model changed")


def test_a_run_that_waits_for_its_process_to_begin_is_waited_for(shop: Shop) -> None:
    """While it has no row in the state, nobody can say that it was killed; what another has left is not its own."""
    definitions = shop.definitions()
    (request,) = tick(shop, definitions).run_requests
    run = shop.instance.create_run_for_job(
        get_job(definitions, "changed_models"), tags=request.tags, status=dg.DagsterRunStatus.STARTED
    )
    begin_and_die(shop)
    assert tick(shop, definitions).skip_message == f"Run {run.run_id} is building this change."


def test_a_project_that_does_not_compile_launches_nothing(shop: Shop) -> None:
    """The tick skips with file and line."""
    definitions = shop.definitions()
    shop.edit("models/marts/totals.sql", "select", "selec")
    assert "models/marts/totals.sql:1" in tick(shop, definitions).skip_message


def test_a_model_that_was_added_waits_for_a_reload_and_the_others_do_not(shop: Shop) -> None:
    """Models that the loaded graph lacks are left out, and the tick says so; the others still run."""
    definitions = shop.definitions()
    follow(shop, definitions, tick(shop, definitions))
    shop.write({"models/marts/extra.sql": "select 1 as a"})
    said = tick(shop, definitions).skip_message
    assert said == "New since the definitions were loaded: marts.extra. Reload them to build it."
    shop.edit("models/marts/totals.sql", "sum(total)", "max(total)")
    assert asked(tick(shop, definitions)) == ["marts/totals"]
    assert asked(tick(shop, shop.definitions())) == ["marts/extra", "marts/totals"]


def test_a_model_that_was_removed_is_not_asked_for(shop: Shop) -> None:
    """What the files no longer hold is left alone, and an edit beside it still fires."""
    definitions = shop.definitions()
    follow(shop, definitions, tick(shop, definitions))
    shop.write({"models/marts/totals.sql": None})
    assert tick(shop, definitions).skip_message
    shop.edit("models/marts/customers.sql", "sum(amount)", "max(amount)")
    assert asked(tick(shop, definitions)) == ["marts/customers"]


def test_what_moves_by_itself_does_not_launch_runs_for_ever(shop: Shop) -> None:
    """A volatile model is built by runs, but no tick fires for it alone."""
    shop.write({"models/marts/clock.sql": "select now() as t"})
    definitions = shop.definitions()
    follow(shop, definitions, tick(shop, definitions))
    assert tick(shop, definitions).skip_message


def test_a_source_that_may_have_moved_launches_nothing_by_itself(shop: Shop) -> None:
    """A sensor fires on files and state; sources are looked at by runs."""
    definitions = shop.definitions()
    follow(shop, definitions, tick(shop, definitions))
    shop.query("create schema raw; create table raw.events as select 1 as id")
    shop.write({"models/marts/events.sql": "select id from raw.events"})
    definitions = shop.definitions()
    follow(shop, definitions, tick(shop, definitions))
    assert tick(shop, definitions).skip_message


def test_the_sensor_sees_the_variables_that_the_resource_builds_with(shop: Shop) -> None:
    """Variables of the resource belong to what is built: ticks and runs agree, and no run is launched for ever."""
    resource = LeapSQLResource(vars={"least": 15})
    definitions = shop.definitions(resource=resource)
    (request,) = tick(shop, definitions, resource=resource).run_requests
    get_job(definitions, "changed_models").execute_in_process(
        instance=shop.instance, asset_selection=request.asset_selection, tags=request.tags
    )
    assert tick(shop, definitions, resource=resource).skip_message


def test_assets_between_models_run_with_what_changed_above_them(shop: Shop) -> None:
    """A Python asset of the job that lies below a changed model is asked for, and so is the model below it."""
    shop.write({"models/marts/ranks.sql": "select customer from py.scores"})

    @dg.asset(key=["py", "scores"], deps=[["marts", "customers"]])
    def scores() -> None:
        return None

    definitions = shop.definitions(scores, in_job=dg.AssetSelection.assets(["py", "scores"]))
    job = get_job(definitions, "changed_models")
    (shop.root / ".leapsql").mkdir(exist_ok=True)
    shop.query("create schema if not exists py; create or replace table py.scores as select 'ann' as customer")
    assert job.execute_in_process(instance=shop.instance).success
    shop.edit("models/marts/customers.sql", "sum(amount)", "max(amount)")
    assert asked(tick(shop, definitions)) == ["marts/customers", "marts/ranks", "marts/totals", "py/scores"]


def test_what_an_earlier_run_left_behind_is_asked_for(shop: Shop) -> None:
    """A parent was built alone, or the run failed below it: the state tells what that left out of date."""
    definitions = shop.definitions()
    follow(shop, definitions, tick(shop, definitions))
    shop.edit("models/marts/customers.sql", "sum(amount)", "max(amount)")
    assert shop.run(asset_selection=[dg.AssetKey(["marts", "customers"])]).success
    assert asked(tick(shop, definitions)) == ["marts/totals"]


def with_sensor(shop: Shop, **options: Any) -> dg.Definitions:
    """Return definitions whose sensor has other options."""
    assets = shop.assets()
    job = build_changed_models_job([assets])
    return dg.Definitions(
        assets=[assets],
        jobs=[job],
        sensors=[build_changed_models_sensor([assets], job=job, **options)],
        resources={"leapsql": LeapSQLResource()},
    )


def test_a_large_change_is_asked_for_in_parts_parents_first(shop: Shop) -> None:
    """Each request holds the first that can be built, the tick names the rest, and the last tick has nothing left."""
    definitions = with_sensor(shop, max_models=2)
    parts: list[list[str]] = []
    said: list[str] = []
    for _ in range(3):
        ticked = tick(shop, definitions, said=said)
        parts.append(asked(ticked))
        assert follow(shop, definitions, ticked).success
    assert parts == [["main/raw_orders", "staging/orders"], ["marts/customers", "marts/order_count"], ["marts/totals"]]
    assert "Left for the next run: marts/customers, marts/order_count, marts/totals." in said[0]
    assert tick(shop, definitions).skip_message


def test_what_lies_below_a_part_is_not_forgotten(shop: Shop) -> None:
    """A limit cuts between an edited model and its readers: these are asked for next."""
    definitions = with_sensor(shop, max_models=1)
    shop.run()
    shop.edit("models/marts/customers.sql", "sum(amount)", "max(amount)")
    for key in ("marts/customers", "marts/totals"):
        ticked = tick(shop, definitions)
        assert asked(ticked) == [key]
        follow(shop, definitions, ticked)
    assert tick(shop, definitions).skip_message


def test_many_changed_models_are_one_run(shop: Shop) -> None:
    """However many changed, without a limit: one request."""
    shop.write({f"models/many/m{n:03}.sql": f"select {n} as n" for n in range(60)})
    definitions = with_sensor(shop)
    assert len(asked(tick(shop, definitions))) == 65


def test_a_failing_model_does_not_hold_up_the_others(shop: Shop) -> None:
    """After its last attempt it is left out, with what lies below it, and the tick says so; an edit elsewhere runs."""
    definitions = with_sensor(shop, max_attempts=1)
    shop.run()
    shop.edit("models/marts/customers.sql", "sum(amount)", "error('no')")
    follow(shop, definitions, tick(shop, definitions))
    assert tick(shop, definitions).skip_message == (
        "marts/customers failed once; not tried again until something changes."
    )
    shop.edit("models/marts/order_count.sql", "count(*)", "count(*) + 1")
    shop.edit("models/marts/totals.sql", "sum(total)", "max(total)")
    said: list[str] = []
    assert asked(tick(shop, definitions, said=said)) == ["marts/order_count"]
    assert "marts/customers failed once" in said[0]
    shop.edit("models/staging/orders.sql", "select id", "select id + 1 as id")
    assert "marts/customers" in asked(tick(shop, definitions))


def test_a_failed_attempt_may_be_followed_by_a_pause(shop: Shop) -> None:
    """The tick says how long it waits; without a pause it asks at once, and without a limit for ever."""
    shop.edit("models/marts/customers.sql", "sum(amount)", "error('no')")
    slow = with_sensor(shop, retry_after_seconds=1e6)
    first = tick(shop, slow)
    shop.instance.create_run_for_job(
        get_job(slow, "changed_models"), tags=first.run_requests[0].tags, status=dg.DagsterRunStatus.FAILURE
    )
    assert "tried again in" in tick(shop, slow).skip_message
    assert asked(tick(shop, with_sensor(shop))) == ALL
    assert asked(tick(shop, with_sensor(shop, max_attempts=None))) == ALL
    assert tick(shop, with_sensor(shop, max_attempts=1)).skip_message


def test_a_part_of_the_project_can_be_watched(shop: Shop) -> None:
    """A selection as on the command line, read anew in each tick; what is wrong with it, the tick says."""
    definitions = with_sensor(shop, select=["marts.*"], exclude="marts.totals")
    assert asked(tick(shop, definitions)) == ["marts/customers", "marts/order_count"]
    shop.run()
    shop.edit("models/staging/orders.sql", "select id", "select id + 1 as id")
    assert "No model changed" in tick(shop, definitions).skip_message
    assert "nosuch" in tick(shop, with_sensor(shop, select="nosuch")).skip_message


def test_another_environment_can_be_watched(shop: Shop) -> None:
    """It plans there, and tells the run to build there."""
    shop.run()
    definitions = with_sensor(shop, environment="prod", tags={"team": "a"})
    ticked = tick(shop, definitions)
    assert asked(ticked) == ALL
    (request,) = ticked.run_requests
    assert (request.tags["leapsql/environment"], request.tags["team"]) == ("prod", "a")
    assert follow(shop, definitions, ticked).success
    assert shop.query("select count(*) from marts.customers", database="prod") == [(2,)]
    assert tick(shop, definitions).skip_message


@pytest.mark.parametrize("option", ["max_models", "max_attempts"])
def test_limits_are_counted_from_one(shop: Shop, option: str) -> None:
    """Nothing could ever be asked for."""
    with pytest.raises(UsageError, match=f"{option} is 0"):
        with_sensor(shop, **{option: 0})


def test_a_schedule_takes_a_part_and_another_environment(shop: Shop) -> None:
    """As the sensor does; its log says what is to be built and what to be checked."""
    assets = shop.assets()
    job = build_changed_models_job([assets])
    options: dict[str, Any] = {"select": "marts.*", "exclude": ["marts.totals"], "environment": "prod"}
    schedule = build_changed_models_schedule([assets], job=job, cron_schedule="0 6 * * *", **options)
    definitions = dg.Definitions(
        assets=[assets], jobs=[job], schedules=[schedule], resources={"leapsql": LeapSQLResource()}
    )
    context = dg.build_schedule_context(
        instance=shop.instance,
        repository_def=definitions.get_repository_def(),
        resources={"leapsql": LeapSQLResource()},
    )
    said: list[str] = []
    context.log.addHandler(Noting(said))
    ticked = schedule.evaluate_tick(context)
    assert asked(ticked) == ["marts/customers", "marts/order_count"]
    assert ticked.run_requests[0].tags["leapsql/environment"] == "prod"
    assert said == ["To build: marts/customers, marts/order_count. To check: nothing."]


def test_a_schedule_asks_for_what_is_to_be_built_or_checked(shop: Shop) -> None:
    """A schedule's run looks at the warehouse and at sources: all that may need a build is asked for."""
    definitions = shop.definitions()
    (schedule,) = definitions.get_repository_def().schedule_defs

    def evaluate() -> Any:
        context = dg.build_schedule_context(
            instance=shop.instance,
            repository_def=definitions.get_repository_def(),
            resources={"leapsql": LeapSQLResource()},
        )
        return schedule.evaluate_tick(context)

    assert asked(evaluate()) == ALL
    shop.run(definitions)
    assert asked(evaluate()) == ALL
    shop.edit("models/marts/totals.sql", "select", "selec")
    assert "models/marts/totals.sql:1" in evaluate().skip_message


def test_the_interval_of_the_sensor_can_be_set(shop: Shop) -> None:
    """Name and interval are the user's."""
    assets = shop.assets()
    job = dg.define_asset_job("nightly", selection=dg.AssetSelection.assets(*assets.keys))
    sensor = build_changed_models_sensor([assets], job=job, name="watch", minimum_interval_seconds=5)
    assert (sensor.name, sensor.minimum_interval_seconds, sensor.job_name) == ("watch", 5, "nightly")


@pytest.mark.parametrize("mode", ["all", "changed"])
def test_nothing_is_stale_after_a_run(shop: Shop, mode: str) -> None:
    """Dagster's own marks agree: after everything was materialized nothing is out of date."""
    from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus

    definitions = shop.definitions()
    shop.run(definitions, tags={"leapsql/mode": mode})
    reloaded = shop.definitions()
    graph = reloaded.get_repository_def().asset_graph
    from dagster._core.loader import LoadingContextForTest

    resolver = CachingStaleStatusResolver(shop.instance, graph, LoadingContextForTest(shop.instance))
    assert {resolver.get_status(key) for key in graph.materializable_asset_keys} == {StaleStatus.FRESH}
