"""Whether the partitions of a model stand, each by itself, and which of them a build replaces."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from leapsql_core.errors import SelectionError
from leapsql_core.models import Decision, Model, Node, Partition, PartitionTrace, Project, Trace, TraceInput
from leapsql_core.names import did_you_mean
from leapsql_core.partitions import any_partition, find_partition, keys_in_words, list_partitions, partitioning_of
from leapsql_core.planning.inputs import compare_inputs
from leapsql_core.planning.observations import Observations
from leapsql_core.planning.surroundings import compare_surroundings, is_macro
from leapsql_core.planning.versions import VersionBook

#: Those that were asked for: the first and the last of a range, in the order of a model's partitions.
PartitionRange = tuple[str, str]

_MOST_SAID = 3


@dataclass(frozen=True, slots=True)
class Stock:
    """The partitions of one model: ``listed`` are those that there are now, ``known`` those that stand.

    ``asked`` are the keys that a build may be of: all that are listed, unless fewer were asked for. ``gone`` stand, and
    are none of the model's any more.
    """

    listed: tuple[Partition, ...]
    known: tuple[PartitionTrace, ...]
    asked: frozenset[str]
    gone: tuple[Partition, ...] = ()

    @property
    def is_narrow(self) -> bool:
        """Whether fewer were asked for than there are."""
        return len(self.asked) < len(self.listed)


def take_stock(
    node: Node, known: Sequence[PartitionTrace], observations: Observations, asked: PartitionRange | None = None
) -> Stock | None:
    """Return the partitions of a node, ``None`` if it has none by its configuration.

    Raises:
        SelectionError: a partition was asked for that there is not, or the last before the first.
    """
    partitioning = partitioning_of(node)
    if partitioning is None:
        return None
    found = {one.key: find_partition(partitioning, one.key) for one in known}
    standing = tuple(one for one in known if found[one.key] is not None)
    listed = tuple(partition for partition in found.values() if partition is not None)
    if observations.now is not None:
        listed = list_partitions(partitioning, observations.now)
    keys = [partition.key for partition in listed]
    if asked is not None:
        keys = keys[_places(node, keys, asked)]
    # Of another kind there are none to take away: the whole table is made anew then.
    gone = (any_partition(partitioning, key) for key in sorted(found) if found[key] is None)
    return Stock(listed, standing, frozenset(keys), tuple(partition for partition in gone if partition is not None))


def _places(node: Node, keys: Sequence[str], asked: PartitionRange) -> slice:
    first, last = (_place(node, keys, key) for key in asked)
    if last < first:
        cause = f"of {node.path} the partition `{asked[1]}` comes before `{asked[0]}`"
        raise SelectionError(cause, mend=f"Write {asked[1]}..{asked[0]}.")
    return slice(first, last + 1)


def _place(node: Node, keys: Sequence[str], key: str) -> int:
    if key in keys:
        return keys.index(key)
    partitioning = partitioning_of(node)
    if partitioning is not None and find_partition(partitioning, key) is not None:
        raise SelectionError(f"the partition `{key}` of {node.path} has not ended yet", mend="Wait until it has.")
    there = f"It has {keys[0]} … {keys[-1]}." if keys else "It has none yet."
    raise SelectionError(f"{node.path} has no partition `{key}`", mend=did_you_mean(key, keys, otherwise=there))


def stale_partitions(
    node: Model,
    trace: Trace,
    stock: Stock,
    *,
    project: Project,
    book: VersionBook,
    observations: Observations,
    pending: Collection[str] = (),
) -> dict[str, Decision]:
    """Return why partitions have to be built, or checked for inputs that are `pending`, by key; others stand."""
    current = {one.key: one for one in stock.known}
    follows_query = node.config.incremental.on_query_change != "forward_only"
    compared: dict[tuple[TraceInput, ...], Decision | None] = {}
    found: dict[str, Decision] = {}
    for partition in stock.listed:
        one = current.get(partition.key)
        if one is None:
            found[partition.key] = Decision(node.path, "build", "partition_missing", "never built")
            continue
        if follows_query and one.code_version != trace.code_version:
            found[partition.key] = Decision(node.path, "build", "query_changed", "its query changed since")
            continue
        inputs = inputs_by_window(node, one, book, observations)
        if inputs not in compared:
            then = replace(trace, inputs=inputs)
            compared[inputs] = compare_surroundings(node, then, observations, project.secrets) or compare_inputs(
                node, then, project=project, book=book, pending=pending
            )
        decision = compared[inputs]
        if decision is not None:
            found[partition.key] = decision
    return found


def inputs_by_window(
    node: Model, one: PartitionTrace, book: VersionBook, observations: Observations
) -> tuple[TraceInput, ...]:
    """Return what a partition read, with the versions of now for inputs that hold the same in its window.

    A macro of the database may read more of an input than the query shows; then nothing is known of windows.
    """
    read = dict(one.windows)
    windowed = {} if any(map(is_macro, one.inputs)) else dict(node.windowed)

    def of_now(entry: TraceInput) -> TraceInput:
        now = observations.windows.get((node.path, entry.name), {}).get(one.key)
        if entry.name not in windowed or now is None or now != read.get(entry.name):
            return entry
        return replace(entry, data_version=book.read_version(node, entry.name, entry.columns))

    return tuple(map(of_now, one.inputs))


def decision_of(node: Node, stale: Mapping[str, Decision], stock: Stock) -> Decision | None:
    """Return one decision for all partitions that were asked for, ``None`` if they stand and none is gone."""
    wanted = {key: decision for key, decision in stale.items() if key in stock.asked}
    builds = {key: decision for key, decision in wanted.items() if decision.action == "build"}
    if builds:
        lead = next((decision for decision in builds.values() if not decision.recurring), next(iter(builds.values())))
        detail = _in_words(builds, len(stock.listed))
        return replace(lead, detail=detail, partitions=tuple(builds))
    if stock.gone:
        total = len(stock.known) + len(stock.gone)
        detail = f"{keys_in_words([one.key for one in stock.gone], total)} is none of its partitions any more"
        return Decision(node.path, "build", "partition_gone", detail)
    return next(iter(wanted.values()), None)


def _in_words(builds: Mapping[str, Decision], total: int) -> str:
    """Return which partitions build and why, the reasons in the order in which they come first."""
    groups: dict[str, list[str]] = {}
    for key, decision in builds.items():
        groups.setdefault(decision.detail, []).append(key)
    said = [f"{keys_in_words(keys, total)} ({detail})" for detail, keys in groups.items()]
    more = len(said) - _MOST_SAID
    return "; ".join(said[:_MOST_SAID]) + (f"; and for {more} more reasons" if more > 0 else "")


def choose_partitions(
    decision: Decision, node: Node, stale: Mapping[str, Decision], stock: Stock, *, force: bool
) -> Decision:
    """Return a build with the partitions that it is of: those that are stale, or all where the whole model is."""
    if decision.action != "build":
        return decision
    asked = tuple(partition.key for partition in stock.listed if partition.key in stock.asked)
    by_itself = decision.partitions or decision.reason == "partition_gone"
    how = node.config.incremental if isinstance(node, Model) else None
    if how is not None and how.on_query_change == "forward_only" and decision.reason in _OF_THE_QUERY:
        by_itself = True
        decision = replace(decision, partitions=tuple(key for key in asked if key in stale))
    if by_itself and not force:
        return decision
    said = f"{decision.detail}; {keys_in_words(asked, len(stock.listed))}" if stock.is_narrow else decision.detail
    return replace(decision, partitions=asked, detail=said)


#: Reasons that an author sets aside with `on_query_change: forward_only`.
_OF_THE_QUERY = frozenset({"query_changed", "resolved_differently"})
