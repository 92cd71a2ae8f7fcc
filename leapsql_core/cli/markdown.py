"""Pages as Markdown: what a pipe, a file, a pull request or a chat gets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from leapsql_core.cli.pages import Cell, Excerpt, Line, Page, Paragraph, Table, Tree, without_steering
from leapsql_core.names import printable

_CODE = re.compile(r"(`[^`]*`)")
_MEANS_SOMETHING = re.compile(r"([\\<*]|(?<!\w)_|_(?!\w))")
_LONGEST_PADDED = 32
_FENCE = re.compile(r"^`{3,}", re.MULTILINE)


def write_markdown(page: Page) -> str:
    """Return a page as Markdown."""
    return "\n".join("\n".join(_stream_lines(block)) + "\n" for block in without_steering(page))


def _stream_lines(block: object) -> Iterator[str]:
    match block:
        case Paragraph():
            if len(block.lines) == 1:
                yield _line(block.lines[0])
            else:
                yield from (f"- {_line(line)}" for line in block.lines)
        case Excerpt():
            if block.headline:
                yield f"{_line(block.headline)}\n"
            longest = max((len(found[0]) for found in _FENCE.finditer(block.text)), default=2)
            fence = "`" * max(longest + 1, 3)
            yield f"{fence}{block.language or 'text'}\n{printable(block.text)}\n{fence}"
        case Tree():
            if block.title:
                yield f"**{_escaped(block.title)}**\n"
            for depth, line in block.lines:
                yield f"{'  ' * depth}- {_line(line)}"
        case Table():
            if block.title:
                yield f"**{_escaped(block.title)}**\n"
            yield from _stream_table(block)


def _stream_table(block: Table) -> Iterator[str]:
    headers = [_cell(column.header) for column in block.columns]
    rows = [[_cell(cell.text) for cell in row] for row in block.rows]
    widths = [max(len(text) for text in column) for column in zip(headers, *rows, strict=True)]
    if widths[-1] > _LONGEST_PADDED:
        # One long detail would make every line as long.
        widths[-1] = len(headers[-1])
    right = [column.align == "right" for column in block.columns]

    def write(texts: list[str]) -> str:
        placed = [t.rjust(w) if r else t.ljust(w) for t, w, r in zip(texts, widths, right, strict=True)]
        return f"| {' | '.join(placed)} |"

    yield write(headers)
    yield "|" + "|".join(f" {'-' * max(w - r, 1)}{':' if r else ''} " for w, r in zip(widths, right, strict=True)) + "|"
    for row in rows:
        yield write(row)


def _line(line: Line) -> str:
    return "".join(_styled(cell) for cell in line)


def _styled(cell: Cell) -> str:
    text = _escaped(printable(cell.text).replace("\n", " "))
    return f"**{text}**" if cell.style == "strong" and text.strip() == text and text else text


def _cell(text: str) -> str:
    return _escaped(printable(text).replace("\n", " ").replace("\t", " ")).replace("|", "\\|")


def _escaped(text: str) -> str:
    """Escape what Markdown would take for its own, outside of code in backticks."""
    parts = _CODE.split(text)
    return "".join(part if place % 2 else _MEANS_SOMETHING.sub(r"\\\1", part) for place, part in enumerate(parts))
