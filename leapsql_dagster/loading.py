"""Loaded assets: the project behind an assets definition, found again from the definition's metadata.

The project itself stays out of Dagster's metadata, which Dagster copies and serializes: a registry of this process
holds it. Loading reads files and, read only, the state; it writes nothing and opens no warehouse.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster import AssetKey, AssetsDefinition

from leapsql_core import LeapSQLError, Node, Planned, Session, Source, UsageError, choose, open_session, plan_session
from leapsql_dagster.stepping import KNOWS_VIRTUAL_ASSETS, quietly
from leapsql_dagster.translator import DagsterLeapSQLTranslator

PROJECT_METADATA = "leapsql/project"
PATH_METADATA = "leapsql/path"


@dataclass(frozen=True)
class LeapSQLProject:
    """Where a project lies, and as what it is read: everything that its assets are loaded from.

    `environment` defaults to that of `leapsql.yaml`, `state_path` to the one configured there. `variables` and
    `database` win over what is configured. `repository_url` is the address under which the project's folder is shown
    in a browser, such as ``https://github.com/acme/shop/blob/main/sql``: links to its files are made of it.
    """

    project_dir: str | os.PathLike[str]
    environment: str | None = None
    variables: Mapping[str, Any] | None = None
    state_path: str | os.PathLike[str] | None = None
    database: str | None = None
    repository_url: str | None = None

    def open(self) -> Session:
        """Read the project as its files are now.

        Raises:
            ProjectError: there is no project, or it has problems.
            UsageError: it has no environment of that name.
        """
        return open_session(
            Path(self.project_dir),
            environ=dict(os.environ),
            environment=self.environment,
            variables=self.variables,
            state_path=None if self.state_path is None else Path(self.state_path),
            database=self.database,
        )


@dataclass(frozen=True)
class LoadedAssets:
    """A project as this process loaded it, which of it are assets, and under which keys.

    `id` names exactly this content in this process. `keys` are of every model and seed of the project and every
    source, `paths` lead back for what are assets here, parents first.
    """

    id: str
    project: LeapSQLProject
    session: Session
    translator: DagsterLeapSQLTranslator
    select: Sequence[str]
    exclude: Sequence[str]
    keys: Mapping[str, AssetKey]
    paths: Mapping[AssetKey, str]
    planned: Planned

    def nodes(self) -> list[Node]:
        """Return the models and seeds that are assets, parents first."""
        return [self.session.project.nodes[path] for path in self.paths.values()]


_loaded: dict[str, LoadedAssets] = {}


def load_assets(
    name: str,
    project: LeapSQLProject,
    *,
    translator: DagsterLeapSQLTranslator,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> LoadedAssets:
    """Read a project and name its assets; `name` is that of their op.

    Raises:
        LeapSQLError: the project or its state cannot be read, or two of its nodes have one key.
    """
    session = project.open()
    planned = plan_session(session, look=False)
    keys = asset_keys(session, translator)
    chosen = choose(session, select, exclude=exclude, look=False)
    loaded = LoadedAssets(
        id=f"{name}-{_digest(session, project)}",
        project=project,
        session=session,
        translator=translator,
        select=tuple(select),
        exclude=tuple(exclude),
        keys=keys,
        paths={keys[path]: path for path in chosen},
        planned=planned,
    )
    _loaded[loaded.id] = loaded
    return loaded


@quietly()
def asset_keys(session: Session, translator: DagsterLeapSQLTranslator) -> dict[str, AssetKey]:
    """Return the key of every model, seed and source by its path or name.

    Raises:
        UsageError: two models or seeds have one key.
    """
    project = session.project
    keys: dict[str, AssetKey] = {}
    made: dict[AssetKey, str] = {}
    for path, node in project.nodes.items():
        keys[path] = translator.get_asset_spec(node).key
        other = made.setdefault(keys[path], path)
        if other != path:
            raise UsageError(
                f"{other} and {path} have the same asset key {keys[path].to_user_string()}",
                mend="Make get_asset_spec give them different keys.",
            )
    sources: list[Source] = list(project.sources.values())
    keys.update({source.name: translator.get_asset_spec(source).key for source in sources})
    return keys


def read_through_views(loaded: LoadedAssets, node: Node) -> dict[AssetKey, bool]:
    """Return what can make a node stale, with whether it reads it directly; in place of views, what lies behind them.

    So Dagster sees it where it knows virtual assets: of a view itself only the code counts. Where it does not, a view
    is as good as a table.
    """
    nodes, read = loaded.session.project.nodes, dict[AssetKey, bool]()
    if KNOWS_VIRTUAL_ASSETS and node.materialized == "view":
        return read
    left = [(entry.name, True) for entry in node.inputs]
    while left:
        name, directly = left.pop()
        found = nodes.get(name)
        if KNOWS_VIRTUAL_ASSETS and found is not None and found.materialized == "view":
            left += [(entry.name, False) for entry in found.inputs]
        else:
            read[loaded.keys[name]] = directly or read.get(loaded.keys[name], False)
    return read


def _digest(session: Session, project: LeapSQLProject) -> str:
    """Return what tells this content of this project from any other: two that share it can stand for each other."""
    content = {path: node.content_hash for path, node in session.project.nodes.items()}
    place = [str(session.root), str(session.state_path), session.project.environment, project.database]
    return hashlib.sha256(json.dumps([place, content], sort_keys=True).encode()).hexdigest()[:12]


def sole_project() -> LeapSQLProject:
    """Return the project that this process has loaded.

    Raises:
        UsageError: it has loaded none, or several.
    """
    places = {(one.session.root, one.session.project.environment): one.project for one in _loaded.values()}
    if len(places) != 1:
        how_many = "no project is" if not places else "several projects are"
        raise UsageError(f"{how_many} loaded", mend="Set project_dir of the LeapSQLResource to the one that is meant.")
    return next(iter(places.values()))


def projects_of(assets: Iterable[AssetsDefinition]) -> list[LoadedAssets]:
    """Return what assets definitions were loaded from, each once, for with an op per model they share it.

    Raises:
        LeapSQLError: one was not made by `leapsql_assets`.
    """
    found = [loaded_assets_of(definition) for definition in assets]
    return list({loaded.id: loaded for loaded in found}.values())


def loaded_assets_of(assets: AssetsDefinition) -> LoadedAssets:
    """Return what an assets definition made by `leapsql_assets` was loaded from.

    Raises:
        LeapSQLError: it was not made by `leapsql_assets`.
    """
    for metadata in assets.metadata_by_key.values():
        name = metadata.get(PROJECT_METADATA)
        if isinstance(name, str) and name in _loaded:
            return _loaded[name]
    raise LeapSQLError("these assets were not made by @leapsql_assets", mend="Decorate their function with it.")
