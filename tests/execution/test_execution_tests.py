"""Tests of rows that stand: they are run again when they, or what they read, changed, and only then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from projects import Lab, Outcome

Make = Callable[..., Lab]

FILES = {
    "models/customers.sql": "select id, name from raw.customers",
    "models/orders.sql": (
        "/*---\ntests:\n  - relationships: {column: customer, to: customers, field: id}\n---*/\n"
        "select id, customer from raw.orders"
    ),
    "models/last.sql": "select count(*) as n from orders",
}
RAW = (
    "create schema raw",
    "create table raw.customers as select * from (values (1, 'ann'), (2, 'bob')) as v(id, name)",
    "create table raw.orders as select * from (values (1, 1), (2, 2)) as v(id, customer)",
)


@pytest.fixture
def lab(make_lab: Make) -> Lab:
    """Make orders whose customers a test looks up, which orders themselves do not read."""
    lab = make_lab(FILES)
    lab.sql(*RAW)
    assert lab.run().status == "completed"
    assert {one.reason for one in lab.plan().decisions.values()} == {"unchanged"}
    return lab


def test_tests_are_run_again_when_what_they_look_up_changed(lab: Lab) -> None:
    """The relation stands; that its tests were run is what the run says, and then they stand, too."""
    lab.sql("insert into raw.customers values (3, 'eve')")
    assert lab.plan().decisions["orders"].detail == "tests it again if customers changes"
    outcome = lab.run()
    assert outcome.built == {"customers"}
    assert (outcome["orders"].status, outcome["orders"].reason) == ("skipped", "test_input_changed")
    assert [result.passed for result in outcome["orders"].tests] == [True]
    again = lab.run()
    assert (again.built, again["orders"].reason, again["orders"].tests) == (set(), "unchanged", ())


def test_tests_are_not_run_again_for_columns_that_they_do_not_look_at(lab: Lab) -> None:
    """A name that changed is no other key."""
    lab.sql("update raw.customers set name = 'rob' where id = 2")
    outcome = lab.run()
    assert (outcome.built, outcome["orders"].reason, outcome["orders"].tests) == ({"customers"}, "unchanged", ())


def test_a_test_that_fails_now_fails_its_model_and_holds_up_what_reads_it(lab: Lab) -> None:
    """The relation stays as it is; each run tries the test again, until what it looks up is as when it passed."""
    lab.sql("delete from raw.customers where id = 2")
    lab.edit({"models/last.sql": FILES["models/last.sql"] + " where id > 0"})
    outcome = lab.run()
    assert (outcome.built, outcome.failed) == ({"customers"}, {"orders"})
    assert "relationships(customer → customers.id) failed: 1 failing" in (outcome["orders"].error or "")
    assert outcome["last"].reason == "upstream_failed"
    assert lab.rows("select count(*) from main.orders") == [(2,)]
    again = lab.run()
    assert (again.built, again.failed) == (set(), {"orders"})
    lab.sql("insert into raw.customers values (2, 'bob')")
    mended = lab.run()
    assert (mended.built, mended["orders"].reason) == ({"customers", "last"}, "unchanged")
    assert lab.run().built == set()


def test_tests_of_a_view_are_run_again_when_what_it_shows_changed(make_lab: Make) -> None:
    """A view is not made again for other rows, and yet its tests speak of rows."""
    lab = make_lab(
        {
            "models/people.sql": (
                "/*---\nmaterialized: view\ntests: [{unique: id}]\n---*/\nselect id from raw.customers"
            ),
            "models/count.sql": "select count(*) as n from people",
        }
    )
    lab.sql(*RAW)
    lab.run()
    assert lab.run()["people"].tests == ()
    lab.sql("insert into raw.customers values (3, 'eve')")
    outcome = lab.run()
    assert outcome.built == {"count"}
    assert outcome["people"].reason == "test_input_changed"
    lab.sql("insert into raw.customers values (3, 'eve again')")
    outcome = lab.run()
    assert (outcome.failed, outcome["count"].reason) == ({"people"}, "upstream_failed")
    lab.sql("delete from raw.customers where name = 'eve again'")
    assert lab.run()["people"].reason == "unchanged"


def test_what_a_test_looks_up_may_be_a_source(make_lab: Make) -> None:
    """A table that the project does not make has a version, too."""
    lab = make_lab({"models/orders.sql": FILES["models/orders.sql"].replace("to: customers", "to: raw.customers")})
    lab.sql(*RAW)
    lab.run()
    assert lab.run()["orders"].reason == "unchanged"
    lab.sql("insert into raw.customers values (3, 'eve')")
    assert lab.run()["orders"].reason == "test_input_changed"
    lab.sql("delete from raw.customers where id = 1")
    assert lab.run().failed == {"orders"}


def test_a_lookup_in_a_source_that_lacks_the_column_fails_before_anything_is_built(make_lab: Make) -> None:
    """The source was looked at: what its columns are is known then."""
    model = FILES["models/orders.sql"].replace("to: customers, field: id", "to: raw.customers, field: ID")
    lab = make_lab({"models/orders.sql": model})
    lab.sql(*RAW)
    assert lab.run().built == {"orders"}
    lab.sql("alter table raw.customers rename column id to ids", "insert into raw.orders values (3, 1)")
    outcome = lab.run()
    assert outcome.started == []
    assert outcome["orders"].error == (
        "models/orders.sql: test relationships(customer → raw.customers.ID): raw.customers has no column `ID`\n"
        "    Did you mean ids?"
    )


# ------------------------------------------------------------------------------------------------- results that stand

SUMS = {
    "models/sums.sql": (
        "/*---\ntests:\n  - unique: k\n  - accepted_values: {column: k, values: [a], severity: warn}\n"
        "  - expression: n > 0\n---*/\nselect k, sum(n) as n from raw.items group by k"
    )
}
ITEMS = (
    "create schema raw",
    "create table raw.items as select * from (values ('a', 1), ('a', 2), ('b', 3)) as v(k, n)",
)


@pytest.fixture
def sums(make_lab: Make) -> Lab:
    """Make sums of items: one test of them warns, the others pass."""
    lab = make_lab(SUMS)
    lab.sql(*ITEMS)
    assert lab.run().status == "completed"
    return lab


def stand(outcome: Outcome, path: str) -> dict[str, bool]:
    """Return for each test of a model whether its result stands from an earlier run."""
    return {result.test.kind: result.stands_since is not None for result in outcome[path].tests}


def test_results_stand_where_a_build_comes_out_the_same(sums: Lab) -> None:
    """Other items, the same sums: no test is run again, and each says since when its result stands, the warning too."""
    first = sums.state.read_test_results("dev")["sums"]
    sums.sql("update raw.items set n = if(n = 1, 0, 3) where k = 'a'")
    outcome = sums.run()
    assert outcome.built == {"sums"}
    assert stand(outcome, "sums") == {"unique": True, "accepted_values": True, "expression": True}
    [warning] = [result for result in outcome["sums"].tests if not result.passed]
    [kept] = [result for result in first if result.failures]
    assert (warning.failures, warning.sample, warning.stands_since) == (1, kept.sample, kept.tested_at)
    assert sums.state.read_test_results("dev")["sums"] == first


def test_results_do_not_stand_for_other_rows(sums: Lab) -> None:
    """One cell is enough, and what was true of the old rows is found out again for the new."""
    sums.sql("update raw.items set n = -3 where k = 'b'")
    outcome = sums.run()
    assert outcome.failed == {"sums"}
    assert "expression(n > 0) failed" in (outcome["sums"].error or "")
    sums.sql("update raw.items set n = 4 where k = 'b'")
    outcome = sums.run()
    assert stand(outcome, "sums") == {"unique": False, "accepted_values": False, "expression": False}


def test_only_tests_that_changed_are_run(sums: Lab) -> None:
    """The others stand; so does one whose severity alone is another, and it counts by its new one."""
    sums.replace("models/sums.sql", "n > 0", "n > 1")
    outcome = sums.run()
    assert outcome["sums"].reason == "tests_changed"
    assert stand(outcome, "sums") == {"unique": True, "accepted_values": True, "expression": False}
    sums.replace("models/sums.sql", "severity: warn", "severity: error")
    outcome = sums.run()
    assert outcome.failed == {"sums"}
    assert stand(outcome, "sums")["accepted_values"]
    assert "and nothing changed" in (outcome["sums"].error or "")


@pytest.mark.parametrize(
    "condition",
    [
        "n > 0 and current_date > date '2000-01-01'",
        "n > (select min(n) - 1 from raw.items)",
        "n > at_least(0)",
        "n > 0 or no_such_setting()",
        "n > 0 and rowid >= 0",
        "exists (pivot_longer raw.items on n into name k value v)",
        "percent(n) > 0",
    ],
)
def test_what_more_than_the_row_decides_is_tested_after_every_build(make_lab: Make, condition: str) -> None:
    """The clock, another table, a macro of the database, a function that nobody knows."""
    lab = make_lab({"models/sums.sql": SUMS["models/sums.sql"].replace("n > 0", condition)})
    lab.sql(
        *ITEMS,
        "create macro at_least(x) as x",
        "create macro no_such_setting() as false",
        "create macro percent(x) as x",
    )
    lab.run()
    outcome = lab.run(force=True)
    assert stand(outcome, "sums") == {"unique": True, "accepted_values": True, "expression": False}


def test_results_of_lookups_stand_while_what_they_look_up_does(lab: Lab) -> None:
    """A build of the same rows leaves it at that; another customer does not."""
    outcome = lab.run("orders", force=True)
    assert stand(outcome, "orders") == {"relationships": True}
    lab.sql("insert into raw.customers values (3, 'eve')")
    assert stand(lab.run(force=True), "orders") == {"relationships": False}


def test_results_of_a_view_stand_for_the_rows_that_it_shows(make_lab: Make) -> None:
    """Made again in another layout it shows the same; where what is below it changed it does not."""
    people = "/*---\nmaterialized: view\ntests: [{unique: id}]\n---*/\nselect id from raw.customers"
    lab = make_lab({"models/people.sql": people})
    lab.sql(*RAW)
    lab.run()
    assert stand(lab.run(force=True), "people") == {"unique": True}
    lab.sql("insert into raw.customers values (3, 'eve')")
    assert stand(lab.run(), "people") == {"unique": False}


def test_results_do_not_stand_where_rows_cannot_be_compared(make_lab: Make) -> None:
    """A column of a type without a version: every build is tested."""
    lab = make_lab({"models/m.sql": "/*---\ntests: [unique: a]\n---*/\nselect 1 as a, union_value(x := 1) as u"})
    lab.run()
    assert stand(lab.run(force=True), "m") == {"unique": False}


def test_results_do_not_stand_under_other_settings(make_lab: Make) -> None:
    """A condition may come out otherwise for the same row."""
    yaml = "target: {type: duckdb, database: ':memory:', settings: {integer_division: %s}}\n"
    model = "/*---\ntests: [expression: n / 2 > 0]\n---*/\nselect 1 as n"
    lab = make_lab({"leapsql.yaml": yaml % "false", "models/m.sql": model})
    lab.run()
    assert stand(lab.run(force=True), "m") == {"expression": True}
    lab.edit({"leapsql.yaml": yaml % "true"})
    lab.warehouse._settings["integer_division"] = True
    lab.warehouse._idle.clear()
    assert lab.run().failed == {"m"}


def test_secrets_are_kept_in_no_result(make_lab: Make) -> None:
    """Neither in what failed a test nor in the test itself."""
    yaml = "target: {type: duckdb, database: ':memory:'}\nvars: {word: '${WORD}'}\nsecrets: [WORD]\n"
    tests = "tests:\n  - accepted_values: {column: w, values: [x], severity: warn}\n"
    model = f"/*---\n{tests}---*/\nselect '{{{{ var('word') }}}}' as w"
    lab = make_lab({"leapsql.yaml": yaml, "models/m.sql": model}, environ={"WORD": "swordfish"})
    assert lab.run().status == "completed"
    [kept] = lab.state.read_test_results("dev")["m"]
    assert kept.failures == 1
    assert "swordfish" not in repr(kept)


# ------------------------------------------------------------------------------------------------ how they are run

MANY = (
    "/*---\ntests:\n  - not_null: [n, s]\n  - unique: n\n  - {condition}\n"
    "  - accepted_values: {{column: s, values: [a, b]}}\n---*/\nselect n, s from raw.items"
)


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("expression: s::int > 0", "test expression(s::int > 0) cannot run: Conversion Error: "),
        ("expression: sum(n) > 0", "test expression(sum(n) > 0) cannot run: Binder Error: "),
        ("unique: {column: s, where: nobody(n)}", "test unique(s) where nobody(n) cannot run: Catalog Error: "),
    ],
)
def test_of_many_tests_the_one_that_cannot_run_is_named(make_lab: Make, condition: str, said: str) -> None:
    """Though they run in one pass; the table is as before, and the next run builds it."""
    lab = make_lab({"models/m.sql": MANY.format(condition="expression: n > 0")})
    lab.sql("create schema raw", "create table raw.items as select * from (values (1, 'a'), (2, 'b')) as v(n, s)")
    assert lab.run().built == {"m"}
    lab.sql("insert into raw.items values (3, 'a')")
    lab.edit({"models/m.sql": MANY.format(condition=condition)})
    outcome = lab.run()
    assert (outcome["m"].error or "").startswith(f"models/m.sql: {said}")
    assert outcome["m"].tests == ()
    assert lab.rows("select count(*) from main.m") == [(2,)]
    lab.edit({"models/m.sql": MANY.format(condition="expression: n > 0")})
    assert lab.run().built == {"m"}


def test_a_batch_whose_tests_do_not_go_together_is_applied_once(make_lab: Make) -> None:
    """What cannot be counted in one pass takes the batch back with it; then it is applied anew, tested one by one."""
    tests = "tests: [not_null: n, unique: n, not_null: {column: n, where: columns/**/(*) is not null}]"
    batch = "{% if is_incremental() %} where n > (select max(n) from {{ this }}) {% endif %}"
    text = f"/*---\nmaterialized: incremental\n{tests}\n---*/\nselect n, s from raw.items {batch}"
    lab = make_lab({"models/m.sql": text})
    lab.sql("create schema raw", "create table raw.items as select 1 as n, 'a' as s")
    assert lab.run().built == {"m"}
    lab.sql("insert into raw.items values (2, 'b')")
    outcome = lab.run()
    assert (outcome["m"].rows_affected, [result.passed for result in outcome["m"].tests]) == (1, [True, True, True])
    assert lab.rows("from main.m order by n") == [(1, "a"), (2, "b")]


def test_as_many_failures_are_shown_as_are_wanted(make_lab: Make) -> None:
    """Five, or what the project says, or the test itself; none at all, where rows are not to be kept."""
    model = "/*---\ntests:\n  - not_null: {column: x, severity: warn}\n---*/\nselect null::int as x from range(9)"
    lab = make_lab({"models/m.sql": model})

    def shown(**options: Any) -> tuple[int, int]:
        [result] = lab.run(**options)["m"].tests
        return result.failures, len(result.sample)

    assert shown() == (9, 5)
    lab.edit({"leapsql.yaml": "target: {type: duckdb, database: ':memory:'}\ntests: {limit: 2}\n"})
    assert shown(force=True) == (9, 2)
    lab.replace("models/m.sql", "severity: warn", "severity: warn, limit: 7")
    assert shown() == (9, 7)
    lab.replace("models/m.sql", "limit: 7", "limit: 0")
    assert shown() == (9, 0)
    lab.replace("models/m.sql", "severity: warn, ", "")
    error = lab.run()["m"].error or ""
    assert error.startswith("models/m.sql: test not_null(x) failed: 9 failing; so it was ")


def test_a_result_stands_whatever_part_of_it_is_shown(make_lab: Make) -> None:
    """To show fewer failures nothing is run; to show more than were kept, it is."""
    model = (
        "/*---\ntests:\n  - not_null: {column: x, severity: warn, limit: 4}\n---*/\nselect null::int as x from range(9)"
    )
    lab = make_lab({"models/m.sql": model})
    lab.run()
    for limit, stands in ((3, True), (3, True), (6, False)):
        lab.edit({"models/m.sql": model.replace("limit: 4", f"limit: {limit}")})
        [result] = lab.run(force=True)["m"].tests
        assert (len(result.sample), result.stands_since is not None) == (limit, stands)


# ----------------------------------------------------------------------------------------------------- tests on request


def test_tests_are_run_on_request_and_nothing_is_built(sums: Lab) -> None:
    """Whether or not anything changed, on what stands: what is still to be built stays to be built."""
    sums.sql("update raw.items set n = 9 where k = 'b'")
    sums.meddle("update main.sums set n = -1 where k = 'a'")
    outcome = sums.run(test=True)
    assert (outcome.built, outcome.failed) == (set(), {"sums"})
    assert "expression(n > 0) failed" in (outcome["sums"].error or "")
    sums.meddle("update main.sums set n = 3 where k = 'a'")
    outcome = sums.run(test=True)
    assert (outcome["sums"].status, outcome["sums"].reason) == ("skipped", "tests_requested")
    assert outcome["sums"].detail == "2 of 3 pass"
    assert stand(outcome, "sums") == {"unique": False, "accepted_values": False, "expression": False}
    assert sums.plan().decisions["sums"].reason == "input_changed"


def test_what_is_not_there_as_it_was_built_is_not_tested(lab: Lab) -> None:
    """It fails with what became of it, and keeps no other from being tested."""
    lab.meddle("create or replace table main.customers as select 1 as id, 'ann' as name union all select 2, 'bob'")
    lab.edit({"models/later.sql": "/*---\ntests: [unique: id]\n---*/\nselect id from orders"})
    outcome = lab.run(test=True)
    assert outcome.built == set()
    assert outcome["orders"].detail == "1 of 1 pass"
    assert set(outcome.reasons.values()) == {"tests_requested"}
    assert outcome["later"].error == (
        "models/later.sql: main.later is not there as it was built, so that nothing was tested:"
        " it was never built in dev"
    )
    assert "main.customers is not there as it was built" in (outcome["customers"].error or "")
