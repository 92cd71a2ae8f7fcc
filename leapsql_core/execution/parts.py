"""Building partitions: their queries, the versions taken of them, and what is known of all partitions afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leapsql_core.execution.windows import take_windows
from leapsql_core.models import Model, Partition, PartitionTrace, Trace
from leapsql_core.partitions import fill, holds_window, partition_column, partitioning_of
from leapsql_core.planning import Stock
from leapsql_core.protocols import Replacement, Slice, WarehouseTransaction

if TYPE_CHECKING:
    from leapsql_core.execution.building import Built


@dataclass(frozen=True, slots=True)
class Parts:
    """The partitions that a build replaces in a model's relation, and those that it takes away."""

    node: Model
    built: tuple[Partition, ...]
    gone: tuple[Partition, ...]

    def replacement(self, text: str, *, anew: bool) -> Replacement:
        """Return what to replace by a query that was rendered with placeholders.

        One that holds some is asked once for each partition; another yields the rows of all.
        """
        partitioning, how = partitioning_of(self.node), self.node.config.incremental
        assert partitioning is not None  # only what has partitions is built by them
        if holds_window(text, partitioning):
            slices = tuple(Slice(fill(text, partitioning, one), (one,), strict=True) for one in self.built)
        else:
            slices = (Slice(text, self.built, strict=False),) if self.built else ()
        shape = slices[0].query if slices else text
        return Replacement(slices, self.gone, partition_column(how), anew, shape)

    def windows(self, transaction: WarehouseTransaction) -> Mapping[str, Mapping[str, str]]:
        """Return the versions of what the partitions read in their windows.

        They are taken before it is read: what moves meanwhile, as a file may, differs from them the next time.
        """
        return take_windows(transaction, self.node, self.built)

    def versions(self, transaction: WarehouseTransaction) -> Mapping[str, str]:
        """Return the versions of the partitions that were built."""
        column = partition_column(self.node.config.incremental)
        return transaction.window_versions(self.node.relation, column, self.built, None)


def parts_of(node: Model, stock: Stock, keys: Sequence[str]) -> Parts:
    """Return the work on the partitions `keys` of a node."""
    wanted = set(keys)
    return Parts(node, tuple(one for one in stock.listed if one.key in wanted), stock.gone)


def partitions_after(
    parts: Parts, built: Built, trace: Trace, stands: Sequence[PartitionTrace]
) -> tuple[PartitionTrace, ...]:
    """Return all partitions that a relation has after a build: those that `stands` are, and those that it built."""
    windows = built.windows.items()
    fresh = {
        one.key: PartitionTrace(
            key=one.key,
            model_run_id=trace.model_run_id,
            code_version=trace.code_version,
            data_version=built.partitions.get(one.key),
            inputs=trace.inputs,
            windows=tuple(sorted((name, found[one.key]) for name, found in windows if one.key in found)),
            built_at=trace.built_at,
        )
        for one in parts.built
    }
    left = [one for one in stands if one.key not in fresh]
    return tuple(sorted((*left, *fresh.values()), key=lambda one: one.key))
