"""Builds as text, for the warehouse to keep beside what was built: a state that was lost is read back from there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from leapsql_core.models import CodeVersion, Column, KeptTestResult, PartitionTrace, Trace, TraceInput
from leapsql_core.protocols import Build


def write_record(build: Build) -> str:
    """Return a build as JSON. What partitions read is written once, for most of them read the same."""
    read = {inputs: place for place, inputs in enumerate(dict.fromkeys(one.inputs for one in build.partitions))}
    partitions = [_facts(one) | {"inputs": read[one.inputs]} for one in build.partitions]
    return _write(_facts(build) | {"partitions": partitions, "read": list(read)})


def _as_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else _facts(value)


#: Made once: to make an encoder costs more than to use it.
_write = json.JSONEncoder(default=_as_json, sort_keys=True, separators=(",", ":")).encode


def _facts(record: Any) -> dict[str, Any]:
    """Return the fields of a record by name, as they are: the encoder asks for those within it."""
    return {name: getattr(record, name) for name in record.__slots__}


def read_record(text: str) -> Build | None:
    """Return the build that `text` holds, ``None`` if this version of LeapSQL cannot read it."""
    try:
        facts = json.loads(text)
        read = [tuple(map(_input, inputs)) for inputs in facts.pop("read", ())]
        return Build(
            **{
                **facts,
                "partitions": tuple(_partition(partition, read) for partition in facts.get("partitions", ())),
                "trace": _trace(facts["trace"]),
                "code": CodeVersion(**facts["code"]),
                "tests": tuple(map(_test, facts["tests"])),
            }
        )
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None


def _trace(facts: Mapping[str, Any]) -> Trace:
    return Trace(
        **{
            **facts,
            "columns": _columns(facts["columns"]),
            "inputs": tuple(map(_input, facts["inputs"])),
            "built_at": datetime.fromisoformat(facts["built_at"]),
        }
    )


def _partition(facts: Mapping[str, Any], read: list[tuple[TraceInput, ...]]) -> PartitionTrace:
    return PartitionTrace(
        **{
            **facts,
            "inputs": read[facts["inputs"]],
            "windows": tuple((name, version) for name, version in facts["windows"]),
            "built_at": datetime.fromisoformat(facts["built_at"]),
        }
    )


def _input(facts: Mapping[str, Any]) -> TraceInput:
    columns, seen = facts["columns"], facts["seen"]
    return TraceInput(
        **{
            **facts,
            "columns": None if columns is None else tuple(columns),
            "seen": None if seen is None else _columns(seen),
        }
    )


def _columns(facts: list[Mapping[str, str]]) -> tuple[Column, ...]:
    return tuple(Column(**column) for column in facts)


def _test(facts: Mapping[str, Any]) -> KeptTestResult:
    return KeptTestResult(
        **{
            **facts,
            "columns": tuple(facts["columns"]),
            "sample": tuple(map(tuple, facts["sample"])),
            "tested_at": datetime.fromisoformat(facts["tested_at"]),
        }
    )
