"""Fingerprints: structure as canonical JSON, then SHA-256, whole."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from functools import lru_cache
from typing import Any

from leapsql_core.models import ColumnSet, DataTest, ModelConfig
from leapsql_core.names import fold

_USUAL = ModelConfig()
_write_json = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def canonical_json(value: Any) -> str:
    """Write `value` as JSON with sorted keys and no insignificant space.

    Raises:
        TypeError: a value that JSON has no form for.
        ValueError: a NaN or an infinity.

    >>> canonical_json({"b": (1, None), "a": "é"})
    '{"a":"é","b":[1,null]}'
    """
    return _write_json(value)


def fingerprint(value: Any) -> str:
    """Return the SHA-256 of `value`'s canonical JSON, as 64 hexadecimal digits.

    >>> fingerprint(["a", "b"]) == fingerprint(("a", "b")) != fingerprint(["ab"])
    True
    """
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()


def fingerprint_bytes(content: bytes) -> str:
    """Return the SHA-256 of a file's content, as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


@lru_cache(maxsize=4096)
def column_set_key(columns: ColumnSet) -> str:
    """Return one text per set of columns, whatever their case and order; ``*`` stands for all.

    >>> column_set_key(("b", "A")) == column_set_key(("a", "B")), column_set_key(None), column_set_key(())
    (True, '*', '[]')
    """
    return "*" if columns is None else canonical_json(sorted({fold(name) for name in columns}))


def config_facts(config: ModelConfig) -> dict[str, Any]:
    """Return what a configuration says beyond the defaults, as plain data.

    Defaults are left out, so that a release that adds a field changes no hash.

    >>> config_facts(ModelConfig(materialized="view", tags=("a",)))
    {'materialized': 'view', 'tags': ['a']}
    """
    facts = _said(config, _USUAL)
    if config.tests:
        facts["tests"] = [data_test_facts(test) for test in config.tests]
    return facts


def data_test_facts(test: DataTest) -> dict[str, Any]:
    """Return what a test says beyond the defaults, as plain data."""
    return {"kind": test.kind, **_said(test, DataTest(kind=test.kind))}


def _said(record: Any, default: Any) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for name in _fields_of(type(record)):
        value, usual = getattr(record, name), getattr(default, name)
        if value is usual or (value == usual and type(value) is type(usual)):
            continue
        if dataclasses.is_dataclass(value):
            said[name] = _said(value, usual)
        else:
            said[name] = list(value) if isinstance(value, tuple) else value
    return said


def _fields_of(kind: Any) -> tuple[str, ...]:
    names: tuple[str, ...] = kind.__match_args__  # of a dataclass, and at hand: `dataclasses.fields` looks for them
    return names
