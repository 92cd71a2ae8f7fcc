"""`leapsql history`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from typing import Any

import click

from leapsql_core.cli.inquiry import ask_state, mention_missing
from leapsql_core.cli.opening import StatePlace, find_path, find_state
from leapsql_core.cli.options import Settings, command
from leapsql_core.cli.output import show
from leapsql_core.cli.pages import Cell, Column, Style, Table, line, paragraph, row
from leapsql_core.cli.wording import duration, moment, number, reason_words, request_words, short
from leapsql_core.state import open_state_reader
from leapsql_core.state.connection import explained
from leapsql_core.state.notation import read_config, read_optional_time, read_request, read_time

_STATUS_STYLES: dict[str, Style] = {
    "running": "warn",
    "completed": "good",
    "failed": "bad",
    "cancelled": "warn",
    "pending": "warn",
    "success": "good",
    "skipped": "quiet",
}
_COUNTS = ("built", "tested", "unchanged", "failed", "skipped")

# Counts are of the runs shown alone: the state may hold millions of model runs.
_RUNS = """
WITH latest AS (
  SELECT rowid AS place, * FROM runs WHERE environment = {environment}
  ORDER BY started_at DESC, rowid DESC LIMIT {limit}
)
SELECT latest.id, latest.status, latest.started_at, latest.completed_at, latest.orchestrator_run_id, latest.error,
  latest.request,
  count(*) FILTER (WHERE model_runs.status = 'success') AS built,
  count(*) FILTER (WHERE model_runs.status = 'skipped' AND model_runs.execution_ms IS NOT NULL) AS tested,
  count(*) FILTER (WHERE model_runs.status = 'skipped' AND model_runs.execution_ms IS NULL
    AND coalesce(model_runs.reason, '') NOT IN ('upstream_failed', 'cancelled')) AS unchanged,
  count(*) FILTER (WHERE model_runs.status = 'failed') AS failed,
  count(*) FILTER (WHERE model_runs.status = 'skipped'
    AND model_runs.reason IN ('upstream_failed', 'cancelled')) AS skipped
FROM latest LEFT JOIN model_runs ON model_runs.run_id = latest.id
GROUP BY latest.id ORDER BY latest.started_at DESC, latest.place DESC
"""

_MODEL_RUNS = """
SELECT model_runs.run_id, model_runs.id AS model_run_id, model_runs.status, model_runs.reason, model_runs.detail,
  model_runs.rows_affected, model_runs.execution_ms, model_runs.content_hash, model_runs.data_version,
  runs.started_at, model_runs.completed_at, model_runs.error
FROM model_runs JOIN runs ON runs.id = model_runs.run_id JOIN models ON models.id = model_runs.model_id
WHERE models.path = {path} AND runs.environment = {environment}
ORDER BY model_runs.sequence DESC LIMIT {limit}
"""


@command("history")
@click.argument("model", required=False)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="N",
    help="How many, the latest first.",
)
def history(settings: Settings, *, model: str | None, limit: int) -> int:
    """Show past runs, or the runs of one model.

    Only the state is read: it answers also while the project is broken, and of models that are gone.
    """
    place = find_state(settings)
    mention_missing(place.path)
    if model is None:
        _show_runs(settings, place, limit)
    else:
        with closing(open_state_reader(place.path)) as state:
            path = find_path(
                model,
                [known.path for known in state.list_models()],
                unknown="the state knows no model or seed",
                otherwise="It knows a model once a run has seen it.",
            )
        _show_model_runs(settings, place, path, limit)
    return 0


def _show_runs(settings: Settings, place: StatePlace, limit: int) -> None:
    found = ask_state(place.path, _RUNS, {"environment": place.environment, "limit": limit})
    with explained(str(place.path)):
        runs = [_run_facts(run) for run in found]
        asked = [request_words(read_request(run["request"])) for run in found]
    columns = (
        Column("run"),
        Column("status"),
        Column("started"),
        Column("took", align="right"),
        Column("models", fit="wrap"),
        Column("asked", fit="wrap", dispensable=3),
        Column("orchestrator", dispensable=2),
        Column("error", fit="shorten", dispensable=1),
    )
    rows = [
        row(
            short(run["run_id"]),
            Cell(run["status"], _STATUS_STYLES[run["status"]]),
            moment(run["started_at"]),
            duration(run["duration_ms"]),
            ", ".join(f"{count:,} {name}" for name, count in run["models"].items() if count),
            words,
            short(run["orchestrator_run_id"]),
            run["error"] or "",
        )
        for run, words in zip(runs, asked, strict=True)
    ]
    nothing = line(f"nothing has run in environment {place.environment} yet")
    facts = {"environment": place.environment, "runs": runs}
    show(settings.output, [Table(columns, tuple(rows))] if rows else paragraph([nothing]), facts)


def _run_facts(run: Mapping[str, Any]) -> dict[str, Any]:
    started, completed = read_time(run["started_at"]), read_optional_time(run["completed_at"])
    return {
        "run_id": run["id"],
        "status": run["status"],
        "started_at": started,
        "completed_at": completed,
        "duration_ms": _milliseconds(started, completed),
        "models": {name: run[name] for name in _COUNTS},
        "request": None if run["request"] is None else read_config(run["request"]),
        "orchestrator_run_id": run["orchestrator_run_id"],
        "error": run["error"],
    }


def _show_model_runs(settings: Settings, place: StatePlace, path: str, limit: int) -> None:
    found = ask_state(place.path, _MODEL_RUNS, {"environment": place.environment, "path": path, "limit": limit})
    with explained(str(place.path)):
        runs = [_model_run_facts(each) for each in found]
    columns = (
        Column("run"),
        Column("started"),
        Column("status"),
        Column("reason"),
        Column("rows", align="right"),
        Column("time", align="right"),
        Column("content", dispensable=2),
        Column("data", dispensable=1),
        Column("error", fit="shorten", dispensable=3),
    )
    rows = [_model_run_row(each) for each in runs]
    facts = {"environment": place.environment, "path": path, "model_runs": runs}
    nothing = line(f"{path} has not run in environment {place.environment} yet")
    show(settings.output, [Table(columns, tuple(rows))] if rows else paragraph([nothing]), facts)


def _model_run_facts(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **found,
        "started_at": read_time(found["started_at"]),
        "completed_at": read_optional_time(found["completed_at"]),
    }


def _model_run_row(found: Mapping[str, Any]) -> tuple[Cell, ...]:
    return row(
        short(found["run_id"]),
        moment(found["started_at"]),
        Cell(found["status"], _STATUS_STYLES[found["status"]]),
        reason_words(found["reason"] or ""),
        number(found["rows_affected"]),
        duration(found["execution_ms"]),
        short(found["content_hash"]),
        short(found["data_version"]),
        found["error"] or "",
    )


def _milliseconds(started: datetime, completed: datetime | None) -> int | None:
    return None if completed is None else round((completed - started).total_seconds() * 1000)
