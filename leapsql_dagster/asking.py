"""What a tick asks for: the plan of the project as its files are now, in terms of the assets that are loaded."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import dagster as dg

from leapsql_core import Decision, Planned, Session, choose, defer, plan_session
from leapsql_dagster.loading import LeapSQLProject, LoadedAssets, specs_of
from leapsql_dagster.resource import LeapSQLResource
from leapsql_dagster.settings import ENVIRONMENT_TAG


@dataclass(frozen=True)
class Ask:
    """What one project needs now.

    `builds` and `checks` are assets to ask for; `waiting` are paths that need a build and that the loaded definitions
    lack; `settled` are assets that need nothing, or whose files are gone. `change` names what is to be built: it stays
    the same until something of it was built or edited. `failed` counts how often those to be built have failed since
    they were last built, where it was the code of now that failed last. `session` is the project as it was read for
    that. Assets are in order, parents first.
    """

    session: Session
    environment: str
    builds: Mapping[dg.AssetKey, Decision]
    checks: Mapping[dg.AssetKey, Decision]
    settled: frozenset[dg.AssetKey]
    waiting: tuple[str, ...]
    change: str
    failed: Mapping[dg.AssetKey, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Narrowed:
    """What a tick looks at: another environment than that of the resource, or a part of the project."""

    environment: str | None = None
    select: str | Sequence[str] = ()
    exclude: str | Sequence[str] = ()

    @property
    def tags(self) -> dict[str, str]:
        """What a run has to be told of it."""
        return {} if self.environment is None else {ENVIRONMENT_TAG: self.environment}

    def paths_in(self, session: Session) -> list[str] | None:
        """Return the paths that are looked at, ``None`` for all.

        Raises:
            SelectionError: a word that cannot be read, or selects nothing.
        """
        words, without = ([said] if isinstance(said, str) else [*said] for said in (self.select, self.exclude))
        return choose(session, words, exclude=without, look=False) if words or without else None


def ask(
    loaded: LoadedAssets, resource: LeapSQLResource | None, *, remember: bool = True, narrowed: Narrowed | None = None
) -> Ask:
    """Read the project's files and its state again, and plan; the warehouse is left alone.

    It is taken to be as the state remembers it; or else, without `remember`, all that may have moved is to be checked.

    Raises:
        ProjectError: the project as it is now does not compile.
        StateError: the state cannot be read.
        SelectionError: a word of the selection selects nothing.
    """
    narrowed = narrowed or Narrowed()
    project = project_for(loaded, resource, environment=narrowed.environment)
    session = project.open()
    within = narrowed.paths_in(session)
    base = project.base_of(session, look=False)
    if base is not None:
        session = defer(session, base, selection=list(session.project.nodes), look=False)
    planned = plan_session(session, look=False, remember=remember)
    specs = specs_of(session, loaded.translator, loaded.key_prefix)
    builds: dict[dg.AssetKey, Decision] = {}
    checks: dict[dg.AssetKey, Decision] = {}
    settled: set[dg.AssetKey] = set()
    waiting: list[str] = []
    wanted: list[str] = []
    for path, decision in planned.plan.decisions.items():
        key = specs[path].key
        lasting = decision.action == "build" and not decision.recurring
        if key not in loaded.paths:
            # Left out by the definitions' own selection, or not there when they were loaded.
            if lasting and path not in loaded.session.project.nodes:
                waiting.append(path)
            continue
        if within is not None and path not in within:
            settled.add(key)
        elif lasting:
            builds[key] = decision
            wanted.append(path)
        elif decision.action == "skip":
            settled.add(key)
        else:
            checks[key] = decision
    settled.update(key for key, path in loaded.paths.items() if path not in planned.plan.decisions)
    return Ask(
        session=session,
        environment=session.project.environment,
        builds=builds,
        checks=checks,
        settled=frozenset(settled),
        waiting=tuple(waiting),
        change=_change(planned, wanted),
        failed={specs[path].key: _attempts(planned, path) for path in wanted},
    )


def project_for(
    loaded: LoadedAssets, resource: LeapSQLResource | None, *, environment: str | None = None
) -> LeapSQLProject:
    """Return the project of loaded assets as a resource has it built, or for another `environment`."""
    project = loaded.project
    if resource is None:
        return replace(project, environment=environment or project.environment)
    return replace(
        project,
        environment=environment or resource.environment or project.environment,
        variables={**(project.variables or {}), **resource.vars} or None,
        database=resource.database or project.database,
    )


def _attempts(planned: Planned, path: str) -> int:
    """Return how often what is to be built has failed; nothing, if what failed last was other code."""
    failure = planned.snapshot.failures.get(path)
    of_now = failure is not None and failure.content_hash in (None, planned.project.nodes[path].content_hash)
    return failure.attempts if failure is not None and of_now else 0


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
