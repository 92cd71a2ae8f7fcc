"""What Dagster keeps to itself and this plugin needs.

Which assets other steps of a run wait for, and their release; other keys for what assets read. All rest on what is
private in Dagster, so they stand here alone and are tested on every supported version.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

# An output so marked is stored without a materialization: Dagster does it for the assets that it observes.
_WITHOUT_MATERIALIZATION = "__source_asset_observation__"


def keys_awaited_by_other_steps(context: dg.AssetExecutionContext) -> set[dg.AssetKey]:
    """Return the selected assets that assets in other steps of this run read.

    Where Dagster does not tell, all selected assets count as awaited.
    """
    selected = set(context.selected_asset_keys)
    layer: Any = getattr(context.job_def, "asset_layer", None)
    if layer is None:
        return selected
    in_run = set(layer.executable_asset_keys) if hasattr(layer, "executable_asset_keys") else None
    awaited: set[dg.AssetKey] = set()
    for key in selected:
        children = layer.get(key).child_keys
        if any(child not in selected and (in_run is None or child in in_run) for child in children):
            awaited.add(key)
    return awaited


def release(key: dg.AssetKey) -> dg.Output[None]:
    """Return an output that lets the steps that wait for `key` go on, and records no materialization."""
    return dg.Output(None, output_name=key.to_python_identifier(), metadata={_WITHOUT_MATERIALIZATION: True})


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
