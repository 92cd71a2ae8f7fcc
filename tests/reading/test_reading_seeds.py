"""Seeds on disk: their columns as DuckDB makes them out, their hash, and what is no CSV."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from reading_samples import PARENT, load, loading_problems, write_project

from leapsql_core.models import Seed
from leapsql_core.seeds import seed_rows

LINE = "Write a CSV file with one header line."


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        (b"id,name\n1,x\n", ("id", "name")),
        (b"id;name\n1;x\n2;y\n", ("id", "name")),
        (b"id\tname\r\n1\tx\r\n", ("id", "name")),
        (b"\xef\xbb\xbfid,name\n1,x\n", ("id", "name")),
        (b'"the id","na,me"\n1,x\n', ("the id", "na,me")),
        (b"id\n", ("id",)),
        ("größe,naïve\n1,2\n".encode(), ("größe", "naïve")),
        (b"id,id\n1,2\n", ("id", "id_1")),
    ],
)
def test_the_header_names_the_columns(tmp_path: Path, content: bytes, columns: tuple[str, ...]) -> None:
    """Whatever parts them, as DuckDB reads it; the hash is that of the bytes."""
    root = write_project(tmp_path, {"models/a.sql": PARENT, "seeds/s.csv": content})
    seed = load(root).project.nodes["s"]
    assert isinstance(seed, Seed)
    assert (seed.columns, seed.content_hash) == (columns, hashlib.sha256(content).hexdigest())


def test_a_model_sees_the_columns_of_a_seed(tmp_path: Path) -> None:
    """A column that a CSV lost is an error before anything runs."""
    root = write_project(tmp_path, {"models/a.sql": "select name\nfrom s", "seeds/s.csv": "id,nmae\n1,x\n"})
    assert loading_problems(root) == [
        "models/a.sql:1: it reads a column that is not there: s has no column `name`\n    Did you mean nmae?"
    ]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"  \n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_no_seed(tmp_path: Path, content: bytes) -> None:
    """It has no columns."""
    root = write_project(tmp_path, {"models/a.sql": PARENT, "seeds/s.csv": content})
    assert loading_problems(root) == ["seeds/s.csv: the file is empty\n    Give it a header line at least."]


@pytest.mark.parametrize("content", [b"a,b\n1,2\n\xff\xfe,3\n", "a,b\n1,2\n".encode("utf-16"), bytes(range(256))])
def test_what_is_no_csv_is_an_error_of_its_file(tmp_path: Path, content: bytes) -> None:
    """In DuckDB's words; others are read all the same."""
    files = {"models/a.sql": PARENT, "seeds/s.csv": content, "seeds/t.csv": "", "seeds/u.csv": "x\n1\n"}
    (problem, other) = loading_problems(write_project(tmp_path, files))
    assert re.match(r"seeds/s\.csv(:\d+)?: the file cannot be read as CSV: ", problem)
    assert problem.endswith(f"\n    {LINE}")
    assert str(tmp_path) not in problem
    assert other.startswith("seeds/t.csv: the file is empty")


def test_a_name_that_looks_like_a_pattern_is_a_name(tmp_path: Path) -> None:
    """DuckDB would read every file that fits it."""
    root = write_project(tmp_path, {"models/a.sql": PARENT, "seeds/[ab]*.csv": "x\n1\n", "seeds/b.csv": "y\n1\n"})
    assert {path: getattr(node, "columns", None) for path, node in load(root).project.nodes.items()} == {
        "[ab]*": ("x",),
        "a": None,
        "b": ("y",),
    }


def test_the_names_of_folders_are_no_columns(tmp_path: Path) -> None:
    """DuckDB would take `y=2026` for one, and another checkout would have other columns."""
    files = {"models/a.sql": PARENT, "seeds/y=2026/s.csv": "x\n1\n"}
    seed = load(write_project(tmp_path / "env=dev", files)).project.nodes["y=2026.s"]
    assert isinstance(seed, Seed)
    assert seed.columns == ("x",)


SAME_ROWS = b'id,name\n1,x\n2,"y, z"\n'


def rows_version(root: Path, content: bytes, settings: str = "{}") -> str | None:
    """Return the version of the rows of a seed in a project on disk."""
    config = f"target: {{type: duckdb, settings: {settings}}}\n"
    loaded = load(write_project(root, {"leapsql.yaml": config, "models/a.sql": PARENT, "seeds/s.csv": content}))
    seed = loaded.project.nodes["s"]
    assert isinstance(seed, Seed)
    version = seed_rows(loaded, seed)
    loaded.cache.save()
    return version


@pytest.mark.parametrize(
    "content",
    [
        b'id,name\r\n1,x\r\n2,"y, z"\r\n',
        b'id,name\n1,x\n2,"y, z"',
        b'"id","name"\n"1","x"\n"2","y, z"\n',
        b"id;name\n1;x\n2;y, z\n",
        b'\xef\xbb\xbfid,name\n1,x\n2,"y, z"\n',
    ],
)
def test_how_a_file_is_written_does_not_show_in_the_version_of_its_rows(tmp_path: Path, content: bytes) -> None:
    """Ends of lines, quotes, what parts the columns, a mark at the beginning."""
    assert rows_version(tmp_path, SAME_ROWS) == rows_version(tmp_path, content) is not None


@pytest.mark.parametrize(
    "content",
    [
        b'id,name\n1,x\n3,"y, z"\n',
        b'id,name\n1.0,x\n2,"y, z"\n',
        b'id,Name\n1,x\n2,"y, z"\n',
        b'name,id\nx,1\n"y, z",2\n',
        b'id,name\n2,"y, z"\n1,x\n',
        b'id,name\n1,x\n2,"y, z"\n2,"y, z"\n',
        b'id,name\n1,x\n2,"y, z "\n',
    ],
)
def test_what_it_holds_shows(tmp_path: Path, content: bytes) -> None:
    """A value, a type, a name, the order of columns and of rows, a row more, a space within quotes."""
    assert rows_version(tmp_path, SAME_ROWS) != rows_version(tmp_path, content) is not None


def test_the_settings_of_the_target_take_part(tmp_path: Path) -> None:
    """Loaded as a build would: where that may open no file, nothing can be told; threads change nothing."""
    assert rows_version(tmp_path / "closed", SAME_ROWS, "{enable_external_access: false}") is None
    plain = rows_version(tmp_path / "plain", SAME_ROWS)
    assert rows_version(tmp_path / "narrow", SAME_ROWS, "{threads: 1}") == plain is not None


def test_many_rows_keep_their_order_on_many_threads(tmp_path: Path) -> None:
    """Loaded by several threads at once, the same file gives the same version each time."""
    rows = b"".join(b"%d,x%d\n" % (n * 7919 % 1000, n % 13) for n in range(300_000))
    one = rows_version(tmp_path / "one", b"n,x\n" + rows)
    other = rows_version(tmp_path / "other", (b"n,x\n" + rows).replace(b"\n", b"\r\n"))
    assert one == other is not None


def test_what_cannot_be_loaded_proves_nothing(tmp_path: Path) -> None:
    """A file that is gone, is another by now, or holds a column that hides the places of its rows."""
    loaded = load(write_project(tmp_path, {"models/a.sql": PARENT, "seeds/s.csv": SAME_ROWS}))
    seed = loaded.project.nodes["s"]
    assert isinstance(seed, Seed)
    (tmp_path / "seeds/s.csv").write_bytes(b"id,name\n1,x\n")
    assert seed_rows(loaded, seed) is None
    (tmp_path / "seeds/s.csv").unlink()
    assert seed_rows(loaded, seed) is None
    (tmp_path / "seeds/s.csv").write_bytes(SAME_ROWS)
    assert seed_rows(loaded, seed) == rows_version(tmp_path, SAME_ROWS) is not None
    assert rows_version(tmp_path, b"rowid,name\n1,x\n") is None
