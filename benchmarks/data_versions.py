"""What data versions add to a build: a table of mixed types, with three readers, built with versions and without.

Beside the seconds on the clock stand those of the processor, which tell the same when the machine has other work too.

`python -m benchmarks.data_versions --rows 5000000 --rounds 5`
"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

import duckdb

from benchmarks.pages import machine, markdown_table, new_parser, tell
from leapsql_core.models import ColumnSet, Relation
from leapsql_core.warehouses.duckdb.connection import Waiting
from leapsql_core.warehouses.duckdb.warehouse import DuckDBWarehouse

_SOURCE: Final = Relation("main", "raw_orders")
_BUILT: Final = Relation("main", "orders")
#: All columns, which are the table's own version, and what three readers read.
COLUMN_SETS: Final[tuple[ColumnSet, ...]] = (
    None,
    ("amount", "customer"),
    ("day", "status"),
    ("customer", "day", "price"),
)
_ROWS: Final = """
SELECT
    range AS id,
    (hash(range) % 100_000)::INTEGER AS customer,
    DATE '2020-01-01' + (range % 2000)::INTEGER AS day,
    (range * 7919 % 1_000_003 / 100)::DECIMAL(12, 2) AS amount,
    sqrt(range * 31 % 4099) AS price,
    ['new', 'paid', 'packed', 'sent', 'returned'][1 + range % 5] AS status
FROM range({rows})
"""
#: What is built: with the work that most models do, first of all, then with less and less, down to a bare copy.
QUERIES: Final[Mapping[str, str]] = {
    "computed and joined": f"""
        SELECT
            o.id,
            o.customer,
            o.day,
            (o.amount * CASE o.id % 3 WHEN 0 THEN 1.19 ELSE 1.07 END)::DECIMAL(12, 2) AS amount,
            round(o.price * c.orders, 2) AS price,
            upper(o.status) AS status
        FROM {_SOURCE.sql} AS o
        JOIN (SELECT customer, count(*) AS orders FROM {_SOURCE.sql} GROUP BY customer) AS c USING (customer)
    """,
    "the latest of each": f"""
        SELECT * FROM {_SOURCE.sql} QUALIFY row_number() OVER (PARTITION BY id ORDER BY day DESC, price) = 1
    """,
    "texts taken apart": f"""
        SELECT
            split_part(line, ';', 1)::BIGINT AS id,
            split_part(line, ';', 2)::INTEGER AS customer,
            split_part(line, ';', 3)::DATE AS day,
            split_part(line, ';', 4)::DECIMAL(12, 2) AS amount,
            split_part(line, ';', 5)::DOUBLE AS price,
            split_part(line, ';', 6) AS status
        FROM (SELECT concat_ws(';', id, customer, day, amount, price, status) AS line FROM {_SOURCE.sql})
    """,
    "cast and rounded": f"""
        SELECT
            id,
            coalesce(customer, 0) AS customer,
            date_trunc('week', day)::DATE AS day,
            (amount * 1.19)::DECIMAL(12, 2) AS amount,
            round(price, 2) AS price,
            upper(status) AS status
        FROM {_SOURCE.sql}
    """,
    "copied as they are": f"SELECT * FROM {_SOURCE.sql}",
}
_OF_EACH: Final = ("seconds without versions", "with versions", "added")
_HEADER: Final = ("rows", *(f"{what} ({of})" for of in ("clock", "processor") for what in _OF_EACH))


@dataclass(frozen=True, slots=True)
class Cost:
    """What a build took, in seconds on the clock and of the processor, or what it took more, as parts of another."""

    clock: float
    processor: float


@dataclass(frozen=True, slots=True)
class Compared:
    """The median costs of builds without versions and with them, and of what each pair of builds differed by."""

    without: Cost
    with_versions: Cost
    added: Cost


def build(warehouse: DuckDBWarehouse, query: str, *, with_versions: bool) -> Cost:
    """Build the table once, as a run does, and return what it took."""
    clock, processor = time.perf_counter(), time.process_time()
    with warehouse.transaction() as transaction:
        transaction.replace_table(_BUILT, query, existing="table")
        if with_versions:
            transaction.data_versions(_BUILT, COLUMN_SETS)
    return Cost(time.perf_counter() - clock, time.process_time() - processor)


def measure(query: str, *, rows: int, rounds: int) -> Compared:
    """Build without versions and with them in turn, A B B A, and compare them pair by pair."""
    with TemporaryDirectory(prefix="leapsql-bench-") as made:
        database = str(Path(made, "warehouse.duckdb"))
        with duckdb.connect(database) as connection:
            connection.execute(f"CREATE TABLE {_SOURCE.sql} AS {_ROWS.format(rows=rows)}")
        with closing(DuckDBWarehouse.open(database, {}, read_only=False, waiting=Waiting())) as warehouse:
            return _compare_in_turn(lambda on: build(warehouse, query, with_versions=on), rounds)


def _compare_in_turn(once: Callable[[bool], Cost], rounds: int) -> Compared:
    once(True)
    pairs: list[tuple[Cost, Cost]] = []
    for turn in range(rounds):
        first = once(turn % 2 == 1)
        second = once(turn % 2 == 0)
        pairs.append((second, first) if turn % 2 else (first, second))
    added = [
        Cost(longer.clock / shorter.clock - 1, longer.processor / shorter.processor - 1) for shorter, longer in pairs
    ]
    return Compared(_median([pair[0] for pair in pairs]), _median([pair[1] for pair in pairs]), _median(added))


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(median(one.clock for one in costs), median(one.processor for one in costs))


def report(rows: int, rounds: int) -> str:
    """Measure each query on so many rows, and return a table."""
    lines = []
    for name, query in QUERIES.items():
        tell(f"{rows:,} rows, {name}")
        lines.append([name, *_cells(measure(query, rows=rows, rounds=rounds))])
    told = f"{rows:,} rows, six columns, three readers: medians of {rounds} pairs of builds, in turn. {machine()}."
    return f"{told}\n\n{markdown_table(_HEADER, lines)}"


def _cells(found: Compared) -> list[str]:
    clock = (found.without.clock, found.with_versions.clock, found.added.clock)
    processor = (found.without.processor, found.with_versions.processor, found.added.processor)
    return [
        cell
        for without, with_versions, added in (clock, processor)
        for cell in (f"{without:.2f}", f"{with_versions:.2f}", f"{100 * added:+.1f} %")
    ]


def parser() -> ArgumentParser:
    """Return what the command line is read with."""
    made = new_parser("data_versions", __doc__)
    made.add_argument("--rows", type=int, default=5_000_000)
    made.add_argument("--rounds", type=int, default=9)
    return made


def main() -> None:
    """Measure, and print a table."""
    given = parser().parse_args()
    print(report(given.rows, given.rounds))


if __name__ == "__main__":
    main()
