"""Records as plain data that JSON can hold, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any

from leapsql_core.configuration import ProjectConfig, secrets_of
from leapsql_core.frontmatter import ModelText
from leapsql_core.models import (
    ColumnSource,
    DataTest,
    IncrementalConfig,
    Lineage,
    ModelConfig,
    OutputColumn,
    Partitioning,
    QueryScan,
    Read,
    SourceConfig,
    Span,
    TableReference,
    Target,
)


def facts(answer: Any) -> Any:
    """Return a record as lists: the values of its fields in order."""
    if isinstance(answer, tuple):
        return [facts(item) for item in answer]
    kind: Any = type(answer)
    names = _field_names(kind)
    return answer if names is None else [facts(getattr(answer, name)) for name in names]


@lru_cache(maxsize=256)
def _field_names(kind: type) -> tuple[str, ...] | None:
    """Return the names of a record's fields in order, ``None`` for what is no record."""
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else None


def configuration_facts(config: ProjectConfig) -> Any:
    """Return a configuration as keys and values; of its secrets only the names."""
    return {field.name: facts(getattr(config, field.name)) for field in fields(config) if field.name != "secrets"} | {
        "sources": {name: facts(source) for name, source in config.sources.items()}
    }


def configuration_from(said: Any, environ: Mapping[str, str]) -> ProjectConfig:
    """Return the configuration that `configuration_facts` made keys and values of, with the secrets of now."""
    return ProjectConfig(
        **{
            **said,
            "environments": tuple(said["environments"]),
            "target": Target(*said["target"]),
            "sources": {name: SourceConfig(*source) for name, source in said["sources"].items()},
            "secret_names": tuple(said["secret_names"]),
            "secrets": secrets_of(said["secret_names"], environ),
        }
    )


def scan_from(said: Any) -> QueryScan:
    """Return the scan that `facts` made lists of."""
    references, volatile, files, functions, warning = said
    found = (
        TableReference(tuple(parts), line, tuple(Span(start, end) for start, end in spans))
        for parts, line, spans in references
    )
    return QueryScan(tuple(found), tuple(volatile), tuple(files), tuple(functions), warning)


def lineage_from(said: Any) -> Lineage:
    """Return the lineage that `facts` made lists of."""
    columns, rows, reads, unknown, ordered, missing = said
    return Lineage(
        columns=None
        if columns is None
        else tuple(
            OutputColumn(name, kind, _sources(sources), None if read is None else _sources(read))
            for name, kind, sources, read in columns
        ),
        rows=_reads(rows),
        reads=_reads(reads),
        unknown=unknown,
        ordered=ordered,
        missing=_sources(missing),
    )


def model_text_from(said: Any) -> ModelText:
    """Return the model's text that `facts` made lists of."""
    config, template, line, lines = said
    (name, description, materialized, unique_key, schema, owner, tags, group, meta, depends_on) = config[:10]
    tests, columns, incremental, volatile, enabled = config[10:]
    return ModelText(
        ModelConfig(
            name,
            description,
            materialized,
            tuple(unique_key),
            schema,
            owner,
            tuple(tags),
            group,
            meta,
            tuple(depends_on),
            tuple(_data_test(*test) for test in tests),
            columns,
            _incremental(*incremental),
            volatile,
            enabled,
        ),
        template,
        line,
        lines,
    )


def _incremental(strategy: Any, time_column: Any, on_schema: Any, on_query: Any, said: Any) -> IncrementalConfig:
    partitions = None
    if said is not None:
        every, start, end, end_offset, keys, column = said
        partitions = Partitioning(every, start, end, end_offset, tuple(keys), column)
    return IncrementalConfig(strategy, time_column, on_schema, on_query, partitions)


def text_from(said: Any) -> str | None:
    """Return a text, or that there is none."""
    return None if said is None else str(said)


def _data_test(kind: Any, columns: list[str], values: list[Any], *others: Any) -> DataTest:
    return DataTest(kind, tuple(columns), tuple(values), *others)


def _sources(pairs: list[list[str]]) -> tuple[ColumnSource, ...]:
    return tuple([ColumnSource(table, column) for table, column in pairs])


def _reads(pairs: list[Any]) -> tuple[Read, ...]:
    return tuple([Read(table, None if columns is None else tuple(columns)) for table, columns in pairs])
