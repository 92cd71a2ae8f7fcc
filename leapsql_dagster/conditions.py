"""Automation conditions that the plan answers, `model_changed()` and `needs_build()`, and the sensors they need."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from weakref import WeakKeyDictionary

import dagster as dg

from leapsql_core import Decision, UsageError
from leapsql_dagster.asking import Ask, ask
from leapsql_dagster.loading import LoadedAssets, loaded_assets_by_id, loaded_id_of, projects_of
from leapsql_dagster.resource import LeapSQLResource
from leapsql_dagster.settings import MODE_TAG

#: Reasons that lie in what a model itself says: its query, its configuration, its rows if it is a seed.
OWN_CODE = frozenset({"new", "query_changed", "config_changed", "seed_changed", "resolved_differently"})

#: As many assets Dagster lets one sensor of this kind have.
_MOST_ASSETS = 500
_MOST_NAMED = 20

#: What was planned for one evaluation; it goes when the view of that evaluation does.
_asked: WeakKeyDictionary[Any, dict[str, Ask]] = WeakKeyDictionary()


@dataclass(frozen=True)
class PlanCondition(dg.AutomationCondition[Any]):
    """True for models that the plan builds: for any reason, or only for one of `reasons`.

    It belongs to this process, for the plan is made from files: Dagster's daemon cannot evaluate it, the sensors of
    `build_automation_sensors` can.
    """

    called: str
    means: str
    reasons: frozenset[str] | None
    max_attempts: int | None = None
    label: str | None = None

    __hash__ = dg.AutomationCondition.__hash__

    @property
    def name(self) -> str:
        """What it is called where Dagster shows it."""
        return self.called if self.max_attempts is None else f"{self.called}(max_attempts={self.max_attempts})"

    @property
    def description(self) -> str:
        """When it is true."""
        tries = "" if self.max_attempts is None else f", and its code has not failed {self.max_attempts} times"
        return f"{self.means}{tries}"

    def get_label(self) -> str | None:
        """Return what the user calls it."""
        return self.label

    def with_label(self, label: str | None) -> "PlanCondition":
        """Return the same condition under a name of the user's."""
        return replace(self, label=label)

    def evaluate(self, context: dg.AutomationContext[Any]) -> dg.AutomationResult[Any]:
        """Ask the plan; it is made once for all models of an evaluation.

        Raises:
            LeapSQLError: the asset is no model, or the project as it is now cannot be planned.
        """
        key = context.key.asset_key if isinstance(context.key, dg.AssetCheckKey) else context.key
        loaded = _loaded_behind(context, key)
        if loaded is None:
            if context.key == context.root_context.key:
                raise UsageError(
                    f"{key.to_user_string()} is no model of LeapSQL", mend=f"{self.called}() tells of models and seeds."
                )
            return dg.AutomationResult(context, context.get_empty_subset())
        true = self._holds(_ask_once(context, key, loaded), key)
        return dg.AutomationResult(context, context.candidate_subset if true else context.get_empty_subset())

    def _holds(self, asked: Ask, key: dg.AssetKey) -> bool:
        decision = asked.builds.get(key)
        if decision is None or (self.reasons is not None and decision.reason not in self.reasons):
            return False
        return self.max_attempts is None or asked.failed.get(key, 0) < self.max_attempts


def model_changed(*, max_attempts: int | None = None) -> PlanCondition:
    """Return the condition that a model's own code, query or configuration, is not what was last built of it.

    Its inputs do not count, a comment does not either. It is true from the first evaluation after a deploy until a
    build of the model succeeds. `max_attempts` makes it false once this code has failed so many times.
    """
    return PlanCondition("model_changed", "The model's own code was not built yet", OWN_CODE, _positive(max_attempts))


def needs_build(*, max_attempts: int | None = None) -> PlanCondition:
    """Return the condition that the plan builds a model: its own code changed, or an input that was built did.

    It is true until a build of the model succeeds. Answers that move by themselves (`now()`) do not count.
    `max_attempts` makes it false once this code has failed so many times.
    """
    return PlanCondition("needs_build", "The plan builds the model", None, _positive(max_attempts))


def build_automation_sensors(
    assets: Sequence[dg.AssetsDefinition],
    *,
    condition: dg.AutomationCondition[Any] | None = None,
    name: str = "leapsql_automation",
    mode: Literal["all", "changed"] = "changed",
    minimum_interval_seconds: int = 30,
    run_tags: Mapping[str, str] | None = None,
    description: str | None = None,
    default_status: dg.DefaultSensorStatus = dg.DefaultSensorStatus.STOPPED,
) -> list[dg.AutomationConditionSensorDefinition]:
    """Return the sensors that evaluate the automation conditions of `assets` where their plan is at hand.

    `condition` is that of assets without one of their own. What is asked for in one evaluation is one run, in `mode`.
    One sensor does for 500 assets, parents first; the others are called `name` with a number.

    Raises:
        LeapSQLError: `assets` were not made by `leapsql_assets`.
    """
    keys = [key for loaded in projects_of(assets) for key in loaded.paths]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=dg.BetaWarning)
        return [
            dg.AutomationConditionSensorDefinition(
                name if start == 0 else f"{name}_{start // _MOST_ASSETS + 1}",
                target=dg.AssetSelection.assets(*keys[start : start + _MOST_ASSETS]).without_checks(),
                use_user_code_server=True,
                default_condition=condition,
                minimum_interval_seconds=minimum_interval_seconds,
                run_tags={MODE_TAG: mode, **(run_tags or {})},
                description=description or "Builds models when their automation conditions ask for it.",
                default_status=default_status,
            )
            for start in range(0, len(keys), _MOST_ASSETS)
        ]


def _positive(max_attempts: int | None) -> int | None:
    if max_attempts is not None and max_attempts < 1:
        raise UsageError(f"max_attempts is {max_attempts}", mend="Write 1 or more, or leave it out to try for ever.")
    return max_attempts


def _assets_of(context: dg.AutomationContext[Any], key: dg.AssetKey) -> dg.AssetsDefinition | None:
    graph: Any = context.asset_graph
    return getattr(graph.get(key), "assets_def", None) if graph.has(key) else None


def _loaded_behind(context: dg.AutomationContext[Any], key: dg.AssetKey) -> LoadedAssets | None:
    definition = _assets_of(context, key)
    name = None if definition is None else loaded_id_of(definition.metadata_by_key.get(key, {}))
    return None if name is None else loaded_assets_by_id(name)


def _ask_once(context: dg.AutomationContext[Any], key: dg.AssetKey, loaded: LoadedAssets) -> Ask:
    """Plan as the resource that the asset runs with says, once for an evaluation."""
    known = _asked.setdefault(context.asset_graph_view, {})
    if loaded.id not in known:
        definition = _assets_of(context, key)
        known[loaded.id] = asked = ask(loaded, None if definition is None else _resource_of(context, definition))
        context.log.info(f"The plan of {asked.environment} builds {_in_words(asked.builds)}.")
    return known[loaded.id]


def _resource_of(context: dg.AutomationContext[Any], definition: dg.AssetsDefinition) -> LeapSQLResource | None:
    """Return the resource that builds the models of a definition, with the values it has in this process."""
    for key, bound in sorted(definition.resource_defs.items()):
        made_from = getattr(bound, "configurable_resource_cls", None)
        if made_from is not None and issubclass(made_from, LeapSQLResource):
            with dg.build_resources({key: bound}, instance=context.asset_graph_view.instance) as found:
                resource: LeapSQLResource = getattr(found, key)
                return resource
    return None


def _in_words(builds: Mapping[dg.AssetKey, Decision]) -> str:
    shown = [f"{key.to_user_string()} ({decision.reason})" for key, decision in builds.items()]
    more = f" and {len(shown) - _MOST_NAMED} more" if len(shown) > _MOST_NAMED else ""
    return f"{', '.join(shown[:_MOST_NAMED])}{more}" if shown else "nothing"
