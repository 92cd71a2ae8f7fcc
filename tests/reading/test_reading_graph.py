"""Graphs: parents come first, what lies above and below, and cycles; laws over graphs of any shape."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leapsql_core.graph import children_of, find_cycle, parents_first, reachable

LAW = settings(max_examples=70, deadline=None, derandomize=True, database=None)
NAMES = "abcdefgh"
Graph = dict[str, list[str]]


def from_edges(names: set[str], edges: list[tuple[str, str]]) -> Graph:
    return {name: [parent for reader, parent in edges if reader == name] for name in sorted(names)}


#: Names that read others, some of them twice, some that are no names of the graph.
any_graph = st.builds(
    from_edges,
    st.sets(st.sampled_from(NAMES), min_size=1),
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from([*NAMES, "outside"])), max_size=16),
)


@st.composite
def acyclic(draw: st.DrawFn) -> Graph:
    """Return a graph whose names read only what comes before them in an order of chance."""
    order = draw(st.permutations(NAMES))
    graph = {
        name: draw(st.lists(st.sampled_from([*order[:place], "outside"]), max_size=3))
        for place, name in enumerate(order)
    }
    return {name: graph[name] for name in draw(st.permutations(NAMES))}


def steps_between(edges: Graph, start: set[str], depth: int | None) -> set[str]:
    """Return what can be reached, step by step, as a definition."""
    found = {name for name in start if name in edges}
    for _ in range(len(edges) if depth is None else depth):
        found |= {other for name in found for other in edges[name] if other in edges}
    return found


@LAW
@given(acyclic())
def test_parents_come_first(graph: Graph) -> None:
    """Every name is there, once, after all that it reads."""
    order = parents_first(graph)
    assert sorted(order) == sorted(graph)
    place = {name: number for number, name in enumerate(order)}
    assert all(place[parent] < place[name] for name, above in graph.items() for parent in above if parent in graph)


@LAW
@given(acyclic())
def test_of_several_orders_it_is_the_alphabetically_first(graph: Graph) -> None:
    """At each place stands the first name whose parents all came before."""
    done: list[str] = []
    for name in parents_first(graph):
        ready = [
            other
            for other in sorted(graph)
            if other not in done and all(parent in done for parent in graph[other] if parent in graph)
        ]
        assert name == ready[0]
        done.append(name)


@LAW
@given(any_graph)
def test_a_name_is_left_out_where_it_lies_in_a_cycle_or_below_one(graph: Graph) -> None:
    """And only there: so an order that holds all names is one of a graph without a cycle."""
    order = parents_first(graph)
    circular = {name for name in graph if name in steps_between(graph, set(graph[name]), None)}
    left_out = {name for name in graph if steps_between(graph, {name}, None) & circular}
    assert sorted(order) == sorted(set(graph) - left_out)
    assert (find_cycle(graph) is None) == (not circular)


@LAW
@given(any_graph)
def test_children_are_parents_turned_round(graph: Graph) -> None:
    """Sorted, each once."""
    below = children_of(graph)
    assert list(below) == list(graph)
    for name, children in below.items():
        assert list(children) == sorted({other for other in graph if name in graph[other]})


@LAW
@given(any_graph, st.sets(st.sampled_from([*NAMES, "outside"]), max_size=3), st.none() | st.integers(0, 4))
def test_what_is_reached_is_what_so_many_steps_reach(graph: Graph, start: set[str], depth: int | None) -> None:
    """From names of the graph, themselves included; no limit reaches all there is."""
    assert reachable(graph, start, depth=depth) == steps_between(graph, start, depth)


CHAIN = {"e": ["d"], "d": ["c"], "c": ["b", "x"], "b": ["a"], "a": [], "x": ["a"]}


@pytest.mark.parametrize(
    ("start", "depth", "found"),
    [
        ("d", 0, "d"),
        ("d", 1, "cd"),
        ("d", 2, "bcdx"),
        ("d", 3, "abcdx"),
        ("d", None, "abcdx"),
        ("ab", 1, "ab"),
        ("", None, ""),
        ("z", 1, ""),
        ("c", -1, "c"),
    ],
)
def test_a_step_is_one_edge(start: str, depth: int | None, found: str) -> None:
    """None of them is the start itself; less than none is none."""
    assert sorted(reachable(CHAIN, start, depth=depth)) == list(found)


@LAW
@given(any_graph, st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_below_is_above_turned_round(graph: Graph, one: str, other: str) -> None:
    """If one name is above another, the other is below it."""
    above, below = reachable(graph, [one]), reachable(children_of(graph), [other])
    assert (other in above) == (one in below) or one not in graph or other not in graph


@LAW
@given(any_graph, st.sets(st.sampled_from(NAMES)))
def test_a_closure_is_closed(graph: Graph, start: set[str]) -> None:
    """Reaching from what was reached reaches nothing more; more starts reach no less."""
    found = reachable(graph, start)
    assert reachable(graph, found) == found
    assert found >= reachable(graph, list(start)[:1])


@LAW
@given(any_graph)
def test_a_cycle_is_a_way_back_and_a_shortest_one(graph: Graph) -> None:
    """Each name is read by the next, the last is the first; there is none shorter, nor as short and before it."""
    cycle = find_cycle(graph)
    if cycle is None:
        assert len(parents_first(graph)) == len(graph)
        return
    assert cycle[0] == cycle[-1]
    assert len(set(cycle)) == len(cycle) - 1
    assert all(one in graph[next_] for one, next_ in pairwise(cycle))
    shortest = {}
    for name in graph:
        for steps in range(1, len(graph) + 1):
            if name in _ends(graph, name, steps):
                shortest[name] = steps
                break
    least = min(shortest.values())
    assert len(cycle) - 1 == least
    assert cycle[0] == min(name for name, steps in shortest.items() if steps == least)


def _ends(graph: Graph, start: str, steps: int) -> set[str]:
    ends = {start}
    for _ in range(steps):
        ends = {parent for name in ends for parent in graph[name] if parent in graph}
    return ends


@LAW
@given(any_graph, st.randoms(use_true_random=False))
def test_the_order_in_which_a_graph_is_given_changes_nothing(graph: Graph, random: object) -> None:
    """Neither of names nor of what they read."""
    names = sorted(graph)
    random.shuffle(names)  # type: ignore[attr-defined]
    turned = {name: list(reversed(graph[name])) for name in names}
    assert parents_first(turned) == parents_first(graph)
    assert find_cycle(turned) == find_cycle(graph)
    assert children_of(turned) == children_of(graph)


def test_hash_seeds_change_nothing() -> None:
    """In processes of their own, for a seed holds for one."""
    script = (
        "from leapsql_core.graph import *\n"
        "names = [f'n{i}' for i in range(60)]\n"
        "graph = {n: [names[(i * 7) % 60], names[(i * 11) % 60]] for i, n in enumerate(names)}\n"
        "dag = {n: [p for p in above if p < n] for n, above in graph.items()}\n"
        "print(parents_first(dag), find_cycle(graph), children_of(graph))"
    )
    said = set()
    for seed in ("0", "1", "2"):
        environ = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True)
        said.add(done.stdout)
    assert len(said) == 1


@pytest.mark.parametrize("shape", ["chain", "ring", "fan"])
def test_large_graphs_are_no_trouble(shape: str) -> None:
    """Nothing here is written with recursion."""
    names = [f"n{number:05}" for number in range(5000)]
    chain = {name: [names[place - 1]] if place else [] for place, name in enumerate(names)}
    if shape == "chain":
        assert parents_first(chain) == names
        assert len(reachable(chain, [names[-1]])) == 5000
    elif shape == "ring":
        ring = {**chain, names[0]: [names[-1]]}
        assert parents_first(ring) == []
        assert find_cycle(dict(list(ring.items())[:100]) | {names[0]: [names[99]]}) == [*names[:100], names[0]]
    else:
        fan = {name: names[:1] if place else [] for place, name in enumerate(names)}
        assert parents_first(fan) == names
        assert len(children_of(fan)[names[0]]) == 4999
