"""`leapsql init`: a project to begin from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cli_shop import Program, Shop

MADE = [
    ".gitignore",
    "leapsql.yaml",
    "macros/money.sql",
    "models/marts/customers.sql",
    "models/marts/daily_sales.sql",
    "models/marts/large_orders.sql",
    "models/staging/stg_orders.sql",
    "seeds/raw_customers.csv",
    "seeds/raw_orders.csv",
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """An empty folder that one stands in."""
    monkeypatch.chdir(tmp_path)
    return Shop(tmp_path)


def files_in(folder: Path) -> list[str]:
    """Return the files of a folder, by their paths in it."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_made_project_runs_and_runs_again_without_building(tmp_path: Path, program: Program) -> None:
    """`leapsql init x && cd x && leapsql run` works, and the second run builds nothing."""
    assert program.run("init", "coffee", cwd=tmp_path).status == 0
    project = tmp_path / "coffee"
    first = program.run("run", "--output", "json", cwd=project)
    assert (first.status, first.err) == (0, "")
    assert {model["status"] for model in first.facts["models"]} == {"success"}
    kinds = {model["materialized"] for model in Shop(project).json("list")["models"]}
    assert kinds == {"seed", "view", "table", "incremental"}
    assert set(Shop(project).outcomes().values()) == {"skipped: unchanged"}
    assert Shop(project).leapsql("run", "--env", "prod").status == 0


def test_the_made_files_are_told_with_the_next_commands(here: Shop) -> None:
    """What was made is listed, and three commands to go on with."""
    answer = here.leapsql("init", "coffee")
    assert files_in(here.root / "coffee") == MADE
    assert answer.status == 0
    assert all(f"\n{file}\n" in answer.out for file in MADE)
    assert "```sh\ncd " in answer.out
    facts = here.leapsql("init", "tea", "--output", "json").facts
    assert facts["files"] == MADE
    assert facts["next"][1:] == ["leapsql run", "leapsql why marts.customers"]
    assert ".leapsql/" in (here.root / "coffee" / ".gitignore").read_text()


def test_made_here_there_is_no_folder_to_go_to(here: Shop) -> None:
    """Without DIR the project is made where one stands."""
    facts = here.leapsql("init", "--output", "json").facts
    assert facts["next"] == ["leapsql run", "leapsql why marts.customers", "leapsql dag"]
    assert files_in(here.root) == MADE


def test_a_project_is_called_as_its_folder_unless_it_is_given_a_name(here: Shop) -> None:
    """`--name` may be anything that YAML can hold."""
    here.leapsql("init", "coffee")
    assert 'name: "coffee"' in (here.root / "coffee" / "leapsql.yaml").read_text()
    name = 'Käthe\'s "yes": #1'
    assert here.leapsql("init", "tea", "--name", name, "--output", "json").facts["name"] == name
    assert Shop(here.root / "tea").leapsql("plan").status == 0


def test_nothing_that_exists_is_overwritten(here: Shop) -> None:
    """Existing files are named, and nothing is written at all."""
    here.write("coffee/leapsql.yaml", "mine")
    here.write("coffee/seeds/raw_orders.csv", "mine")
    answer = here.leapsql("init", "coffee")
    assert (answer.status, answer.out) == (2, "")
    assert "already has leapsql.yaml, seeds/raw_orders.csv\n" in answer.err
    assert files_in(here.root / "coffee") == ["leapsql.yaml", "seeds/raw_orders.csv"]
    assert (here.root / "coffee" / "leapsql.yaml").read_text() == "mine"


def test_an_own_gitignore_stays_as_it_is(here: Shop) -> None:
    """A repository that has a .gitignore keeps it, and is told what to add unless it is there."""
    here.write("coffee/.gitignore", "*.log\n")
    answer = here.leapsql("init", "coffee")
    assert answer.status == 0
    assert "your .gitignore stays as it is; add the line .leapsql/ to it" in answer.out
    assert (here.root / "coffee" / ".gitignore").read_text() == "*.log\n"
    here.write("tea/.gitignore", "*.log\n/.leapsql\n")
    assert "add the line" not in here.leapsql("init", "tea").out


def test_a_folder_with_a_space_is_quoted_in_the_next_command(here: Shop) -> None:
    """What is told can be pasted."""
    command = here.leapsql("init", "my coffee", "--output", "json").facts["next"][0]
    assert command == f"cd '{here.root / 'my coffee'}'"


def test_a_file_in_the_place_of_a_folder_is_refused(here: Shop) -> None:
    """DIR is a folder."""
    here.write("coffee", "")
    assert here.leapsql("init", "coffee").status == 2
    assert os.listdir(here.root) == ["coffee"]
