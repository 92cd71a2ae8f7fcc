"""Several projects in one code location: what one of them reads and another makes is one asset, not two."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from leapsql_core import LeapSQLError, Relation, Source, UsageError, find_catalog
from leapsql_dagster.loading import LoadedAssets, join_loaded, loaded_assets_of
from leapsql_dagster.meta import read_meta
from leapsql_dagster.metadata import COLUMN_LINEAGE, STORAGE_KIND, TABLE_NAME
from leapsql_dagster.resource import LeapSQLResource
from leapsql_dagster.stepping import quietly, with_keys_replaced

#: Where a table lies: its database, its schema and its name. Where the database is not known its catalog stands in its
#: place, or nothing.
Place = tuple[str, str, str]

_IN_MEMORY = ":memory:"
_DEFAULT_SCHEMA = "main"


def build_leapsql_definitions(
    assets: Sequence[Any],
    *,
    external_sources: bool = True,
    resources: Mapping[str, Any] | None = None,
    resource_key: str = "leapsql",
    **others: Any,
) -> dg.Definitions:
    """Return definitions of several projects, and whatever else is among `assets`, as one graph.

    A table that one project reads as a source and another asset makes is that asset: another project's model in the
    same database, or any asset whose metadata names it under ``dagster/table_name``. A key that
    ``meta.dagster.asset_key`` gives a source stays. With `external_sources`, the other sources become external assets.
    A `LeapSQLResource` is added if `resources` have none under `resource_key`. `others` go to `dagster.Definitions`.

    Raises:
        UsageError: two assets make the table that a project reads.
    """
    joined = join_assets(assets)
    sources = external_source_specs(joined) if external_sources else []
    resources = {resource_key: LeapSQLResource(), **(resources or {})}
    return dg.Definitions(assets=[*joined, *sources], resources=resources, **others)


def join_assets(assets: Sequence[Any], *, beside: Sequence[Any] = ()) -> list[Any]:
    """Return `assets` with the sources of its projects joined to what makes them, there or `beside`.

    Raises:
        UsageError: two assets make the table that a project reads.
    """
    made = _made_by([*assets, *beside])
    return [one if (loaded := _loaded_of(one)) is None else _joined(one, loaded, made) for one in assets]


def made_elsewhere(loaded: LoadedAssets, assets: Sequence[Any]) -> dict[str, dg.AssetKey]:
    """Return, by name, which of `assets` makes a source that a project reads.

    Raises:
        UsageError: two assets make the table of one.
    """
    return _makers(loaded, _made_by(assets))


def external_source_specs(assets: Sequence[Any], *, only: Collection[str] | None = None) -> list[dg.AssetSpec]:
    """Return an external asset for each source that the projects among `assets` read and none of `assets` is.

    `only` are the names of those that may become one; by default, all may.
    """
    there = {key for one in assets for key in _keys_of(one)}
    specs: dict[dg.AssetKey, dg.AssetSpec] = {}
    for loaded in filter(None, map(_loaded_of, assets)):
        for source in sources_read(loaded):
            if loaded.keys[source.name] in there or (only is not None and source.name not in only):
                continue
            shown = {TABLE_NAME: str(source.relation), STORAGE_KIND: loaded.session.project.target.type}
            specs.setdefault(loaded.keys[source.name], loaded.specs[source.name].merge_attributes(metadata=shown))
    return list(specs.values())


# --------------------------------------------------------------------------------------------------------- who makes it


@dataclass(frozen=True, slots=True)
class _Made:
    """Which assets make a table; one, if all is well."""

    keys: frozenset[dg.AssetKey]

    def sole(self, source: Source) -> dg.AssetKey:
        if len(self.keys) > 1:
            named = " and ".join(sorted(key.to_user_string() for key in self.keys))
            mend = f"Say which is meant: sources: {{{source.name}: {{meta: {{dagster: {{asset_key: …}}}}}}}}."
            raise UsageError(f"{named} both make {source.name}", mend=mend)
        return next(iter(self.keys))


def _made_by(assets: Iterable[Any]) -> dict[Place, _Made]:
    found: dict[Place, set[dg.AssetKey]] = {}
    for one in assets:
        loaded = _loaded_of(one)
        if loaded is not None:
            database, _ = find_catalog(loaded.session)
            for node in loaded.nodes():
                found.setdefault((database, *node.relation.key), set()).add(loaded.keys[node.path])
            continue
        for spec in _specs_of(one):
            name = spec.metadata.get(TABLE_NAME)
            *catalog, schema, table = ("", *str(getattr(name, "value", name) or "").casefold().split("."))
            if schema:
                found.setdefault((catalog[-1] if catalog else "", schema, table), set()).add(spec.key)
    return {place: _Made(frozenset(keys)) for place, keys in found.items()}


def _places(loaded: LoadedAssets, relation: Relation) -> list[Place]:
    """Return where a table that a project reads may be known to lie, the surest first."""
    database, catalog = find_catalog(loaded.session)
    schema, name = Relation(relation.schema or _DEFAULT_SCHEMA, relation.name).key
    own = relation.catalog is None or relation.catalog.casefold() == catalog.casefold()
    places = [((catalog if own else str(relation.catalog)).casefold(), schema, name), ("", schema, name)]
    return [(database, schema, name), *places] if own and database != _IN_MEMORY else places


@quietly()
def _joined(definition: dg.AssetsDefinition, loaded: LoadedAssets, made: Mapping[Place, _Made]) -> dg.AssetsDefinition:
    """Return a project's assets with what makes its sources in their place."""
    found = _makers(loaded, made)
    # By the translator's keys, for other definitions of the same project may have been joined before.
    renamed = {loaded.specs[name].key: key for name, key in found.items() if loaded.specs[name].key != key}
    if not renamed:
        return definition
    join_loaded(loaded, found)
    return with_keys_replaced(definition.map_asset_specs(lambda spec: _renamed(spec, renamed)), renamed)


def _makers(loaded: LoadedAssets, made: Mapping[Place, _Made]) -> dict[str, dg.AssetKey]:
    """Return, by name, which asset makes a source of a project, where it has no key of its own."""
    found: dict[str, dg.AssetKey] = {}
    for source in loaded.session.project.sources.values():
        if read_meta(source).asset_key is not None:
            continue
        makers = next((made[place] for place in _places(loaded, source.relation) if place in made), None)
        if makers is not None:
            found[source.name] = makers.sole(source)
    return found


def _renamed(spec: dg.AssetSpec, renamed: Mapping[dg.AssetKey, dg.AssetKey]) -> dg.AssetSpec:
    """Return a spec with other keys in the lineage of its columns."""
    lineage = spec.metadata.get(COLUMN_LINEAGE)
    lineage = getattr(lineage, "value", lineage)
    if not isinstance(lineage, dg.TableColumnLineage):
        return spec
    flows = {
        column: [dg.TableColumnDep(renamed.get(dep.asset_key, dep.asset_key), dep.column_name) for dep in deps]
        for column, deps in lineage.deps_by_column.items()
    }
    return spec.merge_attributes(metadata={COLUMN_LINEAGE: dg.TableColumnLineage(flows)})


# ------------------------------------------------------------------------------------------------------ what assets are


def _loaded_of(asset: Any) -> LoadedAssets | None:
    if not isinstance(asset, dg.AssetsDefinition):
        return None
    try:
        return loaded_assets_of(asset)
    except LeapSQLError:
        return None  # one of somebody else's, which is welcome here


def sources_read(loaded: LoadedAssets) -> list[Source]:
    """Return the sources that the assets of a project read."""
    read = {entry.name for node in loaded.nodes() for entry in node.inputs if entry.kind == "source"}
    return [source for name, source in loaded.session.project.sources.items() if name in read]


def _specs_of(asset: Any) -> Iterable[dg.AssetSpec]:
    if isinstance(asset, dg.AssetSpec):
        return [asset]
    return asset.specs if isinstance(asset, dg.AssetsDefinition) else []


def _keys_of(asset: Any) -> Iterable[dg.AssetKey]:
    if isinstance(asset, dg.SourceAsset):
        return [asset.key]
    return [spec.key for spec in _specs_of(asset)]
