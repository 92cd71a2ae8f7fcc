"""SQL: no text of a project ends the statement that it stands in, and no name or value reaches one unquoted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import pytest
from fuzzing import fuzz, tried
from hostile_samples import Hostile, name_of, yaml_of
from hypothesis import given
from hypothesis import strategies as st
from projects import Lab
from reading_samples import model_problems

from leapsql_core.errors import WarehouseError
from leapsql_core.names import unfit_name
from leapsql_core.sql import unfit_condition
from leapsql_core.warehouses.duckdb.connection import execute_one

MEND = "Write what stands behind WHERE in a query."


@pytest.mark.parametrize(
    "statement",
    [
        "copy (select 1) to 'x.csv'",
        "attach 'x.db'",
        "install httpfs",
        "load json",
        "pragma version",
        "drop table canary",
        "set threads = 1",
        "call pragma_version()",
        "begin",
        "export database 'x'",
        "use memory",
        "execute x",
        "explain select 1",
        "create table x as select 1",
        "select 1 as x; drop table canary",
        "select 1 as x) t; drop table canary; --",
        "with a as (delete from canary returning *) select * from a",
        "select date'\\'; drop table canary; --'",
    ],
)
def test_a_model_that_is_no_query_is_refused(statement: str) -> None:
    """Nothing of it is executed."""
    (problem,) = model_problems(statement)
    assert problem.startswith("models/reader.sql:1: ")


@pytest.mark.parametrize(
    ("text", "line"),
    [("select 1 as x\x00, 2 as y", 1), ("select 1 as x,\n  '\x00' as y", 2)],
)
def test_a_query_does_not_end_before_its_end(text: str, line: int) -> None:
    """Databases take a character without any bit for the end of a text."""
    assert model_problems(text) == [f"models/reader.sql:{line}: U+0000 is no character of a query\n    Take it out."]


@pytest.mark.parametrize(
    "text",
    [
        "select * from (" * 500 + "select 1 as x" + ")" * 500,
        "select " + "case when 1 = 1 then " * 6000 + "1" + " end" * 6000 + " as x",
    ],
    ids=["queries", "cases"],
)
def test_a_query_that_nests_too_deep_is_an_error(text: str) -> None:
    """Of its file, and not of Python."""
    (problem,) = model_problems(text)
    assert problem.startswith("models/reader.sql:1: ")


@pytest.mark.parametrize("opened", ["()", "[]"])
def test_brackets_without_end_are_a_result_or_an_error(tmp_path: Path, opened: str) -> None:
    """By the version of DuckDB."""
    text = f"select {opened[0] * 5000}1{opened[1] * 5000} as x"
    said = Hostile(tmp_path / "shop", {"models/m.sql": text}).leapsql("list")
    assert "models/m.sql" in said


def test_a_long_text_in_a_query_is_read() -> None:
    """Ten million characters in quotes, some of them quotes, fall into tokens without filling the memory."""
    assert unfit_condition("a = '" + "x" * 5_000_000 + "''" * 2_500_000 + "'") is None


@pytest.mark.parametrize(
    ("condition", "cause"),
    [
        ("1 = 1) or (1 = 1", "a bracket closes that was not opened"),
        ("false) union select (1", "a bracket closes that was not opened"),
        ("true); drop table canary; select (1", "a bracket closes that was not opened"),
        ("x in (1, 2", "a bracket is not closed"),
        ("[1)", "a bracket closes that was not opened"),
        ("x = 1; drop table canary", "`;` would end the query that it stands in"),
        ("x = 'a", "a quote does not end"),
        ('"x = 1', "a quote does not end"),
        ("x = 1 /* and", "a quote or a comment does not end"),
        ("-- x", "it holds no condition"),
    ],
)
def test_a_condition_stays_within_its_brackets(condition: str, cause: str) -> None:
    """Of a test's `expression` and of its `where`, before anything runs."""
    forms = {
        "expression": f"{{expression: {yaml_of(condition)}}}",
        "where": f"{{column: x, where: {yaml_of(condition)}}}",
    }
    for field, form in forms.items():
        kind = "expression" if field == "expression" else "unique"
        found = model_problems(f"/*---\ntests:\n  - {kind}: {form}\n---*/\nselect 1 as x")
        assert len(found) == 1
        assert found[0].startswith(f"models/reader.sql:3: `{field}` of the test {kind}(")
        assert found[0].endswith(f" is no condition: {cause}\n    {MEND}")


@pytest.mark.parametrize(
    "condition", ["x = 1 -- as it is", "x in (1) /* or */", "x::varchar <> ');--'", "[1, x][1] = 1"]
)
def test_a_condition_may_end_in_a_remark(tmp_path: Path, condition: str) -> None:
    """What stands behind it is read all the same."""
    text = f"/*---\ntests:\n  - expression: {yaml_of(condition)}\n---*/\nselect 1 as x"
    assert Hostile(tmp_path / "shop", {"models/m.sql": text}).leapsql("run", status=0)


def test_what_was_read_as_one_statement_is_executed_as_one() -> None:
    """Should the database ever see two where reading saw one, it does neither."""
    with duckdb.connect(":memory:") as connection:
        connection.execute("CREATE TABLE canary (x INTEGER)")
        with pytest.raises(WarehouseError, match="2 statements instead of one"):
            execute_one(connection, "CREATE TABLE t AS\nSELECT 1; DROP TABLE canary")
        assert connection.execute("SELECT count(*) FROM duckdb_tables()").fetchone() == (1,)


# ------------------------------------------------------------------------------------------------- names and values

#: Names of which each means something to SQL, or to those who write it.
_PIECES = st.sampled_from(
    [*["'", '"', ";", "--", "/*", "*/", "$$", "?", "%s", "{}", "\\", "(", ")", ",", "DROP", "TABLE"], " ", "''", '""']
)
names = (
    st.lists(_PIECES | st.text(max_size=2), min_size=1, max_size=6)
    .map("".join)
    .filter(lambda name: unfit_name(name) is None and "." not in name and not re.search(r"[\ud800-\udfff{]", name))
)


@fuzz(4)
@given(schema=names, table=names, column=names, key=names, value=names, source=names, macro=names)
def test_any_name_and_value_reaches_the_database_as_it_is(
    tmp_path_factory: pytest.TempPathFactory,
    schema: str,
    table: str,
    column: str,
    key: str,
    value: str,
    source: str,
    macro: str,
) -> None:
    """Schemas, tables, columns, keys, tests, sources, settings, variables: what comes out is what was meant."""
    tried()
    key = key if key.casefold() != column.casefold() else f"{key} 2"
    quoted_value = value.replace("'", "''")
    tests = [
        {"unique": key},
        {"not_null": [key, column]},
        {"accepted_values": {"column": column, "values": [value, "; DROP TABLE canary"]}},
        {"unique": {"columns": [key, column], "where": f"{name_of(column)} = '{quoted_value}'"}},
    ]
    head = {"name": table, "schema": schema, "materialized": "incremental", "unique_key": [key], "tests": tests}
    files = {
        "leapsql.yaml": f"target: {{type: duckdb, database: ':memory:'}}\nvars: {{value: {yaml_of(value)}}}\n",
        "models/m.sql": f"/*---\n{_as_yaml(head)}\n---*/\n{{% raw %}}select 1 as {name_of(key)}, "
        f"x as {name_of(column)} from main.{name_of('s ' + source)}{{% endraw %}}",
        "models/copy of it.sql": f"{{% raw %}}select * from {name_of(schema)}.{name_of(table)}{{% endraw %}}",
        "models/v.sql": "select '{{ var('value') | replace(\"'\", \"''\") }}' as x",
    }
    lab = Lab(tmp_path_factory.mktemp("lab"), {"leapsql.yaml": files["leapsql.yaml"]})
    try:
        lab.sql(
            "CREATE TABLE canary AS SELECT 42 AS x",
            f"CREATE TABLE {name_of('s ' + source)} AS SELECT '{quoted_value}' AS x",
            f"CREATE MACRO {name_of('m ' + macro)}(a) AS a",
        )
        lab.edit(files)
        for _ in range(2):
            outcome = lab.run(force=True)
            assert outcome.status == "completed", [event.error for event in outcome.finished.values()]
        rows = lab.rows(f"SELECT {name_of(key)}, {name_of(column)} FROM {name_of(schema)}.{name_of(table)}")
        assert rows == [(1, value)]
        assert lab.rows('SELECT * FROM "copy of it"') == [(1, value)]
        assert lab.rows("SELECT x FROM v") == [(value,)]
        assert lab.rows("SELECT x FROM canary") == [(42,)]
    finally:
        lab.close()


def _as_yaml(document: dict[str, Any]) -> str:
    return "\n".join(f"{key}: {yaml_of(value)}" for key, value in document.items())


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("settings: {'threads = 1; DROP TABLE x; --': 1}", "refuses the setting `threads = 1; DROP TABLE x; --`"),
        ('settings: {TimeZone: "UTC\'; DROP TABLE x; --"}', "Unknown TimeZone 'UTC'; DROP TABLE x; --'"),
        ("settings: {threads: .nan}", "Could not convert string '.nan'"),
    ],
)
def test_a_setting_is_quoted(tmp_path: Path, written: str, said: str) -> None:
    """Its name and its value."""
    shop = Hostile(
        tmp_path / "shop", {"leapsql.yaml": f"target: {{type: duckdb, {written}}}\n", "models/m.sql": "select 1 as x"}
    )
    assert said in shop.leapsql("run", status=2)


def test_an_environment_and_a_file_may_be_called_anything(tmp_path: Path) -> None:
    """The database's file, the schema, the project and the environment; and each is its own."""
    name = 'it\'s "q"; --'
    said = yaml_of(name)
    text = f"name: {said}\nenvironment: {said}\nstate_path: {yaml_of(name + '.db')}\n"
    text += f"target: {{type: duckdb, database: {yaml_of(name + '.duckdb')}, schema: {said}}}\n"
    files = {"leapsql.yaml": text, "models/m.sql": "select 1 as x", "models/n.sql": "from m"}
    shop = Hostile(tmp_path / name, files)
    assert "2 built" in shop.leapsql("run", status=0)
    assert name in shop.leapsql("env", "list", "--output", "json", status=0).replace('\\"', '"')
    with duckdb.connect(str(shop.root / f"{name}.duckdb")) as connection:
        assert connection.execute(f"SELECT x FROM {name_of(name)}.{name_of(name)}.n").fetchall() == [(1,)]
