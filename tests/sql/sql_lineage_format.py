"""Lineage as a few words, so that a fixture can say it above its query."""

from __future__ import annotations

from leapsql_core.errors import QueryError
from leapsql_core.models import ColumnSource, Lineage, OutputColumn, Read
from leapsql_core.sql import KnownInput, scan

KNOWN = {"t": ("a", "b", "c"), "u": ("a", "d", "e"), "w": ("id", "s", "l")}
_SIGNS = {"direct": "=", "derived": "<", "unknown": "?"}


def given(sql: str) -> dict[tuple[str, ...], KnownInput]:
    """Return what the fixture's queries may know: `t`, `u` and `w` in any spelling, and others without columns."""
    try:
        references = scan(sql).references
    except QueryError:
        return {(name,): KnownInput(name, columns) for name, columns in KNOWN.items() if name == "t"}
    if "query_table" in sql:
        return {("t",): KnownInput("t", KNOWN["t"])}
    inputs = {}
    for reference in references:
        name = reference.parts[-1].lower()
        known = reference.parts[0].lower() != "raw"
        inputs[reference.key] = KnownInput(name if known else f"raw.{name}", KNOWN[name] if known else None)
    return inputs


def describe(found: Lineage) -> dict[str, str]:
    """Say what was found, leaving out what is nothing."""
    facts = {
        "columns": "not known" if found.columns is None else "; ".join(map(_column, found.columns)),
        "rows": _reads(found.rows),
        "reads": _reads(found.reads),
        "unknown": found.unknown or "",
        "ordered": found.ordered or "",
        "missing": _sources(found.missing),
    }
    return {key: value for key, value in facts.items() if value or key in ("rows", "reads")}


def _column(column: OutputColumn) -> str:
    further = _further(column.sources, column.reads)
    return f"{column.name} {_SIGNS[column.kind]} {_sources(column.sources)}{further}".strip()


def _sources(sources: tuple[ColumnSource, ...]) -> str:
    return ", ".join(f"{source.table}.{source.column}" for source in sources)


def _further(sources: tuple[ColumnSource, ...], reads: tuple[ColumnSource, ...] | None) -> str:
    if reads is None:
        return " | *"
    further = [source for source in reads if source not in sources]
    return f" | {_sources(tuple(further))}" if further else ""


def _reads(reads: tuple[Read, ...]) -> str:
    return ", ".join(f"{read.table}({'*' if read.columns is None else ' '.join(read.columns)})" for read in reads)
