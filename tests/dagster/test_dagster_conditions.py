"""The automation conditions: what the plan of an evaluation says, of every model, in one question to the state."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pytest
from dagster_shop import FILES, Shop

from benchmarks.generate import project_files
from leapsql_core import Node, Source, UsageError
from leapsql_dagster import (
    DagsterLeapSQLTranslator,
    LeapSQLResource,
    build_automation_sensors,
    model_changed,
    needs_build,
)

ALL = ["main/raw_orders", "marts/customers", "marts/order_count", "marts/totals", "staging/orders"]
CUSTOMERS = "models/marts/customers.sql"
NOT_RUNNING = ~dg.AutomationCondition.in_progress()


@dataclass
class With(DagsterLeapSQLTranslator):
    """Gives every model one condition."""

    condition: dg.AutomationCondition[Any]

    def get_asset_spec(self, node: Node | Source) -> dg.AssetSpec:
        spec = super().get_asset_spec(node)
        return spec if isinstance(node, Source) else spec.replace_attributes(automation_condition=self.condition)


@dataclass
class Ticks:
    """A deployment whose conditions are evaluated: each tick knows what the one before it knew."""

    shop: Shop
    condition: dg.AutomationCondition[Any]
    resource: LeapSQLResource
    cursor: Any = None

    def deploy(self) -> "Ticks":
        """Load the project as its files are now."""
        self.definitions = self.shop.definitions(translator=With(self.condition), resource=self.resource)
        return self

    def tick(self) -> list[str]:
        """Evaluate once, as Dagster does; the keys that are asked for, each for no partition."""
        result = dg.evaluate_automation_conditions(self.definitions, self.shop.instance, cursor=self.cursor)
        self.cursor = result.cursor
        asked = {key: result.get_requested_partitions(key) for key in self.definitions.resolve_all_asset_keys()}
        assert all(partitions in (set(), {None}) for partitions in asked.values())
        return sorted(key.to_user_string() for key, partitions in asked.items() if partitions)

    def run(self, *keys: str) -> bool:
        """Run the job for some assets, all by default, in a process that loads the files anew; whether it succeeded."""
        selection = [dg.AssetKey.from_user_string(key) for key in keys] or None
        definitions = self.shop.definitions(resource=self.resource)
        return self.shop.run(definitions, asset_selection=selection).success


@pytest.fixture
def ticking(shop: Shop) -> Callable[..., Ticks]:
    """Deploy a project with a condition on each of its models."""

    def deploy(condition: dg.AutomationCondition[Any], **fields: Any) -> Ticks:
        return Ticks(shop, condition, LeapSQLResource(**fields)).deploy()

    return deploy


def test_a_first_deploy_asks_for_everything_until_it_is_built(ticking: Callable[..., Ticks]) -> None:
    """Both fire on the first evaluation, where nothing was evaluated before, stay true, and fall silent after."""
    both = [ticking(model_changed()), ticking(needs_build())]
    assert [ticks.tick() for ticks in both * 2] == [ALL] * 4
    assert both[0].run()
    assert [ticks.tick() for ticks in both] == [[], []]
    assert [ticks.deploy().tick() for ticks in both] == [[], []]


def test_a_deploy_of_changed_code_fires_at_once_and_until_it_is_built(
    shop: Shop, ticking: Callable[..., Ticks]
) -> None:
    """Nobody evaluated between edit and deploy; a failed run leaves both true, a success makes both false."""
    ticking(needs_build()).run()
    shop.edit(CUSTOMERS, "sum(amount)", "error('no')")
    both = [ticking(model_changed()), ticking(needs_build())]
    assert [ticks.tick() for ticks in both] == [["marts/customers"]] * 2
    assert not both[0].run()
    assert [ticks.tick() for ticks in both] == [["marts/customers"]] * 2
    shop.edit(CUSTOMERS, "error('no')", "max(amount)")
    assert [ticks.deploy().tick() for ticks in both] == [["marts/customers"]] * 2
    assert both[0].run()
    assert [ticks.tick() for ticks in both] == [[], []]


def test_going_back_to_what_was_built_asks_for_nothing(shop: Shop, ticking: Callable[..., Ticks]) -> None:
    """After a failure, the last good code is what stands."""
    ticks = ticking(needs_build())
    ticks.run()
    shop.edit(CUSTOMERS, "sum(amount)", "error('no')")
    ticks.run()
    shop.edit(CUSTOMERS, "error('no')", "sum(amount)")
    assert ticks.deploy().tick() == []


def test_a_comment_is_no_change(shop: Shop, ticking: Callable[..., Ticks]) -> None:
    """The plan decides, not the bytes of the file nor the code version that was loaded."""
    ticks = ticking(model_changed() | needs_build())
    ticks.run()
    shop.edit(CUSTOMERS, "select", "select /* who */")
    assert ticks.deploy().tick() == []


def test_a_saved_edit_is_seen_without_a_deploy(shop: Shop, ticking: Callable[..., Ticks]) -> None:
    """As the sensor of changed models does: what would run is what is asked."""
    ticks = ticking(model_changed())
    ticks.run()
    shop.edit(CUSTOMERS, "sum(amount)", "max(amount)")
    assert ticks.tick() == ["marts/customers"]


def test_an_input_that_was_built_anew_is_a_need_and_no_change(shop: Shop, ticking: Callable[..., Ticks]) -> None:
    """`model_changed` is of the model's own code, `needs_build` of what it reads too, through a view as well."""
    needs, changed = ticking(needs_build()), ticking(model_changed())
    needs.run()
    shop.edit("seeds/raw_orders.csv", "2,bob,20", "2,bob,25")
    assert (needs.deploy().tick(), changed.deploy().tick()) == (["main/raw_orders"], ["main/raw_orders"])
    assert needs.run("main/raw_orders")
    assert (needs.tick(), changed.tick()) == (["marts/customers"], []), "it goes through the view, and not to the count"
    assert needs.run("marts/customers")
    assert (needs.tick(), changed.tick()) == (["marts/totals"], [])
    assert needs.run()
    assert (needs.tick(), changed.tick()) == ([], [])


def test_a_view_is_asked_for_only_when_its_code_changed(shop: Shop, ticking: Callable[..., Ticks]) -> None:
    """What it reads moves, the view stands."""
    ticks = ticking(needs_build())
    ticks.run()
    shop.edit("seeds/raw_orders.csv", "2,bob,20", "2,bob,25")
    ticks.run("main/raw_orders")
    assert "staging/orders" not in ticks.tick()
    shop.edit("models/staging/orders.sql", "id, customer, amount", "id, customer, amount + 1 as amount")
    assert "staging/orders" in ticks.tick()


def test_what_moves_by_itself_is_no_need(shop: Shop, ticking: Callable[..., Ticks]) -> None:
    """A model that says now() would be asked for in every evaluation, for ever."""
    shop.write({"models/marts/clock.sql": "select now() as t"})
    ticks = ticking(needs_build())
    assert "marts/clock" in ticks.tick()
    ticks.run()
    assert ticks.tick() == []


def test_what_keeps_failing_is_given_up_until_it_is_edited(shop: Shop, ticking: Callable[..., Ticks]) -> None:
    """With `max_attempts` a change is asked for so many times; other code is tried anew."""
    ticks = ticking(needs_build(max_attempts=2))
    ticks.run()
    shop.edit(CUSTOMERS, "sum(amount)", "error('no')")
    for _ in range(2):
        assert ticks.tick() == ["marts/customers"]
        assert not ticks.run()
    assert ticks.tick() == []
    shop.edit(CUSTOMERS, "error('no')", "max(amount)")
    assert ticks.tick() == ["marts/customers"]


def test_attempts_are_counted_from_one() -> None:
    """A condition that could never be true is a mistake."""
    with pytest.raises(UsageError, match="max_attempts is 0"):
        needs_build(max_attempts=0)


def test_they_combine_as_dagster_s_own_do(shop: Shop, ticking: Callable[..., Ticks]) -> None:
    """And, or, not, since, newly true, with a label, over dependencies."""
    wanted = {
        "and": (needs_build() & model_changed() & NOT_RUNNING, [ALL, ALL]),
        "or": (needs_build() | model_changed(), [ALL, ALL]),
        "not": (~needs_build(), [[], []]),
        "newly true": (needs_build().newly_true(), [ALL, []]),
        "since": (needs_build().since(dg.AutomationCondition.newly_requested()), [ALL, []]),
        "label": (needs_build().with_label("stale") | model_changed().with_label("edited"), [ALL, ALL]),
        "below": (dg.AutomationCondition.any_deps_match(needs_build()), [ALL[1:], ALL[1:]]),
    }
    for name, (condition, expected) in wanted.items():
        ticks = ticking(condition)
        assert (name, [ticks.tick(), ticks.tick()]) == (name, expected)


def test_a_label_names_it_and_leaves_it_what_it_is() -> None:
    """Two of the same arguments are equal; a label is shown, and changes no identity in Dagster's records."""
    labelled = needs_build().with_label("stale")
    assert (labelled.get_label(), needs_build().get_label()) == ("stale", None)
    assert labelled.get_unique_id() == needs_build().get_unique_id() != model_changed().get_unique_id()
    assert needs_build() == needs_build() != needs_build(max_attempts=3)
    assert hash(needs_build()) == hash(needs_build())
    assert needs_build(max_attempts=3).get_snapshot().node_snapshot.name == "needs_build(max_attempts=3)"


def test_what_lies_below_can_be_built_in_the_same_run(shop: Shop, ticking: Callable[..., Ticks]) -> None:
    """`will_be_requested` of a parent asks for what may have to follow; the run skips what need not."""
    below = dg.AutomationCondition.any_deps_match(dg.AutomationCondition.will_be_requested())
    ticks = ticking(needs_build() | below)
    ticks.run()
    shop.edit(CUSTOMERS, "sum(amount)", "max(amount)")
    assert ticks.tick() == ["marts/customers", "marts/totals"]


def test_they_plan_as_the_resource_builds(shop: Shop, ticking: Callable[..., Ticks]) -> None:
    """Variables of the resource belong to what is built: with them it stands, and nothing is asked for for ever."""
    ticks = ticking(needs_build(), vars={"least": 15})
    assert ticks.run()
    assert ticks.tick() == []
    assert Ticks(shop, needs_build(), LeapSQLResource(vars={"least": 1})).deploy().tick() == ["marts/customers"]


def test_an_asset_that_is_no_model_is_refused(shop: Shop) -> None:
    """On the asset itself it is a mistake; among dependencies of other assets it is just not true."""

    @dg.asset(automation_condition=needs_build())
    def alone() -> None:
        return None

    @dg.asset(deps=["alone"], automation_condition=dg.AutomationCondition.any_deps_match(needs_build()))
    def below() -> None:
        return None

    with pytest.raises(Exception, match="alone") as caught:
        dg.evaluate_automation_conditions([alone], shop.instance)
    assert "alone is no model of LeapSQL" in str(caught.value.__cause__)
    result = dg.evaluate_automation_conditions([dg.AssetSpec("alone"), below], shop.instance)
    assert result.get_num_requested(below.key) == 0


def test_a_project_that_does_not_compile_fails_the_evaluation(shop: Shop, ticking: Callable[..., Ticks]) -> None:
    """Neither true nor false: nothing is launched, what Dagster knew stays, and the error names file and line."""
    ticks = ticking(needs_build())
    shop.edit("models/marts/totals.sql", "select", "selec")
    with pytest.raises(Exception, match="Error while evaluating") as caught:
        ticks.tick()
    assert "models/marts/totals.sql:1" in str(caught.value.__cause__)
    shop.edit("models/marts/totals.sql", "selec", "select")
    assert ticks.tick() == ALL


def statements_of_a_tick(shop: Shop, models: int, *, edited: bool, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many statements the state is asked in a tick of two conditions on each of so many models."""
    some = Shop(shop.root.parent / str(models), shop.instance)
    some.write({"leapsql.yaml": FILES["leapsql.yaml"], **project_files(models)})
    ticks = Ticks(some, needs_build() | model_changed(), LeapSQLResource())
    assert ticks.deploy().run()
    if edited:
        last = sorted(some.root.rglob("models/**/*.sql"))[-1]
        last.write_text(f"select 1 as one from ({last.read_text()})")
    statements: list[str] = []
    connect = sqlite3.connect

    def noting(*given: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*given, **options)
        if "state.db" in str(given[0]):
            connection.set_trace_callback(statements.append)
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", noting)
        assert len(ticks.tick()) == int(edited)
    return len(statements)


@pytest.mark.parametrize("edited", [False, True])
def test_the_state_is_asked_the_same_however_many_models(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, edited: bool
) -> None:
    """One plan a tick, for all models and for both conditions on each."""
    few, many = (statements_of_a_tick(shop, models, edited=edited, monkeypatch=monkeypatch) for models in (5, 40))
    assert few == many > 0


def sensor_tick(definitions: dg.Definitions, shop: Shop, cursor: str | None = None) -> Any:
    """Evaluate the one sensor as the code server does."""
    repository = definitions.get_repository_def()
    (sensor,) = repository.sensor_defs
    context = dg.build_sensor_context(shop.instance, cursor=cursor, repository_def=repository)
    return sensor.evaluate_tick(context)


def test_the_sensor_asks_in_one_run_in_changed_mode(shop: Shop) -> None:
    """No translator is needed: one condition for all models, one request for what is true, which decides again."""
    assets = shop.assets()
    sensors = build_automation_sensors([assets], condition=needs_build() & NOT_RUNNING)
    definitions = dg.Definitions(assets=[assets], sensors=sensors, resources={"leapsql": LeapSQLResource()})
    ticked = sensor_tick(definitions, shop)
    (request,) = ticked.run_requests
    assert sorted(key.to_user_string() for key in request.asset_selection) == ALL
    assert request.tags["leapsql/mode"] == "changed"
    result = dg.materialize(
        [assets],
        selection=list(request.asset_selection),
        instance=shop.instance,
        resources={"leapsql": LeapSQLResource()},
        tags={"leapsql/mode": request.tags["leapsql/mode"]},
    )
    assert result.success
    assert not sensor_tick(definitions, shop, ticked.cursor).run_requests


def test_the_sensor_is_of_the_kind_that_can_evaluate_them(shop: Shop) -> None:
    """The daemon is sent a picture of the condition alone, for it has no project to plan."""
    assets = shop.assets(translator=With(needs_build()))
    (sensor,) = build_automation_sensors([assets], name="watch", minimum_interval_seconds=5, run_tags={"team": "a"})
    assert (sensor.name, sensor.minimum_interval_seconds) == ("watch", 5)
    assert sensor.sensor_type.name == "AUTOMATION"
    assert dict(sensor.run_tags) == {"leapsql/mode": "changed", "team": "a"}
    assert not (needs_build() & NOT_RUNNING).is_serializable


def test_many_models_are_shared_among_sensors(shop: Shop) -> None:
    """Dagster lets one such sensor have 500 assets; every asset is in exactly one."""
    shop.write({f"models/many/m{n:04}.sql": f"select {n} as n" for n in range(600)})
    assets = shop.assets()
    sensors = build_automation_sensors([assets], condition=needs_build())
    definitions = dg.Definitions(assets=[assets], sensors=sensors, resources={"leapsql": LeapSQLResource()})
    repository = definitions.get_repository_def()
    targets = [sensor.asset_selection.resolve(repository.asset_graph) for sensor in sensors]
    assert [sensor.name for sensor in sensors] == ["leapsql_automation", "leapsql_automation_2"]
    assert [len(target) for target in targets] == [500, 105]
    assert set().union(*targets) == assets.keys
    assert {sensor.name for sensor in repository.sensor_defs} == {sensor.name for sensor in sensors}
