"""Several components in one code location show sources of their projects as assets: each source is one asset."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from leapsql_dagster.joining import made_elsewhere, sources_read
from leapsql_dagster.loading import loaded_assets_of
from leapsql_dagster.sources import observable_sources


@dataclass(frozen=True, slots=True)
class Wish:
    """What a component wants to show of the sources that nobody makes.

    `assets` are those of its project; with `observes` they become observable, but those `unobserved`, by name, and with
    `shows` external the others that are read.
    """

    assets: Sequence[dg.AssetsDefinition]
    observes: bool = False
    unobserved: Collection[str] = ()
    shows: bool = False


@dataclass(frozen=True, slots=True)
class Share:
    """The names of the sources that a component shows."""

    observed: frozenset[str] = field(default_factory=frozenset)
    external: frozenset[str] = field(default_factory=frozenset)


def share_sources(wishes: Sequence[Wish]) -> list[Share]:
    """Return what each component shows, so that none shows what another makes or shows.

    The first one has it, and who observes a source goes before who only shows it.

    Raises:
        UsageError: two assets make the table that a project reads.
    """
    assets = [one for wish in wishes for one in wish.assets]
    taken = {key for one in assets for key in one.keys}
    free = [_free(wish, assets, taken) for wish in wishes]
    observed = [_observed(wish, keys, taken) for wish, keys in zip(wishes, free, strict=True)]
    external = [_external(wish, keys, taken) for wish, keys in zip(wishes, free, strict=True)]
    return [Share(some, others) for some, others in zip(observed, external, strict=True)]


def _free(wish: Wish, assets: Sequence[Any], taken: Collection[dg.AssetKey]) -> dict[str, dg.AssetKey]:
    """Return the sources of a component's project that nobody makes, by name."""
    if not wish.assets:
        return {}
    loaded = loaded_assets_of(wish.assets[0])
    made = made_elsewhere(loaded, assets)
    keys = {name: loaded.specs[name].key for name in loaded.session.project.sources if name not in made}
    return {name: key for name, key in keys.items() if key not in taken}


def _observed(wish: Wish, free: dict[str, dg.AssetKey], taken: set[dg.AssetKey]) -> frozenset[str]:
    if not wish.observes or not free:
        return frozenset()
    sources = observable_sources(loaded_assets_of(wish.assets[0]), exclude=wish.unobserved)
    return _take([source.name for source in sources], free, taken)


def _external(wish: Wish, free: dict[str, dg.AssetKey], taken: set[dg.AssetKey]) -> frozenset[str]:
    if not wish.shows or not free:
        return frozenset()
    read = {source.name for one in wish.assets for source in sources_read(loaded_assets_of(one))}
    return _take(sorted(read), free, taken)


def _take(names: Sequence[str], free: dict[str, dg.AssetKey], taken: set[dg.AssetKey]) -> frozenset[str]:
    """Return those of `names` that are still to be had, and take them."""
    got = frozenset(name for name in names if name in free and free[name] not in taken)
    taken.update(free[name] for name in got)
    return got
