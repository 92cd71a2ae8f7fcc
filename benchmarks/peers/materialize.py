"""Materializes all assets of a file of definitions, in this process, on an instance that is forgotten.

`python -m benchmarks.peers.materialize definitions.py FOUND` writes what it took into FOUND, as JSON. It needs Dagster
and nothing of this repository, so that it runs in any environment.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from contextlib import redirect_stderr
from pathlib import Path

import dagster as dg


def materialize(file: Path) -> dict[str, float]:
    """Return the seconds that the run took, and how many assets it materialized, with row counts and with columns.

    Raises:
        RuntimeError: the run failed.
    """
    sys.path.insert(0, str(file.parent.absolute()))
    job = importlib.import_module(file.stem).defs.get_repository_def().get_job("__ASSET_JOB")
    with dg.DagsterInstance.ephemeral() as instance:
        began = time.perf_counter()
        with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
            result = job.execute_in_process(instance=instance, raise_on_error=False)
        seconds = time.perf_counter() - began
    if not result.success:
        failed = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
        raise RuntimeError(f"the run failed: {failed}")
    told = [
        event.step_materialization_data.materialization.metadata
        for event in result.all_events
        if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION
    ]
    with_rows, with_columns = (
        sum(key in one for one in told) for key in ("dagster/row_count", "dagster/column_schema")
    )
    return {"seconds": seconds, "materialized": len(told), "row counts": with_rows, "columns": with_columns}


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(materialize(Path(sys.argv[1]))), encoding="utf-8")
