"""What people look at in Dagster: columns, lineage, rows, reasons, SQL, links to files."""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from typing import Any
from urllib.parse import quote

import dagster as dg

from leapsql_core import Column, DataTest, DataTestResult, Model, ModelFinished, Node, Origin, Seed
from leapsql_dagster.loading import PATH_METADATA, PROJECT_METADATA, LoadedAssets
from leapsql_dagster.markdown import fenced, plain
from leapsql_dagster.stepping import quietly

COLUMN_SCHEMA = "dagster/column_schema"
COLUMN_LINEAGE = "dagster/column_lineage"
ROW_COUNT = "dagster/row_count"
TABLE_NAME = "dagster/table_name"
STORAGE_KIND = "dagster/storage_kind"
CODE_REFERENCES = "dagster/code_references"

_MOST_LINEAGE_ROWS = 200


def definition_metadata(loaded: LoadedAssets, node: Node) -> dict[str, Any]:
    """Return what an asset shows before it is materialized: relation, columns, files.

    Types of columns are those of the last build in the environment; a column that was never built shows none.
    """
    metadata: dict[str, Any] = {
        PROJECT_METADATA: loaded.id,
        PATH_METADATA: node.path,
        STORAGE_KIND: loaded.session.project.target.type,
        **_said_by_files(loaded, node),
    }
    trace = loaded.planned.snapshot.traces.get(node.path)
    types = {} if trace is None else {column.name.casefold(): column.type for column in trace.columns}
    names = _known_columns(node) or ([column.name for column in trace.columns] if trace is not None else [])
    if names:
        metadata[COLUMN_SCHEMA] = column_schema(node, [Column(name, types.get(name.casefold(), "")) for name in names])
    return metadata


def _said_by_files(loaded: LoadedAssets, node: Node) -> dict[str, Any]:
    """Return what a node's files say of it, built or not: its relation, where it is written, whence its columns come.

    Of a definition it need not be said again when that is materialized: Dagster shows it of both.
    """
    said = {TABLE_NAME: str(node.relation), CODE_REFERENCES: code_references(loaded, node)}
    lineage = column_lineage(loaded, node)
    return said if lineage is None else {**said, COLUMN_LINEAGE: lineage}


def materialization_metadata(
    loaded: LoadedAssets,
    done: ModelFinished,
    came_from: Sequence[Origin],
    *,
    run_id: str,
    environment: str,
    rows_before: int | None,
) -> dict[str, Any]:
    """Return what a materialization shows: rows, columns, why it was built, what ran, for how long.

    What its definition says already, Dagster shows beside it; each event is stored twice, so it is not told again.
    `came_from` is what of the run the build hangs on, `rows_before` the row count of the materialization before.
    """
    metadata = {**_seen(loaded, done), **_reasons(done, came_from, run_id=run_id, environment=environment)}
    rows = done.row_count if done.status == "success" else rows_before
    if rows is not None:
        metadata[ROW_COUNT] = rows
        if rows_before is not None:
            metadata["leapsql/row_count_change"] = rows - rows_before
    if done.rows_affected is not None:
        metadata["leapsql/rows_affected"] = done.rows_affected
    if done.status == "success":
        metadata["leapsql/execution_seconds"] = (done.execution_ms or 0) / 1000
        metadata["leapsql/render_seconds"] = (done.render_ms or 0) / 1000
    if isinstance(done.node, Seed):
        metadata["leapsql/file_bytes"] = (loaded.session.root / done.node.file).stat().st_size
    if done.tests:
        metadata["leapsql/tests"] = dg.MetadataValue.md(_tests_table(done))
    return metadata


def _seen(loaded: LoadedAssets, done: ModelFinished) -> dict[str, Any]:
    """Return what was built: its columns, where they come from, its SQL; its versions are tags of the event.

    Columns are told each time, for Dagster's own check of their changes compares materializations.
    """
    node = done.node
    metadata: dict[str, Any] = {"leapsql/content_hash": node.content_hash}
    if node != loaded.session.project.nodes.get(done.path):  # of variables of the run, say: not what was loaded
        with quietly():
            metadata.update(_said_by_files(loaded, node))
    if done.columns:
        metadata[COLUMN_SCHEMA] = column_schema(node, done.columns)
    if done.sql is not None:
        metadata["leapsql/sql"] = dg.MetadataValue.md(fenced(done.sql, "sql"))
    flows = _flows(loaded, node)
    if flows:
        metadata["leapsql/column_lineage"] = dg.MetadataValue.md(_lineage_table(flows))
    return metadata


def _reasons(done: ModelFinished, came_from: Sequence[Origin], *, run_id: str, environment: str) -> dict[str, Any]:
    """Return why it was built, and in which run."""
    metadata: dict[str, Any] = {
        "leapsql/reason": done.reason,
        "leapsql/detail": done.detail,
        "leapsql/environment": environment,
        "leapsql/run_id": run_id,
        "leapsql/model_run_id": done.model_run_id,
    }
    if came_from:
        metadata["leapsql/why"] = dg.MetadataValue.md(_why_tree(done, came_from))
    if done.difference is not None:
        metadata["leapsql/difference"] = dg.MetadataValue.md(fenced(done.difference, "diff"))
    return metadata


def column_schema(node: Node, columns: Iterable[Column]) -> dg.TableSchema:
    """Return columns with types, descriptions and what the model's tests promise of them."""
    described = {} if not isinstance(node, Model) else {k.casefold(): v for k, v in node.config.columns.items()}
    tests = node.config.tests if isinstance(node, Model) else ()
    filled, unique = _promised(tests, "not_null"), _promised(tests, "unique")

    def column_of(column: Column) -> dg.TableColumn:
        name, constraints = column.name.casefold(), None  # which Dagster takes for none
        if name in filled or name in unique:
            constraints = dg.TableColumnConstraints(nullable=name not in filled, unique=name in unique)
        return dg.TableColumn(column.name, column.type, description=described.get(name), constraints=constraints)

    return dg.TableSchema(columns=[column_of(column) for column in columns])


def column_lineage(loaded: LoadedAssets, node: Node) -> dg.TableColumnLineage | None:
    """Return which columns of which assets flow into each column, ``None`` where none of it is known."""
    flows = _flows(loaded, node)
    deps = {name: [dg.TableColumnDep(key, column) for key, column in sources] for name, sources in flows.items()}
    return dg.TableColumnLineage(deps) if deps else None


def _flows(loaded: LoadedAssets, node: Node) -> dict[str, list[tuple[dg.AssetKey, str]]]:
    """Return the columns of assets that flow into each column of which it is known."""
    if not isinstance(node, Model) or node.lineage.columns is None:
        return {}
    keys = loaded.keys
    return {
        column.name: [(keys[source.table], source.column) for source in column.sources if source.table in keys]
        for column in node.lineage.columns
        if column.kind != "unknown"
    }


def code_references(loaded: LoadedAssets, node: Node) -> dg.CodeReferencesMetadataValue:
    """Return links to the model's file, at the line its query begins, and to the macro files it used.

    Each file is told as it lies here and, where the project says its repository's address, as it lies there.
    """
    files: Mapping[str, int] = {node.file: node.line if isinstance(node, Model) else 1}
    macros: Mapping[str, int] = dict.fromkeys(node.macros, 1) if isinstance(node, Model) else {}
    address, root = loaded.project.repository_url, str(loaded.session.root)
    references: list[dg.LocalFileCodeReference | dg.UrlCodeReference] = []
    for file, line in {**files, **macros}.items():
        path = os.path.join(root, *file.split("/"))
        references.append(dg.LocalFileCodeReference(file_path=path, line_number=line, label=file))
        if address is not None:
            url = f"{address.rstrip('/')}/{quote(file)}#L{line}"
            references.append(dg.UrlCodeReference(url=url, label=file))
    return dg.CodeReferencesMetadataValue(code_references=references)


def _known_columns(node: Node) -> list[str]:
    if not isinstance(node, Model):
        return list(node.columns)
    return [] if node.lineage.columns is None else [column.name for column in node.lineage.columns]


def _promised(tests: Iterable[DataTest], kind: str) -> set[str]:
    """Return the columns, in small letters, of which a test of that kind fails the build if one row fails it."""
    return {
        test.columns[0].casefold()
        for test in tests
        if test.kind == kind and test.severity == "error" and test.where is None and len(test.columns) == 1
    }


def _why_tree(done: ModelFinished, came_from: Sequence[Origin]) -> str:
    """Return the chain from a model up to the changes that began it, with the columns read on the way."""
    lines = [f"- **{plain(done.path)}** {plain(done.reason)}: {plain(done.detail)}"]
    for origin in came_from:
        said = "" if origin.reason is None else f" {plain(origin.reason)}: {plain(origin.detail)}"
        columns = "all its columns" if origin.columns is None else ", ".join(origin.columns) or "the number of its rows"
        lines.append(f"{'  ' * origin.depth}- **{plain(origin.path)}**{said}, read for {plain(columns)}")
    return "\n".join(lines)


def _tests_table(done: ModelFinished) -> str:
    rows = [
        f"| {plain(result.test.label)} | {'passed' if result.passed else f'{result.failures} failing'}"
        f" | {_tested(result)} |"
        for result in done.tests
    ]
    return "\n".join(["| test | result | tested |", "|---|---|---|", *rows])


def _tested(result: DataTestResult) -> str:
    """Return when a test was run, if its result stands from an earlier run."""
    since = result.stands_since
    return "now" if since is None else f"{since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, nothing changed since"


def _lineage_table(flows: Mapping[str, Iterable[tuple[dg.AssetKey, str]]]) -> str:
    rows = [
        f"| {plain(name)} | {plain(', '.join(f'{key.to_user_string()}.{column}' for key, column in sources))} |"
        for name, sources in flows.items()
    ]
    more = [f"| … {len(rows) - _MOST_LINEAGE_ROWS} more | |"] if len(rows) > _MOST_LINEAGE_ROWS else []
    return "\n".join(["| column | from |", "|---|---|", *rows[:_MOST_LINEAGE_ROWS], *more])
