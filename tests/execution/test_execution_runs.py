"""Runs: what is built, what is not, in which order, and what is kept of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from projects import Lab, Outcome

from leapsql_core.errors import SelectionError
from leapsql_core.execution import ModelFinished, ModelStarted, RunFinished, RunStarted
from leapsql_core.models import Column
from leapsql_core.planning import Orphan

Make = Callable[..., Lab]

SHOP = {
    "seeds/codes.csv": "code,label\n1,one\n2,two\n",
    "models/staging/orders.sql": "select id, customer, amount, note from raw.orders",
    "models/staging/customers.sql": "/*---\nmaterialized: view\n---*/\nselect id, name from raw.customers",
    "models/totals.sql": "select customer, sum(amount) as total from staging.orders group by customer",
    "models/names.sql": "select name, total from totals join staging.customers on customer = id",
    "models/notes.sql": "select note, label from staging.orders join codes on code = id",
}
RAW = (
    "create schema raw",
    "create table raw.orders as select * from (values (1, 1, 10, 'a'), (2, 1, 20, 'b'), (3, 2, 5, 'c'))"
    " as v(id, customer, amount, note)",
    "create table raw.customers as select * from (values (1, 'ann'), (2, 'bob')) as v(id, name)",
)
ALL = {"codes", "staging.orders", "staging.customers", "totals", "names", "notes"}


@pytest.fixture
def shop(make_lab: Make) -> Lab:
    lab = make_lab(SHOP)
    lab.sql(*RAW)
    return lab


@pytest.fixture
def built(shop: Lab) -> Lab:
    """A shop that was built once."""
    assert shop.run().status == "completed"
    return shop


def test_a_first_run_builds_everything(shop: Lab) -> None:
    """Tables, views and seeds; each is new, and holds what a reader expects."""
    outcome = shop.run()
    assert outcome.status == "completed"
    assert outcome.built == ALL
    assert set(outcome.reasons.values()) == {"new"}
    assert shop.rows("from main.names order by all") == [("ann", 30), ("bob", 5)]
    shop.assert_as_from_scratch()


def test_a_second_run_builds_nothing(built: Lab) -> None:
    """Nothing changed, so nothing is built, and each model says so; nothing is even begun."""
    outcome = built.run()
    assert outcome.status == "completed"
    assert outcome.started == []
    assert outcome.built == set()
    assert set(outcome.reasons.values()) == {"unchanged"}


def test_a_comment_builds_nothing(built: Lab) -> None:
    """Nor does layout; the row of the run says what it was."""
    built.edit({"models/totals.sql": "-- per customer\n" + SHOP["models/totals.sql"].replace(" from", "\n  from")})
    outcome = built.run()
    assert outcome.started == []
    assert outcome.reasons["totals"] == "formatting_only"
    assert built.model_runs(outcome.run_id)["totals"].reason == "formatting_only"


def test_an_edit_builds_it_and_what_reads_changed_values(built: Lab) -> None:
    """`orders` gives other amounts: `totals` and what reads it are built, `notes` reads none of them."""
    built.replace("models/staging/orders.sql", "amount,", "amount * 2 as amount,")
    outcome = built.run()
    assert outcome.built == {"staging.orders", "totals", "names"}
    assert outcome["notes"].reason == "unchanged"
    assert outcome["totals"].detail == "staging.orders changed: data, in customer, amount"
    built.assert_as_from_scratch()


def test_an_edit_that_changes_no_value_ends_where_it_is(built: Lab) -> None:
    """The edited model is built; its readers find the same values and are skipped."""
    built.replace("models/staging/orders.sql", "from raw.orders", "from raw.orders where id > 0")
    outcome = built.run()
    assert outcome.built == {"staging.orders"}
    assert {path for path, event in outcome.finished.items() if event.status == "skipped"} == ALL - outcome.built
    rows = built.model_runs(outcome.run_id)
    assert (rows["totals"].status, rows["totals"].reason) == ("skipped", "unchanged")
    built.assert_as_from_scratch()


def test_a_dropped_table_is_built_again(built: Lab) -> None:
    """Its readers find the same values."""
    built.meddle("drop table main.totals")
    outcome = built.run()
    assert {path: outcome.reasons[path] for path in outcome.built} == {"totals": "missing"}
    built.assert_as_from_scratch()


@pytest.mark.parametrize(
    "statement",
    [
        "create or replace table main.totals as select 1 as customer, 2 as total",
        "comment on table main.totals is 'mine'",
        "comment on table main.totals is null",
        "drop table main.totals; create view main.totals as select 1 as customer, 2 as total",
    ],
)
def test_a_table_that_another_hand_made_is_built_again(built: Lab, statement: str) -> None:
    """Whatever stands there under the name, of whatever kind."""
    built.meddle(statement)
    outcome = built.run()
    assert outcome["totals"].reason == "drifted"
    assert outcome["totals"].status == "success"
    built.assert_as_from_scratch()


def test_a_deleted_model_leaves_its_relation_alone(built: Lab) -> None:
    """It is an orphan: told by the plan, dropped by nobody."""
    built.edit({"models/names.sql": None})
    outcome = built.run()
    assert outcome.plan.orphans == (Orphan("names", "main.names"),)
    assert outcome.built == set()
    assert built.rows("select count(*) from main.names") == [(2,)]


@pytest.mark.parametrize("parallel", [1, 2, 8])
def test_events_come_parents_first(shop: Lab, parallel: int) -> None:
    """A run begins and ends once; each model starts before it finishes, and finishes before its readers start."""
    events = shop.run(parallel=parallel).events
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunFinished)
    finished: set[str] = set()
    started: set[str] = set()
    parents = shop.project.parents
    for event in events[1:-1]:
        if isinstance(event, ModelStarted):
            assert set(parents[event.path]) <= finished
            started.add(event.path)
        else:
            assert isinstance(event, ModelFinished)
            assert event.path in started
            finished.add(event.path)
    assert finished == started == ALL


def test_how_many_are_built_at_once_changes_nothing(make_lab: Make) -> None:
    """One at a time or eight: the same rows, reasons and versions."""
    seen: list[Any] = []
    for parallel in (1, 8):
        lab = make_lab(SHOP)
        lab.sql(*RAW)
        first = lab.run(parallel=parallel)
        lab.replace("models/staging/orders.sql", "amount,", "amount * 2 as amount,")
        second = lab.run(parallel=parallel)
        versions = {path: event.data_version for path, event in second.finished.items()}
        seen.append((lab.contents(), first.reasons, second.reasons, versions))
    assert seen[0] == seen[1]


def test_a_slow_model_holds_up_only_what_reads_it(make_lab: Make) -> None:
    """While one model stands still, a chain beside it is built to its end."""
    files = {
        "models/slow.sql": "select '{{ run_started_at }}' as t",
        "models/reads_slow.sql": "select t from slow",
        **{f"models/fast{n}.sql": "select 1 as x" if n == 0 else f"select x from fast{n - 1}" for n in range(5)},
    }
    lab = make_lab(files)
    gate = threading.Event()
    render = lab.workshop().render

    def wait(*arguments: Any) -> Any:
        assert gate.wait(60)
        return render(*arguments)

    done: list[str] = []
    for event in lab.stream(workshop=lab.workshop(render=wait), parallel=2):
        if isinstance(event, ModelFinished):
            done.append(event.path)
            if event.path == "fast4":
                gate.set()
    assert done == ["fast0", "fast1", "fast2", "fast3", "fast4", "slow", "reads_slow"]


def test_what_a_build_made_is_told(shop: Lab) -> None:
    """Rows, columns with types, SQL that ran, times; skips tell the version that stands."""
    outcome = shop.run()
    event = outcome["totals"]
    assert (event.rows_affected, event.row_count) == (2, 2)
    assert event.columns == (Column("customer", "INTEGER"), Column("total", "HUGEINT"))
    assert event.sql == 'select customer, sum(amount) as total from "staging"."orders" group by customer'
    assert event.execution_ms is not None
    assert event.render_ms is not None
    assert event.data_version is not None
    assert (outcome["codes"].rows_affected, outcome["codes"].sql) == (2, None)
    view = outcome["staging.customers"]
    assert (view.rows_affected, view.row_count) == (None, None)
    again = shop.run()
    assert {path: one.data_version for path, one in again.finished.items()} == {
        path: one.data_version for path, one in outcome.finished.items()
    }


def test_the_state_keeps_what_happened(shop: Lab) -> None:
    """Run and model runs, models with what they read, lineage, traces: all there, for any other tool to read."""
    outcome = shop.run()
    run = shop.state.get_run(outcome.run_id)
    assert (run.status, run.error, run.environment) == ("completed", None, "dev")
    rows = shop.model_runs(run.id)
    assert set(rows) == ALL
    for path, row in rows.items():
        assert (row.status, row.reason, row.error) == ("success", "new", None)
        assert row.content_hash == shop.project.nodes[path].content_hash
        assert row.data_version == outcome[path].data_version
        assert row.started_at is not None
        assert row.completed_at is not None
    names = shop.state.get_model_by_path("names")
    parents = [shop.state.get_model_by_id(one).path for one in shop.state.get_dependencies(names.id)]
    assert parents == ["staging.customers", "totals"]
    lineage = {(column, source.table, source.column) for column, source in shop.state.get_column_lineage("names")}
    assert lineage == {("name", "staging.customers", "name"), ("total", "totals", "total")}
    trace = shop.state.read_snapshot("dev").traces["totals"]
    assert [(entry.name, entry.relation, entry.columns) for entry in trace.inputs] == [
        ("staging.orders", "staging.orders", ("customer", "amount"))
    ]


def test_a_check_that_becomes_a_build_is_kept_with_its_reason(built: Lab) -> None:
    """The row of the model run says why it was built in the end, not why it was looked at."""
    built.sql("insert into raw.orders values (4, 2, 1, 'd')")
    outcome = built.run()
    row = built.model_runs(outcome.run_id)["totals"]
    assert outcome.plan.decisions["totals"].reason == "input_pending"
    assert (row.status, row.reason) == ("success", "input_changed")
    assert row.detail == "staging.orders changed: data, in customer, amount"


def test_a_run_remembers_who_asked_for_it(shop: Lab) -> None:
    """The id of an orchestrator's run is kept."""
    outcome = shop.run(orchestrator_run_id="dagster-7")
    assert shop.state.get_run(outcome.run_id).orchestrator_run_id == "dagster-7"


# ----------------------------------------------------------------------------------------------------------- selection


def test_only_what_is_selected_is_built(shop: Lab) -> None:
    """Parents that are not there are named, and how to build them."""
    outcome = shop.run("totals")
    assert outcome.status == "failed"
    assert outcome["totals"].error == (
        "models/totals.sql: it reads staging.orders, which was never built in dev; select +totals to build both"
    )
    assert shop.run("staging.orders", "totals").built == {"staging.orders", "totals"}
    assert set(shop.run("totals").finished) == {"totals"}


def test_a_selected_model_does_not_read_a_table_that_is_gone(built: Lab) -> None:
    """An input that was built once and dropped since is named with its relation."""
    built.meddle("drop table main.totals")
    outcome = built.run("names")
    assert outcome["names"].error == (
        "models/names.sql: it reads totals, but main.totals is not in the warehouse; select +names to build both"
    )


def test_a_table_is_read_through_a_view_that_is_not_selected(make_lab: Make) -> None:
    """The reader waits for the table, and sees what it now holds, though the view between them is left alone."""
    lab = make_lab(
        {
            "models/t.sql": "select 1 as x",
            "models/v.sql": "/*---\nmaterialized: view\n---*/\nselect x from t",
            "models/a_reader.sql": "select x from v",
        }
    )
    lab.run()
    lab.edit({"models/t.sql": "select 2 as x"})
    outcome = lab.run("a_reader", "t")
    assert outcome.built == {"t", "a_reader"}
    assert lab.rows("from main.a_reader") == [(2,)]
    assert lab.run().built == set()


def test_a_failure_shows_through_a_view_that_is_not_selected(make_lab: Make) -> None:
    """The table failed, so its reader waits until it is mended."""
    lab = make_lab(
        {
            "models/t.sql": "select 1 as x",
            "models/v.sql": "/*---\nmaterialized: view\n---*/\nselect x from t",
            "models/reader.sql": "select x from v",
        }
    )
    lab.run()
    lab.edit({"models/t.sql": "select error('no') as x"})
    assert lab.run("t", "reader")["reader"].detail == "t failed"


def test_an_unknown_path_is_refused_and_the_run_recorded(shop: Lab) -> None:
    """The run failed before anything was decided, and says why."""
    with pytest.raises(SelectionError, match="no model `nope`"):
        shop.run("nope")
    [run] = shop.state.list_runs()
    assert (run.status, "nope" in (run.error or "")) == ("failed", True)


def test_force_builds_the_selection(built: Lab) -> None:
    """Whatever the plan says; readers that are not selected are left alone."""
    outcome = built.run("totals", "names", force=True)
    assert outcome.built == {"totals", "names"}
    assert set(outcome.reasons.values()) == {"requested"}
    assert built.run().built == set()


# ---------------------------------------------------------------------------------------------------------------- seeds


def test_a_changed_seed_builds_what_reads_its_values(built: Lab) -> None:
    """A seed is an input like any other: a label is read, a new column is not."""
    built.replace("seeds/codes.csv", "two", "zwei")
    assert built.run().built == {"codes", "notes"}
    built.edit({"seeds/codes.csv": "code,label,unread\n1,one,x\n2,zwei,y\n"})
    assert built.run().built == {"codes"}
    built.assert_as_from_scratch()


def test_a_seed_that_changes_while_it_is_loaded_is_not_taken_for_the_other(built: Lab) -> None:
    """What is kept as its content must be what was loaded: the load fails, the old rows stay, another run mends it."""
    built.replace("seeds/codes.csv", "two", "zwei")
    outcome = Outcome(tuple(built.stream(workshop=built.workshop(seed_stands=lambda seed: False))))
    assert outcome["codes"].error == "seeds/codes.csv: the file changed while it was loaded\n    Run again."
    assert built.rows("select label from main.codes order by 1") == [("one",), ("two",)]
    assert built.run().built == {"codes", "notes"}


def test_a_seed_that_is_gone_is_told(built: Lab) -> None:
    """It was there when the project was read."""
    built.replace("seeds/codes.csv", "two", "zwei")
    workshop = built.workshop()
    (built.root / "seeds/codes.csv").unlink()
    outcome = Outcome(tuple(built.stream(workshop=workshop)))
    assert outcome["codes"].status == "failed"
    assert "seeds/codes.csv: the seed cannot be loaded" in (outcome["codes"].error or "")


# ------------------------------------------------------------------------------------------------------------ settings


def test_another_time_zone_builds_again(make_lab: Make) -> None:
    """A date in Tokyo is another one than in UTC; the setting is named, and reaches the build."""
    lab = make_lab(
        {
            "leapsql.yaml": "target: {type: duckdb, database: ':memory:', settings: {threads: 2}}\n",
            "models/days.sql": "select (timestamptz '2026-03-01 20:00:00+00')::date as day",
        }
    )
    lab.run()
    lab.replace("leapsql.yaml", "threads: 2", "threads: 1, TimeZone: Asia/Tokyo")
    outcome = lab.run()
    assert outcome.reasons == {"days": "config_changed"}
    assert outcome["days"].detail == "settings of the target: timezone was as usual, now Asia/Tokyo"
    lab.reopen_warehouse()
    assert lab.run().reasons == {"days": "missing"}
    assert lab.rows("select day::varchar from main.days") == [("2026-03-02",)]
    assert lab.run().built == set()
    lab.replace("leapsql.yaml", "threads: 1", "threads: 2")
    assert lab.run().built == set()
