"""The Python of `docs/dagster.md` runs as it stands, over the project that `leapsql init` makes."""

import dataclasses
import importlib.util
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg
import duckdb
import pytest
from docs_reading import code_in, find_table, read_blocks, read_page

import leapsql_dagster
from leapsql_core.state import SqliteStateStore
from leapsql_dagster import LeapSQLProject, LeapSQLResource, ci, leapsql_assets
from leapsql_dagster.settings import ENVIRONMENT_TAG, FULL_REFRESH_TAG, MODE_TAG, VARS_TAG

PAGE = "docs/dagster.md"
Load = Callable[[], ModuleType]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """An instance that keeps nothing."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def load(starter: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Put all Python blocks of the page into one file beside the project, and load it as Dagster would."""
    monkeypatch.setattr("leapsql_dagster.loading._loaded", {})
    file = starter.parent / "definitions.py"
    blocks = [block.text for block in read_blocks(read_page(PAGE)) if block.language == "python"]
    file.write_text("\n\n".join(blocks), encoding="utf-8")

    def load() -> ModuleType:
        spec = importlib.util.spec_from_file_location("definitions_of_the_page", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


def run(definitions: dg.Definitions, instance: dg.DagsterInstance, *, job: str = "changed_models") -> list[str]:
    """Run a job, and return the keys that it materialized, sorted."""
    result = definitions.get_repository_def().get_job(job).execute_in_process(instance=instance)
    assert result.success
    return sorted(event.asset_key.to_user_string() for event in result.get_asset_materialization_events())


def test_the_definitions_build_once_what_changed(load: Load, instance: dg.DagsterInstance) -> None:
    """The job builds every asset of the project, and then none; schedule and sensor belong to it."""
    definitions: dg.Definitions = load().defs
    assert len(run(definitions, instance)) == 6
    assert run(definitions, instance) == []
    repository = definitions.get_repository_def()
    assert repository.get_sensor_def("changed_models_sensor").job_name == "changed_models"
    assert repository.get_schedule_def("changed_models_schedule").job_name == "changed_models"


def test_the_environment_comes_from_outside(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """`LEAPSQL_ENVIRONMENT` decides; without it the project is built in `dev`."""
    monkeypatch.delenv("LEAPSQL_ENVIRONMENT", raising=False)
    assert load().PROJECT.open().project.environment == "dev"
    monkeypatch.setenv("LEAPSQL_ENVIRONMENT", "prod")
    assert load().PROJECT.open().project.environment == "prod"


def test_the_translator_has_the_last_word_on_keys(load: Load) -> None:
    """Keys of assets and of what they depend on get its prefix."""
    warehouse: dg.AssetsDefinition = load().warehouse
    keys = {*warehouse.keys, *(key for deps in warehouse.asset_deps.values() for key in deps)}
    assert len(keys) == 6
    assert {key.path[0] for key in keys} == {"warehouse"}


def test_a_python_asset_between_models_runs_in_order(load: Load, starter: Path, instance: dg.DagsterInstance) -> None:
    """Model, Python asset, model in one run; when the asset writes the same again, the model after it is skipped."""
    (starter / "models/marts/good_customers.sql").write_text("SELECT customer_id FROM ml.scores WHERE is_good")
    page = load()
    definitions = dg.Definitions(
        assets=[page.sql_models, page.scores],
        jobs=[page.changed_models],
        resources={"leapsql": LeapSQLResource()},
        executor=dg.in_process_executor,
    )
    first = run(definitions, instance)
    assert len(first) == 8
    assert {"ml/scores", "marts/good_customers"} <= set(first)
    assert run(definitions, instance) == ["ml/scores"]


def test_a_job_of_one_s_own_builds_what_it_selects(load: Load, instance: dg.DagsterInstance) -> None:
    """Its selection is read as the command line would, and everything in it is built each time."""
    page = load()
    definitions = dg.Definitions(
        assets=[page.sql_models],
        jobs=[page.reports],
        resources={"leapsql": LeapSQLResource()},
        executor=dg.in_process_executor,
    )
    run(page.defs, instance)
    assert run(definitions, instance, job="reports") == ["marts/customers", "marts/daily_sales"]


def test_the_automation_asks_once_for_what_changed_and_what_lies_below(
    load: Load, starter: Path, instance: dg.DagsterInstance
) -> None:
    """The sensor's condition as the page has it: all, then nothing, then an edited model with its readers."""
    page = load()
    assert len(run(page.defs, instance)) == 6
    repository = page.automated.get_repository_def()
    (sensor,) = repository.sensor_defs

    def asked() -> list[str]:
        ticked = sensor.evaluate_tick(dg.build_sensor_context(instance, repository_def=repository))
        return sorted(key.to_user_string() for request in ticked.run_requests for key in request.asset_selection)

    assert asked() == []
    edited = starter / "models/staging/stg_orders.sql"
    edited.write_text(edited.read_text().replace("FROM raw_orders", "FROM raw_orders WHERE id > 1"))
    assert asked() == ["marts/customers", "marts/daily_sales", "marts/large_orders", "staging/stg_orders"]


def test_a_translator_gives_conditions_to_some(load: Load) -> None:
    """Those that are tagged have one, with the label it was given."""
    page = load()
    specs = list(leapsql_assets(project=page.PROJECT, translator=page.Automated())(noop).specs)
    told = {spec.key.to_user_string(): spec.automation_condition for spec in specs}
    assert {key for key, condition in told.items() if condition} == {"marts/customers", "marts/daily_sales"}


def noop(context: dg.AssetExecutionContext):  # Dagster takes the annotation of what is returned for an output
    """Build nothing."""


def test_a_branch_builds_what_differs_from_production(
    load: Load, starter: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Production is built, a model is edited, and the function of the page builds it in the branch."""
    production = LeapSQLProject(starter, environment="prod")

    @leapsql_assets(project=production)
    def all_models(context: dg.AssetExecutionContext, leapsql: LeapSQLResource):
        yield from leapsql.run(context)

    assert dg.materialize([all_models], resources={"leapsql": LeapSQLResource()}).success
    edited = starter / "models/marts/daily_sales.sql"
    edited.write_text(edited.read_text().replace("sum(kilos) AS kilos", "max(kilos) AS kilos"))
    load().build_branch()
    assert capsys.readouterr().out == "differs from production: marts/daily_sales\n"
    query = "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE schema_name <> '_leapsql'"
    with closing(duckdb.connect(str(starter / LeapSQLProject(starter).open().project.target.database))) as connection:
        assert connection.execute(query).fetchall() == [("marts.daily_sales",)]


def test_a_run_that_was_killed_is_closed_by_the_sensor_of_the_page(load: Load, instance: dg.DagsterInstance) -> None:
    """It runs from the beginning, and finds nothing where every run has ended."""
    page = load()
    run(page.defs, instance)
    sensor = page.closing.get_repository_def().get_sensor_def("leapsql_run_status")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING

    def tick() -> str:
        context = dg.build_sensor_context(instance=instance, resources={"leapsql": LeapSQLResource()})
        return sensor.evaluate_tick(context).skip_message or ""

    assert tick() == "No run was left open."
    with closing(SqliteStateStore(page.PROJECT.open().state_path)) as store:
        store.open()
        left = store.create_run("dev")
        assert tick().startswith(f"Closed run {left.id} of dev")
        assert store.get_run(left.id).status == "failed"


def test_whatever_can_be_imported_or_passed_is_told() -> None:
    """Names of the package, parameters of `leapsql_assets`, fields of a project."""
    text = read_page(PAGE)
    names = {*leapsql_dagster.__all__, *signature(leapsql_assets).parameters}
    names |= {field.name for field in dataclasses.fields(LeapSQLProject)}
    names |= {name for name, one in vars(ci).items() if getattr(one, "__module__", "") == ci.__name__}
    assert {name for name in names if not re.search(rf"\b{name}\b", text)} == set()


def test_fields_and_tags_of_a_run_are_all_told() -> None:
    """The table holds the fields that say how a run goes, and each tag beside its field."""
    rows = find_table(read_page(PAGE), "field", "tag")
    told: dict[str, Any] = {field: code_in(row["tag"]) for row in rows for field in code_in(row["field"])}
    elsewhere = {"project_dir", "database", "connection_config"}
    assert set(told) == set(LeapSQLResource.model_fields) - elsewhere
    tags = {"mode": MODE_TAG, "full_refresh": FULL_REFRESH_TAG, "environment": ENVIRONMENT_TAG, "vars": VARS_TAG}
    assert {field: found[0] for field, found in told.items() if found} == tags
