"""How values are written in the state: times, free text, configuration, lists."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from leapsql_core.errors import StateError
from leapsql_core.hashing import canonical_json
from leapsql_core.models import Column, ColumnSet, Request


def in_utc(moment: datetime) -> datetime:
    """Return the same moment in UTC.

    Raises:
        StateError: a time without a zone, which could be any moment of a day.
    """
    if moment.tzinfo is None:
        raise StateError(f"the time {moment} has no time zone", mend="Pass a clock that returns aware times.")
    return moment.astimezone(UTC)


def write_time(moment: datetime) -> str:
    """Write a moment as UTC text of fixed width, to the microsecond.

    It is the form of SQLite's own ``CURRENT_TIMESTAMP`` with a fraction, and no zone: so it sorts as text, SQLite's
    date functions read it, and it compares rightly with what ``datetime('now', '-1 day')`` returns.

    >>> write_time(datetime(2026, 3, 1, 7, 30, tzinfo=UTC))
    '2026-03-01 07:30:00.000000'
    """
    return in_utc(moment).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")


def read_time(text: str) -> datetime:
    """Return the moment that `text` stands for; a text without a zone is UTC.

    Raises:
        ValueError: text that is no time.

    >>> read_time("2026-03-01 07:30:00.000000")
    datetime.datetime(2026, 3, 1, 7, 30, tzinfo=datetime.timezone.utc)
    """
    moment = datetime.fromisoformat(read_text(text))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def read_text(value: object) -> str:
    """Return a text that was read.

    Raises:
        ValueError: what was read is no text, as in a damaged file.
    """
    if not isinstance(value, str):
        raise ValueError(f"{value!r} stands where a text belongs")
    return value


def read_optional_text(value: object) -> str | None:
    """Return a text that was read, ``None`` for none."""
    return None if value is None else read_text(value)


def read_list(text: object) -> list[Any]:
    """Return the JSON array that a text holds.

    Raises:
        ValueError: it is no text, or holds none.
    """
    found = json.loads(read_text(text))
    if not isinstance(found, list):
        raise ValueError(f"{text!r} stands where a list belongs")
    return found


def read_config(text: object) -> dict[str, Any]:
    """Return the JSON object that a text holds.

    Raises:
        ValueError: it is no text, or holds none.
    """
    found = json.loads(read_text(text))
    if not isinstance(found, dict):
        raise ValueError(f"{text!r} stands where a mapping belongs")
    return found


def read_optional_time(text: str | None) -> datetime | None:
    """Return the moment that `text` stands for, ``None`` for none."""
    return None if text is None else read_time(text)


def printable(text: str | None) -> str | None:
    r"""Return `text` with what has no UTF-8 form written as an escape.

    A message may quote a file name that is not UTF-8, and a failure must be recorded in spite of it.

    >>> printable("no file caf\udce9.csv")
    'no file caf\\udce9.csv'
    """
    return None if text is None else text.encode("utf-8", "backslashreplace").decode("utf-8")


def write_config(content_hash: str, config: Mapping[str, Any]) -> str:
    """Write a model's configuration as JSON.

    Raises:
        StateError: a value that JSON has no form for.
    """
    try:
        return canonical_json(config)
    except (TypeError, ValueError) as exc:
        cause = f"the configuration of content hash {content_hash} has no JSON form: {exc}"
        raise StateError(cause, mend="Keep to texts, numbers, booleans, lists and mappings.") from exc


def write_request(request: Request | None) -> str | None:
    """Write what a run was asked as a JSON object of what is not as usual; where it is not known, that is NULL.

    >>> write_request(Request(full_refresh=True, partitions=("2024-01-01", "2024-01-03")))
    '{"full_refresh":true,"partitions":["2024-01-01","2024-01-03"]}'
    """
    if request is None:
        return None
    return printable(
        canonical_json({name: value for name, value in asdict(request).items() if value not in (False, None)})
    )


def read_request(text: object) -> Request | None:
    """Return what a run was asked, ``None`` where it is not known.

    Raises:
        ValueError: it is no text, or holds no such thing.
    """
    if text is None:
        return None
    found = read_config(text)
    partitions = found.get("partitions")
    if partitions is not None and not (isinstance(partitions, list) and len(partitions) == 2):
        raise ValueError(f"{text!r} stands where a first and a last partition belong")
    return Request(
        force=found.get("force") is True,
        full_refresh=found.get("full_refresh") is True,
        partitions=None if partitions is None else (read_text(partitions[0]), read_text(partitions[1])),
        defer_to=read_optional_text(found.get("defer_to")),
        state_of=read_optional_text(found.get("state_of")),
    )


def write_columns(columns: Iterable[Column]) -> str:
    """Write a relation's columns as a JSON array of name and type."""
    return canonical_json([[column.name, column.type] for column in columns])


def read_columns(text: object) -> tuple[Column, ...]:
    """Return the columns that `text` holds."""
    found = read_list(text)
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in found):
        raise ValueError(f"{text!r} stands where columns belong")
    return tuple(Column(read_text(name), read_text(type_)) for name, type_ in found)


def write_column_set(columns: ColumnSet) -> str | None:
    """Write the columns that a query reads of an input; all of them, in their order, is NULL."""
    return None if columns is None else canonical_json(columns)


def read_column_set(text: object) -> ColumnSet:
    """Return the columns that `text` holds."""
    return None if text is None else tuple(map(read_text, read_list(text)))
