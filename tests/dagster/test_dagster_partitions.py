"""Models with partitions in Dagster: backfilled in one run, materialized one by one, mapped to what they read."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster_days import DAYS, DAYS_FILES, RANGE_END, RANGE_START, built, key, materialize
from dagster_shop import Shop, messages

from leapsql_core import UsageError
from leapsql_dagster import LeapSQLResource
from leapsql_dagster.asking import ask
from leapsql_dagster.check_partitions import KNOWS_PARTITIONED_CHECKS
from leapsql_dagster.loading import loaded_assets_of

# Where checks have partitions, Dagster awaits what `build` says of each that a run is of.
TOLD_BUILT = {"build": True} if KNOWS_PARTITIONED_CHECKS else {}


@pytest.fixture
def shop(tmp_path: Path, instance: dg.DagsterInstance) -> Shop:
    made = Shop(tmp_path / "shop", instance)
    made.write(DAYS_FILES)
    return made


def test_a_backfill_of_three_partitions_is_one_run_and_one_transaction(shop: Shop) -> None:
    """Of each model one model run; Dagster is told of each partition, with a data version of its own."""
    assert shop.assets().backfill_policy == dg.BackfillPolicy.single_run()
    materialize(shop, "visits")
    result = materialize(shop, "days", "odd", first="2024-01-01", last="2024-01-03")
    assert result.success, messages(result, shop.instance)
    assert built(result) == [(name, day) for name in ("days", "odd") for day in DAYS[:3]]
    assert shop.query("select count(*), min(day)::text, max(day)::text from main.days") == [(9, *DAYS[0:3:2])]
    assert shop.instance.get_materialized_partitions(key("days")) == set(DAYS[:3])
    versions = {
        event.asset_materialization.tags["dagster/data_version"]
        for event in shop.instance.fetch_materializations(key("days"), limit=9).records
    }
    assert len(versions) == 3
    ((runs,),) = shop.state(
        "SELECT count(*) FROM partition_traces p JOIN models m ON m.id = p.model_id JOIN model_runs r"
        " ON r.id = p.model_run_id WHERE m.path = 'days' GROUP BY r.id"
    )
    assert runs == 3


def test_a_backfill_may_be_a_transaction_for_each_partition(shop: Shop) -> None:
    """With a policy of many runs, each of one partition: one that fails leaves what the others committed."""
    assert shop.assets().backfill_policy == dg.BackfillPolicy.single_run()
    policy = dg.BackfillPolicy.multi_run(max_partitions_per_run=1)
    assert shop.assets(backfill_policy=policy).backfill_policy == policy
    shop.edit("models/days.sql", "select id, day", "select id, case id when 5 then error('no') else day end as day")
    ended = [materialize(shop, "visits", "days", first=day).success for day in DAYS[:3]]
    assert ended == [True, False, True]
    assert shop.query("select distinct day::varchar from days order by 1") == [(DAYS[0],), (DAYS[2],)]


def test_one_partition_is_materialized_by_its_key(shop: Shop) -> None:
    """Materialize builds what was clicked; in changed mode what stands is skipped."""
    materialize(shop, "visits")
    for _ in range(2):
        assert built(materialize(shop, "days", first="2024-01-02")) == [("days", "2024-01-02")]
    changed = {"tags": {"leapsql/mode": "changed"}}
    assert built(materialize(shop, "days", first="2024-01-02", **changed)) == []
    assert built(materialize(shop, "days", first="2024-01-03", **changed)) == [("days", "2024-01-03")]
    assert shop.query("select distinct day::text from main.days order by 1") == [(DAYS[1],), (DAYS[2],)]


def test_a_run_of_no_partition_builds_what_is_stale(shop: Shop) -> None:
    """The job for changed models needs no key: it builds the partitions whose window holds what changed."""
    result = shop.run()
    assert result.success, messages(result, shop.instance)
    assert built(result) == [
        ("visits", None),
        *(("days", day) for day in DAYS),
        *(("odd", day) for day in DAYS),
        ("count", None),
    ]
    shop.edit("seeds/visits.csv", "1,2024-01-02", "13,2024-01-02")
    assert built(shop.run()) == [("visits", None), ("days", DAYS[1]), ("odd", DAYS[1])]
    assert built(shop.run()) == []


def test_partitions_are_mapped_to_what_the_query_shows(shop: Shop) -> None:
    """A day reads its own day; what has no partitions reads all of them, and so does what shows no window."""

    def mapping(name: str, parent: str) -> dg.PartitionMapping:
        graph = shop.definitions().get_repository_def().asset_graph
        return graph.get_partition_mapping(key(name), key(parent))

    assert isinstance(mapping("odd", "days"), dg.TimeWindowPartitionMapping)
    assert isinstance(mapping("count", "odd"), dg.AllPartitionMapping)
    shop.edit("models/odd.sql", "from days where", "from (from days) where")
    assert isinstance(mapping("odd", "days"), dg.AllPartitionMapping)


def test_python_assets_after_partitions_run(shop: Shop) -> None:
    """Of the same partition, and of all of them."""

    @dg.asset(deps=[dg.AssetDep(key("odd"), partition_mapping=dg.AllPartitionMapping())])
    def after() -> None:
        """Reads the whole table."""

    result = materialize(shop, "visits", "days", "odd", "count", also=[after])
    assert ("count", None) in built(result)
    result = shop.run(shop.definitions(after, in_job=dg.AssetSelection.assets(after)))
    assert result.success, messages(result, shop.instance)
    assert ("after", None) in built(result)


def test_a_failing_partition_fails_its_run_and_leaves_the_others(shop: Shop) -> None:
    """One transaction: nothing of it is there, nor told to Dagster."""
    materialize(shop, "visits")
    materialize(shop, "days", first="2024-01-01")
    shop.edit("models/days.sql", "select id, day", "select id // (day <> '2024-01-03')::int as id, day")
    shop.edit("models/days.sql", "materialized", "tests: [{not_null: id}]\nmaterialized")
    result = materialize(shop, "days", first="2024-01-02", last="2024-01-04")
    assert not result.success
    assert built(result) == []
    assert shop.query("select distinct day::text from main.days") == [("2024-01-01",)]


@pytest.mark.parametrize("emission", ["outputs", "events"])
def test_checks_of_partitions_say_what_was_found(shop: Shop, emission: Any) -> None:
    """In runs of a range, of one and of none; what waits in another step goes on, unless the model failed."""

    @dg.asset(deps=[dg.AssetDep(key("days"), partition_mapping=dg.AllPartitionMapping())])
    def after() -> None:
        """Reads the whole table."""

    def found(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
        return {
            one.check_name: one.passed for one in result.get_asset_check_evaluations() if one.asset_key == key("days")
        }

    shop.edit("models/days.sql", "/*---", "/*---\ntests: [{not_null: id}, {unique: {column: day, severity: warn}}]")
    resource = {"emission": emission}
    materialize(shop, "visits")
    for first, last in (("2024-01-01", "2024-01-02"), ("2024-01-03", "")):
        result = materialize(shop, "days", first=first, last=last, resource=resource)
        assert result.success, messages(result, shop.instance)
        assert found(result) == {**TOLD_BUILT, "not_null_id": True, "unique_day": False}
    together = shop.definitions(
        after, in_job=dg.AssetSelection.assets(after), resource=LeapSQLResource(mode="changed", emission=emission)
    )
    result = shop.run(together)
    assert result.success, messages(result, shop.instance)
    assert found(result) == {"build": True, "not_null_id": True, "unique_day": False}
    assert {("days", DAYS[3]), ("after", None)} <= set(built(result))
    result = shop.run(together)
    assert result.success, messages(result, shop.instance)
    assert built(result) == [("after", None)]
    checks = [dg.AssetCheckKey(key("days"), name) for name in ("build", "not_null_id", "unique_day")]
    alone = dg.define_asset_job("alone", selection=dg.AssetSelection.checks(*checks))
    resources = {"leapsql": LeapSQLResource(emission=emission)}
    result = shop.run(dg.Definitions(assets=[shop.assets()], jobs=[alone], resources=resources), job="alone")
    assert result.success, messages(result, shop.instance)
    assert found(result) == {"build": True, "not_null_id": True, "unique_day": False}
    shop.edit("models/days.sql", "select id, day", "select nullif(id, 7) as id, day")
    result = shop.run(shop.definitions(after, in_job=dg.AssetSelection.assets(after)))
    assert not result.success
    assert found(result) == {"build": False, "not_null_id": False, "unique_day": False}
    assert built(result) == []


def test_models_with_an_op_each_have_partitions(shop: Shop) -> None:
    """A range is one run of all steps; one of none builds what is stale, of what reads no partitions by windows."""
    definitions = shop.assets(op_per_model=True)
    policies = {one.key.path[-1]: one.backfill_policy for one in definitions}
    assert policies == {
        **dict.fromkeys(["visits", "count"]),
        **dict.fromkeys(["days", "odd"], dg.BackfillPolicy.single_run()),
    }
    for names, tags, said in (
        (["visits"], {}, [("visits", None)]),
        (
            ["days", "odd"],
            {RANGE_START: DAYS[0], RANGE_END: DAYS[1]},
            [(name, day) for name in ("days", "odd") for day in DAYS[:2]],
        ),
        (["days", "count"], {"leapsql/mode": "changed"}, [*(("days", day) for day in DAYS[2:]), ("count", None)]),
    ):
        result = dg.materialize(
            definitions,
            instance=shop.instance,
            resources={"leapsql": LeapSQLResource()},
            selection=[key(name) for name in names],
            tags=tags,
            raise_on_error=False,
        )
        assert result.success, messages(result, shop.instance)
        assert sorted(built(result), key=str) == sorted(said, key=str)


def test_keys_are_static_partitions(shop: Shop) -> None:
    """Under the same names."""
    shop.write(
        {
            "models/odd.sql": None,
            "models/count.sql": None,
            "models/days.sql": """/*---
materialized: incremental
incremental: {partitions: {keys: ['1', '2'], column: id}}
---*/
select id::varchar as id, day from visits where id = '{{ partition.key }}'
""",
        }
    )
    assert shop.assets().get_asset_spec(key("days")).partitions_def == dg.StaticPartitionsDefinition(["1", "2"])
    materialize(shop, "visits")
    assert built(materialize(shop, "days", first="2")) == [("days", "2")]
    assert shop.query("select id from main.days") == [("2",)]


def test_a_tick_asks_for_what_dagster_needs_to_run_without_a_partition(shop: Shop) -> None:
    """Beside what is to be built, the models with partitions that it reads; the run skips those that stand."""
    shop.run()
    shop.edit("models/odd.sql", "% 2 = 1", "% 2 = 0")
    definitions = shop.definitions()
    repository = definitions.get_repository_def()
    context = dg.build_sensor_context(
        instance=shop.instance, repository_def=repository, resources={"leapsql": LeapSQLResource()}
    )
    (request,) = repository.get_sensor_def("changed_models_sensor").evaluate_tick(context).run_requests
    assert request.asset_selection == [key("count"), key("days"), key("odd")]
    result = repository.get_job("changed_models").execute_in_process(
        instance=shop.instance, asset_selection=request.asset_selection, tags=request.tags, raise_on_error=False
    )
    assert result.success, messages(result, shop.instance)
    assert {name for name, _ in built(result)} == {"odd"}


def test_a_partition_that_comes_to_be_is_another_change(shop: Shop) -> None:
    """A change is asked for once; so one must be told from another, of the same code and of the same inputs."""
    shop.run()

    def change_without(day: str) -> str:
        with closing(sqlite3.connect(shop.root / ".leapsql/state.db")) as state, state:
            state.execute("DELETE FROM partition_traces WHERE partition_key = ?", (day,))
        asked = ask(loaded_assets_of(shop.assets()), LeapSQLResource())
        assert next(iter(asked.builds.values())).detail.endswith("(never built)")
        return asked.change

    assert change_without(DAYS[0]) == change_without(DAYS[0]) != change_without(DAYS[3])


def test_two_kinds_of_partitions_in_one_op_work_or_are_refused(shop: Shop) -> None:
    """Some versions of Dagster cannot select among them; then loading says so, and apart they work."""
    longer = {name: DAYS_FILES[f"models/{name}.sql"].replace("2024-01-05", "2024-03-01") for name in ("days", "odd")}
    shop.write({"models/days.sql": longer["days"], "models/odd.sql": longer["odd"].replace("daily", "monthly")})
    try:
        together = shop.assets()
    except UsageError as exc:
        assert "takes one kind of partitions in one op, and these differ: main/days, main/odd" in str(exc)  # noqa: PT017
        assert shop.assets(exclude="odd+").backfill_policy == dg.BackfillPolicy.single_run()
        return
    assert isinstance(together.get_asset_spec(key("odd")).partitions_def, dg.MonthlyPartitionsDefinition)
    assert materialize(shop, "visits", "days").success
    assert built(materialize(shop, "odd", first="2024-02-01")) == [("odd", "2024-02-01")]
    assert built(materialize(shop, "odd", first="2024-01-01")) == [("odd", "2024-01-01")]
    assert built(materialize(shop, "count")) == [("count", None)]
