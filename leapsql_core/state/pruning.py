"""Forgetting old runs, with all that nothing refers to any more; what decisions and their reasons rest on stays."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from leapsql_core.state.connection import connect_to_file, explained, is_file, prepare_for_writing, transaction
from leapsql_core.state.migrations import check_current, in_memory, read_version, upgrade
from leapsql_core.state.notation import write_time
from leapsql_core.state.reader import reading_file
from leapsql_core.state.refusals import no_state
from leapsql_core.state.schema import MIGRATIONS, Migration

_COUNTS = """
    SELECT (SELECT count(*) FROM runs) AS runs, (SELECT count(*) FROM model_runs) AS model_runs,
      (SELECT count(*) FROM traces) AS traces, (SELECT count(*) FROM models) AS models,
      (SELECT count(*) FROM code_versions) AS code_versions, (SELECT count(*) FROM texts) AS texts
"""

_OLD_RUNS = """
    INSERT INTO temp.old_runs SELECT id FROM (
      SELECT id, status, started_at,
        row_number() OVER (PARTITION BY environment ORDER BY started_at DESC, rowid DESC) AS place
      FROM runs
    )
    WHERE status <> 'running'
      AND (:before IS NULL OR started_at < :before) AND (:latest IS NULL OR place > :latest)
"""

# What the current traces were built for, and what failed since: plans count it, and explanations tell of it.
_NEEDED = """
    INSERT INTO temp.needed
    SELECT model_runs.id FROM current_traces JOIN model_runs ON model_runs.id = current_traces.model_run_id
    UNION
    SELECT model_runs.id FROM model_runs
    JOIN runs ON runs.id = model_runs.run_id
    JOIN models ON models.id = model_runs.model_id AND models.path IN (SELECT value FROM json_each(:paths))
    LEFT JOIN current_traces AS now ON now.environment = runs.environment AND now.model_id = models.id
    LEFT JOIN traces ON traces.model_run_id = now.model_run_id
    WHERE model_runs.status = 'failed' AND model_runs.sequence > coalesce(traces.sequence, 0)
"""

# A run that is running has registered models that it has not recorded model runs of yet.
_MODELS = """
    DELETE FROM models WHERE path NOT IN (SELECT value FROM json_each(:paths))
      AND id NOT IN (SELECT model_id FROM traces UNION SELECT model_id FROM model_runs)
      AND NOT EXISTS (SELECT 1 FROM runs WHERE status = 'running')
"""

_STEPS = (
    "CREATE TABLE temp.old_runs (id TEXT PRIMARY KEY)",
    _OLD_RUNS,
    "CREATE TABLE temp.needed (id TEXT PRIMARY KEY)",
    _NEEDED,
    "DELETE FROM model_runs WHERE run_id IN (SELECT id FROM old_runs) AND id NOT IN (SELECT id FROM needed)",
    "DELETE FROM runs WHERE id IN (SELECT id FROM old_runs) AND id NOT IN (SELECT run_id FROM model_runs)",
    _MODELS,
    """
    DELETE FROM dependencies
    WHERE model_id NOT IN (SELECT id FROM models) OR parent_id NOT IN (SELECT id FROM models)
    """,
    "DELETE FROM column_lineage WHERE model_path NOT IN (SELECT path FROM models)",
    """
    DELETE FROM code_versions WHERE content_hash NOT IN (
      SELECT content_hash FROM traces UNION SELECT code_version FROM traces UNION SELECT content_hash FROM models
      UNION SELECT content_hash FROM model_runs WHERE content_hash IS NOT NULL
    )
    """,
    """
    DELETE FROM texts WHERE hash NOT IN (
      SELECT query_hash FROM traces
      UNION SELECT incremental_query_hash FROM traces WHERE incremental_query_hash IS NOT NULL
    )
    """,
)


@dataclass(frozen=True, slots=True)
class Retention:
    """Which runs are to be forgotten: those that began before a moment, those beyond the latest of each environment.

    Where both are set, those of which both is true.
    """

    before: datetime | None = None
    latest: int | None = None


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows of each table went, and by how many bytes the file is smaller.

    ``runs_held`` are old runs that stay, with those of their model runs alone that something still rests on.
    """

    runs: int
    model_runs: int
    traces: int
    models: int
    code_versions: int
    texts: int
    runs_held: int
    bytes_freed: int

    @property
    def rows(self) -> int:
        """How many rows went in all."""
        return self.runs + self.model_runs + self.traces + self.models + self.code_versions + self.texts


def prune(
    path: Path, retention: Retention, *, paths: Collection[str], migrations: Sequence[Migration] = MIGRATIONS
) -> Pruned:
    """Forget old runs of the state at `path`; `paths` are the models that the project has.

    Running runs stay, current traces with the model runs that made them, what failed since, and texts and versions of
    code that anything left refers to. It is one transaction; then the file is made as small as it can be.

    Raises:
        StateError: there is no state, it is newer than this LeapSQL, or cannot be written.
    """
    place = str(path)
    if not is_file(path):
        raise no_state(place)
    with explained(place), closing(connect_to_file(path)) as connection:
        if read_version(connection, place, migrations) == 0:
            raise no_state(place)
        prepare_for_writing(connection)
        upgrade(connection, place, path=path, migrations=migrations)
        before = _size(connection)
        with transaction(connection, write=True):
            check_current(connection, place, migrations)
            gone = _forget(connection, retention, paths)
        connection.execute("VACUUM")
        # Who reads just now keeps the log as long as it is; waiting for that would gain nothing.
        connection.execute("PRAGMA busy_timeout = 0")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return Pruned(**gone, bytes_freed=max(0, before - _size(connection)))


def foresee(
    path: Path, retention: Retention, *, paths: Collection[str], migrations: Sequence[Migration] = MIGRATIONS
) -> Pruned:
    """Return what `prune` would do; it is tried on a copy in memory, and nothing is written.

    Raises:
        StateError: there is no state, or it cannot be read.
    """
    if not is_file(path):
        raise no_state(str(path))
    with reading_file(path, migrations=migrations) as connection, closing(in_memory(connection, migrations)) as copy:
        before = _size(copy)
        gone = _forget(copy, retention, paths)
        copy.execute("VACUUM")
        return Pruned(**gone, bytes_freed=max(0, before - _size(copy)))


def _forget(connection: sqlite3.Connection, retention: Retention, paths: Collection[str]) -> dict[str, int]:
    values = {
        "before": None if retention.before is None else write_time(retention.before),
        "latest": retention.latest,
        "paths": json.dumps(sorted(paths)),
    }
    before = _counts(connection)
    for step in _STEPS:
        connection.execute(step, values)
    after = _counts(connection)
    held = connection.execute("SELECT count(*) FROM old_runs WHERE id IN (SELECT id FROM runs)").fetchone()[0]
    connection.execute("DROP TABLE temp.old_runs")
    connection.execute("DROP TABLE temp.needed")
    return {table: before[table] - after[table] for table in before} | {"runs_held": held}


def _counts(connection: sqlite3.Connection) -> dict[str, int]:
    (counts,) = connection.execute(_COUNTS)
    return dict(counts)


def _size(connection: sqlite3.Connection) -> int:
    pages, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    return int(pages) * int(size)
