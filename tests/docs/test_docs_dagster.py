"""The Python of `docs/dagster.md` runs as it stands, over the project that `leapsql init` makes."""

import ast
import dataclasses
import importlib.util
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg
import duckdb
import pytest
from dagster.components.testing import create_defs_folder_sandbox
from docs_reading import code_in, find_table, read_blocks, read_page

import leapsql_dagster
from leapsql_core import find_catalog
from leapsql_core.documents import read_yaml
from leapsql_core.frontmatter.schemas import PartitionsDocument
from leapsql_core.state import SqliteStateStore
from leapsql_dagster import (
    LeapSQLProject,
    LeapSQLProjectComponent,
    LeapSQLResource,
    build_leapsql_definitions,
    ci,
    leapsql_assets,
    meta,
)
from leapsql_dagster.automation import known_conditions
from leapsql_dagster.settings import ENVIRONMENT_TAG, FULL_REFRESH_TAG, MODE_TAG, VARS_TAG

PAGE = "docs/dagster.md"
Load = Callable[..., ModuleType]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """An instance that keeps nothing."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def load(starter: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Put the Python blocks of the page into one file beside the project, and load it as Dagster would.

    With `several`, those too that speak of several projects: the second reads a table of the first in `prod`.
    """
    monkeypatch.setattr("leapsql_dagster.loading._loaded", {})
    reports = starter.parent / "reports"
    (reports / "models/bi").mkdir(parents=True)
    database = find_catalog(LeapSQLProject(starter, environment="prod").open())[0]
    (reports / "leapsql.yaml").write_text(f"target: {{type: duckdb, database: {database}}}\n")
    query = "SELECT count(*) AS customers FROM marts.customers"
    (reports / "models/bi/headcount.sql").write_text(query)
    file = starter.parent / "definitions.py"
    page = read_page(PAGE)

    def load(*, several: bool = False) -> ModuleType:
        text = page if several else re.sub(r"\n## Several projects\n.*?(?=\n## )", "", page, flags=re.DOTALL)
        blocks = [block.text for block in read_blocks(text) if block.language == "python"]
        file.write_text("\n\n".join(blocks), encoding="utf-8")
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


def test_rules_of_the_house_hold_for_models_and_sources(load: Load, starter: Path) -> None:
    """Keys, groups, owners, tags, conditions and freshness come out as the recipe says."""
    (starter / "models/marts/rates.sql").write_text("SELECT 1 AS rate FROM raw.rates")
    rules: dg.AssetsDefinition = load().by_the_rules
    rates = rules.get_asset_spec(dg.AssetKey(["marts", "rates"]))
    assert [dep.asset_key.to_user_string() for dep in rates.deps] == ["lake/raw/rates"]
    assert (rates.group_name, list(rates.owners), rates.tags["layer"]) == ("marts_tables", ["team:marts"], "marts")
    assert rates.automation_condition == dg.AutomationCondition.eager()
    assert rates.freshness_policy == dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=24))
    orders = rules.get_asset_spec(dg.AssetKey(["staging", "stg_orders"]))
    assert (orders.automation_condition, orders.freshness_policy) == (None, None)


def test_what_stands_beside_a_model_is_read(load: Load, starter: Path) -> None:
    """The model and the entry of `leapsql.yaml` on the page load, and say what the page says."""
    blocks = {block.language: block.text for block in read_blocks(read_page(PAGE)) if "dagster:" in block.text}
    (starter / "models/marts/headcount.sql").write_text(blocks["sql"])
    (starter / "models/marts/totals.sql").write_text("SELECT count(*) AS orders FROM raw.orders")
    source = next(
        b.text for b in read_blocks(read_page(PAGE)) if b.language == "yaml" and b.text.startswith("sources:")
    )
    with (starter / "leapsql.yaml").open("a") as file:
        file.write(f"\n{source}")
    assets: dg.AssetsDefinition = load().sql_models
    spec = assets.get_asset_spec(dg.AssetKey(["marts", "headcount"]))
    assert (spec.group_name, list(spec.owners)) == ("bi", ["team:bi", "a@example.com"])
    condition = dg.AutomationCondition
    assert spec.automation_condition == condition.eager() & ~condition.any_deps_missing()
    assert spec.freshness_policy == dg.FreshnessPolicy.time_window(timedelta(hours=24), timedelta(hours=12))
    deps = assets.get_asset_spec(dg.AssetKey(["marts", "totals"])).deps
    assert [dep.asset_key.to_user_string() for dep in deps] == ["ingest/orders"]


def test_keys_and_conditions_beside_models_are_all_told() -> None:
    """The table holds each key, its examples can be read, and every name that a condition may hold is listed."""
    page = read_page(PAGE)
    rows = {code_in(row["key"])[0]: code_in(row["as in"]) for row in find_table(page, "key", "what it says")}
    assert set(rows) == {*meta._READERS, *meta._READ_ELSEWHERE}
    for key, examples in rows.items():
        for example in examples:
            read = meta._READERS.get(key, PartitionsDocument.model_validate)
            assert read(read_yaml(f"{key}: {example}", file=PAGE).data[key] if example[0] in "[{" else example)
    assert {name for name in known_conditions() if f"`{name}`" not in page} == set()


def test_several_projects_are_one_graph(load: Load, instance: dg.DagsterInstance) -> None:
    """What the second project reads is the first one's model, under its prefix; one job builds both in order."""
    definitions: dg.Definitions = load(several=True).several
    graph = definitions.get_repository_def().asset_graph
    parents = graph.get(dg.AssetKey(["reports", "bi", "headcount"])).parent_keys
    assert parents == {dg.AssetKey(["shop", "marts", "customers"])}
    assert len(run(definitions, instance, job="both_changed")) == 7
    assert run(definitions, instance, job="both_changed") == []


def test_the_defs_yaml_of_the_page_loads(load: Load, starter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does what its lines say, and every attribute of the component and its parts stands on the page."""
    monkeypatch.setenv("LEAPSQL_ENVIRONMENT", "prod")
    page = read_page(PAGE)
    text = next(block.text for block in read_blocks(page) if block.text.startswith("type: leapsql_dagster"))
    with create_defs_folder_sandbox() as sandbox:
        folder = sandbox.defs_folder_path / "sales"
        folder.mkdir()
        shutil.copytree(starter, folder / "../../../sql")
        (folder / "defs.yaml").write_text(text)
        with sandbox.build_all_defs() as definitions:
            repository = definitions.get_repository_def()
            assert repository.get_schedule_def("shop_reports_schedule").job_name == "shop_reports"
            assert repository.get_sensor_def("shop_edits").job_name == "shop_changed"
            keys = repository.asset_graph.materializable_asset_keys
            assert {tuple(key.path[:2]) for key in keys} == {("eu", "shop")}
    model = LeapSQLProjectComponent.get_model_cls()
    assert model is not None
    schema = model.model_json_schema()
    parts = [part for name, part in schema["$defs"].items() if name.endswith("AttributesModel")]
    names = {name for part in (schema, *parts) for name in part["properties"]}
    assert {name for name in names if not re.search(rf"\b{name}\b", page)} == set()


def test_a_component_of_one_s_own_looks_and_runs_its_way(
    load: Load, starter: Path, instance: dg.DagsterInstance
) -> None:
    """Both overrides of the page are heard."""
    component = load(several=True).House(project=LeapSQLProject(starter))
    definitions = dg.build_defs_for_component(component)
    graph = definitions.get_repository_def().asset_graph
    assert {graph.get(key).tags["house"] for key in graph.materializable_asset_keys} == {"ours"}
    result = definitions.get_repository_def().get_job("sql_changed_models").execute_in_process(instance=instance)
    assert any(entry.user_message == "building the house" for entry in instance.all_logs(result.run_id))


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
    names |= {*signature(build_leapsql_definitions).parameters}
    names |= {field.name for field in dataclasses.fields(LeapSQLProject)}
    names |= {name for name, one in vars(ci).items() if getattr(one, "__module__", "") == ci.__name__}
    assert {name for name in names if not re.search(rf"\b{name}\b", text)} == set()


def test_every_public_name_is_used_in_a_block_that_runs(load: Load) -> None:
    """The Python of the page, loaded here, uses each of them, not only in an import."""
    page = load(several=True)
    assert page.__file__ is not None
    tree = ast.parse(Path(page.__file__).read_text(encoding="utf-8"))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    public = {name: getattr(leapsql_dagster, name) for name in leapsql_dagster.__all__}
    public |= {name: one for name, one in vars(ci).items() if getattr(one, "__module__", "") == ci.__name__}
    assert {"changed_keys", "build_changed"} <= set(public)
    assert [name for name, one in public.items() if name not in used or vars(page).get(name) is not one] == []


def test_fields_and_tags_of_a_run_are_all_told() -> None:
    """The table holds the fields that say how a run goes, and each tag beside its field."""
    rows = find_table(read_page(PAGE), "field", "tag")
    told: dict[str, Any] = {field: code_in(row["tag"]) for row in rows for field in code_in(row["field"])}
    elsewhere = {"project_dir", "database", "connection_config"}
    assert set(told) == set(LeapSQLResource.model_fields) - elsewhere
    tags = {"mode": MODE_TAG, "full_refresh": FULL_REFRESH_TAG, "environment": ENVIRONMENT_TAG, "vars": VARS_TAG}
    assert {field: found[0] for field, found in told.items() if found} == tags
