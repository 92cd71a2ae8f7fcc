from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user of the machine may enter, and whose permissions may be played with."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture
def without_privileges() -> Callable[[], contextmanager[None]]:
    """Code that runs as a user to whom permissions apply, also where the tests run as root."""

    @contextmanager
    def as_nobody() -> Iterator[None]:
        if os.geteuid() != 0:
            yield
            return
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)

    return as_nobody
