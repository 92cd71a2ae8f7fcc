"""`leapsql init`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from shlex import quote

import click

from leapsql_core.cli.options import Settings, command
from leapsql_core.cli.output import show
from leapsql_core.cli.pages import Cell, Excerpt, line, paragraph
from leapsql_core.errors import UsageError

_GITIGNORE = ".gitignore"
_IGNORED = ".leapsql/"
_NAME = "PROJECT_NAME"


@command("init")
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option("--name", metavar="NAME", help="What the project is called.  [default: as its folder]")
def init(settings: Settings, *, directory: Path | None, name: str | None) -> int:
    """Make a small project that works, to begin from.

    DIR is made if it is not there; without it the project is made here. A file that exists is never overwritten.
    """
    root = settings.project_dir / (directory or "")
    name = name or root.absolute().name or "project"
    texts = {place: text.replace(_NAME, json.dumps(name, ensure_ascii=False)) for place, text in _stream_starter()}
    notes = _keep_gitignore(root, texts)
    _refuse_to_overwrite(root, [place for place in texts if (root / place).exists()])
    for place, text in texts.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_text(text, encoding="utf-8", newline="\n")
    steps = [] if root.absolute() == Path.cwd() else [f"cd {quote(str(root))}"]
    steps += ["leapsql run", "leapsql why marts.customers", "leapsql dag"][: 3 - len(steps)]
    made = sorted(str(place) for place in texts)
    page = [
        Excerpt("\n".join(made), headline=line("made the project ", Cell(name, "strong"), f" in {root.absolute()}")),
        *paragraph(line(note) for note in notes),
        Excerpt("\n".join(steps), "sh", headline=line("next")),
    ]
    show(settings.output, page, {"name": name, "root": str(root.absolute()), "files": made, "next": steps})
    return 0


def _stream_starter() -> Iterator[tuple[PurePosixPath, str]]:
    """Yield the files of the project that everybody begins with."""
    left: list[tuple[PurePosixPath, Traversable]] = [(PurePosixPath(), files("leapsql_core.cli") / "starter")]
    while left:
        place, found = left.pop()
        if found.is_dir():
            left.extend((place / inner.name, inner) for inner in found.iterdir())
        else:
            # A file of that name in the package would be obeyed by the tools that build it.
            named = PurePosixPath(_GITIGNORE) if str(place) == "gitignore" else place
            yield named, found.read_text(encoding="utf-8")


def _keep_gitignore(root: Path, texts: dict[PurePosixPath, str]) -> list[str]:
    """Leave a `.gitignore` that is there as it is, and return what its owner should know."""
    try:
        written = (root / _GITIGNORE).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    del texts[PurePosixPath(_GITIGNORE)]
    if any(entry.strip().strip("/") == _IGNORED.strip("/") for entry in written.splitlines()):
        return []
    return [f"your {_GITIGNORE} stays as it is; add the line {_IGNORED} to it"]


def _refuse_to_overwrite(root: Path, existing: list[PurePosixPath]) -> None:
    if existing:
        named = ", ".join(sorted(map(str, existing)))
        raise UsageError(
            f"{root.absolute()} already has {named}",
            mend="Choose another folder, or move what is there: nothing was written.",
        )
