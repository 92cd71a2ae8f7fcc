"""One op execution: the core's events become what Dagster is told."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Literal

import dagster as dg

from leapsql_core import (
    Base,
    DataTestResult,
    LeapSQLError,
    ModelFinished,
    ModelStarted,
    RunOptions,
    RunStarted,
    Session,
    defer,
    latest_attempts,
    latest_test_results,
    left_undone,
    standing_partitions,
    stream_session_run,
)
from leapsql_dagster.checks import BUILD_CHECK
from leapsql_dagster.emitting import Emission, Emitter, RunResult
from leapsql_dagster.loading import LeapSQLProject, LoadedAssets
from leapsql_dagster.logs import failure_of, log_checked, log_left, log_plan, log_skipped
from leapsql_dagster.partitions import asked_for
from leapsql_dagster.resuming import Task, task_of
from leapsql_dagster.settings import RunSettings
from leapsql_dagster.stepping import keys_observed
from leapsql_dagster.telling import Telling, read_through_views

ReportUnchanged = Literal["freshness", "stale", "never"]


@dataclass(frozen=True, slots=True)
class Means:
    """How a run is carried out: how many models at once, how long it may wait, how the database is opened."""

    parallel: int
    wait_seconds: float
    connection_config: Mapping[str, Any]
    emission: Emission
    report_unchanged: ReportUnchanged


@dataclass(frozen=True, slots=True)
class Asked:
    """What is selected in an op execution, as paths, parents first.

    ``builds`` are models and seeds that are selected, ``done`` those of them that an earlier run has built; of the
    others only checks are: ``tests`` are those of whose tests some are selected, ``attempts`` those of which only the
    `build` check is asked.
    """

    builds: list[str]
    done: list[str]
    tests: list[str]
    attempts: list[str]


def stream_run(
    context: dg.AssetExecutionContext,
    loaded: LoadedAssets,
    session: Session,
    settings: RunSettings,
    *,
    project: LeapSQLProject,
    means: Means,
) -> Generator[RunResult, None, None]:
    """Build what is selected in `context`, and run the tests that are selected alone; yields what the op must yield.

    What `project` leaves to another environment is not built, but read there.

    Raises:
        Failure: models or tests failed, or nothing could be run.
    """
    context.log.info(f"LeapSQL: {settings.describe(session.project.environment)}")
    try:
        task = task_of(context, loaded, session, settings)
        asked = _asked(context, loaded, task)
        base = project.base_of(session, wait_seconds=means.wait_seconds)
        force = settings.mode == "all"
        if base is not None:
            session = defer(session, base, selection=asked.builds, force=force, wait_seconds=means.wait_seconds)
        telling = _telling(context, loaded, session, means)
        if telling.emitter.awaited:
            telling.last = _last_results(session, base)
        options = RunOptions(
            force=force,
            full_refresh=settings.full_refresh,
            parallel=means.parallel,
            orchestrator_run_id=context.run.run_id,
            resumes=task.resumes,
        )
        yield from telling.stand(asked.done, "built by the run that this one resumes")
        yield from _build(context, telling, options, asked, means)
        yield from _check(context, telling, options, asked, means, base)
        if telling.failed:
            yield from telling.all_fine(_last_results(session, base))
        elif telling.materializes:
            yield from telling.mended(left_undone(session, telling.finished, before=telling.run_id))
    except LeapSQLError as exc:
        raise dg.Failure(description=str(exc)) from exc
    if telling.failed:
        raise failure_of(telling.failed, telling.blocked)


def _telling(context: dg.AssetExecutionContext, loaded: LoadedAssets, session: Session, means: Means) -> Telling:
    return Telling(
        loaded,
        session,
        Emitter(context, emission=means.emission, also=_behind_views(context, loaded, means)),
        # In an environment that the assets do not stand for, nothing that Dagster shows of them has happened.
        materializes=session.project.environment == loaded.session.project.environment,
        reported=_with_policy(context) if means.report_unchanged != "never" else frozenset(),
        report_stale=means.report_unchanged == "stale",
    )


def _with_policy(context: dg.AssetExecutionContext) -> frozenset[dg.AssetKey]:
    """Return the assets whose freshness Dagster watches: it looks at their materializations alone."""
    return frozenset(spec.key for spec in context.assets_def.specs if spec.freshness_policy is not None)


def _behind_views(context: dg.AssetExecutionContext, loaded: LoadedAssets, means: Means) -> set[dg.AssetKey]:
    """Return what selected models read, looking through views, where it is asked which Dagster takes for stale."""
    if means.report_unchanged != "stale":
        return set()
    selected = set(context.selected_asset_keys)
    nodes = [node for node in loaded.nodes() if loaded.keys[node.path] in selected]
    return {key for node in nodes for key in read_through_views(loaded, node)}


def _asked(context: dg.AssetExecutionContext, loaded: LoadedAssets, task: Task) -> Asked:
    """Return what is selected: what is to be built, and what of checks is asked alone."""
    selected, checks = set(context.selected_asset_keys), set(context.selected_asset_check_keys)
    alone: dict[dg.AssetKey, set[str]] = {}
    for check in checks:
        if check.asset_key not in selected:
            alone.setdefault(check.asset_key, set()).add(check.name)
    return Asked(
        builds=list(task.paths),
        done=[path for path in loaded.paths.values() if path in task.done],
        tests=[path for key, path in loaded.paths.items() if alone.get(key, set()) - {BUILD_CHECK}],
        attempts=[path for key, path in loaded.paths.items() if BUILD_CHECK in alone.get(key, set())],
    )


def _build(
    context: dg.AssetExecutionContext, telling: Telling, options: RunOptions, asked: Asked, means: Means
) -> Iterator[RunResult]:
    """Build what is to be built here; of what is left to another environment tell so."""
    nodes = telling.session.project.nodes
    left = [path for path in asked.builds if path not in nodes]
    log_left(context, telling.session, left)
    yield from telling.stand(left, _stands_in(telling.session))
    here = [path for path in asked.builds if path in nodes]
    if not here:
        return
    options = replace(options, selection=here, partitions=asked_for(context, [nodes[path] for path in here]))
    checked = set[str]()
    observed = keys_observed(context, _sources_seen_whole(telling))
    with closing(_events(context, telling.session, options, means)) as events:
        for event in events:
            if isinstance(event, RunStarted):
                checked = {path for path, found in event.plan.decisions.items() if found.action == "check"}
                log_plan(context, event)
                yield from telling.started(event, observed=observed)
            elif isinstance(event, ModelStarted):
                telling.begun(event)
            elif isinstance(event, ModelFinished):
                if event.status == "failed":
                    context.log.error(f"{event.path} failed: {event.error}")
                yield from telling.ended(event)
    unsaid = [path for path in here if path not in telling.finished]
    if unsaid:
        raise LeapSQLError(f"the run ended and said nothing of {', '.join(unsaid)}")
    log_checked(context, telling.session, telling.finished, checked)
    log_skipped(context, [event for event in telling.finished.values() if event.status == "skipped"])


def _sources_seen_whole(telling: Telling) -> list[dg.AssetKey]:
    """Return the sources that a run looks at as an observation does: none, where it leaves models to production.

    The version of a source is of all that is read of it, and those that are left may read more.
    """
    project, keys = telling.session.project, telling.loaded.keys
    if telling.loaded.session.project.nodes.keys() - project.nodes.keys():
        return []
    return [keys[name] for name in project.sources if name in keys]


def _check(
    context: dg.AssetExecutionContext,
    telling: Telling,
    options: RunOptions,
    asked: Asked,
    means: Means,
    base: Base | None,
) -> Iterator[RunResult]:
    """Answer the checks that are asked alone; those of what stands in another environment from what is known there."""
    session, nodes = telling.session, telling.session.project.nodes
    options = replace(options, selection=[path for path in asked.tests if path in nodes], force=False, test=True)
    if options.selection:
        yield from _test(context, telling, options, means)
    if len(options.selection or ()) < len(asked.tests):
        last = _last_results(session, base)
        for path in asked.tests:
            if path not in nodes:
                yield from telling.remembered(path, last.get(path, ()))
    attempts = latest_attempts(session, asked.attempts) if asked.attempts else {}
    is_of_some = bool(asked.attempts) and any(telling.emitter.asked.values())
    standing = standing_partitions(session) if is_of_some else {}
    for path in asked.attempts:
        if path in nodes:
            yield from telling.known(path, attempts.get(path), standing.get(path, frozenset()))
        else:
            yield from telling.stands(path, _stands_in(session))


def _test(
    context: dg.AssetExecutionContext, telling: Telling, options: RunOptions, means: Means
) -> Iterator[RunResult]:
    with closing(_events(context, telling.session, options, means)) as events:
        for event in events:
            if isinstance(event, ModelFinished):
                said = event.error if event.status == "failed" else event.detail
                context.log.info(f"{event.path} tested: {said}")
                yield from telling.tested(event)


def _stands_in(session: Session) -> str:
    deferral = session.project.deferral
    return "" if deferral is None else f"stands in {deferral.environment} just so, and is read there"


def _last_results(session: Session, base: Base | None) -> dict[str, tuple[DataTestResult | None, ...]]:
    """Return what tests found last, of what is read in another environment there."""
    here = latest_test_results(session)
    there = {} if base is None else latest_test_results(base.session)
    return {**here, **{path: found for path, found in there.items() if path not in session.project.nodes}}


def _events(context: dg.AssetExecutionContext, session: Session, options: RunOptions, means: Means) -> Any:
    return stream_session_run(
        session,
        options,
        wait_seconds=means.wait_seconds,
        on_wait=context.log.info,
        connection_config=means.connection_config,
    )
