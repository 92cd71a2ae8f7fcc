from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from tally import COUNTS, summary

_GATHERED: Counter[str] = Counter()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what this process counted to the one that prints."""
    output = getattr(session.config, "workeroutput", None)
    if output is None:
        _GATHERED.update(COUNTS)
    else:
        output["leapsql_histories"] = dict(COUNTS)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add up what a worker counted."""
    _GATHERED.update(getattr(node, "workeroutput", {}).get("leapsql_histories", {}))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what random histories came to."""
    if _GATHERED["builds"]:
        terminalreporter.section("random histories")
        terminalreporter.line(summary(_GATHERED))
