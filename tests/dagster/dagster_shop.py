"""A small project in Dagster, and what tests ask of it."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from leapsql_core.execution.processes import this_process
from leapsql_core.models import Run
from leapsql_core.state import SqliteStateStore
from leapsql_dagster import (
    DagsterLeapSQLTranslator,
    LeapSQLProject,
    LeapSQLResource,
    build_changed_models_job,
    build_changed_models_schedule,
    build_changed_models_sensor,
    leapsql_assets,
)

FILES = {
    "leapsql.yaml": """name: shop
target: {type: duckdb}
vars: {least: 0}
environments: {prod: {target: {database: .leapsql/prod.duckdb}}}
""",
    "seeds/raw_orders.csv": "id,customer,amount,note\n1,ann,10,x\n2,bob,20,y\n3,ann,30,z\n",
    "models/staging/orders.sql": """/*---
description: One row per order.
materialized: view
owner: data@example.com
tags: [core]
columns: {id: Number of the order.}
---*/
select id, customer, amount
from raw_orders
""",
    "models/marts/customers.sql": """/*---
owner: sales
tests:
  - unique: customer
  - not_null: customer
---*/
select customer, sum(amount) as total
from staging.orders
where amount > {{ var('least') }}
group by customer
""",
    "models/marts/totals.sql": "select sum(total) as total\nfrom marts.customers\n",
    "models/marts/order_count.sql": "select count(*) as orders\nfrom staging.orders\n",
}


#: Loads a `defs.yaml` for each set of attributes.
Load = Callable[..., AbstractContextManager[dg.Definitions]]
COMPONENT = "leapsql_dagster.LeapSQLProjectComponent"


@dataclass
class Shop:
    """A project on disk, and a Dagster instance that remembers its runs."""

    root: Path
    instance: dg.DagsterInstance
    project_options: dict[str, Any] = field(default_factory=dict)

    def write(self, files: Mapping[str, str | None]) -> None:
        """Write files; ``None`` deletes one."""
        for name, text in files.items():
            path = self.root / name
            if text is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a piece of a file."""
        text = (self.root / name).read_text()
        assert old in text
        (self.root / name).write_text(text.replace(old, new))

    def assets(self, *, translator: DagsterLeapSQLTranslator | None = None, **options: Any) -> dg.AssetsDefinition:
        """Load the project as its files are now, as a fresh process would."""
        project = LeapSQLProject(self.root, **self.project_options)

        @leapsql_assets(project=project, translator=translator, **options)
        def shop(context: dg.AssetExecutionContext, leapsql: LeapSQLResource):
            yield from leapsql.run(context)

        return shop

    def definitions(
        self,
        *also: Any,
        resource: LeapSQLResource | None = None,
        in_job: dg.AssetSelection | None = None,
        **options: Any,
    ) -> dg.Definitions:
        """Return definitions with the job in changed mode, its schedule and its sensor."""
        assets = self.assets(**options)
        job = build_changed_models_job([assets], resource=resource, also=in_job)
        return dg.Definitions(
            assets=[assets, *also],
            jobs=[job],
            schedules=[build_changed_models_schedule([assets], job=job, cron_schedule="0 6 * * *")],
            sensors=[build_changed_models_sensor([assets], job=job)],
            resources={"leapsql": resource or LeapSQLResource()},
        )

    def run(
        self, definitions: dg.Definitions | None = None, *, job: str = "changed_models", **options: Any
    ) -> dg.ExecuteInProcessResult:
        """Run a job of (freshly loaded) definitions."""
        found = get_job(definitions or self.definitions(), job)
        return found.execute_in_process(instance=self.instance, raise_on_error=False, **options)

    def query(self, sql: str, *, database: str = "warehouse") -> list[tuple[Any, ...]]:
        """Ask the warehouse."""
        with closing(duckdb.connect(str(self.root / f".leapsql/{database}.duckdb"))) as connection:
            return connection.execute(sql).fetchall()

    def state(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the state as anybody can, with plain SQLite."""
        with closing(sqlite3.connect(self.root / ".leapsql/state.db")) as connection:
            return connection.execute(sql).fetchall()

    def outcomes(self) -> dict[str, tuple[str, str]]:
        """Return status and reason of each model in the latest run of the state."""
        rows = self.state(
            "SELECT m.path, r.status, r.reason FROM model_runs r JOIN models m ON m.id = r.model_id"
            " WHERE r.run_id = (SELECT id FROM runs ORDER BY started_at DESC, rowid DESC LIMIT 1)"
        )
        return {path: (status, reason) for path, status, reason in rows}


def gone() -> int:
    """Return the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def begin_and_die(
    shop: Shop, *, environment: str = "dev", orchestrator_run_id: str | None = None, model_run_id: str = ""
) -> Run:
    """Leave a run behind as a process does that is killed while it builds `marts.totals`."""
    with closing(SqliteStateStore(shop.root / ".leapsql" / "state.db")) as store:
        store.open()
        store.init_schema()
        holder = replace(this_process(), pid=gone())
        run = store.begin_run(
            environment, holder, is_dead=lambda lease, now: False, orchestrator_run_id=orchestrator_run_id
        )
        assert isinstance(run, Run)
        for model in store.list_models():
            if model.path == "marts.totals":
                store._new_id = lambda: model_run_id or f"model run of {run.id}"
                store.record_model_run(run.id, model.id, "running")
    return run


def get_job(definitions: dg.Definitions, name: str) -> dg.JobDefinition:
    """Return a job by name, on every supported version of Dagster."""
    return definitions.get_repository_def().get_job(name)


def the_assets(definitions: dg.Definitions) -> dg.AssetsDefinition:
    """Return the only assets that were made in Python."""
    (assets,) = [one for one in definitions.assets or [] if isinstance(one, dg.AssetsDefinition)]
    return assets


def materialized(result: dg.ExecuteInProcessResult) -> list[str]:
    """Return the keys that a run materialized, sorted."""
    events = result.get_asset_materialization_events()
    return sorted(event.asset_key.to_user_string() for event in events if event.asset_key)


def metadata_of(result: dg.ExecuteInProcessResult, key: str) -> Mapping[str, Any]:
    """Return the metadata of one materialization of a run."""
    return materialization_of(result, key).metadata


def tags_of(result: dg.ExecuteInProcessResult, key: str) -> Mapping[str, str]:
    """Return the tags of one materialization of a run, with the versions that Dagster keeps."""
    return materialization_of(result, key).tags or {}


def materialization_of(result: dg.ExecuteInProcessResult, key: str) -> dg.AssetMaterialization:
    """Return one materialization of a run."""
    for event in result.get_asset_materialization_events():
        if event.asset_key is not None and event.asset_key.to_user_string() == key:
            return event.materialization
    raise AssertionError(f"{key} was not materialized")


def messages(result: dg.ExecuteInProcessResult, instance: dg.DagsterInstance) -> str:
    """Return everything that a run logged, what failures say included."""
    said: list[str] = []
    for entry in instance.all_logs(result.run_id):
        said.append(entry.user_message)
        event = entry.dagster_event
        if event is not None and event.is_step_failure and event.step_failure_data.error is not None:
            said.append(event.step_failure_data.error.to_string())
    return "\n".join(said)


def to_try_again(instance: dg.DagsterInstance, run_id: str) -> tuple[set[dg.AssetKey], set[dg.AssetCheckKey]]:
    """Return what Dagster tries again; the method lies elsewhere in older versions."""
    run = instance.get_run_by_id(run_id)
    assert run is not None
    assert run.execution_plan_snapshot_id is not None
    snapshot = instance.get_execution_plan_snapshot(run.execution_plan_snapshot_id)
    owner: Any = instance if hasattr(instance, "get_keys_to_reexecute") else getattr(instance, "_run_domain", None)
    if owner is None:
        owner = instance.run_domain
    found: tuple[set[dg.AssetKey], set[dg.AssetCheckKey]] = owner.get_keys_to_reexecute(run_id, snapshot)
    return found
