"""Loaded assets: the project behind an assets definition, found again from the definition's metadata.

The project itself stays out of Dagster's metadata, which Dagster copies and serializes: a registry of this process
holds it. Loading reads files and, read only, the state; it writes nothing and opens no warehouse.
"""

import gc
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dagster import AssetKey, AssetsDefinition, AssetSpec, DagsterError

from leapsql_core import (
    Base,
    LeapSQLError,
    Node,
    Planned,
    Session,
    Source,
    UsageError,
    choose,
    open_base,
    open_session,
    plan_session,
)
from leapsql_dagster.meta import check_meta
from leapsql_dagster.stepping import quietly
from leapsql_dagster.translator import DagsterLeapSQLTranslator

PROJECT_METADATA = "leapsql/project"
PATH_METADATA = "leapsql/path"


@dataclass(frozen=True)
class LeapSQLProject:
    """Where a project lies, and as what it is read: everything that its assets are loaded from.

    `environment` defaults to that of `leapsql.yaml`, `state_path` to the one configured there. `variables` and
    `database` win over what is configured. In any environment but `defer_to` itself, what that one holds just so is not
    built but read there; `state_of` is its state, by default the one configured. `repository_url` is the address under
    which the project's folder is shown in a browser, such as ``https://github.com/acme/shop/blob/main/sql``: links to
    its files are made of it.
    """

    project_dir: str | os.PathLike[str]
    environment: str | None = None
    variables: Mapping[str, Any] | None = None
    state_path: str | os.PathLike[str] | None = None
    database: str | None = None
    defer_to: str | None = None
    state_of: str | os.PathLike[str] | None = None
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

    def base_of(self, session: Session, *, wait_seconds: float = 0.0, look: bool = True) -> Base | None:
        """Return what `session` defers to, ``None`` if it builds everything itself; see `leapsql_core.open_base`.

        Raises:
            UsageError: that environment cannot be deferred to.
            WarehouseError: its database is held by another process.
        """
        if self.defer_to is None or self.defer_to == session.project.environment:
            return None
        return open_base(
            session,
            self.defer_to,
            environ=dict(os.environ),
            state_path=None if self.state_of is None else Path(self.state_of),
            wait_seconds=wait_seconds,
            look=look,
        )


@dataclass(frozen=True)
class LoadedAssets:
    """A project as this process loaded it, which of it are assets, and under which keys.

    `id` names exactly this content in this process. `specs` and `keys` are of every model and seed of the project, by
    path, and of every source, by name: the translator's, models and seeds with `key_prefix` before their keys. `paths`
    lead back from the keys of what are assets here, parents first.
    """

    id: str
    project: LeapSQLProject
    session: Session
    translator: DagsterLeapSQLTranslator
    key_prefix: Sequence[str]
    select: Sequence[str]
    exclude: Sequence[str]
    specs: Mapping[str, AssetSpec]
    keys: Mapping[str, AssetKey]
    paths: Mapping[AssetKey, str]
    planned: Planned

    def nodes(self) -> list[Node]:
        """Return the models and seeds that are assets, parents first."""
        return [self.session.project.nodes[path] for path in self.paths.values()]


CONFIG_FILE = "leapsql.yaml"
_KEY_NAME = re.compile(r"[A-Za-z0-9_]+")
_MEND_KEY = "Write another: meta: {dagster: {asset_key: [schema, name]}}, or make get_asset_spec give one."
_MEND_SPEC = "Correct `meta: dagster:`, owner or tags of it, or get_asset_spec."

_loaded: dict[str, LoadedAssets] = {}


def load_assets(
    name: str,
    project: LeapSQLProject,
    *,
    translator: DagsterLeapSQLTranslator,
    key_prefix: Sequence[str] = (),
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> LoadedAssets:
    """Read a project and name its assets; `name` is that of their op.

    Raises:
        LeapSQLError: the project or its state cannot be read, or two of its nodes have one key.
    """
    session = project.open()
    planned = plan_session(session, look=False)
    specs = specs_of(session, translator, key_prefix)
    keys = {name: spec.key for name, spec in specs.items()}
    chosen = choose(session, select, exclude=exclude, look=False)
    loaded = LoadedAssets(
        id=f"{name}-{_digest(session, project, [list(key_prefix), list(select), list(exclude)])}",
        project=project,
        session=session,
        translator=translator,
        key_prefix=tuple(key_prefix),
        select=tuple(select),
        exclude=tuple(exclude),
        specs=specs,
        keys=keys,
        paths={keys[path]: path for path in chosen},
        planned=planned,
    )
    _loaded[loaded.id] = loaded
    return loaded


@quietly()
def specs_of(
    session: Session, translator: DagsterLeapSQLTranslator, key_prefix: Sequence[str] = ()
) -> dict[str, AssetSpec]:
    """Return what a translator says of every model, seed and source by its path or name.

    Raises:
        ProjectError: `meta.dagster` of some of them says what it may not.
        UsageError: two models, seeds or sources have one key, sources among themselves aside, or one that Dagster does
            not take.
    """
    project = session.project
    sources: list[Source] = list(project.sources.values())
    check_meta(session.root, [*project.nodes.values(), *sources])
    _check_prefix(key_prefix)
    specs: dict[str, AssetSpec] = {}
    made: dict[str, Node] = {}
    for path, node in project.nodes.items():
        specs[path] = _spec(translator, node, node.file, key_prefix)
        # Dagster makes a name of a key, in which some signs are one.
        other = made.setdefault(specs[path].key.to_python_identifier(), node)
        if other is not node:
            raise UsageError(
                f"{node.file}: {other.path} and {path} have the same asset key {specs[path].key.to_user_string()},"
                f" the former in {other.file}",
                mend=_MEND_KEY,
            )
    for source in sources:
        specs[source.name] = _spec(translator, source, CONFIG_FILE, ())
        key = specs[source.name].key
        if key.to_python_identifier() in made:
            other = made[key.to_python_identifier()]
            said = f"{other.path} and the source {source.name} have the same asset key {key.to_user_string()}"
            raise UsageError(f"{other.file}: {said}", mend=_MEND_KEY)
    return specs


def _check_prefix(key_prefix: Sequence[str]) -> None:
    for part in key_prefix:
        if not _KEY_NAME.fullmatch(AssetKey([part]).to_python_identifier()):
            raise UsageError(f"the key prefix {part!r} is no part of a key", mend="Write letters, digits and _ alone.")


def _spec(translator: DagsterLeapSQLTranslator, node: Node | Source, file: str, key_prefix: Sequence[str]) -> AssetSpec:
    """Return what a translator says of a node, which is written or meant in `file`."""
    name = node.name if isinstance(node, Source) else node.path
    try:
        spec = translator.get_asset_spec(node)
        if key_prefix:
            spec = spec.replace_attributes(key=spec.key.with_prefix(key_prefix))
    except DagsterError as exc:
        raise UsageError(f"{file}: {name} cannot be an asset: {exc}", mend=_MEND_SPEC) from exc
    if not _KEY_NAME.fullmatch(spec.key.to_python_identifier()):
        said = spec.key.to_user_string()
        cause = f"{file}: {name} cannot have the asset key {said}: Dagster takes letters, digits and _"
        raise UsageError(cause, mend=_MEND_KEY)
    return spec


def join_loaded(loaded: LoadedAssets, keys: Mapping[str, AssetKey]) -> None:
    """Let sources of loaded assets stand under other `keys`, by name: those of the assets that make them."""
    _loaded[loaded.id] = replace(loaded, keys={**loaded.keys, **keys})


@contextmanager
def collecting_nothing() -> Iterator[None]:
    """Keep Python from looking for garbage in a block that makes many objects, all of which stay.

    It would look through everything that Dagster holds, again and again: half the time that loading takes.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _digest(session: Session, project: LeapSQLProject, chosen: list[list[str]]) -> str:
    """Return what tells this content of this project from any other: two that share it can stand for each other."""
    content = {path: node.content_hash for path, node in session.project.nodes.items()}
    place = [str(session.root), str(session.state_path), session.project.environment, project.database]
    return hashlib.sha256(json.dumps([place, chosen, content], sort_keys=True).encode()).hexdigest()[:12]


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
        name = loaded_id_of(metadata)
        if name is not None:
            return loaded_assets_by_id(name)
    if not assets.keys and assets.is_executable:  # of a project without models
        name = loaded_id_of(assets.node_def.tags)
        if name is not None:
            return loaded_assets_by_id(name)
    raise LeapSQLError("these assets were not made by @leapsql_assets", mend="Decorate their function with it.")


def loaded_id_of(metadata: Mapping[str, Any]) -> str | None:
    """Return the id of the loaded assets that an asset with this metadata belongs to, ``None`` if it is no model."""
    name = metadata.get(PROJECT_METADATA)
    return name if isinstance(name, str) and name in _loaded else None


def loaded_assets_by_id(name: str) -> LoadedAssets:
    """Return the loaded assets of an id that `loaded_id_of` gave."""
    return _loaded[name]
