"""One op execution: the core's events become what Dagster is told, log lines and, at the end, a failure."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Literal

import dagster as dg

from leapsql_core import (
    LeapSQLError,
    ModelFinished,
    RunOptions,
    RunStarted,
    Session,
    latest_attempts,
    latest_test_results,
    left_undone,
    models_built_in,
    origins,
    stream_session_run,
)
from leapsql_dagster.checks import BUILD_CHECK
from leapsql_dagster.emitting import Emission, Emitter, RunResult
from leapsql_dagster.loading import LoadedAssets, read_through_views
from leapsql_dagster.settings import RunSettings
from leapsql_dagster.stepping import keys_observed
from leapsql_dagster.telling import Telling

ReportUnchanged = Literal["freshness", "stale", "never"]

_MOST_LOGGED = 50


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

    ``builds`` are models and seeds that are selected; of the others only checks are: ``tests`` are those of whose tests
    some are selected, ``attempts`` those of which only the `build` check is asked.
    """

    builds: list[str]
    tests: list[str]
    attempts: list[str]


def stream_run(
    context: dg.AssetExecutionContext,
    loaded: LoadedAssets,
    session: Session,
    settings: RunSettings,
    means: Means,
) -> Iterator[RunResult]:
    """Build what is selected in `context`, and run the tests that are selected alone; yields what the op must yield.

    Raises:
        Failure: models or tests failed, or nothing could be run.
    """
    environment = session.project.environment
    context.log.info(f"LeapSQL: {settings.describe(environment)}")
    materializes = environment == loaded.session.project.environment
    telling = Telling(
        loaded,
        session,
        Emitter(context, emission=means.emission, also=_behind_views(context, loaded, means)),
        materializes,
        reported=_with_policy(context) if means.report_unchanged != "never" else frozenset(),
        report_stale=means.report_unchanged == "stale",
    )
    options = RunOptions(
        force=settings.mode == "all",
        full_refresh=settings.full_refresh,
        parallel=means.parallel,
        orchestrator_run_id=context.run.run_id,
    )
    try:
        asked = _asked(context, loaded, session)
        if asked.builds:
            yield from _build(context, telling, replace(options, selection=asked.builds), means)
        if asked.tests:
            yield from _test(context, telling, replace(options, selection=asked.tests, force=False, test=True), means)
        attempts = latest_attempts(session, asked.attempts) if asked.attempts else {}
        for path in asked.attempts:
            yield from telling.known(path, attempts.get(path))
        if telling.failed:
            yield from telling.all_fine(latest_test_results(session))
        elif materializes:
            yield from telling.mended(left_undone(session, telling.finished, before=telling.run_id))
    except LeapSQLError as exc:
        raise dg.Failure(description=str(exc)) from exc
    if telling.failed:
        raise _failure(telling.failed, telling.blocked)


def _with_policy(context: dg.AssetExecutionContext) -> frozenset[dg.AssetKey]:
    """Return the assets whose freshness Dagster watches: it looks at their materializations alone."""
    return frozenset(spec.key for spec in context.assets_def.specs if spec.freshness_policy is not None)


def _behind_views(context: dg.AssetExecutionContext, loaded: LoadedAssets, means: Means) -> set[dg.AssetKey]:
    """Return what selected models read, looking through views, where it is asked which Dagster takes for stale."""
    if means.report_unchanged != "stale":
        return set()
    nodes = [node for node in loaded.nodes() if loaded.keys[node.path] in context.selected_asset_keys]
    return {key for node in nodes for key in read_through_views(loaded, node)}


def _asked(context: dg.AssetExecutionContext, loaded: LoadedAssets, session: Session) -> Asked:
    """Return what is selected; in a retry, without what earlier attempts of this run have built."""
    selected, checks = set(context.selected_asset_keys), set(context.selected_asset_check_keys)
    alone: dict[dg.AssetKey, set[str]] = {}
    for check in checks:
        if check.asset_key not in selected:
            alone.setdefault(check.asset_key, set()).add(check.name)
    builds = [path for key, path in loaded.paths.items() if key in selected]
    if context.retry_number > 0:
        built = models_built_in(session, orchestrator_run_id=context.run.run_id)
        builds = [path for path in builds if path not in built]
    return Asked(
        builds,
        [path for key, path in loaded.paths.items() if alone.get(key, set()) - {BUILD_CHECK}],
        [path for key, path in loaded.paths.items() if BUILD_CHECK in alone.get(key, set())],
    )


def _build(
    context: dg.AssetExecutionContext, telling: Telling, options: RunOptions, means: Means
) -> Iterator[RunResult]:
    checked = set[str]()
    observed = keys_observed(context, (telling.loaded.keys[name] for name in telling.session.project.sources))
    with closing(_events(context, telling.session, options, means)) as events:
        for event in events:
            if isinstance(event, RunStarted):
                checked = {path for path, found in event.plan.decisions.items() if found.action == "check"}
                _log_plan(context, event)
                yield from telling.started(event.run_id, event.sources, observed=observed)
            elif isinstance(event, ModelFinished):
                if event.status == "failed":
                    context.log.error(f"{event.path} failed: {event.error}")
                yield from telling.ended(event)
    left = [path for path in options.selection or () if path not in telling.finished]
    if left:
        raise LeapSQLError(f"the run ended and said nothing of {', '.join(left)}")
    _log_checked(context, telling.session, telling.finished, checked)
    _log_skipped(context, [event for event in telling.finished.values() if event.status == "skipped"])


def _test(
    context: dg.AssetExecutionContext, telling: Telling, options: RunOptions, means: Means
) -> Iterator[RunResult]:
    with closing(_events(context, telling.session, options, means)) as events:
        for event in events:
            if isinstance(event, ModelFinished):
                said = event.error if event.status == "failed" else event.detail
                context.log.info(f"{event.path} tested: {said}")
                yield from telling.tested(event)


def _events(context: dg.AssetExecutionContext, session: Session, options: RunOptions, means: Means) -> Any:
    return stream_session_run(
        session,
        options,
        wait_seconds=means.wait_seconds,
        on_wait=context.log.info,
        connection_config=means.connection_config,
    )


def _log_plan(context: dg.AssetExecutionContext, event: RunStarted) -> None:
    decisions = event.plan.decisions.values()
    builds = [decision for decision in decisions if decision.action == "build"]
    checks = [decision for decision in decisions if decision.action == "check"]
    lines = [f"LeapSQL run {event.run_id}: {len(builds)} to build, {len(checks)} to check, of {len(decisions)}"]
    lines += [f"  build {d.path}: {d.reason} ({d.detail})" for d in builds[:_MOST_LOGGED]]
    if len(builds) > _MOST_LOGGED:
        lines.append(f"  … and {len(builds) - _MOST_LOGGED} more")
    if event.adopted:
        lines.append(f"  taken over from the warehouse, unknown to the state: {', '.join(event.adopted)}")
    if event.plan.stale_parents:
        lines.append(f"  not selected, though out of date: {', '.join(event.plan.stale_parents)}")
    context.log.info("\n".join(lines))


def _log_checked(
    context: dg.AssetExecutionContext, session: Session, finished: Mapping[str, ModelFinished], checked: set[str]
) -> None:
    """Log why models were built that the plan had said to check, with the changes that this began with."""
    built = [event for event in finished.values() if event.status == "success" and event.path in checked]
    if not built:
        return
    lines = [f"{len(built)} checked and built:"]
    for event in built[:_MOST_LOGGED]:
        came_from = origins(session.project, finished, event.path)
        roots = {o.path: f"{o.path}: {o.reason}" for o in came_from if o.reason not in (None, "input_changed")}
        began = f" ← {', '.join(roots.values())}" if roots else ""
        lines.append(f"  {event.path}: {event.reason} ({event.detail}){began}")
    if len(built) > _MOST_LOGGED:
        lines.append(f"  … and {len(built) - _MOST_LOGGED} more")
    context.log.info("\n".join(lines))


def _log_skipped(context: dg.AssetExecutionContext, skipped: list[ModelFinished]) -> None:
    """Log all that was skipped in one line: each line is an event that Dagster stores."""
    if not skipped:
        return
    lines = [f"{len(skipped)} skipped:"]
    lines += [f"  {event.path}: {event.reason} ({event.detail})" for event in skipped[:_MOST_LOGGED]]
    if len(skipped) > _MOST_LOGGED:
        lines.append(f"  … and {len(skipped) - _MOST_LOGGED} more")
    context.log.info("\n".join(lines))


def _failure(failed: list[ModelFinished], skipped: list[ModelFinished]) -> dg.Failure:
    """Return the op's failure; it names what failed, why, and what was skipped because of that."""
    blocked = [event for event in skipped if event.reason == "upstream_failed"]
    said = f"failed: {', '.join(event.path for event in failed)}"
    if blocked:
        said += f"; skipped because of that: {', '.join(event.path for event in blocked)}"
    metadata: dict[str, Any] = {
        event.path: dg.MetadataValue.md(f"```\n{event.error}\n```") for event in failed[:_MOST_LOGGED]
    }
    if blocked:
        rows = [f"- {event.path}: {event.detail}" for event in blocked[:_MOST_LOGGED]]
        metadata["skipped"] = dg.MetadataValue.md("\n".join(rows))
    return dg.Failure(description=said, metadata=metadata)
