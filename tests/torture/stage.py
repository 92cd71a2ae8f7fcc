"""A project on disk with every kind of model, whose sources move on from tick to tick; and a look at what stands."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from tests.torture.processes import Ended, Fate, Launcher

#: By model; `appended` alone could not tell from its rows that a batch was applied already.
MODELS = {
    "batch": "materialized: view|select k, part, t, v, day from raw.batch",
    "appended": "materialized: incremental\nincremental: {strategy: append}|select k, t, v from batch",
    "replaced": (
        "materialized: incremental\nunique_key: [k, part]\nincremental: {strategy: delete+insert}"
        "|select k, part, t, v from batch"
    ),
    "merged": (
        "materialized: incremental\nunique_key: k\nincremental: {strategy: merge}"
        "\ntests: [unique: k, not_null: [k, v]]|select k, max(t) as t, sum(v) as v from batch group by k"
    ),
    "windowed": (
        "materialized: incremental\nincremental: {strategy: time_column, time_column: day}"
        "|select day, k, t, v from batch"
    ),
    "totals": "tests: [unique: t]|select t, count(*) as n, sum(v) as v, {number} as said from appended group by t",
    "turning": "materialized: {kind}|select k, v + {number} as v from merged",
    "wide": "|select range as k, range % (select count(*) + 2 from appended) as v from range(20000)",
    "latest": "materialized: view|select max(t) as t, (select count(*) from turning) as n from totals",
}
APPENDED = "main.appended"
#: What an edit may change, as it is at first.
FIRST = {"kind": "table", "number": "0"}

CONFIGURATION = """name: stage
target: {type: duckdb, database: .leapsql/warehouse.duckdb, settings: {threads: 2}}
"""

_SOURCE = "CREATE OR REPLACE TABLE raw.batch (k INTEGER, part INTEGER, t INTEGER, v INTEGER, day DATE)"


@dataclass(frozen=True, slots=True)
class Holding:
    """What stands under a name: a table or a view, the columns and rows that it shows, and a view's own text."""

    kind: str
    columns: tuple[str, ...]
    rows: Counter[tuple[Any, ...]]
    text: str = ""

    @property
    def itself(self) -> Any:
        """What tells two builds apart: of a view its text, for what it shows moves with what it reads."""
        return (self.kind, self.columns, self.text if self.kind == "view" else self.rows)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a warehouse holds: relations by name, and the builds that it knows of by the ids of their model runs."""

    holdings: Mapping[str, Holding] = field(default_factory=dict)
    builds: frozenset[str] = frozenset()


class Stage:
    """The project in a folder of its own, run by real processes."""

    def __init__(self, root: Path, launcher: Launcher) -> None:
        self.root = root
        self._launcher = launcher
        self.database = root / ".leapsql" / "warehouse.duckdb"
        self.state = root / ".leapsql" / "state.db"
        self.database.parent.mkdir(parents=True)
        (root / "models").mkdir()
        (root / "leapsql.yaml").write_text(CONFIGURATION)
        self.edit(FIRST)
        self.feed([])

    def edit(self, says: Mapping[str, str]) -> None:
        """Write all models anew, with these words in their places."""
        for name, text in MODELS.items():
            for place, word in says.items():
                text = text.replace(f"{{{place}}}", word)
            frontmatter, _, query = text.partition("|")
            (self.root / "models" / f"{name}.sql").write_text(f"/*---\n{frontmatter}\n---*/\n{query}\n")

    def feed(self, rows: list[tuple[Any, ...]]) -> None:
        """Replace what the source holds by the rows of a new tick."""
        with closing(duckdb.connect(str(self.database))) as connection:
            connection.execute("CREATE SCHEMA IF NOT EXISTS raw")
            connection.execute(_SOURCE)
            if rows:
                connection.executemany("INSERT INTO raw.batch VALUES (?, ?, ?, ?, ?)", rows)

    def run(self, *words: str, fate: Fate = Fate()) -> Ended:  # noqa: B008 - frozen
        """Run `leapsql run` in a process of its own."""
        return self._launcher.run("-C", str(self.root), "run", "--threads", "3", "--wait", "5", *words, fate=fate)

    def look(self) -> Standing:
        """Look at the warehouse, as another program would."""
        with closing(duckdb.connect(str(self.database), read_only=True)) as connection:
            return look_at(connection)

    def ask(self, question: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask the state, as plain SQLite does."""
        if not self.state.exists():
            return []
        with closing(sqlite3.connect(f"{self.state.as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute(question, parameters).fetchall()


def look_at(connection: duckdb.DuckDBPyConnection) -> Standing:
    """Return what a warehouse holds at one moment."""
    connection.execute("BEGIN TRANSACTION")
    try:
        views = dict(connection.execute("SELECT view_name, sql FROM duckdb_views() WHERE NOT internal").fetchall())
        tables = connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE schema_name NOT IN ('raw', '_leapsql')"
        ).fetchall()
        names = sorted([("main", name, "view") for name in views] + [(*name, "table") for name in tables])
        return Standing(
            {f"{schema}.{name}": _hold(connection, schema, name, kind, views) for schema, name, kind in names},
            _builds(connection),
        )
    finally:
        connection.execute("ROLLBACK")


def _hold(
    connection: duckdb.DuckDBPyConnection, schema: str, name: str, kind: str, views: Mapping[str, str]
) -> Holding:
    found = connection.execute(f'SELECT * FROM "{schema}"."{name}"')
    columns = tuple(column[0] for column in found.description or ())
    return Holding(kind, columns, Counter(found.fetchall()), views.get(name, ""))


def _builds(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    known = connection.execute("SELECT 1 FROM duckdb_tables() WHERE schema_name = '_leapsql'").fetchone()
    if not known:
        return frozenset()
    return frozenset(id_ for (id_,) in connection.execute("SELECT model_run_id FROM _leapsql.markers").fetchall())
