"""LeapSQL in Dagster: models as assets, built when they changed.

Names are loaded when they are first used, so that a code location loads what it uses.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_HOME_OF = {
    "DagsterLeapSQLTranslator": "translator",
    "LeapSQLProject": "loading",
    "LeapSQLProjectComponent": "component",
    "LeapSQLResource": "resource",
    "build_automation_sensors": "conditions",
    "build_changed_models_job": "jobs",
    "build_changed_models_schedule": "schedules",
    "build_changed_models_sensor": "sensors",
    "build_leapsql_asset_selection": "selection",
    "build_leapsql_definitions": "joining",
    "build_observable_sources": "sources",
    "build_run_status_sensor": "closing",
    "leapsql_assets": "assets",
    "model_changed": "conditions",
    "needs_build": "conditions",
}

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


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF})
