"""The last step: linked drafts become models, with lineage, resolved text and content hash."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from leapsql_core.compilation.drafts import Analyst, Draft, DraftQuery
from leapsql_core.compilation.meanings import NameIndex
from leapsql_core.configuration import ProjectConfig
from leapsql_core.errors import Problem
from leapsql_core.hashing import config_facts, fingerprint
from leapsql_core.masking import Secrets
from leapsql_core.models import ColumnSet, Input, InputKind, Lineage, Model, ModelConfig, Node, Query, Read, Seed
from leapsql_core.names import did_you_mean, fold
from leapsql_core.partitions import PLACEHOLDERS, partition_column
from leapsql_core.sql import KnownInput, resolve, takes_first_row


def make_model(
    draft: Draft,
    query: DraftQuery,
    nodes: Mapping[str, Node],
    index: NameIndex,
    analyst: Analyst,
    config: ProjectConfig,
) -> Model:
    """Make a model of a linked draft; all that it reads is among `nodes`."""
    lineage = _lineage(draft, query, nodes, index, analyst, own=None)
    full, batch, reads = resolve_query(draft, query, index), None, lineage.reads
    if draft.batch is not None:
        batch = resolve_query(draft, draft.batch, index)
        own = _certain_columns(draft.config, lineage)
        of_batch = _lineage(draft, draft.batch, nodes, index, analyst, own=own)
        reads = _joined(reads, of_batch.reads)
        missing = tuple(sorted({*lineage.missing, *of_batch.missing}))
        lineage = replace(lineage, ordered=lineage.ordered or of_batch.ordered, missing=missing)
    firsts = (takes_first_row(each.rendered.text, config.target.settings) for each in draft.queries)
    lineage = replace(lineage, ordered=lineage.ordered or next(filter(None, firsts), None))
    columns: dict[str, ColumnSet] = {read.table: read.columns for read in reads}
    return Model(
        path=draft.path,
        name=draft.relation.name,
        file=draft.file,
        line=draft.text.line,
        relation=draft.relation,
        config=draft.config,
        query=full,
        incremental_query=batch,
        inputs=tuple(
            Input(name, kind, relation, columns.get(name)) for name, (kind, relation) in sorted(draft.inputs.items())
        ),
        lineage=lineage,
        content_hash=content_hash(full, batch, draft, config.secrets),
        volatile=tuple(sorted({name for each in draft.queries for name in each.scan.volatile})),
        run_values=tuple(sorted({name for each in draft.queries for name in each.rendered.run_values})),
        macros=tuple(sorted({file for each in draft.queries for file in each.rendered.macros})),
        tested=tuple(None if entry is None else entry[1] for entry in draft.tested),
        files=tuple(sorted({_any_partition(draft, name) for each in draft.queries for name in each.scan.files})),
        functions=tuple(sorted({name for each in draft.queries for name in each.scan.functions})),
        test_inputs=tuple(_stream_test_inputs(draft, nodes)),
        windowed=() if lineage.ordered is not None else _windowed(draft, query, index, analyst),
    )


def _any_partition(draft: Draft, file: str) -> str:
    """Return the name of a file that a query reads, of whatever partition."""
    partitioning = draft.config.incremental.partitions
    for placeholder in () if partitioning is None else PLACEHOLDERS.facts(partitioning).values():
        file = file.replace(placeholder, "*")
    return file


def _windowed(draft: Draft, query: DraftQuery, index: NameIndex, analyst: Analyst) -> tuple[tuple[str, str], ...]:
    """Return the inputs of which a partition reads the rows of its window alone, and by which column; sorted."""
    partitioning = draft.config.incremental.partitions
    if partitioning is None:
        return ()
    window, text = PLACEHOLDERS.facts(partitioning), query.rendered.text
    found = analyst.windows(text, window, whole_days=partitioning.every != "hourly")
    held: dict[str, set[str | None]] = {}
    for reference in query.scan.references:
        meant = index.look_up(reference.parts, reader=draft.path)
        name = meant[0].path if meant else index.source_name(reference.parts)
        held.setdefault(name, set()).add(found.get(reference.key))
    said = (index.look_up(tuple(name.split(".")), reader=draft.path) for name in draft.config.depends_on)
    depended_on = {*draft.config.depends_on, *(meant[0].path for meant in said if meant)}
    return tuple(
        (name, column)
        for name, columns in sorted(held.items())
        for column in columns
        if len(columns) == 1 and column is not None and name not in depended_on
    )


def _stream_test_inputs(draft: Draft, nodes: Mapping[str, Node]) -> Iterator[Input]:
    """Yield what the tests of a model read elsewhere, once for each column."""
    read = {
        (entry[0], test.field): entry[1]
        for test, entry in zip(draft.config.tests, draft.tested, strict=True)
        if entry is not None and test.field is not None and entry[0] != draft.path
    }
    for (name, field), relation in sorted(read.items()):
        node = nodes.get(name)
        kind: InputKind = "source" if node is None else "seed" if isinstance(node, Seed) else "model"
        yield Input(name, kind, relation, (field,))


def content_hash(query: Query, batch: Query | None, draft: Draft, secrets: Secrets) -> str:
    """Return the hash of rendered SQL and frontmatter, secrets masked."""
    return fingerprint(
        {
            "sql": secrets.mask(query.rendered),
            "incremental": None if batch is None else secrets.mask(batch.rendered),
            "config": config_facts(draft.config),
        }
    )


def resolve_query(draft: Draft, query: DraftQuery, index: NameIndex) -> Query:
    """Replace the names in a query by the relations they mean; a source that is read as written keeps its name."""
    names: dict[tuple[str, ...], str] = {}
    for reference in query.scan.references:
        text = index.text_of(reference.parts, reader=draft.path)
        if text is not None:
            names[reference.key] = text
    return Query(query.rendered.text, resolve(query.rendered.text, query.scan, names))


def columns_of(node: Node) -> tuple[str, ...] | None:
    """Return the names of a node's columns, in order, ``None`` where they are not certain before it is built."""
    return node.columns if isinstance(node, Seed) else _certain_columns(node.config, node.lineage)


def _certain_columns(config: ModelConfig, lineage: Lineage) -> tuple[str, ...] | None:
    """Return the columns of the relation that a query makes; a table that grows may have others of earlier builds."""
    if lineage.columns is None or (
        config.materialized == "incremental" and config.incremental.on_schema_change != "fail"
    ):
        return None
    return tuple(column.name for column in lineage.columns)


# ------------------------------------------------------------------------------------------- columns that are not there


def stream_column_problems(draft: Draft, nodes: Mapping[str, Node]) -> Iterator[Problem]:
    """Yield the columns that a model's query, tests and configuration name and that are certainly not there."""
    model, cause = nodes[draft.path], "it reads a column that is not there"
    for missing in model.lineage.missing if isinstance(model, Model) else ():
        line = _line_naming(draft, missing.column)
        if not missing.table:
            there = [name for entry in model.inputs for name in columns_of(nodes[entry.name]) or ()]
            hint = did_you_mean(missing.column, there, otherwise=f"There are: {', '.join(dict.fromkeys(there))}.")
            yield draft.problem(line, f"{cause}: nothing that it reads has a column `{missing.column}`", hint)
            continue
        known = columns_of(nodes[missing.table]) if missing.table in nodes else None
        yield from _missing(draft, line, cause, missing.table, known, (missing.column,))
    own, lines = columns_of(model), draft.text.lines
    for field, columns in (("unique_key", draft.config.unique_key), *_batch_columns(draft)):
        if draft.config.materialized == "incremental":
            yield from _missing(draft, lines.get(field), field, draft.path, own, columns)
    for test, entry in zip(draft.config.tests, draft.tested, strict=True):
        line, what = lines.get(test.label), f"test {test.label}"
        yield from _missing(draft, line, what, draft.path, own, test.columns)
        if entry is not None and entry[0] in nodes and test.field is not None:
            yield from _missing(draft, line, what, entry[0], columns_of(nodes[entry[0]]), (test.field,))


def stream_column_warnings(draft: Draft, node: Node) -> Iterator[Problem]:
    """Yield the columns that a model describes and that it certainly does not have."""
    for column in draft.config.columns:
        line = draft.text.lines.get(f"columns.{column}")
        yield from _missing(draft, line, "columns", draft.path, columns_of(node), (column,))


def _batch_columns(draft: Draft) -> list[tuple[str, tuple[str, ...]]]:
    """Return the columns by which a batch or a partition replaces rows, with the field that names them."""
    how = draft.config.incremental
    if how.time_column is not None:
        return [("incremental.time_column", (how.time_column,))]
    return [("incremental.partitions", (partition_column(how),))] if how.partitions is not None else []


def _line_naming(draft: Draft, column: str) -> int | None:
    """Return the line of a model's file where its query first names `column`, as far as that can be told."""
    word = re.compile(rf"(?<!\w){re.escape(column)}(?!\w)", re.IGNORECASE)
    for query in draft.queries:
        found = word.search(query.rendered.text)
        if found is not None:
            text = query.rendered.text
            return draft.line_of(text, text.count("\n", 0, found.start()) + 1) or draft.text.line
    return draft.text.line


def _missing(
    draft: Draft, line: int | None, what: str, path: str, known: ColumnSet, wanted: Iterable[str]
) -> Iterator[Problem]:
    if known is None:
        return
    folded = {fold(name) for name in known}
    for column in wanted:
        if fold(column) not in folded:
            hint = did_you_mean(column, known, otherwise=f"It has: {', '.join(known)}.")
            yield draft.problem(line, f"{what}: {path} has no column `{column}`", hint)


def _lineage(
    draft: Draft,
    query: DraftQuery,
    nodes: Mapping[str, Node],
    index: NameIndex,
    analyst: Analyst,
    *,
    own: ColumnSet,
) -> Lineage:
    known: dict[tuple[str, ...], KnownInput] = {}
    for reference in query.scan.references:
        found = index.look_up(reference.parts, reader=draft.path)
        if not found:
            known[reference.key] = KnownInput(index.source_name(reference.parts), None)
        elif found[0].path == draft.path:
            known[reference.key] = KnownInput(draft.path, own)
        else:
            known[reference.key] = KnownInput(found[0].path, columns_of(nodes[found[0].path]))
    return analyst.lineage(query.rendered.text, known)


def _joined(first: Iterable[Read], second: Iterable[Read]) -> tuple[Read, ...]:
    found: dict[str, ColumnSet] = {}
    for read in (*first, *second):
        before = found.get(read.table, ())
        both = None if before is None or read.columns is None else tuple(sorted({*before, *read.columns}))
        found[read.table] = both
    return tuple(Read(table, columns) for table, columns in sorted(found.items()))
