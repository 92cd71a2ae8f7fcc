"""What tests found in the relations of traces: SQL within a transaction of its caller."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from leapsql_core.hashing import canonical_json
from leapsql_core.models import KeptTestResult
from leapsql_core.state.notation import printable, read_list, read_text, read_time, write_time


def read_test_results(connection: sqlite3.Connection, environment: str) -> dict[str, tuple[KeptTestResult, ...]]:
    """Return, by path, what tests have found in the relations of the current traces of one environment."""
    found: dict[str, list[KeptTestResult]] = {}
    for row in connection.execute(
        "SELECT models.path, test_results.* FROM current_traces JOIN test_results USING (model_run_id)"
        " JOIN models ON models.id = current_traces.model_id"
        " WHERE current_traces.environment = ? ORDER BY models.path, test_results.label, test_results.test",
        (environment,),
    ):
        result = KeptTestResult(
            test=read_text(row["test"]),
            basis=read_text(row["basis"]),
            label=read_text(row["label"]),
            failures=row["failures"],
            columns=tuple(map(read_text, read_list(row["columns"]))),
            sample=tuple(tuple(map(read_text, values)) for values in read_list(row["sample"])),
            tested_at=read_time(row["tested_at"]),
        )
        found.setdefault(row["path"], []).append(result)
    return {path: tuple(results) for path, results in found.items()}


def write_test_results(connection: sqlite3.Connection, model_run_id: str, results: Iterable[KeptTestResult]) -> None:
    """Keep these results of a trace, in the place of all that were kept of it."""
    connection.execute("DELETE FROM test_results WHERE model_run_id = ?", (model_run_id,))
    connection.executemany(
        "INSERT INTO test_results (model_run_id, test, basis, label, failures, columns, sample, tested_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (model_run_id, test) DO NOTHING",
        [
            (
                model_run_id,
                result.test,
                result.basis,
                printable(result.label),
                result.failures,
                canonical_json(result.columns),
                canonical_json(result.sample),
                write_time(result.tested_at),
            )
            for result in results
        ],
    )
