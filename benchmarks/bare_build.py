"""The least that a full build takes: the same statements, given to DuckDB one after the other, each committed.

`python -m benchmarks.bare_build write STATEMENTS` writes the statements of the project in this folder;
`python -m benchmarks.bare_build run STATEMENTS DATABASE` runs them on a new database.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import duckdb


def write(statements: Path) -> None:
    """Write what a first build of the project in this folder says to DuckDB, tests and all else aside."""
    from leapsql_core import Model, open_session

    project = open_session(Path(), environ=os.environ).project
    models = [node for node in project.nodes.values() if isinstance(node, Model)]
    kinds = {model.path: "VIEW" if model.materialized == "view" else "TABLE" for model in models}
    made = [f'CREATE SCHEMA "{schema}"' for schema in sorted({model.relation.schema for model in models} - {"main"})]
    made += [f"CREATE {kinds[one.path]} {one.relation.sql} AS\n{one.query.resolved}" for one in models]
    statements.write_text(json.dumps(made), encoding="utf-8")


def run(statements: Path, database: Path) -> None:
    """Run the statements on a new database."""
    database.unlink(missing_ok=True)
    with duckdb.connect(str(database)) as connection:
        for statement in json.loads(statements.read_text(encoding="utf-8")):
            connection.execute(statement)


def main() -> None:
    """Do what the command line says."""
    if sys.argv[1] == "write":
        write(Path(sys.argv[2]))
    else:
        run(Path(sys.argv[2]), Path(sys.argv[3]))


if __name__ == "__main__":
    main()
