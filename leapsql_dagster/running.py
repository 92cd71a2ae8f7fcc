"""One op execution: the core's events become materializations, releases, log lines and, at the end, a failure."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from leapsql_core import (
    LeapSQLError,
    ModelFinished,
    Origin,
    RunOptions,
    RunStarted,
    Session,
    defer,
    origins,
    stream_session_run,
)
from leapsql_dagster.loading import LeapSQLProject, LoadedAssets
from leapsql_dagster.markdown import fenced, plain
from leapsql_dagster.metadata import materialization_metadata
from leapsql_dagster.partitions import asked_for, is_told_by_events, stream_materializations
from leapsql_dagster.resuming import task_of
from leapsql_dagster.settings import RunSettings
from leapsql_dagster.stepping import keys_awaited_by_other_steps, release

RunResult = dg.MaterializeResult[Any] | dg.Output[None] | dg.AssetMaterialization

CODE_VERSION_TAG = "dagster/code_version"
_MOST_LOGGED = 50


def stream_run(
    context: dg.AssetExecutionContext,
    loaded: LoadedAssets,
    session: Session,
    settings: RunSettings,
    *,
    project: LeapSQLProject,
    parallel: int,
    wait_seconds: float,
    connection_config: Mapping[str, Any],
) -> Generator[RunResult, None, None]:
    """Build what is selected in `context`, less what `project` leaves to another environment.

    Yields what the op must yield.

    Raises:
        Failure: models failed, or nothing could be run.
    """
    environment = session.project.environment
    context.log.info(f"LeapSQL: {settings.describe(environment)}")
    # In an environment that the assets do not stand for, nothing that Dagster shows of them has happened.
    materializes = environment == loaded.session.project.environment
    awaited = keys_awaited_by_other_steps(context)
    task = task_of(context, loaded, session, settings)
    yield from (release(key) for key, path in loaded.paths.items() if key in awaited and path in task.done)
    selection = list(task.paths)
    try:
        base = project.base_of(session, wait_seconds=wait_seconds)
        if base is not None:
            force = settings.mode == "all"
            session = defer(session, base, selection=selection, force=force, wait_seconds=wait_seconds)
    except LeapSQLError as exc:
        raise dg.Failure(description=str(exc)) from exc
    left = [path for path in selection if path not in session.project.nodes]
    _log_left(context, session, left)
    yield from (release(loaded.keys[path]) for path in left if loaded.keys[path] in awaited)
    chosen = [path for path in selection if path in session.project.nodes]
    options = RunOptions(
        selection=chosen,
        force=settings.mode == "all",
        full_refresh=settings.full_refresh,
        partitions=asked_for(context, [session.project.nodes[path] for path in chosen]),
        parallel=parallel,
        orchestrator_run_id=context.run.run_id,
    )
    finished: dict[str, ModelFinished] = {}
    run_id, checked = "", set[str]()
    events = stream_session_run(
        session, options, wait_seconds=wait_seconds, on_wait=context.log.info, connection_config=connection_config
    )
    try:
        for event in events:
            if isinstance(event, RunStarted):
                run_id = event.run_id
                checked = {path for path, found in event.plan.decisions.items() if found.action == "check"}
                _log_plan(context, event)
            if not isinstance(event, ModelFinished):
                continue
            finished[event.path] = event
            if event.status == "failed":
                context.log.error(f"{event.path} failed: {event.error}")
                continue
            came_from = origins(session.project, finished, event.path)
            yield from _results(
                context,
                event,
                loaded,
                came_from,
                materializes=materializes,
                awaited=awaited,
                run_id=run_id,
                environment=environment,
            )
    except LeapSQLError as exc:
        raise dg.Failure(description=str(exc)) from exc
    finally:
        events.close()
    skipped = [event for event in finished.values() if event.status == "skipped"]
    failed = [event for event in finished.values() if event.status == "failed"]
    _log_checked(context, session, finished, checked)
    _log_skipped(context, skipped)
    if failed:
        raise _failure(failed, skipped)


def _results(
    context: dg.AssetExecutionContext,
    event: ModelFinished,
    loaded: LoadedAssets,
    came_from: Sequence[Origin],
    *,
    materializes: bool,
    awaited: set[dg.AssetKey],
    run_id: str,
    environment: str,
) -> Iterator[RunResult]:
    """Yield what Dagster is told of one model that did not fail."""
    key = loaded.keys[event.path]
    if event.status == "success" and materializes:
        metadata = materialization_metadata(loaded, event, came_from, run_id=run_id, environment=environment)
        if not is_told_by_events(loaded, event.node):
            yield dg.MaterializeResult(
                asset_key=key,
                metadata=metadata,
                data_version=None if event.data_version is None else dg.DataVersion(event.data_version),
                tags={CODE_VERSION_TAG: event.code_version},
            )
            return
        yield from stream_materializations(context, loaded, event, metadata)
    if key in awaited and event.reason != "upstream_failed":
        yield release(key)


def _log_left(context: dg.AssetExecutionContext, session: Session, left: Sequence[str]) -> None:
    """Log what is read elsewhere instead of being built."""
    deferral = session.project.deferral
    if deferral is None:
        return
    named = ", ".join(left[:_MOST_LOGGED]) + (f" and {len(left) - _MOST_LOGGED} more" if left[_MOST_LOGGED:] else "")
    lines = [f"{len(left)} of what is selected stand in {deferral.environment} just so: {named or 'none'}"]
    if deferral.stale:
        lines.append(f"  not selected, and not the same there: {', '.join(deferral.stale)}")
    context.log.info("\n".join(lines))


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
        event.path: dg.MetadataValue.md(fenced(event.error or "")) for event in failed[:_MOST_LOGGED]
    }
    if blocked:
        rows = [f"- {plain(event.path)}: {plain(event.detail)}" for event in blocked[:_MOST_LOGGED]]
        metadata["skipped"] = dg.MetadataValue.md("\n".join(rows))
    return dg.Failure(description=said, metadata=metadata)
