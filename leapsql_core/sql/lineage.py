"""Lineage: how columns flow through a query, and which columns of its inputs it reads.

What is said is sound: a column that is not among the ``reads`` does not decide the answer. The resolver behind it walks
sqlglot's tree by DuckDB's rules and changes nothing in it; what it does not understand, it calls unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from leapsql_core.models import ColumnSet, ColumnSource, Lineage, OutputColumn, Read
from leapsql_core.names import fold
from leapsql_core.sql.calls import find_calls
from leapsql_core.sql.flow import Extent, Hidden, Rowset, Source, Sources, Value
from leapsql_core.sql.functions import is_built_in
from leapsql_core.sql.inputs import KnownInput

if TYPE_CHECKING:
    from leapsql_core.sql.overlooked import Held
    from leapsql_core.sql.parsing import Node
    from leapsql_core.sql.scopes import Analysis

Inputs = Mapping[tuple[str, ...], KnownInput]


def lineage(sql: str, inputs: Inputs) -> Lineage:
    """Say how columns flow through `sql`, whose references `inputs` knows by their keys.

    Inputs go by the names that `inputs` gives them; several keys may carry one name. An input that the query's tree
    does not name is one that only the database sees: all of it counts as read.
    """
    from leapsql_core.sql.parsing import parse  # sqlglot is heavy, and most commands never parse

    names = {known.name for known in inputs.values()}
    parsed = parse(sql)
    if parsed.tree is None:
        return _blind(names, "SQL that sqlglot does not understand")
    try:
        return _resolved(sql, parsed.tree, inputs, names)
    except RecursionError:
        return _blind(names, "queries that nest too deep")


def _blind(names: Iterable[str], unknown: str) -> Lineage:
    reads = tuple(Read(name, None) for name in sorted(names))
    return Lineage(None, reads, reads, unknown, ordered=unknown)


def _resolved(sql: str, tree: Node, inputs: Inputs, names: set[str]) -> Lineage:
    from leapsql_core.sql.order import reads_order
    from leapsql_core.sql.overlooked import held_by, misread
    from leapsql_core.sql.queries import resolve
    from leapsql_core.sql.scopes import Analysis

    analysis = Analysis(sql, inputs, lambda query, scope: resolve(query, scope, analysis))
    rowset = resolve(tree, None, analysis).renamed(())
    held = held_by(tree)
    calls = [call.name for call in find_calls(sql, aliases=held.aliases)]
    strangers = {name for name in calls if not is_built_in(name)}
    word = misread(sql, held)
    if word is not None:
        analysis.note(f"{word.upper()}, which sqlglot misreads", blind=True)
    if strangers:
        analysis.note(f"the function {min(strangers)}(), which may be a macro")
    analysis.met.update(_in_unread_ctes(tree, analysis))
    unseen = names - analysis.met
    if unseen:
        analysis.note(f"{min(unseen)}, which only the database sees")
    if rowset.is_open:
        analysis.note(next(column.what for column in rowset.columns if isinstance(column, Hidden)))
    elif any(isinstance(column, Value) and column.name is None for column in rowset.columns):
        analysis.note("an expression without an alias")
    every = names | analysis.met
    anything = analysis.blind or bool(strangers)  # a macro may read what it likes
    anything_hidden = bool(strangers) or word is not None
    rows = rowset.rows | _overlooked(sql, held, analysis)
    rows |= {Source(name, Extent.ALL) for name in (every if anything else unseen | analysis.whole_inputs())}
    return Lineage(
        columns=_columns(rowset, trusted=not analysis.blind, complete=not anything),
        rows=_reads(rows, every, inputs),
        reads=_reads(rows | rowset.values, every, inputs),
        unknown=analysis.unknown,
        ordered=analysis.unknown if anything else reads_order(tree, calls),
        missing=tuple(sorted(_missing(analysis, inputs, is_clear=not (anything_hidden or unseen)))),
    )


def _missing(analysis: Analysis, inputs: Inputs, *, is_clear: bool) -> Iterator[ColumnSource]:
    """Yield the columns that are certainly not there.

    That nothing at all has a column is certain where there are inputs, the columns of all are known, none of them bears
    the name, and no word of the text was passed over (`is_clear`).
    """
    read = [given for given in inputs.values() if given.name in analysis.met]
    all_known = is_clear and bool(read) and all(given.columns is not None for given in read)
    known = {fold(name) for given in read for name in given.columns or ()}
    for table, column in analysis.missing:
        if table or (all_known and fold(column) not in known):
            yield ColumnSource(table, column)


def _in_unread_ctes(tree: Node, analysis: Analysis) -> Iterator[str]:
    """Return the inputs named in common table expressions that nothing reads: they count as read, for their rows."""
    from leapsql_core.sql.parsing import exp, name_of
    from leapsql_core.sql.references import find_cte, name_parts

    for cte in tree.find_all(exp.CTE):
        if not isinstance(analysis.ctes.get(id(cte)), Rowset):
            for table in cte.find_all(exp.Table):
                parts = [name_of(part) for part in name_parts(table)]
                if parts and find_cte(table) is None:
                    yield analysis.table(parts)[0]


def _overlooked(sql: str, held: Held, analysis: Analysis) -> Sources:
    """Return what words that the tree does not hold may read: columns of that name, or any where not all are known."""
    from leapsql_core.sql.overlooked import overlooked

    found: set[Source] = set()
    for word, strange in overlooked(sql, held):
        found |= {Source(t, Extent.COLUMN, c) for t, c in analysis.known if fold(c) == fold(word)}
        open_tables = analysis.met - {table for table, _ in analysis.known}
        if strange and open_tables:
            analysis.note(f"`{word}`, which sqlglot passes over")
            found |= {Source(table, Extent.ALL) for table in open_tables}
    return frozenset(found)


def _columns(rowset: Rowset, *, trusted: bool, complete: bool) -> tuple[OutputColumn, ...] | None:
    """Return the output columns; if their names are not `trusted`, nothing is said of where they come from."""
    done: list[OutputColumn] = []
    for column in rowset.columns:
        if isinstance(column, Hidden) or column.name is None:
            return None
        sources = _column_sources(column.sources) if trusted and column.kind != "unknown" else None
        kind = "unknown" if sources is None else column.kind
        reads = _column_sources(column.reads) if complete else None
        done.append(OutputColumn(column.name, kind, sources or (), reads))
    return tuple(done)


def _column_sources(sources: Sources) -> tuple[ColumnSource, ...] | None:
    """Return the columns among `sources`; ``None`` if everything of an input is."""
    if any(source.extent is Extent.ALL for source in sources):
        return None
    named = {(s.table, fold(s.column)): ColumnSource(s.table, s.column) for s in sorted(sources) if s.column}
    return tuple(sorted(named.values()))


def _reads(sources: Sources, tables: Iterable[str], inputs: Inputs) -> tuple[Read, ...]:
    """Return what is read of each input, columns in the input's own order."""
    places = {known.name: {c: n for n, c in enumerate(known.columns or ())} for known in inputs.values()}
    columns: dict[str, dict[str, str] | None] = {table: {} for table in sorted(tables)}
    for source in sorted(sources):
        named = columns[source.table]
        if source.extent is Extent.ALL:
            columns[source.table] = None
        elif source.extent is Extent.COLUMN and named is not None:
            named.setdefault(fold(source.column), source.column)

    def ordered(table: str, named: dict[str, str] | None) -> ColumnSet:
        known = places.get(table, {})
        return None if named is None else tuple(sorted(named.values(), key=lambda c: (known.get(c, 0), c)))

    return tuple(Read(table, ordered(table, named)) for table, named in columns.items())
