"""Sources: their versions are taken when a run looks, as their configuration says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from projects import Lab

from leapsql_core.models import Relation
from leapsql_core.warehouses.duckdb.transaction import DuckDBTransaction

Make = Callable[..., Lab]

YAML = "target: {{type: duckdb, database: ':memory:'}}\nsources:\n  raw.src: {}\n"
MODELS = {
    "models/a.sql": "select a from raw.src",
    "models/b.sql": "select b from raw.src",
    "models/n.sql": "select count(*) as n from raw.src",
    "models/v.sql": "/*---\nmaterialized: view\n---*/\nselect a from raw.src",
    "models/w.sql": "select a from v",
}


def make(make_lab: Make, version: str = "{version: data}") -> Lab:
    lab = make_lab({"leapsql.yaml": YAML.format(version), **MODELS})
    lab.sql("create schema raw", "create table raw.src as select * from (values (1, 1, 1), (2, 2, 2)) v(a, b, t)")
    assert lab.run().status == "completed"
    return lab


def test_data_counts_in_the_columns_that_are_read(make_lab: Make) -> None:
    """A cell, a row, another order: who reads it is built, through a view too; who does not is left alone."""
    lab = make(make_lab)
    lab.sql("update raw.src set a = 7 where a = 1")
    assert lab.run().built == {"a", "w"}
    lab.sql("insert into raw.src values (9, 9, 9)")
    assert lab.run().built == {"a", "b", "n", "w"}
    lab.sql("create or replace table raw.src as from raw.src order by a desc")
    assert lab.run().built == set()
    lab.sql("alter table raw.src add column later integer")
    assert lab.run().built == set()
    lab.assert_as_from_scratch()


def test_a_type_counts(make_lab: Make) -> None:
    """The same numbers in a wider type; a view that shows them is made again."""
    lab = make(make_lab)
    lab.sql("alter table raw.src alter a set data type bigint")
    assert lab.run().built == {"a", "v", "w"}
    lab.assert_as_from_scratch()


def test_a_column_stands_for_all(make_lab: Make) -> None:
    """Its greatest value and the number of rows: what moves neither counts for nothing, as its author said."""
    lab = make(make_lab, "{version: column, column: t}")
    lab.sql("update raw.src set a = 7 where a = 1")
    assert lab.run().built == set()
    lab.sql("update raw.src set t = 3 where t = 2")
    assert lab.run().built == {"a", "b", "n", "w"}
    lab.sql("insert into raw.src values (0, 0, 0)")
    assert lab.run().built == {"a", "b", "n", "w"}
    lab.sql("alter table raw.src alter b set data type bigint")
    assert lab.run().built == {"b"}


def test_always_is_in_every_run(make_lab: Make) -> None:
    """Whatever happens to the source; readers of what comes of it look at that."""
    lab = make(make_lab, "{version: always}")
    for _ in range(2):
        outcome = lab.run()
        assert outcome.built == {"a", "b", "n", "w"}
        assert outcome["a"].reason == "volatile"


def test_never_is_in_no_run(make_lab: Make) -> None:
    """Until somebody asks."""
    lab = make(make_lab, "{version: never}")
    lab.sql("insert into raw.src values (9, 9, 9)")
    assert lab.run().built == set()
    assert lab.run("a", force=True).built == {"a"}


@pytest.mark.parametrize("version", ["{version: data}", "{version: column, column: t}", "{version: never}"])
def test_a_source_that_is_not_there_is_told_by_who_reads_it(make_lab: Make, version: str) -> None:
    """With file and line and the database's own hint; models that read others are built."""
    files = {"leapsql.yaml": YAML.format(version), **MODELS, "models/other.sql": "select 1 as x"}
    lab = make_lab(files)
    lab.meddle("create schema raw")
    lab.meddle("create table raw.srcs as select 1 as a")
    outcome = lab.run()
    assert outcome.built == {"other"}
    assert (outcome["a"].error or "").startswith("models/a.sql:1: Catalog Error: Table with name src does not exist!")
    assert "srcs" in (outcome["a"].error or "")


def test_a_source_that_goes_away_is_built_in_doubt_and_fails(make_lab: Make) -> None:
    """The plan says why; the old rows stay."""
    lab = make(make_lab)
    lab.meddle("drop table raw.src")
    outcome = lab.run()
    assert outcome.failed == {"a", "b", "n", "v"}
    assert "cannot be told (raw.src cannot be read: " in outcome["a"].detail
    assert lab.rows("from main.a order by 1") == [(1,), (2,)]


def test_a_column_that_goes_away_is_told(make_lab: Make) -> None:
    """Of the version, and of the query."""
    lab = make(make_lab, "{version: column, column: t}")
    lab.sql("alter table raw.src drop column t")
    outcome = lab.run("a")
    assert "cannot be told" in outcome["a"].detail
    assert outcome["a"].status == "success"


def test_a_source_may_be_a_view(make_lab: Make) -> None:
    """It is evaluated for its version."""
    lab = make_lab({"models/a.sql": "select a from seen"})
    lab.sql("create table base as select 1 as a, 1 as b", "create view seen as select a from base")
    lab.run()
    lab.sql("update base set b = 2")
    assert lab.run().built == set()
    lab.sql("update base set a = 2")
    assert lab.run().built == {"a"}


@pytest.fixture
def scanned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is scanned for its versions from now on, as it happens."""
    scanned: list[str] = []
    take = DuckDBTransaction.data_versions

    def watch(self: DuckDBTransaction, relation: Relation, column_sets: Any) -> Any:
        scanned.append(str(relation))
        return take(self, relation, column_sets)

    monkeypatch.setattr(DuckDBTransaction, "data_versions", watch)
    return scanned


def test_a_version_is_taken_once_for_all_readers(make_lab: Make, scanned: list[str]) -> None:
    """One scan of a source per run, however many read it."""
    lab = make(make_lab)
    scanned.clear()
    lab.run()
    assert scanned == ["raw.src"]


READERS = {"models/a.sql": "select a from src", "models/b.sql": "select b from src"}


def test_a_table_of_the_database_is_not_looked_at_again_by_its_readers(make_lab: Make, scanned: list[str]) -> None:
    """Nobody else can write to it while the run has the database, whether or not its name is written with a schema."""
    lab = make_lab(READERS)
    lab.sql("create table src as select 1 as a, 2 as b")
    assert lab.run().built == {"a", "b"}
    assert sorted(scanned) == ["main.a", "main.b", "src"]


def test_a_name_that_a_setting_finds_elsewhere_is_looked_at_again(make_lab: Make, scanned: list[str]) -> None:
    """The table of that name in `main` says nothing of the view that is read."""
    lab = make_lab({}, database=":memory:")
    lab.database = str(lab.root / "warehouse.duckdb")
    lab.edit(READERS)
    lab.reopen_warehouse()
    lab.sql("create schema raw", "create table main.src as select 1 as a, 2 as b")
    lab.sql("create view raw.src as select a + 1 as a, b from main.src")
    lab.edit({"leapsql.yaml": "target: {type: duckdb, database: ':memory:', settings: {search_path: raw}}"})
    lab.reopen_warehouse()
    assert lab.run().built == {"a", "b"}
    assert lab.rows("select a from main.a") == [(2,)]
    assert scanned.count("src") == 3


def test_what_a_source_held_when_it_was_looked_at_is_what_counts(make_lab: Make) -> None:
    """Rows that come after the look are read by the build and counted by the next run: twice, never too little."""
    lab = make(make_lab)
    lab.sql("insert into raw.src values (3, 3, 3)")
    events = lab.stream(selection=["a"])
    next(events)
    lab.sql("insert into raw.src values (4, 4, 4)")
    list(events)
    assert lab.rows("select max(a) from main.a") == [(4,)]
    assert lab.run("a").built == {"a"}
    assert lab.run("a").built == set()


def test_a_source_with_a_type_that_cannot_be_compared_is_built_in_doubt(make_lab: Make) -> None:
    """Only where such a column is read."""
    lab = make_lab({"models/a.sql": "select a from src", "models/u.sql": "select u from src"})
    lab.sql("create table src (a integer, u union(i integer, s varchar))", "insert into src values (1, 2)")
    lab.run()
    outcome = lab.run()
    assert outcome.built == {"u"}
    assert outcome["u"].detail == "whether src changed cannot be told: built in doubt"


def test_the_order_of_a_source_counts_where_it_is_read(make_lab: Make) -> None:
    """The first row of a table that was written anew in another order is another one."""
    lab = make_lab({"models/first.sql": "select first(a) as a from src", "models/all.sql": "select a from src"})
    lab.sql("create table src as select n as a from range(5) r(n)")
    lab.run()
    assert lab.run().built == set()
    lab.sql("create or replace table src as from src order by a desc")
    assert lab.run().built == {"first"}
    assert lab.rows("from main.first") == [(4,)]
    assert lab.run().built == set()


def test_the_order_of_a_source_counts_where_a_setting_lets_the_first_row_stand_for_all(make_lab: Make) -> None:
    """A subquery that stands for a value takes any of its rows then, so that it is not refused."""
    yaml = "target: {type: duckdb, database: ':memory:', settings: {scalar_subquery_error_on_multiple_rows: %s}}"
    query = "select kind, (select n from raw.many where many.kind = kinds.kind) as n from raw.kinds"
    many = "create or replace table raw.many as select * from (values (1, %s), (1, %s)) v(kind, n)"
    lab = make_lab({"leapsql.yaml": yaml % "false", "models/a.sql": query, "models/b.sql": "select n from raw.many"})
    lab.sql("create schema raw", "create table raw.kinds as select 1 as kind", many % (5, 6))
    assert lab.run().status == "completed"
    lab.sql(many % (6, 5))
    assert lab.run().built == {"a"}
    lab.assert_as_from_scratch()
    assert lab.run().built == set()
    lab.edit({"leapsql.yaml": yaml % "true"})
    assert lab.project.nodes["a"].lineage.ordered is None


def test_the_order_of_a_source_that_shows_none_is_in_doubt(make_lab: Make) -> None:
    """A view has no places of rows."""
    lab = make_lab({"models/first.sql": "select first(a) as a from seen"})
    lab.sql("create table base as select 1 as a", "create view seen as from base")
    lab.run()
    assert lab.run().built == {"first"}


def test_the_order_of_a_model_counts_where_it_is_read(make_lab: Make) -> None:
    """The same rows, built in another order: only who reads their order is built."""
    lab = make_lab(
        {
            "models/t.sql": "select n as a from range(5) as r(n) order by a",
            "models/first.sql": "select first(a) as a from t",
            "models/all.sql": "select a from t",
        }
    )
    lab.run()
    lab.edit({"models/t.sql": "select n as a from range(5) as r(n) order by a desc"})
    assert lab.run().built == {"t", "first"}
    lab.assert_as_from_scratch()


def test_a_collation_counts(make_lab: Make) -> None:
    """The same letters compare otherwise: who compares them is built."""
    lab = make_lab({"models/a.sql": "select 'X' as n", "models/b.sql": "select count(*) as c from a where n = 'x'"})
    lab.run()
    lab.edit({"models/a.sql": "select 'X' collate nocase as n"})
    assert lab.run().built == {"a", "b"}
    assert lab.rows("from main.b") == [(1,)]
    lab.assert_as_from_scratch()


def test_versions_of_columns_that_nobody_read_before_are_taken_then(make_lab: Make) -> None:
    """A new reader makes no old table be built; what was taken for it is kept."""
    lab = make_lab({"models/t.sql": "select 1 as a, 2 as b", "models/a.sql": "select a from t"})
    lab.run()
    lab.edit({"models/b.sql": "select b from t"})
    assert lab.run().built == {"b"}
    snapshot = lab.state.read_snapshot("dev")
    assert '["b"]' in snapshot.data_versions[snapshot.traces["t"].model_run_id]
    assert lab.run().built == set()
