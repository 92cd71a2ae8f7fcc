"""What one request holds: what changed, what lies below it, and how much of it at once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from leapsql_dagster.asking import Ask

_MOST_NAMED = 20


@dataclass(frozen=True)
class Launch:
    """What to ask for now.

    `keys` are the assets of the request, `builds` those among them that certainly have to be built. `later` are models
    that a limit leaves for the next request, `given_up` are those that failed too often, with how often.
    """

    keys: frozenset[dg.AssetKey]
    builds: tuple[dg.AssetKey, ...]
    later: tuple[dg.AssetKey, ...]
    given_up: Mapping[dg.AssetKey, int]

    def said(self) -> str:
        """Return in words what is asked for, and what is not yet."""
        said = f"Changed: {names_of(self.builds)}."
        return f"{said} Left for the next run: {names_of(self.later)}." if self.later else said


def plan_launch(
    asks: Sequence[Ask], in_job: Any, graph: Any, *, max_models: int | None = None, max_attempts: int | None = None
) -> Launch:
    """Return what to ask for: changed models of the job, and what of the job lies below them and may change too.

    Models that failed `max_attempts` times are given up, and so is what lies below them, unless something above them
    is built now. At most `max_models` models
    are asked for, parents first: what they need is among them. What an asset that is no model does is not known
    beforehand, so it comes with the models above it, and all below it too.
    """
    builds = [key for one in asks for key in one.builds if key in in_job]
    attempts = {key: times for one in asks for key, times in one.failed.items() if key in builds}
    failing = {key for key, times in attempts.items() if max_attempts is not None and times >= max_attempts}
    moved = _reach([key for key in builds if key not in failing | _reach(failing, graph)], graph)
    given_up = {key: times for key, times in attempts.items() if key in failing - moved}
    stuck = given_up.keys() | _reach(given_up, graph)
    found, beyond = _below([key for key in builds if key not in stuck], asks, in_job, graph)
    models = [key for key in graph.toposorted_asset_keys if key in found - beyond - stuck and key in in_job]
    chosen = models if max_models is None else models[:max_models]
    carried = beyond & _reach(chosen, graph) & set(in_job) - stuck
    return Launch(
        keys=frozenset({*chosen, *carried}),
        builds=tuple(key for key in builds if key in chosen or key in carried),
        later=tuple(key for key in models if key not in chosen),
        given_up=given_up,
    )


def names_of(names: Iterable[dg.AssetKey | str]) -> str:
    """Return names in one line, the first of them if there are many."""
    said = [name if isinstance(name, str) else name.to_user_string() for name in names]
    shown = ", ".join(said[:_MOST_NAMED])
    return shown if len(said) <= _MOST_NAMED else f"{shown} and {len(said) - _MOST_NAMED} more"


def _below(
    builds: Iterable[dg.AssetKey], asks: Sequence[Ask], in_job: Any, graph: Any
) -> tuple[set[dg.AssetKey], set[dg.AssetKey]]:
    """Return what changes or may change, and what of it lies at or beyond an asset that is no model.

    Of what lies below a model, the plan knows what stands; beyond another asset, whatever that will make of it.
    """
    models = {key for one in asks for key in (*one.builds, *one.checks, *one.settled)}
    settled = {key for one in asks for key in one.settled}
    found, beyond = set(builds), set[dg.AssetKey]()
    left = sorted(found)
    while left:
        above = left.pop()
        for key in graph.get(above).child_keys:
            open_ended = above in beyond or (key not in models and key in in_job)
            stands = key in settled and not open_ended
            if stands or (key in found and (key in beyond or not open_ended)):
                continue
            found.add(key)
            beyond.update({key} if open_ended else ())
            left.append(key)
    return found, beyond


def _reach(keys: Iterable[dg.AssetKey], graph: Any) -> set[dg.AssetKey]:
    """Return everything that lies below some assets."""
    found: set[dg.AssetKey] = set()
    left = list(keys)
    while left:
        below = graph.get(left.pop()).child_keys - found
        found |= below
        left += below
    return found
