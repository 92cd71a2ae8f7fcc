"""Dagster's own marks, beside what the plan says."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest
from dagster_shop import Shop, materialized, metadata_of, tags_of

from leapsql_core import LeapSQLError, Node, Source, plan_session
from leapsql_dagster import DagsterLeapSQLTranslator, LeapSQLProject, LeapSQLResource, build_observable_sources
from leapsql_dagster.stepping import KNOWS_VIRTUAL_ASSETS

STALE = LeapSQLResource(mode="changed", report_unchanged="stale")


def stale(shop: Shop, *also: dg.AssetsDefinition) -> set[str]:
    """Return what Dagster shows as missing or out of date, the definitions loaded anew."""
    graph = shop.definitions(*also).get_repository_def().asset_graph
    resolver = CachingStaleStatusResolver(shop.instance, graph, LoadingContextForTest(shop.instance))
    keys = graph.materializable_asset_keys
    return {key.to_user_string() for key in keys if resolver.get_status(key) != StaleStatus.FRESH}


def planned(shop: Shop) -> dict[str, str]:
    """Return the reasons of what the plan says to build, by asset."""
    session = LeapSQLProject(shop.root).open()
    decisions = plan_session(session).plan.decisions
    return {
        f"{session.project.nodes[path].relation.schema}/{session.project.nodes[path].name}": decision.reason
        for path, decision in decisions.items()
        if decision.action == "build"
    }


@dataclass(frozen=True)
class Edit:
    """What happens, and what Dagster goes on showing as stale after the run, though nothing of it had to be built."""

    name: str
    do: Callable[[Shop], Any]
    left: frozenset[str] = frozenset()


def replace(file: str, old: str, new: str) -> Callable[[Shop], Any]:
    return lambda shop: shop.edit(file, old, new)


def write(file: str, text: str | None) -> Callable[[Shop], Any]:
    return lambda shop: shop.write({file: text})


CUSTOMERS, TOTALS, EXTRA = "models/marts/customers.sql", "models/marts/totals.sql", "models/marts/extra.sql"
ORDERS, SEED = "models/staging/orders.sql", "seeds/raw_orders.csv"
# What reads a view is stale once anything behind the view was built; without virtual assets the view itself is.
BEHIND_A_VIEW = frozenset({"marts/order_count"} if KNOWS_VIRTUAL_ASSETS else {"staging/orders"})
UNREAD = frozenset({"marts/customers", "marts/order_count"} if KNOWS_VIRTUAL_ASSETS else {"staging/orders"})

#: A project's life: each edit on top of those before it.
EDITS = [
    Edit("a comment", replace(TOTALS, "select", "select -- all\n")),
    Edit("an owner", replace(CUSTOMERS, "owner: sales", "owner: ann")),
    Edit("a test", replace(CUSTOMERS, "unique: customer", "unique: total")),
    Edit("a seed", replace(SEED, "1,ann,10", "1,ann,11"), BEHIND_A_VIEW),
    Edit("a column of a seed that nobody reads", replace(SEED, "11,x", "11,y"), UNREAD),
    Edit("a query", replace(CUSTOMERS, "sum(amount)", "max(amount)")),
    Edit("a query that gives the same rows", replace(CUSTOMERS, "where amount", "where true and amount")),
    Edit("the query of a view", replace(ORDERS, "amount\n", "amount + 1 as amount\n")),
    Edit("a variable", replace("leapsql.yaml", "least: 0", "least: 15")),
    Edit("a model more", write(EXTRA, "select total from marts.totals")),
    Edit("an input more", replace(EXTRA, "marts.totals", "marts.totals, marts.order_count")),
    Edit("a model less", write(EXTRA, None)),
    Edit("a table becomes a view", write(TOTALS, "/*--- {materialized: view} ---*/\nselect 1 as total")),
    Edit("a view becomes a table", replace(ORDERS, "materialized: view", "materialized: table")),
]


def test_dagster_marks_what_the_plan_says_to_build(shop: Shop) -> None:
    """Before a run exactly that; after it nothing, but for what reads none of the columns that moved.

    With `report_unchanged: stale` that is materialized as it stands, nothing is built for it, and nothing is left.
    """
    shop.run()
    assert stale(shop) == set()
    for edit in EDITS:
        edit.do(shop)
        assert stale(shop) == set(planned(shop)), edit.name
        assert shop.run().success, edit.name
        assert stale(shop) == edit.left, edit.name
        if edit.left:
            result = shop.run(shop.definitions(resource=STALE))
            assert set(materialized(result)) == edit.left, edit.name
            assert {status for status, _ in shop.outcomes().values()} == {"skipped"}, edit.name
            assert stale(shop) == set(), edit.name


def test_what_was_built_from_the_command_line_can_be_reported(shop: Shop, tmp_path: Any) -> None:
    """Dagster knows nothing of it; a run in changed mode builds nothing and says what stands."""
    with dg.DagsterInstance.ephemeral() as another:
        Shop(shop.root, another).run()
    assert len(stale(shop)) == 5
    result = shop.run(shop.definitions(resource=STALE))
    assert len(materialized(result)) == 5
    assert set(shop.outcomes().values()) == {("skipped", "unchanged")}
    assert stale(shop) == set()


def test_a_dropped_table_is_seen_by_the_plan_alone(shop: Shop) -> None:
    """Dagster does not look at the warehouse."""
    shop.run()
    shop.query("drop table marts.totals")
    assert (planned(shop), stale(shop)) == ({"marts/totals": "missing"}, set())


def test_stale_marks_do_not_reach_below_what_is_not_rebuilt_yet(shop: Shop) -> None:
    """What reads a changed model is stale once that was rebuilt, and gave something else."""
    shop.run()
    shop.edit(CUSTOMERS, "sum(amount)", "max(amount)")
    assert stale(shop) == {"marts/customers"}
    shop.run(asset_selection=[dg.AssetKey(["marts", "customers"])])
    assert stale(shop) == {"marts/totals"}


@pytest.mark.parametrize("emission", ["outputs", "events"])
def test_nothing_is_stale_however_dagster_is_told(shop: Shop, emission: Any) -> None:
    """Events carry the tags of outputs, also after a run of a part, whose parents an earlier run materialized."""
    resource = LeapSQLResource(emission=emission)
    shop.run(shop.definitions(resource=resource))
    alone, everything = [dg.AssetKey(["marts", "customers"])], {"leapsql/mode": "all"}
    result = shop.run(shop.definitions(resource=resource), asset_selection=alone, tags=everything)
    assert materialized(result) == ["marts/customers"]
    assert stale(shop) == set()
    record = shop.instance.get_latest_data_version_record(dg.AssetKey(["marts", "customers"]))
    parent = shop.instance.get_latest_data_version_record(dg.AssetKey(["staging", "orders"]))
    assert record is not None
    assert parent is not None
    assert record.asset_materialization is not None
    tags = record.asset_materialization.tags
    assert sorted(tags) == [
        "dagster/code_version",
        "dagster/data_version",
        "dagster/data_version_is_user_provided",
        "dagster/input_data_version/staging/orders",
        "dagster/input_event_pointer/staging/orders",
    ]
    assert tags["dagster/input_event_pointer/staging/orders"] == str(parent.storage_id)


@pytest.mark.parametrize("emission", ["outputs", "events"])
def test_what_was_built_elsewhere_and_observed_marks_nothing(shop: Shop, emission: Any) -> None:
    """A model that the command line has built has no materialization; what was observed of it is what is read."""
    shop.run()
    version = {"dagster/data_version": "seen"}
    with dg.DagsterInstance.ephemeral() as fresh:
        shop.instance = fresh
        fresh.report_runless_asset_event(dg.AssetObservation(["marts", "customers"], tags=version))
        shop.edit("models/marts/totals.sql", "sum(total)", "max(total)")
        assert materialized(shop.run(shop.definitions(resource=LeapSQLResource(emission=emission)))) == ["marts/totals"]
        record = fresh.get_latest_data_version_record(dg.AssetKey(["marts", "totals"]))
        assert record is not None
        assert record.asset_materialization is not None
        assert record.asset_materialization.tags["dagster/input_data_version/marts/customers"] == "seen"


# -------------------------------------------------------------------------------------------------------------- views


def test_a_view_is_materialized_only_when_its_code_changed(shop: Shop) -> None:
    """Neither new rows below it nor a comment in it are a reason; Dagster of 1.13 and later knows it as virtual."""
    shop.run()
    spec = shop.assets().get_asset_spec(dg.AssetKey(["staging", "orders"]))
    assert getattr(spec, "is_virtual", False) == KNOWS_VIRTUAL_ASSETS
    shop.edit(SEED, "1,ann,10", "1,ann,11")
    shop.edit(ORDERS, "select", "select -- all\n")
    assert "staging/orders" not in materialized(shop.run())
    shop.edit(ORDERS, "amount\n", "amount + 1 as amount\n")
    assert "staging/orders" in materialized(shop.run())


# ------------------------------------------------------------------------------------------------------------ sources


@pytest.fixture
def sourced(shop: Shop) -> Shop:
    """A model over a source, and one over another column of it."""
    shop.write(
        {
            "models/marts/events.sql": "select id from raw.events",
            "models/marts/notes.sql": "select note from raw.events",
        }
    )
    (shop.root / ".leapsql").mkdir()
    shop.query("create schema raw; create table raw.events as select 1 as id, 'a' as note")
    return shop


def observe(shop: Shop) -> dg.AssetsDefinition:
    """Observe the sources, and return their definition."""
    sources = build_observable_sources(shop.assets())
    job = dg.define_asset_job("observe", selection=dg.AssetSelection.assets(*sources.keys))
    definitions = dg.Definitions(assets=[shop.assets(), sources], jobs=[job], resources={"leapsql": LeapSQLResource()})
    assert shop.run(definitions, job="observe").success
    return sources


def test_an_observed_source_marks_its_consumers_until_they_were_built(sourced: Shop) -> None:
    """Fresh, stale after the source moved, fresh again."""
    sources = observe(sourced)
    assert sourced.run(sourced.definitions(sources)).success
    assert stale(sourced, sources) == set()
    sourced.query("insert into raw.events values (2, 'b')")
    observe(sourced)
    assert stale(sourced, sources) == {"marts/events", "marts/notes"}
    assert sourced.run(sourced.definitions(sources)).success
    assert stale(sourced, sources) == set()


@pytest.mark.parametrize("emission", ["outputs", "events"])
def test_a_run_reports_the_sources_that_it_saw(sourced: Shop, emission: Any) -> None:
    """What was built from a source that moved since its last observation is not stale after the next."""
    sources = observe(sourced)
    resource = LeapSQLResource(mode="changed", emission=emission)
    assert sourced.run(sourced.definitions(sources, resource=resource)).success
    sourced.query("insert into raw.events values (2, 'b')")
    assert sourced.run(sourced.definitions(sources, resource=resource)).success
    observe(sourced)
    assert stale(sourced, sources) == set()


def test_a_project_without_sources_has_none_to_observe(shop: Shop) -> None:
    """It says so, and what to do."""
    with pytest.raises(LeapSQLError, match="no source to observe"):
        build_observable_sources(shop.assets())


# ------------------------------------------------------------------------------------------------- freshness policies


class Watched(DagsterLeapSQLTranslator):
    """Has Dagster watch how fresh one table is."""

    def get_asset_spec(self, node: Node | Source) -> dg.AssetSpec:
        spec = super().get_asset_spec(node)
        if node.name != "totals":
            return spec
        return spec.replace_attributes(freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(days=1)))


@pytest.mark.parametrize(("report", "keys"), [("freshness", ["marts/totals"]), ("never", [])])
def test_what_is_verified_unchanged_is_as_fresh_as_what_was_built(shop: Shop, report: Any, keys: list[str]) -> None:
    """Policies look at materializations alone: such a model is materialized again, with the versions that it has."""
    resource = LeapSQLResource(mode="changed", report_unchanged=report)
    first = shop.run(shop.definitions(resource=resource, translator=Watched()))
    second = shop.run(shop.definitions(resource=resource, translator=Watched()))
    assert materialized(second) == keys
    for key in keys:
        before, now = metadata_of(first, key), metadata_of(second, key)
        assert now["leapsql/reason"].value == "unchanged"
        assert now["dagster/row_count"].value == before["dagster/row_count"].value
        for name in ("dagster/data_version", "dagster/code_version"):
            assert tags_of(second, key)[name] == tags_of(first, key)[name]
