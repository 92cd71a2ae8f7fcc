"""A sensor that fires on changed models."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from leapsql_core import LeapSQLError
from leapsql_dagster.asking import Ask, ask
from leapsql_dagster.loading import projects_of
from leapsql_dagster.settings import CHANGE_TAG

_GOING_ON = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_FAILED = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_MOST_NAMED = 20


def build_changed_models_sensor(
    assets: Sequence[dg.AssetsDefinition],
    *,
    job: Any,
    name: str | None = None,
    minimum_interval_seconds: int = 30,
    max_attempts: int = 3,
    resource_key: str = "leapsql",
    description: str | None = None,
    default_status: dg.DefaultSensorStatus = dg.DefaultSensorStatus.STOPPED,
) -> dg.SensorDefinition:
    """Return a sensor that asks `job` for models whose files differ from what was last built of them.

    A tick reads the project's files and its state, never the warehouse, so it works while a run holds the database; a
    saved edit is noticed without a reload. It asks for what has to be built and for what lies below. It asks once for
    a change: again only after it failed, `max_attempts` times in all, until something of it is edited or built. Models
    that the loaded definitions lack wait for a reload; the tick says so. A project that does not compile launches
    nothing, and the tick says why.
    """
    loaded = projects_of(assets)

    def evaluate(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        resource = getattr(context.resources, resource_key)
        try:
            asks = [ask(one, resource) for one in loaded]
        except LeapSQLError as exc:
            return dg.SkipReason(f"The project cannot be planned: {exc}")
        repository = context.repository_def
        if repository is None:
            return dg.SkipReason("The definitions are not at hand.")
        graph = repository.asset_graph
        keys = keys_to_launch(asks, job.selection.resolve(graph), graph)
        waiting = _waiting(asks)
        if not keys:
            return dg.SkipReason(waiting or _nothing_changed(asks))
        if waiting:
            context.log.warning(waiting)
        change = "-".join(one.change for one in asks)[:200]
        going_on, failed = _runs_for(context.instance, change)
        if going_on:
            return dg.SkipReason(f"Run {going_on[0]} is building this change.")
        names = _names([key.to_user_string() for one in asks for key in one.builds if key in keys])
        if len(failed) >= max_attempts:
            return dg.SkipReason(
                f"{names} failed {len(failed)} times, last in run {failed[0]}; not tried again until something changes."
            )
        context.log.info(f"Changed: {names}")
        return dg.RunRequest(run_key=f"{change}:{len(failed)}", asset_selection=sorted(keys), tags={CHANGE_TAG: change})

    return dg.SensorDefinition(
        name=name or f"{job.name}_sensor",
        evaluation_fn=evaluate,
        job=job,
        minimum_interval_seconds=minimum_interval_seconds,
        required_resource_keys={resource_key},
        description=description or "Builds models as soon as their files change.",
        default_status=default_status,
    )


def keys_to_launch(asks: Sequence[Ask], in_job: Any, graph: Any) -> set[dg.AssetKey]:
    """Return what to ask for: changed models of the job, and what of the job lies below them and may change too."""
    builds = {key for one in asks for key in one.builds} & set(in_job)
    if not builds:
        return set()
    below = dg.AssetSelection.assets(*builds).downstream().resolve(graph)
    settled = {key for one in asks for key in one.settled}
    return (set(below) & set(in_job)) - settled


def _runs_for(instance: dg.DagsterInstance, change: str) -> tuple[list[str], list[str]]:
    """Return the runs asked for because of `change`: those that go on, and those that ended badly, latest first."""
    runs = instance.get_runs(filters=dg.RunsFilter(tags={CHANGE_TAG: change}))
    going_on = [run.run_id for run in runs if run.status in _GOING_ON]
    return going_on, [run.run_id for run in runs if run.status in _FAILED]


def _waiting(asks: Sequence[Ask]) -> str:
    paths = [path for one in asks for path in one.waiting]
    return f"New since the definitions were loaded: {_names(paths)}. Reload them to build it." if paths else ""


def _nothing_changed(asks: Sequence[Ask]) -> str:
    models = sum(len(one.settled) + len(one.checks) for one in asks)
    return f"No model changed: all {models} stand as they were built."


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    return shown if len(names) <= _MOST_NAMED else f"{shown} and {len(names) - _MOST_NAMED} more"
