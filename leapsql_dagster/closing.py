"""A sensor that closes what killed runs have left open in the state."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import dagster as dg

from leapsql_core import LeapSQLError, Run, close_left_runs, find_left_runs
from leapsql_dagster.asking import project_for
from leapsql_dagster.loading import LeapSQLProject, projects_of


def build_run_status_sensor(
    assets: Sequence[dg.AssetsDefinition],
    *,
    name: str = "leapsql_run_status",
    minimum_interval_seconds: int = 60,
    resource_key: str = "leapsql",
    description: str | None = None,
    default_status: dg.DefaultSensorStatus = dg.DefaultSensorStatus.STOPPED,
) -> dg.SensorDefinition:
    """Return a sensor that ends the rows of runs whose processes were killed, as the next run would.

    It asks the state, not Dagster, whose own runs may seem to be started long after they were killed: what is left is
    a run whose lease is of a process that is gone. What the warehouse has of it are successes, what was being built
    has failed, the rest is skipped. A tick that finds nothing opens no warehouse and writes nothing. It launches
    nothing; its message names what it closed, and which runs Dagster still shows as going on.
    """
    loaded = projects_of(assets)

    def evaluate(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        resource = getattr(context.resources, resource_key)
        projects = [project_for(one, resource) for one in loaded]
        said = [line for project in projects for line in _close(project, context.instance)]
        return dg.SkipReason(" ".join(said) or "No run was left open.")

    return dg.SensorDefinition(
        name=name,
        evaluation_fn=evaluate,
        minimum_interval_seconds=minimum_interval_seconds,
        required_resource_keys={resource_key},
        description=description or "Closes what killed runs have left open in the state.",
        default_status=default_status,
    )


def _close(project: LeapSQLProject, instance: dg.DagsterInstance) -> Iterator[str]:
    """Close what was left in every environment of a project, and tell what came of it."""
    try:
        left = find_left_runs(project.open())
    except LeapSQLError as exc:
        yield f"The project cannot be read: {exc}"
        return
    for environment, runs in left.items():
        try:
            closed = close_left_runs(replace(project, environment=environment).open())
        except LeapSQLError as exc:
            yield f"{', '.join(run.id for run in runs)} of {environment} cannot be closed now: {exc}"
        else:
            yield from (_describe(run, instance) for run in closed)


def _describe(run: Run, instance: dg.DagsterInstance) -> str:
    said = f"Closed run {run.id} of {run.environment}: {run.error}."
    asked = None if run.orchestrator_run_id is None else instance.get_run_by_id(run.orchestrator_run_id)
    if asked is None or asked.is_finished:
        return said
    return f"{said} Dagster shows its run {asked.run_id} as {asked.status.value}: terminate that there."
