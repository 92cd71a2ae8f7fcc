"""Where a model and a seed belong: path, name, schema and relation, from folders, frontmatter and target."""

from __future__ import annotations

import pytest
from projects import compile_project
from reading_samples import PARENT, find_model, problems_of

from leapsql_core.models import Relation, Seed


@pytest.mark.parametrize(
    ("file", "frontmatter", "path", "relation"),
    [
        ("orders.sql", "", "orders", '"main"."orders"'),
        ("staging/orders.sql", "", "staging.orders", '"staging"."orders"'),
        ("a/b/c/orders.sql", "", "a.b.c.orders", '"a_b_c"."orders"'),
        ("staging/orders.sql", "name: o", "staging.o", '"staging"."o"'),
        ("staging/orders.sql", "schema: core", "staging.orders", '"core"."orders"'),
        ("staging/orders.sql", "{name: o, schema: core}", "staging.o", '"core"."o"'),
        ("orders.sql", "schema: Core", "orders", '"Core"."orders"'),
        ("Über Uns/my orders.sql", "", "Über Uns.my orders", '"Über Uns"."my orders"'),
        ('q"q.sql', "", 'q"q', '"main"."q""q"'),
        ("orders.sql", "schema: memory", "orders", '"memory"."memory"."orders"'),
        ("Memory/orders.sql", "", "Memory.orders", '"memory"."Memory"."orders"'),
    ],
)
def test_a_model_is_where_its_file_lies(file: str, frontmatter: str, path: str, relation: str) -> None:
    """Folders and file make path and schema; where a schema bears the catalog's name the catalog is said."""
    project = compile_project({f"models/{file}": f"/*---\n{frontmatter}\n---*/\nselect 1 as x"})
    model = find_model(project, path)
    assert model.relation.sql == relation
    assert (model.file, model.name) == (f"models/{file}", path.rpartition(".")[2])


def test_the_target_s_schema_is_for_what_lies_in_no_folder() -> None:
    """Models and seeds alike."""
    files = {
        "leapsql.yaml": "target: {type: duckdb, database: ':memory:', schema: core}",
        "models/a.sql": "select 1 as x",
        "models/s/b.sql": "select 1 as x",
        "seeds/c.csv": "x\n1\n",
        "seeds/t/d.csv": "x\n1\n",
    }
    nodes = compile_project(files).nodes
    assert {path: str(node.relation) for path, node in nodes.items()} == {
        "a": "core.a",
        "c": "core.c",
        "s.b": "s.b",
        "t.d": "t.d",
    }


def test_a_seed_is_a_file_a_relation_and_its_columns() -> None:
    """It reads nothing, and is materialized as what it is."""
    seed = compile_project({"models/a.sql": PARENT, "seeds/raw/codes.csv": "id,name\n1,x\n"}).nodes["raw.codes"]
    assert isinstance(seed, Seed)
    assert (seed.path, seed.name, seed.file) == ("raw.codes", "codes", "seeds/raw/codes.csv")
    assert (seed.relation, seed.columns, seed.inputs, seed.materialized) == (
        Relation("raw", "codes"),
        ("id", "name"),
        (),
        "seed",
    )


def test_a_disabled_model_is_not_there() -> None:
    """It is neither rendered nor built, and may be broken while it is mended."""
    off = "/*---\nenabled: false\ndepends_on: [a, raw.z]\ntests: [relationships: {column: x, to: raw.t}]\n---*/\n"
    files = {"models/a.sql": off + "select ( {{ nothing }}", "models/b.sql": "select 1 as x"}
    project = compile_project(files)
    assert (list(project.nodes), project.parents, project.sources) == (["b"], {"b": ()}, {})


def test_a_disabled_model_s_relation_is_free() -> None:
    """For one that takes its place in another folder."""
    files = {"models/a_b/c.sql": "/*---\nenabled: false\n---*/\nselect 1", "models/a/b/c.sql": "select 1 as x"}
    assert list(compile_project(files).nodes) == ["a.b.c"]


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (
            {"models/a.b.sql": PARENT},
            "models/a.b.sql: a dot stands in a name: `a.b`\n    {no_dots}",
        ),
        (
            {"models/a.b/c.sql": PARENT},
            "models/a.b/c.sql: a dot stands in a name: `a.b.c`\n    {no_dots}",
        ),
        (
            {"models/a.sql": f"/*---\nowner: x\nname: b.c\n---*/\n{PARENT}"},
            "models/a.sql:3: a dot stands in a name: `b.c`\n    {no_dots}",
        ),
        (
            {"models/a.sql": f"/*---\nowner: x\nschema: b.c\n---*/\n{PARENT}"},
            "models/a.sql:3: a dot stands in the schema `b.c`\n"
            "    Write the schema alone: models are built in the target's database.",
        ),
        (
            {"seeds/a.b.csv": "x\n1\n"},
            "seeds/a.b.csv: a dot stands in a name: `a.b`\n    {no_dots}",
        ),
        (
            {"models/_leapsql/a.sql": PARENT},
            "models/_leapsql/a.sql: the schema _leapsql is kept for markers\n    Choose another folder or `schema:`.",
        ),
        (
            {"models/a.sql": f"/*---\nowner: x\nschema: _LeapSQL\n---*/\n{PARENT}"},
            "models/a.sql:3: the schema _leapsql is kept for markers\n    Choose another folder or `schema:`.",
        ),
        (
            {"seeds/_leapsql/a.csv": "x\n1\n"},
            "seeds/_leapsql/a.csv: the schema _leapsql is kept for markers\n    Choose another folder or `schema:`.",
        ),
        (
            {"models/a_b/c.sql": PARENT, "models/a/b/c.sql": PARENT},
            "models/a_b/c.sql: it makes the relation a_b.c, and so does models/a/b/c.sql\n    {rename}",
        ),
        (
            {"models/s/c.sql": PARENT, "models/t/c.sql": f"/*---\nschema: S\n---*/\n{PARENT}"},
            "models/t/c.sql:2: it makes the relation S.c, and so does models/s/c.sql\n    {rename}",
        ),
        (
            {"models/s/c.sql": PARENT, "models/t.sql": f"/*---\nname: C\nschema: s\n---*/\n{PARENT}"},
            "models/t.sql:3: it makes the relation s.C, and so does models/s/c.sql\n    {rename}",
        ),
        (
            {"models/x/y.sql": f"/*---\nschema: main\n---*/\n{PARENT}", "seeds/y.csv": "x\n1\n"},
            "models/x/y.sql:2: it makes the relation main.y, and so does seeds/y.csv\n    {rename}",
        ),
        (
            {"models/a.sql": PARENT, "models/b.sql": f"/*---\nowner: x\nname: a\n---*/\n{PARENT}"},
            "models/b.sql:3: two models of one path: models/a.sql is `a` too\n    {other_name}",
        ),
        (
            {"models/A.sql": PARENT, "models/a.sql": PARENT},
            "models/a.sql: two models of one path: models/A.sql is `A` and `a` differs by case alone\n    {other_name}",
        ),
        (
            {"models/s/a.sql": PARENT, "models/S/a.sql": PARENT},
            "models/s/a.sql: two models of one path: models/S/a.sql is `S.a` and `s.a` differs by case alone\n"
            "    {other_name}",
        ),
        (
            {"models/a.sql": PARENT, "seeds/A.csv": "x\n1\n"},
            "seeds/A.csv: the path `A` is that of models/a.sql already\n    {other_name}",
        ),
        (
            {"seeds/b.csv": "x\n1\n", "seeds/B.csv": "x\n1\n"},
            "seeds/b.csv: the path `b` is that of seeds/B.csv already\n    {other_name}",
        ),
    ],
)
def test_two_things_cannot_be_in_one_place(files: dict[str, str], problem: str) -> None:
    """Paths, and relations, are compared as SQL compares names; nothing is built where markers are kept."""
    said = problem.format(
        no_dots="Take the dot out: dots part folders and name in a path.",
        rename="Rename one of them, or give a model another `schema:`.",
        other_name="Give one of them another name.",
    )
    assert problems_of(files) == [said]


def test_a_file_that_cannot_be_read_keeps_its_path() -> None:
    """So what reads it is not told that it does not exist; nor is its relation taken, for it is not known."""
    files = {"models/a_b/c.sql": "/*---\nx: 1\n---*/\nselect 1 as x", "models/r.sql": "select y from a_b.c"}
    (problem,) = problems_of({**files, "models/a/b/c.sql": PARENT})
    assert problem.startswith("models/a_b/c.sql:2: unknown key `x`")
