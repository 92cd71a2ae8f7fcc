"""Sources that Dagster observes: what consumers of a table read that nobody here makes."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import dagster as dg

from leapsql_core import LeapSQLError, Source, defer, plan_session, source_versions
from leapsql_dagster.asking import project_for
from leapsql_dagster.loading import LoadedAssets, loaded_assets_of
from leapsql_dagster.stepping import quietly


@quietly()
def build_observable_sources(
    assets: dg.AssetsDefinition | Sequence[dg.AssetsDefinition],
    *,
    exclude: Collection[str] = (),
    name: str | None = None,
    group_name: str | None = None,
    resource_key: str = "leapsql",
) -> dg.AssetsDefinition:
    """Return observable assets for the sources of a project, so that Dagster knows when they moved.

    An observation takes the version of what is read of a source, by whomever; in a branch, of the source that a build
    would read there, which may lie in production. Runs that build from observed sources report what they saw, so that
    consumers are fresh afterwards; a run that leaves models to production does not, for it looks at less. `exclude`
    names sources that other assets make; those versioned ``never`` or ``always`` have no version to observe and are
    left out. `group_name` wins over what the translator says.

    Raises:
        LeapSQLError: `assets` were not made by `leapsql_assets`, or there is no source to observe.
    """
    loaded = loaded_assets_of(assets if isinstance(assets, dg.AssetsDefinition) else assets[0])
    observed = observable_sources(loaded, exclude=exclude)
    if not observed:
        raise LeapSQLError("the project has no source to observe", mend="Leave build_observable_sources out.")
    specs = [_spec(loaded, source, group_name) for source in observed]

    def observe(context: dg.AssetExecutionContext) -> Iterator[dg.ObserveResult]:
        versions = _versions(loaded, getattr(context.resources, resource_key))
        selected = set(context.selected_asset_keys)
        for source in observed:
            key = loaded.keys[source.name]
            if key not in selected:
                continue
            if source.name not in versions:
                raise dg.Failure(description=f"the version of the source {source.name} cannot be told")
            yield dg.ObserveResult(asset_key=key, data_version=dg.DataVersion(versions[source.name]))

    decorate: Callable[..., dg.AssetsDefinition] = dg.multi_observable_source_asset(
        specs=specs,
        name=name or f"{loaded.session.project.name}_sources",
        can_subset=True,
        required_resource_keys={resource_key},
    )
    return decorate(observe)


def observable_sources(loaded: LoadedAssets, *, exclude: Collection[str] = ()) -> list[Source]:
    """Return the sources of a project that have a version to observe, but those that other assets make."""
    return [
        source
        for source in loaded.session.project.sources.values()
        if source.name not in exclude and source.config.version in ("data", "column")
    ]


def _versions(loaded: LoadedAssets, resource: Any) -> dict[str, str]:
    """Take the versions of sources where a build of the whole project would read them."""
    try:
        project = project_for(loaded, resource)
        session = project.open()
        base = project.base_of(session)
        if base is not None:
            session = defer(session, base, selection=list(session.project.nodes), force=True)
        observations = plan_session(session).observations
    except LeapSQLError as exc:
        raise dg.Failure(description=str(exc)) from exc
    if observations.relations is None:
        raise dg.Failure(description=observations.unread)
    return source_versions(observations)


def _spec(loaded: LoadedAssets, source: Source, group_name: str | None) -> dg.AssetSpec:
    spec = loaded.specs[source.name].replace_attributes(key=loaded.keys[source.name])
    metadata = {"dagster/table_name": str(source.relation), **spec.metadata}
    return spec.replace_attributes(group_name=group_name or spec.group_name, metadata=metadata)
