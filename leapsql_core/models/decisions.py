"""What becomes of a model, and why: what planning decides, and what its tests find."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from leapsql_core.models.configuration import DataTest

Action = Literal["build", "check", "skip"]
BuildMode = Literal["full", "incremental", "adopt"]

#: Every reason that a decision can have; `docs/decisions.md` says what each means.
Reason = Literal[
    "new",
    "query_changed",
    "config_changed",
    "seed_changed",
    "resolved_differently",
    "input_changed",
    "volatile",
    "missing",
    "drifted",
    "partition_missing",
    "partition_gone",
    "requested",
    "full_refresh",
    "adopted",
    "tests_requested",
    "input_pending",
    "tests_changed",
    "test_input_changed",
    "unobserved",
    "formatting_only",
    "metadata_only",
    "unchanged",
    "upstream_failed",
    "cancelled",
]


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one model and why; ``mode`` says how a build would go.

    ``recurring`` marks a reason that a build does not take away: an answer that moves by itself, or a doubt that
    stays. A run builds for it; nothing should be launched for it again and again. ``partitions`` are the keys of those
    to build, in order, of a model that has some.
    """

    path: str
    action: Action
    reason: Reason
    detail: str
    mode: BuildMode = "full"
    recurring: bool = False
    partitions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DataTestResult:
    """What one test found: how many rows or keys fail it, and some of them, as text, under the names of `columns`.

    ``stands_since`` is when it was found, where neither the test nor the rows have changed since and it was not run.
    """

    test: DataTest
    failures: int
    columns: tuple[str, ...] = ()
    sample: tuple[tuple[str, ...], ...] = ()
    stands_since: datetime | None = None

    @property
    def passed(self) -> bool:
        """Whether nothing fails the test."""
        return self.failures == 0
