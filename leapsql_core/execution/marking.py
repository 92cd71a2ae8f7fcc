"""Builds as text, for the warehouse to keep beside what was built: a state that was lost is read back from there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from leapsql_core.models import CodeVersion, Column, KeptTestResult, PartitionTrace, Trace, TraceInput
from leapsql_core.protocols import Build


def write_record(build: Build) -> str:
    """Return a build as JSON. What partitions read is written once, for most of them read the same."""
    facts = asdict(build)
    read: list[Any] = []
    for partition in facts["partitions"]:
        if partition["inputs"] not in read:
            read.append(partition["inputs"])
        partition["inputs"] = read.index(partition["inputs"])
    return json.dumps({**facts, "read": read}, default=datetime.isoformat, sort_keys=True, separators=(",", ":"))


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
