"""`leapsql state backup`, `restore` and `prune`: how the state is kept."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import click

from leapsql_core.cli.opening import find_state, open_project
from leapsql_core.cli.options import Settings, command
from leapsql_core.cli.output import show
from leapsql_core.cli.pages import Block, Cell, line, paragraph
from leapsql_core.cli.wording import counted, size, some_of
from leapsql_core.errors import UsageError
from leapsql_core.state import Pruned, utc_now
from leapsql_core.upkeep import Restored, back_up_state, prune_state, restore_state

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}

_file = click.Path(path_type=Path)


@command("backup")
@click.argument("file", required=False, type=_file)
def backup(settings: Settings, *, file: Path | None) -> int:
    """Copy the state to FILE, also while runs write.

    Without FILE the copy lies beside the state, under its name with the time. It is checked before it bears its name,
    and nothing is written over.
    """
    made = back_up_state(find_state(settings).path, file, clock=utc_now)
    page = paragraph([line(Cell("copied", "good"), f" to {made.file} ({size(made.size)})")])
    show(settings.output, page, {"file": str(made.file), "bytes": made.size})
    return 0


@command("restore")
@click.argument("file", type=_file)
@click.option("--force", is_flag=True, help="Do it under a run that is running, or in the place of what is no state.")
def restore(settings: Settings, *, file: Path, force: bool) -> int:
    """Put the state in FILE in the place of the present one.

    FILE is checked first, and the present state is kept beside it. What was built since FILE was made, the next run
    takes over from the warehouse.
    """
    restored = restore_state(open_project(settings), file, force=force, clock=utc_now)
    facts = {
        "file": str(file.absolute()),
        "kept": None if restored.kept is None else str(restored.kept),
        "taken_over": list(restored.taken_over),
        "disagreements": restored.disagreements,
        "unread": restored.unread or None,
    }
    show(settings.output, _restored_page(file, restored), facts)
    return 0


@command("prune")
@click.option("--older-than", metavar="AGE", help="Forget runs that began longer ago: 12h, 90d, 4w.")
@click.option(
    "--keep", type=click.IntRange(min=0), metavar="N", help="Forget runs beyond the latest N of each environment."
)
@click.option("--yes", is_flag=True, help="Do it: what is forgotten cannot be brought back.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and leave it at that.")
def prune(settings: Settings, *, older_than: str | None, keep: int | None, yes: bool, dry_run: bool) -> int:
    """Forget old runs, and what only they refer to.

    With both options, runs go of which both is true. A plan and its reasons are the same afterwards: of an old run
    stays what a relation stands on, and what has failed since.
    """
    if yes and dry_run:
        raise UsageError("--yes and --dry-run contradict each other", mend="Give one of them.")
    age = None if older_than is None else read_age(older_than)
    session = open_project(settings)
    pruned = prune_state(session, older_than=age, keep=keep, clock=utc_now, dry_run=not yes)
    if not (yes or dry_run) and pruned.rows:
        raise UsageError(f"this would be forgotten: {_words(pruned)}", mend="Add --yes to do it.")
    show(settings.output, _pruned_page(pruned, done=yes), {"done": yes, **asdict(pruned)})
    return 0


def read_age(text: str) -> timedelta:
    """Return the time span that a number and a unit mean.

    Raises:
        UsageError: it is none, or longer than any that there is.

    >>> read_age("90d"), read_age("12h"), read_age("4w")
    (datetime.timedelta(days=90), datetime.timedelta(seconds=43200), datetime.timedelta(days=28))
    """
    found = re.fullmatch(r"([0-9]+)([hdw])", text)
    mend = "It is a whole number with its unit: h for hours, d for days, w for weeks, such as 90d."
    if found is None:
        raise UsageError(f"`{text}` is no age", mend=mend)
    try:
        return timedelta(**{_UNITS[found[2]]: int(found[1])})
    except (OverflowError, ValueError) as exc:
        raise UsageError("the age reaches back beyond all times", mend=mend) from exc


def _restored_page(file: Path, restored: Restored) -> list[Block]:
    lines = [line(Cell("restored", "good"), f" from {file}")]
    if restored.kept is not None:
        lines.append(line(f"the state of before is kept as {restored.kept}"))
    if restored.unread:
        lines.append(line(Cell(f"the warehouse was not looked at: {restored.unread}", "warn")))
    elif restored.taken_over:
        lines.append(line(f"the next run takes over from the warehouse: {some_of(restored.taken_over)}"))
    else:
        lines.append(line("there is nothing to take over from the warehouse"))
    if restored.disagreements:
        more = counted(restored.disagreements, "disagreement")
        lines.append(line(Cell(f"`leapsql state check` shows {more} with the warehouse", "warn")))
    return paragraph(lines)


def _pruned_page(pruned: Pruned, *, done: bool) -> list[Block]:
    said = f"{'forgotten' if done else 'to be forgotten'}: {_words(pruned)}" if pruned.rows else "nothing to forget"
    lines = [line(said)]
    if pruned.runs_held:
        it = "it" if pruned.runs_held == 1 else "them"
        lines.append(line(f"held: {counted(pruned.runs_held, 'old run')}, with what still rests on {it}"))
    if pruned.rows or pruned.bytes_freed:
        lines.append(line(f"the file {'is' if done else 'would be'} {size(pruned.bytes_freed)} smaller"))
    return paragraph(lines)


def _words(pruned: Pruned) -> str:
    """Return what goes, in words."""
    counts = (
        (pruned.runs, "run"),
        (pruned.model_runs, "model run"),
        (pruned.traces, "trace"),
        (pruned.models, "model"),
        (pruned.code_versions, "version of code"),
        (pruned.texts, "text"),
    )
    plurals = {"version of code": "versions of code"}
    return ", ".join(counted(count, noun, plurals.get(noun)) for count, noun in counts if count)
