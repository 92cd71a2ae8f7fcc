from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster_shop import FILES, Shop


@pytest.fixture(autouse=True)
def _a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins as a process does that has loaded nothing."""
    monkeypatch.setattr("leapsql_dagster.loading._loaded", {})


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """An instance that keeps nothing."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def shop(tmp_path: Path, instance: dg.DagsterInstance) -> Shop:
    """A project of one seed, a view and three tables."""
    made = Shop(tmp_path / "shop", instance)
    made.write(FILES)
    return made
