"""Scanning: what can be said of a query without knowing the columns of what it reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from leapsql_core.errors import QueryError
from leapsql_core.models import QueryScan, Span, TableReference
from leapsql_core.names import fold
from leapsql_core.sql.calls import read_calls, text_of
from leapsql_core.sql.database import DatabaseParser, DatabaseReading
from leapsql_core.sql.tokens import Token, lex, line_of, word_set

Place = tuple[tuple[str, ...], Span]

_BEGINNINGS: Final = word_set("""
    desc describe from pivot pivot_longer pivot_wider select show summarize table unpivot values with
    """)
_OTHER_STATEMENTS: Final = word_set("""
    alter analyze attach begin call checkpoint comment commit copy create deallocate delete detach drop execute explain
    export grant import insert install load merge pragma prepare refresh reset revoke rollback set truncate update use
    vacuum
    """)
_MEND: Final = (
    "A model is one query: SELECT, WITH … SELECT, FROM, VALUES, PIVOT; how its rows are kept, `materialized` says."
)


def scan(sql: str, *, database: DatabaseParser | None = None) -> QueryScan:
    """Say what tables, files and functions `sql` names, and where its tables' names stand.

    What a query reads is the union of what sqlglot and the `database` see. SQL that only the database reads is
    described by the database's parse tree, and the result's ``warning`` says so.

    Raises:
        QueryError: no statement or several, a statement that is no query, SQL that neither of the two reads.
    """
    _check_statement(sql)
    from leapsql_core.sql.parsing import parse  # sqlglot is heavy, and most commands never parse
    from leapsql_core.sql.references import find_names

    parsed = parse(sql)
    if parsed.tree is None:
        return _scan_by_database(sql, parsed.trouble, parsed.line, database)
    names = find_names(parsed.tree, sql)
    if names.changes_data:
        raise QueryError("the query changes data, or makes a table, on its way", mend=_MEND)
    calls = read_calls(sql, aliases=names.aliases)
    seen: list[Place] = [(named.parts, named.span) for named in (*names.tables, *names.qualifiers)]
    hidden, warning = _ask(sql, database)
    return QueryScan(
        references=_references(
            sql, seen, (parts for parts in hidden if parts not in {(file,) for file in names.files})
        ),
        volatile=_sorted(calls.volatile, ("sample",) if names.samples else ()),
        files=_sorted(calls.files, names.files),
        functions=calls.functions,
        warning=warning,
    )


def _check_statement(sql: str) -> None:
    """Raise unless `sql` is one statement that begins as a query does."""
    if "\0" in sql:  # which databases take for the end of the text
        mend = "Take it out."
        raise QueryError("U+0000 is no character of a query", mend=mend, line=line_of(sql, sql.index("\0")))
    first: Token | None = None
    ended = False
    for token in lex(sql).tokens:
        if token.text == ";":
            ended = first is not None
        elif ended:
            mend = "Make each statement a model of its own."
            raise QueryError("more than one statement", mend=mend, line=line_of(sql, token.start))
        elif first is None:
            first = token
    if first is None:
        raise QueryError("no query", mend=_MEND)
    if first.word in _OTHER_STATEMENTS:
        cause = f"this is a statement that begins with {first.text.upper()}, not a query"
        raise QueryError(cause, mend=_MEND, line=line_of(sql, first.start))
    if first.text != "(" and first.word not in _BEGINNINGS:
        raise QueryError(f"no query begins with `{first.text}`", mend=_MEND, line=line_of(sql, first.start))


def _ask(sql: str, database: DatabaseParser | None) -> tuple[tuple[tuple[str, ...], ...], str | None]:
    """Return the tables that the database sees in a query that sqlglot reads; and a warning if it reads it not."""
    if database is None:
        return (), None
    tables = database.table_names(sql)
    if tables is not None:
        return tables, None
    try:
        reading = database.read(sql)
    except QueryError as exc:
        where = "" if exc.line is None else f" (line {exc.line})"
        return (), f"the database will not run this: {exc.cause}{where}"
    return tuple(table.parts for table in reading.tables) if reading else (), None


def _scan_by_database(sql: str, trouble: str, line: int | None, database: DatabaseParser | None) -> QueryScan:
    """Describe a query that sqlglot does not read by the database's parse tree, if it reads it."""
    where = "" if line is None else f" (line {line})"
    reading = database.read(sql) if database is not None else None
    if reading is None:
        raise QueryError(f"the query cannot be read: {trouble}", line=line)
    seen: list[Place] = []
    hidden: list[tuple[str, ...]] = []
    files: list[str] = []
    for table in reading.tables:
        span = _span_of(sql, table.parts, table.start)
        if span is None:
            hidden.append(table.parts)
        elif sql[span.start] == "'":
            files.append(text_of(sql[span.start : span.end]))
        else:
            seen.append((table.parts, span))
    seen += _qualifiers(sql, reading)
    calls = read_calls(sql)
    samples = any(token.word in ("tablesample", "sample") for token in lex(sql).tokens)
    return QueryScan(
        references=_references(sql, seen, hidden),
        volatile=_sorted(calls.volatile, ("sample",) if samples else ()),
        files=_sorted(calls.files, files),
        functions=calls.functions,
        warning=f"sqlglot does not understand this query{where}: {trouble}; its column lineage is unknown",
    )


def _qualifiers(sql: str, reading: DatabaseReading) -> list[Place]:
    found: list[Place] = []
    for column in reading.columns:
        written = [fold(part) for part in column.parts]
        fitting = [
            t for t in column.tables if len(t) < len(written) and [fold(part) for part in t] == written[: len(t)]
        ]
        parts = max(fitting, key=len, default=())
        span = _span_of(sql, parts, column.start)
        if parts and span is not None:
            found.append((parts, span))
    return found


def _span_of(sql: str, parts: Sequence[str], start: int | None) -> Span | None:
    """Return where the name of `parts` ends that begins at `start`, comments within included; ``None`` if none does."""
    tokens = [token for token in lex(sql).tokens if start is not None and token.start >= start][: 2 * len(parts) - 1]
    if not tokens or tokens[0].start != start:
        return None
    if tokens[0].kind == "string" and len(parts) == 1:
        return Span(tokens[0].start, tokens[0].end)
    names, dots = tokens[::2], tokens[1::2]
    if [fold(token.name) for token in names] != [fold(part) for part in parts] or any(dot.text != "." for dot in dots):
        return None
    return Span(tokens[0].start, tokens[-1].end)


def _references(sql: str, seen: Iterable[Place], hidden: Iterable[tuple[str, ...]]) -> tuple[TableReference, ...]:
    """Gather places by table, in the order of the text; tables that have none come last."""
    parts_of: dict[tuple[str, ...], tuple[str, ...]] = {}
    spans_of: dict[tuple[str, ...], list[Span]] = {}
    for parts, span in sorted(seen, key=lambda place: place[1]):
        key = TableReference(parts, 0).key
        parts_of.setdefault(key, parts)
        spans_of.setdefault(key, []).append(span)
    references = [
        TableReference(parts_of[key], line_of(sql, spans[0].start), tuple(dict.fromkeys(spans)))
        for key, spans in spans_of.items()
    ]
    for parts in sorted(set(hidden)):
        reference = TableReference(parts, _line_of_mention(sql, parts[-1]))
        if reference.key not in parts_of:
            parts_of[reference.key] = parts
            references.append(reference)
    return tuple(references)


def _line_of_mention(sql: str, name: str) -> int:
    """Return the line of the first token that holds `name`, which may be a string; 1 if none does."""
    mentions = (token.start for token in lex(sql).tokens if fold(name) in fold(token.text))
    return line_of(sql, next(mentions, 0))


def _sorted(*groups: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({name for group in groups for name in group}))
