"""Builds that the warehouse knows of and the state lost: SQL that records them, within a transaction of its caller."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from leapsql_core.protocols import Build, NewModelRun
from leapsql_core.state.environments import ensure_environment
from leapsql_core.state.partitions import write_partitions
from leapsql_core.state.refusals import ADOPTED, check_adoption
from leapsql_core.state.runs import complete_run, create_run, record_model_runs
from leapsql_core.state.traces import end_as_success, make_current, write_build

_KNOWN = "SELECT id FROM model_runs WHERE id IN (SELECT value FROM json_each(?))"
_TRACED = "SELECT model_run_id FROM traces WHERE model_run_id IN (SELECT value FROM json_each(?))"


def adopt_builds(
    connection: sqlite3.Connection,
    environment: str,
    builds: Sequence[Build],
    *,
    now: datetime,
    new_id: Callable[[], str],
) -> None:
    """Record builds under the ids of their model runs; those that are unknown come to be, in a run of their own.

    That run bears the times of the builds, so that it is never taken for the latest one.
    """
    model_ids = {row["path"]: row["id"] for row in connection.execute("SELECT path, id FROM models")}
    check_adoption(builds, environment=environment, known=model_ids)
    ensure_environment(connection, environment, now=now)
    known, traced = _ids(connection, _KNOWN, builds), _ids(connection, _TRACED, builds)
    lost = [build for build in builds if build.trace.model_run_id not in known]
    if lost:
        _make_run(connection, environment, lost, model_ids=model_ids, new_id=new_id)
    for build in builds:
        trace, model_id = build.trace, model_ids[build.trace.model_path]
        end_as_success(connection, build, now=now if trace.model_run_id in known else trace.built_at)
        if trace.model_run_id in traced:
            make_current(connection, trace, model_id=model_id)
            write_partitions(connection, build, model_id=model_id)
        else:
            write_build(connection, build, model_id=model_id)


def _make_run(
    connection: sqlite3.Connection,
    environment: str,
    builds: Sequence[Build],
    *,
    model_ids: dict[str, str],
    new_id: Callable[[], str],
) -> None:
    """Make a completed run with a model run for each of `builds`, under the ids of old."""
    times = sorted(build.trace.built_at for build in builds)
    run = create_run(connection, environment, run_id=new_id(), now=times[0], orchestrator_run_id=None)
    for build in sorted(builds, key=lambda build: build.trace.built_at):
        trace = build.trace
        new = NewModelRun(model_ids[trace.model_path], "running", trace.content_hash, *ADOPTED)
        record_model_runs(connection, run.id, [new], now=trace.built_at, new_id=iter([trace.model_run_id]).__next__)
    complete_run(connection, run.id, "completed", now=times[-1], error=None)


def forget_traces(connection: sqlite3.Connection, environment: str, paths: Iterable[str]) -> None:
    """Forget the current traces of models in one environment."""
    connection.execute(
        "DELETE FROM current_traces WHERE environment = ?"
        " AND model_id IN (SELECT id FROM models WHERE path IN (SELECT value FROM json_each(?)))",
        (environment, json.dumps(list(paths))),
    )


def _ids(connection: sqlite3.Connection, query: str, builds: Sequence[Build]) -> set[str]:
    wanted = json.dumps([build.trace.model_run_id for build in builds])
    return {id_ for (id_,) in connection.execute(query, (wanted,))}
