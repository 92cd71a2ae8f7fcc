"""How runs go: pools, one op for each model, log lines, many models at once."""

import re
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster_shop import Shop, get_job, materialized, messages, metadata_of

from leapsql_dagster import (
    LeapSQLProject,
    LeapSQLResource,
    build_changed_models_job,
    build_changed_models_sensor,
    build_leapsql_asset_selection,
    leapsql_assets,
)

ALL = ["main/raw_orders", "marts/customers", "marts/order_count", "marts/totals", "staging/orders"]


# -------------------------------------------------------------------------------------------------------------- pools


def test_runs_on_one_database_share_a_pool(shop: Shop) -> None:
    """It bears the database's name, so that a limit of 1 makes runs queue; another can be named."""
    assert shop.assets().op.pool == "duckdb_warehouse"
    assert shop.assets(pool="other").op.pool == "other"
    shop.project_options = {"database": "/somewhere/my wh.duckdb"}
    assert shop.assets().op.pool == "duckdb_my_wh"


def test_the_second_run_on_a_database_waits_for_the_slot_of_the_first(shop: Shop, tmp_path: Path) -> None:
    """With a limit of 1, as Dagster counts: blocked while the op of the first run builds, next when that is done."""
    told: list[bool] = []

    @leapsql_assets(project=LeapSQLProject(shop.root))
    def shop_models(context: dg.AssetExecutionContext, leapsql: LeapSQLResource):
        storage = context.instance.event_log_storage
        info = storage.get_concurrency_info("duckdb_warehouse")
        assert [slot.run_id for slot in info.claimed_slots] == [context.run_id]
        told.append(storage.claim_concurrency_slot("duckdb_warehouse", "second", "shop_models").is_claimed)
        yield from leapsql.run(context)

    home = tmp_path / "home"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        instance.event_log_storage.set_concurrency_slots("duckdb_warehouse", 1)
        resources = {"leapsql": LeapSQLResource()}
        assert dg.materialize([shop_models], instance=instance, resources=resources).success
        again = instance.event_log_storage.claim_concurrency_slot("duckdb_warehouse", "second", "shop_models")
        assert (told, again.is_claimed) == ([False], True)


# -------------------------------------------------------------------------------------------------- models in parallel


@pytest.mark.parametrize("max_parallel", [1, 2])
def test_as_many_models_are_in_building_at_once_as_are_allowed(shop: Shop, max_parallel: int) -> None:
    """What the state has as running is counted whenever a model begins: two independent models, and never more."""
    assert shop.run().success
    for statement in (
        "CREATE TABLE at_once (models INTEGER)",
        "CREATE TRIGGER begun AFTER UPDATE OF status ON model_runs WHEN new.status = 'running' BEGIN"
        " INSERT INTO at_once SELECT count(*) FROM model_runs WHERE run_id = new.run_id AND status = 'running'; END",
    ):
        shop.state(statement)
    resource = LeapSQLResource(max_parallel=max_parallel)
    assert len(materialized(shop.run(shop.definitions(resource=resource), tags={"leapsql/mode": "all"}))) == 5
    assert shop.state("SELECT max(models), count(*) FROM at_once") == [(max_parallel, 5)]


# ------------------------------------------------------------------------------------------------ one op for each model


def ops(shop: Shop, mode: Any = "changed") -> dg.Definitions:
    """Return definitions with an op for each model."""

    @leapsql_assets(project=LeapSQLProject(shop.root), op_per_model=True)
    def shop_models(context: dg.AssetExecutionContext, leapsql: LeapSQLResource):
        yield from leapsql.run(context)

    job = build_changed_models_job(shop_models)
    return dg.Definitions(
        assets=shop_models,
        jobs=[job],
        sensors=[build_changed_models_sensor(shop_models, job=job)],
        resources={"leapsql": LeapSQLResource(mode=mode)},
    )


def test_each_model_can_have_an_op_of_its_own(shop: Shop) -> None:
    """They run one after the other on DuckDB, in order; what needs no build is skipped and holds up nothing."""
    result = shop.run(ops(shop))
    assert result.success
    assert materialized(result) == ALL
    steps = [event.step_key for event in result.get_step_success_events()]
    assert steps.index("shop_models__staging__orders") < steps.index("shop_models__marts__customers")
    assert shop.state("SELECT count(DISTINCT orchestrator_run_id), count(*) FROM runs") == [(1, 5)]
    shop.edit("models/marts/totals.sql", "sum(total)", "max(total)")
    assert materialized(shop.run(ops(shop))) == ["marts/totals"]


def test_with_an_op_for_each_model_a_failure_is_a_step_s(shop: Shop) -> None:
    """What does not depend on it is built, the check of its build is red."""
    shop.edit("models/marts/customers.sql", "sum(amount)", "error('no')")
    result = shop.run(ops(shop))
    assert not result.success
    assert materialized(result) == ["main/raw_orders", "marts/order_count", "staging/orders"]
    assert result.get_failed_step_keys() == {"shop_models__marts__customers"}
    red = {one.asset_key.to_user_string() for one in result.get_asset_check_evaluations() if not one.passed}
    assert red == {"marts/customers"}


def test_selections_and_sensors_take_an_op_for_each_model_as_one_project(shop: Shop) -> None:
    """The tick plans once."""
    definitions = ops(shop)
    repository = definitions.get_repository_def()
    (sensor,) = repository.sensor_defs
    context = dg.build_sensor_context(
        instance=shop.instance, repository_def=repository, resources={"leapsql": LeapSQLResource()}
    )
    (request,) = sensor.evaluate_tick(context).run_requests
    assert [key.to_user_string() for key in request.asset_selection] == ALL
    assert "-" not in request.tags["leapsql/change"]
    selection = build_leapsql_asset_selection(list(repository.assets_defs_by_key.values()), "marts.*")
    assert len(selection.resolve(repository.asset_graph)) == 3


# -------------------------------------------------------------------------------------------------------------- logs


@pytest.mark.parametrize("emission", ["outputs", "events"])
def test_each_model_has_its_line_in_the_log(shop: Shop, emission: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """With its name, its reason and its rows; nothing is printed beside it."""
    sys.stdout.flush()
    capfd.readouterr()
    result = shop.run(shop.definitions(resource=LeapSQLResource(emission=emission)))
    said = [line for line in messages(result, shop.instance).splitlines() if re.search(r" built in \d", line)]
    assert sorted(line.split()[0] for line in said) == [
        "marts.customers",
        "marts.order_count",
        "marts.totals",
        "raw_orders",
        "staging.orders",
    ]
    assert any(line.endswith(", 2 rows: new (it was never built in dev)") for line in said)
    assert capfd.readouterr().out == ""


# ------------------------------------------------------------------------------------------------- nothing is left out


def test_a_run_that_succeeds_has_materialized_or_explained_all_that_was_selected(shop: Shop) -> None:
    """Each selected asset has a materialization, or a skipped row with its reason, or both ways a failure is told."""
    shop.run()
    shop.edit("models/marts/customers.sql", "sum(amount)", "max(amount)")
    chosen = [dg.AssetKey(key.split("/")) for key in ALL if key != "marts/order_count"]
    result = get_job(shop.definitions(), "changed_models").execute_in_process(
        instance=shop.instance, asset_selection=chosen
    )
    explained = {path for path, (status, reason) in shop.outcomes().items() if status == "skipped" and reason}
    built = {key.replace("main/", "").replace("/", ".") for key in materialized(result)}
    assert built == {"marts.customers", "marts.totals"}
    assert explained == {"raw_orders", "staging.orders"}


# ------------------------------------------------------------------------------------------------------- what is shown


def test_a_materialization_shows_what_changed_since_the_last(shop: Shop) -> None:
    """Rows more or fewer, and the text that differs; a seed shows how large its file is."""
    first = shop.run()
    assert "leapsql/row_count_change" not in metadata_of(first, "marts/customers")
    assert "leapsql/difference" not in metadata_of(first, "marts/customers")
    assert metadata_of(first, "main/raw_orders")["leapsql/file_bytes"].value == 57
    shop.edit("models/marts/customers.sql", "sum(amount)", "max(amount)")
    shop.edit("seeds/raw_orders.csv", "3,ann,30,z\n", "3,eve,30,z\n")
    metadata = metadata_of(shop.run(), "marts/customers")
    assert metadata["leapsql/row_count_change"].value == 1
    assert metadata["leapsql/difference"].value.splitlines()[:3] == ["```diff", "--- built last", "+++ built now"]
    assert "-select customer, sum(amount) as total" in metadata["leapsql/difference"].value
    assert "+select customer, max(amount) as total" in metadata["leapsql/difference"].value


def test_what_dagster_plots_is_numbers(shop: Shop) -> None:
    """Row counts and times by run."""
    metadata = metadata_of(shop.run(), "marts/customers")
    assert isinstance(metadata["dagster/row_count"], dg.IntMetadataValue)
    assert isinstance(metadata["leapsql/execution_seconds"], dg.FloatMetadataValue)
    assert isinstance(metadata["leapsql/render_seconds"], dg.FloatMetadataValue)


def test_links_lead_to_the_repository_too(shop: Shop) -> None:
    """By the project's own address, or by Dagster's rewriting of local links."""
    shop.project_options = {"repository_url": "https://example.com/shop/blob/main/sql/"}
    references = shop.assets().get_asset_spec(dg.AssetKey(["marts", "customers"])).metadata
    urls = [
        one.url for one in references["dagster/code_references"].code_references if isinstance(one, dg.UrlCodeReference)
    ]
    assert urls == ["https://example.com/shop/blob/main/sql/models/marts/customers.sql#L7"]
    shop.project_options = {}
    linked = dg.link_code_references_to_git(
        [shop.assets()],
        git_url="https://github.com/acme/shop",
        git_branch="main",
        file_path_mapping=dg.AnchorBasedFilePathMapping(
            local_file_anchor=shop.root, file_anchor_path_in_repository="sql"
        ),
    )
    (assets,) = [one for one in linked if isinstance(one, dg.AssetsDefinition)]
    found = assets.metadata_by_key[dg.AssetKey(["marts", "customers"])]["dagster/code_references"].code_references
    assert "https://github.com/acme/shop/tree/main/sql/models/marts/customers.sql#L7" in [
        one.url for one in found if isinstance(one, dg.UrlCodeReference)
    ]


# --------------------------------------------------------------------------------------------------------- many models


class Counted:
    """Counts what a run asks of Dagster."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.outputs = self.observations = 0
        make, fetch = dg.Output.__init__, dg.DagsterInstance.fetch_observations

        def made(output: Any, *args: Any, **kwargs: Any) -> None:
            self.outputs += 1
            make(output, *args, **kwargs)

        def fetched(instance: dg.DagsterInstance, *args: Any, **kwargs: Any) -> Any:
            self.observations += 1
            return fetch(instance, *args, **kwargs)

        monkeypatch.setattr(dg.Output, "__init__", made)
        monkeypatch.setattr(dg.DagsterInstance, "fetch_observations", fetched)


def test_many_models_are_told_by_events_but_for_those_that_others_wait_for(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster's cost of outputs grows with their square in one op: of many assets and checks, few become outputs."""
    shop.write({f"models/many/m{number}.sql": f"select {number} as n" for number in range(100)})
    counted = Counted(monkeypatch)
    events = shop.instance.event_log_storage

    @dg.asset(deps=[["many", "m7"]])
    def report() -> None:
        return None

    definitions = shop.definitions(report, in_job=dg.AssetSelection.assets("report"))
    result = shop.run(definitions)
    assert len(materialized(result)) == 106
    assert counted.outputs <= 6
    assert counted.observations <= 1  # Dagster's own, for what the report reads
    kinds = [log.dagster_event.event_type_value for log in events.get_logs_for_run(result.run_id) if log.dagster_event]
    assert kinds.count("ASSET_MATERIALIZATION") == 106
    assert kinds.count("ASSET_CHECK_EVALUATION") == 3
    assert kinds.count("STEP_OUTPUT") == 3
    assert len(kinds) < 2 * 106 + 107 + 40


def test_few_models_are_outputs_of_the_op(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Dagster means it, with all that it checks of them."""
    counted = Counted(monkeypatch)
    shop.run()
    assert counted.outputs >= 5
