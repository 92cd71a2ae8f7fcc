"""The law of seeds: neither Python's hash seed nor the order of files shows in anything that is decided."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import duckdb
import pytest
from chance import Choice, choices, laboratory, law
from hypothesis import given, note
from planning_host import Host
from random_projects import RandomProject

WAREHOUSE = "warehouse.duckdb"


@pytest.fixture(scope="module")
def hosts() -> Iterator[list[Host]]:
    """The program in processes with three different hash seeds."""
    started = [Host(seed) for seed in (0, 1, 4711)]
    yield started
    for host in started:
        host.close()


@law(4)
@given(choice=choices)
def test_the_plan_is_the_same_under_any_hash_seed_and_order_of_files(hosts: list[Host], choice: Choice) -> None:
    """Byte for byte, with all content hashes and reasons, before there is a state and with one.

    So is whatever else is said of the project: its list, its graph, what a model reads and the columns it has.
    """
    with laboratory() as lab, tempfile.TemporaryDirectory() as temporary:
        world = RandomProject(choice, lab)
        world.begin(3 + choice.pick(6))
        one, other = Path(temporary, "one"), Path(temporary, "other")
        write_files(one, lab.files, sorted(lab.files))
        if choice.pick(3):
            with duckdb.connect(one / WAREHOUSE) as warehouse:
                for statement in lab.statements:
                    warehouse.execute(statement)
            assert choice.one(hosts).leapsql(one, ["run"])[0] in (0, 1)
            for _ in range(choice.pick(4)):
                world.step()
            write_files(one, lab.files, sorted(lab.files))
        shutil.copytree(one, other, ignore=shutil.ignore_patterns("models", "seeds", "macros", "parsed.db*"))
        write_files(other, lab.files, shuffled(choice, sorted(lab.files)))
        note(world.story)
        for words in (
            ["plan"],
            ["plan", "--no-look", "--force"],
            ["list"],
            ["dag"],
            ["lineage", choice.one(sorted(world.paths))],
        ):
            asked = zip(hosts, (one, other, one), strict=True)
            answers = {host.leapsql(folder, [*words, "--output", "json"]) for host, folder in asked}
            assert len(answers) == 1
            assert {status for status, _ in answers} == {0}


def write_files(folder: Path, files: Mapping[str, str], order: Iterable[str]) -> None:
    """Make a folder hold the files of a project, made anew one after the other."""
    for part in ("models", "seeds", "macros"):
        shutil.rmtree(folder / part, ignore_errors=True)
    for name in order:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(files[name].replace("':memory:'", WAREHOUSE), encoding="utf-8")


def shuffled(choice: Choice, items: Iterable[str]) -> list[str]:
    left, taken = list(items), []
    while left:
        taken.append(left.pop(choice.pick(len(left))))
    return taken
