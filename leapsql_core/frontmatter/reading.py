"""The YAML of a frontmatter, read as a configuration."""

from __future__ import annotations

from collections.abc import Iterator

from leapsql_core.documents import YamlText, read_yaml, validate_document
from leapsql_core.errors import Problem, ProjectError
from leapsql_core.frontmatter.data_tests import read_tests
from leapsql_core.frontmatter.partitioning import partitioning, read_partitions, stream_partition_problems
from leapsql_core.frontmatter.schemas import FrontmatterDocument, PartitionsDocument
from leapsql_core.models import DataTest, IncrementalConfig, ModelConfig


def read_frontmatter(text: str, *, file: str, first_line: int = 1) -> tuple[ModelConfig, dict[str, int]]:
    """Read the YAML of a frontmatter that begins at `first_line` of `file`; also return lines, as `ModelText` has them.

    Raises:
        ProjectError: with every problem found, each with its line.
    """
    written = read_yaml(text, file=file, first_line=first_line)
    lines = {".".join(map(str, path)): line for path, line in written.lines.items() if 0 < len(path) < 3}
    problems: list[Problem] = []
    tests = read_tests(written, lines, problems)
    try:
        document = validate_document(written, FrontmatterDocument)
        partitions, at = read_partitions(written, document)
    except ProjectError as exc:
        raise ProjectError([*problems, *exc.problems]) from exc
    if partitions == PartitionsDocument():
        problems.extend(_stream_batch_problems(written, document))
    problems.extend(stream_partition_problems(written, document, partitions, at))
    if problems:
        raise ProjectError(problems)
    if partitions != PartitionsDocument():
        lines["incremental.partitions"] = written.line_of(at)
    return _make_config(document, tests, partitions), lines


def _make_config(document: FrontmatterDocument, tests: list[DataTest], partitions: PartitionsDocument) -> ModelConfig:
    incremental = document.incremental
    return ModelConfig(
        name=document.name,
        description=document.description.strip(),
        materialized=document.materialized,
        unique_key=tuple(document.unique_key),
        schema=document.schema_,
        owner=document.owner,
        tags=tuple(sorted(set(document.tags))),
        group=document.group,
        meta=document.meta,
        depends_on=tuple(sorted(set(document.depends_on))),
        tests=tuple(tests),
        columns=document.columns,
        incremental=IncrementalConfig(
            incremental.strategy,
            incremental.time_column,
            incremental.on_schema_change,
            incremental.on_query_change,
            partitioning(partitions),
        ),
        volatile=document.volatile,
        enabled=document.enabled,
    )


def _stream_batch_problems(written: YamlText, document: FrontmatterDocument) -> Iterator[Problem]:
    """Yield what is missing for the batches of an incremental model without partitions: those have no strategy."""
    if document.materialized != "incremental":
        return
    strategy, time_column = document.incremental.strategy, document.incremental.time_column
    if strategy in ("delete+insert", "merge") and not document.unique_key:
        cause = f"the strategy `{strategy}` needs `unique_key`"
        yield written.problem(("incremental", "strategy"), cause, "Add `unique_key: id`, or a list of columns.")
    if strategy == "time_column" and time_column is None:
        cause = "the strategy `time_column` needs the column's name"
        yield written.problem(("incremental", "strategy"), cause, "Add `time_column: name` under `incremental`.")
    if strategy != "time_column" and time_column is not None:
        cause = "`time_column` is for the strategy of that name"
        yield written.problem(("incremental", "time_column"), cause, "Add `strategy: time_column` beside it.")
