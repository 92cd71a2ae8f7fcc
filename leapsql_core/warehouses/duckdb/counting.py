"""Counting what fails many tests of a relation in one pass over its rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from leapsql_core.models import Column, DataTest, Relation
from leapsql_core.names import quote_identifier
from leapsql_core.warehouses.duckdb.checking import failing_condition, filled, tested_columns
from leapsql_core.warehouses.duckdb.columns import bare_type

#: What stands for several columns, and so would be several counts.
_MANY = re.compile(r"\bcolumns\s*\(", re.IGNORECASE)

#: Tests whose failing rows are counted; of others a pass tells only whether any row fails.
COUNTS_ROWS = frozenset({"not_null", "expression"})


@dataclass(frozen=True, slots=True)
class Pass:
    """One query over a relation: a number for each of the tests in these ``places``, above 0 if it fails."""

    places: tuple[int, ...]
    sql: str
    parameters: tuple[Any, ...]


def one_pass(
    relation: Relation, tests: Sequence[DataTest], columns: tuple[Column, ...], *, collates: bool
) -> Pass | None:
    """Return the query that counts as many of `tests` as can be counted side by side, ``None`` if fewer than two.

    `collates` tells that texts are compared by a collation even where their columns have none: ``count(DISTINCT)`` does
    not mind it in every DuckDB, so that repeated keys are not counted then.

    Raises:
        WarehouseError: a test names a column that is not there.
    """
    counts: list[str] = []
    parameters: list[Any] = []
    places: list[int] = []
    for place, test in enumerate(tests):
        found = tested_columns(relation, test, columns)
        if not _fits(test, found, collates=collates):
            continue
        places.append(place)
        if test.kind == "unique":
            counts.append(_repeats(test, found))
        else:
            condition = failing_condition(test, found)
            counts.append(f"count({_where(test, f'CASE WHEN {condition.fails} THEN 1 END')})")
            parameters += condition.parameters
    if len(places) < 2:
        return None
    return Pass(tuple(places), f"SELECT {', '.join(counts)} FROM {relation.sql}", tuple(parameters))


def _fits(test: DataTest, found: Sequence[Column], *, collates: bool) -> bool:
    if test.kind == "relationships" or any(_MANY.search(text) for text in (test.expression, test.where) if text):
        return False
    if test.kind != "unique":
        return True
    return not collates and all(bare_type(column) == column.type for column in found)


def _repeats(test: DataTest, found: Sequence[Column]) -> str:
    """Return how many rows more there are than keys."""
    quoted = [quote_identifier(column.name) for column in found]
    key = quoted[0] if len(quoted) == 1 else f"row({', '.join(quoted)})"
    chosen = _where(test, f"CASE WHEN {filled(quoted)} THEN {key} END")
    return f"count({chosen}) - count(DISTINCT {chosen})"


def _where(test: DataTest, value: str) -> str:
    """Return `value` in the rows that are tested; in others it is not even looked at, and NULL."""
    return f"CASE WHEN ({test.where}\n) THEN {value} END" if test.where else value
