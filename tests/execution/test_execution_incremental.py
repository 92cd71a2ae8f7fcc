"""Incremental models: made once, then grown batch by batch, and made anew when their code says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from projects import Lab

from leapsql_core.models import ObservedRelation

Make = Callable[..., Lab]

EVENTS = """\
/*---
materialized: incremental
unique_key: id
---*/
select id, what, day from raw.events
{% if is_incremental() %} where day >= (select max(day) from {{ this }}) {% endif %}
"""


@pytest.fixture
def lab(make_lab: Make) -> Lab:
    lab = make_lab({"models/events.sql": EVENTS, "models/count.sql": "select count(*) as n from events"})
    lab.sql("create schema raw", "create table raw.events (id integer, what varchar, day date)")
    lab.sql("insert into raw.events values (1, 'a', '2026-03-01'), (2, 'b', '2026-03-02')")
    outcome = lab.run()
    assert outcome.reasons == {"count": "new", "events": "new"}
    return lab


def ids(lab: Lab) -> list[tuple[int, str]]:
    return lab.rows("select id, what from main.events order by all")


def test_a_first_build_takes_all_rows(lab: Lab) -> None:
    """`is_incremental()` is false then."""
    assert ids(lab) == [(1, "a"), (2, "b")]


def test_new_rows_are_a_batch(lab: Lab) -> None:
    """Only the batch's query runs; what came before its window is not looked at again."""
    lab.sql("insert into raw.events values (2, 'B', '2026-03-02'), (3, 'c', '2026-03-03'), (0, 'late', '2026-01-01')")
    lab.sql("delete from raw.events where what = 'b'")
    outcome = lab.run()
    assert (outcome["events"].reason, outcome["events"].rows_affected, outcome["events"].row_count) == (
        "input_changed",
        2,
        3,
    )
    assert "where day >=" in (outcome["events"].sql or "")
    assert ids(lab) == [(1, "a"), (2, "B"), (3, "c")]
    assert lab.rows("from main.count") == [(3,)]


def test_without_new_rows_there_is_no_batch(lab: Lab) -> None:
    """An unchanged source is nothing to apply."""
    assert lab.run().built == set()


def test_a_batch_that_changes_nothing_ends_where_it_is(lab: Lab) -> None:
    """Applied, and its readers find the same values."""
    lab.sql("insert into raw.events values (0, 'late', '2026-01-01')")
    assert lab.run().built == {"events"}


def test_a_full_refresh_begins_anew(lab: Lab) -> None:
    """All rows of the source as it is now, also those that no batch would take."""
    lab.sql("insert into raw.events values (0, 'late', '2026-01-01')")
    outcome = lab.run(full_refresh=True)
    assert outcome["events"].reason == "full_refresh"
    assert outcome.plan.decisions["events"].mode == "full"
    assert ids(lab) == [(0, "late"), (1, "a"), (2, "b")]
    lab.assert_as_from_scratch()


def test_a_changed_query_begins_anew(lab: Lab) -> None:
    """Old rows were made by the old query."""
    lab.sql("insert into raw.events values (0, 'late', '2026-01-01')")
    lab.replace("models/events.sql", "id, what, day", "id, upper(what) as what, day")
    assert lab.run()["events"].reason == "query_changed"
    assert ids(lab) == [(0, "LATE"), (1, "A"), (2, "B")]


def test_forward_only_keeps_the_old_rows(lab: Lab) -> None:
    """The new query makes the next batch; the author set the old rows aside."""
    lab.replace("models/events.sql", "unique_key: id", "unique_key: id\nincremental: {on_query_change: forward_only}")
    assert lab.run().built == set()
    lab.replace("models/events.sql", "id, what, day", "id, upper(what) as what, day")
    lab.sql("insert into raw.events values (3, 'c', '2026-03-03')")
    outcome = lab.run()
    assert (outcome["events"].reason, outcome["events"].status) == ("query_changed", "success")
    assert ids(lab) == [(1, "a"), (2, "B"), (3, "C")]
    assert lab.run(full_refresh=True).built == {"events"}
    assert ids(lab) == [(1, "A"), (2, "B"), (3, "C")]


def test_another_key_begins_anew(lab: Lab) -> None:
    """Rows that the old key kept apart, or together, may not be so under the new one."""
    lab.replace("models/events.sql", "unique_key: id", "unique_key: [id, what]")
    outcome = lab.run()
    assert outcome["events"].detail == "unique_key was id, now id, what"
    assert outcome["events"].status == "success"
    lab.sql("insert into raw.events values (2, 'B', '2026-03-02')")
    lab.run()
    assert ids(lab) == [(1, "a"), (2, "B"), (2, "b")]


def test_a_batch_that_is_refused_changes_nothing(lab: Lab) -> None:
    """A repeated key fails the model with its file; rows, comment and trace are as before; readers wait."""
    lab.sql("insert into raw.events values (3, 'c', '2026-03-03'), (3, 'c2', '2026-03-03')")
    outcome = lab.run()
    assert (outcome["events"].error or "").startswith(
        "models/events.sql: unique_key (id) repeats in the batch: 3 (2 times)"
    )
    assert outcome["count"].reason == "upstream_failed"
    assert ids(lab) == [(1, "a"), (2, "b")]
    trace = lab.state.read_snapshot("dev").traces["events"]
    assert lab.warehouse.relations()["main", "events"] == ObservedRelation("table", trace.model_run_id)
    lab.sql("delete from raw.events where what = 'c2'")
    assert lab.run()["events"].detail == "raw.events changed: data, in day, id, what; it failed once since"
    assert ids(lab) == [(1, "a"), (2, "b"), (3, "c")]


def test_a_failing_test_takes_the_batch_back(lab: Lab) -> None:
    """Tests see the table with the batch; if one fails, the table is as before it."""
    lab.replace("models/events.sql", "unique_key: id", "unique_key: id\ntests: [{not_null: what}]")
    assert lab.run()["events"].reason == "tests_changed"
    lab.sql("insert into raw.events values (3, NULL, '2026-03-03')")
    assert lab.run()["events"].status == "failed"
    assert ids(lab) == [(1, "a"), (2, "b")]


@pytest.mark.parametrize(
    "statement",
    [
        "create or replace table main.events as select 9 as id, 'x' as what, date '2026-01-01' as day",
        "comment on table main.events is 'mine'",
        "drop table main.events; create view main.events as select 9 as id, 'x' as what, date '2026-01-01' as day",
    ],
)
def test_a_table_that_is_not_the_one_that_grew_is_never_rebuilt_by_itself(lab: Lab, statement: str) -> None:
    """Its rows cannot be had again: it fails, says what is wrong, and names the way out."""
    lab.meddle(statement)
    for _ in range(2):
        outcome = lab.run()
        assert (outcome["events"].status, outcome["events"].reason) == ("failed", "drifted")
        assert "main.events is not the one that was built" in (outcome["events"].error or "")
        assert "--full-refresh makes it anew, without the rows it gathered" in (outcome["events"].error or "")
    assert lab.run(full_refresh=True).status == "completed"
    assert ids(lab) == [(1, "a"), (2, "b")]


def test_a_table_that_is_gone_begins_anew(lab: Lab) -> None:
    """There is nothing left to lose."""
    lab.meddle("drop table main.events")
    outcome = lab.run()
    assert (outcome["events"].reason, outcome["events"].status) == ("missing", "success")


def test_a_requested_build_is_a_batch(lab: Lab) -> None:
    """To force an incremental model applies its batch; to begin anew is another word."""
    outcome = lab.run("events", force=True)
    assert outcome["events"].reason == "requested"
    assert "where day >=" in (outcome["events"].sql or "")


def test_a_window_of_time_is_replaced(make_lab: Make) -> None:
    """`time_column`: what lies between the batch's first and last moment is what the batch says."""
    text = (
        "/*---\nmaterialized: incremental\nincremental: {strategy: time_column, time_column: day}\n---*/\n"
        "select * from raw.events {% if is_incremental() %} where day > '2026-03-01' {% endif %}"
    )
    lab = make_lab({"models/events.sql": text})
    lab.sql(
        "create schema raw", "create table raw.events as select date '2026-03-01' + n::int as day, n from range(3) r(n)"
    )
    lab.run()
    lab.sql("update raw.events set n = n + 10", "delete from raw.events where n = 11")
    lab.run()
    kept = [("2026-03-01", 0), ("2026-03-02", 1)]
    assert lab.rows("select day::varchar, n from main.events order by 1") == [*kept, ("2026-03-03", 12)]


def test_columns_that_change_are_taken_as_is_said(make_lab: Make) -> None:
    """`on_schema_change: append` with `forward_only`: old rows have NULL where the batch brought a column."""
    text = (
        "/*---\nmaterialized: incremental\nunique_key: id\n"
        "incremental: {on_schema_change: append, on_query_change: forward_only}\n---*/\n"
        "select id, what from raw.events {% if is_incremental() %} where id > (select max(id) from {{ this }}){%endif%}"
    )
    lab = make_lab({"models/events.sql": text, "models/all.sql": "select * from events"})
    lab.sql("create schema raw", "create table raw.events as select 1 as id, 'a' as what")
    lab.run()
    lab.sql("insert into raw.events values (2, 'b')")
    lab.replace("models/events.sql", "select id, what", "select id, what, id * 10 as tens")
    outcome = lab.run()
    assert outcome.built == {"events", "all"}
    assert lab.rows("from main.all order by id") == [(1, "a", None), (2, "b", 20)]


# -------------------------------------------------------------------------------------------------------- other columns

GROWING = (
    "/*---\nmaterialized: incremental\nunique_key: id\n"
    "incremental: {on_schema_change: HOW, on_query_change: forward_only}\n---*/\n"
    "select * from raw.events {% if is_incremental() %} where id > (select max(id) from {{ this }}) {% endif %}"
)


def growing(make_lab: Make, how: str, **also: str) -> Lab:
    """Make a table that grows from a source, which then has other columns."""
    lab = make_lab({"models/events.sql": GROWING.replace("HOW", how), **also})
    lab.sql("create schema raw", "create table raw.events as select 1 as id, 'a' as what, 5::tinyint as n")
    lab.run()
    lab.sql(
        "create or replace table raw.events as select * from (values (1, 5, true), (2, 6, false)) as v(id, n, fresh)",
    )
    return lab


CHANGES = "+fresh BOOLEAN, -what, n: TINYINT → INTEGER"


@pytest.mark.parametrize(
    ("how", "columns", "rows"),
    [
        ("ignore", ["id", "what", "n"], [(1, "a", 5), (2, None, 6)]),
        ("append", ["id", "what", "n", "fresh"], [(1, "a", 5, None), (2, None, 6, False)]),
        ("sync", ["id", "n", "fresh"], [(1, 5, None), (2, 6, False)]),
    ],
)
def test_what_becomes_of_other_columns_is_shown_before_anything_runs(
    make_lab: Make, how: str, columns: list[str], rows: list[object]
) -> None:
    """The plan lists them, and says what will be done; the run does that, and then they are no others."""
    lab = growing(make_lab, how)
    decision = lab.plan().decisions["events"]
    assert (decision.action, decision.reason) == ("build", "input_changed")
    assert decision.detail.endswith(f"; its batch has other columns: {CHANGES} (on_schema_change: {how})")
    outcome = lab.run()
    assert outcome["events"].detail == decision.detail
    assert [column.name for column in outcome["events"].columns] == columns
    assert lab.rows("from main.events order by id") == rows
    lab.sql("insert into raw.events values (3, 7, true)")
    assert ("its batch has other columns" in lab.plan().decisions["events"].detail) == (how != "sync")


def test_a_batch_that_will_be_refused_for_its_columns_is_not_run(make_lab: Make) -> None:
    """The plan says so; the run fails the model before its query runs, readers wait, and `--full-refresh` is a way."""
    lab = growing(make_lab, "fail", **{"models/count.sql": "select count(*) as n from events"})
    detail = lab.plan().decisions["events"].detail
    said = f"its batch has other columns: {CHANGES} (on_schema_change: fail, and so the batch will be refused)"
    assert detail.endswith(f"; {said}")
    outcome = lab.run()
    assert outcome["events"].error == (
        f"models/events.sql: the columns of the batch differ from the table's: {CHANGES}\n"
        "    Rebuild with --full-refresh, or set incremental.on_schema_change to append, sync or ignore."
    )
    assert (outcome.started, outcome["count"].reason) == ([], "upstream_failed")
    assert lab.rows("from main.events") == [(1, "a", 5)]
    assert lab.run(full_refresh=True).built == {"events", "count"}
    assert lab.rows("from main.events order by id") == [(1, 5, True), (2, 6, False)]


@pytest.mark.parametrize("how", ["fail", "append"])
def test_columns_of_an_input_that_is_still_to_be_built_are_foreseen_by_name(make_lab: Make, how: str) -> None:
    """Types come to light when it is built; then the batch itself is compared."""
    text = GROWING.replace("HOW", how).replace("raw.events", "parent")
    lab = make_lab({"models/events.sql": text, "models/parent.sql": "select 1 as id, 'a' as what"})
    lab.run()
    lab.edit({"models/parent.sql": "select 2 as id, 'b' as what, 3 as tens"})
    decision = lab.plan().decisions["events"]
    assert f"its batch has other columns: +tens (on_schema_change: {how}" in decision.detail
    outcome = lab.run()
    assert outcome.started == ["parent", "events"]
    refusal = "the columns of the batch differ from the table's: +tens INTEGER"
    assert (refusal in (outcome["events"].error or "")) == (how == "fail")
    assert (outcome["events"].status == "success") == (how == "append")


def test_the_same_columns_in_another_order_are_no_other_columns(make_lab: Make) -> None:
    """They are matched by their names, whatever the case."""
    lab = growing(make_lab, "fail")
    lab.sql("create or replace table raw.events as select 8::tinyint as N, 'b' as what, 2 as id")
    assert "other columns" not in lab.plan().decisions["events"].detail
    assert lab.run().built == {"events"}
    assert lab.rows("from main.events order by id") == [(1, "a", 5), (2, "b", 8)]


# ------------------------------------------------------------------------------------------------------ values of a run

PROD = "environments: {prod: {target: {schema: live}}}\n"


def test_values_of_a_run_reach_the_sql(make_lab: Make) -> None:
    """`run_started_at` is when this run began, `last_run_at` when the model's last build did; nothing at first."""
    text = (
        "/*---\nmaterialized: incremental\n---*/\n"
        "select '{{ run_started_at.isoformat() }}' as run,"
        " '{{ last_run_at.isoformat() if last_run_at else 'never' }}' as last"
    )
    lab = make_lab({"models/log.sql": text})
    first = lab.run()
    built_at = lab.state.read_snapshot("dev").traces["log"].built_at
    second = lab.run()
    assert (first["log"].reason, second["log"].reason) == ("new", "volatile")
    [(run1, last1), (run2, last2)] = lab.rows("from main.log order by run")
    assert (last1, last2) == ("never", built_at.isoformat())
    assert run1 < last2 < run2
    assert "1970" not in (run1 + run2)
    assert "1970-01-01" in lab.project.nodes["log"].query.resolved  # type: ignore[union-attr]


def test_all_models_of_a_run_see_one_beginning(make_lab: Make) -> None:
    """Whenever each is built."""
    query = "select '{{ run_started_at.isoformat() }}' as run"
    lab = make_lab({"models/a.sql": query, "models/b.sql": f"{query}, run as other from a"})
    lab.run()
    [(run, other)] = lab.rows("from main.b")
    assert run == other


WINDOW = (
    "/*---\nmaterialized: incremental\n---*/\n"
    "select id, '{{ last_run_at or 'never' }}' as since, {{ 1 }} as x from raw.events"
    "{% if is_incremental() %} where id > (select max(id) from {{ this }}) {% endif %}"
)


@pytest.fixture
def windowed(make_lab: Make) -> Lab:
    lab = make_lab({"models/log.sql": WINDOW})
    lab.sql("create schema raw", "create table raw.events as select 1 as id")
    lab.run()
    return lab


def built_at(lab: Lab) -> str:
    return str(lab.state.read_snapshot("dev").traces["log"].built_at)


def test_a_window_since_the_last_run_is_no_reason_for_a_batch(windowed: Lab) -> None:
    """While the inputs hold the same nothing is done; then the batch begins where the last build did."""
    first = built_at(windowed)
    assert windowed.run()["log"].reason == "unchanged"
    assert windowed.plan().decisions["log"].action == "skip"
    windowed.sql("insert into raw.events values (2)")
    assert windowed.run()["log"].reason == "input_changed"
    assert windowed.rows("select since from main.log where id = 2") == [(first,)]


@pytest.mark.parametrize("materialized", ["table", "view"])
def test_the_time_of_the_last_run_moves_what_has_no_history(make_lab: Make, materialized: str) -> None:
    """A table or a view that shows it would come out different."""
    lab = make_lab(
        {"models/m.sql": f"/*---\nmaterialized: {materialized}\n---*/\nselect '{{{{ last_run_at or 0 }}}}' as x"}
    )
    lab.run()
    assert lab.run()["m"].reason == "volatile"


def test_only_builds_that_succeed_in_this_environment_are_last_runs(windowed: Lab) -> None:
    """Neither a build that failed, nor a run that found nothing to do, nor one of another environment."""
    first = built_at(windowed)
    windowed.run()
    windowed.sql("insert into raw.events values (2)")
    windowed.replace("models/log.sql", "{{ 1 }}", "{{ 'error(1)' if is_incremental() else 1 }}")
    windowed.replace("models/log.sql", "incremental\n", "incremental\nincremental: {on_query_change: forward_only}\n")
    assert windowed.run().failed == {"log"}
    windowed.replace("models/log.sql", "{{ 'error(1)' if is_incremental() else 1 }}", "{{ 1 }}")
    windowed.environment = "prod"
    windowed.edit({"leapsql.yaml": "target: {type: duckdb, database: ':memory:'}\n" + PROD})
    assert windowed.run().built == {"log"}
    assert windowed.rows("select distinct since from live.log") == [("never",)]
    windowed.environment = "dev"
    assert windowed.run().built == {"log"}
    assert windowed.rows("select since from main.log order by id") == [("never",), (first,)]


def test_a_view_that_was_made_anew_since_may_show_other_columns(make_lab: Make) -> None:
    """It has seen what its source holds now, and the table that grows from it has not."""
    grows = "/*---\nmaterialized: incremental\nunique_key: id\n---*/\nselect id, x from shown\n"
    shown = "/*---\nmaterialized: view\n---*/\nselect id, x from raw.wide\n"
    lab = make_lab({"models/grows.sql": grows, "models/shown.sql": shown})
    lab.sql("create schema if not exists raw", "create table raw.wide as select 1 as id, 2 as x")
    lab.run()
    lab.sql("create or replace table raw.wide as select 1 as id, 2::bigint as x")
    lab.run("shown", force=True)
    assert "its batch has other columns: x: INTEGER → BIGINT" in lab.plan().decisions["grows"].detail
