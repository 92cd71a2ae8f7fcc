"""What is wrong with files: missing, unreadable, no text, no CSV; all of it at once with everything else."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from reading_samples import PARENT, TARGET, load, loading_problems, write_project

from leapsql_core.errors import ProjectError
from leapsql_core.project import find_root

AsNobody = Callable[[], AbstractContextManager[None]]
RIGHTS = "Correct its rights, or where the link points to; or take it out."


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """That of models always, others if they are named."""
    (tmp_path / "leapsql.yaml").write_text(TARGET)
    assert loading_problems(tmp_path) == [
        "leapsql.yaml: the folder `models` does not exist\n"
        "    Make the folder, or correct `models_dir` in leapsql.yaml."
    ]
    config = f"{TARGET}models_dir: sql\nseeds_dir: data\nmacros_dir: lib/sql\n"
    (tmp_path / "leapsql.yaml").write_text(config)
    (tmp_path / "data").write_text("a file")
    assert loading_problems(tmp_path) == [
        f"leapsql.yaml:{line}: the folder `{folder}` does not exist\n"
        f"    Make the folder, or correct `{key}` in leapsql.yaml."
        for line, folder, key in ((2, "sql", "models_dir"), (3, "data", "seeds_dir"), (4, "lib/sql", "macros_dir"))
    ]


def test_a_project_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """Looked for upwards, or in the folder that was named."""
    with pytest.raises(ProjectError) as caught:
        find_root(tmp_path)
    assert str(caught.value) == (
        f"leapsql.yaml: not found in {tmp_path} or any folder above it\n"
        "    Go to a project, name one with -C, or make one with `leapsql init`."
    )
    assert loading_problems(tmp_path) == [
        f"leapsql.yaml: not found in {tmp_path}\n    Make a project with `leapsql init`, or name its folder with -C."
    ]


@pytest.mark.parametrize(
    ("content", "line", "byte"),
    [
        (b"select 'M\xfcller' as x", 1, "0xfc"),
        (b"select 1 as x,\n\n'\xff' as y", 3, "0xff"),
        (b"\n\xff", 2, "0xff"),
        (b"\xef\xbb\xbfselect 1 as x,\n'\xe4' as y", 2, "0xe4"),
        ("select 1 as x".encode("utf-16"), 1, "0xff"),
        (b"select '\xed\xa0\x80' as x", 1, "0xed"),
        (b"select '\xc3", 1, "0xc3"),
    ],
)
def test_a_text_that_is_not_utf_8_is_an_error(tmp_path: Path, content: bytes, line: int, byte: str) -> None:
    """With the line and the byte, in every kind of file."""
    for file in ("leapsql.yaml", "models/a.sql", "macros/lib.sql"):
        root = write_project(tmp_path / file.replace("/", "-"), {file: content})
        assert loading_problems(root) == [f"{file}:{line}: not UTF-8: byte {byte}\n    Save the file as UTF-8."]


@pytest.mark.skipif(os.name != "posix", reason="names of files are bytes")
def test_a_name_that_is_not_utf_8_is_an_error(tmp_path: Path) -> None:
    """It could not be written into the state, nor shown; hidden ones and other kinds are passed over."""
    root = write_project(tmp_path, {"models/a.sql": PARENT})
    for name in (b"m\xfcller.sql", b".m\xfcller.sql", b"m\xfcller.txt"):
        with open(os.path.join(os.fsencode(root), b"models", name), "wb") as file:
            file.write(b"select 1 as x")
    os.mkdir(os.path.join(os.fsencode(root), b"models", b"\xff"))
    with open(os.path.join(os.fsencode(root), b"models", b"\xff", b"b.sql"), "wb") as file:
        file.write(b"select 1 as x")
    assert loading_problems(root) == [
        "models/\\xff/b.sql: the name of this file is not UTF-8\n    Rename it.",
        "models/m\\xfcller.sql: the name of this file is not UTF-8\n    Rename it.",
    ]


def test_a_link_that_leads_nowhere_is_an_error_where_a_file_should_be(tmp_path: Path) -> None:
    """A model that is gone is not passed over; nor is a link to itself, which might be a folder of models."""
    root = write_project(tmp_path, {"models/a.sql": PARENT, "seeds/b.csv": "x\n1\n", "macros/c.sql": ""})
    (root / "models/gone.sql").symlink_to(root / "nowhere.sql")
    (root / "seeds/gone.csv").symlink_to(root / "nowhere.csv")
    (root / "macros/gone.sql").symlink_to(root / "nowhere.sql")
    (root / "models/loop").symlink_to("loop")
    assert loading_problems(root) == [
        f"macros/gone.sql: cannot be read: No such file or directory\n    {RIGHTS}",
        f"models/gone.sql: cannot be read: No such file or directory\n    {RIGHTS}",
        f"models/loop: cannot be read: Too many levels of symbolic links\n    {RIGHTS}",
        f"seeds/gone.csv: cannot be read: No such file or directory\n    {RIGHTS}",
    ]


def test_what_may_not_be_read_is_an_error(open_folder: Path, without_privileges: AsNobody) -> None:
    """Files and folders, each by its name, all at once with what is wrong in files that may."""
    root = write_project(
        open_folder,
        {
            "models/a.sql": PARENT,
            "models/b.sql": "select x y z",
            "models/locked/c.sql": PARENT,
            "models/shut.sql": PARENT,
            "seeds/codes.csv": "x\n1\n",
            "macros/lib.sql": "",
        },
    )
    for path in ("models/shut.sql", "models/locked", "seeds/codes.csv", "macros/lib.sql"):
        (root / path).chmod(0)
    with without_privileges():
        problems = loading_problems(root)
    assert problems == [
        f"macros/lib.sql: cannot be read: Permission denied\n    {RIGHTS}",
        'models/b.sql:1: syntax error at or near "z"\n    Check commas, brackets and keywords just before this place.',
        f"models/locked: the folder cannot be read: Permission denied\n    {RIGHTS}",
        f"models/shut.sql: cannot be read: Permission denied\n    {RIGHTS}",
        f"seeds/codes.csv: cannot be read: Permission denied\n    {RIGHTS}",
    ]


def test_a_link_into_a_folder_that_may_not_be_entered_is_an_error(
    open_folder: Path, without_privileges: AsNobody
) -> None:
    """It may be a folder of models."""
    root = write_project(open_folder, {"models/a.sql": PARENT, "locked/shared/b.sql": PARENT})
    (root / "models/shared").symlink_to(root / "locked/shared")
    (root / "locked").chmod(0)
    with without_privileges():
        problems = loading_problems(root)
    assert problems == [f"models/shared: cannot be read: Permission denied\n    {RIGHTS}"]


def test_a_configuration_that_may_not_be_read_is_an_error(open_folder: Path, without_privileges: AsNobody) -> None:
    """So is a folder of models that may not be looked for."""
    root = write_project(open_folder, {"sub/models/a.sql": PARENT})
    (root / "leapsql.yaml").chmod(0)
    with without_privileges():
        assert loading_problems(root) == [f"leapsql.yaml: cannot be read: Permission denied\n    {RIGHTS}"]
    (root / "leapsql.yaml").chmod(0o644)
    (root / "leapsql.yaml").write_text(f"{TARGET}models_dir: sub/models\n")
    (root / "sub").chmod(0)
    with without_privileges():
        (problem,) = loading_problems(root)
    assert problem.startswith("leapsql.yaml:2: the folder `sub/models` does not exist")


def test_a_project_is_not_looked_for_where_nobody_may_look(open_folder: Path, without_privileges: AsNobody) -> None:
    """It is not found there, and that is all."""
    inner = open_folder / "locked/inner"
    inner.mkdir(parents=True)
    (open_folder / "locked").chmod(0)
    with without_privileges(), pytest.raises(ProjectError) as caught:
        find_root(inner)
    assert f"not found in {inner}" in str(caught.value)


def test_macros_stand_in_their_folder_itself_each_under_its_own_name(tmp_path: Path) -> None:
    """Two could not be told apart where they are called."""
    root = write_project(
        tmp_path,
        {
            "models/a.sql": PARENT,
            "macros/lib.sql": "{% set a = 1 %}",
            "macros/lib.SQL": "{% set a = 2 %}",
            "macros/more/lib2.sql": "{% set a = 1 %}",
        },
    )
    assert loading_problems(root) == [
        "macros/lib.sql: another file holds `lib` already\n    Rename it.",
        "macros/more/lib2.sql: macro files stand in their folder itself\n    Move it up.",
    ]


def test_problems_of_files_and_of_what_they_hold_come_together(tmp_path: Path) -> None:
    """Or alone, where everything else is right."""
    root = write_project(
        tmp_path, {"models/a.sql": PARENT, "models/b.sql": b"\xff", "models/c.sql": "select nope from a"}
    )
    assert [problem.partition("\n")[0] for problem in loading_problems(root)] == [
        "models/b.sql:1: not UTF-8: byte 0xff",
        "models/c.sql:1: it reads a column that is not there: a has no column `nope`",
    ]
    (root / "models/c.sql").unlink()
    assert len(loading_problems(root)) == 1
    (root / "models/b.sql").unlink()
    assert list(load(root).project.nodes) == ["a"]
