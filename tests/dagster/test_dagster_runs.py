"""What happens when models are materialized through Dagster."""

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
from dagster_shop import Shop, begin_and_die, materialized, messages, metadata_of

from leapsql_core.execution.processes import this_process
from leapsql_core.state import SqliteStateStore
from leapsql_dagster import LeapSQLResource

ALL = ["main/raw_orders", "marts/customers", "marts/order_count", "marts/totals", "staging/orders"]


def test_a_materialization_shows_what_people_look_for(shop: Shop) -> None:
    """Rows, columns with types, lineage, reason, SQL, content, timings and ids are all there."""
    result = shop.run()
    assert materialized(result) == ALL
    metadata = metadata_of(result, "marts/customers")
    assert metadata["dagster/row_count"].value == 2
    columns = metadata["dagster/column_schema"].value.columns
    assert [(column.name, column.type) for column in columns] == [("customer", "VARCHAR"), ("total", "HUGEINT")]
    assert "staging/orders.amount" in metadata["leapsql/column_lineage"].value
    assert metadata["leapsql/reason"].value == "new"
    assert metadata["leapsql/environment"].value == "dev"
    assert '"staging"."orders"' in metadata["leapsql/sql"].value
    assert "unique(customer) | passed | now |" in metadata["leapsql/tests"].value
    ((content_hash,),) = shop.state(
        "SELECT r.content_hash FROM model_runs r JOIN models m ON m.id = r.model_id WHERE m.path = 'marts.customers'"
    )
    assert metadata["leapsql/content_hash"].value == content_hash
    assert metadata["leapsql/execution_seconds"].value >= 0
    ((run_id, orchestrator_run_id),) = shop.state("SELECT id, orchestrator_run_id FROM runs")
    assert metadata["leapsql/run_id"].value == run_id
    assert orchestrator_run_id == result.run_id
    assert shop.state(f"SELECT count(*) FROM model_runs WHERE id = '{metadata['leapsql/model_run_id'].value}'") == [
        (1,)
    ]


def test_what_a_definition_says_its_materializations_leave_out(shop: Shop) -> None:
    """Dagster shows both of an asset, and stores each materialization twice; what a run's variables change is told."""
    of_files = {"dagster/table_name", "dagster/code_references", "dagster/column_lineage"}
    definitions = shop.definitions()
    defined = definitions.get_repository_def().asset_graph.get(dg.AssetKey(["marts", "customers"])).metadata
    assert of_files < defined.keys()
    assert not of_files & metadata_of(shop.run(definitions), "marts/customers").keys()
    shop.edit("models/marts/customers.sql", "sum(amount)", "sum({{ 'amount' if var('least') == 0 else 'id' }})")
    told = metadata_of(shop.run(tags={"leapsql/vars": json.dumps({"least": 1})}), "marts/customers")
    assert of_files < told.keys()
    (dep,) = told["dagster/column_lineage"].value.deps_by_column["total"]
    assert (dep.asset_key.to_user_string(), dep.column_name) == ("staging/orders", "id")
    assert told["dagster/table_name"].value == "marts.customers"
    assert told["dagster/code_references"].code_references[0].label == "models/marts/customers.sql"


def test_columns_are_told_each_time(shop: Shop) -> None:
    """Dagster's own check of their changes compares the latest two materializations."""
    everything = {"leapsql/mode": "all"}
    first, second = shop.run(), shop.run(tags=everything)
    columns = [metadata_of(result, "marts/customers")["dagster/column_schema"].value for result in (first, second)]
    assert columns[0] == columns[1]
    (check,) = dg.build_column_schema_change_checks(assets=[dg.AssetKey(["marts", "customers"])])
    job = dg.define_asset_job("changes", selection=dg.AssetSelection.checks(check))
    definitions = dg.Definitions(
        assets=[shop.assets()], asset_checks=[check], jobs=[job], resources={"leapsql": LeapSQLResource()}
    )
    (same,) = shop.run(definitions, job="changes").get_asset_check_evaluations()
    assert (same.passed, same.description) == (
        True,
        "No changes to column schema between previous and latest materialization",
    )


def test_a_test_that_was_not_run_again_says_since_when_it_stands(shop: Shop) -> None:
    """A build of the same rows is no reason to ask them again."""
    shop.run()
    metadata = metadata_of(shop.run(tags={"leapsql/mode": "all"}), "marts/customers")
    assert "UTC, nothing changed since |" in metadata["leapsql/tests"].value


def test_dagster_is_given_data_and_code_versions_of_ours(shop: Shop) -> None:
    """The versions that Dagster keeps are the relation's and the code's."""
    shop.run()
    record = shop.instance.get_latest_data_version_record(dg.AssetKey(["marts", "customers"]))
    assert record is not None
    tags = record.asset_materialization.tags
    ((data_version,),) = shop.state(
        "SELECT r.data_version FROM model_runs r JOIN models m ON m.id = r.model_id WHERE m.path = 'marts.customers'"
    )
    assert tags["dagster/data_version"] == data_version
    spec = shop.assets().get_asset_spec(dg.AssetKey(["marts", "customers"]))
    assert tags["dagster/code_version"] == spec.code_version is not None


def test_changed_mode_builds_nothing_when_nothing_changed(shop: Shop) -> None:
    """A second run materializes nothing, succeeds, and records every model as skipped with its reason."""
    shop.run()
    result = shop.run()
    assert result.success
    assert materialized(result) == []
    assert set(shop.outcomes().values()) == {("skipped", "unchanged")}
    assert "5 skipped" in messages(result, shop.instance)


def test_changed_mode_builds_what_changed_and_what_reads_it(shop: Shop) -> None:
    """An edited query is built, and what reads changed values; its sibling is left alone."""
    shop.run()
    shop.edit("models/marts/customers.sql", "sum(amount)", "2 * sum(amount)")
    result = shop.run()
    assert materialized(result) == ["marts/customers", "marts/totals"]
    assert metadata_of(result, "marts/customers")["leapsql/reason"].value == "query_changed"
    assert metadata_of(result, "marts/totals")["leapsql/reason"].value == "input_changed"
    assert shop.query("select total from marts.totals") == [(120,)]


def test_a_layout_edit_builds_nothing(shop: Shop) -> None:
    """Comments and layout are no change."""
    shop.run()
    shop.edit("models/marts/customers.sql", "select customer", "SELECT\n  -- who\n  customer")
    assert materialized(shop.run()) == []
    assert shop.outcomes()["marts.customers"] == ("skipped", "formatting_only")


def test_clicking_materialize_builds_what_was_clicked(shop: Shop) -> None:
    """The resource's own mode is `all`: the selection is built whether it changed or not."""
    definitions = shop.definitions()
    shop.run(definitions)
    result = shop.run(definitions, job="__ASSET_JOB", asset_selection=[dg.AssetKey(["marts", "totals"])])
    assert materialized(result) == ["marts/totals"]
    assert shop.outcomes() == {"marts.totals": ("success", "requested")}


def test_a_failing_model_fails_alone_and_is_named(shop: Shop) -> None:
    """Siblings build, descendants are skipped with its name, the run fails and names it, its old table stays."""
    shop.run()
    shop.edit("models/marts/customers.sql", "sum(amount)", "sum(amount) / error('no luck')::int")
    shop.edit("models/marts/order_count.sql", "count(*)", "count(*) + 1")
    result = shop.run()
    assert not result.success
    assert materialized(result) == ["marts/order_count"]
    said = messages(result, shop.instance)
    assert "failed: marts.customers; skipped because of that: marts.totals" in said
    assert "models/marts/customers.sql:" in said
    assert "no luck" in said
    assert shop.outcomes()["marts.customers"][0] == "failed"
    assert shop.outcomes()["marts.totals"] == ("skipped", "upstream_failed")
    assert shop.query("select customer, total from marts.customers order by 1") == [("ann", 40), ("bob", 20)]
    assert shop.state("SELECT status FROM runs ORDER BY started_at DESC LIMIT 1") == [("failed",)]


def test_a_retry_builds_only_what_is_left(shop: Shop, tmp_path: Path) -> None:
    """An op that is tried again does not build again what its first attempt built."""
    shop.write({"models/marts/late.sql": f"select * from read_csv('{tmp_path}/late.csv')"})
    made = tmp_path / "late.csv"

    @dg.success_hook
    def unused(_: dg.HookContext) -> None:
        return None

    definitions = shop.definitions(retry_policy=dg.RetryPolicy(max_retries=1), op_tags={"a": "b"})
    attempts: list[int] = []
    original = LeapSQLResource.run

    def run(self: LeapSQLResource, context: dg.AssetExecutionContext):
        attempts.append(context.retry_number)
        if context.retry_number:
            made.write_text("a\n1\n")
        yield from original(self, context)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LeapSQLResource, "run", run)
        result = shop.run(definitions)
    assert attempts == [0, 1]
    assert result.success
    assert materialized(result) == sorted([*ALL, "marts/late"])
    assert shop.outcomes() == {"marts.late": ("success", "new")}
    assert shop.state("SELECT count(DISTINCT orchestrator_run_id), count(*) FROM runs") == [(1, 2)]


def test_run_tags_win_over_the_resource_and_the_run_says_so(shop: Shop) -> None:
    """Mode, full refresh and vars of a run can be set by tags; one line of the log tells what holds and why."""
    shop.run()
    tags = {"leapsql/mode": "all", "leapsql/vars": json.dumps({"least": 15})}
    result = shop.run(tags=tags)
    assert materialized(result) == ALL
    assert shop.query("select customer, total from marts.customers order by 1") == [("ann", 30), ("bob", 20)]
    said = messages(result, shop.instance)
    assert "mode = all (tag leapsql/mode)" in said
    assert 'vars = {"least": 15} (tag leapsql/vars)' in said
    assert "full_refresh = false (resource)" in said
    assert "environment = dev (assets)" in said


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"leapsql/mode": "changd"}, "unknown mode 'changd'"),
        ({"leapsql/mod": "all"}, "unknown run tag leapsql/mod"),
        ({"leapsql/full_refresh": "maybe"}, "neither true nor false"),
        ({"leapsql/vars": "{"}, "is not JSON"),
        ({"leapsql/vars": "[1]"}, "not a JSON object"),
        ({"leapsql/environment": "prdo"}, "there is no environment `prdo`"),
    ],
)
def test_an_unknown_value_of_a_tag_is_an_error(shop: Shop, tags: dict[str, str], said: str) -> None:
    """What cannot be meant fails the run before anything is built."""
    result = shop.run(tags=tags)
    assert not result.success
    assert said in messages(result, shop.instance)
    assert not (shop.root / ".leapsql/warehouse.duckdb").exists()


def test_another_environment_gets_state_and_no_materializations(shop: Shop) -> None:
    """A run in an environment that the assets do not stand for builds there, and records no materialization."""
    result = shop.run(tags={"leapsql/environment": "prod"})
    assert result.success
    assert materialized(result) == []
    assert shop.state("SELECT environment, status FROM runs") == [("prod", "completed")]
    assert shop.query("select total from marts.totals", database="prod") == [(60,)]
    assert not (shop.root / ".leapsql/warehouse.duckdb").exists()


def test_assets_can_stand_for_another_environment(shop: Shop) -> None:
    """A project loaded for an environment builds and materializes there."""
    shop.project_options = {"environment": "prod"}
    result = shop.run()
    assert materialized(result) == ALL
    assert metadata_of(result, "marts/totals")["leapsql/environment"].value == "prod"
    assert shop.query("select total from marts.totals", database="prod") == [(60,)]


def test_other_vars_write_their_own_code_version(shop: Shop) -> None:
    """A run with other variables than the loaded ones records the code that it ran."""
    definitions = shop.definitions()
    shop.run(definitions)
    result = shop.run(definitions, tags={"leapsql/vars": '{"least": 15}'})
    assert materialized(result) == ["marts/customers", "marts/totals"]
    record = shop.instance.get_latest_data_version_record(dg.AssetKey(["marts", "customers"]))
    assert record is not None
    loaded = shop.assets().get_asset_spec(dg.AssetKey(["marts", "customers"])).code_version
    assert record.asset_materialization.tags["dagster/code_version"] != loaded


def test_the_job_shows_its_mode_in_its_config(shop: Shop) -> None:
    """What the launchpad shows of the changed-models job is `mode: changed`, beside what its resource was made with."""
    resource = LeapSQLResource(max_parallel=2)
    definitions = shop.definitions(resource=resource)
    job = definitions.get_repository_def().get_job("changed_models")
    assert job.run_config == {"resources": {"leapsql": {"config": {"max_parallel": 2, "mode": "changed"}}}}


def test_a_job_s_resource_can_be_made_of_environment_variables(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read when the job runs, as Dagster reads those of any resource."""
    resource = LeapSQLResource(environment=dg.EnvVar("SHOP_IN"), max_parallel=dg.EnvVar.int("SHOP_THREADS"))
    definitions = shop.definitions(resource=resource)
    monkeypatch.setenv("SHOP_IN", "prod")
    monkeypatch.setenv("SHOP_THREADS", "2")
    assert shop.run(definitions).success
    assert shop.state("SELECT environment FROM runs") == [("prod",)]


def test_a_run_of_no_models_at_once_is_refused(shop: Shop) -> None:
    """In words of the field that says so."""
    result = shop.run(shop.definitions(resource=LeapSQLResource(max_parallel=0)))
    assert "max_parallel is 0\n    Write 1 or more." in messages(result, shop.instance)


def test_full_refresh_makes_incremental_models_anew(shop: Shop) -> None:
    """The resource's full_refresh rebuilds what otherwise grows."""
    shop.write(
        {
            "models/marts/log.sql": "/*--- materialized: incremental ---*/\n"
            "select 1 as n from raw_orders {% if is_incremental() %} where false {% endif %}"
        }
    )
    shop.run()
    shop.edit("seeds/raw_orders.csv", "3,ann,30,z\n", "3,ann,30,z\n4,eve,1,q\n")
    shop.run()
    assert shop.query("select count(*) from marts.log") == [(3,)]
    shop.run(tags={"leapsql/full_refresh": "true"})
    assert shop.outcomes()["marts.log"] == ("success", "full_refresh")
    assert shop.query("select count(*) from marts.log") == [(4,)]


def test_the_run_executes_the_text_that_was_loaded(shop: Shop) -> None:
    """An edit after loading waits for the next process: SQL and recorded code version belong together."""
    definitions = shop.definitions()
    shop.edit("models/marts/totals.sql", "sum(total)", "max(total)")
    result = shop.run(definitions)
    assert "sum(total)" in metadata_of(result, "marts/totals")["leapsql/sql"].value
    assert shop.query("select total from marts.totals") == [(60,)]


def test_secrets_reach_neither_state_nor_dagster(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of variables listed under `secrets` are masked wherever they would be kept or shown."""
    monkeypatch.setenv("API_KEY", "very-secret-value")
    shop.edit("leapsql.yaml", "name: shop", "name: shop\nsecrets: [API_KEY]")
    shop.write({"models/marts/keyed.sql": "select '{{ env.API_KEY }}' as k, error('{{ env.API_KEY }}')"})
    shop.write({"models/marts/fine.sql": "select length('{{ env.API_KEY }}') as k"})
    result = shop.run()
    assert shop.query("select k from marts.fine") == [(17,)]
    assert "very-secret-value" not in messages(result, shop.instance)
    assert "very-secret-value" not in str(metadata_of(result, "marts/fine"))
    for file in (shop.root / ".leapsql").glob("state.db*"):
        assert b"very-secret-value" not in file.read_bytes()


def test_under_the_multiprocess_executor_a_run_works_as_in_process(shop: Shop, tmp_path: Path) -> None:
    """Steps in processes of their own load the project again and build the same."""
    script = tmp_path / "multi.py"
    script.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from pathlib import Path\n"
        "import dagster as dg\n"
        "from leapsql_dagster import LeapSQLProject, LeapSQLResource, leapsql_assets\n"
        f"@leapsql_assets(project=LeapSQLProject({str(shop.root)!r}))\n"
        "def shop(context: dg.AssetExecutionContext, leapsql: LeapSQLResource):\n"
        "    yield from leapsql.run(context)\n"
        "@dg.asset(deps=[['marts', 'totals']])\n"
        "def report(leapsql: LeapSQLResource) -> None:\n"
        "    with leapsql.get_connection() as connection:\n"
        "        rows = connection.execute('from marts.totals').fetchall()\n"
        f"    Path({str(tmp_path / 'report.txt')!r}).write_text(str(rows))\n"
        "defs = dg.Definitions(assets=[shop, report], resources={'leapsql': LeapSQLResource(mode='changed')})\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "--select", "*", "-f", str(script)]
    environment = {"DAGSTER_HOME": str(home), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "report.txt").read_text() == "[(60,)]"
    assert len(shop.outcomes()) == 5


def test_a_materialization_tells_the_chain_that_led_to_it(shop: Shop) -> None:
    """Up to the change that began it, through views, with the columns read on the way; the log tells it in short."""
    shop.run()
    shop.edit("seeds/raw_orders.csv", "1,ann,10", "1,ann,11")
    result = shop.run()
    assert metadata_of(result, "marts/totals")["leapsql/why"].value.splitlines() == [
        "- **marts.totals** input_changed: marts.customers changed: data, in total",
        "  - **marts.customers** input_changed: staging.orders changed: data, in customer, amount, read for total",
        "    - **staging.orders**, read for customer, amount",
        "      - **raw_orders** seed_changed: the content of seeds/raw_orders.csv changed, read for amount, customer",
    ]
    assert "leapsql/why" not in metadata_of(result, "main/raw_orders")
    said = messages(result, shop.instance)
    assert "build raw_orders: seed_changed (the content of seeds/raw_orders.csv changed)" in said
    assert "marts.totals: input_changed (marts.customers changed: data, in total) ← raw_orders: seed_changed" in said


def test_the_log_says_why_a_model_was_not_built_though_its_parent_was(shop: Shop) -> None:
    """An early cut-off names the parent that gave the same."""
    shop.run()
    shop.edit("models/marts/customers.sql", "where amount >", "where true and amount >")
    result = shop.run()
    assert materialized(result) == ["marts/customers"]
    assert (
        "marts.totals: unchanged (its code and what it reads are as they were;"
        " marts.customers was built, and gave the same in what it reads)"
    ) in messages(result, shop.instance)


# ------------------------------------------------------------------------------------------------------ one at a time


def test_a_run_waits_for_another_run_of_the_environment_and_fails_when_that_takes_too_long(shop: Shop) -> None:
    """The log tells for whom, the failure names it, the state has no row of it; another environment is free."""
    shop.run()
    with closing(SqliteStateStore(shop.root / ".leapsql" / "state.db")) as store:
        store.open()
        holder = this_process()
        other = store.begin_run("dev", holder, is_dead=lambda lease, now: False)
        before = shop.state("SELECT count(*) FROM runs")
        definitions = shop.definitions(resource=LeapSQLResource(mode="changed", wait_seconds=0.2))
        result = shop.run(definitions)
        assert not result.success
        said = messages(result, shop.instance)
        assert f"waiting for run {other.id} of {holder}, which holds the environment dev" in said
        assert f"the environment `dev` is in use by run {other.id} of {holder}" in said
        assert shop.state("SELECT count(*) FROM runs") == before
        assert shop.run(tags={"leapsql/environment": "prod"}).success
        store.complete_run(other.id, "cancelled")
    assert shop.run(definitions).success


def test_the_run_after_one_that_was_killed_closes_it(shop: Shop) -> None:
    """And materializes what is left."""
    shop.run()
    dead = begin_and_die(shop)
    shop.edit("models/marts/totals.sql", "sum(total)", "max(total)")
    result = shop.run()
    assert materialized(result) == ["marts/totals"]
    assert shop.state("SELECT id FROM runs WHERE status = 'failed'") == [(dead.id,)]
