"""The 22 queries of TPC-H, with the parameters of its validation runs, as the models of a project.

The data is made on this machine, as Parquet files, by `tpchgen-cli` (Apache License 2.0), which `make bench-peers`
installs from PyPI. DuckDB reads them without an extension; its own `tpch`, which would be downloaded, is not used.
What is measured is no result of the TPC's benchmark: only the queries and the shape of the data are.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from benchmarks.pages import tell

CONFIGURATION: Final = "name: tpch\ntarget: {type: duckdb, database: .leapsql/warehouse.duckdb}\n"
MODELS: Final = Path(__file__).parent / "models"
#: The tables, each with the column by which it is versioned as a source.
KEYS: Final = {
    "customer": "c_custkey",
    "lineitem": "l_orderkey",
    "nation": "n_nationkey",
    "orders": "o_orderkey",
    "part": "p_partkey",
    "partsupp": "ps_partkey",
    "region": "r_regionkey",
    "supplier": "s_suppkey",
}
#: How many rows the queries answer with at scale 1, by the specification's own answers.
ROWS_AT_SCALE_1: Final = (4, 100, 10, 5, 5, 1, 4, 2, 175, 20, 1048, 2, 42, 1, 1, 18314, 1, 57, 1, 186, 100, 7)


def project_files(scale: float) -> dict[str, str]:
    """Return the texts of the project by their paths in its folder."""
    sources = "\n".join(f"  {table}: {{version: column, column: {key}}}" for table, key in KEYS.items())
    configuration = f"{CONFIGURATION}vars: {{notable: '{0.0001 / scale:.10f}'}}\nsources:\n{sources}\n"
    models = {f"models/{file.name}": file.read_text(encoding="utf-8") for file in sorted(MODELS.glob("*.sql"))}
    return {"leapsql.yaml": configuration, **models}


def load(program: Path, scale: float, database: Path) -> None:
    """Make the data at a scale, and load it into tables of a new database.

    Raises:
        subprocess.CalledProcessError: the data could not be made.
    """
    folder = database.parent / "parquet"
    tell(f"TPC-H: making the data at scale {scale:g}")
    command = [str(program), "parquet", "--scale-factor", f"{scale:g}", "--output-dir", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    import duckdb

    with duckdb.connect(str(database)) as connection:
        for table in KEYS:
            file = folder / f"{table}.parquet"
            connection.execute(f"CREATE TABLE {table} AS FROM read_parquet('{file}')")
            file.unlink()


def check_answers(database: Path) -> None:
    """Compare what was built at scale 1 with the specification's answers.

    Raises:
        ValueError: a query answered with another number of rows, or the sixth with another sum.
    """
    import duckdb

    with duckdb.connect(str(database), read_only=True) as connection:
        for number, expected in enumerate(ROWS_AT_SCALE_1, start=1):
            found = connection.execute(f"SELECT count(*) FROM q{number:02}").fetchall()[0][0]
            if found != expected:
                raise ValueError(f"TPC-H: query {number} answered with {found} rows, not {expected}")
        revenue = str(connection.execute("SELECT revenue FROM q06").fetchall()[0][0])
        if revenue != "123141078.2283":
            raise ValueError(f"TPC-H: query 6 answered with {revenue}, not 123141078.2283")
