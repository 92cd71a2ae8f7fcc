"""Models with partitions in Dagster: their definitions, which a run is of, and an event for each that was built."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import dagster as dg

from leapsql_core import Model, ModelFinished, Node, UsageError, partitioning_of, read_moment, reads_by_window
from leapsql_dagster.check_partitions import range_asked_for
from leapsql_dagster.emitting import Part
from leapsql_dagster.loading import LoadedAssets

_KINDS: Mapping[str, type[dg.TimeWindowPartitionsDefinition]] = {
    "hourly": dg.HourlyPartitionsDefinition,
    "daily": dg.DailyPartitionsDefinition,
    "weekly": dg.WeeklyPartitionsDefinition,
    "monthly": dg.MonthlyPartitionsDefinition,
}
#: What is said of every partition; the last of those that were built says the rest for all of them.
_OF_EACH = ("leapsql/reason", "leapsql/content_hash", "leapsql/environment", "leapsql/run_id", "leapsql/model_run_id")


def partitions_def_of(node: Node) -> dg.PartitionsDefinition | None:
    """Return the partitions of a model as Dagster has them, under the same keys; ``None`` if it has none."""
    partitioning = partitioning_of(node)
    if partitioning is None:
        return None
    if partitioning.every is None:
        return dg.StaticPartitionsDefinition(list(partitioning.keys))

    def moment(text: str | None) -> datetime | None:
        return None if text is None or partitioning.every is None else read_moment(text, partitioning.every)

    options: dict[str, Any] = {
        "start_date": moment(partitioning.start),
        "end_date": moment(partitioning.end),
        "end_offset": partitioning.end_offset,
    }
    return _KINDS[partitioning.every](**options)


def partition_mapping(node: Node, parent: Node) -> dg.PartitionMapping | None:
    """Return which partitions of `parent` those of `node` read, ``None`` where Dagster's own answer is right.

    That is the windows within its own, where the query shows that it reads the parent by them; and all of them for what
    has no partitions. Otherwise it may read any. Dagster takes one answer for all in one op that read a parent.
    """
    above, own = partitioning_of(parent), partitioning_of(node)
    if above is None or own is None or not isinstance(node, Model) or not isinstance(parent, Model):
        return None
    is_alike = (own.every is not None and above.every is not None) or own.keys == above.keys != ()
    return None if reads_by_window(node, parent) and is_alike else dg.AllPartitionMapping()


def check_kinds(specs: Sequence[dg.AssetSpec]) -> None:
    """Refuse several kinds of partitions in one op where this version of Dagster cannot select among them.

    Raises:
        UsageError: it cannot, and there are several.
    """
    by_kind = {spec.partitions_def: spec for spec in specs if spec.partitions_def is not None}
    if len(by_kind) < 2:
        return
    try:
        dg.AssetsDefinition(specs=list(by_kind.values()))
    except dg.DagsterInvalidDefinitionError as exc:
        names = ", ".join(sorted(spec.key.to_user_string() for spec in by_kind.values()))
        raise UsageError(
            f"this version of Dagster takes one kind of partitions in one op, and these differ: {names}",
            mend="Upgrade Dagster, or load them apart: @leapsql_assets(…, select=…) for each kind.",
        ) from exc


def asked_for(context: dg.AssetExecutionContext, nodes: Sequence[Node]) -> tuple[str, str] | None:
    """Return the first and the last partition of `nodes` that a run is of, ``None`` if it is of all that there are."""
    if all(partitioning_of(node) is None for node in nodes):
        return None
    return range_asked_for(context)


def with_parents_in_parts(keys: Iterable[dg.AssetKey], loaded: Sequence[LoadedAssets]) -> set[dg.AssetKey]:
    """Return assets with the models above them that have partitions, as far as only such models lie between.

    A run that is of no partition must have them: Dagster looks for the partitions of inputs beside the run, which it is
    not of. In changed mode those that stand are skipped.
    """
    found = set(keys)
    left = list(found)
    while left:
        key = left.pop()
        for one in loaded:
            nodes = one.session.project.nodes
            node = nodes.get(one.paths.get(key, ""))
            for entry in () if node is None or partitioning_of(node) is None else node.inputs:
                above = one.keys[entry.name]
                is_parted = entry.name in nodes and partitioning_of(nodes[entry.name]) is not None
                if is_parted and above in one.paths and above not in found:
                    found.add(above)
                    left.append(above)
    return found


def is_told_by_events(loaded: LoadedAssets, node: Node) -> bool:
    """Tell whether Dagster is told of a build by events of ours: of partitions, and of what reads some.

    Dagster itself looks, for what a step yields, for the partitions of its inputs that the run is of; a run that is of
    none fails then.
    """
    nodes = loaded.session.project.nodes
    read = (nodes[entry.name] for entry in node.inputs if entry.name in nodes)
    return any(partitioning_of(one) is not None for one in (node, *read))


def parts_told(done: ModelFinished, metadata: Mapping[str, Any]) -> Iterator[Part]:
    """Yield what is told of each partition that was built, or of a model that has none."""
    if partitioning_of(done.node) is None:
        yield Part(None, metadata, done.data_version)
    short = {name: metadata[name] for name in _OF_EACH if name in metadata}
    for number, partition in enumerate(done.partitions, 1):
        yield Part(partition.key, metadata if number == len(done.partitions) else short, partition.data_version)
