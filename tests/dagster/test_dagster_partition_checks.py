"""The `build` check of models with partitions: a result of each, where Dagster knows checks that have some."""

import warnings
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster_days import DAYS, DAYS_FILES, built, key, materialize
from dagster_shop import Shop, messages, to_try_again

from leapsql_dagster import LeapSQLResource
from leapsql_dagster.check_partitions import KNOWS_PARTITIONED_CHECKS

WHERE_KNOWN = pytest.mark.skipif(not KNOWS_PARTITIONED_CHECKS, reason="this Dagster's checks have no partitions")
WITH_A_TEST = "/*---\ntests: [{not_null: id}]"
FAILS_ON_THE_THIRD = (
    "select id, day",
    "select id, case when day = '2024-01-03' then error('no third') else day end as day",
)


@pytest.fixture
def shop(tmp_path: Path, instance: dg.DagsterInstance) -> Shop:
    made = Shop(tmp_path / "shop", instance)
    made.write({**DAYS_FILES, "models/days.sql": DAYS_FILES["models/days.sql"].replace("/*---", WITH_A_TEST)})
    return made


def told(result: dg.ExecuteInProcessResult, name: str = "days") -> dict[str | None, bool]:
    """Return what a run tells of a model's `build` check, by partition; each is told once."""
    found = [one for one in evaluations(result) if one.asset_key == key(name) and one.check_name == "build"]
    results = {getattr(one, "partition", None): one.passed for one in found}
    assert len(results) == len(found)
    return results


def evaluations(result: dg.ExecuteInProcessResult) -> list[dg.AssetCheckEvaluation]:
    return list(result.get_asset_check_evaluations())


def shown(shop: Shop, name: str = "days") -> dict[str, str]:
    """Return what Dagster's pages show of a model's `build` check, by partition."""
    (spec,) = [one for one in shop.assets().check_specs if one.key == dg.AssetCheckKey(key(name), "build")]
    storage: Any = shop.instance.event_log_storage
    state = storage.get_asset_check_state([(spec.key, getattr(spec, "partitions_def", None))])[spec.key]
    found: dict[str, str] = {}
    for status, subset in state.subsets.items():
        for partition in () if subset.is_empty else subset.value.get_partition_keys():
            assert partition not in found
            found[partition] = status.value
    return found


def test_the_build_check_has_the_partitions_of_its_model(shop: Shop) -> None:
    """Tests have none, for they look at the whole table; nobody is warned that Dagster may change it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", category=dg.PreviewWarning)
        assets = shop.assets()
        repository = shop.definitions().get_repository_def()
    assert repository.asset_graph.asset_check_keys == {spec.key for spec in assets.check_specs}
    days = assets.get_asset_spec(key("days")).partitions_def
    parted = {spec.key: getattr(spec, "partitions_def", None) for spec in assets.check_specs}
    assert days is not None
    assert parted == {
        dg.AssetCheckKey(key("days"), "build"): days if KNOWS_PARTITIONED_CHECKS else None,
        dg.AssetCheckKey(key("days"), "not_null_id"): None,
        dg.AssetCheckKey(key("odd"), "build"): days if KNOWS_PARTITIONED_CHECKS else None,
        dg.AssetCheckKey(key("count"), "build"): None,
        dg.AssetCheckKey(key("visits"), "build"): None,
    }


@pytest.mark.skipif(KNOWS_PARTITIONED_CHECKS, reason="this Dagster's checks have partitions")
def test_where_checks_have_no_partitions_one_result_is_of_all(shop: Shop) -> None:
    """As of any model: red where it failed, silent in a run in which nothing does, green after one that did."""
    assert told(materialize(shop, "visits", "days", first=DAYS[0], last=DAYS[1])) == {}
    shop.edit("models/days.sql", *FAILS_ON_THE_THIRD)
    assert told(materialize(shop, "days", first=DAYS[1], last=DAYS[2])) == {None: False}
    shop.edit("models/days.sql", *reversed(FAILS_ON_THE_THIRD))
    assert told(materialize(shop, "days", first=DAYS[2])) == {None: True}


@WHERE_KNOWN
@pytest.mark.parametrize("op_per_model", [False, True])
def test_each_partition_that_was_built_is_green(shop: Shop, *, op_per_model: bool) -> None:
    """In a run of one, and of a range; the results are of the rows that were built, so that Dagster shows them."""
    definitions = {"op_per_model": op_per_model}
    result = materialize(shop, "visits", "days", first=DAYS[0], assets=definitions)
    assert result.success, messages(result, shop.instance)
    assert told(result) == {DAYS[0]: True}
    assert shown(shop) == {DAYS[0]: "SUCCEEDED"}
    result = materialize(shop, "days", "odd", first=DAYS[0], last=DAYS[2], assets=definitions)
    assert result.success, messages(result, shop.instance)
    assert told(result) == told(result, "odd") == dict.fromkeys(DAYS[:3], True)
    assert shown(shop) == shown(shop, "odd") == dict.fromkeys(DAYS[:3], "SUCCEEDED")
    shop.instance.report_runless_asset_event(dg.AssetMaterialization(key("days"), partition=DAYS[1]))
    assert shown(shop) == {DAYS[0]: "SUCCEEDED", DAYS[2]: "SUCCEEDED"}


@WHERE_KNOWN
def test_each_partition_that_was_asked_of_what_failed_is_red(shop: Shop) -> None:
    """With the error, and so it is of what was skipped because of it; Dagster tries these again, and no others."""
    materialize(shop, "visits", "days", "odd", first=DAYS[0], last=DAYS[1])
    shop.edit("models/days.sql", *FAILS_ON_THE_THIRD)
    result = materialize(shop, "visits", "days", "odd", first=DAYS[1], last=DAYS[3])
    assert not result.success
    assert told(result) == told(result, "odd") == dict.fromkeys(DAYS[1:], False)
    assert shown(shop) == shown(shop, "odd") == {DAYS[0]: "SUCCEEDED", **dict.fromkeys(DAYS[1:], "FAILED")}
    errors = [one.metadata["leapsql/error"] for one in evaluations(result) if one.description == "failed"]
    assert ["no third" in str(error.value) for error in errors] == [True, True, True]
    assets, checks = to_try_again(shop.instance, result.run_id)
    assert assets == {key("days"), key("odd")}
    assert {one.asset_key for one in checks} == {key("days"), key("odd")}
    shop.edit("models/days.sql", *reversed(FAILS_ON_THE_THIRD))
    assert told(materialize(shop, "days", first=DAYS[2])) == {DAYS[2]: True}
    assert shown(shop) == {
        **dict.fromkeys([DAYS[0], DAYS[2]], "SUCCEEDED"),
        **dict.fromkeys([DAYS[1], DAYS[3]], "FAILED"),
    }


@WHERE_KNOWN
def test_a_run_of_no_partition_tells_of_those_that_it_was_to_build(shop: Shop) -> None:
    """Red or built; the next one that is fine makes all green that were red, and one that does nothing says nothing."""
    materialize(shop, "visits", "days", "odd", first=DAYS[0], last=DAYS[2])
    shop.edit("models/days.sql", *FAILS_ON_THE_THIRD)
    result = shop.run()
    assert not result.success
    assert told(result) == dict.fromkeys(DAYS, False)
    assert told(result, "odd") == {DAYS[3]: False}
    assert told(result, "visits") == {None: True}
    shop.edit("models/days.sql", *reversed(FAILS_ON_THE_THIRD))
    result = shop.run()
    assert result.success, messages(result, shop.instance)
    assert built(result) == [("days", DAYS[3]), ("odd", DAYS[3]), ("count", None)]
    assert told(result) == dict.fromkeys(DAYS, True)
    assert told(result, "odd") == {DAYS[3]: True}
    assert shown(shop) == shown(shop, "odd") == dict.fromkeys(DAYS, "SUCCEEDED")
    assert evaluations(shop.run()) == []
    assert shown(shop) == dict.fromkeys(DAYS, "SUCCEEDED")


@WHERE_KNOWN
def test_partitions_that_stand_are_told_beside_those_that_were_built(shop: Shop) -> None:
    """Of a run in changed mode that is of a range: Dagster awaits a result of each."""
    changed = {"tags": {"leapsql/mode": "changed"}}
    materialize(shop, "visits", "days", first=DAYS[1])
    result = materialize(shop, "days", first=DAYS[0], last=DAYS[2], **changed)
    assert built(result) == [("days", DAYS[0]), ("days", DAYS[2])]
    said = {one.partition: one.description for one in evaluations(result) if one.check_name == "build"}
    assert {day: str(said[day]).split(":")[0] for day in said} == {
        DAYS[0]: "built",
        DAYS[1]: "needs no build",
        DAYS[2]: "built",
    }
    result = materialize(shop, "days", first=DAYS[0], last=DAYS[2], **changed)
    assert built(result) == []
    assert told(result) == dict.fromkeys(DAYS[:3], True)


@WHERE_KNOWN
def test_the_check_alone_tells_of_the_partitions_that_are_asked(shop: Shop) -> None:
    """What was never built is red; where none is asked, the model as a whole is told of."""
    materialize(shop, "visits", "days", first=DAYS[1])
    alone = dg.define_asset_job("alone", selection=dg.AssetSelection.checks(dg.AssetCheckKey(key("days"), "build")))
    definitions = dg.Definitions(assets=[shop.assets()], jobs=[alone], resources={"leapsql": LeapSQLResource()})
    for partition, said in ((None, {None: True}), (DAYS[1], {DAYS[1]: True}), (DAYS[2], {DAYS[2]: False})):
        tags = {} if partition is None else {"dagster/partition": partition}
        result = shop.run(definitions, job="alone", tags=tags)
        assert told(result) == said, messages(result, shop.instance)
    assert shown(shop) == {DAYS[1]: "SUCCEEDED", DAYS[2]: "FAILED"}


def test_what_reads_the_same_partition_waits_for_its_build(shop: Shop) -> None:
    """A Python asset in another step goes on where the partition was built, and not where it failed."""
    days = shop.assets().get_asset_spec(key("days")).partitions_def

    @dg.asset(
        key_prefix="main", deps=[key("days")], partitions_def=days, backfill_policy=dg.BackfillPolicy.single_run()
    )
    def after() -> None:
        """Reads the day."""

    result = materialize(shop, "visits", "days", "after", first=DAYS[0], also=[after])
    assert result.success, messages(result, shop.instance)
    assert built(result) == [("visits", None), ("days", DAYS[0]), ("after", DAYS[0])]
    shop.edit("models/days.sql", *FAILS_ON_THE_THIRD)
    result = materialize(shop, "days", "after", first=DAYS[2], also=[after])
    assert not result.success
    assert built(result) == []


@WHERE_KNOWN
def test_what_is_decided_when_its_turn_comes_is_told_of_its_partitions(shop: Shop) -> None:
    """Whether a model has to be built, and which partitions of it, may show once what it reads was built."""
    shop.edit("models/odd.sql", "select id, day", "select case when id = 13 then error('no') else id end as id, day")
    assert shop.run().success
    shop.edit("seeds/visits.csv", "1,2024-01-02", "13,2024-01-02")
    result = shop.run()
    assert told(result) == {DAYS[1]: True}
    assert told(result, "odd") == {DAYS[1]: False}
