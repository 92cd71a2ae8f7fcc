from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from docs_reading import REPOSITORY, Reader, Step


@pytest.fixture
def flights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example project, never run; it is the working directory."""
    root = tmp_path / "flights"
    shutil.copytree(REPOSITORY / "example_project", root, ignore=shutil.ignore_patterns(".leapsql", "__pycache__"))
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def built_flights(flights: Path) -> Path:
    """The example project, with everything built."""
    assert " built in " in Reader().follow(Step(0, command="leapsql run"))
    return flights


@pytest.fixture
def starter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project that `leapsql init` makes, in the folder `sql`; the folder around it is the working directory."""
    monkeypatch.chdir(tmp_path)
    assert "made the project sql" in Reader().follow(Step(0, command="leapsql init sql"))
    return tmp_path / "sql"
