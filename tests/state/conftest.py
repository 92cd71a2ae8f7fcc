from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from state_samples import Clock, Ids

from leapsql_core.protocols import StateStore
from leapsql_core.state import SqliteStateStore
from leapsql_core.testing import InMemoryStateStore


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a state may be; nothing is there yet, not even the folder."""
    return tmp_path / ".leapsql" / "state.db"


@pytest.fixture(params=["sqlite in memory", "sqlite in a file", "fake"])
def unopened(request: pytest.FixtureRequest, path: Path, clock: Clock) -> Iterator[StateStore]:
    """Each of the stores, as it comes from its constructor."""
    stores: dict[str, Callable[[], StateStore]] = {
        "sqlite in memory": lambda: SqliteStateStore(":memory:", clock=clock, new_id=Ids()),
        "sqlite in a file": lambda: SqliteStateStore(path, clock=clock, new_id=Ids()),
        "fake": lambda: InMemoryStateStore(clock=clock, new_id=Ids()),
    }
    store = stores[request.param]()
    yield store
    store.close()


@pytest.fixture
def store(unopened: StateStore) -> StateStore:
    """Each of the stores, ready for use."""
    unopened.open()
    unopened.init_schema()
    return unopened


@pytest.fixture
def file_store(path: Path, clock: Clock) -> Iterator[SqliteStateStore]:
    """A store in the file `path`, ready for use."""
    store = SqliteStateStore(path, clock=clock, new_id=Ids())
    store.open()
    store.init_schema()
    yield store
    store.close()
