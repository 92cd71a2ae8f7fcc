"""Where the laws' choices come from, and how many examples each law is tried on.

By default the examples are few, and the same each time. ``LEAPSQL_LAWS=10000`` tries each law on as many new ones.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from projects import Lab

Item = TypeVar("Item")

#: One thread: the order of what DISTINCT and GROUP BY yield is then a function of what they read.
CONFIGURATION = "target: {type: duckdb, database: ':memory:', settings: {threads: 1}}\n"

MANY = int(os.environ.get("LEAPSQL_LAWS", "0"))


@dataclass(frozen=True)
class Choice:
    """Chooses; `pick` returns a number from 0 up to the one given, that one left out."""

    pick: Callable[[int], int]

    def one(self, items: Sequence[Item]) -> Item:
        return items[self.pick(len(items))]

    def some(self, items: Sequence[Item]) -> list[Item]:
        """Return some of `items` in their order; at least one, if there are any."""
        kept = [item for item in items if self.once_in(2)]
        return kept or ([self.one(items)] if items else [])

    def once_in(self, times: int) -> bool:
        return self.pick(times) == 0


#: Choices that hypothesis makes, and can make simpler.
choices = st.randoms(use_true_random=False).map(lambda random: Choice(random.randrange))


def law(examples: int) -> settings:
    """Return the settings of a law that is tried on so many examples by default."""
    return settings(
        max_examples=MANY or examples,
        derandomize=not MANY,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )


@contextmanager
def laboratory(**options: Any) -> Iterator[Lab]:
    """Make a laboratory without models, and clear it away."""
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder) / "lab", {"leapsql.yaml": CONFIGURATION}, **options)
        try:
            yield lab
        finally:
            lab.close()
