"""What is worth knowing beside the answer: warnings, changed models that were not selected, models that are gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from leapsql_core.cli.output import warn
from leapsql_core.cli.pages import Cell, Line, line
from leapsql_core.cli.wording import some_of
from leapsql_core.errors import Problem
from leapsql_core.models import Project
from leapsql_core.planning import Plan


def stream_notices(
    project: Project,
    plan: Plan,
    *,
    adopted: Sequence[str] = (),
    lost: Sequence[str] = (),
    tested: bool = False,
    verbose: bool = False,
) -> Iterator[Line]:
    """Yield each notice in one line.

    `adopted` are models whose builds the state had lost and has again, `lost` those whose builds it still lacks. Where
    tests alone are run (`tested`), what has none was selected all the same, and is not said not to be.
    """
    for problem in project.warnings:
        yield line(Cell("warning: ", "warn"), in_one_line(problem))
    if project.deferral is not None:
        named = some_of(sorted(project.deferral.reads), all_of_them=verbose) or "nothing"
        yield line(Cell(f"read in {project.deferral.environment}: ", "quiet"), named)
        if project.deferral.stale:
            named = some_of(project.deferral.stale, all_of_them=verbose)
            yield line(Cell("not selected, and not the same there: ", "warn"), named)
    if plan.stale_parents:
        named = some_of(plan.stale_parents, all_of_them=verbose)
        who = "read by what was tested" if tested else "not selected"
        yield line(Cell(f"{who}, but out of date: ", "warn"), named)
    if adopted:
        said = "taken over from the warehouse, for the state did not know the builds: "
        yield line(Cell(said, "warn"), some_of(adopted, all_of_them=verbose))
    if lost:
        said = "in the warehouse, and not known to the state until a run takes it over: "
        yield line(Cell(said, "warn"), some_of(lost, all_of_them=verbose))
    if plan.orphans:
        named = some_of([orphan.relation for orphan in plan.orphans], all_of_them=verbose)
        yield line(Cell("in the warehouse, but no model makes it any more: ", "warn"), named)


def deferral_facts(project: Project) -> dict[str, Any]:
    """Return what is read elsewhere, for an answer in JSON; nothing where nothing is deferred."""
    if project.deferral is None:
        return {}
    reads = {name: str(relation) for name, relation in sorted(project.deferral.reads.items())}
    said = {"environment": project.deferral.environment, "reads": reads, "stale": list(project.deferral.stale)}
    return {"deferred": said}


def say_notices(
    project: Project, plan: Plan, *, adopted: Sequence[str] = (), lost: Sequence[str] = (), tested: bool = False
) -> None:
    """Write the notices to standard error, for an answer that has no place for them."""
    for notice in stream_notices(project, plan, adopted=adopted, lost=lost, tested=tested, verbose=True):
        warn("".join(cell.text for cell in notice).removeprefix("warning: "))


def in_one_line(problem: Problem) -> str:
    """Return a problem in one line.

    >>> in_one_line(Problem("a.sql", 3, "no such column", "Did you mean b?"))
    'a.sql:3: no such column. Did you mean b?'
    """
    return ". ".join(part.strip() for part in str(problem).splitlines())
