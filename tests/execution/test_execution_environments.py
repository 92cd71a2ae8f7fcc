"""Environments: the same model may stand at other versions in each, in one state or in two."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from projects import Lab

from leapsql_core.testing import InMemoryStateStore

Make = Callable[..., Lab]

YAML = """
target: {type: duckdb, database: ':memory:'}
vars: {least: 1}
environments:
  prod: {target: {schema: prod}, vars: {least: 2}}
  test: {target: {schema: test}}
"""
FILES = {
    "leapsql.yaml": YAML,
    "models/items.sql": "select * from raw.items where n >= {{ var('least') }}",
    "models/total.sql": "select sum(n) as n from items",
}
RAW = ("create schema raw", "create table raw.items as select * from (values (1), (2), (3)) as v(n)")


@pytest.fixture
def lab(make_lab: Make) -> Lab:
    """Make a project that is built in dev and in prod."""
    lab = make_lab(FILES)
    lab.sql(*RAW)
    for environment in (None, "prod"):
        lab.environment = environment
        assert lab.run().status == "completed"
    return lab


def reasons(lab: Lab, environment: str | None) -> dict[str, str]:
    lab.environment = environment
    return {path: one.reason for path, one in lab.plan().decisions.items()}


def totals(lab: Lab) -> dict[str, int]:
    return {schema: lab.rows(f"select n from {schema}.total")[0][0] for schema in ("main", "prod")}


def test_each_environment_stands_at_its_own_version(lab: Lab) -> None:
    """An edit that was built in dev is still to be built in prod, and going back changes nothing there."""
    assert totals(lab) == {"main": 6, "prod": 5}
    lab.replace("models/total.sql", "sum(n)", "max(n)")
    lab.environment = None
    assert lab.run().built == {"total"}
    assert totals(lab) == {"main": 3, "prod": 5}
    assert reasons(lab, None) == {"items": "unchanged", "total": "unchanged"}
    assert reasons(lab, "prod") == {"items": "unchanged", "total": "query_changed"}
    lab.replace("models/total.sql", "max(n)", "sum(n)")
    assert reasons(lab, None) == {"items": "unchanged", "total": "query_changed"}
    assert reasons(lab, "prod") == {"items": "unchanged", "total": "unchanged"}


def test_a_variable_of_one_environment_is_no_change_in_another(lab: Lab) -> None:
    """What prod overrides, dev does not see; what both share, both do."""
    lab.edit({"leapsql.yaml": YAML.replace("least: 2", "least: 3")})
    assert reasons(lab, None) == {"items": "unchanged", "total": "unchanged"}
    assert reasons(lab, "prod")["items"] == "query_changed"
    lab.edit({"leapsql.yaml": YAML.replace("{least: 1}", "{least: 0}")})
    assert reasons(lab, None)["items"] == "query_changed"
    assert reasons(lab, "prod") == {"items": "unchanged", "total": "unchanged"}


def test_a_new_environment_builds_itself_alone(lab: Lab) -> None:
    """Everything is new in it, and nothing moves in the others."""
    before = {name: lab.state.read_snapshot(name) for name in ("dev", "prod")}
    assert reasons(lab, "test") == {"items": "new", "total": "new"}
    assert lab.run().built == {"items", "total"}
    assert {name: lab.state.read_snapshot(name) for name in ("dev", "prod")} == before
    assert lab.rows("select n from test.total") == [(6,)]
    assert reasons(lab, None) == {"items": "unchanged", "total": "unchanged"}


def test_environments_may_stand_in_states_of_their_own(lab: Lab) -> None:
    """Neither state takes over what the other has built; each goes on from its own."""
    both = lab.state
    lab.state = InMemoryStateStore()
    lab.state.open()
    lab.state.init_schema()
    assert reasons(lab, "test") == {"items": "new", "total": "new"}
    lab.run()
    assert lab.state.read_snapshot("dev").traces == {}
    lab.sql("insert into raw.items values (4)")
    assert lab.run().built == {"items", "total"}
    lab.state = both
    assert reasons(lab, None) == {"items": "input_changed", "total": "input_pending"}
    assert lab.run().built == {"items", "total"}
    assert both.read_snapshot("test").traces == {}
