"""The flights project in Dagster: assets, a job in changed mode, its schedule and its sensor."""

from pathlib import Path

import dagster as dg

from leapsql_dagster import (
    LeapSQLProject,
    LeapSQLResource,
    build_changed_models_job,
    build_changed_models_schedule,
    build_changed_models_sensor,
    leapsql_assets,
)

PROJECT = LeapSQLProject(Path(__file__).parent)


@leapsql_assets(project=PROJECT)
def flights(context: dg.AssetExecutionContext, leapsql: LeapSQLResource):
    """Build the models and seeds that were asked for."""
    yield from leapsql.run(context)


changed_models = build_changed_models_job([flights])

defs = dg.Definitions(
    assets=[flights],
    jobs=[changed_models],
    schedules=[build_changed_models_schedule([flights], job=changed_models, cron_schedule="0 6 * * *")],
    sensors=[build_changed_models_sensor([flights], job=changed_models)],
    resources={"leapsql": LeapSQLResource()},
    # DuckDB lets one process write at a time: steps in one process do not wait for each other.
    executor=dg.in_process_executor,
)
