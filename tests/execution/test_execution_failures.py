"""Failures: a model fails alone, its old rows stay, what depends on it waits, and everything is told and kept."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import pytest
from projects import Lab, Outcome

from leapsql_core.errors import StateError
from leapsql_core.execution import ModelFinished
from leapsql_core.models import ObservedRelation
from leapsql_core.testing import InMemoryStateStore

Make = Callable[..., Lab]

FAMILY = {
    "models/a.sql": "select 1 as x",
    "models/b.sql": "select x from a",
    "models/c.sql": "select x from b",
    "models/d.sql": "select x from c",
    "models/other.sql": "select 2 as y",
    "models/reads_other.sql": "select y from other",
}


@pytest.fixture
def family(make_lab: Make) -> Lab:
    lab = make_lab(FAMILY)
    assert lab.run().status == "completed"
    return lab


def test_a_failure_stops_only_what_depends_on_it(family: Lab) -> None:
    """Descendants are skipped with the name of what failed, siblings are built, the old table still stands."""
    family.edit({"models/b.sql": "select error('on purpose') as x from a", "models/other.sql": "select 3 as y"})
    outcome = family.run()
    assert outcome.status == "failed"
    assert outcome.failed == {"b"}
    assert outcome.built == {"other", "reads_other"}
    assert (outcome["c"].status, outcome["c"].reason, outcome["c"].detail) == ("skipped", "upstream_failed", "b failed")
    assert outcome["d"].detail == "b failed, and so c was skipped"
    assert outcome.end.error == "failed: b; skipped because of that: c, d"
    assert family.rows("from main.b") == [(1,)]


def test_a_failure_is_kept(family: Lab) -> None:
    """Run, model run with its error, and the models that waited; the trace of what stands is still the old one."""
    before = family.state.read_snapshot("dev").traces["b"]
    family.edit({"models/b.sql": "select error('on purpose') as x from a"})
    outcome = family.run()
    rows = family.model_runs(outcome.run_id)
    assert (rows["b"].status, rows["b"].reason) == ("failed", "query_changed")
    assert "on purpose" in (rows["b"].error or "")
    assert (rows["c"].status, rows["c"].reason, rows["c"].detail) == ("skipped", "upstream_failed", "b failed")
    run = family.state.get_run(outcome.run_id)
    assert (run.status, run.error) == ("failed", outcome.end.error)
    assert family.state.read_snapshot("dev").traces["b"] == before
    assert family.state.read_snapshot("dev").failures["b"].attempts == 1


def test_a_mended_model_is_built_and_everything_that_waited(family: Lab) -> None:
    """The plan remembers the failure until it is mended."""
    family.edit({"models/b.sql": "select error('on purpose') as x from a"})
    family.run()
    assert family.plan().decisions["b"].detail.endswith("; it failed once since")
    family.run()
    assert family.plan().decisions["b"].detail.endswith("; it failed 2 times since")
    family.edit({"models/b.sql": "select x + 1 as x from a"})
    assert family.run().built == {"b", "c", "d"}
    assert family.run().built == set()
    family.assert_as_from_scratch()


def test_going_back_after_a_failure_builds_nothing(family: Lab) -> None:
    """The failed attempt left nothing that would have to be undone."""
    family.edit({"models/b.sql": "select error('on purpose') as x from a"})
    family.run()
    family.edit(FAMILY)
    outcome = family.run()
    assert outcome.started == []
    assert outcome.status == "completed"


def test_a_parent_that_was_built_while_a_reader_failed_counts_for_it(family: Lab) -> None:
    """`b` fails when `a` has moved; mended, it reads the new `a`, and what failed before was other code."""
    family.edit({"models/a.sql": "select 5 as x", "models/b.sql": "select error('on purpose') as x from a"})
    assert family.run().built == {"a"}
    family.edit({"models/b.sql": FAMILY["models/b.sql"]})
    outcome = family.run()
    assert outcome.built == {"b", "c", "d"}
    assert outcome["b"].detail == "a changed: data, in x"
    assert family.rows("from main.d") == [(5,)]


def test_an_error_names_file_and_line(make_lab: Make) -> None:
    """Of the author's file, frontmatter and macros counted; where the line is not certain, the file alone."""
    lab = make_lab(
        {
            "models/deep/er/bad.sql": "/*---\nowner: ann\n---*/\n\nselect\n  1 as x,\n  nothing as y\nfrom (select 1)",
            "models/batch.sql": "/*---\nmaterialized: incremental\n---*/\nselect 1 as k\n\n  , nothing as y",
            "models/templated.sql": (
                "{% for n in [1, 2] %}\nselect nothing as y\n{{ 'union all' if n == 1 else '' }}\n{% endfor %}"
            ),
            "models/late.sql": "select\n  error('late') as x",
        }
    )
    outcome = lab.run()
    assert (outcome["deep.er.bad"].error or "").startswith("models/deep/er/bad.sql:7: Binder Error")
    assert (outcome["batch"].error or "").startswith("models/batch.sql:6: Binder Error")
    assert (outcome["templated"].error or "").startswith("models/templated.sql")
    assert (outcome["late"].error or "").startswith("models/late.sql")
    assert "late" in (outcome["late"].error or "")


def test_a_template_that_fails_with_the_values_of_a_run_names_its_place(make_lab: Make) -> None:
    """It rendered for its hash, and does not for the run: file, line and cause are told as everywhere."""
    lab = make_lab({"models/m.sql": "select 1 as x\n{% if run_started_at.year > 1970 %}{{ nowhere }}{% endif %}"})
    outcome = lab.run()
    assert (outcome["m"].error or "").startswith("models/m.sql:2: 'nowhere' is undefined")


# --------------------------------------------------------------------------------------------------------------- tests

TESTED = "/*---\ntests:\n  - not_null: {{column: x, severity: {severity}}}\n---*/\nselect {value} as x"


def with_test(value: str, severity: str = "error") -> str:
    return TESTED.format(value=value, severity=severity)


def test_a_failing_test_rolls_back(make_lab: Make) -> None:
    """The rows that fail never show; the error names the test and shows some of them; readers wait."""
    lab = make_lab({"models/m.sql": with_test("1"), "models/r.sql": "select x from m"})
    lab.run()
    lab.edit({"models/m.sql": with_test("NULL")})
    outcome = lab.run()
    assert outcome["m"].error == "models/m.sql: test not_null(x) failed: 1 failing (x = NULL)"
    assert [result.failures for result in outcome["m"].tests] == [1]
    assert outcome["r"].reason == "upstream_failed"
    assert lab.rows("from main.m") == [(1,)]
    assert lab.warehouse.relations()["main", "m"].comment == lab.state.read_snapshot("dev").traces["m"].model_run_id


def test_a_failing_test_of_a_first_build_leaves_nothing(make_lab: Make) -> None:
    """No relation, no marker."""
    lab = make_lab({"models/m.sql": with_test("NULL")})
    assert lab.run().failed == {"m"}
    assert ("main", "m") not in lab.warehouse.relations()
    assert lab.warehouse.markers() == {}


def test_a_warning_reports_and_lets_it_pass(make_lab: Make) -> None:
    """The model is built, its readers too; the result is told."""
    lab = make_lab({"models/m.sql": with_test("NULL", "warn"), "models/r.sql": "select x from m"})
    outcome = lab.run()
    assert outcome.built == {"m", "r"}
    [result] = outcome["m"].tests
    assert (result.passed, result.failures, result.sample) == (False, 1, (("NULL",),))


def test_a_failing_row_is_told_in_a_few_words(make_lab: Make) -> None:
    """By the key that its model says is unique, and what is tested; long values are cut short."""
    columns = ", ".join(f"{number} as c{number}" for number in range(20))
    query = f"select {columns}, 5 as id, null::int as x, repeat('long ', 50) as y"
    tests = "tests:\n  - unique: id\n  - not_null: x\n  - expression: \"y = ''\""
    lab = make_lab({"models/m.sql": f"/*---\n{tests}\n---*/\n{query}"})
    assert lab.run()["m"].error == (
        "models/m.sql: test not_null(x) failed: 1 failing (id = 5, x = NULL);"
        " test expression(y = '') failed: 1 failing (id = 5, y = long long long long long long long long…)"
    )


def test_all_failing_tests_are_told_with_a_few_rows_each(make_lab: Make) -> None:
    """Every test is run before the model is given up; more rows than are shown are hinted at."""
    frontmatter = (
        "/*---\ntests:\n  - unique: x\n  - not_null: y\n"
        "  - not_null: {column: y, severity: warn, where: 'x = 1'}\n---*/\n"
    )
    lab = make_lab({"models/m.sql": frontmatter + "select (n // 2)::int as x, null as y from range(20) as r(n)"})
    error = lab.run()["m"].error or ""
    assert "test unique(x) failed: 10 failing (x = 0, times = 2; x = 1, times = 2; " in error
    assert "; …); test not_null(y) failed: 20 failing" in error
    assert "where" not in error


def test_changed_tests_are_run_without_a_build(make_lab: Make) -> None:
    """The relation is not touched; passing tests are remembered, and not run again."""
    lab = make_lab({"models/m.sql": "select 1 as x", "models/r.sql": "select x from m"})
    lab.run()
    comment = lab.warehouse.relations()["main", "m"].comment
    lab.edit({"models/m.sql": with_test("1")})
    outcome = lab.run()
    assert (outcome["m"].status, outcome["m"].reason) == ("skipped", "tests_changed")
    assert outcome["m"].detail == "its tests changed, and pass"
    assert [result.passed for result in outcome["m"].tests] == [True]
    assert outcome.started == ["m"]
    assert outcome["r"].reason == "unchanged"
    assert lab.warehouse.relations()["main", "m"].comment == comment
    again = lab.run()
    assert again.started == []
    assert again["m"].reason == "metadata_only"


def test_a_test_that_fails_on_what_stands_fails_the_model(make_lab: Make) -> None:
    """The relation stays, its readers wait until it passes, and the next run tries again."""
    lab = make_lab({"models/m.sql": "select null as x", "models/r.sql": "select 1 as y from m where x is null"})
    lab.run()
    lab.edit({"models/m.sql": with_test("null")})
    for _ in range(2):
        outcome = lab.run()
        assert (outcome["m"].status, outcome["m"].reason) == ("failed", "tests_changed")
        assert outcome["r"].reason == "upstream_failed"
        assert lab.rows("select count(*) from main.m") == [(1,)]
    lab.edit({"models/m.sql": with_test("null", "warn")})
    assert lab.run().status == "completed"


def test_a_test_reads_another_relation_built_before_it(make_lab: Make) -> None:
    """A relationship waits for what it refers to, and fails alone: that model's failure is not this one's."""
    link = "/*---\ntests:\n  - relationships: {column: c, to: customers, field: id}\n---*/\nselect 7 as c"
    lab = make_lab({"models/a_orders.sql": link, "models/customers.sql": "select 7 as id"})
    outcome = lab.run(parallel=4)
    assert outcome.status == "completed"
    assert list(outcome.finished) == ["customers", "a_orders"]
    lab.edit(
        {"models/customers.sql": "select error('no') as id", "models/a_orders.sql": link.replace("7 as c", "8 as c")}
    )
    outcome = lab.run()
    assert outcome.failed == {"a_orders", "customers"}
    assert "test relationships(c → customers.id) failed" in (outcome["a_orders"].error or "")


# ------------------------------------------------------------------------------------------------- relations of others


def test_a_relation_that_leapsql_did_not_make_is_refused(make_lab: Make) -> None:
    """It is left as it was, and the ways out are named; one of them works."""
    lab = make_lab({"models/m.sql": "select 1 as x"})
    lab.meddle("create table main.m as select 'precious' as x")
    outcome = lab.run()
    assert outcome["m"].error == (
        "models/m.sql: main.m exists and LeapSQL did not make it: drop it or rename the model;"
        " --full-refresh replaces it, `leapsql state adopt m` takes it over as it stands"
    )
    assert lab.rows("from main.m") == [("precious",)]
    assert lab.run(full_refresh=True).built == {"m"}
    assert lab.rows("from main.m") == [(1,)]


def test_a_model_that_moves_does_not_take_what_stands_there(make_lab: Make) -> None:
    """That a model was built elsewhere makes a stranger's table of its new name no more its own."""
    lab = make_lab({"models/m.sql": "select 1 as x"})
    lab.run()
    lab.meddle("create schema mart")
    lab.meddle("create table mart.m as select 'precious' as x")
    lab.edit({"models/m.sql": "/*---\nschema: mart\n---*/\nselect 1 as x"})
    assert "LeapSQL did not make it" in (lab.run()["m"].error or "")
    assert lab.rows("from mart.m") == [("precious",)]


def test_a_table_made_by_hand_in_the_place_of_a_forgotten_one_is_refused(make_lab: Make) -> None:
    """The marker alone does not make it ours: its comment does not agree."""
    lab = make_lab({"models/m.sql": "select 1 as x"})
    lab.run()
    lab.meddle("create or replace table main.m as select 'precious' as x")
    lab.state = InMemoryStateStore()
    lab.state.open()
    lab.state.init_schema()
    assert "LeapSQL did not make it" in (lab.run()["m"].error or "")
    assert lab.rows("from main.m") == [("precious",)]


def test_a_relation_of_another_environment_is_refused(make_lab: Make) -> None:
    """Two environments on one database need schemas of their own; also with --full-refresh."""
    yaml = "target: {type: duckdb, database: ':memory:'}\nenvironments: {prod: {}}\n"
    lab = make_lab({"leapsql.yaml": yaml, "models/m.sql": "select 1 as x"})
    lab.run()
    lab.environment = "prod"
    for full_refresh in (False, True):
        outcome = lab.run(full_refresh=full_refresh)
        assert outcome["m"].error == (
            "models/m.sql: main.m belongs to environment dev: each environment needs a database or schemas of its own,"
            " or `leapsql state adopt m` takes it over"
        )
    lab.environment = None
    assert lab.run().status == "completed"


def test_a_dropped_relation_of_another_environment_is_free(make_lab: Make) -> None:
    """A name under which nothing stands belongs to nobody."""
    yaml = "target: {type: duckdb, database: ':memory:'}\nenvironments: {prod: {}}\n"
    lab = make_lab({"leapsql.yaml": yaml, "models/m.sql": "select 1 as x"})
    lab.run()
    lab.meddle("drop table main.m")
    lab.environment = "prod"
    assert lab.run().built == {"m"}


# ----------------------------------------------------------------------------------------------------------- the state


class Refusing(InMemoryStateStore):
    """A state whose disk is full when one operation is asked for a certain time."""

    def __init__(self, operation: str, *, at: int) -> None:
        super().__init__()
        self.operation, self.left = operation, at

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("_") or name in ("operation", "left") or name != self.operation:
            return found

        def refuse(*arguments: Any, **options: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                raise StateError("the state is full")
            return found(*arguments, **options)

        return refuse


@pytest.mark.parametrize("operation", ["update_model_run", "record_build"])
@pytest.mark.parametrize("at", [0, 1, 3])
def test_a_state_that_refuses_in_the_middle_ends_the_run(make_lab: Make, operation: str, at: int) -> None:
    """The error reaches the caller, the run is recorded as failed if it can be, and the next run makes all well."""
    lab = make_lab(FAMILY, state=Refusing(operation, at=at), parallel=3)
    with pytest.raises(StateError, match="the state is full"):
        lab.run()
    assert [run.status for run in lab.state.list_runs()] == ["failed"]
    lab.state.left = 1_000_000  # type: ignore[attr-defined]
    outcome = lab.run()
    assert outcome.status == "completed"
    lab.assert_as_from_scratch()
    assert lab.run().built == set()


def test_a_state_that_refuses_everything_is_told_with_the_first_trouble(make_lab: Make) -> None:
    """What went wrong first is raised; what went wrong while the run was ended stands in its notes."""
    lab = make_lab(FAMILY, state=Refusing("complete_run", at=0))
    lab.edit({"models/a.sql": "select 1 as x"})

    def give_up(*_: Any) -> Any:
        raise RuntimeError("out of order")

    with pytest.raises(RuntimeError, match="out of order") as caught:
        list(lab.stream(workshop=lab.workshop(prove=give_up, clock=give_up)))
    assert any("the state is full" in note for note in caught.value.__notes__)
    assert "the state is full" in "".join(traceback.format_exception(caught.value))


def test_a_state_that_cannot_be_read_fails_the_run_before_anything_is_built(make_lab: Make) -> None:
    """Nothing was decided, so nothing is built."""
    lab = make_lab(FAMILY, state=Refusing("read_snapshot", at=0))
    with pytest.raises(StateError):
        lab.run()
    assert [run.status for run in lab.state.list_runs()] == ["failed"]
    assert {key for key in lab.warehouse.relations() if key[0] == "main"} == set()


# ------------------------------------------------------------------------------------------------------------- secrets

SECRET = "s3cr3t-t0ken"


def test_secrets_are_nowhere(make_lab: Make) -> None:
    """Not in the state, nor in events: neither in SQL, nor in errors, differences, samples of tests or settings."""
    lab = make_lab(
        {
            "leapsql.yaml": "target: {type: duckdb, database: ':memory:'}\nsecrets: [TOKEN]\n",
            "models/good.sql": "select '{{ env.TOKEN }}' as x",
            "models/bad.sql": "select error('{{ env.TOKEN }}') as x",
            "models/binder.sql": 'select "{{ env.TOKEN }}" as x',
            "models/tested.sql": "/*---\ntests:\n  - expression: {expression: 'false', severity: warn}\n---*/\n"
            "select '{{ env.TOKEN }}' as x",
            "models/failing.sql": "/*---\ntests:\n  - expression: 'false'\n---*/\nselect '{{ env.TOKEN }}' as x",
        },
        environ={"TOKEN": SECRET},
    )
    outcome = lab.run()
    assert outcome.built == {"good", "tested"}
    lab.edit({"models/good.sql": "select '{{ env.TOKEN }}' as x, 1 as y"})
    again = lab.run()
    assert "<secret TOKEN " in again["good"].detail
    assert lab.rows("select x from main.good") == [(SECRET,)]
    told = [describe(event) for event in (*outcome.events, *again.events)]
    assert SECRET not in repr(told)
    tables = lab.state._tables  # type: ignore[attr-defined]
    assert SECRET not in repr(tables)


def describe(event: Any) -> Any:
    """Return all that an event says beside the model itself, whose text is the author's own."""
    if isinstance(event, ModelFinished):
        return {name: getattr(event, name) for name in event.__slots__ if name != "node"}
    return event


def test_a_secret_in_a_failing_row_is_masked_before_it_is_cut_short(make_lab: Make) -> None:
    """Half a secret would be a leak that no mask finds."""
    secret = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ\n-----END KEY-----"
    lab = make_lab(
        {
            "leapsql.yaml": "target: {type: duckdb, database: ':memory:'}\nsecrets: [KEY]\n",
            "models/m.sql": "/*---\ntests:\n  - expression: length(k) = 0\n---*/\nselect '{{ env.KEY }}' as k",
        },
        environ={"KEY": secret},
    )
    error = lab.run()["m"].error or ""
    assert "k = <secret KEY " in error
    assert "BEGIN" not in error


def test_a_changed_secret_is_a_changed_query(make_lab: Make) -> None:
    """It is counted by its digest, and still hidden."""
    lab = make_lab(
        {
            "leapsql.yaml": "target: {type: duckdb, database: ':memory:'}\nsecrets: [TOKEN]\n",
            "models/m.sql": "select '{{ env.TOKEN }}' as x",
        },
        environ={"TOKEN": SECRET},
    )
    lab.run()
    assert lab.run().built == set()
    lab.environ = {"TOKEN": "another-one"}
    outcome = lab.run()
    assert outcome.built == {"m"}
    assert "another-one" not in repr([describe(event) for event in outcome.events])


def test_a_source_that_fails_with_a_secret_hides_it(make_lab: Make) -> None:
    """What the database says of a source may repeat what stands in a view."""
    lab = make_lab(
        {
            "leapsql.yaml": "target: {type: duckdb, database: ':memory:'}\nsecrets: [TOKEN]\n",
            "models/m.sql": "select x from raw",
        },
        environ={"TOKEN": SECRET},
    )
    lab.sql(f"create view raw as select error('{SECRET}') as x")
    outcome = lab.run()
    assert SECRET not in repr([describe(event) for event in outcome.events])
    assert outcome.failed == {"m"}


def test_what_is_left_after_any_failure_is_whole(family: Lab) -> None:
    """Whatever failed, every relation still carries the comment of the build that its trace tells of."""
    family.edit({"models/b.sql": "select error('no') as x from a", "models/a.sql": "select 9 as x"})
    family.run()
    traces = family.state.read_snapshot("dev").traces
    for path, trace in traces.items():
        assert family.warehouse.relations()["main", path] == ObservedRelation("table", trace.model_run_id)
        assert family.warehouse.markers()["main", path].model_run_id == trace.model_run_id


def test_the_outcome_of_a_run_lists_all_that_failed(family: Lab) -> None:
    """Two failures, and what waited for them."""
    family.edit({"models/other.sql": "select error('no') as y", "models/c.sql": "select error('no') as x from b"})
    outcome: Outcome = family.run()
    assert outcome.end.error == "failed: c, other; skipped because of that: d, reads_other"
