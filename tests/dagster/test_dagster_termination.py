"""Runs that are terminated or left: the model in flight is rolled back, the run ends, the lease is free."""

import gc
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.test_utils import create_run_for_test, instance_for_test
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import PythonFileTarget
from dagster_shop import Shop

from leapsql_dagster import LeapSQLProject, LeapSQLResource, leapsql_assets

DEFINITIONS = """
from pathlib import Path
import dagster as dg
from leapsql_dagster import LeapSQLProject, LeapSQLResource, build_changed_models_job, leapsql_assets

@leapsql_assets(project=LeapSQLProject(Path(__file__).parent / "shop"))
def shop(context: dg.AssetExecutionContext, leapsql: LeapSQLResource):
    yield from leapsql.run(context)

defs = dg.Definitions([shop], jobs=[build_changed_models_job([shop])], resources={"leapsql": LeapSQLResource()})
"""
FILES = {
    "models/slow.sql": "select count(*) as n from range(1000000000000) as r(n) where hash(n) = 7\n",
    "models/slower.sql": "select n from slow\n",
}


def until(holds: Callable[[], Any]) -> Any:
    """Wait until something holds, and return it."""
    for _ in range(6000):
        found = holds()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{holds} never held")


def assert_cancelled(shop: Shop) -> None:
    """What was committed counts, the rest was not begun; the next run does it."""
    assert shop.state("SELECT status, error FROM runs") == [("cancelled", "the run was cancelled")]
    outcomes = shop.outcomes()
    assert outcomes["raw_orders"] == ("success", "new")
    assert outcomes["slow"] == outcomes["slower"] == ("skipped", "cancelled")
    assert {status for status, _ in outcomes.values()} == {"success", "skipped"}
    assert shop.state("SELECT * FROM leases") == []
    assert shop.query("select count(*) from duckdb_tables() where table_name = 'slow'") == [(0,)]
    shop.write({"models/slow.sql": "select 1 as n\n"})
    built = {path for path, (status, _) in outcomes.items() if status == "success"}
    assert shop.run().success
    assert {path for path, (status, _) in shop.outcomes().items() if status == "skipped"} == built


def launch(instance: dg.DagsterInstance, workspace: WorkspaceProcessContext) -> str:
    """Let Dagster launch the changed-models job, as its page does, and return the id of its run."""
    context = workspace.create_request_context()
    (location,) = context.code_locations
    job = location.get_repository("__repository__").get_full_job("changed_models")
    run = create_run_for_test(
        instance,
        job.name,
        run_config={"resources": {"leapsql": {"config": {"mode": "changed"}}}},
        remote_job_origin=job.get_remote_origin(),
        job_code_origin=job.get_python_origin(),
    )
    instance.launch_run(run.run_id, context)
    return run.run_id


def test_a_run_that_is_terminated_from_dagsters_page_is_cancelled(shop: Shop, tmp_path: Path) -> None:
    """By the launcher that `dagster dev` has, in a process of its own."""
    shop.write(FILES)
    (tmp_path / "definitions.py").write_text(DEFINITIONS)
    (tmp_path / "home").mkdir()
    target = PythonFileTarget(str(tmp_path / "definitions.py"), None, str(tmp_path), "shop")
    overrides = {"code_servers": {"wait_for_local_processes_on_shutdown": False}}

    def is_building() -> Any:
        query = (
            "SELECT 1 FROM model_runs JOIN models ON models.id = model_id WHERE path = 'slow' AND status = 'running'"
        )
        return (shop.root / ".leapsql" / "warehouse.duckdb").exists() and shop.state(query)

    with (
        instance_for_test(temp_dir=str(tmp_path / "home"), overrides=overrides) as instance,
        WorkspaceProcessContext(instance, target) as workspace,
    ):
        run_id = launch(instance, workspace)
        until(is_building)
        assert instance.run_launcher.terminate(run_id)
        until(lambda: (run := instance.get_run_by_id(run_id)) is not None and run.is_finished)
        assert instance.get_run_by_id(run_id).status == dg.DagsterRunStatus.CANCELED
        # Dagster may say so while the process is still on its way out.
        until(lambda: not shop.state("SELECT 1 FROM runs WHERE status = 'running'"))
    assert_cancelled(shop)


def test_a_run_that_dagster_leaves_while_a_model_is_built_is_cancelled(shop: Shop) -> None:
    """As it does when it fails between two results: nobody tells the op, until it is forgotten or the process ends."""
    shop.write(FILES)

    @leapsql_assets(project=LeapSQLProject(shop.root))
    def models(context: dg.AssetExecutionContext, leapsql: LeapSQLResource):
        for result in leapsql.run(context):
            yield result
            yield dg.Output(None, output_name="nobody knows it")

    definitions = dg.Definitions([models], resources={"leapsql": LeapSQLResource()})
    assert not shop.run(definitions, job="__ASSET_JOB").success
    gc.collect()
    names = [thread.name for thread in threading.enumerate()]
    assert [name for name in names if name.startswith("leapsql")] == []
    assert_cancelled(shop)
