"""Partitions in a frontmatter: ``incremental.partitions:``, or ``meta.dagster.partitions:``, which means the same."""

from __future__ import annotations

from collections.abc import Iterator

from leapsql_core.documents import KeyPath, YamlText, validate_document
from leapsql_core.errors import Problem, ProjectError
from leapsql_core.frontmatter.schemas import FrontmatterDocument, PartitionsDocument
from leapsql_core.models import Partitioning
from leapsql_core.names import unfit_name
from leapsql_core.partitions import read_moment

#: In which partitions may begin: windows of time go on from there, and are named by four digits.
_YEARS = range(1900, 9000)


#: Where partitions may stand: where a build finds them, or with what else a scheduler is told of the model.
_AT: KeyPath = ("incremental", "partitions")
_BESIDE: KeyPath = ("meta", "dagster", "partitions")


def read_partitions(written: YamlText, document: FrontmatterDocument) -> tuple[PartitionsDocument, KeyPath]:
    """Return what is written of partitions, and where.

    Raises:
        ProjectError: it stands beside the model and cannot be read, or is not the same in both places.
    """
    own, beside = document.incremental.partitions, document.meta.get("dagster")
    if not isinstance(beside, dict) or beside.get("partitions") is None:
        return own, _AT
    said = validate_document(written, PartitionsDocument, at=_BESIDE)
    if own not in (said, PartitionsDocument()):
        cause = "`meta.dagster.partitions` says something else than `incremental.partitions`"
        raise ProjectError([written.problem(_BESIDE, cause, "Take one of them out.")])
    return said, _BESIDE


def partitioning(document: PartitionsDocument) -> Partitioning | None:
    """Return what is written of partitions, ``None`` if nothing is."""
    if document == PartitionsDocument():
        return None
    return Partitioning(
        every=document.every,
        start=document.start,
        end=document.end,
        end_offset=document.end_offset,
        keys=tuple(document.keys),
        column=document.column,
    )


def stream_partition_problems(
    written: YamlText, document: FrontmatterDocument, said: PartitionsDocument, at: KeyPath
) -> Iterator[Problem]:
    """Yield what is wrong with the partitions that stand `at`, or missing for them."""
    if said == PartitionsDocument():
        return
    if document.materialized != "incremental":
        yield written.problem(at, "partitions are of incremental models", "Set `materialized: incremental`.")
    if (said.every is None) == (not said.keys):
        cause = "partitions are windows of time or keys, one of the two"
        mend = "Write `{every: daily, start: 2024-01-01}` or `{keys: [de, fr], column: country}`."
        yield written.problem(at, cause, mend)
    elif said.every is None:
        yield from _stream_key_problems(written, document, said, at)
    else:
        yield from _stream_window_problems(written, document, said, at)


def _stream_window_problems(
    written: YamlText, document: FrontmatterDocument, said: PartitionsDocument, at: KeyPath
) -> Iterator[Problem]:
    incremental = document.incremental
    if incremental.time_column is None:
        mend = "Add `time_column: name` under `incremental`."
        yield written.problem(at, "partitions by time need the column's name", mend)
    if incremental.strategy not in (None, "time_column"):
        mend = "Take `strategy` out."
        yield written.problem(("incremental", "strategy"), "a partition replaces its window: it has no strategy", mend)
    if said.column is not None:
        cause = "`column` is for partitions by keys: those by time have `time_column`"
        yield written.problem((*at, "column"), cause, "Take it out.")
    if said.start is None:
        yield written.problem(at, "partitions by time need a start", "Add `start: 2024-01-01`.")
    moments = {}
    for name, text in (("start", said.start), ("end", said.end)):
        try:
            if text is not None and said.every is not None:
                moments[name] = read_moment(text, said.every)
        except ValueError:
            form = "2024-01-01 or 2024-01-01-13:00" if said.every == "hourly" else "2024-01-01"
            yield written.problem((*at, name), f"`{text}` is no {name} of partitions", f"Write it as {form}.")
    if "start" in moments and moments["start"].year not in _YEARS:
        mend = f"Choose a year from {_YEARS.start} on, and before {_YEARS.stop}."
        yield written.problem((*at, "start"), f"`{said.start}` is no start of partitions", mend)
    if len(moments) == 2 and moments["end"] <= moments["start"]:
        yield written.problem((*at, "end"), "the partitions end before they begin", "Set a later `end`.")


def _stream_key_problems(
    written: YamlText, document: FrontmatterDocument, said: PartitionsDocument, at: KeyPath
) -> Iterator[Problem]:
    if said.column is None:
        yield written.problem(at, "partitions by keys need the column that holds them", "Add `column: name`.")
    for name, value in (("start", said.start), ("end", said.end), ("end_offset", said.end_offset or None)):
        if value is not None:
            yield written.problem((*at, name), f"`{name}` is for partitions by time", "Take it out.")
    if document.incremental.strategy is not None or document.incremental.time_column is not None:
        cause = "a partition replaces the rows of its key: it has no strategy and no time column"
        yield written.problem(("incremental",), cause, "Take `strategy` and `time_column` out.")
    for key in said.keys:
        wrong = unfit_name(key)
        if wrong is not None or ".." in key:
            cause = f"{wrong or '`..` stands in a name'}, the one of a partition"
            yield written.problem((*at, "keys"), cause, "Choose another: it is typed, and stands in START..END.")
    twice = sorted({key for key in said.keys if said.keys.count(key) > 1})
    if twice:
        yield written.problem((*at, "keys"), f"`{twice[0]}` stands there twice", "Keep one of them.")
