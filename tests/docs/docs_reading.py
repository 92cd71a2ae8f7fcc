"""The documentation as data: its blocks, its tables, and what it shows of `leapsql`, typed as a reader would."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from click.testing import CliRunner

from leapsql_core.cli.app import app

REPOSITORY = Path(__file__).parents[2]
PAGES = ("README.md", *sorted(f"docs/{file.name}" for file in (REPOSITORY / "docs").glob("*.md")))

_FENCE = re.compile(r"^(?P<fence>`{3,})(?P<language>[^\n]*)\n(?P<text>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"`([\w./-]+\.(?:sql|csv|yaml))`")
_CODE = re.compile(r"`([^`]+)`")

#: What is another each time: how long it took, ids and hashes, moments, and where the project lies.
_UNSTEADY = (
    (re.compile(r"\b\d+(?:\.\d)? (?:ms|s)\b|\b\d+ [mh] \d\d [sm]\b"), "<time>"),
    (re.compile(r'("\w+_ms": )\d+'), r"\1<time>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+\+00:00)?"), "<moment>"),
    (re.compile(r"\b[0-9a-f]{64}\b|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r"\b[0-9a-f]{8}\b"), "<id>"),
)


def read_page(page: str) -> str:
    """Return the text of one page, by its path in the repository."""
    return (REPOSITORY / page).read_text(encoding="utf-8")


# ------------------------------------------------------------------------------------------------------------- blocks


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the line it begins at.

    ``file`` is the one that is named last in the paragraph above, if that leads to the block with a colon; where the
    paragraph says nothing else, the block is the content of that file.
    """

    language: str
    text: str
    line: int
    file: str | None = None
    is_file: bool = False


def read_blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a page in order."""
    found: list[Block] = []
    for match in _FENCE.finditer(text):
        above = text[: match.start()].rstrip().rpartition("\n\n")[2]
        named = _FILE.findall(above) if above.endswith(":") else []
        file = named[-1] if named else None
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(match["language"], match["text"], line, file, is_file=above == f"`{file}`:"))
    return found


def read_tables(text: str) -> list[list[dict[str, str]]]:
    r"""Return the tables of a page: each row by its column's header; ``\|`` in a cell is a bar."""
    found: list[list[dict[str, str]]] = []
    headers: list[str] = []
    for line in _without_blocks(text).splitlines():
        if not line.startswith("|"):
            headers = []
            continue
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not headers:
            headers = cells
            found.append([])
        elif set("".join(cells)) - set("-: "):
            found[-1].append(dict(zip(headers, cells, strict=True)))
    return found


def find_table(text: str, *headers: str) -> list[dict[str, str]]:
    """Return the rows of all tables of a page that have these headers, in order."""
    return [row for table in read_tables(text) for row in table if list(row)[: len(headers)] == list(headers)]


def code_in(cell: str) -> list[str]:
    """Return what stands in backticks."""
    return _CODE.findall(cell)


def _without_blocks(text: str) -> str:
    return _FENCE.sub("", text)


# -------------------------------------------------------------------------------------------------------------- walks


@dataclass(frozen=True)
class Step:
    """A command that a page shows, what it shows of its answer, and the line; or an edit that it asks for."""

    line: int
    command: str = ""
    shown: str = ""
    file: str = ""
    before: str = ""
    after: str = ""


def read_steps(text: str) -> list[Step]:
    """Return the commands of a page (``$ leapsql …``) and its edits (``diff`` blocks of a named file), in order."""
    steps: list[Step] = []
    for block in read_blocks(text):
        if block.language == "diff" and block.file is not None:
            steps.append(_edit(block))
        elif block.language in ("console", ""):
            steps.extend(_commands(block))
    return steps


def _edit(block: Block) -> Step:
    lines = block.text.splitlines()
    before = "\n".join(line[1:] for line in lines if not line.startswith("+"))
    after = "\n".join(line[1:] for line in lines if not line.startswith("-"))
    return Step(block.line, file=block.file or "", before=before, after=after)


def _commands(block: Block) -> Iterator[Step]:
    step: Step | None = None
    for number, line in enumerate(block.text.splitlines(), start=block.line + 1):
        if line.startswith("$ "):
            if step is not None:
                yield step
            step = Step(number, command=line[2:])
        elif step is not None:
            step = replace(step, shown=step.shown + line + "\n")
    if step is not None:
        yield step


class Reader:
    """Somebody who types what a page shows, in the folder of a project that is the working directory."""

    def __init__(self) -> None:
        self._status = 0

    def follow(self, step: Step) -> str:
        """Do what a step says, and return what came of it."""
        if step.file:
            make_edit(step)
            return ""
        if step.command == "echo $?":
            return f"{self._status}\n"
        program, *words = shlex.split(step.command)
        assert program == "leapsql", step.command
        # Without a terminal the answer would be Markdown.
        form = [] if "--output" in words else ["--output", "text"]
        result = CliRunner().invoke(app, [*words, *form], prog_name="leapsql")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        self._status = result.exit_code
        return result.output


def make_edit(step: Step) -> None:
    """Change one file as a step asks for."""
    file = Path(step.file)
    text = file.read_text(encoding="utf-8")
    assert text.count(step.before) == 1, f"{step.file} does not hold this once: {step.before}"
    file.write_text(text.replace(step.before, step.after), encoding="utf-8")


def steady(text: str) -> str:
    """Return `text` without what is another each time, and without its layout: widths hang on such things too."""
    text = text.replace(str(Path.cwd()), "…")
    for unsteady, name in _UNSTEADY:
        text = unsteady.sub(name, text)
    return " ".join(text.split())


def shows(shown: str, printed: str) -> bool:
    """Tell whether a page shows what was printed; ``…`` stands for anything left out."""
    pieces = [re.escape(piece.strip()) for piece in steady(shown).split("…")]
    return re.fullmatch(".*?".join(pieces), steady(printed), re.DOTALL) is not None
