"""Pages: what a command has to say to people, before it is laid out as text or Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from leapsql_core.names import printable

Style = Literal["plain", "good", "bad", "warn", "quiet", "strong"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A piece of text in one style."""

    text: str
    style: Style = "plain"


Line = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    ``fit`` says what happens when there is no room: nothing (``whole``), more lines (``wrap``), or less of it
    (``shorten``). A column whose ``dispensable`` is above 0 is left out first, the highest before the others.
    """

    header: str
    align: Literal["left", "right"] = "left"
    fit: Literal["whole", "wrap", "shorten"] = "whole"
    least: int = 24
    dispensable: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headers. ``as_records``: where there is no room, each row becomes a list of its values."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    title: str = ""
    as_records: bool = False


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines that belong together."""

    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Tree:
    """Lines by their depth, from 0, each below the nearest line above it that is less deep."""

    lines: tuple[tuple[int, Line], ...]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A text that keeps its lines, in a language (``diff``, ``mermaid``, or none) and under a headline."""

    text: str
    language: str = ""
    headline: Line = ()


Block = Table | Paragraph | Tree | Excerpt
Page = Sequence[Block]


def line(*parts: str | Cell) -> Line:
    """Return a line of the given parts.

    >>> line("a ", Cell("b", "strong"))
    (Cell(text='a ', style='plain'), Cell(text='b', style='strong'))
    """
    return tuple(Cell(part) if isinstance(part, str) else part for part in parts)


def row(*parts: str | Cell, style: Style | None = None) -> tuple[Cell, ...]:
    """Return a row of a table, wholly in `style` if one is given."""
    cells = line(*parts)
    return cells if style is None else tuple(Cell(cell.text, style) for cell in cells)


def paragraph(lines: Iterable[Line]) -> list[Block]:
    """Return a paragraph, or nothing if there are no lines."""
    found = tuple(lines)
    return [Paragraph(found)] if found else []


def without_steering(page: Page) -> list[Block]:
    """Return a page whose headers and titles are of one line, and steer no terminal either."""
    return [
        replace(
            block,
            title=_in_one_line(block.title),
            columns=tuple(replace(column, header=_in_one_line(column.header)) for column in block.columns),
        )
        if isinstance(block, Table)
        else replace(block, title=_in_one_line(block.title))
        if isinstance(block, Tree)
        else block
        for block in page
    ]


def _in_one_line(text: str) -> str:
    return " ".join(printable(text).split("\n"))
