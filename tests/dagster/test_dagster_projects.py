"""Several projects in one code location: prefixes, and tables that one makes and another reads."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster_shop import get_job, materialized, metadata_of

from leapsql_core import UsageError
from leapsql_dagster import (
    LeapSQLProject,
    LeapSQLResource,
    build_changed_models_job,
    build_leapsql_asset_selection,
    build_leapsql_definitions,
    leapsql_assets,
)
from leapsql_dagster.loading import loaded_assets_of

SALES = {
    "leapsql.yaml": "name: sales\ntarget: {type: duckdb, database: ../house.duckdb}\n",
    "models/marts/orders.sql": "select 1 as id, 10 as amount",
    "models/marts/customers.sql": "select id, amount from marts.orders",
}
FINANCE = {
    "leapsql.yaml": "name: finance\ntarget: {type: duckdb, database: ../house.duckdb}\n",
    "models/books/ledger.sql": "select id, amount * 2 as booked from marts.orders",
    "models/books/total.sql": "select sum(booked) as total from books.ledger join raw.rates on true",
}


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def assets_of(root: Path, **options: Any) -> Any:
    @leapsql_assets(project=LeapSQLProject(root), name=f"{root.name}_models", **options)
    def models(context: dg.AssetExecutionContext, leapsql: LeapSQLResource):
        yield from leapsql.run(context)

    return models


def graph_of(definitions: dg.Definitions) -> Mapping[str, list[str]]:
    """Return the keys that each asset reads, external ones included."""
    graph = definitions.get_repository_def().asset_graph
    return {
        key.to_user_string(): sorted(parent.to_user_string() for parent in graph.get(key).parent_keys)
        for key in sorted(graph.get_all_asset_keys())
    }


@pytest.fixture
def sales(tmp_path: Path) -> Path:
    return write(tmp_path / "sales", SALES)


@pytest.fixture
def finance(tmp_path: Path) -> Path:
    return write(tmp_path / "finance", FINANCE)


def test_a_prefix_stands_before_what_the_project_makes(finance: Path) -> None:
    """Models and what reads them follow; sources belong to somebody else and keep their keys."""
    definitions = dg.Definitions(
        assets=[assets_of(finance, key_prefix=["eu", "fin"])], resources={"leapsql": LeapSQLResource()}
    )
    assert graph_of(definitions) == {
        "eu/fin/books/ledger": ["marts/orders"],
        "eu/fin/books/total": ["eu/fin/books/ledger", "raw/rates"],
        "marts/orders": [],
        "raw/rates": [],
    }


def test_with_an_op_for_each_model_all_of_them_are_joined(sales: Path, finance: Path) -> None:
    """Each of the definitions reads what the other project makes, however often they are joined."""
    write(finance, {"models/books/more.sql": "select id from marts.orders"})
    both = [*assets_of(finance, key_prefix="fin", op_per_model=True), assets_of(sales, key_prefix="sales")]
    for _ in range(2):
        graph = graph_of(build_leapsql_definitions(both))
        assert graph["fin/books/ledger"] == graph["fin/books/more"] == ["sales/marts/orders"]
        assert "marts/orders" not in graph


def test_one_project_stands_twice_under_two_prefixes(shop: Any) -> None:
    """Two environments of one project load side by side, and each run builds its own."""
    environments = [LeapSQLProject(shop.root), LeapSQLProject(shop.root, environment="prod")]

    def load(project: LeapSQLProject, name: str) -> dg.AssetsDefinition:
        @leapsql_assets(project=project, name=name, key_prefix=name)
        def models(context: dg.AssetExecutionContext, leapsql: LeapSQLResource):
            yield from leapsql.run(context)

        return models

    dev, prod = (load(project, name) for project, name in zip(environments, ("dev", "prod"), strict=True))
    definitions = build_leapsql_definitions(
        [dev, prod], jobs=[build_changed_models_job([dev, prod])], executor=dg.in_process_executor
    )
    result = get_job(definitions, "changed_models").execute_in_process(instance=shop.instance)
    assert len(materialized(result)) == 10
    assert {key.split("/")[0] for key in materialized(result)} == {"dev", "prod"}
    assert shop.query("select count(*) from marts.customers", database="prod") == [(2,)]
    assert shop.query("select count(*) from marts.customers") == [(2,)]


def test_what_one_project_reads_and_another_makes_is_one_asset(
    sales: Path, finance: Path, instance: dg.DagsterInstance
) -> None:
    """The source is the other project's model, under that project's prefix, in graph, lineage and runs."""
    both = [assets_of(finance, key_prefix="fin"), assets_of(sales, key_prefix="sales")]
    write(finance, {"models/books/total.sql": "select sum(booked) as total from books.ledger"})
    both[0] = assets_of(finance, key_prefix="fin")
    job = build_changed_models_job(both)
    definitions = build_leapsql_definitions(both, jobs=[job], executor=dg.in_process_executor)
    assert graph_of(definitions) == {
        "fin/books/ledger": ["sales/marts/orders"],
        "fin/books/total": ["fin/books/ledger"],
        "sales/marts/customers": ["sales/marts/orders"],
        "sales/marts/orders": [],
    }
    result = get_job(definitions, "changed_models").execute_in_process(instance=instance)
    assert materialized(result) == [
        "fin/books/ledger",
        "fin/books/total",
        "sales/marts/customers",
        "sales/marts/orders",
    ]
    spec = definitions.resolve_asset_graph().get(dg.AssetKey(["fin", "books", "ledger"]))
    lineage = getattr(spec.metadata["dagster/column_lineage"], "value", spec.metadata["dagster/column_lineage"])
    assert [dep.asset_key.to_user_string() for dep in lineage.deps_by_column["booked"]] == ["sales/marts/orders"]
    assert "| sales/marts/orders." in metadata_of(result, "fin/books/ledger")["leapsql/column_lineage"].value
    assert materialized(get_job(definitions, "changed_models").execute_in_process(instance=instance)) == []


def test_joining_leaves_the_op_as_it_was_made(sales: Path, finance: Path) -> None:
    """Name, tags, pool, retries and backfill policy survive, and the assets can still be run one by one."""
    policy, backfill = dg.RetryPolicy(max_retries=2), dg.BackfillPolicy.single_run()
    made = assets_of(
        finance,
        op_tags={"kind": "sql"},
        pool="house",
        retry_policy=policy,
        backfill_policy=backfill,
        description="The books.",
    )
    joined = build_leapsql_definitions([made, assets_of(sales, key_prefix="sales")]).get_assets_def(
        dg.AssetKey(["books", "ledger"])
    )
    assert joined.op.name == "finance_models"
    assert (joined.op.pool, joined.op.retry_policy, joined.backfill_policy) == ("house", policy, backfill)
    assert (joined.op.tags["kind"], joined.op.description, joined.can_subset) == ("sql", "The books.", True)
    assert loaded_assets_of(joined).keys["marts.orders"] == dg.AssetKey(["sales", "marts", "orders"])


def test_tables_in_other_databases_are_others(sales: Path, finance: Path) -> None:
    """A table of the same name in another database is not the one that is read."""
    write(sales, {"leapsql.yaml": SALES["leapsql.yaml"].replace("house", "other")})
    definitions = build_leapsql_definitions([assets_of(sales, key_prefix="sales"), assets_of(finance)])
    assert graph_of(definitions)["books/ledger"] == ["marts/orders"]


def test_any_asset_that_names_its_table_is_what_is_read(finance: Path) -> None:
    """`dagster/table_name` joins assets of other tools; their key is the source's."""

    @dg.asset(key=["ingest", "rates"], metadata={"dagster/table_name": "house.raw.rates"})
    def rates() -> None: ...

    @dg.asset(key="orders_loaded", metadata={"dagster/table_name": "MARTS.Orders"})
    def orders() -> None: ...

    @dg.asset(metadata={"dagster/table_name": "elsewhere.raw.rates"})
    def foreign() -> None: ...

    graph = graph_of(build_leapsql_definitions([assets_of(finance), rates, orders, foreign]))
    assert graph["books/ledger"] == ["orders_loaded"]
    assert graph["books/total"] == ["books/ledger", "ingest/rates"]
    assert "raw/rates" not in graph


def test_two_makers_of_one_table_are_an_error_until_one_is_named(sales: Path, finance: Path) -> None:
    """The error names both and how to say which; a key of the source's own stands, whoever else makes the table."""
    twice = [assets_of(sales, key_prefix="a"), assets_of(sales, key_prefix="b")]
    with pytest.raises(UsageError, match=r"a/marts/orders and b/marts/orders both make marts\.orders(.|\n)*asset_key"):
        build_leapsql_definitions([*twice, assets_of(finance)])
    named = "sources: {marts.orders: {meta: {dagster: {asset_key: b/marts/orders}}}}\n"
    write(finance, {"leapsql.yaml": FINANCE["leapsql.yaml"] + named})
    assert (finance / "leapsql.yaml").read_text().endswith(named)
    assert loaded_assets_of(assets_of(finance)).keys["marts.orders"] == dg.AssetKey(["b", "marts", "orders"])


def test_sources_that_nobody_makes_become_external_assets(sales: Path, finance: Path) -> None:
    """They show their description and relation; where they are not wanted, they are left to others."""
    said = "sources: {raw.rates: {description: Rates of the day., meta: {dagster: {group: bank, owners: b@x.org}}}}\n"
    write(finance, {"leapsql.yaml": FINANCE["leapsql.yaml"] + said})
    both = [assets_of(sales), assets_of(finance)]
    graph = build_leapsql_definitions(both).get_repository_def().asset_graph
    rates = graph.get(dg.AssetKey(["raw", "rates"]))
    assert rates.is_external
    assert (rates.description, rates.group_name, list(rates.owners)) == ("Rates of the day.", "bank", ["b@x.org"])
    assert rates.metadata["dagster/table_name"] == "raw.rates"
    bare = build_leapsql_definitions(both, external_sources=False).get_repository_def().asset_graph
    assert bare.get(dg.AssetKey(["raw", "rates"])).description is None


def test_a_selection_spans_projects(sales: Path, finance: Path) -> None:
    """Selections are read per project, and mean assets of all of them."""
    both = [assets_of(sales, key_prefix="s"), assets_of(finance)]
    graph = build_leapsql_definitions(both).get_repository_def().asset_graph
    keys = build_leapsql_asset_selection(both, "materialized:table").resolve(graph)
    assert sorted(key.to_user_string() for key in keys) == [
        "books/ledger",
        "books/total",
        "s/marts/customers",
        "s/marts/orders",
    ]
