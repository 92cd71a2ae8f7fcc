"""Seeds on disk: their columns as DuckDB makes them out, their hash, and what is no CSV."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from reading_samples import PARENT, load, loading_problems, write_project

from leapsql_core.models import Seed

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
    assert problem.startswith("seeds/s.csv: the file cannot be read as CSV: ")
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
