"""The `leapsql` program: finds the command, and turns whatever goes wrong into a message and an exit status."""

from __future__ import annotations

import gc
from typing import Any

import click

from leapsql_core.cli import commands
from leapsql_core.cli.interruption import Interruption, interruptible
from leapsql_core.cli.options import global_options
from leapsql_core.cli.output import complain, say
from leapsql_core.errors import LeapSQLError

WRONG = 2

#: A command is short and keeps most of what it makes: to look for what it might give back takes a tenth of its time.
_OBJECTS_BETWEEN_COLLECTIONS = 200_000


class LazyGroup(click.Group):
    """A group that loads a command when it is called, and none to list them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order of a day's work."""
        return [entry.name for entry in commands.COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command."""
        return commands.load(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (entry.name, entry.help + (f" Also: {entry.alias}." if entry.alias else ""))
                    for entry in commands.COMMANDS
                ]
            )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant, or offer the nearest names."""
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            from leapsql_core.names import did_you_mean

            hint = did_you_mean(args[0], commands.names(), otherwise="`leapsql --help` lists the commands.")
            ctx.fail(f"there is no command `{args[0]}`. {hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; it returns its exit status."""
        with interruptible() as interruption:
            try:
                status = super().invoke(ctx)
            except (LeapSQLError, OSError, RuntimeError, KeyboardInterrupt) as exc:
                status = _end(exc, interruption)
        ctx.exit(status)


def _end(exc: BaseException, interruption: Interruption) -> int:
    """Say what has ended a command, and return the exit status that follows from it."""
    if isinstance(exc, KeyboardInterrupt) or interruption.signal is not None:
        # Whatever else a library may have made of the signal.
        say("cancelled")
        return interruption.status
    if isinstance(exc, LeapSQLError):
        complain(exc)
    elif isinstance(exc, OSError) and not isinstance(exc, BrokenPipeError):
        complain(LeapSQLError(f"{exc.strerror or exc}" + (f": {exc.filename}" if exc.filename else "")))
    else:
        raise exc
    return WRONG


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"leapsql {version('leapsql-dagster')}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Options of this list may stand before or after the command. Every command has its own --help.",
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version and exit.",
)
def app() -> None:
    """Keep SQL models in a folder; build exactly what changed, and see why."""


app.params.extend(global_options())


def main() -> None:
    """Run `leapsql`; the exit status is 0 (done), 1 (a model or test failed), 2 (wrong use or broken project)."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    try:
        app(prog_name="leapsql")
    finally:
        gc.freeze()  # all of it ends with the process: Python need not look once more what of it is garbage
