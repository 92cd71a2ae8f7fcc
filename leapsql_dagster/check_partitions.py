"""Checks of partitions, where Dagster knows them: which a run is of, what results are told of, and which are red.

What of this Dagster keeps to itself stands here, beside `leapsql_dagster.stepping`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from inspect import signature
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData

from leapsql_dagster.stepping import MOST_RECORDS

#: Whether this Dagster knows checks with partitions, each of which has results of its own.
KNOWS_PARTITIONED_CHECKS = "partitions_def" in signature(dg.AssetCheckSpec.__new__).parameters


def with_partitions(partitions_def: dg.PartitionsDefinition | None) -> dict[str, Any]:
    """Return what the spec of a check takes to have the partitions of its asset; nothing where Dagster knows none."""
    return {"partitions_def": partitions_def} if KNOWS_PARTITIONED_CHECKS and partitions_def is not None else {}


def range_asked_for(context: dg.AssetExecutionContext) -> tuple[str, str] | None:
    """Return the first and the last partition that a run is of, ``None`` if it is of none."""
    if context.has_partition_key:
        return context.partition_key, context.partition_key
    if context.has_partition_key_range:
        asked = context.partition_key_range
        return asked.start, asked.end
    return None


def partitions_asked_for(context: dg.AssetExecutionContext) -> dict[dg.AssetCheckKey, tuple[str, ...]]:
    """Return, of each selected check with partitions, those that a run is of: Dagster awaits a result of each."""
    asked, selected = range_asked_for(context), set(context.selected_asset_check_keys)
    specs = [spec for spec in context.assets_def.check_specs if KNOWS_PARTITIONED_CHECKS and spec.key in selected]
    parted = {spec.key: spec.partitions_def for spec in specs if spec.partitions_def is not None}
    if asked is None:
        return dict.fromkeys(parted, ())
    between = dg.PartitionKeyRange(*asked)
    # Many models have the same ones, and there can be many of them.
    keys = {one: tuple(one.get_partition_keys_in_range(between)) for one in set(parted.values())}
    return {key: keys[one] for key, one in parted.items()}


def red_partitions(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> tuple[str, ...]:
    """Return the partitions of which the latest result of a check is that it failed."""
    infos: Sequence[Any] = instance.event_log_storage.get_asset_check_partition_info([key])
    failed = (one.partition_key for one in infos if one.latest_execution_status.value == "FAILED")
    return tuple(sorted(partition for partition in failed if partition is not None))


def stream_evaluations(
    instance: dg.DagsterInstance, evaluation: Mapping[str, Any], asset: dg.AssetKey, partitions: Collection[str]
) -> Iterator[dg.AssetCheckEvaluation]:
    """Yield one result for each partition, of its latest materialization: a later one sets the result aside.

    `evaluation` is what all say.
    """
    wanted = tuple(partitions)
    for start in range(0, len(wanted), MOST_RECORDS):
        some = wanted[start : start + MOST_RECORDS]
        targets = _targets(instance, asset, some)
        for one in some:
            options = {**evaluation, "partition": one, "target_materialization_data": targets.get(one)}
            yield dg.AssetCheckEvaluation(**options)


def _targets(instance: dg.DagsterInstance, asset: dg.AssetKey, partitions: Sequence[str]) -> dict[str, Any]:
    """Return, as results point to them, the latest materializations of partitions."""
    latest = instance.get_latest_storage_id_by_partition(
        asset, dg.DagsterEventType.ASSET_MATERIALIZATION, set(partitions)
    )
    if not latest:
        return {}
    wanted = dg.AssetRecordsFilter(asset, storage_ids=sorted(latest.values()))
    return {
        record.partition_key: AssetCheckEvaluationTargetMaterializationData(
            storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
        )
        for record in instance.fetch_materializations(wanted, limit=len(latest)).records
        if record.partition_key is not None
    }
