"""Deferral: a branch builds what is not in production just so, and reads the rest where production has it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from leapsql_core.errors import UsageError
from leapsql_core.models import Decision, Deferral, Model, ObservedRelation, Relation, Trace
from leapsql_core.planning import compare_own_tests, is_defined
from leapsql_core.session import Planned, Session, masked, open_session, plan_session
from leapsql_core.state import open_state_reader
from leapsql_core.warehouses.duckdb.connection import catalog_of, database_path
from leapsql_core.warehouses.duckdb.settings import settings_that_count
from leapsql_core.warehouses.opening import open_warehouse, warehouse_exists

_Relations = Mapping[tuple[str, str], ObservedRelation]


@dataclass(frozen=True, slots=True)
class Base:
    """The environment that is deferred to, as it stands: its plan from its state, and what its warehouse holds.

    ``catalog`` is the name that its database goes by in the branch, ``None`` if both are one database. ``state_of`` is
    the absolute path of its state, where that was named.
    """

    session: Session
    planned: Planned
    relations: _Relations
    catalog: str | None
    state_of: Path | None = None

    @property
    def environment(self) -> str:
        """Its name."""
        return self.session.project.environment


def open_base(
    session: Session,
    environment: str,
    *,
    environ: Mapping[str, str],
    state_path: Path | None = None,
    wait_seconds: float = 0.0,
    look: bool = True,
) -> Base:
    """Look at the environment to defer to; its state and its database are opened for reading alone.

    `state_path` is its state, the one that `leapsql.yaml` names by default. Without `look` its database is left alone,
    and taken to be as that state remembers it.

    Raises:
        UsageError: it is the environment of `session` itself, there is none of that name, or it was never built.
        WarehouseError: its database is held by another process, and still is after `wait_seconds`.
    """
    if environment == session.project.environment:
        mend = "Build in an environment of the branch's own: --env NAME."
        raise UsageError(f"{environment} cannot be deferred to: it is what is to be built", mend=mend)
    base = open_session(session.root, environ=environ, environment=environment, state_path=state_path)
    here, there = (database_path(one.project.target, one.root) for one in (session, base))
    planned = plan_session(base, look=False, remember=True)
    catalog = None if Path(here) == Path(there) else _free_catalog(here, there)
    state_of = None if state_path is None else state_path.absolute()
    if not look:
        return Base(base, planned, planned.observations.relations or {}, catalog, state_of)
    if not warehouse_exists(base.project.target, root=base.root):
        raise UsageError(
            f"{environment} cannot be deferred to: there is no database {there}",
            mend="Build it first, or correct its target in leapsql.yaml.",
        )
    with masked(base):
        warehouse = open_warehouse(base.project.target, root=base.root, read_only=True, wait_seconds=wait_seconds)
        with closing(warehouse):
            return Base(base, planned, warehouse.relations(), catalog, state_of)


def _free_catalog(here: str, there: str) -> str:
    """Return what the other database is called here: its own name, unless this one has it."""
    own, other = catalog_of(here), catalog_of(there)
    return f"{other}_elsewhere" if own.casefold() == other.casefold() else other


def same_as(base: Base, session: Session) -> list[str]:
    """Return the models and seeds that `base` holds just as a build of `session` would make them, parents first.

    That is: their code renders to the same and is what was built there last, what they read is the same all the way up,
    and the state knows of no input that moved since. Whether its own sources have moved is not asked.
    """
    project, traces = session.project, base.planned.snapshot.traces
    settings = [settings_that_count(one.project.target.settings) for one in (session, base.session)]
    same: set[str] = set()
    for path, node in project.nodes.items():
        other, decision = base.session.project.nodes.get(path), base.planned.plan.decisions.get(path)
        if other is None or decision is None or settings[0] != settings[1]:
            continue
        stands = _stands(decision) and node.content_hash == other.content_hash and is_there(base, path)
        if stands and path in traces and same.issuperset(project.parents[path]):
            same.add(path)
    return [path for path in project.nodes if path in same]


def _stands(decision: Decision) -> bool:
    """Tell whether a model has no reason of its own to be built, but for what moves by itself.

    What it reads is asked for itself.
    """
    return decision.action != "build" or decision.recurring


def _has_other_tests(base: Base, session: Session, path: str, same: Collection[str]) -> bool:
    """Tell whether the tests of a model are not those that passed there, or read something that is not the same."""
    node, trace = session.project.nodes[path], base.planned.snapshot.traces[path]
    if not isinstance(node, Model):
        return False
    read = {entry.name for entry in node.test_inputs} & session.project.nodes.keys()
    return compare_own_tests(node, trace) is not None or not read <= set(same)


def is_there(base: Base, path: str) -> bool:
    """Tell whether the relation that the last build of a model made stands in the warehouse, and can be read here."""
    node, trace = base.session.project.nodes.get(path), base.planned.snapshot.traces.get(path)
    if node is None or trace is None or not _keeps_its_names(base, path):
        return False
    seen = base.relations.get(node.relation.key)
    return seen is not None and seen.comment == trace.model_run_id


def _keeps_its_names(base: Base, path: str) -> bool:
    """Tell whether what a view names means the same here, seen from another database.

    One that names its own catalog would read another one, if that has to be called otherwise; and what is named without
    a schema, or is defined in its database, is looked for in the database that reads it.
    """
    if base.catalog is None:
        return True
    renamed = base.catalog != catalog_of(database_path(base.session.project.target, base.session.root))
    nodes, traces = base.session.project.nodes, base.planned.snapshot.traces
    left, seen = [path], set[str]()
    while left:
        name = left.pop()
        node = nodes.get(name)
        if name in seen or not isinstance(node, Model) or node.materialized != "view":
            continue
        seen.add(name)
        if any(not entry.relation.schema or (renamed and entry.relation.catalog) for entry in node.inputs):
            return False
        if name in traces and any(map(is_defined, traces[name].inputs)):
            return False
        left += [entry.name for entry in node.inputs]
    return True


def defer(
    session: Session,
    base: Base,
    *,
    selection: Collection[str],
    force: bool = False,
    wait_seconds: float = 0.0,
    look: bool = True,
) -> Session:
    """Return the session of a project that reads in `base` what it need not build itself.

    That is what `base` holds just so (but for what of `selection` is built by `force`, or has other tests to pass), and
    what is not selected and was never built here. A source is read there where this database has none; without `look`,
    where it was read last. The other database is attached to this one, for reading alone.

    Raises:
        WarehouseError: this database is held by another process, and still is after `wait_seconds`.
        ProjectError: a model names what is read elsewhere in a way that cannot be changed.
    """
    project, chosen = session.project, set(selection)
    same, built = same_as(base, session), _traces_here(session)
    here = {path for path in same if path in chosen and (force or _has_other_tests(base, session, path, same))}
    left = set(same) - here
    missing = {path for path in project.nodes if path not in chosen | left | built.keys() and is_there(base, path)}
    reads = {path: _place(base, base.session.project.nodes[path].relation) for path in sorted(left | missing)}
    if base.catalog is not None:
        found = _sources_there(session, base, wait_seconds=wait_seconds) if look else _sources_read(built, base)
        reads.update({name: place for name, place in found.items() if name in project.sources})
    deferral = Deferral(
        base.environment,
        reads,
        tuple(sorted(missing - set(same))),
        state_of=None if base.state_of is None else str(base.state_of),
    )
    compiler = session.loaded.compiler.deferring(deferral)
    there = database_path(base.session.project.target, base.session.root)
    target = replace(project.target, attached={} if base.catalog is None else {base.catalog: there})
    deferred = replace(compiler.compile(), target=target)
    return Session(replace(session.loaded, compiler=compiler, project=deferred), session.state_path)


def _traces_here(session: Session) -> Mapping[str, Trace]:
    with closing(open_state_reader(session.state_path)) as state:
        return state.read_snapshot(session.project.environment).traces


def _place(base: Base, relation: Relation) -> Relation:
    return relation if base.catalog is None else Relation(relation.schema, relation.name, base.catalog, foreign=True)


def _sources_there(session: Session, base: Base, *, wait_seconds: float) -> dict[str, Relation]:
    """Return where the sources are that this database lacks and the other one has."""
    project, here = session.project, dict[tuple[str, str], ObservedRelation]()
    if warehouse_exists(project.target, root=session.root):
        with masked(session):
            warehouse = open_warehouse(project.target, root=session.root, read_only=True, wait_seconds=wait_seconds)
            with closing(warehouse):
                here.update(warehouse.relations())
    found: dict[str, Relation] = {}
    for name, source in project.sources.items():
        relation = _with_schema(source.relation)
        if relation.catalog is None and relation.key not in here and relation.key in base.relations:
            found[name] = _place(base, relation)
    return found


def _sources_read(built: Mapping[str, Trace], base: Base) -> dict[str, Relation]:
    """Return where sources were read that the last build to read each found in the other database."""
    last = {
        entry.name: entry.relation
        for trace in sorted(built.values(), key=lambda trace: (trace.built_at, trace.model_run_id))
        for entry in trace.inputs
    }
    places: dict[str, Relation] = {}
    for name, source in base.session.project.sources.items():
        place = _place(base, _with_schema(source.relation))
        if last.get(name) == str(place):
            places[name] = place
    return places


def _with_schema(relation: Relation) -> Relation:
    """Return a relation with the schema that the database looks in where none is written."""
    return relation if relation.schema else replace(relation, schema="main")
