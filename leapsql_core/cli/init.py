"""`leapsql init`."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import click

from leapsql_core.cli.options import Settings, command
from leapsql_core.cli.output import show
from leapsql_core.cli.pages import Cell, Excerpt, line, paragraph
from leapsql_core.starter import start_project


@command("init")
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option("--name", metavar="NAME", help="What the project is called.  [default: as its folder]")
def init(settings: Settings, *, directory: Path | None, name: str | None) -> int:
    """Make a small project that works, to begin from.

    DIR is made if it is not there; without it the project is made here. A file that exists is never overwritten.
    """
    root = settings.project_dir / (directory or "")
    made = start_project(root, name)
    steps = [] if made.root == Path.cwd() else [f"cd {quote(str(root))}"]
    steps += ["leapsql run", "leapsql why marts.customers", "leapsql dag"][: 3 - len(steps)]
    headline = line("made the project ", Cell(made.name, "strong"), f" in {made.root}")
    page = [
        Excerpt("\n".join(made.files), headline=headline),
        *paragraph(line(note) for note in made.notes),
        Excerpt("\n".join(steps), "sh", headline=line("next")),
    ]
    show(settings.output, page, {"name": made.name, "root": str(made.root), "files": [*made.files], "next": steps})
    return 0
