"""What is decided from the state alone: as if nobody had touched the warehouse since the latest builds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from projects import Lab

from leapsql_core.models import Decision
from leapsql_core.planning import Texts, plan, remembered, texts_needed

Make = Callable[..., Lab]

FILES = {
    "seeds/kinds.csv": "kind,label,unread\n1,one,x\n2,two,y\n",
    "models/orders.sql": "/*---\nmaterialized: view\n---*/\nselect id, kind, amount from raw.orders",
    "models/loaded.sql": "select id, kind, amount from raw.orders",
    "models/priced.sql": "select id, cents(amount) as cents from loaded",
    "models/shown.sql": "/*---\nmaterialized: view\n---*/\nselect kind, label from kinds",
    "models/report.sql": "select l.id, s.label from loaded as l join shown as s on s.kind = l.kind",
    "models/total.sql": "select count(*) as n from report",
    "models/over.sql": "select sum(amount) as amount from orders",
    "models/clock.sql": "select now() as t",
    "models/late.sql": "select t from clock",
}
RAW = (
    "create schema raw",
    "create table raw.orders as select * from (values (1, 1, 10), (2, 2, 20)) as v(id, kind, amount)",
    "create macro cents(x) as x * 100",
)


@pytest.fixture
def lab(make_lab: Make) -> Lab:
    """Build a project over sources, seeds, views and a macro of the database."""
    lab = make_lab(FILES)
    lab.sql(*RAW)
    assert lab.run().status == "completed"
    return lab


def decide(lab: Lab) -> dict[str, Decision]:
    """Decide from files and state alone."""
    project, snapshot = lab.project, lab.state.read_snapshot("dev")
    resolved, code = texts_needed(project, snapshot)
    texts = Texts(lab.state.read_texts(resolved), lab.state.read_code_versions(code))
    return dict(plan(project, snapshot, remembered(project, snapshot, settings={}), lab.prove, texts=texts).decisions)


def to_build(lab: Lab) -> dict[str, str]:
    """Return the reasons of what is to be built, but for what is built in every run."""
    return {path: one.reason for path, one in decide(lab).items() if one.action == "build" and not one.recurring}


def waiting(lab: Lab) -> set[str]:
    return {path for path, one in decide(lab).items() if one.reason == "input_pending"}


def test_what_was_built_stands(lab: Lab) -> None:
    """Relations, sources and macros are taken to be as the builds found them; what moves by itself moves nothing."""
    decisions = decide(lab)
    assert to_build(lab) == {}
    assert waiting(lab) == set()
    standing = {path for path, one in decisions.items() if one.reason == "unchanged"}
    assert standing == {"kinds", "loaded", "priced", "shown", "report", "total", "late", "orders"}
    assert decisions["clock"].recurring


def test_a_change_moves_all_that_lies_below_it(lab: Lab) -> None:
    """Through views, and however far."""
    lab.replace("seeds/kinds.csv", "one", "ONE")
    assert to_build(lab) == {"kinds": "seed_changed"}
    assert waiting(lab) == {"shown", "report", "total"}


def test_what_a_part_of_the_project_was_built_without_is_known(lab: Lab) -> None:
    """A parent was built alone: those of its readers are out of date that read what changed."""
    lab.replace("seeds/kinds.csv", "one", "ONE")
    lab.run("kinds")
    assert to_build(lab) == {"report": "input_changed"}
    lab.replace("seeds/kinds.csv", "x", "z")
    lab.run("kinds", "report", "total")
    assert to_build(lab) == {}


def test_a_source_is_as_its_last_reader_found_it(lab: Lab) -> None:
    """That it moved is known once one model has read it anew."""
    lab.edit({"models/again.sql": "select max(amount) as amount, max(kind) as kind, max(id) as id from raw.orders"})
    lab.run()
    lab.sql("insert into raw.orders values (3, 1, 30)")
    assert to_build(lab) == {}
    lab.run("loaded")
    assert to_build(lab) == {"again": "input_changed", "priced": "input_changed", "report": "input_changed"}


def test_a_macro_is_as_the_last_build_found_it(lab: Lab) -> None:
    """A model that was not built since it changed is out of date."""
    lab.edit({"models/cheap.sql": "select cents(1) as c"})
    lab.run()
    lab.sql("create or replace macro cents(x) as x * 1000")
    assert to_build(lab) == {}
    lab.run("cheap")
    assert to_build(lab) == {"priced": "input_changed"}
