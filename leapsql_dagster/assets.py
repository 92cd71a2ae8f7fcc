"""`@leapsql_assets`: a project as one subsettable op, each model and seed an asset."""

import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, overload

import dagster as dg

from leapsql_core import Node
from leapsql_dagster.checks import CHECK_KINDS, CheckKind, check_specs
from leapsql_dagster.loading import PROJECT_METADATA, LeapSQLProject, LoadedAssets, collecting_nothing, load_assets
from leapsql_dagster.metadata import definition_metadata
from leapsql_dagster.partitions import check_kinds, partition_mapping, partitions_def_of
from leapsql_dagster.stepping import quietly
from leapsql_dagster.translator import DagsterLeapSQLTranslator

Compute = Callable[..., Any]
_NOT_IN_POOLS = re.compile(r"[^A-Za-z0-9_]+")


@overload
def leapsql_assets(
    *,
    project: LeapSQLProject | str | os.PathLike[str],
    select: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    name: str | None = None,
    translator: DagsterLeapSQLTranslator | None = None,
    key_prefix: str | Sequence[str] = (),
    checks: Collection[CheckKind] = CHECK_KINDS,
    description: str | None = None,
    op_tags: Mapping[str, Any] | None = None,
    pool: str | None = None,
    retry_policy: dg.RetryPolicy | None = None,
    backfill_policy: dg.BackfillPolicy | None = None,
    required_resource_keys: set[str] | None = None,
    op_per_model: Literal[False] = False,
) -> Callable[[Compute], dg.AssetsDefinition]: ...


@overload
def leapsql_assets(
    *,
    project: LeapSQLProject | str | os.PathLike[str],
    select: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    name: str | None = None,
    translator: DagsterLeapSQLTranslator | None = None,
    key_prefix: str | Sequence[str] = (),
    checks: Collection[CheckKind] = CHECK_KINDS,
    description: str | None = None,
    op_tags: Mapping[str, Any] | None = None,
    pool: str | None = None,
    retry_policy: dg.RetryPolicy | None = None,
    backfill_policy: dg.BackfillPolicy | None = None,
    required_resource_keys: set[str] | None = None,
    op_per_model: Literal[True],
) -> Callable[[Compute], list[dg.AssetsDefinition]]: ...


@overload
def leapsql_assets(
    *,
    project: LeapSQLProject | str | os.PathLike[str],
    select: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    name: str | None = None,
    translator: DagsterLeapSQLTranslator | None = None,
    key_prefix: str | Sequence[str] = (),
    checks: Collection[CheckKind] = CHECK_KINDS,
    description: str | None = None,
    op_tags: Mapping[str, Any] | None = None,
    pool: str | None = None,
    retry_policy: dg.RetryPolicy | None = None,
    backfill_policy: dg.BackfillPolicy | None = None,
    required_resource_keys: set[str] | None = None,
    op_per_model: bool,
) -> Callable[[Compute], dg.AssetsDefinition | list[dg.AssetsDefinition]]: ...


def leapsql_assets(
    *,
    project: LeapSQLProject | str | os.PathLike[str],
    select: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    name: str | None = None,
    translator: DagsterLeapSQLTranslator | None = None,
    key_prefix: str | Sequence[str] = (),
    checks: Collection[CheckKind] = CHECK_KINDS,
    description: str | None = None,
    op_tags: Mapping[str, Any] | None = None,
    pool: str | None = None,
    retry_policy: dg.RetryPolicy | None = None,
    backfill_policy: dg.BackfillPolicy | None = None,
    required_resource_keys: set[str] | None = None,
    op_per_model: bool = False,
) -> Callable[[Compute], Any]:
    """Make every selected model and seed of a project an asset, computed by the decorated function.

    The function takes a context and a `LeapSQLResource`, and hands over what the run yields::

        @leapsql_assets(project=Path(__file__).parent / "sql")
        def sql_models(context: dg.AssetExecutionContext, leapsql: LeapSQLResource):
            yield from leapsql.run(context)

    The project is read now; nothing is written and no warehouse is opened. `select` and `exclude` are selections as on
    the command line; `key_prefix` stands before the keys of models and seeds. `name` and `description` are the op's,
    by default the function's own. `checks` says which asset checks there are: ``build`` for each asset, ``tests`` for
    the tests of models. A backfill of models with partitions is one run, and so one transaction for each model, unless
    `backfill_policy` says otherwise. `pool` is one for the database by default: limit it to 1 in the instance, and runs
    on one database file queue. With `op_per_model` each asset has an op of its own, and a list of definitions is
    returned; it is meant for warehouses that are servers.

    Raises:
        ProjectError: the project has problems.
        SelectionError: a word of the selection selects nothing.
        StateError: the state cannot be read.
    """
    where = project if isinstance(project, LeapSQLProject) else LeapSQLProject(project)

    @quietly()
    @collecting_nothing()
    def decorate(compute: Compute) -> dg.AssetsDefinition | list[dg.AssetsDefinition]:
        op = name or compute.__name__
        loaded = load_assets(
            op,
            where,
            translator=translator or DagsterLeapSQLTranslator(),
            key_prefix=[key_prefix] if isinstance(key_prefix, str) else key_prefix,
            select=[select] if isinstance(select, str) else select,
            exclude=[exclude] if isinstance(exclude, str) else exclude,
        )
        specs = asset_specs(loaded)
        parted = {spec.key: spec.partitions_def for spec in specs if spec.partitions_def is not None}
        tested = check_specs(loaded, checks, parted)

        def define(op: str, specs: list[dg.AssetSpec], tested: list[dg.AssetCheckSpec]) -> dg.AssetsDefinition:
            return dg.multi_asset(
                specs=specs,
                check_specs=tested,
                name=op,
                description=description,
                can_subset=True,
                op_tags=op_tags if specs else {**(op_tags or {}), PROJECT_METADATA: loaded.id},
                pool=pool or _pool_of(loaded),
                retry_policy=retry_policy,
                backfill_policy=backfill_policy or _policy_of(specs),
                required_resource_keys=required_resource_keys,
            )(compute)

        if not op_per_model:
            check_kinds(specs)
            return define(op, specs, tested)
        checks_of: dict[dg.AssetKey, list[dg.AssetCheckSpec]] = {spec.key: [] for spec in specs}
        for check in tested:
            checks_of[check.asset_key].append(check)
        return [define(f"{op}__{spec.key.to_python_identifier()}", [spec], checks_of[spec.key]) for spec in specs]

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


def _policy_of(specs: Sequence[dg.AssetSpec]) -> dg.BackfillPolicy | None:
    """Return that a backfill is one run, where an op has partitions."""
    is_parted = any(spec.partitions_def is not None for spec in specs)
    return dg.BackfillPolicy.single_run() if is_parted else None


def _pool_of(loaded: LoadedAssets) -> str:
    """Return the name of the pool that ops on one database share: the database's."""
    target = loaded.session.project.target
    database = loaded.project.database or target.database
    name = os.path.splitext(os.path.basename(database))[0]
    return _NOT_IN_POOLS.sub("_", f"{target.type}_{name}")
