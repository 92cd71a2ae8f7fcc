"""Jobs in changed mode."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from leapsql_dagster.resource import LeapSQLResource
from leapsql_dagster.selection import build_leapsql_asset_selection
from leapsql_dagster.settings import MODE_TAG

_IntEnvVar = type(dg.EnvVar.int("ANY"))  # which Dagster gives no public name


def build_changed_models_job(
    assets: Sequence[dg.AssetsDefinition],
    *,
    name: str = "changed_models",
    select: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    also: dg.AssetSelection | None = None,
    resource: LeapSQLResource | None = None,
    resource_key: str = "leapsql",
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
    executor_def: dg.ExecutorDefinition | None = None,
) -> Any:
    """Return a job that builds what has to be built of a selection, and skips the rest with its reason.

    The mode stands in the job's config, so that the launchpad shows it. It runs in one process, for DuckDB lets one
    process write at a time; `executor_def` says otherwise. `also` adds assets beside the models, such as Python assets
    between them. A job's config replaces what a resource was made with: give `resource` to keep its other fields.
    Dagster passes over the config of a job with partitions where a run is of none: there the mode stands in its tags.

    Raises:
        SelectionError: a word of the selection selects nothing.
    """
    selection = build_leapsql_asset_selection(assets, select, exclude=exclude)
    is_parted = any(spec.partitions_def is not None for definition in assets for spec in definition.specs)
    return dg.define_asset_job(
        name,
        selection=selection if also is None else selection | also,
        config={"resources": {resource_key: {"config": {**_fields_set(resource), "mode": "changed"}}}},
        description=description or "Builds the models whose code or inputs changed, and skips the rest.",
        tags={MODE_TAG: "changed", **(tags or {})} if is_parted else tags,
        executor_def=executor_def or dg.in_process_executor,
    )


def _fields_set(resource: LeapSQLResource | None) -> dict[str, Any]:
    """Return the fields of a resource as a job's config writes them, those that environment variables hold too."""
    given = {} if resource is None else resource.model_dump(exclude_defaults=True)
    return {name: _as_config(value) for name, value in given.items()}


def _as_config(value: Any) -> Any:
    if isinstance(value, dg.EnvVar):
        return {"env": value.env_var_name}
    return {"env": value.name} if isinstance(value, _IntEnvVar) else value
