"""What random histories came to: how many builds there were, and how many of them nothing asked for."""

from __future__ import annotations

from collections import Counter

#: Counts of this process, by what was counted.
COUNTS: Counter[str] = Counter()


def summary(counts: Counter[str]) -> str:
    """Return the counts in one line."""
    builds = counts["builds"]
    rates = [f"{counts[name]:,} {name} ({100 * counts[name] / builds:.2f} %)" for name in ("in doubt", "needless")]
    killed = f", {counts['killed']:,} of them killed" if counts["killed"] else ""
    return f"{counts['histories']:,} histories, {counts['runs']:,} runs{killed}, {builds:,} builds: {', '.join(rates)}"
