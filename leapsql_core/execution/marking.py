"""Builds as text, for the warehouse to keep beside what was built: a state that was lost is read back from there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from leapsql_core.models import CodeVersion, Column, KeptTestResult, Trace, TraceInput
from leapsql_core.protocols import Build


def write_record(build: Build) -> str:
    """Return a build as JSON."""
    return json.dumps(asdict(build), default=datetime.isoformat, sort_keys=True, separators=(",", ":"))


def read_record(text: str) -> Build | None:
    """Return the build that `text` holds, ``None`` if this version of LeapSQL cannot read it."""
    try:
        facts = json.loads(text)
        return Build(
            **{
                **facts,
                "trace": _trace(facts["trace"]),
                "code": CodeVersion(**facts["code"]),
                "tests": tuple(map(_test, facts["tests"])),
            }
        )
    except (AttributeError, KeyError, TypeError, ValueError):
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
