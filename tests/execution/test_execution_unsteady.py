"""Queries that are no functions of their inputs: sums of floats, ties. What comes out otherwise counts as changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from projects import Lab

Make = Callable[..., Lab]

FLOATS = "(1e16::double, 1), (1.0, 1), (-1e16, 1), (1.0, 2)"
ORDERS = ("id", "id desc", "abs(x), id")

QUERIES = {
    "a sum of floats": "select sum(x) as answer, 1 as other from raw.numbers",
    "ties in row_number": "select id, row_number() over (order by kind) as answer, 1 as other from raw.numbers",
    "ties in lag": "select id, lag(x) over (order by kind) as answer, 1 as other from raw.numbers",
    "ties before a limit": "select id as answer, 1 as other from raw.numbers order by kind limit 2",
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_an_answer_that_comes_out_otherwise_builds_who_reads_it(make_lab: Make, query: str) -> None:
    """Nobody builds for rows in another order; but where such a model is built, its readers see what became of it."""
    lab = make_lab(
        {
            "leapsql.yaml": "target: {type: duckdb, database: ':memory:', settings: {threads: 1}}",
            "models/unsteady.sql": query,
            "models/reader.sql": "select * exclude (other) from unsteady",
            "models/bystander.sql": "select other from unsteady",
        },
        parallel=1,
    )
    rows = f"create table raw.numbers as select row_number() over () as id, * from (values {FLOATS}) as v(x, kind)"
    lab.sql("create schema raw", rows)
    assert lab.run().status == "completed"
    seen = set()
    for order in ORDERS:
        lab.sql(f"create or replace table raw.numbers as from raw.numbers order by {order}")
        assert lab.run().built == set()
        before = lab.contents(["unsteady"])
        outcome = lab.run("unsteady", force=True)
        assert outcome.status == "completed"
        moved = lab.contents(["unsteady"]) != before
        assert lab.run().built == ({"reader"} if moved else set())
        lab.assert_as_from_scratch()
        seen.add(moved)
    assert True in seen


@pytest.mark.parametrize(
    "query", ["select sum(x) as x from raw.many", "select n, row_number() over (order by n % 7) as x from raw.many"]
)
def test_what_threads_make_of_it_is_no_error(make_lab: Make, query: str) -> None:
    """However often it is built, and whatever comes out: the run is completed, and readers are built if it moved."""
    lab = make_lab({"models/unsteady.sql": query, "models/reader.sql": "from unsteady"})
    lab.sql("create schema raw", "create table raw.many as select n, 1 / (n + 1) as x from range(300000) as r(n)")
    lab.run()
    for _ in range(4):
        before = lab.contents(["unsteady"])
        assert lab.run("unsteady", force=True).status == "completed"
        moved = lab.contents(["unsteady"]) != before
        assert lab.run().built == ({"reader"} if moved else set())
    assert lab.run().built == set()
