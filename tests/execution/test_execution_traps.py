"""A column that comes: whoever's answer it changes is built, and nobody else, be it a model's, a view's or a source's.

Readers that meet the same change stand in one project, so that each change happens once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from projects import Lab

Kind = Literal["model", "view", "source"]
KINDS: tuple[Kind, ...] = ("model", "view", "source")

RAW = (
    "create schema raw",
    "create table raw.t as select * from (values (1, 1, 10, 3), (2, 1, 20, 2), (3, 2, 30, 7), (3, 2, 30, 2))"
    " as v(id, kind, n, spare)",
    "create table raw.u as select * from (values (1, 1, 10, 3), (2, 2, 200, 9), (3, 3, 300, 15), (3, 2, 30, 25))"
    " as v(id, kind, m, spare)",
)
COLUMNS = {"t": ("id", "kind", "n"), "u": ("id", "kind", "m")}


@dataclass(frozen=True)
class Change:
    """Tables gain a column, each at a place among those that it has."""

    column: str
    places: tuple[tuple[str, int], ...]

    def query(self, table: str, *, then: bool) -> str:
        names = list(COLUMNS[table])
        for place in (place for gains, place in self.places if then and gains == table):
            names.insert(place, f"spare as {self.column}")
        return f"select {', '.join(names)} from raw.{table}"


def gain(column: str, **places: int) -> Change:
    return Change(column, tuple(places.items()))


LAST, FIRST, SECOND = gain("d", t=3), gain("d", t=0), gain("d", t=1)
BOTH, ASKEW, OTHER = gain("d", t=3, u=3), gain("d", t=1, u=3), gain("d", u=3)
SHARED, OWN_N, ROW, PREFIX = gain("m", t=3), gain("n", u=3), gain("t", t=3), gain("i2", t=3)


@dataclass(frozen=True)
class Trap:
    """A reader, what happens to its inputs, and whether its answer changes; `doubts` where it is built though not."""

    name: str
    change: Change
    query: str
    changes: bool
    doubts: tuple[Kind, ...] = ()

    @property
    def path(self) -> str:
        return "".join(c if c.isalnum() else "_" for c in self.name)


def changes(name: str, change: Change, query: str) -> Trap:
    return Trap(name, change, query, changes=True)


def stays(name: str, change: Change, query: str, *, doubts: tuple[Kind, ...] = ()) -> Trap:
    return Trap(name, change, query, changes=False, doubts=doubts)


TRAPS = [
    changes("DISTINCT star", LAST, "select distinct * from t"),
    changes("DISTINCT star counted", LAST, "select count(*) as k from (select distinct * from t)"),
    stays("DISTINCT of a name", LAST, "select count(*) as k from (select distinct id from t)"),
    changes("UNION of stars", BOTH, "select count(*) as k from (from t union from u)"),
    changes("INTERSECT of stars", BOTH, "select count(*) as k from (from t intersect from u)"),
    changes("EXCEPT of stars", BOTH, "select id from (from t except from u)"),
    changes("EXCEPT ALL of stars", BOTH, "select id from (from t except all from u)"),
    stays("UNION ALL of stars", BOTH, "select id, n from (from t union all from u)", doubts=("source",)),
    stays("UNION of names", BOTH, "select id, kind from t union select id, kind from u"),
    changes("UNION ALL BY NAME of stars", LAST, "from t union all by name from u"),
    stays("UNION ALL BY NAME of names", LAST, "select id from t union all by name select id, m from u"),
    changes("UNION ALL by place", ASKEW, "select id, n from (from t union all from u)"),
    changes("NATURAL JOIN gains a pair", SHARED, "select count(*) as k from t natural join u"),
    stays("NATURAL JOIN gains none", LAST, "select n, m from t natural join u", doubts=("source",)),
    changes("NATURAL JOIN of stars", LAST, "from t natural join u"),
    changes("USING of stars", LAST, "from t join u using (id)"),
    stays("USING of names", LAST, "select n, m from t join u using (id)"),
    changes("COLUMNS star", LAST, "select columns(*) from t"),
    changes("COLUMNS in an aggregate", LAST, "select max(columns(*)) from t"),
    changes("COLUMNS of a pattern", PREFIX, "select columns('^i') from t"),
    stays("COLUMNS of another pattern", LAST, "select columns('^i') from t", doubts=KINDS),
    changes("COLUMNS by a lambda", PREFIX, "select columns(lambda c: c[1] = 'i') from t"),
    changes("star LIKE", PREFIX, "select * like 'i%' from t"),
    changes("a whole row", LAST, "select t from t"),
    changes("whole rows counted", LAST, "select count(distinct t) as k from t"),
    changes("a whole row as JSON", LAST, "select to_json(t) as j from t"),
    changes("a whole row as text", LAST, "select t::varchar as s from t"),
    changes("a whole row unnested", LAST, "select unnest(t) from t"),
    changes("a row of a star", LAST, "select row(*columns(*))::varchar as r from t"),
    changes("a struct of a star", LAST, "select struct_pack(*columns(*)) as r from t"),
    changes("a column of the row's name", ROW, "select t from t"),
    stays("a whole row that is NULL", LAST, "select id from t where t is null", doubts=KINDS),
    changes("aliases by place", FIRST, "select a, b from t as x(a, b)"),
    changes("aliases by place in the middle", SECOND, "select a, b from t as x(a, b)"),
    stays("aliases by place before it", LAST, "select a, b from t as x(a, b)", doubts=KINDS),
    changes("aliases of a CTE by place", FIRST, "with x(a, b) as (from t) select a, b from x"),
    changes("ORDER BY a place", FIRST, "select id from (select * from t order by 1 limit 1)"),
    changes("captured in EXISTS", OWN_N, "select id from t where exists (from u where u.id = t.id and n > 9)"),
    changes("captured in a scalar query", OWN_N, "select id, (select min(m + n) from u where u.id = t.id) as x from t"),
    changes("captured in IN", OWN_N, "select id from t where id in (select u.id from u where n > 3)"),
    changes("captured in LATERAL", OWN_N, "select x.y from t, lateral (select n as y from u where u.id = t.id) as x"),
    stays("not captured", OTHER, "select id from t where exists (from u where u.id = t.id and n > 9)"),
    stays("qualified", OWN_N, "select id, (select max(t.n + m) from u where u.id = t.id) as x from t"),
    changes("an alias in WHERE", LAST, "select id, kind + 1 as d from t where d > 2"),
    changes("an alias in GROUP BY", LAST, "select 1 as d, count(*) as k from t group by d"),
    stays("an alias in HAVING", LAST, "select kind as d, max(n) as x from t group by kind having d > 1", doubts=KINDS),
    changes("an alias in QUALIFY", LAST, "select id, 9 as d from t qualify d > count(*) over ()"),
    changes("an alias in ORDER BY", LAST, "select id, -n as d from t order by d + 0, id limit 1"),
    changes("an alias in the list", LAST, "select n + 1 as d, d * 2 as e from t"),
    stays("an alias in DISTINCT ON", LAST, "select distinct on (d) 1 as d, id from t order by id", doubts=KINDS),
    changes("PIVOT", LAST, "pivot t on kind using sum(n)"),
    changes("PIVOT in FROM", LAST, "from t pivot (sum(n) for kind in (1, 2))"),
    changes("UNPIVOT", LAST, "unpivot t on kind, n into name k value v"),
    changes("UNPIVOT of COLUMNS", LAST, "unpivot t on columns(* exclude (id)) into name k value v"),
    changes("star EXCLUDE", LAST, "select * exclude (n) from t"),
    changes("star REPLACE", LAST, "select * replace (n + 1 as n) from t"),
    changes("star RENAME", LAST, "select * rename (n as nn) from t"),
    changes("REPLACE", OWN_N, "select id from t where exists (select * replace (n as m) from u where n > 25)"),
    stays("star EXCLUDE of which a name is read", LAST, "select id from (select * exclude (n) from t)"),
    changes("GROUP BY ALL of a star", LAST, "select *, count(*) as k from t group by all"),
    stays("GROUP BY ALL of a name", LAST, "select kind, count(*) as k from t group by all"),
    changes("ORDER BY ALL of a star", FIRST, "select id from (select * from t order by all limit 1)"),
    stays("ORDER BY ALL of names", FIRST, "select id, n from t order by all limit 1"),
    changes("DESCRIBE", LAST, "select count(*) as k from (describe t)"),
    changes("SUMMARIZE", LAST, "select column_name from (summarize t)"),
    changes("query_table", LAST, "from query_table('t')"),
    stays("the number of rows", LAST, "select count(*) as k from t"),
]  # fmt: skip

VIEW = "/*---\nmaterialized: view\n---*/\n"


@dataclass(frozen=True)
class Happened:
    """What became of the readers: their contents before and after, as from scratch, and which were built."""

    before: dict[str, Any]
    after: dict[str, Any]
    scratch: dict[str, Any]
    built: set[str]
    again: list[str]


def files_of(change: Change, kind: Kind, *, then: bool) -> dict[str, str]:
    """Return the files of a project of all readers that meet a change; sources are in none."""
    files = {f"models/{trap.path}.sql": trap.query for trap in TRAPS if trap.change == change}
    for table in COLUMNS if kind != "source" else ():
        stem = table if kind == "model" else f"stem_{table}"
        files[f"models/{stem}.sql"] = change.query(table, then=then)
        if kind == "view":
            files[f"models/{table}.sql"] = f"{VIEW}from {stem}"
    return files


def sources_of(change: Change, *, then: bool) -> list[str]:
    return [f"create or replace table {table} as {change.query(table, then=then)}" for table in COLUMNS]


@pytest.fixture(scope="module")
def happened(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Change, Kind], Happened]:
    """Let a change happen to all its readers, once, and tell what came of it."""
    known: dict[tuple[Change, Kind], Happened] = {}

    def tell(change: Change, kind: Kind) -> Happened:
        if (change, kind) not in known:
            known[change, kind] = happen(change, kind, tmp_path_factory.mktemp("lab"))
        return known[change, kind]

    return tell


def happen(change: Change, kind: Kind, root: Path) -> Happened:
    lab = Lab(root, files_of(change, kind, then=False))
    try:
        lab.sql(*RAW, *(sources_of(change, then=False) if kind == "source" else ()))
        outcome = lab.run()
        assert outcome.status == "completed", outcome.end.error
        before = lab.contents()
        lab.edit(files_of(change, kind, then=True))
        lab.sql(*(sources_of(change, then=True) if kind == "source" else ()))
        outcome = lab.run()
        assert outcome.status == "completed", outcome.end.error
        return Happened(before, lab.contents(), lab.from_scratch(), outcome.built, lab.run().started)
    finally:
        lab.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("trap", [pytest.param(trap, id=trap.name) for trap in TRAPS])
def test_a_column_that_comes_builds_whose_answer_it_changes(
    happened: Callable[[Change, Kind], Happened], trap: Trap, kind: Kind
) -> None:
    """Exactly those, but for the constructs whose columns nobody lists; and every answer is as from scratch."""
    found = happened(trap.change, kind)
    assert (found.before[trap.path] != found.after[trap.path]) == trap.changes
    assert found.after[trap.path] == found.scratch[trap.path]
    assert (trap.path in found.built) == (trap.changes or kind in trap.doubts)
    assert trap.path not in found.again


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_that_makes_a_name_ambiguous_fails_its_reader(make_lab: Callable[..., Lab], kind: Kind) -> None:
    """As it would from scratch; what stands there is left, and the column's going away again builds nothing."""
    files = {"models/reader.sql": "select id, m from t join u using (id)"}
    lab = make_lab({**files_of(SHARED, kind, then=False), **files})
    lab.sql(*RAW, *(sources_of(SHARED, then=False) if kind == "source" else ()))
    assert lab.run().status == "completed"
    before = lab.contents(["reader"])
    lab.edit(files_of(SHARED, kind, then=True))
    lab.sql(*(sources_of(SHARED, then=True) if kind == "source" else ()))
    assert lab.run().failed == {"reader"}
    assert lab.contents(["reader"]) == before
    lab.edit(files_of(SHARED, kind, then=False))
    lab.sql(*(sources_of(SHARED, then=False) if kind == "source" else ()))
    assert "reader" not in lab.run().started
