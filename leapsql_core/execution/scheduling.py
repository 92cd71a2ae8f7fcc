"""Which model may begin next: parents first, earliest in the project's order among those that may."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping

from leapsql_core.graph import children_of


class Schedule:
    """Hands out names whose predecessors are done; all predecessors must be names themselves."""

    def __init__(self, waits_for: Mapping[str, Iterable[str]]) -> None:
        """Take names in the order of preference, each with the names it waits for."""
        self._names = list(waits_for)
        self._number = {name: number for number, name in enumerate(self._names)}
        waits = {name: sorted(set(above)) for name, above in waits_for.items()}
        self._left = {name: len(above) for name, above in waits.items()}
        self._below = children_of(waits)
        self._ready = [self._number[name] for name, count in self._left.items() if count == 0]
        heapq.heapify(self._ready)

    def __bool__(self) -> bool:
        """Whether a name may begin now."""
        return bool(self._ready)

    def pop(self) -> str:
        """Take the next name that may begin."""
        return self._names[heapq.heappop(self._ready)]

    def done(self, name: str) -> None:
        """Note that `name` is done; what waited for it alone may begin."""
        for child in self._below[name]:
            self._left[child] -= 1
            if self._left[child] == 0:
                heapq.heappush(self._ready, self._number[child])
