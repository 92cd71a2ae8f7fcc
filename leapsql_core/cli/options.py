"""The options that commands share, and the settings they make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from leapsql_core.planning import PartitionRange

FORMS = ("auto", "text", "markdown", "json")

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the options say that every command has."""

    project_dir: Path = Path()
    environment: str | None = None
    state: Path | None = None
    output: str = "auto"


def global_options() -> list[click.Parameter]:
    """Return the options that may stand before or after the command; the later wins."""
    folder = click.Path(exists=True, file_okay=False, path_type=Path)
    return [
        _remembered(["-C", "--project-dir"], "DIR", "The project's folder, or one inside it.  [default: here]", folder),
        _remembered(["--env", "environment"], "NAME", "The environment.  [default: as in leapsql.yaml]"),
        _remembered(
            ["--state"], "PATH", "The state database.  [default: as in leapsql.yaml]", click.Path(path_type=Path)
        ),
        _remembered(
            ["--output"],
            "|".join(FORMS),
            "The form of the answer.  [default: auto, which is text on a terminal, else markdown]",
            click.Choice(FORMS),
        ),
    ]


def _remembered(names: list[str], metavar: str, help: str, type: click.ParamType[Any] | None = None) -> click.Option:  # noqa: A002
    return click.Option(names, metavar=metavar, help=help, type=type, expose_value=False, callback=_remember)


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    # The group reads its options before the command does: what is written later replaces what was written before.
    given = ctx.ensure_object(dict)
    if value is not None and param.name is not None:
        given[param.name] = value


def command(name: str) -> Callable[[Function], click.Command]:
    """Make a command of a function that takes `Settings` first and returns the exit status."""

    def decorate(function: Function) -> click.Command:
        @click.pass_context
        def call(ctx: click.Context, /, **given: Any) -> int:
            status: int = function(Settings(**ctx.ensure_object(dict)), **given)
            return status

        made = click.command(name)(update_wrapper(call, function))
        made.params.extend(global_options())
        return made

    return decorate


def selection(function: Function) -> Function:
    """Add the words that select models, and those that take some away."""
    function = click.option(
        "--exclude",
        "exclude",
        multiple=True,
        metavar="SELECT",
        help="Leave out what this selects; may be given several times.",
    )(function)
    return click.argument("select", nargs=-1)(function)


def forcing(function: Function) -> Function:
    """Add what asks for more than what changed."""
    function = click.option(
        "--full-refresh", is_flag=True, help="Make the selected incremental models anew, from all rows."
    )(function)
    return click.option("--force", is_flag=True, help="Build all that is selected, changed or not.")(function)


def partitions(function: Function) -> Function:
    """Add which partitions a run is of."""
    return click.option(
        "--partitions",
        "--partition",
        metavar="START..END",
        multiple=True,
        callback=_as_range,
        help="Of models with partitions, build these alone: one key, or the first and the last.",
    )(function)


def _as_range(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> PartitionRange | None:
    if not given:
        return None
    if len(given) > 1:
        # The last of them would win, and the others not be built: nobody means that.
        raise click.BadParameter(f"{' and '.join(given)} are given; say it once: START..END means several.")
    first, dots, last = given[0].partition("..")
    if not first or (dots and not last):
        raise click.BadParameter(f"{given[0]!r} is no key and no START..END.")
    return first, last or first


def deferring(function: Function) -> Function:
    """Add the environment in which is read what need not be built."""
    function = click.option(
        "--state-of",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="PATH",
        help="The state of that environment.  [default: as in leapsql.yaml]",
    )(function)
    return click.option(
        "--defer-to",
        metavar="NAME",
        help="Build only what this environment does not hold just so, and read the rest there.",
    )(function)


def verbose(function: Function) -> Function:
    """Add the wish to see unchanged models too."""
    return click.option("-v", "--verbose", is_flag=True, help="List unchanged models too, however many they are.")(
        function
    )
