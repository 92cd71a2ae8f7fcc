"""Seeds: each row that a file holds is loaded, or the file is refused with the line; none is lost or guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from hostile_samples import Hostile
from projects import Lab
from reading_samples import loading_problems, write_project

CONFIGURATION = "target: {type: duckdb, database: ':memory:'}\n"


def loaded(root: Path, content: bytes) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the columns and rows of a seed once it is built."""
    shop = Hostile(root, {"seeds/s.csv": content, "models/m.sql": "select * from s"})
    shop.leapsql("run", status=0)
    with duckdb.connect(str(shop.root / ".leapsql/warehouse.duckdb")) as connection:
        found = connection.execute("SELECT * FROM m")
        return [name for name, *_ in found.description or ()], found.fetchall()


@pytest.mark.parametrize(
    ("content", "columns", "rows"),
    [
        (b"a,b\n", ["a", "b"], []),
        (b"a,b\nx,y\n", ["a", "b"], [("x", "y")]),
        (b"1,2\n3,4\n", ["1", "2"], [(3, 4)]),
        (b"a,A\n1,2\n", ["a", "A_1"], [(1, 2)]),
        (b"a,a,a_1\n1,2,3\n", ["a", "a_1", "a_1_1"], [(1, 2, 3)]),
        (b"select,from,order\n1,2,3\n", ["select", "from", "order"], [(1, 2, 3)]),
        (b'"a""; drop table x; --",b\n1,2\n', ['a"; drop table x; --', "b"], [(1, 2)]),
        (b"\xef\xbb\xbfa,b\r\n1,2\r\n", ["a", "b"], [(1, 2)]),
        (b"a,b\n#1,2\n#3,4\n", ["a", "b"], [("#1", 2), ("#3", 4)]),
        (b"a,b\n1,x'y\n2,'z\n", ["a", "b"], [(1, "x'y"), (2, "'z")]),
        (b'a,b\n1,"x, ""y"""\n', ["a", "b"], [(1, 'x, "y"')]),
        (b'a\n"x, y"\n', ["a"], [("x, y",)]),
        (b'"a, b"\n1\n', ["a, b"], [(1,)]),
    ],
)
def test_what_a_file_says_is_loaded(
    tmp_path: Path, content: bytes, columns: list[str], rows: list[tuple[Any, ...]]
) -> None:
    """The first line is the header; quotes are double ones; no line is a remark."""
    assert loaded(tmp_path / "shop", content) == (columns, rows)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a,b\n1,2\n3\n4,5,6\n", "seeds/s.csv:3: the header has 2 columns, this line has 1"),
        (b"a;b\n1;2\n4;5;6\n", "seeds/s.csv:3: the header has 2 columns, this line has 3"),
        (b'a,b\n1,"x\n2,y\n', "seeds/s.csv:3: a quote does not end, or stands within a text: "),
        (b'a,b\n1,"x" y\n2,y\n', "seeds/s.csv:2: a quote does not end, or stands within a text: "),
        (b'a,b\n1,"x', "seeds/s.csv:2: a quote does not end, or stands within a text: "),
        (b'"a,b\n1,2\n', "seeds/s.csv: the file cannot be read as CSV: "),
        (b"a,b\n1,\xff\n", "seeds/s.csv:2: the file cannot be read as CSV: Invalid unicode"),
        (bytes(range(256)) * 10, "seeds/s.csv: the file cannot be read as CSV: "),
        (b"a,b\n1," + b"x" * 2_100_000 + b"\n", "seeds/s.csv:"),
        (b"", "seeds/s.csv: the file is empty"),
    ],
)
def test_a_file_whose_rows_are_not_certain_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    """DuckDB by itself would pass over lines until the rest makes sense."""
    (found,) = loading_problems(write_project(tmp_path, {"seeds/s.csv": content}))
    assert found.startswith(problem)
    assert "\n    " in found
    assert len(found) < 500


def test_a_line_far_down_that_does_not_fit_fails_the_build(tmp_path: Path) -> None:
    """Nobody reads it before; it is said which line it is."""
    content = b"a,b\n" + b"3,4\n" * 30_000 + b"4,5,6\n"
    shop = Hostile(tmp_path / "shop", {"seeds/s.csv": content})
    assert "CSV Error on Line: 30002" in shop.leapsql("run", status=1)


def test_a_wide_seed_is_loaded(tmp_path: Path) -> None:
    """Of hundreds of columns."""
    header, row = (",".join(f"{letter}{number}" for number in range(300)) for letter in "cv")
    columns, rows = loaded(tmp_path / "shop", f"{header}\n{row}\n".encode())
    assert (len(columns), rows[0][299]) == (300, "v299")


def test_a_seed_of_a_million_lines_is_loaded(tmp_path: Path) -> None:
    """Every one of them, and not again while it stays as it is."""
    lab = Lab(
        tmp_path / "lab", {"leapsql.yaml": CONFIGURATION, "models/m.sql": "select count(*) as n, sum(a) as a from s"}
    )
    try:
        lab.edit({"seeds/s.csv": "a,b\n" + "".join(f"{number},x\n" for number in range(1_000_000))})
        assert lab.run().status == "completed"
        assert lab.rows("SELECT n, a FROM m") == [(1_000_000, 499_999_500_000)]
        assert lab.run().built == set()
    finally:
        lab.close()
