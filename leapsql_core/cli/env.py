"""`leapsql env`: the environments that the state knows."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing, contextmanager
from typing import Any

import click

from leapsql_core.cli.inquiry import ask_state, mention_missing
from leapsql_core.cli.opening import find_state
from leapsql_core.cli.options import Settings, command, global_options
from leapsql_core.cli.output import show
from leapsql_core.cli.pages import Block, Column, Table, line, paragraph, row
from leapsql_core.cli.wording import counted, moment
from leapsql_core.errors import UsageError
from leapsql_core.models import StoredEnvironment
from leapsql_core.names import did_you_mean
from leapsql_core.state import SqliteStateStore, open_state_reader
from leapsql_core.state.notation import read_time

_COLUMNS = (
    Column("environment"),
    Column("models", align="right"),
    Column("runs", align="right"),
    Column("commit", fit="shorten"),
    Column("created", dispensable=1),
)

_ENVIRONMENTS = """
SELECT name, commit_ref, created_at, updated_at,
  (SELECT count(*) FROM current_traces WHERE environment = name) AS models,
  (SELECT count(*) FROM runs WHERE environment = name) AS runs
FROM environments ORDER BY name
"""

_commit = click.option("--commit", metavar="REF", help="The commit that the environment stands at.")


@click.group("env", invoke_without_command=True)
@click.pass_context
def env(ctx: click.Context) -> Any:
    """List the environments that the state knows, create them, forget them.

    A run creates its environment by itself. Where an environment builds, leapsql.yaml says.
    """
    return ctx.invoke(list_environments) if ctx.invoked_subcommand is None else None


env.params.extend(global_options())


@command("list")
def list_environments(settings: Settings) -> int:
    """List the environments, with how many models are built in each."""
    place = find_state(settings)
    mention_missing(place.path)
    facts = ask_state(place.path, _ENVIRONMENTS, {})
    rows = tuple(
        row(fact["name"], str(fact["models"]), str(fact["runs"]), fact["commit_ref"] or "", _shown(fact["created_at"]))
        for fact in facts
    )
    page: list[Block] = [Table(_COLUMNS, rows)] if rows else paragraph([line("no environment was built in yet")])
    times = ("created_at", "updated_at")
    show(
        settings.output,
        page,
        {"environments": [{**fact, **{name: read_time(fact[name]).isoformat() for name in times}} for fact in facts]},
    )
    return 0


@command("create")
@click.argument("name")
@_commit
def create(settings: Settings, *, name: str, commit: str | None) -> int:
    """Create an environment of leapsql.yaml before its first run."""
    known = find_state(settings).environments
    if name not in known:
        mend = did_you_mean(name, known, otherwise="Add it under `environments:`.")
        raise UsageError(f"leapsql.yaml has no environment `{name}`", mend=mend)
    with _opened(settings) as state:
        return _show_one(settings, state.create_environment(name, commit_ref=commit), "created")


@command("commit")
@click.argument("name")
@click.argument("ref")
def commit(settings: Settings, *, name: str, ref: str) -> int:
    """Note the commit REF that the environment NAME stands at."""
    _check_known(settings, name)
    with _opened(settings) as state:
        return _show_one(settings, state.set_environment_commit(name, ref), "noted")


@command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do it: its runs and traces cannot be brought back.")
def delete(settings: Settings, *, name: str, yes: bool) -> int:
    """Forget an environment with its runs and traces.

    Its relations stay in the warehouse.
    """
    _check_known(settings, name)
    with _opened(settings) as state:
        runs = ask_state(
            find_state(settings).path, "SELECT count(*) AS n FROM runs WHERE environment = {name}", {"name": name}
        )
        if not yes:
            cause = (
                f"the environment {name} has {counted(runs[0]['n'], 'run')}, which would be forgotten with its traces"
            )
            raise UsageError(cause, mend="Add --yes to do it. Its relations stay in the warehouse.")
        state.delete_environment(name)
    show(
        settings.output,
        paragraph([line(f"{name} is forgotten; its relations stay in the warehouse")]),
        {"deleted": name},
    )
    return 0


for _subcommand in (list_environments, create, commit, delete):
    env.add_command(_subcommand)


def _check_known(settings: Settings, name: str) -> None:
    """Refuse an environment that the state does not know; where there is no state, none is made to find that out."""
    with closing(open_state_reader(find_state(settings).path)) as state:
        state.get_environment(name)


@contextmanager
def _opened(settings: Settings) -> Generator[SqliteStateStore, None, None]:
    """Open the state for writing, making it if need be."""
    state = SqliteStateStore(find_state(settings).path)
    state.open()
    with closing(state):
        state.init_schema()
        yield state


def _show_one(settings: Settings, environment: StoredEnvironment, done: str) -> int:
    at = f" at {environment.commit_ref}" if environment.commit_ref else ""
    facts = {"name": environment.name, "commit_ref": environment.commit_ref}
    show(settings.output, paragraph([line(f"{done}: {environment.name}{at}")]), facts)
    return 0


def _shown(time: str) -> str:
    return moment(read_time(time))
