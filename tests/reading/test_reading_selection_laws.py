"""Laws of selection, over selections of any shape: closures, joining, taking away; and that nothing breaks it."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from projects import compile_project

from leapsql_core.errors import SelectionError
from leapsql_core.graph import children_of, reachable
from leapsql_core.selection import needs_state, select, words_of

LAW = settings(max_examples=80, deadline=None, derandomize=True, database=None)
EDGES = {"a": "", "b": "a", "c": "a", "d": "b c", "e": "d", "f": "", "g": "f e", "h": "b"}
FOLDERS = {"b": "s/", "c": "s/", "d": "s/"}
FILES = {
    f"models/{FOLDERS.get(name, '')}{name}.sql": f"/*--- {{tags: t{place % 3}, owner: o{place % 2}}} ---*/\n"
    "select 1 as x" + "".join(f" union select x from {parent}" for parent in parents.split())
    for place, (name, parents) in enumerate(EDGES.items())
}
PROJECT = compile_project(FILES)
CHANGED = ("a", "s.d")

CORES = ["b", "s.*", "*", "tag:t1", "owner:o0", "materialized:table", "state:changed"]
cores = st.sampled_from([*PROJECT.nodes, *CORES])
depths = st.sampled_from(["", "0", "1", "2", "7"])
ups = st.just("") | depths.map(lambda depth: f"{depth}+")
downs = st.just("") | depths.map(lambda depth: f"+{depth}")
words = st.tuples(ups, cores, downs).map("".join)


def chosen(*expressions: str, exclude: tuple[str, ...] = ()) -> list[str]:
    return select(PROJECT, expressions, exclude=exclude, changed=lambda: CHANGED)


@LAW
@given(st.lists(words, min_size=1, max_size=4))
def test_joined_words_select_what_each_selects(many: list[str]) -> None:
    """By comma, by space, or one by one; in the project's order, each once."""
    found = chosen(",".join(many))
    assert found == chosen(" ".join(many)) == chosen(*many)
    together = {path for word in many for path in chosen(word)}
    assert found == [path for path in PROJECT.nodes if path in together]


@LAW
@given(st.lists(words, max_size=3), st.lists(words, max_size=3))
def test_what_is_excluded_is_not_selected(many: list[str], exclude: list[str]) -> None:
    """And nothing else is taken away."""
    gone = {path for word in exclude for path in chosen(word)}
    assert chosen(*many, exclude=tuple(exclude)) == [path for path in chosen(*many) if path not in gone]


@LAW
@given(cores)
def test_plus_is_a_closure(core: str) -> None:
    """What is above, what is below, both: and again it is the same."""
    base, below = chosen(core), children_of(PROJECT.parents)
    assert set(chosen(f"+{core}")) == reachable(PROJECT.parents, base)
    assert set(chosen(f"{core}+")) == reachable(below, base)
    assert set(chosen(f"+{core}+")) == reachable(PROJECT.parents, base) | reachable(below, base)
    for path in chosen(f"+{core}"):
        assert set(PROJECT.parents[path]) <= set(chosen(f"+{core}"))


@LAW
@given(cores, st.integers(0, 5))
def test_more_steps_select_no_less(core: str, steps: int) -> None:
    """None are the thing itself, many are all."""
    assert chosen(f"0+{core}") == chosen(core)
    assert set(chosen(f"{steps}+{core}")) <= set(chosen(f"{steps + 1}+{core}")) <= set(chosen(f"+{core}"))
    assert set(chosen(f"{core}+{steps}")) <= set(chosen(f"{core}+{steps + 1}")) <= set(chosen(f"{core}+"))


@LAW
@given(words)
def test_a_selection_keeps_parents_first(word: str) -> None:
    """It is a part of the project's order."""
    found = chosen(word)
    assert found == sorted(found, key=list(PROJECT.nodes).index)


PIECES = st.sampled_from([*"+2, *.:[]?!é\n\0", "tag", "state", "changed", "owner", "a", "s.b"])


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.lists(PIECES, max_size=8).map("".join) | st.text(max_size=12), st.booleans())
def test_any_text_is_a_selection_or_a_complaint(text: str, at_hand: bool) -> None:
    """Never another exception; a complaint says which word is meant, and what to do."""
    try:
        found = select(PROJECT, [text], changed=(lambda: CHANGED) if at_hand else None)
    except SelectionError as exc:
        check(exc, words_of([text]))
    else:
        assert set(found) <= set(PROJECT.nodes)
        assert at_hand or not needs_state([text])


def check(error: SelectionError, words: list[str]) -> None:
    assert error.mend
    named = re.search("`(.*?)`", error.cause, re.DOTALL)
    assert named is None or any(named[1] in word for word in words)
    assert named is not None or error.cause == "the selection is empty"
