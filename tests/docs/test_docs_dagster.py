"""The Python of `docs/dagster.md` runs as it stands, over the project that `leapsql init` makes."""

import dataclasses
import importlib.util
import re
from collections.abc import Callable, Iterator
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg
import pytest
from docs_reading import code_in, find_table, read_blocks, read_page

import leapsql_dagster
from leapsql_dagster import LeapSQLProject, LeapSQLResource, leapsql_assets
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


def test_sources_can_be_observed(load: Load, starter: Path, instance: dg.DagsterInstance) -> None:
    """The job that the page makes observes the source of a model."""
    (starter / "models/marts/visits.sql").write_text("SELECT id FROM raw.visits")
    page = load()
    with page.LeapSQLResource(project_dir=str(starter)).get_connection() as connection:
        connection.execute("CREATE SCHEMA raw; CREATE TABLE raw.visits AS SELECT 1 AS id")
    definitions = dg.Definitions.merge(page.observed(), dg.Definitions(resources={"leapsql": LeapSQLResource()}))
    job = definitions.get_repository_def().get_job("observe_sources")
    result = job.execute_in_process(instance=instance)
    assert [event.asset_key for event in result.get_asset_observation_events()] == [dg.AssetKey(["raw", "visits"])]


def test_each_model_can_have_its_own_op(load: Load) -> None:
    """A list of definitions, one for each asset of the project."""
    page = load()
    assert {key for one in page.one_by_one for key in one.keys} == page.sql_models.keys
    assert len(page.one_by_one) == 6


def test_whatever_can_be_imported_or_passed_is_told() -> None:
    """Names of the package, parameters of `leapsql_assets`, fields of a project."""
    text = read_page(PAGE)
    names = {*leapsql_dagster.__all__, *signature(leapsql_assets).parameters}
    names |= {field.name for field in dataclasses.fields(LeapSQLProject)}
    assert {name for name in names if not re.search(rf"\b{name}\b", text)} == set()


def test_fields_and_tags_of_a_run_are_all_told() -> None:
    """The table holds the fields that say how a run goes, and each tag beside its field."""
    rows = find_table(read_page(PAGE), "field", "tag")
    told: dict[str, Any] = {field: code_in(row["tag"]) for row in rows for field in code_in(row["field"])}
    elsewhere = {"project_dir", "database", "connection_config"}
    assert set(told) == set(LeapSQLResource.model_fields) - elsewhere
    tags = {"mode": MODE_TAG, "full_refresh": FULL_REFRESH_TAG, "environment": ENVIRONMENT_TAG, "vars": VARS_TAG}
    assert {field: found[0] for field, found in told.items() if found} == tags
