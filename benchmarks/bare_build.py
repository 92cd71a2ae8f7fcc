"""The least that a full build takes: the same statements, given to DuckDB one after the other, each committed.

`python -m benchmarks.bare_build write STATEMENTS` writes the statements of the project in this folder;
`python -m benchmarks.bare_build run STATEMENTS DATABASE` runs them on a new database, and `add` in place of `run` on
one that holds what they read.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import duckdb


def write(statements: Path) -> None:
    """Write what a first build of the project in this folder says to DuckDB, tests and all else aside."""
    from leapsql_core import Model, Seed, open_session

    nodes = open_session(Path(), environ=os.environ).project.nodes.values()
    models = [node for node in nodes if isinstance(node, Model)]
    seeds = [node for node in nodes if isinstance(node, Seed)]
    kinds = {model.path: "VIEW" if model.materialized == "view" else "TABLE" for model in models}
    relations = [*(one.relation for one in models), *(one.relation for one in seeds)]
    schemas = sorted({relation.schema for relation in relations} - {"main"})
    made = [f'CREATE SCHEMA "{schema}"' for schema in schemas]
    made += [f"CREATE TABLE {one.relation.sql} AS\n{_rows_of(one.file)}" for one in seeds]
    made += [f"CREATE {kinds[one.path]} {one.relation.sql} AS\n{one.query.resolved}" for one in models]
    statements.write_text(json.dumps(made), encoding="utf-8")


def _rows_of(seed: str) -> str:
    """Return the query that reads the file of a seed, as a run words it."""
    from leapsql_core.warehouses.duckdb.csv_files import READ_SEED

    file = str(Path(seed).absolute()).replace("'", "''")
    return READ_SEED.replace("?", f"'{file}'", 1)


def run(statements: Path, database: Path) -> None:
    """Run the statements on a database, which is made if it is not there."""
    with duckdb.connect(str(database)) as connection:
        for statement in json.loads(statements.read_text(encoding="utf-8")):
            connection.execute(statement)


def main() -> None:
    """Do what the command line says."""
    what, statements, *database = sys.argv[1:]
    if what == "write":
        write(Path(statements))
        return
    if what == "run":
        Path(*database).unlink(missing_ok=True)
    run(Path(statements), Path(*database))


if __name__ == "__main__":
    main()
