"""What the other tests of the documentation rest on: they would hold of nothing if pages were read as empty."""

from __future__ import annotations

from pathlib import Path

import pytest
from docs_reading import Block, Step, code_in, find_table, make_edit, read_blocks, read_steps, read_tables, shows

PAGE = """# Page

`models/a.sql`:

```sql
select 1
```

The same stands in `leapsql.yaml`:

```yaml
a: 1
```

| key | default | |
|---|---|---|
| `a` | `x \\| y` | `b` or `c` |

````console
$ leapsql plan
```text
```

$ leapsql run
1 built in 0.3 s
````

In `models/a.sql`:

```diff
 select
-    1
+    2
 from t
```
"""


def test_blocks_are_read_with_the_file_that_is_named_above_them() -> None:
    """One that is the whole of a file is told from one that is a piece of it."""
    sql, yaml, console, diff = read_blocks(PAGE)
    assert sql == Block("sql", "select 1\n", 5, "models/a.sql", is_file=True)
    assert yaml == Block("yaml", "a: 1\n", 11, "leapsql.yaml")
    assert console.file is None
    assert console.text.count("```") == 2
    assert (diff.file, diff.is_file) == ("models/a.sql", False)


def test_tables_are_read_by_their_headers() -> None:
    """A bar may stand in a cell, and lines in blocks are no tables."""
    assert read_tables(PAGE) == [[{"key": "`a`", "default": "`x | y`", "": "`b` or `c`"}]]
    assert find_table(PAGE, "key", "default") == read_tables(PAGE)[0]
    assert find_table(PAGE, "default") == []
    assert code_in("`b` or `c`") == ["b", "c"]


def test_commands_and_edits_are_read_in_order() -> None:
    """Each command with what is shown of its answer, each edit with what it replaces."""
    assert read_steps(PAGE) == [
        Step(20, command="leapsql plan", shown="```text\n```\n\n"),
        Step(24, command="leapsql run", shown="1 built in 0.3 s\n"),
        Step(30, file="models/a.sql", before="select\n    1\nfrom t", after="select\n    2\nfrom t"),
    ]


def test_an_edit_is_made_where_its_lines_stand_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that fits nowhere fails."""
    monkeypatch.chdir(tmp_path)
    Path("a.sql").write_text("select\n    1\nfrom t\n")
    make_edit(Step(1, file="a.sql", before="    1", after="    2"))
    assert Path("a.sql").read_text() == "select\n    2\nfrom t\n"
    with pytest.raises(AssertionError, match="does not hold this once"):
        make_edit(Step(1, file="a.sql", before="    1", after="    2"))


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("a  built  36 ms\n", "a  built  1 m 12 s\n"),
        ("run  3f2a91bc", "run       0a1b2c3d"),
        ("run  3f2a91bc", "run       efdbadfe"),
        ("2026-01-31 06:00:00", "2026-02-01 07:30:59"),
        ('"execution_ms": 12,', '"execution_ms": 7,'),
        ("first\n…\nlast", "first\nany\nthing\nlast"),
        ("reason: because…", "reason: because of that"),
    ],
)
def test_what_is_another_each_time_may_differ(shown: str, printed: str) -> None:
    """Times, ids and moments, and whatever was left out."""
    assert shows(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("24 built in 2.0 s", "23 built in 2.0 s"),
        ("a  built", "a  failed"),
        ("a\nb", "a\nc\nb"),
        ("a", "a b"),
        ("first … last", "first any"),
        ("deadbeef", "deadline"),
    ],
)
def test_nothing_else_may_differ(shown: str, printed: str) -> None:
    """Numbers, words, and lines too many or too few."""
    assert not shows(shown, printed)
