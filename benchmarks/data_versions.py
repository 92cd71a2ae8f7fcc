"""What data versions add to a build: a table of mixed types, with three readers, built with versions and without.

`python -m benchmarks.data_versions --rows 5000000 --rounds 5`
"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from contextlib import closing
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
    (range * 7919 % 1_000_003)::DECIMAL(12, 2) / 100 AS amount,
    sqrt(range * 31 % 4099) AS price,
    ['new', 'paid', 'packed', 'sent', 'returned'][1 + range % 5] AS status
FROM range({rows})
"""
#: What is built: the rows as they are, the least that a build can do, and with some work on them, as most models do.
QUERIES: Final[Mapping[str, str]] = {
    "taken over as they are": f"SELECT * FROM {_SOURCE.sql}",
    "computed and joined": f"""
        SELECT
            o.id,
            o.customer,
            o.day,
            (o.amount * (1 + o.id % 3 * 0.07))::DECIMAL(12, 2) AS amount,
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
}
_HEADER: Final = ("rows", "seconds without versions", "with versions", "added")


def build(warehouse: DuckDBWarehouse, query: str, *, with_versions: bool) -> float:
    """Build the table once, as a run does, and return the seconds that it took."""
    began = time.perf_counter()
    with warehouse.transaction() as transaction:
        transaction.replace_table(_BUILT, query, existing="table")
        if with_versions:
            transaction.data_versions(_BUILT, COLUMN_SETS)
    return time.perf_counter() - began


def measure(query: str, *, rows: int, rounds: int) -> tuple[float, float, float]:
    """Build without versions and with them in turn, A B A B.

    Return the median seconds of each, and the median of what the second took more than the first, pair by pair, as
    part of the first.
    """
    with TemporaryDirectory(prefix="leapsql-bench-") as made:
        database = str(Path(made, "warehouse.duckdb"))
        with duckdb.connect(database) as connection:
            connection.execute(f"CREATE TABLE {_SOURCE.sql} AS {_ROWS.format(rows=rows)}")
        with closing(DuckDBWarehouse.open(database, {}, read_only=False, waiting=Waiting())) as warehouse:
            return _medians_in_turn(lambda on: build(warehouse, query, with_versions=on), rounds)


def _medians_in_turn(once: Callable[[bool], float], rounds: int) -> tuple[float, float, float]:
    once(True)
    taken = [(once(False), once(True)) for _ in range(rounds)]
    added = median((longer - shorter) / shorter for shorter, longer in taken)
    return median(shorter for shorter, _ in taken), median(longer for _, longer in taken), added


def report(rows: int, rounds: int) -> str:
    """Measure each query on so many rows, and return a table."""
    lines = []
    for name, query in QUERIES.items():
        tell(f"{rows:,} rows, {name}")
        without, with_versions, added = measure(query, rows=rows, rounds=rounds)
        lines.append([name, f"{without:.2f}", f"{with_versions:.2f}", f"{100 * added:+.1f} %"])
    told = f"{rows:,} rows, six columns, three readers: medians of {rounds}, in turn. {machine()}."
    return f"{told}\n\n{markdown_table(_HEADER, lines)}"


def parser() -> ArgumentParser:
    """Return what the command line is read with."""
    made = new_parser("data_versions", __doc__)
    made.add_argument("--rows", type=int, default=5_000_000)
    made.add_argument("--rounds", type=int, default=5)
    return made


def main() -> None:
    """Measure, and print a table."""
    given = parser().parse_args()
    print(report(given.rows, given.rounds))


if __name__ == "__main__":
    main()
