"""LeapSQL in Dagster: models as assets, built when they changed."""

from leapsql_dagster.assets import leapsql_assets
from leapsql_dagster.jobs import build_changed_models_job
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
    "LeapSQLResource",
    "build_changed_models_job",
    "build_changed_models_schedule",
    "build_changed_models_sensor",
    "build_leapsql_asset_selection",
    "build_observable_sources",
    "leapsql_assets",
]
