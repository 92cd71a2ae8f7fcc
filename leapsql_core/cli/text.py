"""Pages as text for a terminal, or for a file when text is asked for: aligned, and no wider than there is room."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from leapsql_core.cli.pages import Cell, Column, Excerpt, Line, Page, Paragraph, Style, Table, Tree, without_steering
from leapsql_core.names import printable

_STYLES: dict[Style, str] = {
    "plain": "",
    "good": "green",
    "bad": "red",
    "warn": "yellow",
    "quiet": "dim",
    "strong": "bold",
}
_DIFF: dict[str, Style] = {"+++": "quiet", "---": "quiet", "@": "quiet", "+": "good", "-": "bad"}
_GAP = 2
_INDENT = 4


def write_text(page: Page, *, width: int | None, colour: bool) -> str:
    """Return a page as text, at most `width` characters wide where that is possible without cutting names.

    Without a width nothing is wrapped or shortened; `colour` is for terminals.
    """
    file = io.StringIO()
    console = Console(file=file, force_terminal=colour, width=width or 100_000, soft_wrap=True, highlight=False)
    first = True
    for block in without_steering(page):
        if not first:
            console.print()
        first = False
        for laid_out in _stream_lines(block, width, console):
            laid_out.rstrip()
            console.print(laid_out)
    return file.getvalue()


def _stream_lines(block: object, width: int | None, console: Console) -> Iterator[Text]:
    match block:
        case Paragraph():
            for line in block.lines:
                yield from _wrapped(_joined(line), width, console)
        case Excerpt():
            yield from _stream_excerpt(block, width, console)
        case Tree():
            yield from _stream_tree(block, width, console)
        case Table():
            yield from _stream_table(block, width, console)


# ------------------------------------------------------------------------------------------------------------- texts


def _text(cell: Cell) -> Text:
    return Text(" ".join(printable(cell.text).split("\n")), style=_STYLES[cell.style])


def _joined(line: Line) -> Text:
    return Text.assemble(*(_text(cell) for cell in line))


def _wrapped(text: Text, width: int | None, console: Console, *, indent: int = _INDENT) -> Iterator[Text]:
    """Yield the lines of a text; what does not fit into the first is indented."""
    if width is None or cell_len(text.plain) <= width:
        yield text
        return
    first, *_ = text.wrap(console, width)
    yield first
    rest = text[len(first.plain) :]
    rest = rest[len(rest.plain) - len(rest.plain.lstrip()) :]
    if rest.plain:
        for more in rest.wrap(console, max(width - indent, 1)):
            yield Text(" " * indent) + more


def _stream_excerpt(block: Excerpt, width: int | None, console: Console) -> Iterator[Text]:
    indent = ""
    if block.headline:
        indent = "  "
        yield from _wrapped(_joined(block.headline), width, console)
    for written in printable(block.text).split("\n"):
        style: Style = "plain"
        if block.language == "diff":
            style = next((found for mark, found in _DIFF.items() if written.startswith(mark)), "plain")
        text = Text(indent + written, style=_STYLES[style])
        # Prose is wrapped. Code is not: a copy of it must be what it was.
        yield from _wrapped(text, None if block.language else width, console)


def _stream_tree(block: Tree, width: int | None, console: Console) -> Iterator[Text]:
    if block.title:
        yield Text(block.title, style=_STYLES["strong"])
    guides = _guides([depth for depth, _ in block.lines])
    for (here, below), (_, line) in zip(guides, block.lines, strict=True):
        room = None if width is None else max(width - len(here), 20)
        for position, part in enumerate(_wrapped(_joined(line), room, console)):
            yield Text(here if position == 0 else below, style=_STYLES["quiet"]) + part


def _guides(depths: Sequence[int]) -> list[tuple[str, str]]:
    """Return what stands before each line of a tree, and before the lines that its text goes on in."""
    guides: list[tuple[str, str]] = []
    goes_on: set[int] = set()
    for depth in reversed(depths):
        above = "".join("│  " if level in goes_on else "   " for level in range(1, depth))
        own = ("├─ ", "│  ") if depth in goes_on else ("└─ ", "   ")
        guides.append((above + own[0], above + own[1]) if depth else ("", ""))
        goes_on = {level for level in goes_on if level < depth} | {depth}
    return guides[::-1]


# ------------------------------------------------------------------------------------------------------------ tables


def _stream_table(block: Table, width: int | None, console: Console) -> Iterator[Text]:
    if block.title:
        yield Text(block.title, style=_STYLES["strong"])
    rows = [[_text(cell) for cell in row] for row in block.rows]
    if block.as_records and width is not None and _total(_natural_widths(block.columns, rows)) > width:
        yield from _stream_records(block.columns, rows, width, console)
        return
    kept, left_out = _kept_columns(block.columns, rows, width)
    columns = [block.columns[index] for index in kept]
    rows = [[row[index] for index in kept] for row in rows]
    widths = _natural_widths(columns, rows)
    stacked = _squeeze(columns, widths, width)
    headers = [Text(column.header, style=_STYLES["quiet"]) for column in columns]
    yield from _stream_row(columns, headers, widths, stacked, console, header=True)
    for row in rows:
        yield from _stream_row(columns, row, widths, stacked, console)
        if stacked is not None and row[stacked].plain:
            room = max((width or 0) - _INDENT, 20)
            for more in row[stacked].wrap(console, room):
                yield Text(" " * _INDENT) + more
    if left_out:
        yield Text(f"(no room for: {', '.join(left_out)})", style=_STYLES["quiet"])


def _stream_records(
    columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int, console: Console
) -> Iterator[Text]:
    names = max(cell_len(column.header) for column in columns) + _GAP
    for number, row in enumerate(rows):
        if number:
            yield Text("")
        for column, cell in zip(columns, row, strict=True):
            for position, part in enumerate(cell.wrap(console, max(width - names, 20)) or [Text("")]):
                name = column.header if position == 0 else ""
                yield Text(set_cell_size(name, names), style=_STYLES["quiet"]) + part


def _natural_widths(columns: Sequence[Column], rows: Iterable[Sequence[Text]]) -> list[int]:
    widths = [cell_len(column.header) for column in columns]
    for row in rows:
        widths = [max(known, cell_len(cell.plain)) for known, cell in zip(widths, row, strict=True)]
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _kept_columns(
    columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int | None
) -> tuple[list[int], list[str]]:
    """Return the places of the columns that there is room for, and the headers of the others."""
    kept = [
        index
        for index, column in enumerate(columns)
        if not column.dispensable or any(row[index].plain.strip() for row in rows)
    ]
    natural = _natural_widths(columns, rows)
    left_out: list[int] = []
    while width is not None:
        least = [natural[i] if columns[i].fit == "whole" else min(natural[i], columns[i].least) for i in kept]
        dispensable = [i for i in kept if columns[i].dispensable]
        if _total(least) <= width or not dispensable:
            break
        gone = max(dispensable, key=lambda i: columns[i].dispensable)
        kept.remove(gone)
        left_out.append(gone)
    return kept, [columns[index].header for index in sorted(left_out)]


def _squeeze(columns: Sequence[Column], widths: list[int], width: int | None) -> int | None:
    """Narrow columns that may be, the widest first; return the one that has to go to lines of its own, if any."""
    flexible = [index for index, column in enumerate(columns) if column.fit != "whole"]
    while width is not None and _total(widths) > width:
        narrowable = [index for index in flexible if widths[index] > columns[index].least]
        if not narrowable:
            wrapping = [index for index in flexible if columns[index].fit == "wrap"]
            if wrapping != [len(columns) - 1]:
                return None
            widths[-1] = 0
            return wrapping[0]
        widest = max(narrowable, key=lambda index: widths[index])
        widths[widest] -= 1
    return None


def _stream_row(
    columns: Sequence[Column],
    row: Sequence[Text],
    widths: Sequence[int],
    stacked: int | None,
    console: Console,
    *,
    header: bool = False,
) -> Iterator[Text]:
    parts: list[list[Text]] = []
    for index, (column, cell, width) in enumerate(zip(columns, row, widths, strict=True)):
        if index == stacked:
            continue
        if column.fit == "wrap" and cell_len(cell.plain) > width and not header:
            parts.append(list(cell.wrap(console, width)))
        else:
            parts.append([_fitted(cell, width, column)])
    shown = [index for index in range(len(columns)) if index != stacked]
    for number in range(max(len(part) for part in parts)):
        yield _side_by_side(
            (part[number] if number < len(part) else Text(""), widths[index], columns[index].align)
            for index, part in zip(shown, parts, strict=True)
        )


def _fitted(cell: Text, width: int, column: Column) -> Text:
    if cell_len(cell.plain) <= width or column.fit == "whole":
        return cell
    return Text(set_cell_size(cell.plain, width - 1).rstrip() + "…", style=cell.style)


def _side_by_side(parts: Iterable[tuple[Text, int, str]]) -> Text:
    joined = Text("")
    for position, (cell, width, align) in enumerate(parts):
        if position:
            joined += Text(" " * _GAP)
        room = " " * max(width - cell_len(cell.plain), 0)
        joined = joined + Text(room) + cell if align == "right" else joined + cell + Text(room)
    return joined
