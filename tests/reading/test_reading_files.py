"""Files of a project: which are read, in which order, and that their bytes' accidents count for nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from reading_samples import PARENT, TARGET, find_model, load, write_project

from leapsql_core.errors import ProjectError
from leapsql_core.project import find_root, load_configuration

FILES = {
    "leapsql.yaml": f"name: shop\n{TARGET}",
    "models/b.sql": "select x, {{ lib.one() }} as one from a join codes using (x)",
    "models/a.sql": PARENT,
    "models/deep/er/c.sql": "select x from b",
    "seeds/codes.csv": "x,name\n1,one\n",
    "seeds/geo/towns.csv": "id,town\n1,one\n",
    "macros/lib.sql": "{% macro one() %}1{% endmacro %}",
}


def test_a_project_is_read_from_its_folder(tmp_path: Path) -> None:
    """Models in folders, seeds in folders, macros in theirs; and what it was read with."""
    loaded = load(write_project(tmp_path, FILES))
    assert list(loaded.project.nodes) == ["a", "codes", "b", "deep.er.c", "geo.towns"]
    assert [node.file for node in loaded.project.nodes.values()] == [
        "models/a.sql",
        "seeds/codes.csv",
        "models/b.sql",
        "models/deep/er/c.sql",
        "seeds/geo/towns.csv",
    ]
    assert (loaded.root, loaded.config.name, loaded.project.name) == (tmp_path, "shop", "shop")
    assert find_model(loaded.project, "b").macros == ("macros/lib.sql",)


def test_nothing_is_written_and_no_warehouse_is_made(tmp_path: Path) -> None:
    """Reading reads."""
    write_project(tmp_path, FILES)
    before = sorted(tmp_path.rglob("*"))
    load(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_only_models_are_needed(tmp_path: Path) -> None:
    """A folder of seeds or of macros that is not named may be missing; a project without a model is one."""
    (tmp_path / "project").mkdir()
    loaded = load(write_project(tmp_path / "project", {}))
    assert loaded.project.nodes == {}
    assert loaded.project.name == "project"


def test_folders_may_be_called_and_lie_elsewhere(tmp_path: Path) -> None:
    """By paths relative to `leapsql.yaml`, or absolute ones."""
    config = f"{TARGET}models_dir: sql/main\nseeds_dir: {tmp_path / 'data'}\nmacros_dir: ./lib\n"
    files = {
        "project/leapsql.yaml": config,
        "project/sql/main/s/a.sql": "select {{ m.one() }} as x from codes",
        "project/lib/m.sql": "{% macro one() %}1{% endmacro %}",
        "data/codes.csv": "x\n1\n",
    }
    write_project(tmp_path, files)
    loaded = load(tmp_path / "project")
    assert {path: node.file for path, node in loaded.project.nodes.items()} == {
        "codes": f"{tmp_path}/data/codes.csv",
        "s.a": "sql/main/s/a.sql",
    }
    assert find_model(loaded.project, "s.a").macros == ("lib/m.sql",)


def test_names_may_be_in_any_language(tmp_path: Path) -> None:
    """Of files, folders and the project."""
    root = write_project(tmp_path / "дом", {"models/größe/naïve 🙂.sql": PARENT, "seeds/été.csv": "x\n1\n"})
    loaded = load(root)
    assert {path: node.file for path, node in loaded.project.nodes.items()} == {
        "größe.naïve 🙂": "models/größe/naïve 🙂.sql",
        "été": "seeds/été.csv",
    }
    assert loaded.project.name == "дом"


def test_files_of_other_kinds_and_hidden_ones_are_passed_over(tmp_path: Path) -> None:
    """Notes, editors' leavings, folders that begin with a dot."""
    write_project(
        tmp_path,
        {
            "models/a.sql": PARENT,
            "models/README.md": "# no model",
            "models/a.sql~": "broken (",
            "models/a.sql.bak": "broken (",
            "models/.hidden.sql": "broken (",
            "models/.#a.sql": "broken (",
            "models/.folder/b.sql": "broken (",
            "models/sql": "broken (",
            "seeds/notes.txt": "",
            "seeds/.codes.csv": "",
            "macros/.lib.sql": "{% broken",
            "macros/notes.md": "{% broken",
        },
    )
    assert list(load(tmp_path).project.nodes) == ["a"]


def test_an_ending_may_be_written_in_capitals(tmp_path: Path) -> None:
    """As some systems write it."""
    write_project(tmp_path, {"models/A.SQL": PARENT, "seeds/Codes.Csv": "x\n1\n", "macros/lib.Sql": "{% set a = 1 %}"})
    assert list(load(tmp_path).project.nodes) == ["A", "Codes"]


@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_byte_order_marks_and_line_ends_count_for_nothing(tmp_path: Path, bom: str, end: str) -> None:
    """A checkout on another system is the same project, to the byte that is hashed."""
    files = {
        "leapsql.yaml": TARGET + "vars:\n  v: 1\n",
        "models/a.sql": "/*---\ndescription: |\n  two\n  lines\n---*/\nselect {{ m.one() }} as x,\n  'é' as y\n",
        "macros/m.sql": "{% macro one() %}\n1\n{% endmacro %}\n",
    }
    for name, text in files.items():
        write_project(tmp_path, {**files, name: bom + text.replace("\n", end)})
        model = find_model(load(tmp_path).project, "a")
        assert model.query.rendered == "select \n1\n as x,\n  'é' as y"
        assert model.config.description == "two\nlines"
        assert model.line == 6


def test_a_text_in_the_middle_keeps_what_it_holds(tmp_path: Path) -> None:
    """A carriage return alone, or a mark that is no first character, is the author's own."""
    write_project(tmp_path, {"models/a.sql": "select 'a\rb\ufeff' as x".encode()})
    assert find_model(load(tmp_path).project, "a").query.rendered == "select 'a\rb\ufeff' as x"


def test_links_are_followed(tmp_path: Path) -> None:
    """To files and folders, wherever they lie; what they point to is where the link is."""
    write_project(tmp_path / "project", {"models/a.sql": PARENT})
    write_project(tmp_path / "shared", {"models/s/b.sql": PARENT})
    (tmp_path / "project/models/linked").symlink_to(tmp_path / "shared/models/s")
    (tmp_path / "project/models/c.sql").symlink_to(tmp_path / "shared/models/s/b.sql")
    assert list(load(tmp_path / "project").project.nodes) == ["a", "c", "linked.b"]


def test_links_in_circles_are_followed_once(tmp_path: Path) -> None:
    """A folder is not looked for in itself."""
    write_project(tmp_path, {"models/a.sql": PARENT, "models/s/b.sql": PARENT})
    (tmp_path / "models/s/up").symlink_to(tmp_path / "models")
    (tmp_path / "models/again").symlink_to(tmp_path / "models")
    (tmp_path / "models/s/self").symlink_to(".")
    assert list(load(tmp_path).project.nodes) == ["a", "s.b"]


def test_a_link_to_nothing_is_passed_over_unless_it_would_be_a_model(tmp_path: Path) -> None:
    """Nobody knows what it was."""
    write_project(tmp_path, {"models/a.sql": PARENT})
    (tmp_path / "models/gone").symlink_to(tmp_path / "nowhere")
    assert list(load(tmp_path).project.nodes) == ["a"]


def test_the_order_is_that_of_names(tmp_path: Path) -> None:
    """Not the one in which files were made or lie on the disk."""
    names = ["b", "a/z", "a", "Z", "a-b", "ab"]
    for name in names:
        write_project(tmp_path, {f"models/{name}.sql": "/*---\nenabled: false\nx: 1\n---*/"})
    with pytest.raises(ProjectError) as caught:
        load(tmp_path)
    assert [problem.file for problem in caught.value.problems] == sorted(f"models/{name}.sql" for name in names)


def test_the_nearest_folder_with_a_project_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From within, at any depth; a folder of that name is none."""
    inner = tmp_path / "outer/inner"
    write_project(tmp_path / "outer", {})
    write_project(inner, {"models/s/a.sql": PARENT})
    (inner / "models/leapsql.yaml").mkdir()
    assert find_root(inner / "models/s") == inner
    assert find_root(inner) == inner
    assert find_root(tmp_path / "outer") == tmp_path / "outer"
    monkeypatch.chdir(inner / "models")
    assert find_root(Path()) == inner
    assert find_root(Path("..")).resolve() == inner


def test_the_configuration_alone_can_be_read(tmp_path: Path) -> None:
    """Without a look at any other file."""
    write_project(tmp_path, {"models/a.sql": "broken ("})
    config = load_configuration(tmp_path, environ={}, environment="dev", variables={"a": 1})
    assert (config.environment, config.vars) == ("dev", {"a": 1})


def test_a_project_may_be_read_for_another_place(tmp_path: Path) -> None:
    """An environment, variables, and a database that is built in instead of the target's."""
    config = f"{TARGET}environments: {{prod: {{target: {{schema: live}}}}}}"
    write_project(tmp_path, {"leapsql.yaml": config, "models/a.sql": "select {{ var('v') }} as x from wh.live.b"})
    write_project(tmp_path, {"leapsql.yaml": config, "models/b.sql": PARENT})
    loaded = load(tmp_path, environment="prod", variables={"v": 3}, database="other/wh.duckdb")
    assert loaded.project.target.database == "other/wh.duckdb"
    assert loaded.project.parents["a"] == ("b",)
    assert find_model(loaded.project, "a").query.resolved == 'select 3 as x from "live"."b"'


def test_environment_variables_come_from_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not from the process."""
    monkeypatch.setenv("LEAPSQL_TEST", "process")
    write_project(tmp_path, {"models/a.sql": "select '{{ env.get('LEAPSQL_TEST', 'none') }}' as x"})
    assert find_model(load(tmp_path).project, "a").query.rendered == "select 'none' as x"
    loaded = load(tmp_path, environ={"LEAPSQL_TEST": "caller"})
    assert find_model(loaded.project, "a").query.rendered == "select 'caller' as x"
    assert os.environ["LEAPSQL_TEST"] == "process"
