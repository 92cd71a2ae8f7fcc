"""Files and paths: what lies where something else should is a message, and nothing is harmed by it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hostile_samples import Hostile, yaml_of
from reading_samples import PARENT, loading_problems, write_project

MODELS = {"models/m.sql": PARENT}


@pytest.mark.parametrize("path", ["models", "leapsql.yaml/x", "leapsql.yaml", "x" * 300, "~no-such-user/x", "\x01\x02"])
@pytest.mark.parametrize("key", ["state_path", "target: {type: duckdb, database", "models_dir", "seeds_dir"])
def test_a_path_that_leads_elsewhere_is_a_message(tmp_path: Path, key: str, path: str) -> None:
    """In every command: a folder for a file, a file for a folder, a name no file may have, a user that there is not."""
    written = f"{key}: {yaml_of(path)}" + ("}" if "{" in key else "\ntarget: {type: duckdb}") + "\n"
    shop = Hostile(tmp_path / "shop", {"leapsql.yaml": written, **MODELS})
    for words in (["run"], ["plan"], ["list"], ["state", "check"], ["history"], ["query", "select 1"], ["why", "m"]):
        shop.leapsql(*words)
    assert (shop.root / "leapsql.yaml").read_text() == written
    assert (shop.root / "models/m.sql").read_text() == PARENT


@pytest.mark.parametrize("key", ["state_path", "models_dir", "name", "environment"])
def test_a_value_does_not_end_before_its_end(tmp_path: Path, key: str) -> None:
    """Files and databases take a character without any bit for the end of a name."""
    files = {"leapsql.yaml": f'{key}: "a\\0b"\ntarget: {{type: duckdb}}\n', **MODELS}
    cause = "leapsql.yaml:1: bad YAML: U+0000 is no character of a text"
    assert loading_problems(write_project(tmp_path, files)) == [f"{cause}\n    Take it out."]


def test_what_an_environment_variable_holds_stays_one_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lines, quotes and braces make no keys, and nothing in it is filled in once more."""
    value = "a\nsources: {x: {version: never}}\n'\"}{ ${HOME} {{ env.HOME }} #"
    monkeypatch.setenv("LEAPSQL_HOSTILE", value)
    text = "name: ${LEAPSQL_HOSTILE}\nvars: {v: '${LEAPSQL_HOSTILE}'}\ntarget: {type: duckdb}\n"
    model = "select $v${{ var('v') }}$v$ = $v${{ env.LEAPSQL_HOSTILE }}$v$ and $v${{ config.name }}$v$ <> ''"
    shop = Hostile(tmp_path / "shop", {"leapsql.yaml": text, "models/m.sql": f"{model} as x"})
    assert f"select $v${value}$v$ = $v${value}$v$" in shop.leapsql("render", "m", "--output", "text", status=0)
    assert "sources" not in shop.leapsql("lineage", "m", status=0)


def test_links_lead_out_of_the_project_and_in_circles(tmp_path: Path) -> None:
    """Models may lie elsewhere; a circle is followed once, and a link to itself is an error."""
    write_project(tmp_path / "other", {"models/far.sql": PARENT})
    root = write_project(tmp_path / "shop", MODELS)
    (root / "models/out").symlink_to(tmp_path / "other/models")
    (root / "models/out/back").symlink_to(root / "models")
    assert "out.far" in Hostile(root, {}).leapsql("list", status=0)
    (root / "models/self").symlink_to(root / "models/self")
    (problem,) = loading_problems(root)
    assert problem.startswith("models/self: cannot be read: ")


def test_a_folder_may_end_as_a_file_does(tmp_path: Path) -> None:
    """Its name is part of a path, in which a dot may not stand."""
    root = write_project(tmp_path, {"models/x.sql/y.sql": PARENT})
    assert loading_problems(root)[0].startswith("models/x.sql/y.sql: a dot stands in a name: `x.sql.y`")


@pytest.mark.parametrize("file", ["models/m.sql", "seeds/s.csv", "macros/l.sql", "leapsql.yaml"])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, file: str) -> None:
    """A pipe without a writer would keep a reader for ever."""
    root = write_project(tmp_path, {"models/n.sql": PARENT, "seeds/t.csv": "x\n1\n", "macros/k.sql": ""})
    (root / file).unlink(missing_ok=True)
    os.mkfifo(root / file)
    (problem,) = loading_problems(root)
    assert problem.startswith(f"{file}: not found in " if file == "leapsql.yaml" else f"{file}: this is no file")


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0" + b"garbage" * 1000, b"x" * 5000, None])
def test_a_damaged_parse_cache_is_as_good_as_none(tmp_path: Path, content: bytes | None) -> None:
    """So is a folder that lies in its place."""
    shop = Hostile(tmp_path / "shop", {"seeds/s.csv": "x\n1\n", "models/m.sql": "select x from s"})
    cache = shop.root / ".leapsql/parsed.db"
    cache.parent.mkdir()
    if content is None:
        cache.mkdir()
    else:
        cache.write_bytes(content)
    shop.leapsql("run", status=0)
    assert "2 unchanged" in shop.leapsql("run", status=0)
