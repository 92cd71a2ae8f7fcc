"""Runs that are taken up again where they failed build what is left, and nothing of what was built."""

import sqlite3
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableJob
from dagster_days import DAYS, DAYS_FILES, RANGE_END, RANGE_START, materialize
from dagster_shop import Shop, materialized

from leapsql_dagster import LeapSQLResource, leapsql_assets

#: A code location: the project in `shop` beside it, and a Python asset that reads one of its models.
CODE = """
from pathlib import Path

import dagster as dg

from leapsql_dagster import LeapSQLResource, build_changed_models_job, leapsql_assets

HERE = Path(__file__).parent


@leapsql_assets(project=HERE / "shop")
def shop(context: dg.AssetExecutionContext, leapsql: LeapSQLResource):
    yield from leapsql.run(context)


@dg.asset(key=["py", "scores"], deps=[["marts", "customers"]])
def scores():
    (HERE / "scores").touch()


defs = dg.Definitions(
    assets=[shop, scores],
    jobs=[
        build_changed_models_job([shop], also=dg.AssetSelection.assets(scores)),
        dg.define_asset_job("everything", executor_def=dg.in_process_executor),
    ],
    resources={"leapsql": LeapSQLResource()},
)


def everything():
    return defs.get_repository_def().get_job("everything")


def changed_models():
    return defs.get_repository_def().get_job("changed_models")
"""

BROKEN = ("models/marts/totals.sql", "sum(total)", "error('no luck')")
MENDED = (BROKEN[0], BROKEN[2], BROKEN[1])
BUILT = ["main/raw_orders", "marts/customers", "marts/order_count", "staging/orders"]


def execute(
    shop: Shop,
    job: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    resume: str | None = None,
    code_text: str = CODE,
    **options: object,
) -> dg.JobExecutionResult:
    """Run a job as a process does that loads its code anew, or take a run up again where it failed."""
    code = shop.root.parent / f"code_{len(shop.instance.get_run_ids())}.py"
    code.write_text(code_text)
    monkeypatch.setattr("leapsql_dagster.loading._loaded", {})
    if resume is not None:
        options["reexecution_options"] = dg.ReexecutionOptions.from_failure(resume, shop.instance)
    found = ReconstructableJob.for_file(str(code), job)
    with dg.execute_job(found, instance=shop.instance, raise_on_error=False, **options) as result:
        return result


def built(shop: Shop, result: dg.JobExecutionResult) -> list[str]:
    """Return the keys that a run materialized, sorted."""
    entries = shop.instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    events = [entry.get_dagster_event() for entry in entries]
    return sorted(event.asset_key.to_user_string() for event in events if event.asset_key is not None)


def red(shop: Shop, result: dg.JobExecutionResult) -> list[str]:
    """Return the checks that a run planned and that did not pass, those included of which it said nothing."""
    planned = shop.instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED)
    said = shop.instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    keys = {entry.get_dagster_event().event_specific_data.asset_check_key for entry in planned}
    found = [entry.get_dagster_event().event_specific_data for entry in said]
    left = keys - {one.asset_check_key for one in found if one.passed}
    return sorted(f"{key.asset_key.to_user_string()}:{key.name}" for key in left)


@pytest.mark.parametrize("job", ["everything", "changed_models"])
def test_a_run_that_is_executed_again_from_failure_builds_what_is_left(
    shop: Shop, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In both modes, also when it fails twice; what reads what was built goes on."""
    shop.edit(*BROKEN)
    first = execute(shop, job, monkeypatch)
    assert (first.success, built(shop, first)) == (False, BUILT)
    second = execute(shop, job, monkeypatch, resume=first.run_id)
    assert (second.success, built(shop, second)) == (False, [])
    assert red(shop, first) == red(shop, second) == ["marts/totals:build"]
    shop.edit(*MENDED)
    third = execute(shop, job, monkeypatch, resume=second.run_id)
    assert (third.success, built(shop, third)) == (True, ["marts/totals", "py/scores"])
    assert (shop.root.parent / "scores").exists()
    assert shop.query("select total from marts.totals") == [(60,)]


def test_what_dagster_selects_after_a_failure_is_built(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The assets that a run planned and did not materialize: with `FROM_ASSET_FAILURE` Dagster asks for no others."""
    shop.edit(*BROKEN)
    first = execute(shop, "everything", monkeypatch)
    run = shop.instance.get_run_by_id(first.run_id)
    assert run is not None
    assert run.execution_plan_snapshot_id is not None
    snapshot = shop.instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
    keys, _ = shop.instance.run_domain.get_keys_to_reexecute(first.run_id, snapshot)
    assert sorted(key.to_user_string() for key in keys) == ["marts/totals", "py/scores"]
    shop.edit(*MENDED)
    second = execute(shop, "everything", monkeypatch, asset_selection=sorted(keys))
    assert (second.success, built(shop, second)) == (True, ["marts/totals", "py/scores"])


LOG = """/*---
materialized: incremental
---*/
select total from marts.totals
"""


def test_a_full_refresh_that_is_executed_again_from_failure_is_one(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tags and config are those of the run, as the UI and automatic retries of Dagster keep them.

    What waited for the failure is made anew, though nothing has changed for it.
    """
    asked: dict[str, object] = {
        "tags": {"leapsql/mode": "changed"},
        "run_config": {"resources": {"leapsql": {"config": {"full_refresh": True}}}},
    }
    shop.write({"models/marts/log.sql": LOG})
    assert execute(shop, "everything", monkeypatch).success
    shop.edit(*BROKEN)
    first = execute(shop, "everything", monkeypatch, **asked)
    assert not first.success
    shop.edit(*MENDED)
    second = execute(shop, "everything", monkeypatch, resume=first.run_id, **asked)
    assert second.success
    assert shop.outcomes()["marts.log"] == ("success", "full_refresh")
    assert shop.state("SELECT request FROM runs ORDER BY rowid") == [
        ('{"force":true}',),
        ('{"full_refresh":true}',),
        ('{"full_refresh":true}',),
    ]


def test_a_batch_that_a_killed_run_committed_is_not_applied_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though all that is left is to be built, and nobody has noted that this was: the warehouse tells."""
    shop.write({"models/marts/appended.sql": LOG.replace("marts.totals", "marts.customers")})
    shop.edit(*BROKEN)
    first = execute(shop, "everything", monkeypatch)
    assert (first.success, shop.query("select count(*) from marts.appended")) == (False, [(2,)])
    with closing(sqlite3.connect(shop.root / ".leapsql/state.db")) as connection, connection:
        made = "(SELECT r.id FROM model_runs r JOIN models m ON m.id = r.model_id WHERE m.path = 'marts.appended')"
        connection.execute(f"UPDATE model_runs SET status = 'running', completed_at = NULL WHERE id IN {made}")
        connection.execute(f"DELETE FROM current_traces WHERE model_run_id IN {made}")
    shop.edit(*MENDED)
    second = execute(shop, "everything", monkeypatch, resume=first.run_id)
    assert second.success
    assert shop.outcomes() == {
        "marts.appended": ("skipped", "unchanged"),
        "marts.totals": ("success", "new"),
    }
    assert shop.query("select count(*) from marts.appended") == [(2,)]


DAYS_CODE = f"""{CODE.partition("@dg.asset")[0]}
defs = dg.Definitions(
    assets=[shop],
    jobs=[
        dg.define_asset_job(
            "days", selection=dg.AssetSelection.assets(["main", "days"]), executor_def=dg.in_process_executor
        )
    ],
    resources={{"leapsql": LeapSQLResource()}},
)


def days():
    return defs.get_repository_def().get_job("days")
"""


def test_partitions_that_are_executed_again_from_failure_are_the_same(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no others, though those are missing; the state notes of each run which it was of."""
    tags = {RANGE_START: DAYS[1], RANGE_END: DAYS[2]}
    shop.write({name: text for name, text in DAYS_FILES.items() if name != "leapsql.yaml"})
    assert materialize(shop, "visits").success
    shop.edit("models/days.sql", "select id, day", "select nothing(id) as id, day")
    first = execute(shop, "days", monkeypatch, code_text=DAYS_CODE, tags=tags)
    assert not first.success
    shop.edit("models/days.sql", "nothing(id) as id", "id")
    second = execute(shop, "days", monkeypatch, code_text=DAYS_CODE, resume=first.run_id, tags=tags)
    assert second.success
    assert shop.state("SELECT partition_key FROM partition_traces ORDER BY 1") == [(DAYS[1],), (DAYS[2],)]
    requests = shop.state("SELECT request FROM runs ORDER BY rowid")
    assert requests[-2:] == [(f'{{"force":true,"partitions":["{DAYS[1]}","{DAYS[2]}"]}}',)] * 2


@pytest.mark.parametrize("steps", [[], ["shop"]], ids=["all", "picked"])
def test_a_run_that_is_executed_again_as_a_whole_builds_all_of_it(
    shop: Shop, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a step that had succeeded: whoever asks for that again wants it anew."""
    first = execute(shop, "everything", monkeypatch)
    assert first.success
    again = dg.ReexecutionOptions(parent_run_id=first.run_id, step_selection=steps)
    second = execute(shop, "everything", monkeypatch, reexecution_options=again)
    assert second.success
    assert set(built(shop, second)) >= {*BUILT, "marts/totals"}


@pytest.mark.parametrize("mode", ["all", "changed"])
def test_a_retry_policy_builds_what_is_left(shop: Shop, mode: str, tmp_path: Path) -> None:
    """Every model is built once, whichever attempt it was, and also where all that is selected is to be built."""
    shop.write({"models/marts/late.sql": f"select * from read_csv('{tmp_path}/late.csv')"})

    @leapsql_assets(project=shop.root, retry_policy=dg.RetryPolicy(max_retries=2))
    def late(context: dg.AssetExecutionContext, leapsql: LeapSQLResource):
        if context.retry_number == 2:
            (tmp_path / "late.csv").write_text("a\n1\n")
        yield from leapsql.run(context)

    found = dg.materialize(
        [late],
        instance=shop.instance,
        resources={"leapsql": LeapSQLResource()},
        tags={"leapsql/mode": mode},
        raise_on_error=False,
    )
    assert found.success
    assert materialized(found) == sorted([*BUILT, "marts/totals", "marts/late"])
    tried = "SELECT count(*), count(*) FILTER (WHERE r.status = 'failed') FROM model_runs r"
    assert shop.state(f"{tried} JOIN models m ON m.id = r.model_id WHERE m.path = 'marts.late'") == [(3, 2)]
    assert shop.state("SELECT count(*) FROM model_runs WHERE status = 'success'") == [(6,)]
