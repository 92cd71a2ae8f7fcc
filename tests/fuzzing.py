"""How many inputs are tried on what people write, and how many were.

By default they are few, and the same each time. ``LEAPSQL_FUZZ=10000`` tries as many new ones in each test.
"""

from __future__ import annotations

import os
from collections import Counter

from hypothesis import HealthCheck, settings

MANY = int(os.environ.get("LEAPSQL_FUZZ", "0"))

#: Inputs that this process has tried.
TRIED: Counter[str] = Counter()


def fuzz(examples: int) -> settings:
    """Return the settings of a test that is tried on so many inputs by default."""
    return settings(
        max_examples=MANY or examples,
        deadline=None,
        derandomize=not MANY,
        database=None,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.large_base_example,
            HealthCheck.function_scoped_fixture,
        ],
    )


def tried() -> None:
    """Count an input."""
    TRIED["inputs"] += 1
