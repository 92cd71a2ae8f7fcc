"""Cycles: printed with their path, a shortest one first; tests may not look at what is built from their model."""

from __future__ import annotations

from projects import compile_project
from reading_samples import PARENT, problems_of

READS = "Take one of these reads out."
TESTS = "Take one of these tests out."


def with_test(to: str, sql: str = "select 1 as x") -> str:
    return f"/*---\nowner: o\ntests: [relationships: {{column: x, to: {to}}}]\n---*/\n{sql}"


def test_a_cycle_is_printed_with_its_path() -> None:
    """Each followed by one that reads it; at the line where the first reads the last."""
    files = {
        "models/a.sql": "select x\nfrom c",
        "models/b.sql": "select x from a",
        "models/c.sql": "select x from b",
        "models/below.sql": "select nothing from a",
        "models/above.sql": PARENT,
    }
    assert problems_of(files) == [f"models/a.sql:2: a cycle: a → b → c → a\n    {READS}"]


def test_a_shortest_cycle_is_printed_and_others_that_share_nothing_with_it() -> None:
    """All of them at once, and none twice."""
    files = {
        "models/a.sql": "select x from b join d using (x)",
        "models/b.sql": "select x from a",
        "models/c.sql": "select x from b",
        "models/d.sql": "select x from c",
        "models/p.sql": "select x from s.q",
        "models/s/q.sql": "select x from p",
    }
    assert problems_of(files) == [
        f"models/a.sql:1: a cycle: a → b → a\n    {READS}",
        f"models/p.sql:1: a cycle: p → s.q → p\n    {READS}",
    ]


def test_depends_on_makes_cycles_too() -> None:
    """It is a read like any other, at its own line."""
    files = {"models/a.sql": "/*---\nowner: x\ndepends_on: b\n---*/\nselect 1 as x", "models/b.sql": "select x from a"}
    assert problems_of(files) == [f"models/a.sql:3: a cycle: a → b → a\n    {READS}"]


def test_a_test_may_not_read_what_is_built_from_its_model() -> None:
    """It would have to run before it is built; directly below, or further down."""
    files = {
        "models/a.sql": with_test("c"),
        "models/b.sql": "select x from a",
        "models/c.sql": "select x from b",
    }
    assert problems_of(files) == [
        "models/a.sql:3: test relationships(x → c.x) reads c, which is built from this model\n    Put the test into c."
    ]


def test_tests_that_wait_for_each_other_are_a_cycle() -> None:
    """Alone, or together with reads."""
    assert problems_of({"models/a.sql": with_test("b"), "models/b.sql": with_test("a")}) == [
        f"models/a.sql:3: reads and tests make a cycle: a → b → a\n    {TESTS}"
    ]
    files = {
        "models/a.sql": with_test("d"),
        "models/b.sql": "select x from a",
        "models/c.sql": with_test("b"),
        "models/d.sql": "select x from c",
    }
    assert problems_of(files) == [f"models/a.sql:3: reads and tests make a cycle: a → b → c → d → a\n    {TESTS}"]


def test_tests_may_read_up_and_aside() -> None:
    """What is above, what is unrelated, and the model itself."""
    files = {
        "models/a.sql": PARENT,
        "models/b.sql": with_test("a", "select x from a"),
        "models/c.sql": with_test("b"),
        "models/d.sql": with_test("d"),
    }
    project = compile_project(files)
    assert list(project.nodes) == ["a", "b", "c", "d"]
    assert project.waits == {"c": ("b",)}
