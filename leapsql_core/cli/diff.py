"""`leapsql diff`."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import click

from leapsql_core.cli import environmentpages, treepages
from leapsql_core.cli.inquiry import mention_missing
from leapsql_core.cli.opening import StatePlace, find_state, open_project
from leapsql_core.cli.options import Settings, command
from leapsql_core.cli.output import form_of, show
from leapsql_core.errors import UsageError
from leapsql_core.names import did_you_mean
from leapsql_core.planning import Side, Texts, compare_environments, texts_to_compare
from leapsql_core.session import choose, plan_session
from leapsql_core.state import open_state_reader


@command("diff")
@click.argument("first", metavar="[A]", required=False)
@click.argument("second", metavar="[B]", required=False)
@click.option(
    "--other-state", type=click.Path(path_type=Path), metavar="PATH", help="The state database that B stands in."
)
@click.option(
    "--select",
    multiple=True,
    metavar="SELECT",
    help="Compare what this selects, written as for `leapsql run`; may be given several times.",
)
@click.option(
    "--exclude", multiple=True, metavar="SELECT", help="Leave out what this selects; may be given several times."
)
@click.option("--full", is_flag=True, help="Show all that differs in the text of each query.")
@click.option("--no-look", is_flag=True, help="Leave the warehouse alone; what rests on it is then not compared.")
@click.option("--exit-code", is_flag=True, help="End with exit status 1 if anything differs.")
def diff(
    settings: Settings,
    *,
    first: str | None,
    second: str | None,
    other_state: Path | None,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    full: bool,
    no_look: bool,
    exit_code: bool,
) -> int:
    """Show what differs between two environments, or from what was built in one.

    `leapsql diff A B` compares what stands in the environments A and B; the state alone is read. `leapsql diff A`
    compares what stands in A with the project as it is now. Without A, it is the environment of --env.
    """
    if first is not None and settings.environment not in (None, first):
        raise UsageError(
            f"--env says {settings.environment}, and A is {first}", mend="One of them is enough: leave out --env."
        )
    settings = settings if first is None else replace(settings, environment=first)
    if second is None and other_state is None:
        differs = _diff_files(settings, select, exclude, full=full, look=not no_look)
    else:
        differs = _diff_environments(settings, first, second, other_state, select, exclude, full=full)
    return 1 if differs and exit_code else 0


def _diff_files(
    settings: Settings, select: tuple[str, ...], exclude: tuple[str, ...], *, full: bool, look: bool
) -> bool:
    """Show what differs between what was built and the project's files; tell whether anything does."""
    session = open_project(settings)
    mention_missing(session.state_path)
    chosen = choose(session, select, exclude=exclude, look=look)
    planned = plan_session(session, selection=chosen, look=look)
    changes = treepages.changes_of(planned, with_orphans=not select and not exclude)
    page = treepages.page(changes, planned, full=full or form_of(settings.output) == "json")
    show(settings.output, page, treepages.facts(changes, planned))
    return bool(changes.models or changes.orphans)


def _diff_environments(
    settings: Settings,
    first: str | None,
    second: str | None,
    other_state: Path | None,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    *,
    full: bool,
) -> bool:
    """Show what differs between two environments; tell whether anything does."""
    place = find_state(replace(settings, environment=None) if first is not None else settings)
    one = first or place.environment
    other = second or one
    path = place.path if other_state is None else other_state.absolute()
    sides = _read_sides(place, one, path, other)
    chosen: set[str] | None = None
    if select or exclude:
        project = open_project(replace(settings, environment=one if one in place.environments else None))
        chosen = set(choose(project, select, exclude=exclude, look=False))
    found = [entry for entry in compare_environments(*sides) if chosen is None or entry.path in chosen]
    page = environmentpages.page(found, sides, full=full)
    show(settings.output, page, environmentpages.facts(found, sides))
    return any(entry.differs for entry in found)


def _read_sides(place: StatePlace, one: str, path: Path, other: str) -> tuple[Side, Side]:
    for state in dict.fromkeys((place.path, path)):
        mention_missing(state)
    with closing(open_state_reader(place.path)) as here, closing(open_state_reader(path)) as there:
        _check_built(one, [known.name for known in here.list_environments()], place, place.path)
        _check_built(other, [known.name for known in there.list_environments()], place, path)
        first, second = here.read_snapshot(one), there.read_snapshot(other)
        resolved, code = texts_to_compare(first, second)
        names = (one, other) if one != other else (one, f"{other} in {path.name}" if path != place.path else other)
        return (
            Side(names[0], first, Texts(here.read_texts(resolved), here.read_code_versions(code))),
            Side(names[1], second, Texts(there.read_texts(resolved), there.read_code_versions(code))),
        )


def _check_built(name: str, built: list[str], place: StatePlace, path: Path) -> None:
    """Refuse an environment that the state does not know.

    Raises:
        UsageError: it does not; with the nearest names.
    """
    if name in built:
        return
    if name in place.environments:
        mend = f"`leapsql --env {name} run` builds in it; `leapsql diff {name}` shows what."
        if path != place.path:
            mend = f"It is looked for in {path}."
        raise UsageError(f"nothing was built in environment `{name}` yet", mend=mend)
    mend = did_you_mean(name, {*built, *place.environments}, otherwise="`leapsql env` lists the environments.")
    raise UsageError(f"the state knows no environment `{name}`", mend=mend)
