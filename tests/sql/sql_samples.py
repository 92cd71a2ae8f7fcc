"""The shop that the corpus asks about, and readers of the fixtures, which are SQL with what is expected above it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from leapsql_core.models import QueryScan, Read
from leapsql_core.sql import KnownInput

FIXTURES = Path(__file__).parent / "fixtures"


@dataclass(frozen=True)
class Sample:
    """One query of a fixture, and the lines above it: ``-- key: value``."""

    name: str
    sql: str
    facts: dict[str, list[str]] = field(default_factory=dict)

    def fact(self, key: str, default: str = "") -> str:
        """Return the only value under a key."""
        return self.facts.get(key, [default])[0]

    def __str__(self) -> str:
        return self.name


def read_samples(name: str) -> list[Sample]:
    """Read a fixture."""
    samples = []
    for part in re.split(r"^-- name: ", (FIXTURES / name).read_bytes().decode(), flags=re.MULTILINE)[1:]:
        title, _, rest = part.partition("\n")
        facts: dict[str, list[str]] = {}
        while match := re.match(r"-- (\w+):[ ]?(.*)\n", rest):
            facts.setdefault(match[1], []).append(match[2].strip())
            rest = rest[match.end() :]
        samples.append(Sample(title.strip(), rest.strip(), facts))
    assert len({sample.name for sample in samples}) == len(samples)
    return samples


def open_shop() -> duckdb.DuckDBPyConnection:
    """Open a database with the shop's tables and a few rows in each."""
    connection = duckdb.connect(":memory:", config={"threads": 1})
    connection.execute("SET python_enable_replacements = false")
    connection.execute((FIXTURES / "schema.sql").read_text(encoding="utf-8"))
    return connection


def columns_of(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, ...]]:
    """Return the columns of every table, by ``schema.table``, or ``table`` in the main schema."""
    found: dict[str, list[str]] = {}
    for schema, table, column in connection.execute(
        "SELECT table_schema, table_name, column_name FROM information_schema.columns ORDER BY ordinal_position"
    ).fetchall():
        found.setdefault(table if schema == "main" else f"{schema}.{table}", []).append(column)
    return {table: tuple(columns) for table, columns in found.items()}


def inputs_of(
    scan: QueryScan, columns: dict[str, tuple[str, ...]], *, known: Callable[[str], bool] = lambda _: True
) -> dict[tuple[str, ...], KnownInput]:
    """Return the inputs of a query, named in lower case, with their columns if they are to be known."""
    inputs = {}
    for reference in scan.references:
        name = ".".join(reference.parts).lower()
        inputs[reference.key] = KnownInput(name, columns[name] if known(name) else None)
    return inputs


def as_dict(reads: tuple[Read, ...]) -> dict[str, tuple[str, ...] | None]:
    """Return reads by table."""
    return {read.table: read.columns for read in reads}
