"""What a `defs.yaml` declares beside its assets, made by the functions that Python calls for it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from leapsql_core import UsageError, did_you_mean
from leapsql_dagster.attributes import (
    AutomationAttributes,
    JobAttributes,
    ObservationAttributes,
    RunStatusAttributes,
    ScheduleAttributes,
    SensorAttributes,
)
from leapsql_dagster.closing import build_run_status_sensor
from leapsql_dagster.conditions import build_automation_sensors
from leapsql_dagster.jobs import build_changed_models_job
from leapsql_dagster.loading import loaded_assets_of
from leapsql_dagster.resource import LeapSQLResource
from leapsql_dagster.schedules import build_changed_models_schedule
from leapsql_dagster.sensors import build_changed_models_sensor
from leapsql_dagster.sources import build_observable_sources

_EXECUTORS: Mapping[str, dg.ExecutorDefinition] = {
    "in_process": dg.in_process_executor,
    "multiprocess": dg.multiprocess_executor,
}


@dataclass(frozen=True)
class Declared:
    """What declarations are about: assets of a project, joined to those of the others, their op and their resource.

    `resource` is what the component brings along, ``None`` if the code location has it under `resource_key`.
    """

    assets: Sequence[dg.AssetsDefinition]
    op_name: str
    resource_key: str
    resource: LeapSQLResource | None

    def jobs(self, declared: Sequence[JobAttributes]) -> dict[str, Any]:
        """Return jobs in changed mode, by name."""
        jobs: dict[str, Any] = {}
        for said in declared:
            name = said.name or f"{self.op_name}_changed_models"
            jobs[name] = build_changed_models_job(
                self.assets,
                name=name,
                select=said.select,
                exclude=said.exclude,
                also=None if said.also is None else dg.AssetSelection.from_string(said.also),
                resource=self.resource,
                resource_key=self.resource_key,
                description=said.description,
                tags=said.tags,
                executor_def=_EXECUTORS[said.executor],
            )
        return jobs

    def schedule(self, said: ScheduleAttributes, jobs: Mapping[str, Any]) -> dg.ScheduleDefinition:
        """Return a schedule of the job that it names."""
        return build_changed_models_schedule(
            self.assets,
            job=_job_named(said.job, jobs),
            cron_schedule=said.cron_schedule,
            name=said.name,
            environment=said.environment,
            select=said.select,
            exclude=said.exclude,
            execution_timezone=said.execution_timezone,
            resource_key=self.resource_key,
            tags=None if said.tags is None else dict(said.tags),
            description=said.description,
            default_status=dg.DefaultScheduleStatus[said.default_status],
        )

    def sensor(self, said: SensorAttributes, jobs: Mapping[str, Any]) -> dg.SensorDefinition:
        """Return a sensor for changed models, of the job that it names."""
        return build_changed_models_sensor(
            self.assets,
            job=_job_named(said.job, jobs),
            name=said.name,
            environment=said.environment,
            select=said.select,
            exclude=said.exclude,
            minimum_interval_seconds=said.minimum_interval_seconds,
            max_models=said.max_models,
            max_attempts=said.max_attempts,
            retry_after_seconds=said.retry_after_seconds,
            tags=said.tags,
            resource_key=self.resource_key,
            description=said.description,
            default_status=dg.DefaultSensorStatus[said.default_status],
        )

    def run_status_sensor(self, said: RunStatusAttributes) -> dg.SensorDefinition:
        """Return the sensor that closes what killed runs have left."""
        return build_run_status_sensor(
            self.assets,
            name=said.name or f"{self.op_name}_run_status",
            minimum_interval_seconds=said.minimum_interval_seconds,
            resource_key=self.resource_key,
            description=said.description,
            default_status=dg.DefaultSensorStatus[said.default_status],
        )

    def automation_sensors(self, said: AutomationAttributes) -> list[dg.AutomationConditionSensorDefinition]:
        """Return the sensors that evaluate conditions where the plan is at hand."""
        return build_automation_sensors(
            self.assets,
            condition=said.condition,
            name=said.name or f"{self.op_name}_automation",
            mode=said.mode,
            minimum_interval_seconds=said.minimum_interval_seconds,
            run_tags=said.run_tags,
            description=said.description,
            default_status=dg.DefaultSensorStatus[said.default_status],
        )

    def observations(self, said: ObservationAttributes, names: Collection[str]) -> list[dg.AssetsDefinition]:
        """Return the observable sources, of those with `names`; none, if there are none."""
        if not names:
            return []
        return [
            build_observable_sources(
                self.assets,
                exclude=loaded_assets_of(self.assets[0]).session.project.sources.keys() - set(names),
                name=said.name or f"{self.op_name}_sources",
                group_name=said.group_name,
                resource_key=self.resource_key,
            )
        ]


def _job_named(name: str | None, jobs: Mapping[str, Any]) -> Any:
    wanted = next(iter(jobs), "") if name is None else name
    if wanted not in jobs:
        known = f"Known: {', '.join(jobs)}." if jobs else "Write one under `jobs`."
        raise UsageError(f"there is no job `{wanted}`", mend=did_you_mean(wanted, jobs, otherwise=known))
    return jobs[wanted]
