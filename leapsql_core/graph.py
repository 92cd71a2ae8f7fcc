"""Graphs of names: parents-first order, what lies above and below, and the cycle if there is one.

Every answer is sorted or in the given order, so it never depends on hash seeds or on the order of files.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence

Parents = Mapping[str, Sequence[str]]


def parents_first(parents: Parents) -> list[str]:
    """Return all names, each after its parents; of several possible orders the alphabetically first.

    Names in a cycle, or below one, are left out: see `find_cycle`. Parents that are not names are ignored.

    >>> parents_first({"c": ["b"], "b": ["a"], "a": [], "z": []})
    ['a', 'b', 'c', 'z']
    """
    missing = {name: sum(1 for parent in set(above) if parent in parents) for name, above in parents.items()}
    below = children_of(parents)
    ready = [name for name, count in missing.items() if count == 0]
    heapq.heapify(ready)
    order: list[str] = []
    while ready:
        name = heapq.heappop(ready)
        order.append(name)
        for child in below[name]:
            missing[child] -= 1
            if missing[child] == 0:
                heapq.heappush(ready, child)
    return order


def children_of(parents: Parents) -> dict[str, tuple[str, ...]]:
    """Return for each name the names that have it as a parent, sorted.

    >>> children_of({"a": [], "c": ["a"], "b": ["a"]})
    {'a': ('b', 'c'), 'c': (), 'b': ()}
    """
    below: dict[str, list[str]] = {name: [] for name in parents}
    for name in sorted(parents):
        for parent in set(parents[name]):
            if parent in below:
                below[parent].append(name)
    return {name: tuple(children) for name, children in below.items()}


def reachable(edges: Parents, start: Iterable[str], *, depth: int | None = None) -> set[str]:
    """Return what can be reached from `start` in at most `depth` steps (no limit if ``None``), `start` included.

    >>> sorted(reachable({"a": ["b"], "b": ["c"], "c": []}, ["a"], depth=1))
    ['a', 'b']
    """
    found = {name for name in start if name in edges}
    edge = set(found)
    while edge and (depth is None or depth > 0):
        edge = {other for name in edge for other in edges[name] if other in edges} - found
        found |= edge
        depth = None if depth is None else depth - 1
    return found


def find_cycle(parents: Parents) -> list[str] | None:
    """Return the names of one cycle, each followed by a name that reads it, the first repeated at the end.

    It begins at the alphabetically first name that lies on a shortest cycle.

    >>> find_cycle({"a": ["c"], "b": ["a"], "c": ["b"], "d": ["a"]})
    ['a', 'b', 'c', 'a']
    """
    below = children_of(_between_cycles(parents))
    best: list[str] | None = None
    for name in sorted(below):
        found = _way_back(below, name, shorter_than=None if best is None else len(best))
        if found is not None:
            best = found
    return best


def _between_cycles(parents: Parents) -> dict[str, list[str]]:
    """Return the part of a graph that lies in cycles or between them: every name has a parent and a child there."""
    above_all = set(parents_first(parents))
    stuck = {name: [p for p in above if p in parents and p not in above_all] for name, above in parents.items()}
    stuck = {name: above for name, above in stuck.items() if name not in above_all}
    below_all = set(parents_first(children_of(stuck)))
    return {name: [p for p in above if p not in below_all] for name, above in stuck.items() if name not in below_all}


def _way_back(below: Parents, start: str, *, shorter_than: int | None) -> list[str] | None:
    came_from: dict[str, str] = {}
    edge, steps = [start], 1
    while edge and (shorter_than is None or steps + 1 < shorter_than):
        steps += 1
        following: list[str] = []
        for name in edge:
            for child in below[name]:
                if child == start:
                    way = [name]
                    while way[-1] != start:
                        way.append(came_from[way[-1]])
                    return [*reversed(way), start]
                if child not in came_from:
                    came_from[child] = name
                    following.append(child)
        edge = following
    return None
