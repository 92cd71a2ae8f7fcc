"""The commands by name, with where each lives: listing them loads none."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click


@dataclass(frozen=True, slots=True)
class Entry:
    """One command: its module in this package, its name there, and its help in one line."""

    name: str
    module: str
    attribute: str
    help: str
    alias: str | None = None


COMMANDS = (
    Entry("init", "init", "init", "Make a small project that works, to begin from."),
    Entry("run", "run", "run", "Build what has to be built, and nothing else.", alias="build"),
    Entry("plan", "plan", "plan", "Show what a run would build, and why; nothing is built."),
    Entry("why", "why", "why", "Explain what becomes of one model, down to the change that causes it."),
    Entry("diff", "diff", "diff", "Show what differs between two environments, or from what was built in one."),
    Entry("list", "listing", "list_models", "List models and seeds."),
    Entry("dag", "dag", "dag", "Show which model reads which."),
    Entry("lineage", "lineage", "lineage", "Show what a model reads and what reads it, or how one column flows."),
    Entry("render", "render", "render", "Print the SQL of a model."),
    Entry("seed", "run", "seed", "Load the seeds that changed."),
    Entry("test", "run", "test", "Run tests on what stands; nothing is built."),
    Entry("history", "history", "history", "Show past runs, or the runs of one model."),
    Entry("query", "query", "query", "Ask the state a question in SQL; it is only read."),
    Entry("env", "env", "env", "List the environments that the state knows, create them, forget them."),
    Entry("state", "state", "state", "Check the state against the warehouse and mend it; copy, restore and prune it."),
    Entry("version", "version", "version", "Show the versions of LeapSQL and of what it works with."),
)

_BY_NAME = {name: entry for entry in COMMANDS for name in (entry.name, entry.alias) if name is not None}


def names() -> list[str]:
    """Return every name that a command answers to."""
    return list(_BY_NAME)


def load(name: str) -> click.Command | None:
    """Return the command of that name or alias, ``None`` if there is none."""
    entry = _BY_NAME.get(name)
    if entry is None:
        return None
    command: click.Command = getattr(import_module(f"leapsql_core.cli.{entry.module}"), entry.attribute)
    return command
