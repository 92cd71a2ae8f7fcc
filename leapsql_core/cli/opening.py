"""What a command works on: the project, or its state alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from leapsql_core.cli.options import Settings
from leapsql_core.deferral import defer, open_base
from leapsql_core.errors import UsageError
from leapsql_core.models import Model, Node, Project
from leapsql_core.names import did_you_mean, last_part
from leapsql_core.project import find_root, load_configuration
from leapsql_core.session import Session, open_session


@dataclass(frozen=True, slots=True)
class StatePlace:
    """Where the state lies, which environment of it is meant, and which ones the project has."""

    environment: str
    path: Path
    environments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The environment to defer to, if any, and its state, where that is named."""

    environment: str | None = None
    state: Path | None = None


def open_project(settings: Settings) -> Session:
    """Read the project.

    Raises:
        ProjectError: there is none, or it has problems.
        UsageError: it has no environment of that name.
    """
    return open_session(
        settings.project_dir, environ=os.environ, environment=settings.environment, state_path=settings.state
    )


def defer_project(
    session: Session,
    chosen: Sequence[str],
    elsewhere: Elsewhere,
    *,
    force: bool,
    wait_seconds: float = 0.0,
) -> tuple[Session, list[str]]:
    """Leave to another environment what it holds just so; the project then, and what of `chosen` is left to build.

    Raises:
        UsageError: that environment cannot be deferred to, or only its state is named.
        WarehouseError: a database is held by another process.
    """
    if elsewhere.environment is None:
        if elsewhere.state is not None:
            raise UsageError("--state-of is the state of an environment to defer to", mend="Add --defer-to NAME.")
        return session, list(chosen)
    base = open_base(
        session,
        elsewhere.environment,
        environ=os.environ,
        state_path=elsewhere.state,
        wait_seconds=wait_seconds,
    )
    deferred = defer(session, base, selection=chosen, force=force, wait_seconds=wait_seconds)
    return deferred, [path for path in chosen if path in deferred.project.nodes]


def find_state(settings: Settings) -> StatePlace:
    """Return where the state of the project lies; its models are not read, so they may be broken.

    Raises:
        ProjectError: there is no project, or its `leapsql.yaml` is wrong.
        UsageError: it has no environment of that name.
    """
    root = find_root(settings.project_dir)
    config = load_configuration(root, environ=os.environ, environment=settings.environment)
    path = (settings.state or root / config.state_path).absolute()
    return StatePlace(config.environment, path, config.environments)


def find_node(project: Project, name: str) -> Node:
    """Return the model or seed that a path or a bare name means.

    Raises:
        UsageError: nothing, or more than one, is called so.
    """
    return project.nodes[find_path(name, project.nodes)]


def find_model(project: Project, name: str) -> Model:
    """Return the model that a path or a bare name means.

    Raises:
        UsageError: nothing, more than one, or a seed is called so.
    """
    node = find_node(project, name)
    if not isinstance(node, Model):
        raise UsageError(f"{node.path} is a seed, which has no query", mend=f"Its rows are in {node.file}.")
    return node


def find_path(
    name: str,
    paths: Iterable[str],
    *,
    unknown: str = "there is no model or seed",
    otherwise: str = "`leapsql list` shows what there is.",
) -> str:
    """Return the one of `paths` that `name` is, or ends in; without regard to case.

    Raises:
        UsageError: none or several; with the nearest names.
    """
    known = list(paths)
    wanted = name.casefold()
    whole = [path for path in known if path == name] or [path for path in known if path.casefold() == wanted]
    if len(whole) == 1:
        return whole[0]
    found = whole or [path for path in known if last_part(path).casefold() == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"`{name}` could be {' or '.join(sorted(found))}", mend="Write the whole path.")
    hint = did_you_mean(name, [*known, *map(last_part, known)], otherwise=otherwise)
    raise UsageError(f"{unknown} `{name}`", mend=hint)
