"""The decision table, row by row: what is built, what is not, and the words that say why."""

from __future__ import annotations

import pytest
from planning_samples import World, incremental, model, relation

from leapsql_core.errors import SelectionError
from leapsql_core.models import Decision, Failure, ObservedRelation
from leapsql_core.planning import ALL_IN_ORDER, Orphan, seeds_rewritten

TWO = {"models/a.sql": "select 1 as x, 2 as y", "models/b.sql": "select x from a"}


def test_what_was_built_as_it_is_stays() -> None:
    """Same code, same inputs, same relations: nothing is built, and the plan says so of each."""
    world = World(TWO)
    assert world.plan().decisions == {
        path: Decision(path, "skip", "unchanged", "its code and what it reads are as they were") for path in ("a", "b")
    }


def test_what_was_never_built_is_new() -> None:
    """A model without a trace in this environment is built, and the environment is named."""
    world = World(TWO).edit({"models/c.sql": "select x from b"})
    assert world.decide("c") == Decision("c", "build", "new", "it was never built in dev")


def test_another_query_is_built_and_its_first_difference_shown() -> None:
    """The author sees which line is another one, old and new."""
    world = World(TWO).edit({"models/a.sql": "select 1 as x,\n  3 as y"})
    decision = world.decide("a")
    assert (decision.action, decision.reason) == ("build", "query_changed")
    assert decision.detail == "its query changed: `select 1 as x, 2 as y` → `select 1 as x,`"


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ("select 1 as x\nfrom range(3)", "select 1 as x", "without `from range(3)`"),
        ("select 1 as x", "select 1 as x\nfrom range(3)", "with `from range(3)`"),
        (
            "select 1 as x\nfrom range(3)\nwhere true\nlimit 9",
            "select 1 as x",
            "without `from range(3)` and 2 lines more",
        ),
        ("select 1 as x", "select 1 as x\nfrom range(3)\nwhere true", "with `from range(3)` and 1 lines more"),
        ("select 'a  b' as x", "select 'a b' as x", "`select 'a  b' as x` → `select 'a b' as x`"),
        ("select 'a\n  b' as x", "select 'a\n b' as x", "spaces that count, or case that does"),
        (f"select '{'x' * 80}' as x", "select 1 as x", f"`select '{'x' * 51}…` → `select 1 as x`"),
    ],
)
def test_the_first_difference_is_shown_whatever_it_is(before: str, now: str, said: str) -> None:
    """Lines that came, went or changed; long ones are cut."""
    world = World({"models/a.sql": before}).edit({"models/a.sql": now})
    assert world.decide("a").detail == f"its query changed: {said}"


@pytest.mark.parametrize(
    "now",
    [
        "select 1 as x, 2 as y -- a remark",
        "/* a remark */ select 1 as x , 2 as y",
        "SELECT 1 AS x,\n\n  2 AS y;",
    ],
)
def test_layout_and_comments_build_nothing(now: str) -> None:
    """Tokens decide; the reason says that the text did change. Whoever reads the model has nothing to do either."""
    world = World(TWO).edit({"models/a.sql": now})
    assert world.decide("a") == Decision("a", "skip", "formatting_only", "only layout and comments changed")
    assert world.decide("b").reason == "unchanged"
    assert world.plan().code_versions["a"] == world.traces["a"].code_version


def test_a_text_that_is_not_kept_is_built_in_doubt() -> None:
    """Without the text that was built, nothing can be proven."""
    world = World(TWO).edit({"models/a.sql": "select 1 as x,  2 as y"})
    world.texts.clear()
    assert world.decide("a").reason == "query_changed"
    assert world.decide("a").detail == "its query changed, and the text that was built is not kept"


def test_going_back_to_what_was_built_builds_nothing() -> None:
    """What counts is what stands in the warehouse, not what was tried in between."""
    world = World(TWO).edit({"models/a.sql": "select 'bad' as x"})
    world.failures["a"] = Failure(2, "another hash", "no")
    assert world.decide("a").action == "build"
    assert world.edit(TWO).decide("a") == Decision(
        "a", "skip", "unchanged", "its code and what it reads are as they were"
    )


@pytest.mark.parametrize(("attempts", "said"), [(1, "it failed once since"), (3, "it failed 3 times since")])
def test_failed_attempts_are_mentioned(attempts: int, said: str) -> None:
    """What was to be built still is; the detail remembers that it was tried."""
    world = World(TWO).edit({"models/a.sql": "select 7 as x, 2 as y"})
    world.failures["a"] = Failure(attempts, None, "no")
    decision = world.decide("a")
    assert decision.reason == "query_changed"
    assert decision.detail.endswith(f"; {said}")
    assert "failed" not in world.decide("b").detail


# ------------------------------------------------------------------------------------------------------ configuration


@pytest.mark.parametrize(
    ("frontmatter", "said"),
    [
        ({"owner": "ann"}, "only owner changed"),
        ({"description": "numbers", "tags": "[t]"}, "only description, tags changed"),
        ({"group": "g", "meta": "{m: 1}"}, "only group, meta changed"),
        ({"columns": "{x: the number}"}, "only columns changed"),
        ({"unique_key": "x"}, "only unique_key changed"),
    ],
)
def test_descriptive_fields_build_nothing(frontmatter: dict[str, str], said: str) -> None:
    """Who owns a table, and what is said of it, changes no row; nor does a key that no batch will use."""
    world = World(TWO).edit({"models/a.sql": model("select 1 as x, 2 as y", **frontmatter)})
    assert world.decide("a") == Decision("a", "skip", "metadata_only", said)
    assert world.decide("b").action == "skip"


def test_a_configuration_that_is_not_kept_is_built_in_doubt() -> None:
    """Without the old configuration nobody can say that only words changed."""
    world = World(TWO).edit({"models/a.sql": model("select 1 as x, 2 as y", owner="ann")})
    world.code.clear()
    decision = world.decide("a")
    assert (decision.action, decision.reason) == ("build", "config_changed")
    assert "in doubt" in decision.detail


@pytest.mark.parametrize(
    ("frontmatter", "said"),
    [
        ({"materialized": "view"}, "materialized was table, now view"),
        ({"schema": "mart"}, "its relation was main.a, now mart.a"),
        ({"materialized": "incremental"}, "materialized was table, now incremental"),
    ],
)
def test_fields_that_decide_what_is_built_are_named(frontmatter: dict[str, str], said: str) -> None:
    """Another kind of relation, or another place, is another build."""
    world = World(TWO).edit({"models/a.sql": model("select 1 as x, 2 as y", **frontmatter)})
    assert world.decide("a") == Decision("a", "build", "config_changed", said)


def test_a_relation_renamed_by_case_alone_is_the_same() -> None:
    """SQL does not tell `Mart.a` from `mart.a`."""
    world = World({"models/a.sql": model("select 1 as x", schema="mart")})
    world.edit({"models/a.sql": model("select 1 as x", schema="MART")})
    assert world.decide("a").reason == "metadata_only"


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ("unique_key: k", "unique_key: [k, a]", "unique_key was k, now k, a"),
        ("unique_key: k", "", "unique_key was k, now not set"),
        (
            "unique_key: k\nincremental: {strategy: merge}",
            "unique_key: k\nincremental: {strategy: append}",
            "incremental.strategy was merge, now append",
        ),
        (
            "incremental: {strategy: time_column, time_column: a}",
            "incremental: {strategy: time_column, time_column: k}",
            "incremental.time_column was a, now k",
        ),
    ],
)
def test_how_batches_add_up_is_part_of_an_incremental_model(before: str, now: str, said: str) -> None:
    """Another key or strategy makes the table anew, and the field is named with old and new."""
    text = "/*---\nmaterialized: incremental\n{}\n---*/\nselect k, a from src"
    world = World({"models/i.sql": text.format(before)}).edit({"models/i.sql": text.format(now)})
    assert world.decide("i") == Decision("i", "build", "config_changed", said, mode="full")


def test_what_a_later_batch_may_do_is_no_reason_to_build() -> None:
    """`on_schema_change` and `on_query_change` say what to do another time."""
    text = "/*---\nmaterialized: incremental\n{}---*/\nselect k, a from src"
    world = World({"models/i.sql": text.format("")})
    world.edit({"models/i.sql": text.format("incremental: {on_schema_change: sync, on_query_change: forward_only}\n")})
    assert world.decide("i") == Decision("i", "skip", "metadata_only", "only incremental changed", mode="incremental")


def test_settings_that_change_answers_are_inputs_of_every_build() -> None:
    """Another time zone builds all there is, naming setting, old and new; a view keeps the types it was made with."""
    world = World({**TWO, "models/v.sql": model("select x from a", materialized="view")})
    world.settings = {"timezone": "Asia/Tokyo"}
    said = "settings of the target: timezone was as usual, now Asia/Tokyo"
    assert world.decide("a") == Decision("a", "build", "config_changed", said)
    assert world.decide("v") == Decision("v", "build", "config_changed", said)
    world.build("a")
    world.build("v")
    assert (world.decide("a").action, world.decide("v").action) == ("skip", "skip")
    world.settings = {"default_null_order": "nulls_first"}
    assert world.decide("a").detail == (
        "settings of the target: default_null_order was as usual, now nulls_first; "
        "timezone was Asia/Tokyo, now as usual"
    )


def test_settings_hold_no_secrets() -> None:
    """A secret in a setting is kept by its digest, which still tells that it changed."""
    world = World(
        {**TWO, "leapsql.yaml": "target: {type: duckdb, database: ':memory:'}\nsecrets: [TOKEN]\n"},
        {"environ": {"TOKEN": "s3cret"}},
        settings={"brand_new": "key=s3cret"},
    )
    assert "s3cret" not in str(world.traces)
    assert world.decide("a").action == "skip"
    world.options = {"environ": {"TOKEN": "0ther"}}
    world.settings = {"brand_new": "key=0ther"}
    assert world.decide("a").reason == "config_changed"
    assert "0ther" not in world.decide("a").detail


# ------------------------------------------------------------------------------------------------- tests of the rows


def test_changed_tests_are_run_without_a_build() -> None:
    """The rows stand; a check with this reason runs the tests, also as what a pending check comes to."""
    world = World({**TWO, "models/b.sql": model("select x from a", tests="[{not_null: x}]")})
    world.edit({"models/b.sql": model("select x from a", tests="[{not_null: x}, {unique: x}]")})
    tested = Decision("b", "check", "tests_changed", "its tests changed; its rows stand")
    assert world.decide("b") == tested
    world.edit({"models/a.sql": "select 7 as x, 2 as y"})
    assert world.decide("b").reason == "input_pending"
    assert world.plan().otherwise["b"] == tested


def test_other_tests_and_another_query_are_one_build() -> None:
    """A build runs its tests anyway."""
    world = World(TWO).edit({"models/a.sql": model("select 1 as x, 3 as y", tests="[{unique: x}]")})
    assert world.decide("a").reason == "query_changed"


# ------------------------------------------------------------------------------------------------- what became of it


def test_a_relation_that_is_gone_is_built() -> None:
    """Somebody dropped it; the relation is named."""
    world = World(TWO)
    del world.relations[relation("a")]
    assert world.decide("a") == Decision("a", "build", "missing", "main.a is not in the warehouse")
    assert world.decide("b").action == "check"


@pytest.mark.parametrize("comment", [None, "somebody's", "run of b"])
def test_a_relation_that_another_hand_made_is_built(comment: str | None) -> None:
    """Its comment is not the one of the build that the trace tells of."""
    world = World(TWO)
    world.relations[relation("a")] = ObservedRelation("table", comment)
    decision = world.decide("a")
    assert (decision.action, decision.reason) == ("build", "drifted")
    assert decision.detail == (
        "main.a is not the one that was built: it was replaced, restored or altered from outside"
    )


# ------------------------------------------------------------------------------------------------------ what is asked


def test_force_builds_what_is_selected_and_keeps_better_reasons() -> None:
    """What would be built anyway keeps its own reason; nothing else of the project is built."""
    world = World({**TWO, "models/c.sql": "select y from a"}).edit({"models/b.sql": "select x + 1 as x from a"})
    decisions = world.plan("b", "c", force=True).decisions
    assert decisions["c"] == Decision("c", "build", "requested", "it was asked for")
    assert decisions["b"].reason == "query_changed"
    assert set(decisions) == {"b", "c"}


def test_a_full_refresh_makes_incremental_models_anew_and_only_those() -> None:
    """Tables and views are whole at each build; nothing is to be refreshed there."""
    world = World({"models/a.sql": "select 1 as k", "models/i.sql": incremental("select k from a")})
    decisions = world.plan(full_refresh=True).decisions
    assert decisions["i"] == Decision("i", "build", "full_refresh", "it was asked to be made anew", mode="full")
    assert decisions["a"].action == "skip"
    assert world.plan("a", full_refresh=True).decisions["a"].action == "skip"


def test_a_full_refresh_wins_over_a_batch_whatever_the_batch_is_for() -> None:
    """Also over `forward_only`, which keeps history only as long as nobody asks otherwise."""
    files = {"models/i.sql": incremental("select k from src", on_query_change="forward_only")}
    world = World(files).edit(
        {"models/i.sql": incremental("select k + 0 as k from src", on_query_change="forward_only")}
    )
    assert world.decide("i").mode == "incremental"
    decision = world.decide("i", full_refresh=True)
    assert (decision.reason, decision.mode) == ("full_refresh", "full")


def test_an_unknown_path_is_refused_with_the_nearest() -> None:
    """A selection that came from elsewhere may name what the project no longer has."""
    with pytest.raises(SelectionError, match="the project has no model `bb`") as caught:
        World({**TWO, "models/bbb.sql": "select 1 as x"}).plan("a", "bb")
    assert "bbb" in caught.value.mend
    with pytest.raises(SelectionError) as caught:
        World(TWO).plan("qqqq")
    assert "leapsql list" in caught.value.mend


# --------------------------------------------------------------------------------------------------- incremental modes


@pytest.mark.parametrize(
    ("change", "reason", "mode"),
    [
        ("query", "query_changed", "full"),
        ("gone", "missing", "full"),
        ("drift", "drifted", "full"),
        ("source", "input_changed", "incremental"),
        ("force", "requested", "incremental"),
        ("new", "new", "full"),
    ],
)
def test_an_incremental_model_takes_a_batch_unless_it_begins_anew(change: str, reason: str, mode: str) -> None:
    """Changed data is a batch; changed code, and a table that is not there, are a new beginning."""
    world = World({"models/i.sql": incremental("select k from src")})
    if change == "query":
        world.edit({"models/i.sql": incremental("select k + 1 as k from src")})
    elif change == "gone":
        world.relations.clear()
    elif change == "drift":
        world.relations[relation("i")] = ObservedRelation("table", "x")
    elif change == "source":
        world.move_source("src")
    elif change == "new":
        world.edit({"models/j.sql": incremental("select k from src")})
    decision = world.plan(force=change == "force").decisions["j" if change == "new" else "i"]
    assert (decision.action, decision.reason, decision.mode) == ("build", reason, mode)


def test_the_query_of_a_batch_is_code_too() -> None:
    """An edit inside `is_incremental()` is a change, its layout is none."""
    world = World({"models/i.sql": incremental("select k from src")})
    text = world.files["models/i.sql"]
    assert world.edit({"models/i.sql": text.replace("where k >", "where  k >  -- later\n")}).decide("i").reason == (
        "formatting_only"
    )
    assert world.edit({"models/i.sql": text.replace("where k >", "where k >=")}).decide("i").reason == "query_changed"
    world.texts = {key: value for key, value in world.texts.items() if "where" not in value}
    assert "not kept" in world.decide("i").detail


@pytest.mark.parametrize("change", ["query", "columns"])
def test_forward_only_keeps_history_when_the_query_changes(change: str) -> None:
    """The author said that old rows stay: the new query makes the next batch, by whichever way it became new."""
    files = {
        "models/p.sql": "select k, a from src",
        "models/i.sql": incremental("select * from p", on_query_change="forward_only"),
    }
    world = World(files)
    if change == "query":
        world.edit({"models/i.sql": incremental("select k from p", on_query_change="forward_only")})
    else:
        world.edit({"models/p.sql": "select k, a, b from src"})
        world.build("p")
    decision = world.decide("i")
    assert decision.action == "build"
    assert decision.reason in ("query_changed", "resolved_differently")
    assert decision.mode == "incremental"


# ---------------------------------------------------------------------------------------------------------- not looked


def test_skip_is_said_only_where_the_warehouse_was_looked_at() -> None:
    """Without a look, what has no reason to be built is a check that says what was not looked at."""
    world = World(TWO)
    world.looks = False
    assert world.decide("a") == Decision("a", "check", "unobserved", "the warehouse was not looked at")
    assert world.plan().otherwise["a"].reason == "unchanged"


def test_code_is_decided_without_a_look() -> None:
    """A sensor sees edits while a run holds the database."""
    world = World({**TWO, "models/s.sql": "select a from src"})
    world.looks = False
    world.edit({"models/a.sql": "select 7 as x, 2 as y", "models/new.sql": "select 1 as q"})
    assert world.reasons() == {
        "a": "query_changed",
        "b": "input_pending",
        "new": "new",
        "s": "unobserved",
    }
    assert world.decide("s").detail == "src was not looked at"


def test_layout_is_a_check_without_a_look_and_comes_to_a_skip() -> None:
    """What the text says is known; what became of the relation is not."""
    world = World(TWO).edit({"models/a.sql": "select 1 as x, 2 as y -- a remark"})
    world.looks = False
    assert world.decide("a").action == "check"
    assert world.plan().otherwise["a"].reason == "formatting_only"


# ------------------------------------------------------------------------------------------------- beside the decisions


def test_models_that_are_gone_leave_orphans() -> None:
    """Deleted and disabled ones alike, sorted; they are no reason for anything else."""
    world = World({**TWO, "models/z.sql": "select 1 as q", "models/y.sql": "select 1 as q"}, looks=False)
    world.edit({"models/z.sql": None, "models/y.sql": model("select 1 as q", enabled="false")})
    assert world.plan().orphans == (Orphan("y", "main.y"), Orphan("z", "main.z"))
    world.looks = True
    assert set(world.actions().values()) == {"skip"}


def test_of_long_lines_the_part_that_differs_is_shown() -> None:
    """What two lines begin with alike says nothing, and would leave no room for the rest."""
    query = "select 'a long text that stands before everything else' as a, 1 as b from (select 2 as c, 3 as d)"
    world = World({"models/a.sql": query}).edit({"models/a.sql": query.replace("3", "4")})
    detail = world.decide("a").detail
    assert detail == "its query changed: `…rom (select 2 as c, 3 as d)` → `…rom (select 2 as c, 4 as d)`"


def test_parents_that_were_not_selected_and_are_out_of_date_are_listed() -> None:
    """Each by its path, parents first, however far above, through views and tables. What is up to date is not."""
    world = World(
        {
            "models/a.sql": "select 1 as x",
            "models/v.sql": model("select x from a", materialized="view"),
            "models/b.sql": "select x from v",
            "models/c.sql": "select 1 as z",
            "models/d.sql": "select x, z from b, c",
        }
    )
    assert world.plan("d").stale_parents == ()
    world.edit({"models/a.sql": "select 7 as x", "models/c.sql": "select 2 as z"})
    assert world.plan("d").stale_parents == ("a", "c")
    assert world.plan("d", "b").stale_parents == ("a", "c")
    assert world.plan("b").stale_parents == ("a",)
    assert world.plan("b", "a").stale_parents == ()


def test_a_parent_that_is_built_in_every_run_is_not_out_of_date_for_that() -> None:
    """Otherwise the list would never be empty."""
    world = World({"models/a.sql": "select random() as x", "models/b.sql": "select x from a"})
    assert world.decide("a").recurring
    assert world.plan("b").stale_parents == ()


def test_code_versions_are_those_that_a_build_would_have() -> None:
    """Inherited while the query is proven the same; else the content's hash, of unselected models too."""
    world = World({**TWO, "models/c.sql": "select y from a"})
    old = world.traces["a"].code_version
    world.edit({"models/a.sql": "select 1 as x, 2 as y -- a remark", "models/b.sql": "select x + 1 as x from a"})
    plan = world.plan("c")
    assert plan.code_versions["a"] == old
    assert plan.code_versions["b"] == world.project.nodes["b"].content_hash != world.traces["b"].code_version
    assert plan.rewritten == {"b"}


def test_a_seed_is_built_when_its_content_changes() -> None:
    """Its file is named; who reads it waits for what comes of it."""
    world = World({"seeds/s.csv": "a,b\n1,2\n", "models/m.sql": "select a from s"})
    world.edit({"seeds/s.csv": "a,b\n1,3\n"})
    assert world.decide("s") == Decision("s", "build", "seed_changed", "the content of seeds/s.csv changed")
    assert world.decide("m").reason == "input_pending"


@pytest.mark.parametrize("looks", [True, False])
def test_a_seed_that_holds_the_same_rows_is_not_built(looks: bool) -> None:
    """Whatever its bytes, and whether or not the warehouse was looked at; the version of its code stays."""
    world = World({"seeds/s.csv": "a,b\n1,2\n", "models/m.sql": "select a from s"}, looks=looks)
    old = world.traces["s"].code_version
    world.edit({"seeds/s.csv": 'a,b\r\n"1",2\r\n'})
    world.seeds["s"] = "rows of s"
    detail = "only how its file is written changed: the rows are the same"
    plan = world.plan()
    skipped = Decision("s", "skip", "formatting_only", detail)
    assert (plan.decisions if looks else plan.otherwise)["s"] == skipped
    assert plan.decisions["m"].reason == ("unchanged" if looks else "input_pending")
    assert plan.code_versions["s"] == old != world.project.nodes["s"].content_hash
    assert plan.rewritten == frozenset()
    assert seeds_rewritten(world.project, world.snapshot) == [world.project.nodes["s"]]


@pytest.mark.parametrize("version", [None, "other rows"])
def test_a_seed_whose_rows_are_not_proven_the_same_is_built(version: str | None) -> None:
    """They are others, or nobody can tell."""
    world = World({"seeds/s.csv": "a,b\n1,2\n"}).edit({"seeds/s.csv": "a,b\r\n1,2\r\n"})
    world.seeds["s"] = version
    assert world.decide("s").reason == "seed_changed"


def test_a_seed_whose_build_kept_no_version_of_its_rows_is_built_and_not_read() -> None:
    """There is nothing to compare it with: an older state, a type that cannot be compared."""
    world = World({"seeds/s.csv": "a,b\n1,2\n"}).edit({"seeds/s.csv": "a,b\r\n1,2\r\n"})
    assert len(seeds_rewritten(world.project, world.snapshot)) == 1
    del world.data_versions["run of s"][ALL_IN_ORDER]
    assert seeds_rewritten(world.project, world.snapshot) == []
    assert world.decide("s").reason == "seed_changed"


def test_a_model_that_becomes_a_seed_is_built() -> None:
    """The same path, another kind."""
    world = World({"models/s.sql": "select 1 as a"}).edit({"models/s.sql": None, "seeds/s.csv": "a\n1\n"})
    assert world.decide("s").detail == "materialized was table, now seed"
