"""What was tried and what came of it: the table that `make torture` prints."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

Count = Literal[
    "kills survived",
    "faults survived",
    "reads while models were built",
    "writes raced",
    "inputs tried",
    "mutations of the warehouse found",
    "damaged states met",
    "losses",
    "double applications",
    "wrong answers",
]

COUNTS: tuple[Count, ...] = Count.__args__  # type: ignore[attr-defined]
MUST_BE_ZERO: frozenset[Count] = frozenset(("losses", "double applications", "wrong answers"))


@dataclass(slots=True)
class Account:
    """Counts, and in words what is not as it has to be; ``story`` tells what was being tried just then."""

    counts: Counter[Count] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    story: str = ""

    def survived(self, what: Count, times: int = 1) -> None:
        """Count what went as it has to."""
        self.counts[what] += times

    def complain(self, what: Count, said: str) -> None:
        """Count what went wrong, and keep the words for it."""
        self.counts[what] += 1
        self.complaints.append(f"{what}: {said}" + (f" [{self.story}]" if self.story else ""))

    def expect(self, holds: bool, said: str, what: Count = "wrong answers") -> None:
        """Complain unless something holds."""
        if not holds:
            self.complain(what, said)

    @property
    def is_clean(self) -> bool:
        """Whether everything that must be 0 is."""
        return not any(self.counts[count] for count in MUST_BE_ZERO)


def table(account: Account) -> str:
    """Return the counts as a table, one to a line.

    >>> account = Account()
    >>> account.survived("kills survived", 1200)
    >>> print(table(account).splitlines()[0])
    kills survived                    1,200
    """
    wide = max(map(len, COUNTS))
    zero = {count: "  (must be 0)" if count in MUST_BE_ZERO else "" for count in COUNTS}
    return "\n".join(f"{count:{wide}} {account.counts[count]:6,}{zero[count]}" for count in COUNTS)
