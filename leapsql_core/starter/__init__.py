"""The small project that everybody begins with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from typing import Final

from leapsql_core.errors import UsageError

_GITIGNORE: Final = ".gitignore"
_IGNORED: Final = ".leapsql/"
_NAME: Final = "PROJECT_NAME"


@dataclass(frozen=True, slots=True)
class Started:
    """A project that was made: its folder, its name, its files within the folder, and what its owner should know."""

    root: Path
    name: str
    files: tuple[str, ...]
    notes: tuple[str, ...]


def start_project(root: Path, name: str | None = None) -> Started:
    """Make a project that works in `root`, which is made if it is not there; called as its folder if not told.

    Raises:
        UsageError: a file of it is there already; nothing is written.
    """
    name = name or root.absolute().name or "project"
    texts = {place: text.replace(_NAME, json.dumps(name, ensure_ascii=False)) for place, text in _stream_starter()}
    notes = _keep_gitignore(root, texts)
    _refuse_to_overwrite(root, [place for place in texts if (root / place).exists()])
    for place, text in texts.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_text(text, encoding="utf-8", newline="\n")
    return Started(root.absolute(), name, tuple(sorted(map(str, texts))), tuple(notes))


def _stream_starter() -> Iterator[tuple[PurePosixPath, str]]:
    """Yield the files of the project, by their places in its folder."""
    left: list[tuple[PurePosixPath, Traversable]] = [(PurePosixPath(), files("leapsql_core.starter") / "project")]
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
