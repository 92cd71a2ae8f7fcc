"""What a build rests on beside its inputs: files that its query reads, and macros of the database that it calls."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from projects import Lab

Make = Callable[..., Lab]


@pytest.fixture
def lab(make_lab: Make) -> Lab:
    """Make a table and a view that read files, and one that reads the view."""
    lab = make_lab({})
    folder = lab.root / "data"
    folder.mkdir(parents=True)
    for name, text in {"one.csv": "x\n1\n", "two.csv": "x\n2\n", "single.csv": "y\n5\n"}.items():
        (folder / name).write_text(text)
    lab.edit(
        {
            "models/single.sql": f"select y from '{folder}/single.csv'",
            "models/all_of_them.sql": f"/*---\nmaterialized: view\n---*/\nselect x from read_csv('{folder}/[ot]*.csv')",
            "models/total.sql": "select sum(x)::integer as x from all_of_them",
            "models/apart.sql": "select 1 as one",
        }
    )
    assert lab.run().status == "completed"
    assert lab.run().built == set()
    return lab


def test_a_file_that_a_query_reads_counts_by_what_it_holds(lab: Lab) -> None:
    """Other bytes build what reads them; the same bytes, written again, build nothing."""
    file = lab.root / "data" / "single.csv"
    file.write_text("y\n5\n")
    assert lab.run().built == set()
    file.write_text("y\n6\n")
    assert lab.plan().decisions["single"].reason == "input_changed"
    assert "single.csv changed" in lab.plan().decisions["single"].detail
    assert lab.run().built == {"single"}
    assert lab.rows("select y from single") == [(6,)]
    assert lab.run().built == set()


def test_files_count_through_a_view_that_reads_them(lab: Lab) -> None:
    """The view shows its files as they are, so whoever reads it builds; it is not made again itself."""
    (lab.root / "data" / "two.csv").write_text("x\n20\n")
    assert lab.run().built == {"total"}
    assert lab.rows("select x from total") == [(21,)]


def test_a_file_more_that_a_pattern_means_is_a_change(lab: Lab) -> None:
    """A pattern stands for the files that there are."""
    (lab.root / "data" / "three.csv").write_text("x\n300\n")
    assert lab.run().built == {"total"}
    assert lab.rows("select x from total") == [(303,)]
    (lab.root / "data" / "three.csv").unlink()
    assert lab.run().built == {"total"}


def test_a_file_that_is_gone_fails_what_reads_it_and_nothing_else(lab: Lab) -> None:
    """What cannot be told is built in doubt, and the database says what is missing."""
    (lab.root / "data" / "single.csv").unlink()
    assert "cannot be told" in lab.plan().decisions["single"].detail
    outcome = lab.run()
    assert outcome.failed == {"single"}
    assert outcome.built == set()
    (lab.root / "data" / "single.csv").write_text("y\n5\n")
    assert lab.run().built == set()


def test_a_file_that_changes_while_it_is_read_counts_as_unknown(lab: Lab) -> None:
    """Nobody knows which of its bytes the build saw, so it is built once more."""
    file = lab.root / "data" / "single.csv"
    file.write_text("y\n6\n")
    versions = iter(["before", "after"])
    shop = lab.workshop(
        file_version=lambda pattern: next(versions) if "single" in pattern else lab.file_version(pattern)
    )
    list(lab.stream(workshop=shop))
    assert lab.run().built == {"single"}
    assert lab.run().built == set()


def test_a_remote_file_is_built_in_doubt(make_lab: Make) -> None:
    """Nothing is fetched to decide; its author may say that it does not move."""
    lab = make_lab({"models/a.sql": "select 1 as x"})
    lab.run()
    assert lab.warehouse.files("https://example.com/a.csv") is None
    assert lab.warehouse.files("s3://bucket/*.parquet") is None
    assert lab.warehouse.files("none/such*.csv") == ()


# ------------------------------------------------------------------------------------------------------------- macros


@pytest.fixture
def with_macros(make_lab: Make) -> Lab:
    """Make models that call macros of the database, and one that does not."""
    lab = make_lab(
        {
            "models/cents.sql": "select to_cents(2) as c",
            "models/views.sql": "/*---\nmaterialized: view\n---*/\nselect To_Cents(3) as c",
            "models/reader.sql": "select c from views",
            "models/apart.sql": "select 1 as one",
        }
    )
    lab.sql("create macro factor() as 100", "create macro to_cents(x) as x * factor()", "create macro unused() as 1")
    assert lab.run().status == "completed"
    assert lab.run().built == set()
    return lab


@pytest.mark.parametrize(
    "change",
    ["create or replace macro to_cents(x) as x * 1000", "create or replace macro factor() as 1000"],
    ids=["the macro itself", "one that it calls"],
)
def test_a_macro_of_the_database_counts_by_its_definition(with_macros: Lab, change: str) -> None:
    """What calls it, itself or through a view, builds when it, or one that it calls, is defined anew."""
    lab = with_macros
    lab.sql(change)
    assert lab.plan().decisions["cents"].detail == "the macro to_cents of the database changed"
    assert lab.run().built == {"cents", "reader"}
    assert lab.rows("select c from cents") == [(2000,)]
    assert lab.run().built == set()


def test_a_macro_that_nobody_calls_counts_for_nothing(with_macros: Lab) -> None:
    """Neither does one that is defined again as it was."""
    with_macros.sql("create or replace macro unused() as 2", "create or replace macro factor() as 100")
    assert with_macros.run().built == set()


@pytest.mark.parametrize(
    "body",
    ["(select max(n) from raw.numbers)", "random()", "(select max(x) from '{root}/numbers.csv')"],
    ids=["tables", "what moves by itself", "files"],
)
def test_a_macro_that_rests_on_more_than_its_definition_is_built_in_doubt(make_lab: Make, body: str) -> None:
    """What it reads is hidden from us, so that what calls it builds in every run, and says why."""
    lab = make_lab(
        {
            "models/a.sql": "select highest() as n",
            "models/b.sql": "/*---\nvolatile: ignore\n---*/\nselect highest() as n",
        }
    )
    lab.sql("create schema raw", "create table raw.numbers as select 1 as n")
    lab.root.mkdir()
    (lab.root / "numbers.csv").write_text("x\n1\n")
    lab.sql(f"create macro highest() as {body.format(root=lab.root)}")
    lab.run()
    decision = lab.plan().decisions["a"]
    assert (decision.action, decision.reason, decision.recurring) == ("build", "input_changed", True)
    assert "the macro highest of the database" in decision.detail
    assert lab.plan().decisions["b"].action == "skip"


# ------------------------------------------------------------------------- macros that bear the name of a built-in one


@pytest.fixture
def shadowed(make_lab: Make) -> Lab:
    """Make models that call `reverse` and `range`, built while both are DuckDB's own."""
    lab = make_lab(
        {
            "models/called.sql": "select reverse(name) as name from raw.people",
            "models/ranged.sql": "select * from range(2)",
            "models/reader.sql": "select range from ranged",
            "models/apart.sql": "select lower(name) as name from raw.people",
        }
    )
    lab.sql("create schema raw", "create table raw.people as select 'ann' as name, 1 as n union all select 'bob', 2")
    assert lab.run().status == "completed"
    assert lab.run().built == set()
    return lab


def test_a_macro_may_take_the_name_of_a_built_in_function(shadowed: Lab) -> None:
    """Then what calls it rests on its definition, as long as there is one."""
    for statement in (
        "create macro reverse(x) as x || '!'",
        "create or replace macro reverse(x) as x || '?'",
        "drop macro reverse",
    ):
        shadowed.sql(statement)
        assert shadowed.run().built == {"called"}
        shadowed.assert_as_from_scratch()
        assert shadowed.run().built == set()


@pytest.mark.parametrize("body", ["first(x)", "x || row_number() over ()", "(select max(name) from raw.people)"])
def test_a_macro_in_place_of_a_built_in_function_that_reads_more_is_built_in_doubt(shadowed: Lab, body: str) -> None:
    """What the query reads is told by what the name usually means: no order of rows, and no tables."""
    shadowed.sql(f"create macro reverse(x) as {body}")
    assert shadowed.run().built == {"called"}
    shadowed.sql("create or replace table raw.people as from raw.people order by n desc")
    assert shadowed.run().built == {"called"}
    shadowed.assert_as_from_scratch()


def test_a_macro_may_take_the_place_of_what_the_grammar_calls(make_lab: Make) -> None:
    """An operator, a list in brackets and `extract` are functions to DuckDB, and their names stand in no text."""
    lab = make_lab(
        {
            "models/added.sql": "select 1 + 2 as x",
            "models/liked.sql": "select 'a' like 'b' as x",
            "models/counted.sql": "select count(*) as x from raw.people",
            "models/listed.sql": "select [1, 2] as x",
            "models/dated.sql": "select extract(year from date '2026-01-01') as x",
            "models/called.sql": "select twice(3) as x",
            "models/apart.sql": "select 1 as x",
        }
    )
    lab.sql("create schema raw", "create table raw.people as select 1 as n", "create macro twice(x) as x + x")
    assert lab.run().status == "completed"
    assert lab.run().built == set()
    for macro, built in (
        ('"~~"(a, b) as 7', {"liked"}),
        ("count_star() as 7", {"counted"}),
        ("list_value(a, b) as 7", {"listed"}),
        ("date_part(a, b) as 7", {"dated"}),
        ('"^"(a, b) as 7', set()),
        ('"+"(a, b) as a - b', {"added", "called"}),
    ):
        lab.sql(f"create macro {macro}")
        assert lab.run().built == built
        assert lab.run().built == set()
    lab.assert_as_from_scratch()


def test_a_statement_that_calls_functions_of_its_own_choice_rests_on_macros_in_their_place(make_lab: Make) -> None:
    """SUMMARIZE names no function, and PIVOT not all that it calls."""
    lab = make_lab({"models/least.sql": "select min as x from (summarize raw.people)", "models/apart.sql": "select 1"})
    lab.sql("create schema raw", "create table raw.people as select 1 as n")
    assert lab.run().status == "completed"
    lab.sql("create macro min(a) as 'least'")
    assert lab.run().built == {"least"}
    assert lab.rows("from least") == [("least",)]
    lab.assert_as_from_scratch()


def test_a_table_whose_columns_are_not_those_of_a_built_in_function_is_read_in_doubt(shadowed: Lab) -> None:
    """Nobody knows then which of them its readers read, so they are built whenever it may have changed."""
    shadowed.sql("create macro range(n) as table select 5 as other, n as range")
    assert shadowed.run().built == {"ranged", "reader"}
    shadowed.assert_as_from_scratch()
    assert "ranged has other columns than its query seems to yield" in shadowed.plan().decisions["reader"].detail
    shadowed.sql("drop macro table range")
    assert shadowed.run().built == {"ranged", "reader"}
    assert shadowed.run().built == set()


# --------------------------------------------------------------------------------------------------------------- types


def test_a_type_of_the_database_counts_by_its_definition(make_lab: Make) -> None:
    """For what names it, itself, through a view or by a macro, and for nothing else."""
    lab = make_lab(
        {
            "models/cast.sql": "select enum_range(null::Mood)::varchar as x",
            "models/shown.sql": "/*---\nmaterialized: view\n---*/\nselect enum_code('ok'::\"mood\") as x",
            "models/reader.sql": "select x from shown",
            "models/called.sql": "select code('ok') as x",
            "models/apart.sql": "select 'mood' as x -- mood",
        }
    )
    lab.sql("create type mood as enum ('ok', 'sad')", "create macro code(x) as enum_code(x::mood)")
    assert lab.run().status == "completed"
    assert lab.run().built == set()
    lab.sql("create or replace type mood as enum ('sad', 'ok')")
    assert lab.plan().decisions["cast"].detail == "the type mood of the database changed"
    assert lab.run().built == {"cast", "reader", "called"}
    lab.assert_as_from_scratch()
    lab.sql("create or replace type mood as enum ('sad', 'ok')", "create type other as enum ('a')")
    assert lab.run().built == set()


# ----------------------------------------------------------------------------------- views whose columns change by them


@pytest.mark.parametrize(
    ("query", "first", "then"),
    [
        ("select f(3) as c", "create macro f(x) as x", "create or replace macro f(x) as 'a' || x"),
        ("select '1'::kind as c", "create type kind as integer", "create or replace type kind as varchar"),
        ("select c from '{file}'", "c\n1\n", "c\nabc\n"),
        ("select * from '{file}'", "c\n1\n", "d,c\nabc,1\n"),
    ],
    ids=["a macro", "a type", "a file", "a star over a file"],
)
def test_a_view_whose_columns_change_by_its_surroundings_is_made_again(
    make_lab: Make, query: str, first: str, then: str
) -> None:
    """So are views over it; where the columns stay, whoever reads it is built, and it is not made again."""
    lab = make_lab({})
    file = lab.root / "data.csv"

    def set_up(text: str) -> None:
        if "{file}" in query:
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        else:
            lab.sql(text)

    set_up(first)
    lab.edit(
        {
            "models/shown.sql": f"/*---\nmaterialized: view\n---*/\n{query.format(file=file)}",
            "models/above.sql": "/*---\nmaterialized: view\n---*/\nselect * from shown",
            "models/reader.sql": "select c from shown",
        }
    )
    assert lab.run().status == "completed"
    set_up(then)
    assert "and with it the columns that it shows" in lab.plan().decisions["shown"].detail
    outcome = lab.run()
    assert (outcome.status, outcome.built) == ("completed", {"shown", "above", "reader"})
    lab.assert_as_from_scratch()
    assert lab.run().built == set()


# ------------------------------------------------------------------------------------------------------------ settings


@pytest.mark.parametrize(
    ("setting", "query"),
    [
        ("TimeZone: America/New_York", "select date_trunc('day', moment)::varchar as x from raw.times"),
        ("integer_division: true", "select n / 2 as x from raw.times"),
        ("default_null_order: nulls_first", "select n as x from raw.times order by n limit 1"),
        ("default_order: desc", "select n as x from raw.times order by n limit 1"),
        ("default_collation: nocase", "select count(*) as x from raw.times where word = 'A'"),
    ],
)
def test_a_setting_that_changes_answers_builds_everything(make_lab: Make, setting: str, query: str) -> None:
    """Views as well, for the types of their columns stay as they were made; speed is no such setting."""
    lab = make_lab({}, database=":memory:")
    lab.database = str(lab.root / "warehouse.duckdb")
    yaml = "target: {type: duckdb, database: ':memory:', settings: {%s}}"
    lab.edit(
        {
            "leapsql.yaml": yaml % "threads: 1",
            "models/table.sql": query,
            "models/shown.sql": f"/*---\nmaterialized: view\n---*/\n{query}",
            "models/reader.sql": "select x from shown",
        }
    )
    lab.reopen_warehouse()
    lab.sql(
        "create schema raw",
        "create table raw.times as select * from (values (timestamptz '2026-01-01 02:00:00', 3, 'a'),"
        " (timestamptz '2026-01-01 09:00:00', null, 'A'), (null, 5, 'b')) as v(moment, n, word)",
    )
    assert lab.run().status == "completed"
    before = lab.contents(["table"])
    for settings, built in (
        ("threads: 2", set()),
        (setting, {"table", "shown", "reader"}),
        (f"{setting}, threads: 1", set()),
    ):
        lab.edit({"leapsql.yaml": yaml % settings})
        lab.reopen_warehouse()
        assert lab.run().built == built
    assert lab.contents(["table"]) != before
    lab.assert_as_from_scratch()


# ---------------------------------------------------------------------------------------------- columns that are named


@pytest.mark.parametrize(
    "query",
    [
        "select 1 as one where exists (select extra from {table})",
        "select id from (select id, extra from {table})",
    ],
)
@pytest.mark.parametrize("kind", ["table", "view"])
@pytest.mark.parametrize("table", ["raw.things", "things"])
def test_a_column_that_is_named_but_decides_nothing_is_missed(
    make_lab: Make, query: str, kind: str, table: str
) -> None:
    """Without it the query fails, as it would from scratch; other columns that go are not missed."""
    lab = make_lab(
        {
            "models/things.sql": "select * from raw.things",
            "models/reader.sql": f"/*---\nmaterialized: {kind}\n---*/\n{query.format(table=table)}",
        }
    )
    lab.sql("create schema raw", "create table raw.things as select 1 as id, 2 as extra, 3 as other")
    assert lab.run().status == "completed"
    lab.sql("alter table raw.things drop column other")
    assert lab.run().built == {"things"}
    lab.sql("alter table raw.things drop column extra")
    assert lab.run().failed == {"reader"}
    lab.sql("alter table raw.things add column extra integer")
    assert "reader" not in lab.run().failed


def test_a_macro_that_bears_the_name_of_a_word_of_the_grammar_counts(make_lab: Make) -> None:
    """DuckDB lets macros be called so; wherever the word stands it may be meant."""
    lab = make_lab({"models/m.sql": "select percent(1) as x", "models/n.sql": "select 1 as x"})
    lab.sql("create macro percent(x) as x + 1")
    lab.run()
    lab.sql("create or replace macro percent(x) as x + 2")
    assert lab.run().built == {"m"}
    lab.assert_as_from_scratch()


def test_names_that_differ_beyond_ascii_are_names_of_two_relations(make_lab: Make) -> None:
    """DuckDB folds the case of ASCII letters alone: a schema renamed so is another one."""
    files = {"models/m.sql": "/*---\nschema: Ä\n---*/\nselect 1 as x", "models/n.sql": "select x from m"}
    lab = make_lab(files)
    lab.run()
    lab.replace("models/m.sql", "schema: Ä", "schema: ä")
    assert lab.run()["m"].reason == "config_changed"
    assert lab.rows('from "ä".m') == [(1,)]
    assert [orphan.relation for orphan in lab.plan().orphans] == ["Ä.m"]
    lab.assert_as_from_scratch()
