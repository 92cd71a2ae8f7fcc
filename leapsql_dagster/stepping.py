"""What Dagster keeps to itself and this plugin needs.

Which assets other steps of a run wait for, and their release; what a materialization is made of; other keys for what
assets read. All rest on what is private in Dagster, so they stand here alone and are tested on every supported version.
"""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from inspect import signature
from math import inf
from typing import Any

import dagster as dg

# An output so marked is stored without a materialization: Dagster does it for the assets that it observes.
_WITHOUT_MATERIALIZATION = "__source_asset_observation__"

CODE_VERSION_TAG = "dagster/code_version"
_DATA_VERSION_TAG = "dagster/data_version"
_IS_OURS_TAG = "dagster/data_version_is_user_provided"
_INPUT_VERSION_TAG = "dagster/input_data_version"
_INPUT_EVENT_TAG = "dagster/input_event_pointer"
_NO_EVENT = "NULL"
# What Dagster takes for the data version of an asset that it knows nothing of.
_UNKNOWN_VERSION = "INITIAL"
#: How many records are asked for at once.
MOST_RECORDS = 500

#: Whether this Dagster knows assets that hold no rows of their own; it then looks through them for what is stale.
KNOWS_VIRTUAL_ASSETS = "is_virtual" in signature(dg.AssetSpec.__new__).parameters


@contextmanager
def quietly() -> Iterator[None]:
    """Keep Dagster from warning, each time, that what is used here may change in its next version."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=dg.PreviewWarning)
        warnings.simplefilter("ignore", category=dg.BetaWarning)
        yield


def keys_awaited_by_other_steps(context: dg.AssetExecutionContext) -> set[dg.AssetKey]:
    """Return the selected assets that assets in other steps of this run read.

    Where Dagster does not tell, all selected assets count as awaited.
    """
    selected = set(context.selected_asset_keys)
    layer = _asset_layer(context)
    if layer is None:
        return selected
    in_run = set(layer.executable_asset_keys) if hasattr(layer, "executable_asset_keys") else None
    awaited: set[dg.AssetKey] = set()
    for key in selected:
        children = layer.get(key).child_keys
        if any(child not in selected and (in_run is None or child in in_run) for child in children):
            awaited.add(key)
    return awaited


def parents_of_unpartitioned(
    context: dg.AssetExecutionContext, keys: Iterable[dg.AssetKey]
) -> dict[dg.AssetKey, tuple[dg.AssetKey, ...]]:
    """Return what each of `keys` reads; those with partitions on either side are left out.

    Where Dagster does not tell, none is there.
    """
    layer = _asset_layer(context)
    if layer is None:
        return {}
    parents = {key: tuple(sorted(layer.get(key).parent_keys)) for key in keys}
    return {
        key: read
        for key, read in parents.items()
        if not any(layer.get(one).partitions_def is not None for one in (key, *read))
    }


def keys_observed(context: dg.AssetExecutionContext, keys: Iterable[dg.AssetKey]) -> set[dg.AssetKey]:
    """Return which of `keys` are assets that Dagster observes; none, where it does not tell."""
    layer = _asset_layer(context)
    if layer is None:
        return set()
    graph = getattr(layer.asset_graph, "source_asset_graph", layer.asset_graph)
    return {key for key in keys if graph.has(key) and graph.get(key).is_observable}


def _asset_layer(context: dg.AssetExecutionContext) -> Any:
    layer = getattr(context.job_def, "asset_layer", None)
    return layer if hasattr(layer, "get") and hasattr(layer, "asset_graph") else None


def release(key: dg.AssetKey) -> dg.Output[None]:
    """Return an output that lets the steps that wait for `key` go on, and records no materialization."""
    return dg.Output(None, output_name=key.to_python_identifier(), metadata={_WITHOUT_MATERIALIZATION: True})


def release_check(key: dg.AssetCheckKey) -> dg.Output[None]:
    """Return an output that lets the steps that wait for a blocking check go on, and records no result."""
    return dg.Output(None, output_name=output_of_check(key))


def output_of_check(key: dg.AssetCheckKey) -> str:
    """Return what Dagster calls the output of a check; that of an asset is called as its key in one word."""
    return f"{key.asset_key.to_python_identifier()}_{key.name}".replace(".", "_")


def with_keys_replaced(
    definition: dg.AssetsDefinition, replaced: Mapping[dg.AssetKey, dg.AssetKey]
) -> dg.AssetsDefinition:
    """Return a definition that reads other assets in place of some.

    The public way, `map_asset_specs`, changes what the graph shows and lets the steps run in any order.
    """
    return definition.with_attributes(asset_key_replacements=replaced)


def step_key(context: dg.AssetExecutionContext) -> str:
    """Return the key of the step that runs."""
    return context.op_execution_context.get_step_execution_context().step.key


def failed_in(instance: dg.DagsterInstance, run_id: str, step: str) -> bool:
    """Tell whether a step failed in a run, or was cut off in it."""
    stats = instance.get_run_step_stats(run_id, step_keys=[step])
    return any(one.status is not None and one.status.value not in ("SUCCESS", "SKIPPED") for one in stats)


# ----------------------------------------------------------------------------------- what a materialization is made of


@dataclass(frozen=True, slots=True)
class Latest:
    """What Dagster has of an asset: its versions, those of what it was made from, its rows, and the event that told it.

    `moment` is when that was, in seconds; of what this run told it is later than all else.
    """

    data_version: str
    event: str = _NO_EVENT
    row_count: int | None = None
    code_version: str | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    moment: float = inf

    def was_made_from(self, key: dg.AssetKey, latest: "Latest | None") -> bool:
        """Tell whether it was made from what Dagster has of `key` now."""
        now = _UNKNOWN_VERSION if latest is None else latest.data_version
        return self.inputs.get(key.to_user_string()) == now


def latest_of(
    instance: dg.DagsterInstance, keys: Iterable[dg.AssetKey], *, observed: bool = True
) -> dict[dg.AssetKey, Latest]:
    """Return the latest that Dagster's storage has of each of `keys`; what it knows nothing of is left out.

    An observation counts where there is no materialization; looking for it can take a query for each such key, so what
    is not `observed` has none.
    """
    wanted, found = sorted(set(keys)), dict[dg.AssetKey, Latest]()
    for start in range(0, len(wanted), MOST_RECORDS):
        for record in instance.get_asset_records(wanted[start : start + MOST_RECORDS]):
            entry = record.asset_entry
            event = entry.last_materialization_record or entry.last_observation_record
            if event is None and observed and not instance.event_log_storage.asset_records_have_last_observation:
                event = next(iter(instance.fetch_observations(entry.asset_key, limit=1).records), None)
            if event is not None:
                found[entry.asset_key] = _latest(event)
    return found


def _latest(event: dg.EventLogRecord) -> Latest:
    told: Any = event.asset_materialization or event.asset_observation
    rows = told.metadata.get("dagster/row_count")
    tags = told.tags or {}
    prefix = f"{_INPUT_VERSION_TAG}/"
    return Latest(
        data_version=tags.get(_DATA_VERSION_TAG, _UNKNOWN_VERSION),
        event=str(event.storage_id),
        row_count=rows.value if rows is not None and isinstance(rows.value, int) else None,
        code_version=tags.get(CODE_VERSION_TAG),
        inputs={name.removeprefix(prefix): version for name, version in tags.items() if name.startswith(prefix)},
        moment=event.timestamp,
    )


def input_tags(read: Mapping[dg.AssetKey, Latest | None]) -> dict[str, str]:
    """Return the tags by which a materialization says which versions of what it read."""
    tags: dict[str, str] = {}
    for key, latest in read.items():
        name = key.to_user_string()
        tags[f"{_INPUT_VERSION_TAG}/{name}"] = _UNKNOWN_VERSION if latest is None else latest.data_version
        tags[f"{_INPUT_EVENT_TAG}/{name}"] = _NO_EVENT if latest is None else latest.event
    return tags


def version_tags(data_version: str, code_version: str | None = None) -> dict[str, str]:
    """Return the tags by which an event says the versions of what it tells of."""
    tags = {_DATA_VERSION_TAG: data_version, _IS_OURS_TAG: "true"}
    return tags if code_version is None else {**tags, CODE_VERSION_TAG: code_version}
