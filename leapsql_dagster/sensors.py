"""A sensor that fires on changed models."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from leapsql_core import LeapSQLError, UsageError, is_left
from leapsql_dagster.asking import Ask, Narrowed, ask
from leapsql_dagster.launching import names_of, plan_launch
from leapsql_dagster.loading import projects_of
from leapsql_dagster.partitions import with_parents_in_parts
from leapsql_dagster.settings import CHANGE_TAG

_GOING_ON = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_FAILED = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def build_changed_models_sensor(
    assets: Sequence[dg.AssetsDefinition],
    *,
    job: Any,
    name: str | None = None,
    environment: str | None = None,
    select: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    minimum_interval_seconds: int = 30,
    max_models: int | None = None,
    max_attempts: int | None = 3,
    retry_after_seconds: float = 0.0,
    tags: Mapping[str, str] | None = None,
    resource_key: str = "leapsql",
    description: str | None = None,
    default_status: dg.DefaultSensorStatus = dg.DefaultSensorStatus.STOPPED,
) -> dg.SensorDefinition:
    """Return a sensor that asks `job` for models whose files differ from what was last built of them.

    A tick reads the project's files and its state, never the warehouse, so it works while a run holds the database; a
    saved edit is noticed without a reload. It asks for what has to be built and for what lies below, in one run of at
    most `max_models` models, the first ones that have to come first; the rest is asked for when that run is done.

    It asks once for a change: again only after it failed, `max_attempts` times in all (``None``: for ever), and not
    before `retry_after_seconds` have passed; then it waits until something is edited, and so does what lies below.
    `environment` is another one than that of the resource, `select` and `exclude` narrow down what is watched, as on
    the command line. Models that the loaded definitions lack wait for a reload; the tick says so. A project that does
    not compile launches nothing, and the tick says why.

    Raises:
        UsageError: `max_models` or `max_attempts` is less than one.
    """
    loaded = projects_of(assets)
    narrowed = Narrowed(environment, select, exclude)
    _at_least_one(max_models=max_models, max_attempts=max_attempts)

    def evaluate(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        resource = getattr(context.resources, resource_key)
        try:
            asks = [ask(one, resource, narrowed=narrowed) for one in loaded]
        except LeapSQLError as exc:
            return dg.SkipReason(f"The project cannot be planned: {exc}")
        repository = context.repository_def
        if repository is None:
            return dg.SkipReason("The definitions are not at hand.")
        graph = repository.asset_graph
        launch = plan_launch(
            asks, job.selection.resolve(graph), graph, max_models=max_models, max_attempts=max_attempts
        )
        waiting = _waiting(asks)
        if not launch.keys:
            why = [waiting, _given_up(launch.given_up)]
            return dg.SkipReason(" ".join(filter(None, why)) or _nothing_changed(asks))
        if waiting:
            context.log.warning(waiting)
        change = "-".join(one.change for one in asks)[:200]
        going_on, failed = _runs_for(context.instance, change, asks)
        if going_on:
            return dg.SkipReason(f"Run {going_on[0]} is building this change.")
        if max_attempts is not None and len(failed) >= max_attempts:
            said = f"{names_of(launch.builds)} failed {_times(len(failed))}, last in run {failed[0]}"
            return dg.SkipReason(f"{said}; not tried again until something changes.")
        wait = _seconds_to_wait(context.instance, failed, retry_after_seconds)
        if wait > 0:
            named = names_of(launch.builds)
            return dg.SkipReason(f"{named} failed in run {failed[0]}; tried again in {math.ceil(wait)} seconds.")
        context.log.info(" ".join(filter(None, [launch.said(), _given_up(launch.given_up)])))
        return dg.RunRequest(
            run_key=f"{change}:{len(failed)}",
            asset_selection=sorted(with_parents_in_parts(launch.keys, loaded)),
            tags={**(tags or {}), **narrowed.tags, CHANGE_TAG: change},
        )

    return dg.SensorDefinition(
        name=name or f"{job.name}_sensor",
        evaluation_fn=evaluate,
        job=job,
        minimum_interval_seconds=minimum_interval_seconds,
        required_resource_keys={resource_key},
        description=description or "Builds models as soon as their files change.",
        default_status=default_status,
    )


def _at_least_one(**given: int | None) -> None:
    for name, value in given.items():
        if value is not None and value < 1:
            raise UsageError(f"{name} is {value}", mend="Write 1 or more, or None for no limit.")


def _runs_for(instance: dg.DagsterInstance, change: str, asks: Sequence[Ask]) -> tuple[list[str], list[str]]:
    """Return the runs asked for because of `change`: those that go on, and those that ended badly, latest first.

    One whose process is gone has ended badly, though Dagster may show it as started for ever.
    """
    runs = instance.get_runs(filters=dg.RunsFilter(tags={CHANGE_TAG: change}))
    going_on = [run.run_id for run in runs if run.status in _GOING_ON]
    left = {id_ for id_ in going_on if any(is_left(one.session, orchestrator_run_id=id_) for one in asks)}
    failed = [run.run_id for run in runs if run.status in _FAILED or run.run_id in left]
    return [id_ for id_ in going_on if id_ not in left], failed


def _seconds_to_wait(instance: dg.DagsterInstance, failed: Sequence[str], seconds: float) -> float:
    """Return how long it is until a change may be tried again whose last attempt failed."""
    if not failed or seconds <= 0:
        return 0.0
    record = instance.get_run_record_by_id(failed[0])
    ended = None if record is None else record.end_time or record.update_timestamp.timestamp()
    return 0.0 if ended is None else ended + seconds - time.time()


def _waiting(asks: Sequence[Ask]) -> str:
    paths = [path for one in asks for path in one.waiting]
    return f"New since the definitions were loaded: {names_of(paths)}. Reload them to build it." if paths else ""


def _given_up(attempts: Mapping[dg.AssetKey, int]) -> str:
    if not attempts:
        return ""
    said = [f"{key.to_user_string()} failed {_times(times)}" for key, times in attempts.items()]
    return f"{names_of(said)}; not tried again until something changes."


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _nothing_changed(asks: Sequence[Ask]) -> str:
    models = sum(len(one.settled) + len(one.checks) for one in asks)
    return f"No model changed: all {models} stand as they were built."
