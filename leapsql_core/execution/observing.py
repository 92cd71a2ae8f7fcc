"""Looking at the warehouse before deciding: its relations, its sources, versions that readers need and nobody took."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from leapsql_core.errors import WarehouseError
from leapsql_core.execution.windows import look_into_windows
from leapsql_core.hashing import column_set_key, fingerprint
from leapsql_core.models import Column, ColumnSet, Model, ObservedRelation, Project, Query, Snapshot, Source
from leapsql_core.partitions import partitioning_of
from leapsql_core.planning import (
    IN_ORDER,
    Observations,
    VersionBook,
    changed_surroundings,
    column_sets_read,
    may_differ,
    sets_read_in_order,
    shape_of,
    version_key,
)
from leapsql_core.protocols import Marker, Warehouse, WarehouseTransaction

#: Gives the version of what the files that a name or pattern means hold, ``None`` where it cannot be told.
FileVersion = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen: observations for deciding, and data versions that the state did not have.

    ``data_versions`` are by the model run that made the relation, then by column set key.
    """

    observations: Observations
    data_versions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sight:
    """The relations of a warehouse, and what it keeps of their builds, by `Relation.key`.

    ``history`` is the id of the state that it is looked at for.
    """

    relations: Mapping[tuple[str, str], ObservedRelation] = field(default_factory=dict)
    markers: Mapping[tuple[str, str], Marker] = field(default_factory=dict)
    history: str | None = None


def see(warehouse: Warehouse, *, history: str | None) -> Sight:
    """Return what stands in a warehouse, looked at for the state of this `history`.

    Raises:
        WarehouseError: the warehouse cannot be looked at.
    """
    return Sight(warehouse.relations(), warehouse.markers(), history)


def observe(
    project: Project,
    warehouse: Warehouse,
    snapshot: Snapshot,
    *,
    sight: Sight,
    selection: Collection[str],
    settings: Mapping[str, str] | None = None,
    file_version: FileVersion,
    now: datetime | None = None,
) -> Look:
    """Look at all that decisions about `selection` rest on, beside what is in `sight`; `settings` are noted.

    A source that cannot be read is noted as such; the models that read it will say so. `file_version` gives the version
    of the files that a pattern in a query means; `now` decides which partitions there are.

    Raises:
        WarehouseError: the warehouse cannot be looked at.
    """
    relations = sight.relations
    names, traces = _names_read(project, selection), snapshot.traces
    every, in_order = column_sets_read(project, traces), sets_read_in_order(project, traces)
    source_versions: dict[tuple[str, str], str | None] = {}
    source_columns: dict[str, tuple[Column, ...]] = {}
    unreadable: dict[str, str] = {}
    taken: dict[str, Mapping[str, str]] = {}
    for name in names:
        source = project.sources.get(name)
        if source is None:
            taken.update(_take_missing_versions(project, warehouse, snapshot, name, every[name], relations))
            continue
        sets, ordered_sets = every[name], in_order.get(name, ())
        try:
            with warehouse.transaction() as transaction:
                columns = transaction.columns(source.relation)
                source_versions.update(take_source_versions(transaction, source, columns, sets, ordered_sets))
                source_columns[name] = columns
        except WarehouseError as exc:
            unreadable[name] = project.secrets.mask(exc.cause)
            source_versions.update({(name, version_key(some)): None for some in sets})
            source_versions.update({(name, version_key(some, ordered=True)): None for some in ordered_sets})
    evaluated = [
        project.nodes[path] for path in sorted({*selection, *(name for name in names if name in project.nodes)})
    ]
    models = [node for node in evaluated if isinstance(node, Model)]
    patterns = sorted({pattern for model in models for pattern in model.files})
    observations = Observations(
        relations,
        source_versions,
        source_columns,
        unreadable,
        settings=dict(settings or {}),
        files={pattern: file_version(pattern) for pattern in patterns},
        macros=warehouse.macros(),
        markers=sight.markers,
        history=sight.history,
        types=warehouse.types(),
        functions=warehouse.functions({name for model in models for name in model.functions}),
        now=now,
    )
    views = [model for model in models if model.materialized == "view" and model.path in traces]
    moved = [view for view in views if changed_surroundings(view, traces[view.path], observations, project.secrets)]
    observations = replace(
        observations,
        view_columns={view.path: _columns_shown(warehouse, view) for view in moved},
        batch_columns=_batch_columns(warehouse, snapshot, _with_other_batches(project, snapshot, models, observations)),
    )
    book = VersionBook(project, traces, with_versions(snapshot, taken).data_versions, observations)
    windows = look_into_windows(warehouse, models, snapshot.partitions, book)
    return Look(replace(observations, windows=windows), taken)


def _columns_shown(warehouse: Warehouse, view: Model) -> tuple[Column, ...] | None:
    """Return the columns that a view shows now, ``None`` if it cannot be read."""
    try:
        with warehouse.transaction() as transaction:
            return transaction.columns(view.relation)
    except WarehouseError:  # some DuckDBs do not read a view whose columns have changed; making it anew will tell
        return None


def _with_other_batches(
    project: Project, snapshot: Snapshot, models: Sequence[Model], observations: Observations
) -> list[Model]:
    """Return the incremental models whose tables stand and whose batches may have other columns than the last."""
    traces, relations = snapshot.traces, observations.relations or {}
    growing = [model for model in models if _batch_of(model) is not None and model.path in traces]
    standing = [model for model in growing if model.relation.key in relations]
    return [model for model in standing if may_differ(model, project, traces, observations)]


def _batch_of(model: Model) -> Query | None:
    """Return the query whose rows go to a table that stands: that of a batch, or of any partition."""
    return model.incremental_query if partitioning_of(model) is None else model.query


def _batch_columns(warehouse: Warehouse, snapshot: Snapshot, models: Sequence[Model]) -> dict[str, tuple[Column, ...]]:
    """Return the columns that the batches of `models` would have now, of those whose inputs can be read."""
    found: dict[str, tuple[Column, ...]] = {}
    for model in models:
        batch = _batch_of(model)
        if batch is None:
            continue
        try:
            with warehouse.transaction() as transaction:
                found[model.path] = transaction.query_columns(batch.resolved)
        except WarehouseError:  # what it reads is still to be built, or the build will say what is wrong
            continue
    return found


def with_versions(snapshot: Snapshot, taken: Mapping[str, Mapping[str, str]]) -> Snapshot:
    """Return a snapshot that knows the data versions `taken` besides its own."""
    known = snapshot.data_versions
    return replace(snapshot, data_versions={**known, **{run: {**known.get(run, {}), **taken[run]} for run in taken}})


def take_source_versions(
    transaction: WarehouseTransaction,
    source: Source,
    columns: Sequence[Column],
    sets: Sequence[ColumnSet],
    ordered_sets: Sequence[ColumnSet],
) -> dict[tuple[str, str], str | None]:
    """Return the versions of a source on column sets, by its name and their keys, as its configuration asks for.

    `ordered_sets` are those whose readers read the order of its rows too. A version that is a column's maximum says
    nothing of order, nor of other columns' values: whoever chose it said that it tells all; their names and types do
    count.
    """
    if source.config.version in ("never", "always"):
        return {}
    keys = [(source.name, version_key(some)) for some in sets]
    keys += [(source.name, version_key(some, ordered=True)) for some in ordered_sets]
    if source.config.version == "column":
        column = source.config.column or ""
        rows, greatest = transaction.greatest(source.relation, column)
        shapes = [shape_of(columns, some) for some in (*sets, *ordered_sets)]
        return {
            key: fingerprint(["column", column, rows, greatest, shape]) for key, shape in zip(keys, shapes, strict=True)
        }
    names = tuple(column.name for column in columns)
    wanted = [*sets, *((*(names if some is None else some), IN_ORDER) for some in ordered_sets)]
    return dict(zip(keys, transaction.data_versions(source.relation, wanted).versions, strict=True))


def source_versions(observations: Observations) -> dict[str, str]:
    """Return one version for each source that was looked at: of all that is read of it, by whomever.

    A source that is not versioned by its data, or of which something cannot be told, is left out.
    """
    taken: dict[str, list[tuple[str, str | None]]] = {}
    for (name, key), version in observations.source_versions.items():
        taken.setdefault(name, []).append((key, version))
    return {
        name: fingerprint(sorted(versions))
        for name, versions in sorted(taken.items())
        if all(version is not None for _, version in versions)
    }


def _take_missing_versions(
    project: Project,
    warehouse: Warehouse,
    snapshot: Snapshot,
    name: str,
    sets: Sequence[ColumnSet],
    relations: Mapping[tuple[str, str], ObservedRelation],
) -> dict[str, Mapping[str, str]]:
    """Take the versions that no build has taken of what stands as it was built; a set may be new to its readers."""
    relation, trace = project.nodes[name].relation, snapshot.traces.get(name)
    seen = relations.get(relation.key)
    if trace is None or seen is None or seen.comment != trace.model_run_id or trace.materialized == "view":
        return {}
    known = snapshot.data_versions.get(trace.model_run_id, {})
    missing = [some for some in sets if column_set_key(some) not in known]
    if not missing:
        return {}
    with warehouse.transaction() as transaction:
        found = transaction.data_versions(relation, missing).versions
    versions = zip(missing, found, strict=True)
    return {trace.model_run_id: {column_set_key(some): version for some, version in versions if version is not None}}


def _names_read(project: Project, selection: Collection[str]) -> list[str]:
    """Return the names of what `selection` and its tests read, themselves or through views, sorted."""
    names: set[str] = set()
    left: list[str] = []
    for path in selection:
        chosen = project.nodes[path]
        left += [entry.name for entry in (*chosen.inputs, *(chosen.test_inputs if isinstance(chosen, Model) else ()))]
    while left:
        name = left.pop()
        if name in names:
            continue
        names.add(name)
        node = project.nodes.get(name)
        if node is not None and node.materialized == "view":
            left.extend(entry.name for entry in node.inputs)
    return sorted(names)
