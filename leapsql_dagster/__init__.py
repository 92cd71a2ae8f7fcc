"""LeapSQL in Dagster: models as assets, built when they changed."""

from leapsql_dagster.assets import leapsql_assets
from leapsql_dagster.closing import build_run_status_sensor
from leapsql_dagster.component import LeapSQLProjectComponent
from leapsql_dagster.conditions import build_automation_sensors, model_changed, needs_build
from leapsql_dagster.jobs import build_changed_models_job
from leapsql_dagster.joining import build_leapsql_definitions
from leapsql_dagster.loading import LeapSQLProject
from leapsql_dagster.resource import LeapSQLResource
from leapsql_dagster.schedules import build_changed_models_schedule
from leapsql_dagster.selection import build_leapsql_asset_selection
from leapsql_dagster.sensors import build_changed_models_sensor
from leapsql_dagster.sources import build_observable_sources
from leapsql_dagster.translator import DagsterLeapSQLTranslator

__all__ = [
    "DagsterLeapSQLTranslator",
    "LeapSQLProject",
    "LeapSQLProjectComponent",
    "LeapSQLResource",
    "build_automation_sensors",
    "build_changed_models_job",
    "build_changed_models_schedule",
    "build_changed_models_sensor",
    "build_leapsql_asset_selection",
    "build_leapsql_definitions",
    "build_observable_sources",
    "build_run_status_sensor",
    "leapsql_assets",
    "model_changed",
    "needs_build",
]
