"""What differs between two environments, told from their traces, texts and versions alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from planning_samples import World, incremental, model

from leapsql_core.hashing import fingerprint
from leapsql_core.models import Column, Trace
from leapsql_core.planning import (
    IN_ORDER,
    FieldDifference,
    ModelDifference,
    Side,
    Texts,
    compare_environments,
    texts_to_compare,
)

CONFIGURATION = """
target: {type: duckdb, database: ':memory:', schema: dev}
vars: {least: 1}
environments: {prod: {target: {schema: prod}, vars: {least: 1}}}
"""
FILES = {
    "leapsql.yaml": CONFIGURATION,
    "seeds/s.csv": "a,b\n1,2\n",
    "models/v.sql": model("select a, b from s", materialized="view"),
    "models/t.sql": model("select a from v where a > {{ var('least') }}"),
    "models/u.sql": model("select a from t"),
}


def two(files: Mapping[str, str] = FILES, prod: Mapping[str, str] | None = None) -> tuple[World, World]:
    """Return a project built in dev, and as `prod` changes it in prod."""
    return World(files), World({**files, **(prod or {})}, {"environment": "prod"})


def touch(world: World, path: str, *columns: str) -> None:
    """Let the last build of `path` have given other values in `columns`, and build again what reads it."""
    world.build(path, changed=columns)
    for name, node in world.project.nodes.items():
        if any(entry.name == path for entry in node.inputs):
            touch(world, name, *columns)


def side(name: str, world: World) -> Side:
    return Side(name, world.snapshot, Texts(world.texts, world.code))


def compare(worlds: tuple[World, World]) -> dict[str, ModelDifference]:
    """Return what differs, by path, as the texts that are asked for allow to tell."""
    first, second = side("dev", worlds[0]), side("prod", worlds[1])
    resolved, code = texts_to_compare(first.snapshot, second.snapshot)
    sides = [
        replace(
            one,
            texts=Texts(
                {name: text for name, text in one.texts.resolved.items() if name in resolved},
                {name: version for name, version in one.texts.code.items() if name in code},
            ),
        )
        for one in (first, second)
    ]
    return {found.path: found for found in compare_environments(sides[0], sides[1])}


def differing(worlds: tuple[World, World]) -> set[str]:
    return {path for path, found in compare(worlds).items() if found.differs}


def test_the_same_project_on_the_same_data_does_not_differ() -> None:
    """Each environment has relations of its own; that is no difference."""
    found = compare(two())
    assert list(found) == ["s", "t", "u", "v"]
    for one in found.values():
        assert (one.differs, one.data, one.inputs) == (False, "same", ())


def test_names_that_templates_write_are_no_difference() -> None:
    """`this` and a schema of the target render to other texts in each environment, and mean the same."""
    files = {
        **FILES,
        "models/i.sql": incremental("select a as k from t"),
        "models/w.sql": "select a from {{ target.schema }}.t where a in (select k from i)",
    }
    worlds = two(files)
    assert worlds[0].traces["i"].content_hash != worlds[1].traces["i"].content_hash
    assert worlds[0].traces["w"].content_hash != worlds[1].traces["w"].content_hash
    assert differing(worlds) == set()


def test_names_in_strings_are_a_difference() -> None:
    """A name of a relation that a query returns as a text makes another answer."""
    found = compare(two({**FILES, "models/w.sql": "select '{{ target.schema }}.t' as name from t"}))["w"]
    assert found.code is not None
    assert found.code.summary == "`select 'dev.t' as name from t` → `select 'prod.t' as name from t`"


def test_a_model_of_one_environment_alone_is_told() -> None:
    """Whatever was built in the one and not in the other."""
    worlds = two(prod={"models/n.sql": "select a from t"})
    del worlds[1].traces["u"]
    found = compare(worlds)
    assert {path: one.only_in for path, one in found.items() if one.differs} == {"n": "prod", "u": "dev"}


def test_a_query_differs_by_what_it_renders_to() -> None:
    """A variable of the environment is shown as it stands in the text; layout, comments and case are none."""
    prod = {"leapsql.yaml": CONFIGURATION.replace("vars: {least: 1}}}", "vars: {least: 7}}}")}
    found = compare(two(prod=prod))
    assert [path for path, one in found.items() if one.code] == ["t"]
    code = found["t"].code
    assert code is not None
    assert code.summary == "`select a from v where a > 1` → `select a from v where a > 7`"
    assert code.diff is not None
    assert code.diff.splitlines() == [
        *("--- dev", "+++ prod", "@@ -1 +1 @@"),
        *("-select a from v where a > 1", "+select a from v where a > 7"),
    ]
    assert differing(two(prod={"models/u.sql": "SELECT a -- all of it\nFROM t;"})) == set()


def test_the_query_of_a_batch_is_compared_too() -> None:
    """A difference that only batches see is shown."""
    files = {**FILES, "models/i.sql": incremental("select a as k from t")}
    found = compare(two(files, {"models/i.sql": files["models/i.sql"].replace("where k >", "where 5 < k and k >")}))
    assert found["i"].code is not None
    assert "where 5 < k and k >" in found["i"].code.summary


def test_texts_that_are_not_kept_are_said_to_differ() -> None:
    """Without the texts nothing more can be told than that their hashes differ."""
    worlds = two(prod={"models/u.sql": "select a + 1 as a from t"})
    worlds[1].code.clear()
    found = compare(worlds)["u"]
    assert found.code is not None
    assert (found.code.summary, found.code.diff) == ("its texts differ, and are not kept", None)
    assert found.config == ()


def test_fields_of_the_configuration_are_told_with_their_values() -> None:
    """Those that describe a model stand apart; a field that is not set is none."""
    prod = {"models/u.sql": model("select a from t", owner="ann", materialized="view", schema="elsewhere")}
    config = compare(two(prod=prod))["u"].config
    assert config == (
        FieldDifference("materialized", "table", "view"),
        FieldDifference("owner", None, "ann"),
        FieldDifference("schema", None, "elsewhere"),
    )
    assert [field.descriptive for field in config] == [False, True, False]


def test_settings_of_the_target_count_as_configuration() -> None:
    """The settings that a build had, and that can change answers."""
    worlds = two()
    worlds[1].settings["timezone"] = "Europe/Vienna"
    worlds[1].build("u")
    found = compare(worlds)["u"]
    assert found.config == (FieldDifference("settings.timezone", None, "Europe/Vienna"),)


def test_columns_are_compared_by_name_type_and_order() -> None:
    """Added, removed, of another type, in another order: each is told as what it is."""
    worlds = two()
    shapes = ("a:INTEGER b:DATE c:DATE x:DATE", "A:INTEGER c:DATE b:BIGINT y:DATE")
    for world, columns in zip(worlds, shapes, strict=True):
        made = tuple(Column(*column.split(":")) for column in columns.split())
        world.traces["u"] = replace(world.traces["u"], columns=made)
    columns = compare(worlds)["u"].columns
    assert columns.added == (Column("y", "DATE"),)
    assert columns.removed == (Column("x", "DATE"),)
    assert columns.changed == (
        (Column("a", "INTEGER"), Column("A", "INTEGER")),
        (Column("b", "DATE"), Column("b", "BIGINT")),
    )
    assert columns.reordered is True


def test_data_that_differ_name_the_inputs_that_they_come_from() -> None:
    """Down from the seed, through the view, to whatever holds other rows; an unread column goes no further."""
    worlds = two()
    touch(worlds[1], "s", "a")
    found = compare(worlds)
    assert {path: one.data for path, one in found.items()} == {
        "s": "differs",
        "v": "unknown",  # a view shows what there is: nobody has looked at all of it
        "t": "differs",
        "u": "differs",
    }
    assert found["v"].may_differ
    origins = {path: [(entry.name, entry.same) for entry in one.inputs] for path, one in found.items()}
    assert origins == {"s": [], "v": [("s", False)], "t": [("v", False)], "u": [("t", False)]}
    assert found["t"].inputs[0].columns == ("a",)
    unread = two({**FILES, "models/v.sql": model("select a from s", materialized="view")})
    unread[1].build("s", changed=("b",))
    assert differing(unread) == {"s"}


def test_a_view_with_another_query_is_where_differing_data_come_from() -> None:
    """Its own data cannot be told; those of its reader can."""
    worlds = two(prod={"models/v.sql": model("select a + 1 as a, b from s", materialized="view")})
    worlds[1].build("t", changed=("a",))
    found = compare(worlds)
    assert (found["v"].data, found["v"].may_differ, found["v"].differs) == ("unknown", False, True)
    assert [(entry.name, entry.same) for entry in found["t"].inputs] == [("v", False)]


def test_a_table_here_and_a_view_there_are_not_compared_by_versions() -> None:
    """Versions of a view's inputs and those of a table's are of different things."""
    worlds = two(prod={"models/u.sql": model("select a from t", materialized="view")})
    found = compare(worlds)["u"]
    assert (found.data, found.inputs) == ("unknown", ())
    touch(worlds[1], "t", "a")
    assert [(entry.name, entry.same) for entry in compare(worlds)["u"].inputs] == [("t", False)]


def test_data_without_a_version_cannot_be_told() -> None:
    """Neither same nor different, and no difference by itself."""
    worlds = two()
    for world in worlds:
        run = world.traces["u"].model_run_id
        world.traces["u"] = replace(world.traces["u"], data_version=None)
        world.data_versions[run] = {}
    found = compare(worlds)["u"]
    assert (found.data, found.differs, found.may_differ) == ("unknown", False, False)


def test_a_source_tells_what_was_read_of_it() -> None:
    """By the versions that builds took; one that never counts as changed tells nothing of its data."""
    for way, same in (("data", False), ("never", None), ("always", None)):
        configuration = CONFIGURATION + f"sources: {{raw.x: {{version: {way}}}}}\n"
        worlds = two({"leapsql.yaml": configuration, "models/t.sql": "select a from raw.x"})
        assert compare(worlds)["t"].data == "same"
        worlds[1].move_source("raw.x")
        worlds[1].build("t", changed=("a",))
        found = compare(worlds)["t"]
        assert (found.data, [(entry.name, entry.same) for entry in found.inputs]) == ("differs", [("raw.x", same)])


def test_a_view_over_a_source_cannot_be_told() -> None:
    """It shows what is there now, which no build has looked at."""
    files = {"leapsql.yaml": CONFIGURATION, "models/v.sql": model("select a from raw.x", materialized="view")}
    found = compare(two(files))["v"]
    assert (found.data, found.differs) == ("unknown", False)


def test_the_order_of_rows_is_not_compared_between_environments() -> None:
    """Its version names a build, so it is never the same in two; the rows themselves can be."""
    files = {**FILES, "models/o.sql": "select first(a) as a from t"}
    worlds = two(files)
    assert IN_ORDER not in repr(compare(worlds))
    assert compare(worlds)["o"].data == "same"
    worlds[1].build("o", changed=("a",))
    assert [(entry.name, entry.same) for entry in compare(worlds)["o"].inputs] == [("t", None)]
    touch(worlds[1], "t", "a")
    assert [(entry.name, entry.same) for entry in compare(worlds)["o"].inputs] == [("t", False)]


def test_inputs_that_one_alone_reads_are_named() -> None:
    """A model that reads other models may well hold other rows."""
    worlds = two(prod={"models/u.sql": "select s.a from s"})
    worlds[1].build("u", changed=("a",))
    inputs = compare(worlds)["u"].inputs
    assert [(entry.name, entry.same, entry.read_in) for entry in inputs] == [("s", False, "prod"), ("t", False, "dev")]


def test_other_columns_of_an_input_tell_nothing_unless_all_of_it_is_the_same() -> None:
    """Versions of different columns cannot be compared."""
    worlds = two(prod={"models/t.sql": "select a + b as a from v"})
    worlds[1].build("t", changed=("a",))
    assert compare(worlds)["t"].inputs == ()
    touch(worlds[1], "s", "b")
    assert [entry.name for entry in compare(worlds)["t"].inputs] == ["v"]


def test_views_that_read_each_other_in_an_old_state_end() -> None:
    """A state may hold traces of projects that never were; nothing is known of such a circle."""

    def turned(trace: Trace, name: str) -> Trace:
        return replace(trace, inputs=tuple(replace(entry, name=name) for entry in trace.inputs))

    files = {**FILES, "models/w.sql": model("select a from v", materialized="view")}
    worlds = two(files)
    for world in worlds:
        world.traces["v"] = turned(world.traces["v"], "w")
    assert [compare(worlds)[path].data for path in ("v", "w")] == ["unknown", "unknown"]


def test_files_and_macros_that_were_read_are_compared() -> None:
    """They stand among the inputs of a trace, and count by what they held."""
    worlds = two()
    for world, version in zip(worlds, ("old", "new"), strict=True):
        trace = world.traces["u"]
        entry = replace(trace.inputs[0], name="file: data/x.csv", relation="data/x.csv", data_version=version)
        world.traces["u"] = replace(trace, inputs=(*trace.inputs, entry), data_version=fingerprint(version))
    for world in worlds:
        world.data_versions[world.traces["u"].model_run_id] = {}
    assert [(entry.name, entry.same) for entry in compare(worlds)["u"].inputs] == [("file: data/x.csv", False)]
