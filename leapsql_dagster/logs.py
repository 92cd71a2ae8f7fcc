"""What a run writes into its log, and the failure that it ends with."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from leapsql_core import ModelFinished, RunStarted, Session, origins
from leapsql_dagster.markdown import fenced, plain

_MOST_LOGGED = 50


def log_left(context: dg.AssetExecutionContext, session: Session, left: Sequence[str]) -> None:
    """Log what is read elsewhere instead of being built."""
    deferral = session.project.deferral
    if deferral is None:
        return
    named = ", ".join(left[:_MOST_LOGGED]) + (f" and {len(left) - _MOST_LOGGED} more" if left[_MOST_LOGGED:] else "")
    lines = [f"{len(left)} of what is selected stand in {deferral.environment} just so: {named or 'none'}"]
    if deferral.stale:
        lines.append(f"  not selected, and not the same there: {', '.join(deferral.stale)}")
    context.log.info("\n".join(lines))


def log_plan(context: dg.AssetExecutionContext, event: RunStarted) -> None:
    """Log what is built and checked, and why."""
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


def log_checked(
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


def log_skipped(context: dg.AssetExecutionContext, skipped: list[ModelFinished]) -> None:
    """Log all that was skipped in one line: each line is an event that Dagster stores."""
    if not skipped:
        return
    lines = [f"{len(skipped)} skipped:"]
    lines += [f"  {event.path}: {event.reason} ({event.detail})" for event in skipped[:_MOST_LOGGED]]
    if len(skipped) > _MOST_LOGGED:
        lines.append(f"  … and {len(skipped) - _MOST_LOGGED} more")
    context.log.info("\n".join(lines))


def failure_of(failed: list[ModelFinished], skipped: list[ModelFinished]) -> dg.Failure:
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
