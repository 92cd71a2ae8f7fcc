"""What a tick asks for: the plan of the project as its files are now, in terms of the assets that are loaded."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg

from leapsql_core import Decision, Planned, plan_session
from leapsql_dagster.loading import LoadedAssets, asset_keys
from leapsql_dagster.resource import LeapSQLResource


@dataclass(frozen=True)
class Ask:
    """What one project needs now.

    `builds` and `checks` are assets to ask for; `waiting` are paths that need a build and that the loaded definitions
    lack; `settled` are assets that need nothing, or whose files are gone. `change` names what is to be built: it stays
    the same until something of it was built or edited.
    """

    environment: str
    builds: Mapping[dg.AssetKey, Decision]
    checks: Mapping[dg.AssetKey, Decision]
    settled: frozenset[dg.AssetKey]
    waiting: tuple[str, ...]
    change: str


def ask(loaded: LoadedAssets, resource: LeapSQLResource | None) -> Ask:
    """Read the project's files and its state again, and plan; the warehouse is left alone.

    Raises:
        ProjectError: the project as it is now does not compile.
        StateError: the state cannot be read.
    """
    session = as_the_resource_says(loaded, resource).open()
    planned = plan_session(session, look=False)
    keys = asset_keys(session, loaded.translator)
    builds: dict[dg.AssetKey, Decision] = {}
    checks: dict[dg.AssetKey, Decision] = {}
    settled: set[dg.AssetKey] = set()
    waiting: list[str] = []
    wanted: list[str] = []
    for path, decision in planned.plan.decisions.items():
        key = keys[path]
        lasting = decision.action == "build" and not decision.recurring
        if key not in loaded.paths:
            # Left out by the definitions' own selection, or not there when they were loaded.
            if lasting and path not in loaded.session.project.nodes:
                waiting.append(path)
            continue
        if lasting:
            builds[key] = decision
            wanted.append(path)
        elif decision.action == "skip":
            settled.add(key)
        else:
            checks[key] = decision
    settled.update(key for key, path in loaded.paths.items() if path not in planned.plan.decisions)
    return Ask(
        environment=session.project.environment,
        builds=builds,
        checks=checks,
        settled=frozenset(settled),
        waiting=tuple(waiting),
        change=_change(planned, wanted),
    )


def as_the_resource_says(loaded: LoadedAssets, resource: LeapSQLResource | None) -> Any:
    """Return the project that a run with `resource` builds."""
    project = loaded.project
    if resource is None:
        return project
    return replace(
        project,
        environment=resource.environment or project.environment,
        variables={**(project.variables or {}), **resource.vars} or None,
        database=resource.database or project.database,
    )


def _change(planned: Planned, paths: Sequence[str]) -> str:
    """Return a digest of what is to be built, from what it was built before and what it reads."""
    traces = planned.snapshot.traces
    facts: list[Any] = []
    for path in sorted(paths):
        node = planned.project.nodes[path]
        read = [traces[entry.name].model_run_id for entry in node.inputs if entry.name in traces]
        built = traces[path].model_run_id if path in traces else None
        facts.append([path, node.content_hash, built, read])
    text = json.dumps([planned.project.environment, facts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
