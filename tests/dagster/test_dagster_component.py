"""A project as a `defs.yaml`, loaded as Dagster loads it."""

import importlib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster.components.testing import create_defs_folder_sandbox
from dagster_shop import COMPONENT, Load, Shop, get_job, materialized, the_assets

from leapsql_core import Node, Source, UsageError
from leapsql_dagster import LeapSQLProject, LeapSQLProjectComponent, LeapSQLResource, leapsql_assets
from leapsql_dagster.loading import loaded_assets_of

REPOSITORY = Path(__file__).parents[2]


class Loud(LeapSQLProjectComponent):
    """Shouts descriptions, and says so when it runs."""

    def get_asset_spec(self, node: Node | Source) -> dg.AssetSpec:
        return super().get_asset_spec(node).replace_attributes(description=f"{node.name.upper()}!")

    def execute(self, context: dg.AssetExecutionContext, leapsql: LeapSQLResource) -> Iterator[Any]:
        context.log.info("loud and clear")
        yield from super().execute(context, leapsql)


def spec_of(definitions: dg.Definitions, key: str) -> dg.AssetSpec:
    return the_assets(definitions).get_asset_spec(dg.AssetKey(key.split("/")))


def test_a_project_s_folder_is_all_that_has_to_be_said(load: Load, shop: Shop) -> None:
    """Every model and seed is an asset; the job builds what changed, and then nothing."""
    with load({}) as definitions:
        result = shop.run(definitions, job="shop_changed_models")
        assert len(materialized(result)) == 5
        assert materialized(shop.run(definitions, job="shop_changed_models")) == []


def test_paths_are_relative_to_the_file_they_are_written_in(shop: Shop) -> None:
    """The project may lie beside its `defs.yaml`."""
    with create_defs_folder_sandbox() as sandbox:
        folder = sandbox.defs_folder_path / "part"
        Shop(folder / "sql", shop.instance).write(
            {"leapsql.yaml": "target: {type: duckdb}\n", "models/a.sql": "select 1 as a"}
        )
        said = {"project": {"project_dir": "sql", "state_path": "kept/state.db"}}
        (folder / "defs.yaml").write_text(yaml.safe_dump({"type": COMPONENT, "attributes": said}))
        with sandbox.build_all_defs() as definitions:
            session = loaded_assets_of(the_assets(definitions)).session
            assert (session.root, session.state_path) == (
                (folder / "sql").resolve(),
                (folder / "kept/state.db").resolve(),
            )


WHOLE: Mapping[str, Any] = {
    "environment": "prod",
    "key_prefix": ["eu", "shop"],
    "select": "+marts.customers",
    "exclude": ["materialized:seed"],
    "op": {
        "name": "shop_op",
        "description": "Builds the shop.",
        "tags": {"team": "sales"},
        "pool": "warehouse",
        "retry_policy": {"max_retries": 2, "delay": 1.5, "backoff": "exponential", "jitter": "plus_minus"},
        "backfill_policy": {"type": "multi_run", "max_partitions_per_run": 7},
    },
}


def test_yaml_and_python_can_say_the_same(load: Load, shop: Shop) -> None:
    """Environment, prefix, selection and everything of the op come out alike."""

    @leapsql_assets(
        project=LeapSQLProject(shop.root, environment="prod"),
        key_prefix=["eu", "shop"],
        select="+marts.customers",
        exclude=["materialized:seed"],
        name="shop_op",
        description="Builds the shop.",
        op_tags={"team": "sales"},
        pool="warehouse",
        retry_policy=dg.RetryPolicy(2, 1.5, dg.Backoff.EXPONENTIAL, dg.Jitter.PLUS_MINUS),
        backfill_policy=dg.BackfillPolicy.multi_run(7),
    )
    def in_python(context: dg.AssetExecutionContext, leapsql: LeapSQLResource):
        yield from leapsql.run(context)

    with load(WHOLE) as definitions:
        in_yaml = the_assets(definitions)
        assert [one.key.to_user_string() for one in in_yaml.specs] == [
            "eu/shop/staging/orders",
            "eu/shop/marts/customers",
        ]
        for one in (in_yaml, in_python):
            assert loaded_assets_of(one).session.project.environment == "prod"
        facts = [
            [
                (one.keys, one.asset_deps, one.can_subset, one.backfill_policy),
                (one.op.name, one.op.description, one.op.tags["team"], one.op.pool, one.op.retry_policy),
                one.op.required_resource_keys,
            ]
            for one in (in_yaml, in_python)
        ]
        assert facts[0] == facts[1]


def test_each_model_can_have_an_op_and_the_checks_that_are_wanted(load: Load, shop: Shop) -> None:
    """Several definitions, one job over all of them; links lead where the repository is shown."""
    place = {"project_dir": str(shop.root), "repository_url": "https://example.com/shop"}
    sensor = {"max_models": 2, "select": "marts.*", "retry_after_seconds": 60, "max_attempts": None}
    said = {"project": place, "op_per_model": True, "checks": ["tests"], "sensors": [sensor]}
    with load(said) as definitions:
        made = [one for one in definitions.assets or [] if isinstance(one, dg.AssetsDefinition)]
        assert len(made) == 5
        assert {key.name for one in made for key in one.check_keys} == {"not_null_customer", "unique_customer"}
        assert {loaded_assets_of(one).project.repository_url for one in made} == {"https://example.com/shop"}
        repository = definitions.get_repository_def()
        context = dg.build_sensor_context(
            shop.instance, repository_def=repository, resources={"leapsql": LeapSQLResource()}
        )
        (request,) = repository.sensor_defs[0].evaluate_tick(context).run_requests
        assert len(request.asset_selection) == 2
        assert len(materialized(shop.run(definitions, job="shop_changed_models"))) == 5


def test_attributes_are_templates(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the process decides where a deployment builds."""
    monkeypatch.setenv("SHOP_ENVIRONMENT", "prod")
    with load({"environment": "{{ env.SHOP_ENVIRONMENT }}"}) as definitions:
        assert loaded_assets_of(the_assets(definitions)).session.project.environment == "prod"


def test_translation_changes_how_models_look(load: Load, shop: Shop) -> None:
    """Its templates see the node and its spec; tags and metadata are added, keys of readers follow, sources stay."""
    shop.write({"models/marts/totals.sql": "select sum(total) as total from marts.customers, raw.rates"})
    translation = {
        "key": "wh/{{ node.name }}",
        "group_name": "{{ node.materialized }}s",
        "tags": {"path": "{{ node.path }}"},
        "description": "{{ node.relation }} of {{ spec.group_name }}",
        "automation_condition": "{{ automation_condition.eager() }}",
    }
    with load({"translation": translation}) as definitions:
        orders = spec_of(definitions, "wh/orders")
        assert (orders.group_name, orders.description) == ("views", "staging.orders of staging")
        assert (orders.tags["path"], orders.tags["core"]) == ("staging.orders", "")
        assert orders.automation_condition == dg.AutomationCondition.eager()
        deps = sorted(dep.asset_key.to_user_string() for dep in spec_of(definitions, "wh/totals").deps)
        assert deps == ["raw/rates", "wh/customers"]
        assert "wh/customers" in materialized(shop.run(definitions, job="shop_changed_models"))


def test_a_subclass_has_the_last_word(load: Load, shop: Shop) -> None:
    """`get_asset_spec` and `execute` may be overridden."""
    with load({"translation": {"group_name": "all"}}, component=f"{__name__}.Loud") as definitions:
        totals = spec_of(definitions, "marts/totals")
        assert (totals.description, totals.group_name) == ("TOTALS!", "all")
        result = shop.run(definitions, job="shop_changed_models")
        assert any(entry.user_message == "loud and clear" for entry in shop.instance.all_logs(result.run_id))


def test_jobs_schedules_and_sensors_are_declared(load: Load, shop: Shop) -> None:
    """Each belongs to the job it names, or to the first; selections are those of the command line."""
    said = {
        "jobs": [
            {"name": "all_of_it", "tags": {"team": "x"}},
            {"name": "some", "select": "totals", "also": "key:scores"},
        ],
        "schedules": [
            {"cron_schedule": "0 6 * * *", "execution_timezone": "Europe/Berlin", "default_status": "RUNNING"},
            {"cron_schedule": ["0 7 * * *", "0 8 * * *"], "name": "later", "job": "some", "tags": {"a": "b"}},
        ],
        "sensors": [{"job": "some", "minimum_interval_seconds": 60, "max_attempts": 5, "default_status": "RUNNING"}],
    }

    @dg.asset
    def scores() -> None: ...

    with load(said) as loaded:
        definitions = dg.Definitions.merge(loaded, dg.Definitions(assets=[scores]))
        repository = definitions.get_repository_def()
        daily, later = (repository.get_schedule_def(name) for name in ("all_of_it_schedule", "later"))
        sensor = repository.get_sensor_def("some_sensor")
        assert (daily.job_name, daily.cron_schedule, daily.execution_timezone) == (
            "all_of_it",
            "0 6 * * *",
            "Europe/Berlin",
        )
        assert (daily.default_status, later.default_status) == tuple(
            map(dg.DefaultScheduleStatus, ("RUNNING", "STOPPED"))
        )
        assert (later.job_name, sensor.job_name, sensor.minimum_interval_seconds) == ("some", "some", 60)
        assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
        some = get_job(definitions, "some").asset_layer.executable_asset_keys
        assert {key.to_user_string() for key in some} == {"marts/totals", "scores"}
        assert get_job(definitions, "all_of_it").tags["team"] == "x"
        context = dg.build_sensor_context(
            shop.instance, repository_def=repository, resources={"leapsql": LeapSQLResource()}
        )
        (request,) = sensor.evaluate_tick(context).run_requests
        assert [key.to_user_string() for key in request.asset_selection] == ["marts/totals"]


def why(load: Load, said: Mapping[str, Any]) -> str:
    """Load what cannot be loaded, and return all that is said of it: Dagster says where, the causes what."""
    with pytest.raises(Exception, match=r"part_0") as caught:
        with load(said):
            pass
    return all_said(caught.value)


def all_said(error: BaseException | None) -> str:
    return "" if error is None else f"{error}\n{all_said(error.__cause__ or error.__context__)}"


def test_a_sensor_of_a_job_that_is_not_there_is_an_error(load: Load) -> None:
    """It names the nearest job, or says that there is none."""
    said = why(load, {"jobs": [{"name": "nightly"}], "sensors": [{"job": "nihgtly"}]})
    assert "there is no job `nihgtly`\n    Did you mean nightly?" in said
    assert "Write one under `jobs`." in why(load, {"jobs": [], "schedules": [{"cron_schedule": "@daily"}]})


def test_the_component_brings_its_resource(load: Load, shop: Shop) -> None:
    """With fields as written; another key leaves it to the code location; two components share the plain one."""
    with load({"resource": {"max_parallel": 2, "vars": {"least": 25}}}) as definitions:
        assert (definitions.resources or {})["leapsql"] == LeapSQLResource(max_parallel=2, vars={"least": 25})
        shop.run(definitions, job="shop_changed_models")
        assert shop.query("select customer from marts.customers") == [("ann",)]
    with load({"resource_key": "house"}) as loaded:
        assert "house" not in (loaded.resources or {})
        resources = {"house": LeapSQLResource(mode="all")}
        definitions = dg.Definitions.merge(loaded, dg.Definitions(resources=resources))
        assert shop.run(definitions, job="shop_changed_models").success
    with load({"key_prefix": "a"}, {"key_prefix": "b"}) as definitions:
        assert list(definitions.resources or {}) == ["leapsql"]


def test_components_are_joined_by_the_tables_they_make(load: Load, shop: Shop, tmp_path: Path) -> None:
    """What one component's project reads and another's makes is one asset, whichever is loaded first."""
    other = Shop(tmp_path / "reports", shop.instance)
    other.write(
        {
            "leapsql.yaml": "target: {type: duckdb, database: ../shop/.leapsql/warehouse.duckdb}\n",
            "models/bi/best.sql": "select customer from marts.customers join raw.rates on true",
        }
    )
    parts = [{"project": str(other.root), "external_sources": True}, {"key_prefix": "shop"}]
    for attributes in (parts, parts[::-1]):
        with load(*attributes) as definitions:
            graph = definitions.get_repository_def().asset_graph
            parents = graph.get(dg.AssetKey(["bi", "best"])).parent_keys
            assert {key.to_user_string() for key in parents} == {"raw/rates", "shop/marts/customers"}
            assert graph.get(dg.AssetKey(["raw", "rates"])).kinds == {"duckdb", "source"}


@pytest.mark.parametrize("also", [{"external_sources": True}, {"observable_sources": {}}], ids=["external", "observed"])
@pytest.mark.parametrize("prefix", [{}, {"key_prefix": "shop"}], ids=["plain", "prefixed"])
def test_a_source_of_several_components_is_shown_once(
    load: Load, shop: Shop, tmp_path: Path, also: Mapping[str, Any], prefix: Mapping[str, Any]
) -> None:
    """By one that observes it, if any does; and never what another component makes."""
    other = Shop(tmp_path / "reports", shop.instance)
    reads = "select customer from marts.customers join raw.rates on true"
    other.write(
        {
            "leapsql.yaml": "target: {type: duckdb, database: ../shop/.leapsql/warehouse.duckdb}\n",
            "models/bi/best.sql": reads,
        }
    )
    shop.write({"models/marts/rated.sql": "select * from raw.rates"})
    made = {"/".join([*prefix.values(), name]) for name in ("marts/customers", "marts/rated")}
    with load({"project": str(other.root), "external_sources": True}, {**prefix, **also}) as definitions:
        graph = definitions.get_repository_def().asset_graph
        keys = {key.to_user_string() for key in graph.get_all_asset_keys()}
        assert {key for key in keys if "customers" in key or "rate" in key} == {*made, "raw/rates"}
        assert graph.get(dg.AssetKey(["raw", "rates"])).is_observable is ("observable_sources" in also)


def test_two_resources_under_one_key_are_an_error_that_says_what_to_do(load: Load) -> None:
    """It names both components; with a key of its own, or with one that it shares, each has what it wants."""
    parts = [{"key_prefix": "a", "resource": {"max_parallel": 2}}, {"key_prefix": "b"}]
    with pytest.raises(Exception, match="part_0") as caught, load(*parts):
        pass
    assert "under the key leapsql: a_shop and b_shop" in all_said(caught.value)
    for key in ("leapsql", "other"):
        shared = {**parts[1], "resource_key": key, **({} if key == "leapsql" else {"resource": {}})}
        with load(parts[0], shared) as definitions:
            assert sorted(definitions.resources or {}) == sorted({"leapsql", key})


def test_a_broken_project_is_told_of_its_own_component(load: Load, shop: Shop, tmp_path: Path) -> None:
    """Not of another one that looks at it."""
    other = Shop(tmp_path / "reports", shop.instance)
    other.write({"leapsql.yaml": "target: {type: duckdb}\n", "models/broken.sql": "select from"})
    with pytest.raises(Exception, match=r"building definitions for part_1\[0\]") as caught:
        with load({}, {"project": str(other.root)}):
            pass
    assert "models/broken.sql:1" in all_said(caught.value)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"selct": "a"}, "selct"),
        ({"op": {"retry_policy": {"max_retry": 1}}}, "max_retry"),
        ({"sensors": [{"job": "a", "interval": 3}]}, "interval"),
        ({"environment": "{{ nothing_here }}"}, "nothing_here"),
    ],
)
def test_what_the_schema_does_not_know_is_refused(load: Load, wrong: Mapping[str, Any], named: str) -> None:
    """Unknown attributes are errors at every depth, and so are templates of what is not there."""
    assert named in why(load, wrong)


def test_problems_of_the_project_are_said_with_their_place(load: Load, shop: Shop) -> None:
    """A broken model is named with file and line where the component is loaded."""
    shop.write({"models/marts/totals.sql": "select (1"})
    assert "models/marts/totals.sql:1: " in why(load, {})


def test_the_schema_describes_every_attribute() -> None:
    """Editors and `dg docs` show what each attribute is for; `translation` is described by Dagster's own part."""
    model = LeapSQLProjectComponent.get_model_cls()
    assert model is not None
    schema = model.model_json_schema()
    ours = [part for name, part in schema["$defs"].items() if name.endswith("AttributesModel")]
    fields = [found for part in (schema, *ours) for found in part["properties"].items()]
    known = {"project", "variables", "select", "pool", "cron_schedule", "minimum_interval_seconds", "max_retries"}
    assert known <= {name for name, _ in fields}
    assert [name for name, said in fields if not said.get("description")] == ["translation"]


def test_the_package_registers_its_component() -> None:
    """`dg` finds it by the entry point, and no other component."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    (module,) = project["entry-points"]["dagster_dg_cli.registry_modules"].values()
    package = importlib.import_module(module)
    found = [one for name in dir(package) if isinstance(one := getattr(package, name), type)]
    assert [one for one in found if issubclass(one, dg.Component)] == [LeapSQLProjectComponent]
    assert f"{module}.{LeapSQLProjectComponent.__name__}" == COMPONENT


def test_scaffolding_writes_a_project_that_loads(shop: Shop) -> None:
    """`--init` makes a project to begin from beside the file; what is written loads and builds."""
    with create_defs_folder_sandbox() as sandbox:
        folder = sandbox.scaffold_component(LeapSQLProjectComponent, defs_path="sales", scaffold_params={"init": True})
        document = yaml.safe_load((folder / "defs.yaml").read_text())
        assert document["attributes"] == {"project": "sql"}
        with sandbox.build_all_defs() as definitions:
            assert len(materialized(shop.run(definitions, job="sql_changed_models"))) == 6
        with pytest.raises(UsageError, match=r"already has .*leapsql\.yaml"):
            sandbox.scaffold_component(LeapSQLProjectComponent, defs_path="sales", scaffold_params={"init": True})


@pytest.mark.parametrize("form", ["yaml", "python"])
def test_scaffolding_names_a_project_that_is_there(shop: Shop, form: Any) -> None:
    """`--project-path` is written relative to the component, in either form."""
    with create_defs_folder_sandbox() as sandbox:
        where = {"project_path": str(shop.root)}
        sandbox.scaffold_component(LeapSQLProjectComponent, "part", where, form)
        with sandbox.build_all_defs() as definitions:
            assert len(the_assets(definitions).keys) == 5
        with pytest.raises(UsageError, match="Give one of them"):
            sandbox.scaffold_component(LeapSQLProjectComponent, "other", {**where, "init": True})


def test_scaffolding_without_a_word_leaves_the_project_to_be_made() -> None:
    """The file is written; loading it says what is missing and how to make it."""
    with create_defs_folder_sandbox() as sandbox:
        sandbox.scaffold_component(LeapSQLProjectComponent, defs_path="sales")
        with pytest.raises(Exception, match="sales") as caught:
            with sandbox.build_all_defs():
                pass
        assert "make one with `leapsql init`" in all_said(caught.value)
