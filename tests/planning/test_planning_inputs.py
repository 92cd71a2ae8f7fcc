"""Inputs: what a model read when it was built, compared with what it would read now."""

from __future__ import annotations

from dataclasses import replace

import pytest
from planning_samples import World, model, relation

from leapsql_core.models import Column, Decision, Model, ObservedRelation, Relation, TraceInput
from leapsql_core.planning import Observations, VersionBook, column_sets_read, settle
from leapsql_core.planning.inputs import input_columns

CHAIN = {
    "models/a.sql": "select 1 as x, 2 as y, 3 as z",
    "models/b.sql": "select x from a",
    "models/c.sql": "select y, z from a",
    "models/n.sql": "select count(*) as n from a",
}


def test_a_rebuilt_parent_with_the_same_values_in_what_is_read_is_no_reason() -> None:
    """Early cut-off: each reader looks at its own columns, one at the number of rows alone."""
    world = World(CHAIN)
    world.build("a", changed=("y",))
    assert world.actions() == {"a": "skip", "b": "skip", "c": "build", "n": "skip"}
    assert world.decide("c").detail == "a changed: data, in y, z"


def test_a_change_in_everything_is_a_change_in_the_number_of_rows_too() -> None:
    """A reader that counts rows is named with what it reads."""
    world = World(CHAIN)
    world.data_versions["run of a"]["[]"] = "another number"
    assert world.decide("n").detail == "a changed: data, in the number of its rows"


def test_unknown_lineage_reads_all_columns() -> None:
    """Where nobody knows what is read, everything counts, and the detail says so."""
    world = World({**CHAIN, "models/u.sql": "select a as whole from a"})
    assert world.project.nodes["u"].inputs[0].columns is None
    world.build("a", changed=("z",))
    assert world.decide("u").detail == "a changed: data, in all its columns"


def test_a_parent_that_may_be_built_makes_its_reader_a_check() -> None:
    """Whether it changes in what is read shows when it is built; all such parents are named."""
    world = World({**CHAIN, "models/d.sql": "select b.x, c.y from b, c"})
    world.edit({"models/a.sql": "select 7 as x, 2 as y, 3 as z"})
    assert world.decide("b") == Decision("b", "check", "input_pending", "builds if a changes in what it reads")
    assert world.decide("d").detail == "builds if b or c changes in what it reads"
    assert world.plan().otherwise["b"].reason == "unchanged"


def test_several_changed_inputs_are_all_named() -> None:
    """Three of them with their columns, the rest by number."""
    files = {f"models/p{n}.sql": f"select {n} as x" for n in range(5)}
    world = World({**files, "models/m.sql": "select p0.x from p0, p1, p2, p3, p4 where p1.x = 1 and p2.x = 2"})
    for n in range(3):
        world.build(f"p{n}", changed=("x",))
    assert world.decide("m").detail == "; ".join(f"p{n} changed: data, in x" for n in range(3))
    for n in (3, 4):
        world.data_versions[f"run of p{n}"]["[]"] = "more"
    assert world.decide("m").detail.endswith("; and 2 more")


def test_reading_something_else_is_told_both_ways() -> None:
    """What came and what went, where the text alone would not tell: a hidden input that `depends_on` names."""
    world = World({**CHAIN, "models/d.sql": model("select 1 as x", depends_on="[b]")})
    world.edit({"models/d.sql": model("select 1 as x", depends_on="[c]")})
    assert world.decide("d") == Decision("d", "build", "resolved_differently", "it reads no longer b, now c")


def test_a_moved_parent_is_another_relation_in_an_equal_text() -> None:
    """The author's text is the same, the name in it means another relation: both are shown as they resolve."""
    world = World(CHAIN).edit({"models/a.sql": model(CHAIN["models/a.sql"], schema="mart")})
    decision = world.decide("b")
    assert (decision.action, decision.reason) == ("build", "resolved_differently")
    assert 'names in it mean other relations now: `select x from "main"."a"` → `select x from "mart"."a"`' in (
        decision.detail
    )


def test_a_model_that_takes_the_name_of_a_source_is_another_input() -> None:
    """`from src` meant a table outside of the project, and now means a model."""
    world = World({"models/m.sql": "select a from src"}).edit({"models/src.sql": "select 1 as a"})
    assert world.decide("m").reason == "resolved_differently"


def test_a_hidden_input_that_moves_is_told() -> None:
    """What only `depends_on` names stands in no text, and is compared by its relation."""
    world = World({**CHAIN, "models/d.sql": model("select 1 as x", depends_on="[b]")})
    world.edit({"models/b.sql": model("select x from a", schema="mart")})
    assert world.decide("d").detail == "b is mart.b now, and was main.b"
    world.edit({"models/b.sql": None})
    assert world.decide("d").detail == "b is the source b now, and was main.b"


def test_a_batch_that_reads_more_than_the_first_build_counts() -> None:
    """What only the query of a batch reads is an input all the same."""
    text = (
        "/*---\nmaterialized: incremental\n---*/\nselect x from a{% if is_incremental() %} join b using (x){% endif %}"
    )
    world = World({**CHAIN, "models/i.sql": text})
    world.build("b", changed=("x",))
    assert world.decide("i").detail == "b changed: data, in x"


# ------------------------------------------------------------------------------------------------------------- columns


def test_a_column_that_is_added_under_a_star_is_read() -> None:
    """`*` means what the parent has now; a reader of named columns is not touched."""
    world = World({**CHAIN, "models/s.sql": "select * from a"})
    world.edit({"models/a.sql": "select 1 as x, 2 as y, 3 as z, 4 as w"})
    world.build("a", changed=("*",))
    assert world.decide("s") == Decision("s", "build", "resolved_differently", "it reads other columns of a: +w")
    assert world.decide("b").action == "skip"


def test_a_column_that_goes_away_under_a_star_is_a_change() -> None:
    """Fewer columns are read, and what was read is not as it was."""
    world = World({"models/a.sql": CHAIN["models/a.sql"], "models/s.sql": "select * from a"})
    world.edit({"models/a.sql": "select 1 as x, 2 as y"})
    assert world.decide("s").reason == "input_pending"
    world.build("a", changed=("*",))
    assert world.decide("s") == Decision("s", "build", "resolved_differently", "it reads other columns of a: -z")


def test_columns_that_change_places_are_a_change_under_a_star_alone() -> None:
    """The order is part of the version of several columns together."""
    world = World({**CHAIN, "models/s.sql": "select * from a"})
    world.edit({"models/a.sql": "select 3 as z, 1 as x, 2 as y"})
    world.build("a")
    assert world.actions()["b"] == "skip"


def test_a_parser_that_sees_more_clearly_rebuilds_nothing() -> None:
    """Where fewer columns are read than a build noted, and all of those are as they were, the answer is."""
    world = World(CHAIN)
    trace = world.traces["b"]
    wide = TraceInput("a", "main.a", ("x", "y"), "a x and y")
    world.traces["b"] = replace(trace, inputs=(wide,))
    world.data_versions["run of a"]['["x","y"]'] = "a x and y"
    assert world.decide("b").action == "skip"
    world.traces["b"] = replace(trace, inputs=(replace(wide, columns=None, data_version="a *"),))
    world.data_versions["run of a"]["*"] = "a *"
    assert world.decide("b").action == "skip"
    world.data_versions["run of a"]["*"] = "a * now"
    assert world.decide("b").detail == "it reads other columns of a: x instead of all its columns"


def test_a_parser_that_sees_more_rebuilds_what_it_did_not_see() -> None:
    """A column that counts, and did not before, was never compared."""
    world = World(CHAIN)
    trace = world.traces["c"]
    world.traces["c"] = replace(trace, inputs=(TraceInput("a", "main.a", ("y",), trace.inputs[0].data_version),))
    assert world.decide("c").detail == "it reads other columns of a: +z"
    world.traces["c"] = replace(trace, inputs=(TraceInput("a", "main.a", (), trace.inputs[0].data_version),))
    assert world.decide("c").detail == "it reads other columns of a: +y, +z"


def test_more_columns_are_a_reason_even_where_the_parent_is_to_be_built() -> None:
    """That is known before; fewer are not, for only the built parent shows whether it still has them."""
    world = World({**CHAIN, "models/s.sql": "select * from a"})
    world.edit({"models/a.sql": "select 1 as x, 2 as y, 3 as z, 4 as w"})
    assert world.decide("s").reason == "resolved_differently"


# --------------------------------------------------------------------------------------------------------------- views

VIEWS = {
    "models/t.sql": "select 1 as x, 2 as y",
    "models/v.sql": model("select x, y from t", materialized="view"),
    "models/w.sql": model("select x as x1, y as y1 from v where y > 0", materialized="view"),
    "models/r.sql": "select x1 from w",
    "models/q.sql": "select x from v",
}


def test_what_a_reader_reads_is_traced_through_views_to_tables() -> None:
    """A view has no version of its own; a column that a view only filters by counts for its readers too."""
    world = World(VIEWS)
    world.build("t", changed=("y",))
    assert world.actions() == {"t": "skip", "v": "skip", "w": "skip", "q": "skip", "r": "build"}
    assert world.decide("r").detail == "w changed: data, in x1"


def test_views_are_not_built_for_data() -> None:
    """A view shows its inputs as they are now."""
    world = World(VIEWS)
    world.build("t", changed=("x", "y"))
    assert [world.decide(path).action for path in ("v", "w")] == ["skip", "skip"]


def test_views_are_built_for_columns() -> None:
    """Another type under a view's column, or another column under its star, is a reason."""
    world = World(VIEWS)
    trace = world.traces["t"]
    x, y = trace.columns
    world.traces["t"] = replace(trace, columns=(x, replace(y, type="VARCHAR")))
    assert world.decide("v").detail == "t changed: names or types of columns, in x, y"
    world.traces["t"] = replace(trace, columns=(y, x))
    assert world.decide("v").reason == "input_changed"


def test_a_view_that_was_rewritten_moves_its_readers_with_it() -> None:
    """Its code is part of what its readers read; its layout is not."""
    world = World(VIEWS)
    world.edit({"models/v.sql": model("select x, y from t -- all", materialized="view")})
    assert set(world.actions().values()) == {"skip"}
    world.edit({"models/v.sql": model("select x + 1 as x, y from t", materialized="view")})
    assert world.actions() == {"t": "skip", "v": "build", "w": "check", "q": "check", "r": "check"}
    world.traces["v"] = replace(world.traces["v"], code_version="unlike before")
    world.edit(VIEWS)
    assert world.actions() == {"t": "skip", "v": "skip", "w": "skip", "q": "build", "r": "build"}


def test_a_table_shows_through_a_view_that_is_not_selected() -> None:
    """The run changes what the view shows, so its reader is a check though the view is left alone."""
    world = World(VIEWS).edit({"models/t.sql": "select 7 as x, 2 as y"})
    assert world.actions("t", "q", "r") == {"t": "build", "q": "check", "r": "check"}
    assert world.decide("q", force=False).action == "check"
    assert world.actions("q", "r") == {"q": "skip", "r": "skip"}


def test_a_table_does_not_show_through_a_table_that_is_not_selected() -> None:
    """What lies behind a table stays as it was."""
    world = World({**CHAIN, "models/d.sql": "select x from b"}).edit({"models/a.sql": "select 7 as x, 2 as y, 3 as z"})
    assert world.actions("a", "d") == {"a": "build", "d": "skip"}


def test_a_view_that_was_edited_and_not_built_is_in_doubt() -> None:
    """Its text no longer says what stands in the warehouse, so nobody can tell what its readers would read."""
    world = World(VIEWS).edit({"models/v.sql": model("select x * 2 as x, y from t", materialized="view")})
    decision = world.plan("q").decisions["q"]
    assert (decision.action, decision.reason, decision.recurring) == ("build", "input_changed", True)
    assert decision.detail == ("whether v changed cannot be told (v was edited and not built again): built in doubt")
    assert world.plan("q").stale_parents == ("v",)


def test_a_view_whose_columns_moved_under_its_star_is_in_doubt() -> None:
    """It was made when its parent had other columns."""
    world = World(
        {
            "models/t.sql": "select 1 as x",
            "models/v.sql": model("select * from t", materialized="view"),
            "models/q.sql": "select x from v",
        }
    )
    world.edit({"models/t.sql": "select 1 as x, 2 as y"})
    world.build("t", changed=("*",))
    assert world.plan("q").decisions["q"].detail.startswith("whether v changed cannot be told")
    assert world.decide("v").reason == "resolved_differently"


def test_what_a_view_reads_without_showing_it_counts_for_its_readers() -> None:
    """An input that only `depends_on` names decides a view's rows for all we know."""
    world = World(
        {
            "models/h.sql": "select 1 as x",
            "models/v.sql": model("select 1 as x", materialized="view", depends_on="[h]"),
            "models/q.sql": "select x from v",
        }
    )
    assert None in column_sets_read(world.project)["h"]
    world.build("h", changed=("x",))
    assert world.decide("q").action == "build"


def test_a_view_that_becomes_a_table_is_a_change_for_its_readers() -> None:
    """The table's version is of its rows; that the view showed the same rows is nobody's to say."""
    world = World(VIEWS).edit({"models/v.sql": "select x, y from t"})
    world.build("v")
    assert world.decide("q").action == "build"


# -------------------------------------------------------------------------------------------------------------- sources


def source(version: str) -> str:
    return f"target: {{type: duckdb, database: ':memory:'}}\nsources:\n  raw.src: {version}\n"


READS = {
    "models/m.sql": "select a from raw.src",
    "models/o.sql": "select b from raw.src",
    "models/v.sql": model("select a from raw.src", materialized="view"),
    "models/w.sql": "select a from v",
}


def test_a_source_counts_by_its_data_in_the_columns_read() -> None:
    """Who reads another column, and views, have nothing to do; a reader through a view has."""
    world = World(READS).move_source("raw.src", "a")
    assert world.actions() == {"m": "build", "o": "skip", "v": "skip", "w": "build"}
    assert world.decide("m").detail == "raw.src changed: data, in a"


def test_a_source_that_always_counts_as_changed_builds_its_readers() -> None:
    """In every run, and so it is no reason to launch one; views only show it."""
    world = World({**READS, "leapsql.yaml": source("{version: always}")})
    assert world.actions() == {"m": "build", "o": "build", "v": "skip", "w": "build"}
    detail = "raw.src counts as changed in every run (version: always)"
    assert world.decide("m") == Decision("m", "build", "volatile", detail, recurring=True)
    assert "(raw.src has version: always)" in world.decide("w").detail
    assert world.decide("w").recurring


def test_a_source_that_never_counts_as_changed_builds_nothing() -> None:
    """Its author said so; also where nothing was looked at."""
    world = World({**READS, "leapsql.yaml": source("{version: never}")}).move_source("raw.src")
    assert set(world.actions().values()) == {"skip"}
    world.looks = False
    assert world.decide("m").detail == "the warehouse was not looked at"


def test_a_source_that_cannot_be_read_is_in_doubt_and_says_why() -> None:
    """The build will say it too, unless the source is back by then."""
    world = World(READS)
    for key in list(world.source_versions):
        world.source_versions[key] = None
    world.source_columns.clear()
    world.unreadable["raw.src"] = "Table with name src does not exist!"
    for path in ("m", "v", "w"):
        decision = world.plan(path).decisions[path]
        assert "(Table with name src does not exist!): built in doubt" in decision.detail
        assert decision.recurring


def test_a_version_that_was_not_told_when_it_was_built_is_in_doubt() -> None:
    """Two unknowns are not equal. Where a version is known now, a build takes the doubt away."""
    world = World(READS)
    trace = world.traces["m"]
    world.traces["m"] = replace(trace, inputs=(replace(trace.inputs[0], data_version=None),))
    detail = "whether raw.src changed cannot be told: built in doubt"
    assert world.decide("m") == Decision("m", "build", "input_changed", detail)
    for key in list(world.source_versions):
        world.source_versions[key] = None
    assert world.decide("m") == Decision("m", "build", "input_changed", detail, recurring=True)


def test_a_change_that_is_sure_wins_over_a_doubt() -> None:
    """A reason that a build takes away is worth launching a run for, whichever input stands first."""
    world = World({"models/p.sql": "select 1 as x", "models/m.sql": "select p.x, s.a from a_source as s, p"})
    for key in list(world.source_versions):
        world.source_versions[key] = None
    assert world.decide("m").recurring
    world.build("p", changed=("x",))
    assert not world.decide("m").recurring
    assert "p changed: data, in x" in world.decide("m").detail


def test_columns_of_a_source_under_a_view_count() -> None:
    """A view over a source is built when names or types of what it reads change."""
    world = World(READS)
    a, b, k = world.source_columns["raw.src"]
    world.source_columns["raw.src"] = (a, replace(b, type="VARCHAR"), k)
    assert world.decide("v").action == "skip"
    world.source_columns["raw.src"] = (replace(a, type="VARCHAR"), b, k)
    assert world.decide("v").detail == "raw.src changed: names or types of columns, in a"


# ---------------------------------------------------------------------------------------------- order, and what moves


def test_who_reads_the_order_of_rows_is_built_with_every_build_of_an_input() -> None:
    """The same rows may stand in another order: the first of them are others then."""
    world = World({**CHAIN, "models/f.sql": "select first(x) as x from a"})
    assert world.decide("f").action == "skip"
    world.build("a")
    assert world.decide("f").detail == "a changed: data or the order of its rows (first() without ORDER BY), in x"
    assert world.decide("b").action == "skip"


def test_the_order_shows_through_views_both_ways() -> None:
    """A view that takes the first rows makes all its readers hang on the order; so does a reader that takes them."""
    world = World(
        {
            "models/t.sql": "select 1 as x, 2 as y",
            "models/v.sql": model("select x, y from t", materialized="view"),
            "models/l.sql": model("select x, y from t limit 1", materialized="view"),
            "models/f.sql": "select first(x) as x from v",
            "models/g.sql": "select x from l",
            "models/h.sql": "select x from v",
        }
    )
    world.build("t")
    assert world.actions() == {"t": "skip", "v": "skip", "l": "skip", "f": "build", "g": "build", "h": "skip"}


def test_the_order_of_a_source_counts_by_its_places() -> None:
    """A source has no builds; the order of its rows is looked at where somebody reads it."""
    world = World({"models/f.sql": "select a from raw.src limit 1", "models/m.sql": "select a from raw.src"})
    keys = [key for key in world.source_versions if "order" in key[1]]
    assert len(keys) == 1
    world.source_versions[keys[0]] = "in another order"
    assert world.actions() == {"f": "build", "m": "skip"}


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("select now() as t", "now"),
        ("select random() as t", "random"),
        ("select '{{ run_started_at }}' as t", "run_started_at"),
    ],
)
def test_an_answer_that_moves_by_itself_is_built_in_every_run(query: str, what: str) -> None:
    """What moves it is named; a build does not take the reason away."""
    world = World({"models/m.sql": query})
    detail = f"its answer moves by itself: {what}"
    assert world.decide("m") == Decision("m", "build", "volatile", detail, recurring=True)


def test_an_author_can_set_aside_that_an_answer_moves() -> None:
    """`volatile: ignore`: built when something else is a reason, as any other model."""
    world = World({"models/m.sql": model("select now() as t", volatile="ignore")})
    assert world.decide("m").action == "skip"


def test_a_view_that_asks_the_clock_is_not_built_but_its_readers_are() -> None:
    """A view's own text does not move; what it shows does."""
    world = World({"models/v.sql": model("select now() as t", materialized="view"), "models/m.sql": "select t from v"})
    assert world.decide("v").action == "skip"
    assert world.decide("m").detail == (
        "whether v changed cannot be told (the answer of v moves by itself: now): built in doubt"
    )


def test_a_view_that_was_rendered_with_a_moment_of_a_run_is_built_in_every_run() -> None:
    """The moment stands in its text, which is another one in each run; `volatile: ignore` sets that aside."""
    text = model("select '{{ run_started_at }}' as t", materialized="view")
    world = World({"models/v.sql": text})
    assert world.decide("v").reason == "volatile"
    world = World({"models/v.sql": text.replace("---*/", "volatile: ignore\n---*/")})
    assert world.decide("v").action == "skip"


# ----------------------------------------------------------------------------------- inputs that are not what was built


def test_an_unselected_input_that_is_not_the_one_that_was_built_is_in_doubt() -> None:
    """What its reader would read is not what the state knows the version of."""
    world = World(CHAIN)
    world.relations[relation("a")] = ObservedRelation("table", "somebody's")
    decision = world.plan("b").decisions["b"]
    assert decision.detail == (
        "whether a changed cannot be told (main.a is not the one that was built): built in doubt"
    )
    del world.relations[relation("a")]
    assert "(main.a is not in the warehouse)" in world.plan("b").decisions["b"].detail
    assert world.plan("b").stale_parents == ("a",)


def test_an_unselected_view_that_is_gone_is_in_doubt() -> None:
    """For readers that are tables and for readers that are views."""
    world = World(VIEWS)
    del world.relations[relation("v")]
    for path in ("q", "w", "r"):
        assert "is not in the warehouse" in world.plan(path).decisions[path].detail


def test_an_input_that_was_never_built_here_is_in_doubt() -> None:
    """The state may have lost it; the build will say what is missing."""
    world = World(CHAIN)
    del world.traces["a"]
    assert "(a was never built)" in world.plan("b").decisions["b"].detail


# ----------------------------------------------------------------------------------------------------- what it comes to


def book(world: World) -> VersionBook:
    return VersionBook(world.project, world.traces, world.data_versions, world.observations)


def test_a_check_comes_to_what_its_inputs_turned_out_to_be() -> None:
    """Built if a version moved, otherwise what was decided for that case."""
    world = World(CHAIN)
    project, otherwise = world.project, Decision("b", "skip", "unchanged", "as it was")
    assert settle(project.nodes["b"], world.traces["b"], otherwise, project=project, book=book(world)) is otherwise
    world.build("a", changed=("x",))
    settled = settle(project.nodes["b"], world.traces["b"], otherwise, project=project, book=book(world))
    assert (settled.action, settled.reason) == ("build", "input_changed")


def test_a_check_that_cannot_be_settled_is_built_in_doubt() -> None:
    """What a run did not look at is not taken for unchanged."""
    world = World({"models/m.sql": "select a from raw.src"})
    project = world.project
    blind = VersionBook(project, world.traces, world.data_versions, Observations(relations=world.relations))
    otherwise = Decision("m", "skip", "unchanged", "as it was")
    settled = settle(project.nodes["m"], world.traces["m"], otherwise, project=project, book=blind)
    assert settled == Decision(
        "m", "build", "input_changed", "raw.src was not looked at: built in doubt", recurring=True
    )


def test_a_book_looks_things_up_once() -> None:
    """An answer that was given stays, so that all readers of one run compare with the same version."""
    world = World(CHAIN)
    one = book(world)
    before = one.version("a", ("x",))
    world.data_versions["run of a"]['["x"]'] = "another"
    assert one.version("a", ("x",)) == before
    assert book(world).version("a", ("x",)) == "another"


def test_a_view_without_a_look_is_not_looked_at() -> None:
    """Nothing below a view was seen either."""
    world = World(VIEWS)
    world.looks = False
    for path in ("q", "r"):
        assert world.decide(path).action == "check"
    node = world.project.nodes["v"]
    assert isinstance(node, Model)
    assert not book(world).was_looked_at("v", None)


def test_the_sets_of_columns_that_readers_rest_on_are_known_beforehand() -> None:
    """Each table's own version first, then a set for each way it is read, views looked through, sources too."""
    world = World(
        {
            **VIEWS,
            "seeds/s.csv": "a,b\n1,2\n",
            "models/m.sql": "select s.a, raw.src.k from s, raw.src",
            "models/n.sql": "select count(*) as n from s",
        }
    )
    sets = column_sets_read(world.project)
    assert sets["s"] == (None, ("a",), ())
    assert sets["raw.src"] == (("k",),)
    assert sets["r"] == (None,)
    assert set(sets["t"]) == {None, ("x",), ("x", "y")}


# ------------------------------------------------------------------------------------------------ columns of inputs now


def test_columns_of_inputs_are_those_of_their_traces_and_of_sources_as_they_were_seen_last() -> None:
    """A proof is made with what is there now; a source that was not looked at counts as the last build saw it."""
    world = World(
        {"models/a.sql": "select k from src", "models/b.sql": "select a.k, s.b from a join src as s using (k)"}
    )
    b = world.project.nodes["b"]
    assert isinstance(b, Model)
    now = input_columns(b, world.traces, world.observations)
    assert now[Relation("main", "a")] == world.traces["a"].columns
    assert now[Relation("main", "b")] == world.traces["b"].columns
    assert now[Relation("", "src")] == world.source_columns["src"]
    seen = (Column("k", "INTEGER"), Column("b", "DATE"))
    for columns, found in ((seen, seen), (None, None)):
        inputs = tuple(replace(entry, seen=columns) for entry in world.traces["b"].inputs)
        before = {**world.traces, "b": replace(world.traces["b"], inputs=inputs)}
        assert input_columns(b, before, Observations()).get(Relation("", "src")) == found
    assert input_columns(b, {}, Observations()) == {}


# ---------------------------------------------------------------------------------------------- functions of extensions


DISTANCES = {
    "models/places.sql": "select 1 as x",
    "models/far.sql": "select st_far(x) as far from places",
    "models/shown.sql": model("select st_far(x) as far from places", materialized="view"),
    "models/reader.sql": "select far from shown",
    "models/trusted.sql": model("select st_far(x) as far from places", volatile="ignore"),
}


def test_a_function_of_an_extension_that_the_catalogue_calls_consistent_moves_nothing() -> None:
    """Nor does one that the catalogue does not know: it is none, or the build fails."""
    world = World(DISTANCES)
    assert set(world.reasons().values()) == {"unchanged"}
    world.functions["st_far"] = True
    assert set(world.reasons().values()) == {"unchanged"}


def test_a_function_of_an_extension_of_unknown_stability_is_volatile() -> None:
    """What calls it, itself or through a view, is built in every run, unless its author says otherwise."""
    world = World(DISTANCES)
    world.functions["st_far"] = False
    assert world.decide("far") == Decision(
        "far", "build", "volatile", "its answer may move by itself: st_far()", recurring=True
    )
    assert world.decide("reader").reason == "input_changed"
    assert "shown reads files, or calls macros or functions, that cannot be told" in world.decide("reader").detail
    assert world.decide("reader").recurring
    assert {path for path, action in world.actions().items() if action == "build"} == {"far", "reader"}
    world.looks = False
    assert world.actions()["far"] == "check"
