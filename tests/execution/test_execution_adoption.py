"""What the warehouse knows of builds is believed where the state does not: after a crash, without a state."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from projects import Lab, Outcome

from leapsql_core.execution.marking import read_record, write_record
from leapsql_core.models import Request
from leapsql_core.planning import Orphan
from leapsql_core.protocols import Build
from leapsql_core.testing import InMemoryStateStore

Make = Callable[..., Lab]

FILES = {
    "seeds/rates.csv": "id,rate\n1,10\n2,20\n",
    "models/orders.sql": (
        "/*---\ntests:\n  - unique: id\n  - relationships: {column: rate, to: rates, field: id}\n---*/\n"
        "select id, rate, amount from raw.orders"
    ),
    "models/big.sql": (
        "/*---\nmaterialized: view\ntests: [not_null: id]\n---*/\nselect id, amount from orders where id > 1"
    ),
    "models/log.sql": (
        "/*---\nmaterialized: incremental\nincremental: {strategy: append}\n---*/\n"
        "select id from orders{% if is_incremental() %} where id > (select max(id) from {{ this }}){% endif %}"
    ),
    "models/total.sql": "select sum(amount) as amount, count(*) as n from big join rates on true",
}
RAW = (
    "create schema raw",
    "create table raw.orders as select * from (values (1, 1, 10), (2, 2, 20), (3, 1, 30)) as v(id, rate, amount)",
)


class Killed(BaseException):
    """The process is gone: nobody catches this, and nothing happens after it."""


class MortalStore(InMemoryStateStore):
    """A state store whose process is killed at the moment when it is to record the build of a given model."""

    dies_at: str | None = None
    is_dead = False

    def record_build(self, build: Build) -> None:
        if build.trace.model_path == self.dies_at:
            self.is_dead = True
            raise Killed
        self._check()
        super().record_build(build)

    def update_model_run(self, *args: Any, **options: Any) -> Any:
        self._check()
        return super().update_model_run(*args, **options)

    def complete_run(self, *args: Any, **options: Any) -> Any:
        self._check()
        return super().complete_run(*args, **options)

    def _check(self) -> None:
        if self.is_dead:
            raise Killed


@pytest.fixture
def lab(make_lab: Make) -> Lab:
    """Make a project with every kind of model, not built yet."""
    lab = make_lab(FILES, state=MortalStore(), parallel=1)
    lab.sql(*RAW)
    return lab


def killed_run(lab: Lab, path: str, **options: Any) -> None:
    """Run, and be killed between the commit of a model and its record."""
    assert isinstance(lab.state, MortalStore)
    lab.state.dies_at = path
    with pytest.raises(Killed):
        lab.run(**options)
    lab.die()
    lab.state.dies_at, lab.state.is_dead = None, False


def lose_state(lab: Lab) -> None:
    lab.state = InMemoryStateStore()
    lab.state.open()
    lab.state.init_schema()


def assert_settled(lab: Lab) -> None:
    """Assert that a plan finds nothing to do, and that all is as it would be if it were built anew."""
    assert {path: one.action for path, one in lab.plan().decisions.items()} == dict.fromkeys(lab.project.nodes, "skip")
    lab.assert_as_from_scratch()


# --------------------------------------------------------------------------------------------------------- after a kill


@pytest.mark.parametrize("path", ["rates", "orders", "big", "log", "total"])
def test_what_was_committed_before_a_kill_is_not_built_again(lab: Lab, path: str) -> None:
    """Of any kind of model: its model run ends as the success that it was, and the run goes on from there."""
    killed_run(lab, path)
    killed = lab.state.list_runs()[0]
    [open_row] = [row for one, row in lab.model_runs(killed.id).items() if one == path]
    assert open_row.status == "running"
    planned = lab.plan().decisions
    assert planned[path].action == "skip"
    outcome = lab.run()
    assert path not in outcome.built
    assert lab.model_runs(killed.id)[path].status == "success"
    assert lab.state.read_snapshot("dev").traces[path].model_run_id == open_row.id
    assert_settled(lab)


@pytest.mark.parametrize("asked", [{"force": True}, {"full_refresh": True}, {"force": True, "full_refresh": True}])
def test_what_a_killed_run_was_asked_and_did_is_not_done_again(lab: Lab, asked: dict[str, bool]) -> None:
    """A run that takes up what it has left is asked the same, of all but what was committed: a batch is applied once.

    Who asks for it anew gets it.
    """
    lab.edit({"models/log.sql": FILES["models/log.sql"].replace("id > (select max(id) from {{ this }})", "true")})
    lab.run()
    killed_run(lab, "log", **asked)
    rows = lab.sql("select count(*) from log")
    outcome = lab.run("log", "total", resumes=True, **asked)
    assert (outcome["log"].status, outcome["log"].reason) == ("skipped", "unchanged")
    assert outcome["total"].status == ("success" if asked.get("force") else "skipped")
    assert lab.sql("select count(*) from log") == rows
    assert lab.run("log", **asked)["log"].status == "success"


def test_a_run_notes_what_it_is_asked(lab: Lab) -> None:
    """When it begins, so that also one that ends at once is known by it."""
    lab.run("rates", force=True, full_refresh=True)
    killed_run(lab, "orders", force=True)
    assert [run.request for run in lab.state.list_runs()] == [
        Request(force=True),
        Request(force=True, full_refresh=True),
    ]


def test_a_batch_is_applied_once_though_nobody_noted_it(lab: Lab) -> None:
    """An append that was committed is not appended again, and the next one goes on behind it."""
    lab.run()
    lab.sql("insert into raw.orders values (4, 2, 40)")
    killed_run(lab, "log")
    assert lab.rows("select count(*), max(id) from main.log") == [(4, 4)]
    assert "log" not in lab.run().built
    lab.sql("insert into raw.orders values (5, 2, 50)")
    assert "log" in lab.run().built
    assert lab.rows("select list(id order by id) from main.log") == [([1, 2, 3, 4, 5],)]


def test_what_was_built_before_a_kill_counts_as_what_it_was_built_from(lab: Lab) -> None:
    """Code that was edited after the kill, and data that moved after it, are changes still."""
    lab.run()
    lab.replace("models/total.sql", "sum(amount)", "max(amount)")
    killed_run(lab, "total")
    lab.replace("models/total.sql", "max(amount)", "min(amount)")
    assert lab.run()["total"].reason == "query_changed"
    lab.replace("models/total.sql", "min(amount)", "avg(amount)")
    killed_run(lab, "total")
    lab.sql("update raw.orders set amount = 41 where id = 3")
    outcome = lab.run()
    assert (outcome["total"].status, outcome["total"].reason) == ("success", "input_changed")
    assert lab.run().built == set()
    lab.assert_as_from_scratch()


def test_tests_that_passed_before_a_kill_are_not_run_again(lab: Lab) -> None:
    """They passed in the transaction that was committed."""
    killed_run(lab, "orders")
    outcome = lab.run()
    assert (outcome["orders"].reason, outcome["orders"].tests) == ("unchanged", ())


# ------------------------------------------------------------------------------------------------------ without a state


def test_a_lost_state_is_read_back_from_the_warehouse(lab: Lab) -> None:
    """Nothing is built again; a run that is completed tells of the builds, under their ids and times of old."""
    first = lab.run()
    before = lab.state.read_snapshot("dev")
    results = lab.state.read_test_results("dev")
    lose_state(lab)
    assert {one.action for one in lab.plan().decisions.values()} == {"skip"}
    outcome = lab.run()
    assert outcome.built == set()
    after = lab.state.read_snapshot("dev")
    assert after.traces == before.traces
    assert after.data_versions.keys() == before.data_versions.keys()
    assert lab.state.read_test_results("dev") == results
    [latest, adopted] = lab.state.list_runs()
    assert latest.id == outcome.run_id
    assert adopted.status == "completed"
    rows = lab.model_runs(adopted.id)
    assert {path: row.id for path, row in rows.items()} == {path: first[path].model_run_id for path in first.built}
    assert {(row.status, row.reason) for row in rows.values()} == {("success", "adopted")}
    lab.sql("insert into raw.orders values (4, 2, 40)")
    assert lab.run().built == {"orders", "log", "total"}
    assert_settled(lab)


def test_all_of_a_lost_state_is_read_back_whatever_is_selected(lab: Lab) -> None:
    """A run of one model takes over the others too, for once it has built the state is no longer empty."""
    lab.run()
    lose_state(lab)
    lab.run("rates")
    assert lab.run().built == set()


def test_edits_since_a_state_was_lost_are_seen(lab: Lab) -> None:
    """The warehouse keeps the texts, too: a comment builds nothing, another query does."""
    lab.run()
    lose_state(lab)
    lab.replace("models/total.sql", "count(*) as n", "count(*) as n /* rows */")
    lab.replace("models/orders.sql", "id, rate, amount", "id, rate, amount + 1 as amount")
    assert lab.plan().decisions["total"].reason == "input_pending"
    outcome = lab.run()
    assert outcome.built == {"orders", "total"}
    assert outcome["orders"].reason == "query_changed"
    lab.assert_as_from_scratch()


def test_an_older_state_is_brought_up_to_date_by_the_warehouse(make_lab: Make) -> None:
    """A copy of the state that was put back knows the builds until then; later ones of its own are taken over."""
    lab = make_lab(FILES, parallel=1)
    lab.sql(*RAW)
    lab.run()
    older = lab.state
    snapshot, history = older.read_snapshot("dev"), older.read_history()
    lab.sql("insert into raw.orders values (4, 2, 40)")
    assert "log" in lab.run().built
    lab.sql("insert into raw.orders values (5, 2, 50)")
    assert "log" in lab.run().built
    lab.state = _copy_of(lab, snapshot, history)
    assert lab.run().built == set()
    assert_settled(lab)


def _copy_of(lab: Lab, snapshot: Any, history: str | None) -> InMemoryStateStore:
    """Return a state of the same history that knows the builds of `snapshot` alone."""
    texts = lab.state.read_texts(
        {one for trace in snapshot.traces.values() for one in (trace.query_hash, trace.incremental_query_hash) if one}
    )
    code = lab.state.read_code_versions({trace.content_hash for trace in snapshot.traces.values()})
    store = InMemoryStateStore()
    store.open()
    store.init_schema()
    store._tables.history = history or ""
    from leapsql_core.execution.records import facts_of

    store.register_models(facts_of(lab.project))
    store.adopt_builds(
        "dev",
        [
            Build(trace, code[trace.content_hash], texts, snapshot.data_versions.get(trace.model_run_id, {}))
            for trace in snapshot.traces.values()
        ],
    )
    return store


# ------------------------------------------------------------------------------------------------ what is not believed


def test_a_relation_that_was_put_back_has_drifted(lab: Lab) -> None:
    """An older relation with its comment and marker is no build to go on from: tables are built, batches refused."""
    lab.run()
    kept = {name: lab.warehouse.relations()["main", name].comment for name in ("orders", "log")}
    lab.meddle("create table main.orders_kept as from main.orders; create table main.log_kept as from main.log")
    lab.meddle("create table main.markers_kept as from _leapsql.markers")
    lab.sql("insert into raw.orders values (4, 2, 40)")
    lab.run()
    for name in ("orders", "log"):
        lab.meddle(f"create or replace table main.{name} as from main.{name}_kept")
        lab.meddle(f"comment on table main.{name} is '{kept[name]}'")
    lab.meddle("delete from _leapsql.markers; insert into _leapsql.markers from main.markers_kept")
    decisions = lab.plan().decisions
    assert {name: decisions[name].reason for name in ("orders", "log")} == {"orders": "drifted", "log": "drifted"}
    outcome = lab.run()
    assert outcome["orders"].status == "success"
    assert "leapsql state adopt" in (outcome["log"].error or "")


def test_a_relation_of_another_history_has_drifted_where_a_state_remembers(make_lab: Make) -> None:
    """Two states that build into one schema: what the other built in the place of ours is not ours."""
    lab = make_lab({"models/m.sql": "select 1 as x", "models/n.sql": "select 2 as y"})
    lab.run()
    ours = lab.state
    lose_state(lab)
    lab.run("m", force=True)
    lab.state = ours
    assert {path: one.reason for path, one in lab.plan().decisions.items()} == {"m": "drifted", "n": "unchanged"}


def test_a_relation_of_another_history_is_not_taken_by_a_state_that_never_had_it(make_lab: Make) -> None:
    """It belongs to somebody; the ways out are named."""
    lab = make_lab({"models/m.sql": "select 1 as x"})
    lab.run()
    lose_state(lab)
    lab.edit({"models/m.sql": None, "models/n.sql": "select 2 as y"})
    lab.run()
    lab.edit({"models/m.sql": "select 3 as x"})
    assert lab.run()["m"].error == (
        "models/m.sql: main.m was built with another state: each project needs schemas of its own;"
        " --full-refresh replaces it, `leapsql state adopt m` takes it over as it stands"
    )
    assert lab.rows("from main.m") == [(1,)]


@pytest.mark.parametrize(
    "record",
    ["", "no json", "[]", "{}", '{"trace": null}', '{"trace": {"model_run_id": 1}, "code": {}, "texts": {}}'],
)
def test_a_record_that_cannot_be_read_is_no_build(lab: Lab, record: str) -> None:
    """One of a later version, or that somebody altered: the models are new, and what stands there is not touched."""
    lab.run()
    lab.meddle(f"update _leapsql.markers set record = '{record}'")
    lose_state(lab)
    assert {one.reason for one in lab.plan().decisions.values()} == {"new"}
    outcome = lab.run("orders", "rates")
    assert outcome.failed == {"orders", "rates"}
    assert "was built with another state" in (outcome["orders"].error or "")


def test_a_record_of_something_else_is_no_build(lab: Lab) -> None:
    """Marker and record have to speak of the same."""
    lab.run()
    lab.meddle(
        "update _leapsql.markers set record ="
        " (select other.record from _leapsql.markers as other where other.relation_name = 'rates')"
    )
    lose_state(lab)
    assert {path for path, one in lab.plan().decisions.items() if one.action == "skip"} == {"rates"}


def test_a_build_comes_back_from_its_record_as_it_was(lab: Lab) -> None:
    """Traces with views, sources and settings, test results and texts; whatever is in them."""
    lab.run()
    records = dict(lab.rows("select model_path, record from _leapsql.markers"))
    assert records.keys() == set(lab.project.nodes)
    for text in records.values():
        build = read_record(text)
        assert build is not None
        assert json.loads(write_record(build)) == json.loads(text)
    traces = lab.state.read_snapshot("dev").traces
    assert {path: read_record(text).trace for path, text in records.items()} == traces  # type: ignore[union-attr]


# ------------------------------------------------------------------------------------------------------------- orphans


def test_a_model_that_moved_leaves_its_old_relation_and_it_is_named(make_lab: Make) -> None:
    """The state knows the new one alone; the warehouse still says whose the old one was."""
    lab = make_lab({"models/m.sql": "select 1 as x"})
    lab.run()
    lab.edit({"models/m.sql": "/*---\nschema: mart\n---*/\nselect 1 as x"})
    assert lab.plan().orphans == (Orphan("m", "main.m"),)
    assert lab.run().built == {"m"}
    assert lab.plan().orphans == (Orphan("m", "main.m"),)
    lab.meddle("drop table main.m")
    assert lab.plan().orphans == ()


def test_what_another_hand_put_in_the_place_of_an_orphan_is_none(make_lab: Make) -> None:
    """The marker speaks of what we made; what stands there now bears another comment."""
    lab = make_lab({"models/m.sql": "select 1 as x"})
    lab.run()
    lab.edit({"models/m.sql": None})
    assert lab.plan().orphans == (Orphan("m", "main.m"),)
    lab.meddle("create or replace table main.m as select 2 as mine")
    assert lab.plan().orphans == ()


# --------------------------------------------------------------------------------------------------- adopted on request


def adopt(lab: Lab, *paths: str) -> Outcome:
    return lab.run(*paths, adopt=True)


def test_a_table_is_taken_over_as_it_stands(make_lab: Make) -> None:
    """Rows and all; its tests are run, its versions taken, and from then on it is like one that was built."""
    log = FILES["models/log.sql"].replace("orders", "raw.orders")
    lab = make_lab({"models/i.sql": log, "models/n.sql": "select count(*) as n from i"})
    lab.sql(*RAW)
    lab.meddle("create table main.i as select * from (values (0), (3)) as v(id)")
    assert lab.run().failed == {"i"}
    outcome = adopt(lab, "i")
    assert (outcome["i"].status, outcome["i"].reason, outcome["i"].sql) == ("success", "adopted", None)
    assert lab.rows("select list(id order by id) from main.i") == [([0, 3],)]
    assert lab.run().built == {"n"}
    assert lab.rows("from main.n") == [(2,)]
    lab.sql("insert into raw.orders values (4, 2, 40)")
    assert lab.run().built == {"i", "n"}
    assert lab.rows("select list(id order by id) from main.i") == [([0, 3, 4],)]


def test_an_incremental_model_that_drifted_is_taken_over_on_request(lab: Lab) -> None:
    """What a run refuses: its rows are now what they are, and what reads them is built for them."""
    lab.run()
    lab.meddle("create or replace table main.log as select 1 as id union all select 7")
    assert "leapsql state adopt" in (lab.run()["log"].error or "")
    assert adopt(lab, "log").built == {"log"}
    assert {one.action for one in lab.plan().decisions.values()} == {"skip"}
    assert lab.rows("select list(id order by id) from main.log") == [([1, 7],)]


def test_what_is_not_there_is_not_adopted(lab: Lab) -> None:
    """Adoption builds nothing."""
    lab.run()
    lab.meddle("drop table main.total")
    assert adopt(lab, "total")["total"].error == "models/total.sql: main.total cannot be adopted: it is not there"
    assert lab.run().built == {"total"}


@pytest.mark.parametrize("path", ["big", "rates"])
def test_a_view_or_a_seed_is_made_anew_at_no_strangers_cost(lab: Lab, path: str) -> None:
    """Where LeapSQL made what stands there it is made again; a stranger's table or view stays."""
    lab.run()
    assert adopt(lab, path)[path].reason == "adopted"
    assert {one.action for one in lab.plan().decisions.values()} == {"skip"}
    lab.meddle("drop view main.big; create table main.big as select 'precious' as x")
    lab.meddle("create or replace table main.rates as select 'precious' as x")
    assert "LeapSQL did not make it" in (adopt(lab, path)[path].error or "")
    assert lab.rows(f"from main.{path}") == [("precious",)]


def test_a_table_that_is_certainly_another_is_not_adopted(make_lab: Make) -> None:
    """Its columns are not those that the query makes, or its rows fail the tests: it stays what it was."""
    lab = make_lab({"models/m.sql": "/*---\ntests: [unique: x]\n---*/\nselect 1 as x, 2 as y"})
    lab.meddle("create table main.m as select 1 as x, 2 as z")
    assert adopt(lab, "m")["m"].error == (
        "models/m.sql: main.m has the columns x, z, and the model makes x, y\n"
        "    Rename what is there, or let a run build it."
    )
    lab.meddle("create or replace table main.m as select 1 as x, 2 as y from range(2)")
    assert "unique(x) failed" in (adopt(lab, "m")["m"].error or "")
    assert lab.warehouse.relations()["main", "m"].comment is None
    assert lab.state.read_snapshot("dev").traces == {}


def test_an_environment_that_was_renamed_takes_over_what_it_had(make_lab: Make) -> None:
    """Of every kind, on request; then it belongs to the new one, and the old one is refused it."""
    yaml = "target: {type: duckdb, database: ':memory:'}\nenvironments: {prod: {}}\n"
    lab = make_lab({**FILES, "leapsql.yaml": yaml})
    lab.sql(*RAW)
    lab.run()
    held = lab.rows("select list(id order by id) from main.log")
    lab.environment = "prod"
    assert lab.run().built == set()
    assert adopt(lab).built == set(lab.project.nodes)
    assert lab.rows("select list(id order by id) from main.log") == held
    assert lab.run().built == set()
    lab.assert_as_from_scratch()
    lab.environment = None
    assert "belongs to environment prod" in (lab.run(force=True)["rates"].error or "")


# ------------------------------------------------------------------------------------------------------- other projects


def test_another_project_takes_over_nothing_and_names_no_orphans(make_lab: Make) -> None:
    """Two projects in one database: each minds its own, though both are built in `dev`, and neither has a state yet."""
    yaml = "name: {}\ntarget: {{type: duckdb, database: ':memory:'}}\n"
    models = {"models/m.sql": "select 1 as x", "models/n.sql": "select 2 as x"}
    lab = make_lab({"leapsql.yaml": yaml.format("one"), **models})
    lab.run()
    lose_state(lab)
    lab.edit({"leapsql.yaml": yaml.format("two"), "models/n.sql": None})
    assert lab.plan().orphans == ()
    assert lab.plan().decisions["m"].reason == "new"
    assert "was built with another state" in (lab.run()["m"].error or "")
    assert lab.rows("from main.m") == [(1,)]


def test_rows_that_were_gathered_with_a_state_that_was_lost_are_not_thrown_away_unasked(make_lab: Make) -> None:
    """The state is read back; but who knows whether it was ours: what would make the table anew waits for a word."""
    files = {"models/i.sql": "/*---\nmaterialized: incremental\n---*/\nselect id from raw.orders where id > 0"}
    lab = make_lab(files)
    lab.sql(*RAW)
    lab.run()
    lose_state(lab)
    assert lab.run().built == set()
    lab.replace("models/i.sql", "id > 0", "id > 1")
    assert "was built with another state" in (lab.run()["i"].error or "")
    assert lab.run("i", full_refresh=True).built == {"i"}
    lab.replace("models/i.sql", "id > 1", "id > 2")
    assert lab.run().built == {"i"}


def test_what_is_read_as_a_source_is_no_orphan(make_lab: Make) -> None:
    """A model that became a source by being deleted: others read its table still."""
    lab = make_lab({"models/m.sql": "select 1 as x", "models/n.sql": "select x from main.m"})
    lab.run()
    lab.edit({"models/m.sql": None})
    assert lab.plan().orphans == ()


def test_a_model_renamed_by_case_alone_has_one_marker(make_lab: Make) -> None:
    """The relation is the same, and so is what the warehouse keeps of it."""
    lab = make_lab({"models/orders.sql": "select 1 as a"})
    lab.run()
    lab.edit({"models/orders.sql": None, "models/Orders.sql": "select 2 as a"})
    lab.run()
    markers = lab.warehouse.markers()
    assert [marker.relation.name for marker in markers.values()] == ["Orders"]
    assert lab.rows("select count(*) from _leapsql.markers") == [(1,)]
