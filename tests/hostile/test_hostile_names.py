"""Names: whatever people call things, it works in every command and in Dagster, or is refused with its file."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from hostile_samples import ODD_NAMES, Hostile, name_of, yaml_of
from reading_samples import PARENT, compile_model, loading_problems, problems_of, write_project


def files_of(name: str) -> dict[str, str]:
    """Return files in which a model, its column, its schema, its tags and its tests all bear one name."""
    sql, said, number = name_of(name), yaml_of(name), list(ODD_NAMES.values()).index(name)
    head = f"name: {said}\nschema: {said}\ntags: [{said}]\nowner: {said}\ndescription: {said}\nunique_key: {said}\n"
    values = f"accepted_values: {{column: {said}, values: [1, {said}]}}"
    tests = f"tests:\n  - unique: {said}\n  - not_null: {said}\n  - {values}\n"
    return {
        f"models/m{number}.sql": f"/*---\n{head}{tests}columns: {{{said}: {said}}}\nmaterialized: incremental\n---*/\n"
        f"{{% raw %}}select 1 as {sql}{{% endraw %}}",
        f"models/reader{number}.sql": f"{{% raw %}}select {sql} as y from {sql}.{sql}{{% endraw %}}",
    }


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Hostile:
    """A project of models with odd names, which was run; and one that reads each."""
    files = {file: text for name in ODD_NAMES.values() for file, text in files_of(name).items()}
    shop = Hostile(tmp_path_factory.mktemp("odd") / "shop", files)
    shop.leapsql("run", status=0)
    return shop


@pytest.mark.parametrize("name", ODD_NAMES.values(), ids=ODD_NAMES)
def test_a_model_may_be_called_anything_that_can_be_read_and_typed(odd: Hostile, name: str) -> None:
    """It is built and read, and explained and selected by its name; so are its column, schema, tag and owner."""
    with duckdb.connect(str(odd.root / ".leapsql/warehouse.duckdb"), read_only=True) as connection:
        found = connection.execute(f"SELECT {name_of(name)} FROM {name_of(name)}.{name_of(name)}").fetchall()
        read = connection.execute(f"SELECT y FROM reader{list(ODD_NAMES.values()).index(name)}").fetchall()
    assert (found, read) == ([(1,)], [(1,)])
    assert json.loads(odd.leapsql("why", "--output", "json", "--", name, status=0))["path"] == name
    chosen = "tag:tag:x" if name == "tag:x" else name
    assert json.loads(odd.leapsql("list", "--output", "json", "--", chosen, status=0))["models"][0]["path"] == name


def test_pages_show_odd_names_as_they_are(odd: Hostile) -> None:
    """In every form, and in every command; a run that comes after builds nothing."""
    for words in (["list"], ["dag"], ["plan", "-v"], ["test"], ["run", "-v"], ["diff"], ["state", "check"]):
        said = odd.leapsql(*words, "--output", "text", status=0)
        assert words[0] in ("diff", "state") or all(name.strip() in said for name in ODD_NAMES.values())
        assert odd.leapsql(*words, "--output", "markdown", status=0)
    states = {model["action"] for model in json.loads(odd.leapsql("plan", "--output", "json", status=0))["models"]}
    assert states == {"skip"}
    paths = {row["path"] for row in json.loads(odd.leapsql("query", "select path from models", "--output", "json"))}
    assert paths > set(ODD_NAMES.values())
    for words in (["lineage", "--column", "y"], ["render"], ["history"], ["lineage"]):
        assert odd.leapsql(*words, "--", "reader0", status=0)


@pytest.mark.parametrize("sign", ["\n", "\r", "\t", "\x1b[31m", "\x7f", "\x9b", "\u202e", "\u200b", "\u2028", "\ufeff"])
def test_a_name_that_nobody_can_read_is_refused(sign: str) -> None:
    """Control characters, ends of lines, and what turns the direction of writing round."""
    cause = f"U+{ord(sign[0]):04X} stands in a name"
    mend = "\n    Write a name that can be seen and typed."
    text = f'/*---\nname: "a{json.dumps(sign)[1:-1]}b"\n---*/\nselect 1 as x'
    assert problems_of({"models/m.sql": text}) == [f"models/m.sql:2: {cause}{mend}"]
    text = text.replace("name", "schema")
    assert problems_of({"models/m.sql": text}) == [f"models/m.sql:2: {cause} of a schema{mend}"]
    (problem,) = problems_of({f"models/f{sign}/m.sql": PARENT})
    assert problem.endswith(f": {cause}{mend}")


def test_files_whose_names_nobody_can_read_are_refused(tmp_path: Path) -> None:
    """Seeds too; what is said of them steers no terminal."""
    root = write_project(tmp_path, {"models/a\x1b[2Jb.sql": PARENT, "seeds/c\u202ed.csv": "x\n1\n"})
    assert [problem.partition(": ")[2].partition("\n")[0] for problem in loading_problems(root)] == [
        "U+001B stands in a name",
        "U+202E stands in a name",
    ]
    said = Hostile(root, {}).leapsql("list", status=2)
    assert "\x1b" not in said
    assert "\u202e" not in said


@pytest.mark.parametrize("name", [" ", "\u3000"])
def test_a_blank_name_is_refused(name: str) -> None:
    """Nobody would see it."""
    text = f"/*---\nname: {yaml_of(name)}\n---*/\nselect 1 as x"
    assert problems_of({"models/m.sql": text}) == [
        "models/m.sql:2: a name is blank\n    Write a name that can be seen and typed."
    ]


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"models/A.sql": PARENT, "models/a.sql": PARENT}, ("models/A.sql", "models/a.sql")),
        ({"models/q/b.sql": PARENT, "models/Q/B.sql": PARENT}, ("models/Q/B.sql", "models/q/b.sql")),
        (
            {"models/a.sql": f"/*---\nschema: s\n---*/\n{PARENT}", "models/S/A.sql": PARENT},
            ("models/S/A.sql", "models/a.sql"),
        ),
        ({"models/a.sql": PARENT, "seeds/A.csv": "x\n1\n"}, ("models/a.sql", "seeds/A.csv")),
    ],
)
def test_two_names_that_differ_by_case_are_an_error_that_names_both_files(
    files: dict[str, str], named: tuple[str, str]
) -> None:
    """DuckDB takes them for one relation, and the later build would replace the earlier."""
    problems = problems_of(files)
    assert all(any(file in problem for problem in problems) for file in named)


def test_letters_that_only_look_alike_are_two_names() -> None:
    """DuckDB folds the case of ASCII alone; `ß` is not `ss` to it, nor `É` `é`."""
    files = {f"models/{name}.sql": PARENT for name in ("straße", "strasse", "Été", "été")}
    model = compile_model('select a.x from "straße" a, strasse b, "Été" c, "été" d', files)
    assert {entry.name for entry in model.inputs} == {"straße", "strasse", "Été", "été"}
    assert {entry.kind for entry in model.inputs} == {"model"}


def test_columns_that_only_look_alike_are_two_columns(tmp_path: Path) -> None:
    """A batch brings each under its own name, and each has its own type."""
    text = """/*---
materialized: incremental
incremental: {strategy: append, on_schema_change: sync}
---*/
select 1 as "É", 'a' as "é", 2 as "ß", 'b' as ss
"""
    shop = Hostile(tmp_path / "shop", {"models/m.sql": text})
    shop.leapsql("run", status=0)
    shop.leapsql("run", "--force", status=0)
    with duckdb.connect(str(shop.root / ".leapsql/warehouse.duckdb")) as connection:
        found = connection.execute("SELECT * FROM m")
        assert [name for name, *_ in found.description or ()] == ["É", "é", "ß", "ss"]
        assert found.fetchall() == [(1, "a", 2, "b")] * 2


def test_a_name_longer_than_a_file_may_have_is_a_name(tmp_path: Path) -> None:
    """It is given in the frontmatter."""
    name = "n" * 2000
    shop = Hostile(tmp_path / "shop", {"models/m.sql": f"/*---\nname: {name}\n---*/\n{PARENT}"})
    assert name in shop.leapsql("run", status=0)
    assert name in shop.leapsql("list", "--output", "text", name, status=0)
