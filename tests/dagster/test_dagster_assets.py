"""How a project looks in Dagster once it is loaded."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster_shop import FILES, Shop, materialized, metadata_of

from leapsql_core import LeapSQLError, Model, Node, ProjectError, SelectionError, Source, UsageError
from leapsql_dagster import (
    DagsterLeapSQLTranslator,
    build_automation_sensors,
    build_changed_models_job,
    build_changed_models_schedule,
    build_changed_models_sensor,
    build_leapsql_asset_selection,
    build_leapsql_definitions,
    build_run_status_sensor,
)

ALL = ["main/raw_orders", "marts/customers", "marts/order_count", "marts/totals", "staging/orders"]


def files_under(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*")}


def spec_of(assets: dg.AssetsDefinition, key: str) -> dg.AssetSpec:
    return assets.get_asset_spec(dg.AssetKey(key.split("/")))


def test_loading_definitions_writes_nothing_and_opens_no_warehouse(shop: Shop) -> None:
    """Loading definitions leaves the project's folder as it was: no state, no cache, no database."""
    before = files_under(shop.root)
    shop.definitions()
    assert files_under(shop.root) == before


def test_loading_works_while_another_connection_holds_the_warehouse(shop: Shop) -> None:
    """Definitions load whatever holds the database, for they never open it."""
    shop.run()
    held = shop.root / ".leapsql/warehouse.duckdb"
    held.write_bytes(b"no database at all")
    assert len(shop.assets().keys) == len(ALL)


def test_every_model_and_seed_is_an_asset_keyed_by_its_relation(shop: Shop) -> None:
    """Keys are schema and name of the relation."""
    assert sorted(key.to_user_string() for key in shop.assets().keys) == ALL


def test_an_asset_shows_what_its_frontmatter_says(shop: Shop) -> None:
    """Description, owner, tags, group and kinds come from the model."""
    assets = shop.assets()
    orders = spec_of(assets, "staging/orders")
    assert orders.description == "One row per order."
    assert list(orders.owners) == ["data@example.com"]
    assert orders.tags["core"] == ""
    assert orders.group_name == "staging"
    assert orders.kinds == {"duckdb", "sql", "view"}
    assert spec_of(assets, "main/raw_orders").kinds == {"csv", "duckdb", "seed"}
    assert spec_of(assets, "main/raw_orders").group_name == "seeds"
    assert list(spec_of(assets, "marts/customers").owners) == ["team:sales"]


def test_dependencies_are_those_of_the_sql(shop: Shop) -> None:
    """What a model reads is what its asset depends on."""
    assets = shop.assets()
    deps = {
        key.to_user_string(): sorted(dep.asset_key.to_user_string() for dep in assets.get_asset_spec(key).deps)
        for key in assets.keys
    }
    assert deps == {
        "main/raw_orders": [],
        "staging/orders": ["main/raw_orders"],
        "marts/customers": ["staging/orders"],
        "marts/order_count": ["staging/orders"],
        "marts/totals": ["marts/customers"],
    }


def test_a_source_is_the_upstream_asset_of_its_name(shop: Shop) -> None:
    """A table that the project does not make is an upstream key: schema and name, or a bare name by itself."""
    shop.write({"models/staging/events.sql": "select 1 as a from raw.events join clicks using (id)"})
    deps = spec_of(shop.assets(), "staging/events").deps
    assert sorted(dep.asset_key.to_user_string() for dep in deps) == ["clicks", "raw/events"]


def test_a_source_can_be_given_the_key_of_another_asset(shop: Shop) -> None:
    """`meta.dagster.asset_key` of a source names the asset that makes it."""
    shop.write({"models/staging/events.sql": "select 1 as a from raw.events"})
    shop.edit("leapsql.yaml", "vars:", "sources: {raw.events: {meta: {dagster: {asset_key: lake/events}}}}\nvars:")
    deps = spec_of(shop.assets(), "staging/events").deps
    assert [dep.asset_key.to_user_string() for dep in deps] == ["lake/events"]


def test_asset_key_and_group_can_be_set_in_the_frontmatter(shop: Shop) -> None:
    """`meta.dagster` of a model wins over the defaults, and readers follow."""
    shop.write(
        {
            "models/marts/totals.sql": (
                "/*--- {meta: {dagster: {asset_key: [bi, totals], group: bi}}} ---*/\nselect 1 as total"
            ),
            "models/marts/report.sql": "select total from marts.totals",
        }
    )
    assets = shop.assets()
    assert spec_of(assets, "bi/totals").group_name == "bi"
    assert [dep.asset_key.to_user_string() for dep in spec_of(assets, "marts/report").deps] == ["bi/totals"]


def test_columns_and_files_are_shown_before_anything_is_built(shop: Shop) -> None:
    """Column names, descriptions, promises of tests, lineage, relation and links to files are there at load."""
    metadata = spec_of(shop.assets(), "marts/customers").metadata
    schema = (
        metadata["dagster/column_schema"].value
        if hasattr(metadata["dagster/column_schema"], "value")
        else (metadata["dagster/column_schema"])
    )
    assert [column.name for column in schema.columns] == ["customer", "total"]
    assert schema.columns[0].constraints == dg.TableColumnConstraints(nullable=False, unique=True)
    assert metadata["dagster/table_name"] == "marts.customers"
    reference = metadata["dagster/code_references"].code_references[0]
    assert Path(reference.file_path) == shop.root / "models/marts/customers.sql"
    assert reference.line_number == 7


class Prefixed(DagsterLeapSQLTranslator):
    """Puts every key under a prefix."""

    def get_asset_spec(self, node: Node | Source) -> dg.AssetSpec:
        spec = super().get_asset_spec(node)
        description = "a model" if isinstance(node, Model) else spec.description
        return spec.replace_attributes(key=spec.key.with_prefix("wh"), description=description)


def test_every_key_goes_through_the_translator(shop: Shop) -> None:
    """Keys of assets, dependencies, materializations and column lineage follow an overridden translator."""
    definitions = shop.definitions(translator=Prefixed())
    result = shop.run(definitions)
    assert materialized(result) == [f"wh/{key}" for key in ALL]
    assert "wh/staging/orders.amount" in metadata_of(result, "wh/marts/customers")["leapsql/column_lineage"].value
    assets = shop.assets(translator=Prefixed())
    lineage = spec_of(assets, "wh/marts/customers").metadata["dagster/column_lineage"]
    deps = getattr(lineage, "value", lineage).deps_by_column["customer"]
    assert [dep.asset_key.to_user_string() for dep in deps] == ["wh/staging/orders"]
    spec = spec_of(assets, "wh/marts/totals")
    assert [dep.asset_key.to_user_string() for dep in spec.deps] == ["wh/marts/customers"]
    assert spec.description == "a model"


class AllAlike(DagsterLeapSQLTranslator):
    """Gives everything one key."""

    def get_asset_spec(self, node: Node | Source) -> dg.AssetSpec:
        return super().get_asset_spec(node).replace_attributes(key="one")


def test_two_nodes_with_one_key_are_an_error_that_names_both(shop: Shop) -> None:
    """A translator that makes keys collide is told which."""
    with pytest.raises(UsageError, match=r"have the same asset key one"):
        shop.assets(translator=AllAlike())


def test_a_source_with_the_key_of_a_model_is_an_error_that_names_both(shop: Shop) -> None:
    """Dagster would take the one for the other, and run them in any order."""
    shop.edit("leapsql.yaml", "vars:", "sources: {raw.orders: {meta: {dagster: {asset_key: marts/totals}}}}\nvars:")
    shop.write({"models/marts/raws.sql": "select * from raw.orders"})
    with pytest.raises(
        UsageError, match=r"models/marts/totals\.sql: marts\.totals and the source raw\.orders have the same"
    ):
        shop.assets()


@pytest.mark.parametrize(
    "owner", ["Jane Doe", "jané@exämple.com", "o'neil@example.com", "a@example.c", "Jane <j@example.com>", "y" * 300]
)
def test_an_owner_that_dagster_does_not_take_for_an_address_is_a_team(shop: Shop, owner: str) -> None:
    """Whatever a project calls an owner, it loads."""
    shop.write({"models/marts/totals.sql": f'/*---\nowner: "{owner}"\n---*/\nselect 1 as total'})
    assert list(spec_of(shop.assets(), "marts/totals").owners) == [f"team:{owner}"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"checks": ["test"]}, r"unknown kind of checks `test`\n.*Did you mean tests"),
        ({"key_prefix": ["eu", "my shop"]}, "the key prefix 'my shop' is no part of a key"),
    ],
)
def test_an_option_that_means_nothing_is_an_error_that_names_it(shop: Shop, options: Any, said: str) -> None:
    """A kind of checks that there is not would leave checks out in silence."""
    with pytest.raises(UsageError, match=said):
        shop.assets(**options)


@pytest.mark.parametrize("op_per_model", [False, True])
def test_a_project_without_models_loads_and_runs(shop: Shop, op_per_model: bool) -> None:
    """With its job, its schedule, its sensor and all else that is made of its assets; the first model follows."""
    shop.write({**dict.fromkeys(FILES), "leapsql.yaml": "target: {type: duckdb}\n"})
    made = shop.assets(op_per_model=op_per_model)
    assets = made if isinstance(made, list) else [made]
    job = build_changed_models_job(assets)
    sensors = [build_changed_models_sensor(assets, job=job), build_run_status_sensor(assets)]
    schedule = build_changed_models_schedule(assets, job=job, cron_schedule="0 6 * * *")
    definitions = build_leapsql_definitions(assets, jobs=[job], sensors=sensors, schedules=[schedule])
    dg.Definitions.validate_loadable(definitions)
    assert shop.run(definitions).success
    assert build_automation_sensors(assets) == []


def test_a_selection_makes_some_of_the_project_assets(shop: Shop) -> None:
    """`select` and `exclude` take the grammar of the command line."""
    assets = shop.assets(select="marts.customers+", exclude="totals")
    assert [key.to_user_string() for key in assets.keys] == ["marts/customers"]
    with pytest.raises(SelectionError, match="Did you mean"):
        shop.assets(select="marts.custmers")


def test_a_selection_becomes_an_asset_selection(shop: Shop) -> None:
    """`build_leapsql_asset_selection` answers with Dagster's own kind of selection."""
    definitions = shop.definitions()
    assets = shop.assets()
    graph = definitions.get_repository_def().asset_graph
    selection = build_leapsql_asset_selection([assets], "staging.orders+", exclude="materialized:view")
    keys = sorted(key.to_user_string() for key in selection.resolve(graph))
    assert keys == ["marts/customers", "marts/order_count", "marts/totals"]
    assert build_leapsql_asset_selection([assets], "state:changed").resolve(graph) == assets.keys


def test_a_project_with_problems_does_not_load_and_says_where(shop: Shop) -> None:
    """A broken project is an error of the code location, with file and line."""
    shop.write({"models/marts/totals.sql": "select (1"})
    with pytest.raises(ProjectError, match=r"models/marts/totals\.sql:1"):
        shop.definitions()


def test_foreign_assets_are_refused_with_a_mend(shop: Shop) -> None:
    """Builders say so when they are given assets that are none of ours."""

    @dg.asset
    def other() -> None:
        return None

    with pytest.raises(LeapSQLError, match="Decorate their function"):
        build_leapsql_asset_selection([other])


def test_a_comment_changes_no_code_version(shop: Shop) -> None:
    """After a build, a comment edit and a reload, the code version is the one that was materialized."""
    before = {key: shop.assets().get_asset_spec(key).code_version for key in shop.assets().keys}
    shop.run()
    shop.edit("models/marts/totals.sql", "select", "select -- all of it\n ")
    shop.edit("models/marts/customers.sql", "sum(amount)", "max(amount)")
    after = {key: shop.assets().get_asset_spec(key).code_version for key in before}
    changed = [key.to_user_string() for key in before if before[key] != after[key]]
    assert changed == ["marts/customers"]


def test_macros_variables_and_configuration_are_part_of_a_code_version(shop: Shop) -> None:
    """What a macro says, or a variable, changes the version of the models that use it; how it is laid out does not."""
    shop.write({"macros/money.sql": "{% macro cents(x) %}{{ x }} * 100{% endmacro %}\n"})
    shop.edit("models/marts/totals.sql", "sum(total)", "{{ money.cents('sum(total)') }}")
    shop.run()

    def versions() -> dict[str, str | None]:
        return {spec.key.path[-1]: spec.code_version for spec in shop.assets().specs}

    def changed_by(file: str, old: str, new: str) -> list[str]:
        before = versions()
        shop.edit(file, old, new)
        after = versions()
        return [name for name in after if after[name] != before[name]]

    assert changed_by("macros/money.sql", "* 100", "*   100") == []
    assert changed_by("macros/money.sql", "100", "1000") == ["totals"]
    assert changed_by("leapsql.yaml", "least: 0", "least: 15") == ["customers"]
    assert changed_by("models/staging/orders.sql", "materialized: view", "materialized: table") == ["orders"]
