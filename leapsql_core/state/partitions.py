"""What is known of the partitions of current traces: SQL within a transaction of its caller."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from leapsql_core.models import PartitionTrace, TraceInput
from leapsql_core.protocols import Build
from leapsql_core.state.notation import (
    read_column_set,
    read_columns,
    read_config,
    read_list,
    read_optional_text,
    read_text,
    read_time,
    write_column_set,
    write_columns,
    write_time,
)

_FACTS = frozenset({"name", "relation", "columns", "data_version", "seen"})


def read_partitions(connection: sqlite3.Connection, environment: str) -> dict[str, tuple[PartitionTrace, ...]]:
    """Return the partitions that models have in one environment, by path and in the order of their keys."""
    found: dict[str, list[PartitionTrace]] = {}
    rows = connection.execute(
        "SELECT partition_traces.*, models.path FROM partition_traces JOIN models ON models.id = model_id"
        " WHERE environment = ? ORDER BY models.path, partition_key",
        (environment,),
    ).fetchall()
    readings = _read_readings(connection, environment) if rows else {}
    for row in rows:
        partition = PartitionTrace(
            key=read_text(row["partition_key"]),
            model_run_id=read_text(row["model_run_id"]),
            code_version=read_text(row["code_version"]),
            data_version=read_optional_text(row["data_version"]),
            inputs=_reading(readings, row),
            windows=tuple(sorted((name, read_text(found)) for name, found in read_config(row["windows"]).items())),
            built_at=read_time(row["built_at"]),
        )
        found.setdefault(row["path"], []).append(partition)
    return {path: tuple(partitions) for path, partitions in found.items()}


def _reading(readings: Mapping[tuple[str, int], tuple[TraceInput, ...]], row: sqlite3.Row) -> tuple[TraceInput, ...]:
    found = readings.get((row["model_id"], row["reading"]))
    if found is None:
        raise ValueError(f"what the partition {row['partition_key']} of {row['path']} read is not there")
    return found


def _read_readings(connection: sqlite3.Connection, environment: str) -> dict[tuple[str, int], tuple[TraceInput, ...]]:
    rows = connection.execute("SELECT * FROM partition_readings WHERE environment = ?", (environment,))
    return {(row["model_id"], row["reading"]): tuple(map(_read_input, read_list(row["inputs"]))) for row in rows}


def write_partitions(connection: sqlite3.Connection, build: Build, *, model_id: str) -> None:
    """Keep the partitions that a relation has after a build, in the place of all that were kept of its model."""
    environment = build.trace.environment
    if not build.partitions and not _are_there(connection, environment, model_id):
        return
    for table in ("partition_traces", "partition_readings"):
        connection.execute(f"DELETE FROM {table} WHERE environment = ? AND model_id = ?", (environment, model_id))  # noqa: S608
    readings: dict[tuple[TraceInput, ...], int] = {}
    rows = [
        (
            environment,
            model_id,
            partition.key,
            partition.model_run_id,
            partition.code_version,
            partition.data_version,
            readings.setdefault(partition.inputs, len(readings)),
            json.dumps(dict(partition.windows), sort_keys=True),
            write_time(partition.built_at),
        )
        for partition in build.partitions
    ]
    connection.executemany(
        "INSERT INTO partition_traces (environment, model_id, partition_key, model_run_id, code_version, data_version,"
        " reading, windows, built_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )
    connection.executemany(
        "INSERT INTO partition_readings (environment, model_id, reading, inputs) VALUES (?, ?, ?, ?)",
        [
            (environment, model_id, reading, json.dumps(list(map(_write_input, inputs))))
            for inputs, reading in readings.items()
        ],
    )


def _are_there(connection: sqlite3.Connection, environment: str, model_id: str) -> bool:
    """Tell whether partitions of a model are kept; each of them has a reading."""
    question = "SELECT 1 FROM partition_readings WHERE environment = ? AND model_id = ? LIMIT 1"
    return connection.execute(question, (environment, model_id)).fetchone() is not None


def _write_input(entry: TraceInput) -> dict[str, Any]:
    return {
        "name": entry.name,
        "relation": entry.relation,
        "columns": write_column_set(entry.columns),
        "data_version": entry.data_version,
        "seen": None if entry.seen is None else write_columns(entry.seen),
    }


def _read_input(facts: object) -> TraceInput:
    if not isinstance(facts, dict) or not facts.keys() >= _FACTS:
        raise ValueError(f"{facts!r} stands where what a partition read belongs")
    return TraceInput(
        name=read_text(facts["name"]),
        relation=read_text(facts["relation"]),
        columns=read_column_set(facts["columns"]),
        data_version=read_optional_text(facts["data_version"]),
        seen=None if facts["seen"] is None else read_columns(facts["seen"]),
    )
