"""Where everything is printed: answers on standard output, messages on standard error."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Literal, TextIO

from leapsql_core.cli.pages import Page
from leapsql_core.errors import LeapSQLError, ProjectError
from leapsql_core.names import printable

Form = Literal["text", "markdown", "json"]


def form_of(output: str) -> Form:
    """Return the form that `--output` means: ``auto`` is text on a terminal, Markdown elsewhere."""
    if output == "auto":
        return "text" if sys.stdout.isatty() else "markdown"
    return "markdown" if output == "markdown" else "json" if output == "json" else "text"


def show(output: str, page: Page, facts: Any) -> None:
    """Print an answer in the form that `output` asks for: `page` for people, `facts` as JSON."""
    form = form_of(output)
    if form == "json":
        # An encoding that has no place for some letters gets them as escapes: JSON means the same by them.
        escape = not (sys.stdout.encoding or "").lower().startswith("utf")
        write(json.dumps(facts, indent=2, ensure_ascii=escape, allow_nan=False, default=_plain) + "\n")
    elif form == "markdown":
        from leapsql_core.cli.markdown import write_markdown

        write(write_markdown(page))
    else:
        from leapsql_core.cli.text import write_text

        terminal = sys.stdout.isatty()
        write(write_text(page, width=terminal_width() if terminal else None, colour=terminal))


def terminal_width() -> int:
    """Return how many characters a line of the terminal holds."""
    import shutil

    return shutil.get_terminal_size().columns


def write(text: str) -> None:
    """Write to standard output; a reader that has gone away is no failure of ours."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered would be written, and fail, once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(text: str) -> None:
    """Write one line to standard error."""
    _write_aside(printable(text))


def complain(error: LeapSQLError) -> None:
    """Write what went wrong to standard error: the cause, and how to mend it below, indented."""
    title = _painted("Error:", "31;1", sys.stderr)
    if isinstance(error, ProjectError) and len(error.problems) > 1:
        problems = "\n".join(f"  {problem}".replace("\n", "\n  ") for problem in error.problems)
        _write_aside(f"{title} the project has {len(error.problems)} problems\n\n{printable(problems)}")
    else:
        _write_aside(f"{title} {printable(str(error))}")


def warn(text: str) -> None:
    """Write a warning to standard error."""
    _write_aside(f"{_painted('Warning:', '33', sys.stderr)} {printable(text)}")


def _write_aside(text: str) -> None:
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _painted(text: str, code: str, stream: TextIO) -> str:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty()
    return text if plain else f"\x1b[{code}m{text}\x1b[0m"


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat()
