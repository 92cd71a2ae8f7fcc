"""A session: one project, one environment, its state and its warehouse, put together for the doors."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from leapsql_core.errors import LeapSQLError, WarehouseError
from leapsql_core.execution import (
    FileVersion,
    lost_builds,
    observe,
    see,
    utc_now,
    with_builds,
    with_texts,
    with_versions,
)
from leapsql_core.hashing import fingerprint
from leapsql_core.models import Model, Project, Snapshot, Target
from leapsql_core.planning import (
    Observations,
    PartitionRange,
    Plan,
    Prove,
    Texts,
    chosen_paths,
    plan,
    remembered,
    seeds_rewritten,
    texts_needed,
)
from leapsql_core.project import LoadedProject, find_root, load_configuration, load_project
from leapsql_core.protocols import Build, StateReader, Warehouse
from leapsql_core.seeds import seed_rows
from leapsql_core.selection import needs_state, select
from leapsql_core.state import open_state_reader
from leapsql_core.warehouses.duckdb.connection import catalog_of, database_path
from leapsql_core.warehouses.duckdb.proofs import QueryProver
from leapsql_core.warehouses.duckdb.settings import settings_that_count
from leapsql_core.warehouses.opening import open_warehouse, warehouse_exists


@dataclass(frozen=True, slots=True)
class Session:
    """What the doors hold: a project as it was read, and where its state lies."""

    loaded: LoadedProject
    state_path: Path

    @property
    def project(self) -> Project:
        """The project."""
        return self.loaded.project

    @property
    def root(self) -> Path:
        """The project's folder."""
        return self.loaded.root


@dataclass(frozen=True, slots=True)
class Seen:
    """What decisions rest on; ``lost`` are builds that the warehouse told of and the state does not know."""

    snapshot: Snapshot
    observations: Observations
    lost: tuple[Build, ...] = ()


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, with what it was decided from; ``lost`` are models whose builds the warehouse told of, not the state."""

    project: Project
    plan: Plan
    snapshot: Snapshot
    observations: Observations
    texts: Texts
    lost: tuple[str, ...] = ()


def open_session(
    start: Path,
    *,
    environ: Mapping[str, str],
    environment: str | None = None,
    variables: Mapping[str, Any] | None = None,
    state_path: Path | None = None,
    database: str | None = None,
) -> Session:
    """Read the project that `start` lies in; neither state nor warehouse is opened. See `load_project`.

    `variables`, `state_path` and `database` win over what its configuration says.

    Raises:
        ProjectError: there is no project, or it has problems.
        UsageError: it has no environment of that name.
    """
    root = find_root(start)
    loaded = load_project(
        root,
        environ=environ,
        environment=environment,
        variables=variables,
        state_path=state_path,
        database=database,
    )
    return Session(loaded, (state_path or root / loaded.config.state_path).absolute())


@contextmanager
def proving(target: Target, *, catalog: str) -> Iterator[Prove]:
    """Give what proves by the database's own reading that two resolved texts are one query; see `QueryProver`.

    `catalog` is the name that the target's database goes by in SQL.
    """
    with closing(QueryProver(catalog, target.settings)) as prover:
        yield prover.same


def proving_of(session: Session) -> AbstractContextManager[Prove]:
    """Give what proves for the project of a session that two texts are one query; see `proving`."""
    target = session.project.target
    return proving(target, catalog=catalog_of(database_path(target, session.root)))


def choose(session: Session, words: Iterable[str], *, exclude: Iterable[str] = (), look: bool = True) -> list[str]:
    """Return the paths that a selection means, parents first; the state is read only if the selection asks for it.

    Raises:
        SelectionError: a word that cannot be read or selects nothing.
    """
    words, exclude = list(words), list(exclude)

    def changed() -> list[str]:
        decisions = plan_session(session, look=look).plan.decisions
        return [path for path, decision in decisions.items() if decision.action == "build"]

    asks = needs_state([*words, *exclude])
    return select(session.project, words, exclude=exclude, changed=changed if asks else None)


def plan_session(
    session: Session,
    *,
    selection: Collection[str] | None = None,
    force: bool = False,
    full_refresh: bool = False,
    look: bool = True,
    partitions: PartitionRange | None = None,
    remember: bool = False,
) -> Planned:
    """Decide what would be built; nothing is written. Without `look` the warehouse is left alone.

    Then what was not looked at is to be checked; with `remember` it is taken to be as the state remembers it.

    Raises:
        StateError: the state cannot be read.
    """
    with closing(open_state_reader(session.state_path)) as state:
        snapshot, now = state.read_snapshot(session.project.environment), utc_now()
        seen = Seen(snapshot, Observations(settings=settings_of(session), now=now))
        if remember and not look:
            seen = Seen(snapshot, remembered(session.project, snapshot, settings=settings_of(session), now=now))
        if look:
            with masked(session):
                seen = _look(session, seen.snapshot, selection, history=state.read_history())
        texts = with_texts(read_texts(state, session, seen.snapshot), seen.lost)
    with proving_of(session) as prove:
        decided = plan(
            session.project,
            seen.snapshot,
            seen.observations,
            prove,
            texts=texts,
            selection=selection,
            force=force,
            full_refresh=full_refresh,
            partitions=partitions,
        )
    lost = tuple(build.trace.model_path for build in seen.lost)
    return Planned(session.project, decided, seen.snapshot, seen.observations, texts, lost)


def read_texts(state: StateReader, session: Session, snapshot: Snapshot) -> Texts:
    """Return the texts of earlier builds that a plan compares, and what it compares with the rows of seeds."""
    resolved, code = texts_needed(session.project, snapshot)
    seeds = {seed.path: seed_rows(session.loaded, seed) for seed in seeds_rewritten(session.project, snapshot)}
    return Texts(state.read_texts(resolved), state.read_code_versions(code), seeds)


def _look(session: Session, snapshot: Snapshot, selection: Collection[str] | None, *, history: str | None) -> Seen:
    """Look at the warehouse, read only; one that is in use is not looked at, one that is not there is empty.

    What the target attaches is looked at either way. Builds that the warehouse knows of and the state of this `history`
    does not are taken for what they are.
    """
    project, target, settings, now = session.project, session.project.target, settings_of(session), utc_now()
    is_there = warehouse_exists(target, root=session.root)
    if not is_there and not target.attached:
        return Seen(snapshot, Observations(relations={}, settings=settings, now=now))
    try:
        empty = replace(target, database=":memory:")
        warehouse = open_warehouse(target if is_there else empty, root=session.root, read_only=is_there)
    except WarehouseError as exc:
        if not exc.in_use:
            raise
        unread = project.secrets.mask(f"the warehouse was not looked at: {exc.cause}")
        return Seen(snapshot, Observations(unread=unread, settings=settings, now=now))
    with closing(warehouse):
        sight = see(warehouse, history=history)
        lost = lost_builds(project, warehouse, snapshot, sight)
        snapshot = with_builds(snapshot, lost)
        look = observe(
            project,
            warehouse,
            snapshot,
            sight=sight,
            selection=chosen_paths(project, selection),
            settings=settings,
            file_version=file_version_in(session, warehouse),
            now=now,
        )
        return Seen(with_versions(snapshot, look.data_versions), look.observations, lost)


def file_version_in(session: Session, warehouse: Warehouse) -> FileVersion:
    """Return what gives the version of the files that a pattern means: their names in the project, and their bytes."""

    def version(pattern: str) -> str | None:
        try:
            paths = [Path(path) for path in warehouse.files(pattern) or ()]
            held = [[os.path.relpath(path, session.root), session.loaded.cache.file_hash(path)] for path in paths]
        except (OSError, WarehouseError):
            return None  # not to be read: the models that read them will say so
        return fingerprint(held) if held else None

    return version


def settings_of(session: Session) -> dict[str, str]:
    """Return the settings of the target that can change what a query gives."""
    return settings_that_count(session.project.target.settings)


@contextmanager
def masked(session: Session) -> Iterator[None]:
    """Take secrets out of what goes wrong; an address of a database may hold some."""
    try:
        yield
    except LeapSQLError as exc:
        mask = session.project.secrets.mask
        exc.cause, exc.mend, exc.args = mask(exc.cause), mask(exc.mend), (mask(str(exc)),)
        raise


def model_path(session: Session, model: Model) -> Path:
    """Return the absolute path of a model's file."""
    return session.root / model.file


def find_database(start: Path, *, environ: Mapping[str, str], environment: str | None = None) -> str:
    """Return the absolute path of the database that the project around `start` builds in.

    Raises:
        ProjectError: there is no project, or its `leapsql.yaml` is wrong.
        UsageError: it has no environment of that name.
    """
    root = find_root(start)
    config = load_configuration(root, environ=environ, environment=environment)
    return database_path(config.target, root)


def find_catalog(session: Session) -> tuple[str, str]:
    """Return the one true path of the database that a session builds in, and the name it goes by in SQL."""
    database = database_path(session.project.target, session.root)
    return database if database == ":memory:" else os.path.realpath(database), catalog_of(database)
