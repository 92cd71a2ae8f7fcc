"""Asset checks: tests and builds, as Dagster shows them."""

from typing import Any

import dagster as dg
import pytest
from dagster_shop import Shop, get_job, materialized, messages, to_try_again

from leapsql_dagster import LeapSQLResource

CUSTOMERS = dg.AssetKey(["marts", "customers"])
TESTS = ["not_null_customer", "unique_customer"]
EMISSIONS = pytest.mark.parametrize("emission", ["outputs", "events"])


def evaluations(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    """Return the check results of a run by `schema/name:check`; the last, where there are several."""
    return {f"{one.asset_key.to_user_string()}:{one.check_name}": one for one in result.get_asset_check_evaluations()}


def passed(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    """Return which checks of a run passed."""
    return {name: one.passed for name, one in evaluations(result).items()}


def run_checks(shop: Shop, *names: str, asset: dg.AssetKey = CUSTOMERS) -> dg.ExecuteInProcessResult:
    """Run checks alone, as one click in the UI does."""
    chosen = dg.AssetSelection.checks(*(dg.AssetCheckKey(asset, name) for name in names))
    definitions = dg.Definitions(
        assets=[shop.assets()],
        jobs=[dg.define_asset_job("alone", selection=chosen)],
        resources={"leapsql": LeapSQLResource()},
    )
    return shop.run(definitions, job="alone")


def resource(emission: Any, **fields: Any) -> LeapSQLResource:
    return LeapSQLResource(mode="changed", emission=emission, **fields)


# ------------------------------------------------------------------------------------------------------ what there is


def test_every_test_is_a_check_with_severity_description_and_sql(shop: Shop) -> None:
    """Blocking if its severity is `error`; its SQL can be read, and run, before anything was built."""
    shop.edit(
        "models/marts/customers.sql",
        "  - not_null: customer\n",
        "  - not_null: customer\n  - accepted_values: {column: customer, values: [ann, o'neil], severity: warn}\n",
    )
    specs = {spec.name: spec for spec in shop.assets().check_specs if spec.asset_key == CUSTOMERS}
    assert sorted(specs) == ["accepted_values_customer_in_ann_o_neil", "build", *TESTS]
    assert {name: spec.blocking for name, spec in specs.items()} == {
        "accepted_values_customer_in_ann_o_neil": False,
        **dict.fromkeys(["build", *TESTS], True),
    }
    warned = specs["accepted_values_customer_in_ann_o_neil"]
    assert warned.description == (
        "accepted_values(customer in ann, o'neil): if a row fails it, the build stands, and says so."
    )
    assert warned.metadata["leapsql/severity"] == "warn"
    shop.run()
    sql = (
        shop.assets()
        .check_specs_by_output_name["marts__customers_accepted_values_customer_in_ann_o_neil"]
        .metadata["leapsql/sql"]
    )
    assert shop.query(sql.value.removeprefix("```sql\n").removesuffix("\n```")) == [("bob", 1)]


def test_two_tests_whose_labels_read_alike_are_two_checks(shop: Shop) -> None:
    """What is left of labels in names may be the same."""
    shop.edit(
        "models/marts/customers.sql",
        "  - not_null: customer\n",
        "  - expression: total > 0\n  - expression: total >= 0\n",
    )
    names = [spec.name for spec in shop.assets().check_specs if spec.asset_key == CUSTOMERS]
    assert names[:3] == ["build", "unique_customer", "expression_total_0"]
    assert names[3].startswith("expression_total_0_")


def test_checks_of_odd_columns_have_names_that_dagster_takes(shop: Shop) -> None:
    """Letters of other alphabets are told apart; the checks are answered."""
    shop.write(
        {
            "models/marts/odd.sql": "/*---\ntests:\n  - not_null: [数, größe, a b]\n---*/\n"
            'select 1 as 数, 2 as größe, 3 as "a b"',
        }
    )
    assert sorted(name for name in passed(shop.run()) if name.startswith("marts/odd:")) == [
        "marts/odd:not_null_a_b",
        "marts/odd:not_null_grou00dfe",
        "marts/odd:not_null_u6570",
    ]


def test_a_model_may_be_called_as_the_check_of_another(shop: Shop) -> None:
    """Dagster would take the outputs of both for one: then the check is left out, and the rest stands."""
    shop.write({"models/marts/customers_build.sql": "select * from marts.customers"})
    names = sorted(spec.name for spec in shop.assets().check_specs if spec.asset_key == CUSTOMERS)
    assert names == TESTS
    assert "marts/customers_build" in materialized(shop.run())


def test_which_checks_there_are_can_be_chosen(shop: Shop) -> None:
    """Each check is an event more; a project with very many may do without."""
    assert {spec.name for spec in shop.assets(checks=["build"]).check_specs} == {"build"}
    assert sorted(spec.name for spec in shop.assets(checks=["tests"]).check_specs) == TESTS
    definitions = shop.definitions(checks=[])
    assert list(definitions.get_repository_def().asset_graph.asset_check_keys) == []
    assert shop.run(definitions).success


# --------------------------------------------------------------------------------------------------- what a run tells


def test_a_build_tells_what_its_tests_found(shop: Shop) -> None:
    """Tests are green with a count of 0; nothing is said of builds where all is well, for each event costs."""
    result = shop.run()
    assert passed(result) == {f"marts/customers:{name}": True for name in TESTS}
    told = evaluations(result)["marts/customers:unique_customer"]
    assert (told.description, told.metadata["leapsql/failures"].value) == ("passed", 0)


@EMISSIONS
def test_a_failing_test_keeps_the_old_relation_and_shows_what_fails(shop: Shop, emission: str) -> None:
    """It is red with a count and a table of rows; so is the model, and what depends on it; all else is green."""
    definitions = shop.definitions(resource=resource(emission))
    shop.run(definitions)
    shop.edit("models/marts/customers.sql", "group by customer", "group by customer, id")
    result = shop.run(shop.definitions(resource=resource(emission)))
    assert not result.success
    assert passed(result) == {
        "marts/customers:build": False,
        "marts/customers:unique_customer": False,
        "marts/customers:not_null_customer": True,
        "marts/totals:build": False,
        "marts/order_count:build": True,
        "staging/orders:build": True,
        "main/raw_orders:build": True,
    }
    told = evaluations(result)["marts/customers:unique_customer"]
    assert (told.severity, told.blocking) == (dg.AssetCheckSeverity.ERROR, True)
    assert told.description == "1 failing"
    assert told.metadata["leapsql/failures"].value == 1
    assert [record.data for record in told.metadata["leapsql/sample"].records] == [{"customer": "ann", "times": "2"}]
    assert "unique(customer) failed" in evaluations(result)["marts/customers:build"].metadata["leapsql/error"].value
    assert evaluations(result)["marts/totals:build"].description == "skipped: marts.customers failed"
    assert evaluations(result)["staging/orders:build"].description.startswith("needs no build: unchanged")
    assert shop.query("select customer, total from marts.customers order by 1") == [("ann", 40), ("bob", 20)]


def test_a_failing_test_that_only_warns_is_told_and_lets_the_build_pass(shop: Shop) -> None:
    """The check is yellow, the run goes on."""
    shop.edit(
        "models/marts/customers.sql",
        "  - unique: customer\n",
        "  - expression: {expression: total < 40, severity: warn}\n",
    )
    result = shop.run()
    assert result.success
    told = evaluations(result)["marts/customers:expression_total_40"]
    assert (told.passed, told.severity, told.blocking) == (False, dg.AssetCheckSeverity.WARN, False)
    assert "marts/customers" in materialized(result)


@EMISSIONS
def test_a_build_that_was_red_turns_green_once(shop: Shop, emission: str) -> None:
    """Mended, by a build or by taking the edit back, a model says so in the next run, and then no more."""
    shop.run(shop.definitions(resource=resource(emission)))
    shop.edit("models/marts/customers.sql", "sum(amount)", "error('no')")
    assert not shop.run(shop.definitions(resource=resource(emission))).success
    shop.edit("models/marts/customers.sql", "error('no')", "sum(amount)")
    mended = shop.run(shop.definitions(resource=resource(emission)))
    assert passed(mended) == {"marts/customers:build": True, "marts/totals:build": True}
    assert passed(shop.run(shop.definitions(resource=resource(emission)))) == {}


def test_in_a_run_that_fails_tests_not_run_again_repeat_what_they_found(shop: Shop) -> None:
    """And say when that was; Dagster would take an unanswered check of a failed run for one that failed."""
    shop.run()
    shop.edit("models/marts/order_count.sql", "count(*)", "error('no')")
    result = shop.run()
    told = evaluations(result)["marts/customers:unique_customer"]
    assert told.passed
    assert told.description is not None
    assert told.description.endswith("UTC and not again")
    record = shop.instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [spec.key for spec in shop.assets().check_specs]
    )
    assert {one.status.value for one in record.values()} == {"SUCCEEDED", "FAILED"}


def test_another_environment_says_nothing_of_checks(shop: Shop) -> None:
    """The checks are of the relations that the assets stand for."""
    assert passed(shop.run(tags={"leapsql/environment": "prod"})) == {}


def test_a_retry_turns_green_what_its_first_attempt_left_red(shop: Shop) -> None:
    """Within one run of Dagster the last word counts."""
    shop.write({"models/marts/late.sql": f"select * from read_csv('{shop.root}/late.csv')"})

    class LateResource(LeapSQLResource):
        def run(self, context: dg.AssetExecutionContext) -> Any:
            if context.retry_number:
                shop.write({"late.csv": "a\n1\n"})
            yield from super().run(context)

    result = shop.run(shop.definitions(resource=LateResource(), retry_policy=dg.RetryPolicy(max_retries=1)))
    assert result.success
    assert passed(result)["marts/late:build"]
    key = dg.AssetCheckKey(dg.AssetKey(["marts", "late"]), "build")
    record = shop.instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
    assert record.status.value == "SUCCEEDED"


# -------------------------------------------------------------------------------------------------------- checks alone


def test_a_check_alone_runs_the_test_and_builds_nothing(shop: Shop) -> None:
    """Only what was asked is answered, though the model's code has changed."""
    shop.run()
    shop.edit("models/marts/customers.sql", "sum(amount)", "max(amount)")
    result = run_checks(shop, "unique_customer")
    assert result.success
    assert passed(result) == {"marts/customers:unique_customer": True}
    assert materialized(result) == []
    assert shop.query("select customer, total from marts.customers order by 1") == [("ann", 40), ("bob", 20)]


def test_a_check_alone_sees_the_rows_as_they_are(shop: Shop) -> None:
    """What was put into the table from outside is found; the check is red, and the run says why."""
    shop.run()
    shop.query("insert into marts.customers values ('ann', 1)")
    result = run_checks(shop, *TESTS)
    assert not result.success
    assert passed(result) == {"marts/customers:unique_customer": False, "marts/customers:not_null_customer": True}
    assert "failed: marts.customers" in messages(result, shop.instance)


def test_the_check_of_a_build_alone_tells_of_the_last_attempt(shop: Shop) -> None:
    """Never built, built, failed: it asks the state, and builds nothing."""
    assert evaluations(run_checks(shop, "build"))["marts/customers:build"].description == "it was never built"
    shop.run()
    assert passed(run_checks(shop, "build")) == {"marts/customers:build": True}
    shop.edit("models/marts/customers.sql", "sum(amount)", "error('no luck')")
    shop.run()
    told = evaluations(run_checks(shop, "build"))["marts/customers:build"]
    assert not told.passed
    assert "no luck" in told.metadata["leapsql/error"].value


@EMISSIONS
def test_tests_that_are_run_alone_say_nothing_of_a_build_that_failed(shop: Shop, emission: str) -> None:
    """They look at what stands: `build` stays red until the model is built, and is green then."""
    shop.run()
    shop.edit("models/marts/customers.sql", "sum(amount)", "error('no luck')")
    assert not shop.run().success
    assert passed(run_checks(shop, *TESTS)) == {f"marts/customers:{name}": True for name in TESTS}
    assert passed(run_checks(shop, "build", *TESTS))["marts/customers:build"] is False
    shop.edit("models/marts/customers.sql", "error('no luck')", "sum(amount) + 1")
    built = shop.run(shop.definitions(resource=resource(emission)))
    assert passed(built)["marts/customers:build"] is True


def test_assets_without_their_checks_can_be_built(shop: Shop) -> None:
    """What was not selected is not answered; the tests run all the same, for they guard the build."""
    shop.run()
    shop.edit("models/marts/customers.sql", "group by customer", "group by customer, id")
    selection = dg.AssetSelection.all().without_checks()
    definitions = dg.Definitions(
        assets=[shop.assets()],
        jobs=[dg.define_asset_job("bare", selection=selection)],
        resources={"leapsql": LeapSQLResource()},
    )
    result = shop.run(definitions, job="bare")
    assert not result.success
    assert passed(result) == {}
    assert "unique(customer) failed" in messages(result, shop.instance)


# ------------------------------------------------------------------------------------------------- trying it once more


@EMISSIONS
def test_a_run_tried_again_from_asset_failure_holds_what_failed_and_what_waited(shop: Shop, emission: str) -> None:
    """And their checks; what was built is left alone."""
    shop.edit("models/marts/customers.sql", "sum(amount)", "error('no')")
    result = shop.run(shop.definitions(resource=LeapSQLResource(emission=emission)), tags={"leapsql/mode": "all"})
    assert not result.success
    assets, checks = to_try_again(shop.instance, result.run_id)
    assert sorted(key.to_user_string() for key in assets) == ["marts/customers", "marts/totals"]
    assert {key.asset_key.to_user_string() for key in checks} == {"marts/customers", "marts/totals"}
    shop.edit("models/marts/customers.sql", "error('no')", "sum(amount)")
    again = get_job(shop.definitions(), "changed_models").execute_in_process(
        instance=shop.instance, asset_selection=sorted(assets)
    )
    assert materialized(again) == ["marts/customers", "marts/totals"]


# ------------------------------------------------------------------------------------------ Python assets between them


@EMISSIONS
def test_blocking_checks_hold_up_no_step_that_may_run(shop: Shop, emission: str) -> None:
    """A Python asset below a tested model runs, whether the model was built or skipped; its checks are answered."""
    shop.write({"models/marts/ranks.sql": "select customer from py.scores"})
    ran: list[str] = []

    @dg.asset(key=["py", "scores"], deps=[CUSTOMERS])
    def scores(leapsql: LeapSQLResource) -> None:
        ran.append("scores")
        with leapsql.get_connection() as connection:
            connection.execute("create schema if not exists py")
            connection.execute("create or replace table py.scores as select customer from marts.customers")

    def run() -> dg.ExecuteInProcessResult:
        also = dg.AssetSelection.assets(["py", "scores"])
        return shop.run(shop.definitions(scores, in_job=also, resource=resource(emission)))

    for edited in (None, None, "select customer as c from py.scores"):
        shop.write({} if edited is None else {"models/marts/ranks.sql": edited})
        result = run()
        assert result.success
        assert passed(result)["marts/customers:build"]
    assert ran == ["scores"] * 3
    assert materialized(result) == ["marts/ranks", "py/scores"]
