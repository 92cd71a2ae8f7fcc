"""`@leapsql_assets`: a project as one subsettable op, each model and seed an asset."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg

from leapsql_core import Node
from leapsql_dagster.loading import LeapSQLProject, LoadedAssets, collecting_nothing, load_assets
from leapsql_dagster.metadata import definition_metadata
from leapsql_dagster.partitions import check_kinds, partition_mapping, partitions_def_of
from leapsql_dagster.translator import DagsterLeapSQLTranslator


def leapsql_assets(
    *,
    project: LeapSQLProject | str | os.PathLike[str],
    select: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    name: str | None = None,
    translator: DagsterLeapSQLTranslator | None = None,
    key_prefix: str | Sequence[str] = (),
    description: str | None = None,
    op_tags: Mapping[str, Any] | None = None,
    pool: str | None = None,
    retry_policy: dg.RetryPolicy | None = None,
    backfill_policy: dg.BackfillPolicy | None = None,
    required_resource_keys: set[str] | None = None,
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Make every selected model and seed of a project an asset, computed by the decorated function.

    The function takes a context and a `LeapSQLResource`, and hands over what the run yields::

        @leapsql_assets(project=Path(__file__).parent / "sql")
        def sql_models(context: dg.AssetExecutionContext, leapsql: LeapSQLResource):
            yield from leapsql.run(context)

    The project is read now; nothing is written and no warehouse is opened. `select` and `exclude` are selections as on
    the command line; `key_prefix` stands before the keys of models and seeds. `name` and `description` are the op's,
    by default the function's own. A backfill of models with partitions is one run, and so one transaction for each
    model, unless `backfill_policy` says otherwise.

    Raises:
        ProjectError: the project has problems.
        SelectionError: a word of the selection selects nothing.
        StateError: the state cannot be read.
    """
    where = project if isinstance(project, LeapSQLProject) else LeapSQLProject(project)

    @collecting_nothing()
    def decorate(compute: Callable[..., Any]) -> dg.AssetsDefinition:
        loaded = load_assets(
            name or compute.__name__,
            where,
            translator=translator or DagsterLeapSQLTranslator(),
            key_prefix=[key_prefix] if isinstance(key_prefix, str) else key_prefix,
            select=[select] if isinstance(select, str) else select,
            exclude=[exclude] if isinstance(exclude, str) else exclude,
        )
        specs = asset_specs(loaded)
        check_kinds(specs)
        is_parted = any(spec.partitions_def is not None for spec in specs)
        return dg.multi_asset(
            specs=specs,
            name=name or compute.__name__,
            description=description,
            can_subset=True,
            op_tags=op_tags,
            pool=pool,
            retry_policy=retry_policy,
            backfill_policy=backfill_policy or (dg.BackfillPolicy.single_run() if is_parted else None),
            required_resource_keys=required_resource_keys,
        )(compute)

    return decorate


def asset_specs(loaded: LoadedAssets) -> list[dg.AssetSpec]:
    """Return the specs of loaded assets, parents first."""
    return [_spec(loaded, node) for node in loaded.nodes()]


def _spec(loaded: LoadedAssets, node: Node) -> dg.AssetSpec:
    spec, nodes = loaded.specs[node.path], loaded.session.project.nodes
    own = [
        dg.AssetDep(
            loaded.keys[entry.name],
            partition_mapping=partition_mapping(node, nodes[entry.name]) if entry.name in nodes else None,
        )
        for entry in node.inputs
    ]
    given = {dep.asset_key for dep in spec.deps}
    return spec.replace_attributes(
        deps=[*(dep for dep in own if dep.asset_key not in given), *spec.deps],
        code_version=spec.code_version or loaded.planned.plan.code_versions[node.path],
        metadata={**definition_metadata(loaded, node), **spec.metadata},
        skippable=True,
        partitions_def=spec.partitions_def or partitions_def_of(node),
    )
