"""`leapsql query`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import click

from leapsql_core.cli.inquiry import mention_missing
from leapsql_core.cli.opening import find_state
from leapsql_core.cli.options import Settings, command
from leapsql_core.cli.output import show
from leapsql_core.cli.pages import Column, Table, line, paragraph, row
from leapsql_core.cli.wording import counted
from leapsql_core.state import query_state


@command("query")
@click.argument("sql")
def query(settings: Settings, *, sql: str) -> int:
    """Ask the state a question in SQL; it is only read.

    SQL is one statement of SQLite that reads, over the tables runs, models, model_runs, dependencies, environments,
    column_lineage and those beside them. With --state no project is needed.
    """
    place = settings.state.absolute() if settings.state is not None else find_state(settings).path
    mention_missing(place)
    names, rows = query_state(place, sql)
    names = _distinct(names)
    facts = [dict(zip(names, map(_json_value, values), strict=True)) for values in rows]
    numeric = [bool(rows) and all(isinstance(r[i], int | float | None) for r in rows) for i in range(len(names))]
    columns = tuple(
        Column(name, align="right" if right else "left") for name, right in zip(names, numeric, strict=True)
    )
    table = Table(columns, tuple(row(*map(_shown, values)) for values in rows), as_records=True)
    show(settings.output, [table, *paragraph([line(counted(len(rows), "row"))])], facts)
    return 0


def _distinct(names: Sequence[str]) -> list[str]:
    """Number names that repeat.

    >>> _distinct(["id", "id", "n"])
    ['id', 'id_2', 'n']
    """
    found: list[str] = []
    for name in names:
        number, distinct = 1, name
        while distinct in found:
            number += 1
            distinct = f"{name}_{number}"
        found.append(distinct)
    return found


def _json_value(value: Any) -> Any:
    """Return a value of SQLite as JSON has it; JSON has no infinity."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return "" if value is None else str(value)
