from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster.components.testing import create_defs_folder_sandbox
from dagster_shop import COMPONENT, FILES, Load, Shop


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


@pytest.fixture
def load(shop: Shop) -> Load:
    """Write one `defs.yaml` for each set of attributes into a project of Dagster's, and load all of it."""

    @contextmanager
    def load(*attributes: Mapping[str, Any], component: str = COMPONENT) -> Iterator[dg.Definitions]:
        with create_defs_folder_sandbox() as sandbox:
            for n, said in enumerate(attributes):
                folder = sandbox.defs_folder_path / f"part_{n}"
                folder.mkdir()
                document = {"type": component, "attributes": {"project": str(shop.root), **said}}
                (folder / "defs.yaml").write_text(yaml.safe_dump(document))
            with sandbox.build_all_defs() as definitions:
                yield definitions

    return load
