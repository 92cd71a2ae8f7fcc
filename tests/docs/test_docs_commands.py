"""`docs/command-line.md` tells of every command and option, and what it shows is what `leapsql` prints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from docs_reading import Reader, code_in, find_table, read_page, read_steps, shows

from leapsql_core.cli import commands
from leapsql_core.cli.app import app
from leapsql_core.cli.options import FORMS, global_options
from leapsql_core.project import load_project
from leapsql_core.selection import select

PAGE = "docs/command-line.md"
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", read_page(PAGE), re.MULTILINE | re.DOTALL))
SHARED = {spelling for option in global_options() for spelling in option.opts}


def own_options(command: click.Command) -> Iterator[click.Option]:
    for option in command.params:
        if isinstance(option, click.Option) and not set(option.opts) & SHARED:
            yield option


def documented_options(section: str) -> dict[str, str]:
    """Return the row that tells of each option of a section, by each of its spellings."""
    return {
        code.split()[0]: " ".join(row.values())
        for row in find_table(section, "option")
        for code in code_in(row["option"])
    }


def test_the_list_of_commands_is_complete() -> None:
    """The first table names all of them, in the order of `leapsql --help`, with their other names."""
    named = [code_in(row["command"]) for row in find_table(read_page(PAGE).partition("## ")[0], "command")]
    assert named == [[entry.name, entry.alias] if entry.alias else [entry.name] for entry in commands.COMMANDS]


@pytest.mark.parametrize("entry", commands.COMMANDS, ids=lambda entry: entry.name)
def test_a_command_s_options_are_those_that_its_section_tells_of(entry: commands.Entry) -> None:
    """None is missing and none is made up; where there is a default, it is told."""
    command = commands.load(entry.name)
    assert command is not None
    section = SECTIONS[entry.name]
    documented = documented_options(section)
    assert set(documented) == {spelling for option in own_options(command) for spelling in option.opts}
    for option in own_options(command):
        if option.show_default:
            told = documented[option.opts[0]]
            assert f" {option.default}, " in told or "As for `run`." in told
    for argument in command.params:
        if isinstance(argument, click.Argument):
            usage = argument.make_metavar(click.Context(command)).removesuffix("...").strip("[]")
            assert re.search(rf"`leapsql {entry.name}[^`]*\b{usage}\b", section), usage


def test_commands_within_a_command_are_told_of_with_their_options() -> None:
    """Each with its arguments, and each option in its row."""
    for entry in commands.COMMANDS:
        group = commands.load(entry.name)
        if not isinstance(group, click.Group):
            continue
        rows = {code_in(row["command"])[0]: row for row in find_table(SECTIONS[entry.name], "command")}
        usages: dict[str, list[str]] = {}
        for name, command in group.commands.items():
            words = ["leapsql", entry.name, name]
            words += [p.make_metavar(click.Context(command)) for p in command.params if isinstance(p, click.Argument)]
            usages[" ".join(words)] = [spelling for option in own_options(command) for spelling in option.opts]
        assert set(rows) == set(usages)
        for usage, options in usages.items():
            told = " ".join(code for cell in rows[usage].values() for code in code_in(cell))
            assert set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", told)) == set(options)


def test_options_of_every_command_are_told_of_once() -> None:
    """Those of the program too."""
    section = SECTIONS["Options that every command takes"]
    assert set(documented_options(section)) == SHARED | {"-h", "--help"}
    assert set(FORMS) <= set(code_in(documented_options(section)["--output"]))
    (version,) = {option for param in app.params for option in param.opts} - SHARED
    assert f"`leapsql {version}`" in section


def test_every_form_of_a_selection_selects(flights: Path) -> None:
    """Each word of the table means something in the example project; `x` stands for any name."""
    project = load_project(flights, environ={}).project
    words = [word for row in find_table(SECTIONS["Selection"], "word") for word in code_in(row["word"])]
    assert len(words) > 10
    for word in words:
        real = re.sub(r"(?<=\+)x\b|\bx(?=\+)", "flight_weather", word)
        assert select(project, [real], changed=lambda: ["flights"]), word


def test_what_the_page_shows_is_what_leapsql_prints(flights: Path) -> None:
    """Every command of the page, typed one after the other, answers as shown; every edit can be made."""
    reader = Reader()
    steps = read_steps(read_page(PAGE))
    assert {step.command.split()[1] for step in steps if step.command} >= {entry.name for entry in commands.COMMANDS}
    for step in steps:
        printed = reader.follow(step)
        assert shows(step.shown, printed), f"{PAGE}:{step.line}: {step.command}\n{printed}"
