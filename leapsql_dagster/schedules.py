"""Schedules in changed mode."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from leapsql_core import LeapSQLError
from leapsql_dagster.asking import Ask, Narrowed, ask
from leapsql_dagster.launching import names_of
from leapsql_dagster.loading import projects_of
from leapsql_dagster.partitions import with_parents_in_parts


def build_changed_models_schedule(
    assets: Sequence[dg.AssetsDefinition],
    *,
    job: Any,
    cron_schedule: str | Sequence[str],
    name: str | None = None,
    environment: str | None = None,
    select: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    execution_timezone: str | None = None,
    resource_key: str = "leapsql",
    tags: dict[str, str] | None = None,
    description: str | None = None,
    default_status: dg.DefaultScheduleStatus = dg.DefaultScheduleStatus.STOPPED,
) -> dg.ScheduleDefinition:
    """Return a schedule that asks `job` for what the plan says to build or to check.

    A tick reads files and state, never the warehouse: whether sources have moved is looked at by the run, which skips
    what needs no build. `environment` is another one than that of the resource, `select` and `exclude` narrow down what
    is asked for, as on the command line. A project that does not compile launches nothing; the tick says why.
    """
    loaded = projects_of(assets)
    narrowed = Narrowed(environment, select, exclude)

    def evaluate(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        resource = getattr(context.resources, resource_key)
        try:
            asks = [ask(one, resource, remember=False, narrowed=narrowed) for one in loaded]
        except LeapSQLError as exc:
            return dg.SkipReason(f"The project cannot be planned: {exc}")
        in_job = job.selection.resolve(context.repository_def.asset_graph)
        keys = with_parents_in_parts(keys_to_schedule(asks, in_job), loaded)
        waiting = [path for one in asks for path in one.waiting]
        if waiting:
            context.log.warning(f"Reload the definitions to build: {names_of(waiting)}")
        if not keys:
            return dg.SkipReason("Nothing of the job needs a build or a check.")
        builds = [key for one in asks for key in one.builds if key in keys]
        checks = [key for one in asks for key in one.checks if key in keys]
        context.log.info(f"To build: {names_of(builds) or 'nothing'}. To check: {names_of(checks) or 'nothing'}.")
        return dg.RunRequest(asset_selection=sorted(keys), tags=narrowed.tags)

    return dg.ScheduleDefinition(
        name=name or f"{job.name}_schedule",
        cron_schedule=cron_schedule,
        execution_timezone=execution_timezone,
        execution_fn=evaluate,
        job=job,
        required_resource_keys={resource_key},
        description=description or "Builds the models whose code or inputs changed.",
        default_status=default_status,
        tags=tags,
    )


def keys_to_schedule(asks: Sequence[Ask], in_job: set[dg.AssetKey] | frozenset[dg.AssetKey]) -> set[dg.AssetKey]:
    """Return what of a job to ask for: all of it but the models that the plan skips.

    Assets that are no models are asked for as in any job, unless there is no model left to ask for.
    """
    settled = {key for one in asks for key in one.settled}
    models = {key for one in asks for key in (*one.builds, *one.checks)} & in_job
    return set(in_job) - settled if models else set()
