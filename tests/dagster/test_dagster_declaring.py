"""What a `defs.yaml` declares beside its models: it is all that Python can say, and comes out the same."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from inspect import signature
from typing import Any

import dagster as dg
import pytest
from dagster_shop import Load, Shop, begin_and_die, materialized, the_assets
from pydantic import ValidationError

from leapsql_dagster import (
    LeapSQLProject,
    LeapSQLProjectComponent,
    LeapSQLResource,
    build_automation_sensors,
    build_changed_models_job,
    build_changed_models_schedule,
    build_changed_models_sensor,
    build_observable_sources,
    build_run_status_sensor,
    leapsql_assets,
    needs_build,
)
from leapsql_dagster.attributes import (
    AutomationAttributes,
    JobAttributes,
    ObservationAttributes,
    OpAttributes,
    ProjectAttributes,
    RunStatusAttributes,
    ScheduleAttributes,
    SensorAttributes,
)
from leapsql_dagster.loading import loaded_assets_of

IDLE = ~dg.AutomationCondition.in_progress()


def parameters(function: Callable[..., Any]) -> list[str]:
    return list(signature(function).parameters)


def names_in(*documents: Any) -> set[str]:
    return {name for one in documents for name in one.model().model_fields}


#: What is said in Python to each function or record, and the parts of a `defs.yaml` that say it. What has another name
#: there stands behind, ``None`` where the component itself is the answer.
SAID: list[tuple[Iterable[str], tuple[Any, ...], Mapping[str, str | None]]] = [
    (
        [field.name for field in dataclasses.fields(LeapSQLProject)],
        (ProjectAttributes,),
        {},
    ),
    (
        parameters(leapsql_assets),
        (LeapSQLProjectComponent, OpAttributes),
        {"translator": "translation", "op_tags": "tags", "required_resource_keys": "resource_key"},
    ),
    (
        parameters(build_changed_models_job),
        (LeapSQLProjectComponent, JobAttributes),
        {"assets": None, "executor_def": "executor"},
    ),
    (parameters(build_changed_models_schedule), (LeapSQLProjectComponent, ScheduleAttributes), {"assets": None}),
    (parameters(build_changed_models_sensor), (LeapSQLProjectComponent, SensorAttributes), {"assets": None}),
    (parameters(build_run_status_sensor), (LeapSQLProjectComponent, RunStatusAttributes), {"assets": None}),
    (parameters(build_automation_sensors), (AutomationAttributes,), {"assets": None}),
    (parameters(build_observable_sources), (LeapSQLProjectComponent, ObservationAttributes), {"assets": None}),
]


@pytest.mark.parametrize(("said", "parts", "otherwise"), SAID, ids=lambda one: "")
def test_whatever_python_can_say_yaml_can(
    said: Iterable[str], parts: tuple[Any, ...], otherwise: Mapping[str, str | None]
) -> None:
    """Every parameter has an attribute, of the same name or of the one that is told here."""
    attributes = names_in(*parts)
    wanted = {name: otherwise.get(name, name) for name in said}
    assert [name for name, attribute in wanted.items() if attribute is not None and attribute not in attributes] == []


def test_fields_of_the_resource_are_taken_as_they_are(load: Load) -> None:
    """All of them; one that it does not have is an error, where the component is loaded and in Python."""
    fields = {name: field.default for name, field in LeapSQLResource.model_fields.items() if name != "vars"}
    with load({"resource": {**fields, "connection_config": {}}}) as definitions:
        assert (definitions.resources or {})["leapsql"] == LeapSQLResource()
    with pytest.raises(Exception, match="part_0"):
        with load({"resource": {"max_paralel": 2}}):
            pass
    with pytest.raises(ValidationError, match="max_paralel"):
        LeapSQLResource(max_paralel=2)  # type: ignore[call-arg]


def test_a_branch_is_declared_as_python_makes_it(load: Load, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """`defer_to` and `state_of` are templates; what production holds just so is not built."""
    shop.project_options = {"environment": "prod", "state_path": shop.root / "prod-state.db"}
    assert shop.run().success
    shop.edit("models/marts/totals.sql", "sum(total)", "max(total)")
    monkeypatch.setenv("SHOP_PROD", "prod")
    monkeypatch.setenv("SHOP_STATE", str(shop.root / "prod-state.db"))
    project = {
        "project_dir": str(shop.root),
        "environment": "dev",
        "defer_to": "{{ env.SHOP_PROD }}",
        "state_of": "{{ env.SHOP_STATE }}",
    }
    with load({"project": project}) as definitions:
        made = loaded_assets_of(the_assets(definitions)).project
        assert (made.defer_to, made.state_of) == ("prod", shop.root / "prod-state.db")
        assert materialized(shop.run(definitions, job="shop_changed_models")) == ["marts/totals"]


def test_what_killed_runs_left_is_closed_by_a_sensor_that_is_declared(load: Load, shop: Shop) -> None:
    """It bears the name of the op, and does what the function's sensor does."""
    assert shop.run().success
    left = begin_and_die(shop)
    said = {"run_status_sensor": {"minimum_interval_seconds": 90, "default_status": "RUNNING"}}
    with load(said) as definitions:
        sensor = definitions.get_repository_def().get_sensor_def("shop_run_status")
        assert (sensor.minimum_interval_seconds, sensor.default_status) == (90, dg.DefaultSensorStatus.RUNNING)
        context = dg.build_sensor_context(shop.instance, resources={"leapsql": LeapSQLResource()})
        assert f"Closed run {left.id}" in str(sensor.evaluate_tick(context).skip_message)


@pytest.mark.parametrize(
    ("condition", "meant"),
    [
        ("needs_build & ~in_progress", needs_build() & IDLE),
        ("{{ automation_condition.eager() }}", dg.AutomationCondition.eager()),
    ],
)
def test_conditions_are_evaluated_by_sensors_that_are_declared(
    load: Load, shop: Shop, condition: str, meant: Any
) -> None:
    """The condition is written as beside a model, or made by a template; what it asks for is one run."""
    said = {"automation": {"condition": condition, "mode": "all", "run_tags": {"team": "x"}}}
    with load(said) as definitions:
        repository = definitions.get_repository_def()
        sensor = repository.get_sensor_def("shop_automation")
        if isinstance(sensor, dg.AutomationConditionSensorDefinition):  # Dagster 1.12.0 makes another one of it
            assert sensor.default_condition == meant
            assert sensor.run_tags == {"leapsql/mode": "all", "team": "x"}
        if condition.startswith("needs"):
            ticked = sensor.evaluate_tick(dg.build_sensor_context(shop.instance, repository_def=repository))
            assert len({key for one in ticked.run_requests for key in one.asset_selection}) == 5


def test_sources_are_observed_as_declared(load: Load, shop: Shop) -> None:
    """Those that another project of the code location makes are left to it, and so are those that are excluded."""
    shop.write({"models/marts/events.sql": "select id, a.b from raw.events, ml.scores as a"})
    said = {"observable_sources": {"exclude": ["ml.scores"], "group_name": "lake"}, "external_sources": True}
    with load(said) as definitions:
        graph = definitions.get_repository_def().asset_graph
        events, scores = (graph.get(dg.AssetKey(key)) for key in (["raw", "events"], ["ml", "scores"]))
        assert (events.is_observable, events.group_name) == (True, "lake")
        assert (scores.is_observable, scores.is_external) == (False, True)
    with load({"observable_sources": {"exclude": ["ml.scores", "raw.events"]}}) as definitions:
        assert not definitions.get_repository_def().asset_graph.observable_asset_keys


def test_a_source_that_another_component_makes_is_not_observed(load: Load, shop: Shop, tmp_path: Any) -> None:
    """It is that component's asset, whichever is loaded first."""
    other = Shop(tmp_path / "reports", shop.instance)
    other.write(
        {
            "leapsql.yaml": "target: {type: duckdb, database: ../shop/.leapsql/warehouse.duckdb}\n",
            "models/bi/best.sql": "select customer from marts.customers join raw.rates on true",
        }
    )
    parts = [{"project": str(other.root), "observable_sources": {}}, {"key_prefix": "shop"}]
    for attributes in (parts, parts[::-1]):
        with load(*attributes) as definitions:
            graph = definitions.get_repository_def().asset_graph
            assert graph.observable_asset_keys == {dg.AssetKey(["raw", "rates"])}


def test_a_job_can_run_its_steps_in_processes_of_their_own(load: Load) -> None:
    """In one process, unless it is declared otherwise."""
    with load({"jobs": [{"name": "here"}, {"name": "apart", "executor": "multiprocess"}]}) as definitions:
        repository = definitions.get_repository_def()
        assert repository.get_job("here").executor_def is dg.in_process_executor
        assert repository.get_job("apart").executor_def is dg.multiprocess_executor
