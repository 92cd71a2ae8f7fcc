"""The real queries that are measured: TPC-H's and the flights', built by a run and by the bare statements alike."""

from __future__ import annotations

import shutil
from contextlib import chdir
from pathlib import Path

import duckdb
import pytest

from benchmarks import flights, tpch
from benchmarks.bare_build import run as run_statements
from benchmarks.bare_build import write as write_statements
from benchmarks.generate import write_files
from benchmarks.measuring import Measured
from benchmarks.overhead import Subject, stream_rows
from leapsql_core import RunFinished, RunOptions, open_session, stream_session_run

SEEDS = flights.EXAMPLE / "seeds"
#: Tables of the shape of TPC-H's, a few hundred rows in all, so that joins find something.
TINY = """
CREATE TABLE region AS SELECT range AS r_regionkey, ['ASIA', 'AMERICA', 'EUROPE'][1 + range] AS r_name FROM range(3);
CREATE TABLE nation AS SELECT
    range AS n_nationkey, range % 3 AS n_regionkey,
    ['CANADA', 'BRAZIL', 'FRANCE', 'SAUDI ARABIA', 'JAPAN', 'GERMANY'][1 + range] AS n_name FROM range(6);
CREATE TABLE supplier AS SELECT
    range AS s_suppkey, 'Supplier ' || range AS s_name, 'street' AS s_address, range % 6 AS s_nationkey,
    '20-1' AS s_phone, range::DECIMAL(15, 2) AS s_acctbal,
    if(range = 4, 'Customer Complaints', '') AS s_comment FROM range(12);
CREATE TABLE customer AS SELECT
    range AS c_custkey, 'Customer ' || range AS c_name, 'street' AS c_address, range // 2 % 6 AS c_nationkey,
    ['13', '31', '40'][1 + range % 3] || '-1' AS c_phone, (range * 10)::DECIMAL(15, 2) AS c_acctbal,
    ['BUILDING', 'MACHINERY'][1 + range % 2] AS c_mktsegment, '' AS c_comment FROM range(30);
CREATE TABLE part AS SELECT
    range AS p_partkey, ['forest green', 'red'][1 + range % 2] AS p_name, 'maker' AS p_mfgr,
    ['Brand#12', 'Brand#23', 'Brand#34'][1 + range % 3] AS p_brand,
    ['PROMO BRASS', 'ECONOMY ANODIZED STEEL'][1 + range // 2 % 2] AS p_type,
    [3, 9, 15][1 + range % 3]::INTEGER AS p_size,
    ['SM BOX', 'MED BOX', 'LG BOX'][1 + range % 3] AS p_container FROM range(24);
CREATE TABLE partsupp AS SELECT
    p_partkey AS ps_partkey, s_suppkey AS ps_suppkey, 9000::INTEGER AS ps_availqty,
    (10 + s_suppkey)::DECIMAL(15, 2) AS ps_supplycost
FROM part, supplier WHERE p_partkey % 4 = s_suppkey % 4;
CREATE TABLE orders AS SELECT
    range AS o_orderkey, range % 20 AS o_custkey, ['F', 'O', 'P'][1 + range % 3] AS o_orderstatus,
    (1000 + range)::DECIMAL(15, 2) AS o_totalprice, DATE '1993-07-01' + (range * 7)::INTEGER AS o_orderdate,
    ['1-URGENT', '5-LOW'][1 + range % 2] AS o_orderpriority, 0::INTEGER AS o_shippriority, '' AS o_comment
FROM range(160);
CREATE TABLE lineitem AS SELECT
    o_orderkey AS l_orderkey, (o_orderkey * 5 + n.range * 6) % 24 AS l_partkey,
    (o_orderkey + n.range * 6) % 12 AS l_suppkey,
    (1 + o_orderkey % 40 + 70 * (o_orderkey % 20 = 0)::INTEGER)::DECIMAL(15, 2) AS l_quantity,
    (100 + o_orderkey)::DECIMAL(15, 2) AS l_extendedprice, 0.06::DECIMAL(15, 2) AS l_discount,
    0.02::DECIMAL(15, 2) AS l_tax,
    ['R', 'N'][1 + n.range % 2] AS l_returnflag, ['F', 'O'][1 + n.range % 2] AS l_linestatus,
    o_orderdate + 20 AS l_shipdate, o_orderdate + 30 AS l_commitdate,
    o_orderdate + if(n.range = 0, 40, 25) AS l_receiptdate,
    'DELIVER IN PERSON' AS l_shipinstruct, ['AIR', 'MAIL'][1 + o_orderkey % 2] AS l_shipmode
FROM orders, range(5) AS n;
"""


def build_both(folder: Path, data: Path) -> tuple[Path, Path]:
    """Build the project in `folder`, and its bare statements, each on a copy of `data`; return both databases."""
    built, bare = folder / ".leapsql" / "warehouse.duckdb", folder / "bare.duckdb"
    built.parent.mkdir()
    for place in (built, bare):
        shutil.copyfile(data, place)
    with chdir(folder):
        write_statements(folder / "statements.json")
        run_statements(folder / "statements.json", bare)
    *_, end = stream_session_run(open_session(folder, environ={}), RunOptions())
    assert isinstance(end, RunFinished)
    assert end.status == "completed"
    return built, bare


def rows_by_relation(database: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of every relation but the markers', in an order of their own."""
    with duckdb.connect(str(database), read_only=True) as connection:
        relations = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables"
            " WHERE table_schema <> '_leapsql' ORDER BY ALL"
        ).fetchall()
        return {
            f"{schema}.{name}": connection.execute(f'SELECT * FROM "{schema}"."{name}" ORDER BY ALL').fetchall()
            for schema, name in relations
        }


def test_every_query_of_tpch_builds_and_answers_as_the_bare_statement(tmp_path: Path) -> None:
    """On little data, in which each of them finds something."""
    with duckdb.connect(str(tmp_path / "data.duckdb")) as connection:
        connection.execute(TINY)
    folder = tmp_path / "project"
    write_files(folder, tpch.project_files(0.01))
    built, bare = build_both(folder, tmp_path / "data.duckdb")
    found = rows_by_relation(built)
    assert found == rows_by_relation(bare)
    assert [name for name in found if name.startswith("main.q")] == [f"main.q{n:02}" for n in range(1, 23)]
    assert [name for name, rows in found.items() if not rows] == []


def test_answers_other_than_the_specification_s_are_an_error(tmp_path: Path) -> None:
    """So that nothing is measured that is no TPC-H."""
    database = tmp_path / "answers.duckdb"
    with duckdb.connect(str(database)) as connection:
        for number, rows in enumerate(tpch.ROWS_AT_SCALE_1, start=1):
            connection.execute(f"CREATE TABLE q{number:02} AS SELECT 123141078.2283 AS revenue FROM range({rows})")
    tpch.check_answers(database)
    for change, said in (
        ("UPDATE q06 SET revenue = 1", "query 6 answered with 1.0000, not 123141078.2283"),
        ("DELETE FROM q16", "query 16 answered with 0 rows, not 18314"),
    ):
        with duckdb.connect(str(database)) as connection:
            connection.execute(change)
        with pytest.raises(ValueError, match=said):
            tpch.check_answers(database)


def test_the_flights_are_built_from_loaded_tables_without_tests(tmp_path: Path) -> None:
    """The example project's models, all of them, as the bare statements make them."""
    for file in sorted(SEEDS.glob("*.csv")):
        shortened = file.read_text(encoding="utf-8").splitlines(keepends=True)[:1500]
        (tmp_path / file.name).write_text("".join(shortened), encoding="utf-8")
    flights.load(tmp_path, tmp_path / "data.duckdb")
    folder = tmp_path / "project"
    files = flights.project_files(loaded=True)
    assert len(list((flights.EXAMPLE / "models").rglob("*.sql"))) == sum(name.startswith("models/") for name in files)
    assert not any("tests:" in text for text in files.values())
    write_files(folder, files)
    built, bare = build_both(folder, tmp_path / "data.duckdb")
    found, floor = rows_by_relation(built), rows_by_relation(bare)
    assert found.keys() == floor.keys()
    assert {name: len(rows) for name, rows in found.items()} == {name: len(rows) for name, rows in floor.items()}


def test_seeds_are_read_by_the_bare_statements_as_by_a_run(tmp_path: Path) -> None:
    """Columns, types and rows."""
    folder = tmp_path / "it's a project"
    files = {"seeds/days.csv": "day,n\n2026-01-01,1\n2026-01-02,02\n", "models/total.sql": "SELECT count(n) FROM days"}
    write_files(folder, {"leapsql.yaml": tpch.CONFIGURATION, **files})
    with duckdb.connect(str(tmp_path / "data.duckdb")):
        pass
    built, bare = build_both(folder, tmp_path / "data.duckdb")
    assert rows_by_relation(built) == rows_by_relation(bare)
    assert len(rows_by_relation(bare)["main.days"]) == 2


def test_overhead_is_what_a_run_takes_more_beside_what_it_may() -> None:
    """A twentieth of the bare statements' time, and five milliseconds a relation."""
    found = {"DuckDB alone": Measured(4.0, 5.0, 90.0), "`leapsql run`": Measured(4.25, 5.5, 120.0)}
    rows = [row[2:] for row in stream_rows(Subject("TPC-H", 22, {}), found)]
    assert rows == [
        ["DuckDB alone", "4.00", "5.00", "90", "", ""],
        ["`leapsql run`", "4.25", "5.50", "120", "+250 ms", "310 ms"],
    ]
