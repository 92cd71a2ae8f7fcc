from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.torture.processes import Launcher


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    """What starts `leapsql` in processes of its own."""
    with closing(Launcher()) as launcher:
        yield launcher
