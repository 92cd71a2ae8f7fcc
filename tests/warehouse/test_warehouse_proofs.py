"""Proofs that two queries are one: what is proven holds on any rows, and what cannot be shown proves nothing."""

from __future__ import annotations

import pytest

from leapsql_core.models import Column, Relation
from leapsql_core.warehouses.duckdb.proofs import QueryProver

T, U = Relation("s", "t"), Relation("s", "u")
COLUMNS = {
    T: (Column("id", "INTEGER"), Column("k", "INTEGER"), Column("v", "DECIMAL(9,2)"), Column("name", "VARCHAR")),
    U: (Column("id", "INTEGER"), Column("w", "INTEGER")),
}

SAME = (
    ("select id from s.t", "select t.id from s.t t"),
    ("select x.id from s.t x where x.k = 1", "select y.id from s.t as y where y.k = 1"),
    ("with a as (select * from s.t) select id from a", "with b as (select * from s.t) select id from b"),
    (
        "with a as materialized (select id from s.t) select a.id from a join a as z on a.id = z.id",
        "with b as materialized (select id from s.t) select b.id from b join b as z on b.id = z.id",
    ),
    ("select k, count(*) from s.t group by k", "select k, count(*) from s.t group by 1"),
    ("select k, count(*) from s.t group by k", "select k, count(*) from s.t group by all"),
    ("select t.* from s.t join s.u on t.id = u.id", "select t.* from s.t inner join s.u on (u.id = t.id)"),
    ("select id from s.t where k <> 1", "select id from s.t where (k) != (1)"),
    ("select * exclude (k) from s.t", "select id, v, name from s.t"),
    ("from s.t", "select * from s.t"),
    (
        "with recursive r as (select 1 a union select a + 1 from r where a < 5) select a from r",
        "with recursive q as (select 1 a union select a + 1 from q where a < 5) select a from q",
    ),
    ("select cast(id as varchar) as x from s.t", "select id::varchar as x from s.t"),
    ('select "id" as id from "s"."t"', "select id from s.t"),
)

DIFFERENT = (
    ("select id from s.t", "select id from s.u"),
    ("select id from s.t", "select id as other from s.t"),
    ("select id from s.t", "select ID from s.t as t limit 1"),
    ("select id from s.t limit 1", "select id from s.t limit 2"),
    ("select id from s.t limit 10", "select id from s.t limit 10%"),
    ("select id from s.t order by k", "select id from s.t order by k desc"),
    ("select id from s.t order by k nulls first", "select id from s.t order by k nulls last"),
    ("select name from s.t order by name", "select name from s.t order by name collate nocase"),
    ("select 'a' as x from s.t", "select 'A' as x from s.t"),
    ("select 'a' as x from s.t", "select 'a' collate nocase as x from s.t"),
    ("select name as x from s.t", "select name collate nocase as x from s.t"),
    ("select 1 as x", "select 1.0 as x"),
    ("select 0.1::double as x", "select 0.10000000000000002::double as x"),
    ("select interval 1 month as x", "select interval 30 days as x"),
    ("select {'a': 1} as x", "select {'b': 1} as x"),
    (
        "select upper(alias(x)) as n from (select id as x from s.t)",
        "select upper(alias(y)) as n from (select id as y from s.t)",
    ),
    (
        "select 1 as n from s.t as x(q) where q.\"alias\"() = 'q'",
        "select 1 as n from s.t as x(r) where r.alias() = 'q'",
    ),
    ("select id from s.t union select id from s.u", "select id from s.t union all select id from s.u"),
    ("select distinct id from s.t", "select id from s.t"),
    ("select distinct on (k) id from s.t", "select distinct on (id) id from s.t"),
    ("select sum(id) as x from s.t", "select sum(distinct id) as x from s.t"),
    ("select sum(id) filter (k = 1) as x from s.t", "select sum(id) filter (k = 2) as x from s.t"),
    ("select list(id) as x from s.t", "select list(id order by id) as x from s.t"),
    ("select string_agg(name, ',') as x from s.t", "select string_agg(name, ';') as x from s.t"),
    ("select quantile_cont(id, 0.5) as x from s.t", "select quantile_cont(id, 0.6) as x from s.t"),
    (
        "select first(id) over (order by k) as x from s.t",
        "select first(id ignore nulls) over (order by k) as x from s.t",
    ),
    (
        "select max(id) over (order by k rows 1 preceding) as x from s.t",
        "select max(id) over (order by k) as x from s.t",
    ),
    ("select id from s.t using sample 10% (bernoulli, 1)", "select id from s.t using sample 10% (bernoulli, 2)"),
    ("select id from s.t left join s.u using (id)", "select id from s.t right join s.u using (id)"),
    ("select t.id from s.t left join s.u using (id)", "select u.id from s.t left join s.u using (id)"),
    ("select id from s.t semi join s.u using (id)", "select id from s.t anti join s.u using (id)"),
    ("select id from s.t where id in (from s.u select w)", "select id from s.t where id not in (from s.u select w)"),
    ("select count(*) as x from s.t", "select count(id) as x from s.t"),
    ("select id::varchar as x from s.t", "select try_cast(id as varchar) as x from s.t"),
    ("select t.id, u.id from s.t, s.u", "select u.id, t.id from s.t, s.u"),
    ("select id, k from s.t", "select k, id from s.t"),
    ("select * from range(3)", "select * from range(4)"),
    ("select regexp_replace(name, 'a', 'b') as x from s.t", "select regexp_replace(name, 'a', 'b', 'g') as x from s.t"),
)

#: What DuckDB answers with a document that tells of an error, or with none.
NOT_SHOWN = (
    ("pivot s.t on k using sum(id)", "pivot s.t on k using sum(v)"),
    ("select nothing from s.t", "select nothing_else from s.t"),
    ("select 1; select 2", "select 1; select 3"),
    ("select", "selec"),
    ("select * from read_csv('a.csv')", "select * from read_csv('b.csv')"),
    ("insert into s.t values (1)", "insert into s.t values (2)"),
    ("", " "),
    ("select '\ud800'", "select '\ud801'"),
)


@pytest.fixture(scope="module")
def prover() -> QueryProver:
    return QueryProver("shop", {"threads": 2, "TimeZone": "UTC"})


@pytest.mark.parametrize(("before", "now"), SAME)
def test_queries_that_are_one_are_proven_to_be(prover: QueryProver, before: str, now: str) -> None:
    """Aliases, names of CTEs, numbers in GROUP BY, sides of an ON and their like are seen through, both ways."""
    assert prover.same(before, now, COLUMNS)
    assert prover.same(now, before, COLUMNS)


@pytest.mark.parametrize(("before", "now"), DIFFERENT)
def test_queries_that_differ_are_told_apart(prover: QueryProver, before: str, now: str) -> None:
    """Nothing that can change an answer, the names of its columns included, is lost on the way."""
    assert not prover.same(before, now, COLUMNS)
    assert not prover.same(now, before, COLUMNS)
    assert prover.same(before, before + "\n", COLUMNS)


@pytest.mark.parametrize(("before", "now"), NOT_SHOWN)
def test_what_duckdb_cannot_show_proves_nothing(prover: QueryProver, before: str, now: str) -> None:
    """Two error documents are equal, and no proof; and a refused question spoils none that comes after it."""
    assert not prover.same(before, now, COLUMNS)
    assert prover.same(*SAME[0], COLUMNS)


def test_a_proof_holds_for_the_columns_that_it_was_made_with(prover: QueryProver) -> None:
    """`w` means the column of the outer query until the inner table has one of that name."""
    before = "select id from s.u where exists (select 1 from s.t where t.id = u.w)"
    now = "select id from s.u where exists (select 1 from s.t where t.id = w)"
    assert prover.same(before, now, COLUMNS)
    assert not prover.same(before, now, {**COLUMNS, T: (*COLUMNS[T], Column("w", "INTEGER"))})


def test_types_and_collations_of_inputs_decide(prover: QueryProver) -> None:
    """A cast is nothing where it changes no type; and where a collation may take part, plans prove nothing."""
    pair = ("select id from s.t where k = 1", "select id from s.t where k::integer = 1")
    assert prover.same(*pair, COLUMNS)
    wide = {T: (Column("id", "INTEGER"), Column("k", "BIGINT"))}
    assert not prover.same(*pair, wide)
    alias = ("select name from s.t where name = 'a'", "select x.name from s.t as x where name = 'a'")
    assert prover.same(*alias, {T: (Column("name", "VARCHAR"),)})
    assert not prover.same(*alias, {T: (Column("name", "VARCHAR COLLATE nocase"),)})
    assert not prover.same(*alias, {T: (Column("name", "VARCHAR"), Column("n", 'STRUCT("a" VARCHAR) COLLATE nocase'))})
    assert not QueryProver("shop", {"default_collation": "nocase"}).same(*alias, {T: (Column("name", "VARCHAR"),)})


def test_inputs_may_bear_the_catalog_of_the_target(prover: QueryProver) -> None:
    """Resolved text names a catalog where the schema alone would be ambiguous."""
    inputs = {Relation("shop", "t", "shop"): (Column("id", "INTEGER"),)}
    assert prover.same('select id from "shop"."shop"."t"', 'select x.id from "shop"."shop"."t" as x', inputs)


@pytest.mark.parametrize(("setting", "value"), [("default_order", "DESC"), ("default_null_order", "nulls_first")])
def test_settings_of_the_target_decide(prover: QueryProver, setting: str, value: str) -> None:
    """What an ORDER BY means is a setting; a proof is made with the target's own."""
    pair = ("select id from s.t order by id", f"select id from s.t order by id {value.replace('_', ' ')}")
    assert not prover.same(*pair, COLUMNS)
    assert QueryProver("shop", {setting: value}).same(*pair, COLUMNS)


def test_no_file_is_opened_and_nothing_of_the_process_is_seen(prover: QueryProver, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """A proof reads what it is given, and nothing else."""
    (tmp_path / "rows.csv").write_text("id\n1\n")
    pair = (f"select id from '{tmp_path}/rows.csv'", f"select x.id from '{tmp_path}/rows.csv' as x")
    assert not prover.same(*pair, COLUMNS)


def test_a_closed_prover_opens_anew(prover: QueryProver) -> None:
    """Closing twice is fine; the next question makes a new scratch database."""
    prover.close()
    prover.close()
    assert prover.same(*SAME[0], COLUMNS)
