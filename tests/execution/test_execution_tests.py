"""Tests of rows that stand: they are run again when they, or what they read, changed, and only then."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from projects import Lab

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
