"""The commands of `dg` and of `dagster` that people type, on a project of Dagster's as they make one."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from dagster._cli import create_dagster_cli
from dagster_shop import COMPONENT

dg_cli = pytest.importorskip("dagster_dg_cli.cli", reason="dagster-dg-cli is not installed: see the extra `dev`")

FILES = {
    "pyproject.toml": """[project]
name = "house"
version = "0.1.0"

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "house"
""",
    "src/house/__init__.py": "",
    "src/house/defs/__init__.py": "",
    "src/house/definitions.py": """from pathlib import Path

from dagster import definitions, load_from_defs_folder


@definitions
def defs():
    return load_from_defs_folder(path_within_project=Path(__file__).parent)
""",
}


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project of Dagster's that has nothing in it; one stands in its folder."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "src"))
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "house"]:
        del sys.modules[name]


def dg(*words: str) -> Result:
    return CliRunner().invoke(dg_cli.cli, list(words))


def test_what_is_scaffolded_is_listed_and_passes_every_check(house: Path) -> None:
    """`dg scaffold defs`, `dg list components`, `dg check defs`, `dagster definitions validate`."""
    made = dg("scaffold", "defs", COMPONENT, "sales", "--init", "true")
    assert made.exit_code == 0, made.output
    assert (house / "src/house/defs/sales/sql/leapsql.yaml").exists()
    assert COMPONENT in dg("list", "components").output
    checked = dg("check", "defs")
    assert (checked.exit_code, "All definitions loaded successfully" in checked.output) == (0, True), checked.output
    validated = CliRunner().invoke(create_dagster_cli(), ["definitions", "validate", "-m", "house.definitions"])
    assert validated.exit_code == 0, validated.output
