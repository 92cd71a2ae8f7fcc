"""Selections as on the command line, as Dagster asset selections."""

from collections.abc import Sequence

import dagster as dg

from leapsql_core import choose
from leapsql_dagster.loading import projects_of


def build_leapsql_asset_selection(
    assets: Sequence[dg.AssetsDefinition], select: str | Sequence[str] = (), *, exclude: str | Sequence[str] = ()
) -> dg.AssetSelection:
    """Return the assets that a selection means, in the grammar of the command line.

    ``state:changed`` is answered once, when this is called, from files and state as they are then: a schedule or
    sensor that asks anew at each tick is made by `build_changed_models_schedule` and `build_changed_models_sensor`.

    Raises:
        SelectionError: a word that cannot be read, or selects nothing.
        LeapSQLError: `assets` were not made by `leapsql_assets`.
    """
    keys: list[dg.AssetKey] = []
    for loaded in projects_of(assets):
        words = [select] if isinstance(select, str) else select
        without = [exclude] if isinstance(exclude, str) else exclude
        paths = choose(loaded.session, words, exclude=without, look=False)
        keys += [loaded.keys[path] for path in paths if loaded.keys[path] in loaded.paths]
    return dg.AssetSelection.assets(*keys)
