"""What differs between two environments, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from leapsql_core.cli.pages import Block, Cell, Column, Excerpt, Line, Table, line, paragraph, row
from leapsql_core.cli.wording import columns_words, some_of
from leapsql_core.hashing import canonical_json
from leapsql_core.models import Column as ModelColumn
from leapsql_core.planning import ColumnDifferences, FieldDifference, InputDifference, ModelDifference, Side, in_words

_LONGEST_VALUE = 40


def page(found: Sequence[ModelDifference], sides: tuple[Side, Side], *, full: bool) -> list[Block]:
    """Return what differs: a table, with `full` the differences of texts, what cannot be told, and the count."""
    differing = [entry for entry in found if entry.differs]
    blocks: list[Block] = []
    if differing:
        columns = (Column("model"), Column("differs in"), Column(f"{sides[0].name} → {sides[1].name}", fit="wrap"))
        blocks.append(Table(columns, tuple(cells for entry in differing for cells in _rows(entry, full=full))))
    for entry in differing:
        if full and entry.code is not None and entry.code.diff is not None:
            blocks.append(Excerpt(entry.code.diff, "diff", headline=line(Cell(entry.path, "strong"))))
    doubtful = _doubtful(found)
    if doubtful:
        said = Cell("whether their data differ cannot be told: ", "warn")
        blocks += paragraph([line(said, some_of(doubtful, all_of_them=full))])
    return [*blocks, *paragraph([_summary(found, sides)])]


def _doubtful(found: Sequence[ModelDifference]) -> list[str]:
    return [entry.path for entry in found if entry.data == "unknown" and not entry.differs]


def _summary(found: Sequence[ModelDifference], sides: tuple[Side, Side]) -> Line:
    counts = [(f"only in {side.name}", sum(entry.only_in == side.name for entry in found)) for side in sides]
    counts.insert(0, ("differ", sum(entry.differs and entry.only_in is None for entry in found)))
    if not any(count for _, count in counts):
        return line("no difference")
    counts.append(("without a difference", sum(not entry.differs for entry in found)))
    return line(", ".join(f"{count:,} {words}" for words, count in counts if count))


def _rows(entry: ModelDifference, *, full: bool) -> Iterator[Line]:
    """Yield a row for each respect in which a model differs; the first bears its name."""
    path = entry.path
    for kind, said in _stream_respects(entry, full=full):
        yield row(Cell(path, "strong"), kind, said)
        path = ""


def _stream_respects(entry: ModelDifference, *, full: bool) -> Iterator[tuple[Cell, str]]:
    if entry.only_in is not None:
        yield Cell(f"only in {entry.only_in}", "warn"), ""
    if entry.code is not None:
        yield Cell("query", "good"), entry.code.summary
    for cell, descriptive in ((Cell("config", "good"), False), (Cell("description", "quiet"), True)):
        fields = [field for field in entry.config if field.descriptive is descriptive]
        if fields:
            yield cell, "; ".join(map(_field_words, fields))
    if entry.columns:
        yield Cell("columns", "good"), columns_difference_words(entry.columns)
    if entry.data == "differs":
        yield Cell("data", "good"), _origin(entry, full=full)
    elif entry.may_differ:
        yield Cell("data, perhaps", "warn"), _origin(entry, full=full)


def _field_words(field: FieldDifference) -> str:
    texts = (_value(field.first), _value(field.second))
    if any(text is None for text in texts):
        return field.name
    return f"{field.name}: {texts[0]} → {texts[1]}"


def _value(value: Any) -> str | None:
    """Return a value as it may stand in a line, ``None`` if there is no room for it."""
    if value is None:
        return "not set"
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        text = ", ".join(value)
    else:
        text = value if isinstance(value, str) else canonical_json(value)
    return text if len(text) <= _LONGEST_VALUE else None


def columns_difference_words(columns: ColumnDifferences) -> str:
    """Return in one line which columns came, went or became others."""
    said = [f"+{column.name}" for column in columns.added] + [f"-{column.name}" for column in columns.removed]
    for before, now in columns.changed:
        renamed = f"{before.name} → {now.name}"
        said.append(renamed if before.type == now.type else f"{now.name}: {before.type} → {now.type}")
    if columns.reordered:
        said.append("in another order")
    return ", ".join(said)


def _origin(entry: ModelDifference, *, full: bool) -> str:
    """Return through what the data came to differ."""
    known = [_input_words(found, full=full) for found in entry.inputs if found.same is False]
    perhaps = [_input_words(found, full=full) for found in entry.inputs if found.same is None]
    said = [f"from {', '.join(known)}"] if known else []
    if perhaps:
        said.append(f"perhaps from {', '.join(perhaps)}")
    if said:
        return "; ".join(said)
    if entry.materialized == "seed":
        return "from its file"
    return "though its query and all that it read are the same" if entry.code is None else "from its query"


def _input_words(found: InputDifference, *, full: bool) -> str:
    name = in_words(found.name)
    if name != found.name:
        return name
    if found.read_in is not None:
        return f"{name}, which {found.read_in} alone reads"
    columns = found.other_columns
    return f"{name} ({some_of(columns, all_of_them=full) if columns else columns_words(columns)})"


# ---------------------------------------------------------------------------------------------------------- as JSON


def facts(found: Sequence[ModelDifference], sides: tuple[Side, Side]) -> dict[str, Any]:
    """Return what differs as plain data."""
    return {
        "environment": sides[0].name,
        "other": sides[1].name,
        "models": [_model_facts(entry) for entry in found if entry.differs],
        "unknown": _doubtful(found),
    }


def _model_facts(entry: ModelDifference) -> dict[str, Any]:
    return {
        "path": entry.path,
        "only_in": entry.only_in,
        "query": None if entry.code is None else {"detail": entry.code.summary, "diff": entry.code.diff},
        "config": [
            {"field": field.name, "from": field.first, "to": field.second, "descriptive": field.descriptive}
            for field in entry.config
        ],
        "columns": columns_facts(entry.columns),
        "data": None if entry.only_in else entry.data,
        "inputs": [
            {
                "path": found.name,
                "same": found.same,
                "columns": None if found.other_columns is None else list(found.other_columns),
                "read_in": found.read_in,
            }
            for found in entry.inputs
        ],
    }


def columns_facts(columns: ColumnDifferences) -> dict[str, Any]:
    """Return which columns differ as plain data."""
    return {
        "added": [_column_facts(column) for column in columns.added],
        "removed": [_column_facts(column) for column in columns.removed],
        "changed": [{"from": _column_facts(before), "to": _column_facts(now)} for before, now in columns.changed],
        "reordered": columns.reordered,
    }


def _column_facts(column: ModelColumn) -> dict[str, str | None]:
    return {"name": column.name, "type": column.type or None}
