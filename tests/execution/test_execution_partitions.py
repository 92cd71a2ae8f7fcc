"""Models with partitions: each stands or falls by itself, and all of them together are what the query gives."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from projects import Lab

from leapsql_core.errors import SelectionError
from leapsql_core.execution.parts import Parts
from leapsql_core.protocols import WarehouseTransaction
from leapsql_core.testing import InMemoryStateStore

Make = Callable[..., Lab]

DAYS = ["2026-02-25", "2026-02-26", "2026-02-27", "2026-02-28"]
SQL = "select id, day, what from raw.events where day >= '{{ partition.start }}' and day < '{{ partition.end }}'"
#: What looks like it, and whose windows nobody can see in the SQL.
BLIND = "select id, day, what from (select * from raw.events limit all) where day >= '{{ partition.start }}'"

SHOWN = "/*---\nmaterialized: view\n---*/\nselect * from raw.events"
ABOVE = SQL.replace("raw.events", "shown")


def model(query: str = SQL, *, how: str = "time_column: day", more: str = "", **partitions: object) -> str:
    said = {"every": "daily", "start": "2026-02-25", **partitions}
    listed = ", ".join(f"{name}: {value}" for name, value in said.items() if value is not None)
    top = f"materialized: incremental\n{more}incremental:\n  {how}\n"
    return f"/*---\n{top}  partitions: {{{listed}}}\n---*/\n{query}\n"


def by_country(keys: str) -> str:
    query = "select * from raw.sales where country = '{{ partition.key }}'"
    return model(query, how="on_query_change: rebuild", every=None, start=None, keys=keys, column="country")


@pytest.fixture
def lab(make_lab: Make) -> Lab:
    lab = make_lab({"models/days.sql": model(), "models/count.sql": "select count(*) as n from days"})
    lab.sql("create schema raw", "create table raw.events (id integer, what varchar, day date)")
    lab.sql(
        "insert into raw.events values (1, 'a', '2026-02-25'), (2, 'b', '2026-02-27'), (3, 'b', '2026-02-27'),"
        " (0, 'before', '2026-01-01'), (9, 'today', '2026-03-01')"
    )
    return lab


def built(lab: Lab, path: str = "days", **options: object) -> list[str]:
    """Run, and return the partitions that were built."""
    outcome = lab.run(**options)
    assert outcome.status == "completed", outcome.end.error
    return [one.key for one in outcome[path].partitions]


def keys(lab: Lab, path: str = "days") -> list[str]:
    return [one.key for one in lab.snapshot.partitions.get(path, ())]


def ids(lab: Lab) -> list[int]:
    return [row[0] for row in lab.rows("select id from main.days order by id")]


# ------------------------------------------------------------------------------------------ what there is to build


def test_a_first_run_builds_every_partition_that_has_ended(lab: Lab) -> None:
    """From the start to the run's own: today's has not ended, and rows of no partition are in none."""
    outcome = lab.run()
    assert outcome["days"].reason == "new"
    assert [one.key for one in outcome["days"].partitions] == keys(lab) == DAYS
    assert ids(lab) == [1, 2, 3]
    assert lab.run().built == set()


def test_a_partition_comes_to_be_when_its_window_has_ended(lab: Lab) -> None:
    """The next day it is missing, and it alone is built; the reason says so."""
    lab.run()
    lab.clock.now = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
    outcome = lab.run()
    assert (outcome["days"].reason, outcome["days"].detail) == (
        "partition_missing",
        "1 of 5 partitions: 2026-03-01 (never built)",
    )
    assert ids(lab) == [1, 2, 3, 9]
    lab.assert_as_from_scratch()


def test_an_offset_adds_windows_that_go_on(lab: Lab) -> None:
    """Today's partition is built while it fills, and again when it did."""
    lab.edit({"models/days.sql": model(end_offset=1)})
    assert built(lab) == [*DAYS, "2026-03-01"]
    lab.sql("insert into raw.events values (10, 'later', '2026-03-01')")
    assert built(lab) == ["2026-03-01"]
    assert ids(lab) == [1, 2, 3, 9, 10]


@pytest.mark.parametrize(
    ("change", "reason", "there"),
    [
        ({"start": "2026-02-24"}, "partition_missing", ["2026-02-24", *DAYS]),
        ({"start": "2026-02-26"}, "partition_gone", DAYS[1:]),
        ({"end": "2026-02-28"}, "partition_gone", DAYS[:3]),
        ({"every": "weekly"}, "config_changed", []),
    ],
)
def test_other_partitions_are_built_or_taken_away(
    lab: Lab, change: dict[str, str], reason: str, there: list[str]
) -> None:
    """Those that are not asked for any more lose their rows, new ones are built, the others are left alone."""
    lab.run()
    lab.edit({"models/days.sql": model(**change)})
    outcome = lab.run()
    assert outcome["days"].reason == reason
    assert keys(lab) == there
    if reason != "config_changed":
        assert set(keys(lab)) & set(DAYS) == {one for one in there if one in DAYS}
        assert {one.key for one in outcome["days"].partitions} == set(there) - set(DAYS)
    lab.assert_as_from_scratch()


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({"every": "daily"}, {"every": "hourly", "start": "2026-02-28"}),
        ({"every": "hourly", "start": "2026-02-28"}, {"every": "monthly", "start": "2026-01-01"}),
        ({}, {"every": "daily"}),
        ({"every": "daily"}, {}),
    ],
)
def test_partitions_of_another_kind_are_all_there_are(lab: Lab, before: dict[str, str], now: dict[str, str]) -> None:
    """The table is made anew: names that mean nothing any more are no hindrance, nor are rows behind them left."""
    lab.sql(
        "alter table raw.events alter day type timestamp", "alter table raw.events add country varchar default 'de'"
    )
    query, keyed = SQL.replace("what", "what, country"), by_country("[de, fr]").replace("raw.sales", "raw.events")
    lab.edit({"models/days.sql": model(query, **before) if before else keyed})
    lab.run()
    lab.edit({"models/days.sql": model(query, **now) if now else keyed})
    outcome = lab.run()
    assert (outcome["days"].status, outcome["days"].reason) == ("success", "config_changed")
    assert keys(lab) == [one.key for one in outcome["days"].partitions]
    assert len(keys(lab)) == {"hourly": 36, "monthly": 2, "daily": 4, None: 2}[now.get("every")]
    assert lab.run().built == set()
    lab.assert_as_from_scratch()


@pytest.mark.parametrize("key", ["9999-12-31", "2026-02-30", "2026-2-27", "", "x"])
def test_a_partition_that_there_never_is_cannot_be_asked_for(lab: Lab, key: str) -> None:
    """Whatever its name."""
    with pytest.raises(SelectionError, match="days has no partition"):
        lab.run("days", partitions=(key, key))


# ------------------------------------------------------------------------------------------ what is stale


def test_changed_data_makes_the_partitions_stale_whose_window_holds_it(lab: Lab) -> None:
    """The query shows that it reads nothing else; what lies in no partition's window makes nothing stale."""
    lab.run()
    lab.sql("insert into raw.events values (4, 'c', '2026-02-28')", "delete from raw.events where id = 1")
    decision = lab.plan().decisions["days"]
    assert decision.partitions == ("2026-02-25", "2026-02-28")
    assert decision.detail == ("2 of 4 partitions: 2026-02-25, 2026-02-28 (raw.events changed: data, in day, id, what)")
    assert built(lab) == ["2026-02-25", "2026-02-28"]
    assert ids(lab) == [2, 3, 4]
    lab.sql("insert into raw.events values (5, 'old', '2025-01-01')")
    assert lab.run().built == set()
    lab.assert_as_from_scratch()


@pytest.mark.parametrize(
    "query",
    [
        f"select * from ({BLIND}) where day < '{{{{ partition.end }}}}'",
        SQL + " and id >= (select min(id) from raw.events)",
        SQL.replace("from raw.events", "from raw.events tablesample 100%"),
        SQL + " or id is null and day = '{{ partition.start }}'",
    ],
)
def test_where_nobody_can_tell_the_window_all_partitions_are_stale(lab: Lab, query: str) -> None:
    """A subquery over all rows, a sample, an alternative: any row might count for any partition."""
    lab.edit({"models/days.sql": model(query)})
    lab.run()
    lab.sql("insert into raw.events values (4, 'c', '2026-02-28')")
    assert built(lab) == DAYS
    lab.assert_as_from_scratch()


def test_a_model_between_is_looked_into_as_well(lab: Lab) -> None:
    """It is built in the same run; which windows hold its change shows when it is done."""
    lab.edit(
        {
            "models/clean.sql": "select id, day, upper(what) as what from raw.events",
            "models/days.sql": model(SQL.replace("raw.events", "clean")),
        }
    )
    lab.run()
    lab.sql("update raw.events set what = 'x' where day = '2026-02-27'")
    assert lab.plan().decisions["days"].reason == "input_pending"
    assert built(lab) == ["2026-02-27"]
    lab.sql("update raw.events set what = 'X' where day = '2026-02-27'")
    assert "days" not in lab.run().built
    lab.assert_as_from_scratch()


def test_what_is_missing_does_not_hide_what_changes_on_the_way(lab: Lab) -> None:
    """A partition that is missing is built together with one whose input this run changes."""
    lab.edit(
        {
            "models/clean.sql": "select id, day, what from raw.events",
            "models/days.sql": model(SQL.replace("raw.events", "clean")),
        }
    )
    lab.run()
    lab.clock.now = datetime(2026, 3, 2, tzinfo=UTC)
    lab.sql("update raw.events set what = 'x' where day = '2026-02-27'")
    assert lab.plan().decisions["days"].partitions == ("2026-03-01",)
    assert built(lab) == ["2026-02-27", "2026-03-01"]
    lab.assert_as_from_scratch()


def test_partitions_above_partitions_pass_on_what_changed(lab: Lab) -> None:
    """Days into weeks: a week is stale for a day of its own alone."""
    weeks = model(
        "select date_trunc('week', day + 1)::date - 1 as week, count(*) as n from days"
        " where day >= '{{ partition.start }}' and day < '{{ partition.end }}' group by week",
        how="time_column: week",
        every="weekly",
        start="2026-02-01",
    )
    lab.edit({"models/days.sql": model(start="2026-02-01"), "models/weeks.sql": weeks})
    assert built(lab, "weeks") == ["2026-02-01", "2026-02-08", "2026-02-15", "2026-02-22"]
    lab.sql("insert into raw.events values (4, 'c', '2026-02-10')")
    assert built(lab, "weeks") == ["2026-02-08"]
    lab.assert_as_from_scratch()


def test_a_changed_query_makes_all_partitions_stale(lab: Lab) -> None:
    """A comment does not; `forward_only` lets those that are built stand."""
    lab.run()
    lab.replace("models/days.sql", "select id", "select /* number */ id")
    assert lab.run()["days"].reason == "formatting_only"
    lab.replace("models/days.sql", "what from", "upper(what) as what from")
    assert built(lab) == DAYS
    lab.assert_as_from_scratch()
    lab.edit(
        {
            "models/days.sql": model(
                SQL.replace("what from", "'new' as what from"),
                how="time_column: day\n  on_query_change: forward_only",
            )
        }
    )
    lab.clock.now = datetime(2026, 3, 2, tzinfo=UTC)
    assert built(lab) == ["2026-03-01"]
    assert lab.rows("select distinct what from main.days order by 1") == [("A",), ("B",), ("new",)]


def test_what_changed_in_a_query_is_shown_with_the_names_of_the_window(lab: Lab) -> None:
    """As the author wrote it, and not with the dates that stand for the window in the text that is hashed."""
    lab.run()
    lab.replace("models/days.sql", "'{{ partition.start }}'", "'{{ partition.start }}'::timestamp")
    detail = lab.plan().decisions["days"].detail
    assert "partition.start }}'::timestamp" in detail
    assert "1004" not in detail


def test_part_of_a_changed_query_leaves_the_rest_to_be_built(lab: Lab) -> None:
    """What was asked for has the new code, the others keep their old rows, and are stale until they are built."""
    lab.run()
    lab.replace("models/days.sql", "what from", "upper(what) as what from")
    assert built(lab, partitions=("2026-02-25", "2026-02-26")) == DAYS[:2]
    assert lab.rows("select what from main.days order by id") == [("A",), ("b",), ("b",)]
    decision = lab.plan().decisions["days"]
    assert (decision.reason, decision.partitions, decision.mode) == ("query_changed", tuple(DAYS[2:]), "incremental")
    assert built(lab) == DAYS[2:]
    lab.assert_as_from_scratch()


# ------------------------------------------------------------------------------------------ what is asked for


def test_a_run_of_some_partitions_builds_those_of_them_that_are_stale(lab: Lab) -> None:
    """Forced, it builds all of them; the others are left alone."""
    assert built(lab, partitions=("2026-02-26", "2026-02-27")) == ["2026-02-26", "2026-02-27"]
    assert ids(lab) == [2, 3]
    assert built(lab, partitions=("2026-02-25", "2026-02-26")) == ["2026-02-25"]
    assert lab.run("days", partitions=("2026-02-25", "2026-02-26")).built == set()
    assert built(lab, partitions=("2026-02-26", "2026-02-27"), force=True) == ["2026-02-26", "2026-02-27"]
    assert built(lab, partitions=("2026-02-26", "2026-02-27"), full_refresh=True) == ["2026-02-26", "2026-02-27"]
    assert built(lab) == ["2026-02-28"]
    assert built(lab, force=True) == DAYS
    lab.assert_as_from_scratch()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("2026-02-20", "2026-02-26"), "days has no partition `2026-02-20`"),
        (("2026-02-25", "2026-03-01"), "the partition `2026-03-01` of days has not ended yet"),
        (("yesterday", "yesterday"), "days has no partition `yesterday`"),
        (("2026-02-26", "2026-02-25"), "of days the partition `2026-02-25` comes before `2026-02-26`"),
    ],
)
def test_a_partition_that_there_is_not_is_refused(lab: Lab, asked: tuple[str, str], said: str) -> None:
    """By its name; nothing was built."""
    with pytest.raises(SelectionError, match=said):
        lab.run(partitions=asked)
    with pytest.raises(SelectionError, match="no model that is selected has partitions"):
        lab.run("count", partitions=("2026-02-25", "2026-02-25"))


# ------------------------------------------------------------------------------------------ what a build does


def test_rows_outside_of_the_window_fail_a_query_that_was_told_it(lab: Lab) -> None:
    """They would be lost, or be there twice; the error shows some, and nothing has changed."""
    lab.run()
    lab.edit({"models/days.sql": model(BLIND)})
    outcome = lab.run()
    assert "rows lie outside of the partition from 2026-02-25 00:00:00 up to 2026-02-26 00:00:00: day = " in str(
        outcome["days"].error
    )
    assert ids(lab) == [1, 2, 3]


def test_a_query_that_is_told_no_window_gives_the_rows_of_all(lab: Lab) -> None:
    """It is asked once; of its rows those of the partitions count that are built."""
    lab.edit({"models/days.sql": model("select id, day, what from raw.events")})
    assert built(lab, partitions=("2026-02-27", "2026-02-27")) == ["2026-02-27"]
    assert ids(lab) == [2, 3]
    lab.run()
    assert ids(lab) == [1, 2, 3]
    lab.assert_as_from_scratch()


@pytest.mark.parametrize(
    "query",
    [
        SQL.replace("day,", "nullif(day, '2026-02-25') as day,"),
        "select id, nullif(day, '2026-01-01') as day, what from raw.events",
    ],
)
def test_a_row_without_its_window_fails_the_build(lab: Lab, query: str) -> None:
    """It belongs to no partition."""
    lab.edit({"models/days.sql": model(query)})
    assert "NULL in the column of the partitions (day)" in str(lab.run()["days"].error)


def test_each_partition_is_asked_for_by_itself(lab: Lab) -> None:
    """A sum over all rows of the query is one over the partition, however many are built together."""
    lab.edit({"models/days.sql": model("select '{{ partition.key }}'::date as day, count(*) as n from (" + SQL + ")")})
    lab.run()
    assert lab.rows("select n from main.days order by day") == [(1,), (0,), (2,), (0,)]
    lab.assert_as_from_scratch()


def test_a_test_that_fails_leaves_all_partitions_as_they_were(lab: Lab) -> None:
    """Partitions, tests and marker are one transaction."""
    lab.run()
    lab.edit({"models/days.sql": model(more="tests: [{unique: what}]\n")})
    lab.sql("insert into raw.events values (4, 'z', '2026-02-25'), (5, 'z', '2026-02-28')")
    assert lab.run().failed == {"days"}
    assert ids(lab) == [1, 2, 3]
    lab.sql("delete from raw.events where id in (3, 5)")
    assert built(lab) == ["2026-02-25", "2026-02-27"]
    lab.assert_as_from_scratch()


def test_partitions_whose_tests_do_not_go_together_are_replaced_once(lab: Lab) -> None:
    """What cannot be counted in one pass takes them back with it; then they are replaced anew, tested one by one."""
    tests = "tests: [not_null: id, unique: id, not_null: {column: id, where: columns/**/(*) is not null}]\n"
    lab.edit({"models/days.sql": model(more=tests)})
    lab.run()
    lab.sql("insert into raw.events values (4, 'c', '2026-02-27')")
    outcome = lab.run()
    assert [one.key for one in outcome["days"].partitions] == ["2026-02-27"]
    assert [result.passed for result in outcome["days"].tests] == [True, True, True]
    assert ids(lab) == [1, 2, 3, 4]
    lab.assert_as_from_scratch()


@pytest.mark.parametrize("how", ["fail", "append", "sync", "ignore"])
def test_other_columns_of_partitions_are_shown_before_anything_runs(lab: Lab, how: str) -> None:
    """As those of batches; where they are refused, the query does not run, and a refresh of all partitions is a way."""
    every = SQL.replace("id, day, what", "*")
    lab.edit({"models/days.sql": model(every, how=f"time_column: day\n  on_schema_change: {how}")})
    lab.run("days")
    lab.sql("alter table raw.events add column n integer")
    lab.sql("insert into raw.events values (4, 'c', '2026-02-26', 7)")
    decision = lab.plan("days").decisions["days"]
    refused = ", and so the batch will be refused" if how == "fail" else ""
    assert decision.detail.endswith(f"; its batch has other columns: +n INTEGER (on_schema_change: {how}{refused})")
    outcome = lab.run("days", partitions=("2026-02-26", "2026-02-26"))
    assert (outcome["days"].status == "failed", outcome.started == []) == (how == "fail", how == "fail")
    there = [name for (name,) in lab.rows("select column_name from (describe main.days)")]
    assert there == ["id", "what", "day", *(["n"] if how in ("append", "sync") else [])]
    assert ids(lab) == ([1, 2, 3] if how == "fail" else [1, 2, 3, 4])
    assert built(lab, full_refresh=True) == DAYS
    lab.assert_as_from_scratch()


@pytest.mark.parametrize("kind", ["timestamp", "timestamptz", "date"])
def test_columns_of_time_are_of_any_such_type(lab: Lab, kind: str) -> None:
    """Boundaries belong to the later window."""
    lab.edit({"models/days.sql": model(SQL.replace("day,", f"day::{kind} as day,"))})
    assert built(lab) == DAYS
    assert ids(lab) == [1, 2, 3]
    lab.sql("insert into raw.events values (4, 'c', '2026-02-26')")
    assert built(lab) == ["2026-02-26"]


def test_the_last_moment_of_a_window_is_in_it_however_fine(lab: Lab) -> None:
    """Of nanoseconds it lies behind all that a microsecond can tell."""
    lab.sql(
        "create or replace table raw.events (id integer, what varchar, day timestamp_ns)",
        "insert into raw.events values (1, 'a', '2026-02-25 23:59:59.999999999'), (2, 'b', '2026-02-26')",
    )
    assert built(lab) == DAYS
    lab.sql("update raw.events set what = 'c' where id = 1")
    assert "2026-02-25" in built(lab)
    lab.assert_as_from_scratch()


def test_what_moves_while_partitions_are_built_is_read_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is written between their queries and the end of the build is none that they have read."""
    lab.files = {"models/days.sql": model(), "models/shown.sql": SHOWN, "models/above.sql": model(ABOVE)}
    file = lab.root / "events.csv"
    lab.root.mkdir(exist_ok=True)
    file.write_text("id,day,what\n1,2026-02-25,a\n")
    lab.sql("drop table raw.events", f"create view raw.events as select * from read_csv('{file}')")
    versions = Parts.versions

    def write_first(parts: Parts, transaction: WarehouseTransaction) -> Mapping[str, str]:
        file.write_text(f"id,day,what\n1,2026-02-25,{parts.node.name}\n")
        return versions(parts, transaction)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Parts, "versions", write_first)
        lab.run()
    assert {"days", "above"} <= lab.run().built
    lab.assert_as_from_scratch()


def test_a_column_that_tells_no_time_is_refused(lab: Lab) -> None:
    """So are hours of a DATE."""
    lab.edit({"models/days.sql": model("select id, day::varchar as day, what from raw.events")})
    assert "partitions by time need a DATE or a TIMESTAMP" in str(lab.run()["days"].error)
    lab.edit({"models/days.sql": model(every="hourly", start="2026-02-28")})
    assert "partitions by the hour need a TIMESTAMP" in str(lab.run()["days"].error)


def test_hours_and_months_are_told_apart_in_their_inputs(make_lab: Make) -> None:
    """A row at a boundary belongs to the window that it begins."""
    for every, start, change, stale in (
        ("hourly", "2026-03-01-09:00", "2026-03-01 10:00:00", "2026-03-01-10:00"),
        ("monthly", "2025-12-01", "2026-02-01 00:00:00", "2026-02-01"),
        ("weekly", "2026-02-01", "2026-02-08 00:00:00", "2026-02-08"),
    ):
        lab = make_lab({"models/days.sql": model(every=every, start=start)})
        lab.sql("create schema raw", "create table raw.events (id integer, what varchar, day timestamp)")
        lab.run()
        lab.sql(f"insert into raw.events values (1, 'a', '{change}')")
        assert built(lab) == [stale]
        lab.assert_as_from_scratch()


# ------------------------------------------------------------------------------------------ keys


def test_keys_part_a_model_by_the_values_of_a_column(make_lab: Make) -> None:
    """A changed row makes its key's partition stale; a new key is missing, one that is left out is taken away."""
    lab = make_lab({"models/sales.sql": by_country('[de, "it\'s"]')})
    lab.sql("create schema raw", "create table raw.sales (id integer, country varchar)")
    lab.sql("insert into raw.sales values (1, 'de'), (2, 'it''s'), (3, 'fr')")
    assert built(lab, "sales") == ["de", "it's"]
    assert lab.rows("select id from main.sales order by id") == [(1,), (2,)]
    lab.sql("insert into raw.sales values (4, 'it''s'), (5, 'fr')")
    assert built(lab, "sales") == ["it's"]
    lab.edit({"models/sales.sql": by_country("[de, fr]")})
    assert built(lab, "sales") == ["fr"]
    assert lab.rows("select id from main.sales order by id") == [(1,), (3,), (5,)]
    assert built(lab, "sales", partitions=("fr", "fr"), force=True) == ["fr"]
    lab.assert_as_from_scratch()


# ------------------------------------------------------------------------------------------ laws, and losses


@pytest.mark.parametrize("seed", range(5))
def test_partitions_add_up_however_they_are_built(make_lab: Make, seed: int) -> None:
    """In any order and by any split, among edits, late rows and passing days: the end is as from scratch."""
    chance = random.Random(seed)
    lab = make_lab(
        {
            "models/clean.sql": "select id, day, what from raw.events",
            "models/days.sql": model(SQL.replace("raw.events", chance.choice(["clean", "raw.events"]))),
            "models/count.sql": "select day, count(*) as n from days group by day",
        }
    )
    lab.sql("create schema raw", "create table raw.events (id integer, what varchar, day date)")
    for step in range(6):
        day = f"(date '2026-02-20' + {chance.randrange(5)})"
        match chance.randrange(5):
            case 0:
                lab.sql(f"insert into raw.events values ({step}, 'x', {day})")
            case 1:
                lab.sql(f"delete from raw.events where day < {day} and id % 2 = 0")
            case 2:
                lab.clock.now += timedelta(days=1)
            case 3:
                what = chance.choice(["what", "upper(what)", "what || '!'"])
                lab.edit({"models/clean.sql": f"select id, day, {what} as what from raw.events"})
            case 4:
                start, lower = chance.choice(["2026-02-25", "2026-02-24"]), chance.choice(["id", "id + 1"])
                query = SQL.replace("select id", f"select {lower} as id").replace("raw.events", "clean")
                lab.edit({"models/days.sql": model(query, start=start)})
        there = [one for one in DAYS if chance.random() < 0.7]
        if len(there) > 1 and chance.random() < 0.6:
            first, last = sorted(chance.sample(there, 2))
            lab.run(partitions=(first, last), force=chance.random() < 0.3)
        elif chance.random() < 0.5:
            lab.run()
    lab.run()
    assert lab.run().built == set()
    lab.assert_as_from_scratch()


def test_a_kill_between_commit_and_note_loses_no_partition(lab: Lab) -> None:
    """The marker tells of all partitions that the relation has: those of the lost build, and those before."""
    lab.run(partitions=("2026-02-25", "2026-02-25"))
    before = lab.state.read_snapshot("dev").partitions["days"]

    def die(build: object) -> None:
        raise KeyboardInterrupt

    record, lab.state.record_build = lab.state.record_build, die  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        lab.run("days", partitions=("2026-02-27", "2026-02-27"))
    lab.state.record_build = record  # type: ignore[method-assign]
    lab.die()
    assert lab.state.read_snapshot("dev").partitions["days"] == before
    assert built(lab) == ["2026-02-26", "2026-02-28"]
    assert keys(lab) == DAYS
    lab.assert_as_from_scratch()


def test_a_lost_state_is_read_back_with_its_partitions(lab: Lab) -> None:
    """Nothing that stands is built again; and what changed since is seen, window by window."""
    lab.run(partitions=("2026-02-25", "2026-02-27"))
    before = lab.snapshot.partitions
    lab.state = InMemoryStateStore()
    lab.state.open()
    lab.state.init_schema()
    lab.sql("insert into raw.events values (4, 'c', '2026-02-25')")
    outcome = lab.run()
    assert [one.key for one in outcome["days"].partitions] == ["2026-02-25", "2026-02-28"]
    kept = {one.key: one.model_run_id for one in lab.snapshot.partitions["days"]}
    assert kept["2026-02-26"] == before["days"][1].model_run_id
    lab.assert_as_from_scratch()


def test_a_table_that_is_taken_over_has_all_partitions(lab: Lab) -> None:
    """As it stands; what changes later makes those stale whose window holds it."""
    lab.sql("create table main.days as select id, day, what from raw.events where day < '2026-03-01' and id > 0")
    assert lab.run("days", adopt=True).status == "completed"
    assert keys(lab) == DAYS
    assert "days" not in lab.run().built
    lab.sql("insert into raw.events values (4, 'c', '2026-02-28')")
    assert built(lab) == ["2026-02-28"]
    assert ids(lab) == [1, 2, 3, 4]
