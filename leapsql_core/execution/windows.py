"""Looking into the windows of partitions: what of an input lies in them, where a partition reads nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from leapsql_core.errors import WarehouseError
from leapsql_core.models import Model, Node, Partition, PartitionTrace
from leapsql_core.partitions import find_partition, partitioning_of
from leapsql_core.planning import VersionBook
from leapsql_core.protocols import Warehouse, WarehouseTransaction

#: Versions of the rows of inputs in the windows of partitions, by model and input, then by key.
Windows = dict[tuple[str, str], Mapping[str, str]]


def look_into_windows(
    warehouse: Warehouse, nodes: Iterable[Node], known: Mapping[str, Sequence[PartitionTrace]], book: VersionBook
) -> Windows:
    """Return what lies in the windows of partitions whose inputs, taken whole, are not what they were built from.

    `known` are the partitions that stand. An input that cannot be read is left out: nothing is known of its windows.
    """
    found: Windows = {}
    for node in nodes:
        partitioning = partitioning_of(node)
        if partitioning is None or not isinstance(node, Model):
            continue
        for name, _ in node.windowed:
            moved = _moved(node, name, known.get(node.path, ()), book)
            windows = [window for one in moved if (window := find_partition(partitioning, one.key)) is not None]
            if windows:
                try:
                    with warehouse.transaction() as transaction:
                        found[node.path, name] = take_windows(transaction, node, windows, only=name)[name]
                except WarehouseError:
                    continue
    return found


def _moved(node: Model, name: str, known: Sequence[PartitionTrace], book: VersionBook) -> list[PartitionTrace]:
    """Return the partitions that an input, taken whole, has moved on from, and whose windows of it are known."""
    columns = next(entry.columns for entry in node.inputs if entry.name == name)
    now = book.read_version(node, name, columns)
    read = {one.key: next((entry.data_version for entry in one.inputs if entry.name == name), None) for one in known}
    return [one for one in known if now is not None and read[one.key] != now and name in dict(one.windows)]


def take_windows(
    transaction: WarehouseTransaction, node: Model, windows: Sequence[Partition], *, only: str | None = None
) -> dict[str, Mapping[str, str]]:
    """Return the versions of the rows of a model's inputs in `windows`, by input and key."""
    columns = {entry.name: (entry.relation, entry.columns) for entry in node.inputs}
    return {
        name: transaction.window_versions(columns[name][0], column, windows, columns[name][1])
        for name, column in node.windowed
        if only in (None, name)
    }
