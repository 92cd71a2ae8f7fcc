"""The comparison: each answer of ours leads to tests that there are, and the others are named by version."""

import ast
import re
from functools import cache

import pytest
from docs_reading import REPOSITORY, find_table, read_page, read_tables

PAGE = "docs/comparison.md"
OURS = "LeapSQL"
PEERS = ("dagster-dbt", "dagster-sqlmesh", "dagster-rocky")
_ANSWER = re.compile(r"(yes|partly|no|not found)(?:: (.+))?")
_LINK = re.compile(r"\[([^]]+)\]\(\.\./(tests/[\w/]+\.py)\)")


def rows() -> list[dict[str, str]]:
    return find_table(read_page(PAGE), "feature", OURS, *PEERS)


@cache
def names_in(file: str) -> set[str]:
    """Return the names of the tests of a file; none where there is no such file."""
    path = REPOSITORY / file
    tree = ast.parse(path.read_text(encoding="utf-8") if path.exists() else "")
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def names_told(cell: str) -> list[tuple[str, str]]:
    """Return file and name of each test that a cell leads to: the words of a link are the test's name."""
    return [(file, "test_" + words.replace(" ", "_")) for words, file in _LINK.findall(cell)]


def what_is_wrong(cell: str) -> list[str]:
    """Return what keeps an answer of ours from being held to its word."""
    answer = _ANSWER.fullmatch(cell)
    if answer is None or answer[1] == "not found":
        return [f"no answer: {cell}"]
    named = names_told(cell)
    if answer[1] != "no" and not named:
        return [f"no test: {cell}"]
    return [f"{file}::{name}" for file, name in named if name not in names_in(file)]


def test_each_answer_of_ours_leads_to_tests_that_there_are() -> None:
    """Every yes names one at least, and each is a test of the file that the link leads to."""
    assert len(rows()) > 60
    wrong = {row["feature"]: what_is_wrong(row[OURS]) for row in rows()}
    assert {feature: said for feature, said in wrong.items() if said} == {}


@pytest.mark.parametrize(
    ("cell", "wrong"),
    [
        ("yes", 1),
        ("yes: of course", 1),
        ("perhaps", 1),
        ("not found", 1),
        ("yes: [each answer is true](../tests/docs/test_docs_comparison.py)", 1),
        ("yes: [each answer of ours leads to tests that there are](../tests/docs/test_docs_nowhere.py)", 1),
        ("yes: [each answer of ours leads to tests that there are](../tests/docs/test_docs_comparison.py)", 0),
        ("no: nobody asked", 0),
    ],
)
def test_an_answer_without_its_test_would_be_found(cell: str, wrong: int) -> None:
    """Else the test above would hold of nothing."""
    assert len(what_is_wrong(cell)) == wrong


def test_each_other_has_an_answer_in_every_row() -> None:
    """It begins with one of four words; a *partly* says what is lacking, in eight words at most."""
    for row in rows():
        for peer in PEERS:
            answer = _ANSWER.fullmatch(row[peer])
            assert answer is not None, (row["feature"], peer)
            assert answer[1] != "partly" or answer[2], (row["feature"], peer)
            assert len((answer[2] or "").split()) <= 8, (row["feature"], peer)


def test_no_row_stands_outside_of_the_tables_that_are_checked() -> None:
    """Each table but that of versions has the same columns, and no feature has two rows."""
    features = [row["feature"] for row in rows()]
    assert len(features) == len(set(features))
    assert sum(len(table) for table in read_tables(read_page(PAGE))) == len(features) + len(PEERS)


def test_the_versions_that_were_looked_at_are_stated() -> None:
    """Of each of the others, to the last number."""
    told = {row["package"]: row["version"] for row in find_table(read_page(PAGE), "package", "version")}
    assert tuple(told) == PEERS
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in told.values())


def test_what_the_others_have_and_this_has_not_is_said() -> None:
    """In a section of its own, with a word on each of them."""
    section = read_page(PAGE).partition("\n## What they have and this has not\n")[2].partition("\n## ")[0]
    assert all(f"**{peer}**" in section for peer in PEERS)
