"""Transactions: a relation and its marker are committed together or not at all, and side by side without conflict."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import duckdb
import pytest
from warehouse_samples import NOON, Sql, T, columns, marker

from leapsql_core.errors import WarehouseError
from leapsql_core.models import Column, IncrementalConfig, ObservedRelation, Relation
from leapsql_core.warehouses.duckdb.warehouse import DuckDBWarehouse


def build(warehouse: DuckDBWarehouse, query: str, *, relation: Relation = T, run: str = "run 1") -> int:
    seen = warehouse.relations().get(relation.key)
    before = marked(warehouse, relation)
    with warehouse.transaction() as transaction:
        rows = transaction.replace_table(relation, query, existing=None if seen is None else seen.kind)
        transaction.mark(marker(relation, run), kind="table", record="{}", replaces=before)
    return rows


def marked(warehouse: DuckDBWarehouse, relation: Relation) -> Relation | None:
    """Return a relation as its marker spells it."""
    found = warehouse.markers().get(relation.key)
    return None if found is None else found.relation


def build_view(warehouse: DuckDBWarehouse, query: str, *, relation: Relation = T, run: str = "run 1") -> None:
    seen = warehouse.relations().get(relation.key)
    before = marked(warehouse, relation)
    with warehouse.transaction() as transaction:
        transaction.replace_view(relation, query, existing=None if seen is None else seen.kind)
        transaction.mark(marker(relation, run), kind="view", record="{}", replaces=before)


def test_a_table_is_replaced_whole_and_counted(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """The new rows stand where the old ones were, and their number is told."""
    assert build(warehouse, "SELECT 1 AS a UNION ALL SELECT 2") == 2
    assert build(warehouse, "SELECT 'x' AS b FROM range(5)") == 5
    assert sql("FROM main.t") == [("x",)] * 5


def test_a_query_may_end_in_a_comment(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """The author's text stands in a statement as it is, a line comment at its end included."""
    build(warehouse, "SELECT 1 AS a -- the end")
    build_view(warehouse, "SELECT 2 AS a -- the end", relation=Relation("main", "v"))
    assert sql("FROM main.t UNION ALL FROM main.v") == [(1,), (2,)]


def test_a_table_may_be_made_of_itself(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """What is replaced can still be read by the query that replaces it."""
    build(warehouse, "SELECT 1 AS a")
    build(warehouse, "SELECT a + 1 AS a FROM main.t")
    assert sql("FROM main.t") == [(2,)]


def test_a_table_becomes_a_view_and_a_view_a_table(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """DuckDB replaces neither by the other by itself; a change of `materialized` does."""
    build(warehouse, "SELECT 1 AS a")
    build_view(warehouse, "SELECT 2 AS a")
    assert warehouse.relations()[T.key] == ObservedRelation("view", "run 1")
    assert sql("FROM main.t") == [(2,)]
    build(warehouse, "SELECT 3 AS a", run="run 3")
    assert warehouse.relations()[T.key] == ObservedRelation("table", "run 3")
    assert sql("FROM main.t") == [(3,)]


def test_a_change_of_kind_that_fails_leaves_the_old_one(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """The view is dropped in the transaction that fails to make the table, so it is still there."""
    build_view(warehouse, "SELECT 1 AS a")
    with pytest.raises(WarehouseError, match="nothing"):
        build(warehouse, "SELECT nothing")
    assert warehouse.relations()[T.key] == ObservedRelation("view", "run 1")
    assert sql("FROM main.t") == [(1,)]


def test_a_kind_that_is_not_the_expected_one_is_told(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """If a table stands where a view was seen, the refusal says what was tried."""
    sql("CREATE TABLE main.t AS SELECT 1 AS a")
    with pytest.raises(WarehouseError, match=r"the view main\.t cannot be replaced by a table"):
        with warehouse.transaction() as transaction:
            transaction.replace_table(T, "SELECT 2 AS a", existing="view")


def test_an_exception_rolls_everything_back(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """Whatever is raised in the block, the relation, its comment and its marker are as before."""
    build(warehouse, "SELECT 1 AS a")

    def build_and_stop() -> None:
        with warehouse.transaction() as transaction:
            transaction.replace_table(T, "SELECT 2 AS a", existing="table")
            transaction.mark(marker(model_run_id="run 2"), kind="table", record="{}", replaces=T)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_and_stop()
    assert sql("FROM main.t") == [(1,)]
    assert warehouse.relations()[T.key].comment == "run 1"
    assert warehouse.markers()[T.key].model_run_id == "run 1"


def test_nothing_shows_before_the_commit(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """A reader sees the old content until the new one is committed, then all of it."""
    build(warehouse, "SELECT 1 AS a")
    with warehouse.transaction() as transaction:
        transaction.replace_table(T, "SELECT 2 AS a", existing="table")
        transaction.mark(marker(model_run_id="run 2"), kind="table", record="{}", replaces=T)
        assert sql("FROM main.t") == [(1,)]
        assert warehouse.relations()[T.key].comment == "run 1"
    assert sql("FROM main.t") == [(2,)]
    assert warehouse.relations()[T.key].comment == "run 2"


def test_after_a_failure_the_warehouse_goes_on(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """A transaction that failed takes nothing with it: the next one on the same thread works."""
    for statement in ("SELECT nothing", "SELECT )", "SELECT error('on purpose')"):
        with pytest.raises(WarehouseError):
            build(warehouse, statement)
        assert build(warehouse, "SELECT 1 AS a") == 1


def test_an_error_names_the_line_of_the_query(warehouse: DuckDBWarehouse) -> None:
    """Errors of tables, views and batches count lines from the query's first."""
    build(warehouse, "SELECT 1 AS a")
    query = "SELECT\n  1 AS a,\n  nothing AS b"
    for replace in (build, build_view):
        with pytest.raises(WarehouseError) as caught:
            replace(warehouse, query)
        assert caught.value.line == 3


def test_markers_say_what_made_a_relation(warehouse: DuckDBWarehouse) -> None:
    """Model, environment, model run, content and time come back as they were written, one marker per relation."""
    build(warehouse, "SELECT 1 AS a")
    build(warehouse, "SELECT 1 AS a", run="run 2")
    other = Relation("main", "odd \"na'me")
    build(warehouse, "SELECT 1 AS a", relation=other, run="run '3'")
    assert warehouse.markers() == {
        T.key: marker(model_run_id="run 2"),
        other.key: marker(other, model_run_id="run '3'"),
    }
    assert warehouse.markers()[T.key].built_at == NOON
    assert warehouse.relations()[other.key].comment == "run '3'"


def test_a_marker_belongs_to_a_relation_in_whatever_case(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """A model renamed by case alone has one marker, not two."""
    build(warehouse, "SELECT 1 AS a", relation=Relation("main", "Orders"))
    build(warehouse, "SELECT 1 AS a", relation=Relation("main", "orders"), run="run 2")
    assert sql.one("SELECT count(*) FROM _leapsql.markers") == 1
    assert warehouse.markers()["main", "orders"].model_run_id == "run 2"


def test_columns_are_those_of_now_within_one_transaction_too(warehouse: DuckDBWarehouse) -> None:
    """Whatever was asked before the change."""
    build(warehouse, "SELECT 1 AS a, 'x' AS b")
    with warehouse.transaction() as transaction:
        names = []
        for query in ("SELECT 1 AS c", "SELECT 1 AS d, 2 AS e"):
            names.append([column.name for column in transaction.columns(T)])
            transaction.replace_table(T, query, existing="table")
        names.append([column.name for column in transaction.columns(T)])
        transaction.apply_batch(
            T, "SELECT 3 AS d, 4 AS f", unique_key=(), how=IncrementalConfig(on_schema_change="sync")
        )
        names.append([column.name for column in transaction.columns(T)])
        transaction.replace_view(T, "SELECT 5 AS g", existing="table")
        names.append([column.name for column in transaction.columns(T)])
    assert names == [["a", "b"], ["c"], ["d", "e"], ["d", "f"], ["g"]]


def test_a_database_that_was_never_built_in_has_no_markers(open_warehouse: Any) -> None:
    """Looking makes nothing."""
    warehouse = open_warehouse()
    assert warehouse.markers() == {}
    assert warehouse.relations() == {}


def test_relations_are_those_of_the_database_alone(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """Temporary tables, other databases and DuckDB's own views are not the user's."""
    sql("CREATE TEMP TABLE passing AS SELECT 1 AS a")
    sql("ATTACH ':memory:' AS other")
    sql("CREATE TABLE other.main.elsewhere AS SELECT 1 AS a")
    build(warehouse, "SELECT 1 AS a")
    assert set(warehouse.relations()) == {("main", "t"), ("_leapsql", "markers")}


def test_schemas_are_made_where_they_are_missing(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """Odd names are names; making them twice is fine."""
    for _ in range(2):
        warehouse.prepare(["staging", 'we "ird', "select", "Staging"])
    found = [name for (name,) in sql("SELECT lower(schema_name) FROM duckdb_schemas() WHERE NOT internal ORDER BY 1")]
    assert [name for name in found if name != "main"] == ["_leapsql", "select", "staging", 'we "ird']


def test_a_schema_that_cannot_be_made_is_told(tmp_path: Path, open_warehouse: Any) -> None:
    """A database that is only read makes no schema, and says so."""
    database = str(tmp_path / "w.duckdb")
    open_warehouse(database).close()
    with pytest.raises(WarehouseError, match="schemas cannot be made"):
        open_warehouse(database, read_only=True).prepare(["staging"])


def test_columns_come_with_types_and_collations(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """Collations are part of a type, for two columns that differ in them compare differently; nested ones too."""
    sql("CREATE TABLE main.t (id INTEGER, \"odd na'me\" VARCHAR, n VARCHAR COLLATE NOCASE, e ENUM('a', 'b'), j JSON)")
    assert columns(warehouse) == (
        Column("id", "INTEGER"),
        Column("odd na'me", "VARCHAR"),
        Column("n", "VARCHAR COLLATE nocase"),
        Column("e", "ENUM('a', 'b')"),
        Column("j", "JSON"),
    )
    sql("CREATE VIEW main.v AS SELECT [n] AS l, lower(n) AS n, {'k': n COLLATE noaccent} AS s FROM main.t")
    listed, lowered, structured = columns(warehouse, Relation("main", "v"))
    assert listed.type.endswith(" COLLATE nocase")
    assert lowered.type.startswith("VARCHAR")
    assert structured.type.endswith(" COLLATE noaccent")


def test_a_type_is_written_alike_by_every_duckdb(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """What is a keyword differs by version, and so does what DuckDB quotes and how it calls a type; ours does not."""
    sql('CREATE TABLE main.t (s STRUCT(distance INTEGER, "o""dd" STRUCT(a DOUBLE[])[3])[], m MAP(VARCHAR, INTEGER[2]))')
    listed, mapped = columns(warehouse)
    assert listed.type == 'STRUCT("distance" INTEGER, "o""dd" STRUCT("a" DOUBLE[])[3])[]'
    assert mapped.type == "MAP(VARCHAR, INTEGER[2])"
    sql("CREATE VIEW main.v AS SELECT NULL AS n, [NULL] AS l, row(1, 'x') AS r")
    sql("CREATE TABLE main.u (u UNION(exact INTEGER, b VARCHAR))")
    assert [column.type for column in columns(warehouse, Relation("main", "v"))] == [
        *("INTEGER", "INTEGER[]", "TUPLE(INTEGER, VARCHAR)")
    ]
    assert columns(warehouse, Relation("main", "u")) == (Column("u", 'UNION("exact" INTEGER, "b" VARCHAR)'),)


def test_columns_of_what_reads_files_come_with_collations_too(
    warehouse: DuckDBWarehouse, sql: Sql, tmp_path: Path
) -> None:
    """DuckDB does not show the plan of a view that reads files; nothing is left behind by asking another way."""
    (tmp_path / "f.csv").write_text("a,b\n1,x\n")
    sql(f"CREATE VIEW main.t AS SELECT a, b, b COLLATE NOCASE AS c FROM read_csv('{tmp_path / 'f.csv'}')")
    assert columns(warehouse) == (Column("a", "BIGINT"), Column("b", "VARCHAR"), Column("c", "VARCHAR COLLATE nocase"))
    with warehouse.transaction() as transaction:
        assert transaction.columns(T) == transaction.columns(T)
        left = transaction._cursor.execute("SELECT table_name FROM duckdb_tables() WHERE temporary").fetchall()
    assert left == []


def test_columns_of_nothing_are_told_to_be_missing(warehouse: DuckDBWarehouse) -> None:
    """The error names the relation."""
    with pytest.raises(WarehouseError, match=r"main\.t cannot be read: .*does not exist"):
        columns(warehouse)


def test_a_relation_without_a_schema_is_found_where_the_database_looks(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """A source written without a schema is found by the search path."""
    sql("CREATE TABLE main.t AS SELECT 1 AS a")
    assert columns(warehouse, Relation("", "t")) == (Column("a", "INTEGER"),)


def test_the_greatest_value_comes_with_the_count(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """As text, whatever the type; NULLs count as rows; no rows have no greatest value."""
    sql('CREATE TABLE main.t AS SELECT TIMESTAMPTZ \'2026-03-01 12:00:00+00\' AS "wh""en" UNION ALL SELECT NULL')
    with warehouse.transaction() as transaction:
        assert transaction.greatest(T, 'wh"en') == (2, "2026-03-01 12:00:00+00")
    sql("DELETE FROM main.t")
    with warehouse.transaction() as transaction:
        assert transaction.greatest(T, 'wh"en') == (0, None)
    with pytest.raises(WarehouseError, match=r"the version of main\.t cannot be taken"):
        with warehouse.transaction() as transaction:
            transaction.greatest(T, "then")


# --------------------------------------------------------------------------------------------------------------- seeds


def load(warehouse: DuckDBWarehouse, file: Path, *, existing: str | None = None) -> int:
    with warehouse.transaction() as transaction:
        return transaction.load_seed(T, str(file), existing=existing)


def test_a_seed_is_typed_from_all_of_its_rows(warehouse: DuckDBWarehouse, sql: Sql, tmp_path: Path) -> None:
    """A value that shows only after many thousands of rows still decides its column's type."""
    file = tmp_path / "s.csv"
    file.write_text("id,code\n" + "".join(f"{n},{n}\n" for n in range(30_000)) + "30000,x1\n")
    assert load(warehouse, file) == 30_001
    assert [column.type for column in columns(warehouse)] == ["BIGINT", "VARCHAR"]
    assert sql.one("SELECT code FROM main.t WHERE id = 30000") == "x1"


def test_the_names_of_a_seed_s_folders_are_no_columns(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    """DuckDB would take `year=2026` for one: the same project in another folder would load another table."""
    file = tmp_path / "year=2026" / "s.csv"
    file.parent.mkdir()
    file.write_text("id\n1\n")
    load(warehouse, file)
    assert [column.name for column in columns(warehouse)] == ["id"]


def test_a_seed_replaces_what_is_there(warehouse: DuckDBWarehouse, sql: Sql, tmp_path: Path) -> None:
    """A table or a view makes room for it."""
    (tmp_path / "s.csv").write_text("a\n1\n")
    sql("CREATE VIEW main.t AS SELECT 7 AS z")
    load(warehouse, tmp_path / "s.csv", existing="view")
    assert sql("FROM main.t") == [(1,)]
    load(warehouse, tmp_path / "s.csv", existing="table")
    assert sql("FROM main.t") == [(1,)]


def test_a_seed_is_found_in_a_folder_of_any_name(warehouse: DuckDBWarehouse, sql: Sql, tmp_path: Path) -> None:
    """Characters that mean patterns to DuckDB mean themselves in a path."""
    folder = tmp_path / "a[1]b*c?d'e"
    folder.mkdir()
    (folder / "s.csv").write_text("a\n1\n")
    (tmp_path / "a1bxcyd'e").mkdir()
    (tmp_path / "a1bxcyd'e" / "s.csv").write_text("a\n666\n")
    assert load(warehouse, folder / "s.csv") == 1
    assert sql("FROM main.t") == [(1,)]


def test_a_seed_that_cannot_be_read_is_told(warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
    """The file is named by DuckDB, what was tried by us."""
    with pytest.raises(WarehouseError, match=r"the seed cannot be loaded: .*gone\.csv"):
        load(warehouse, tmp_path / "gone.csv")


# --------------------------------------------------------------------------------------------------------- side by side


def test_many_builds_side_by_side_lose_nothing(tmp_path: Path, open_warehouse: Any) -> None:
    """Eight threads build two dozen relations each, again and again, without a conflict and without losing a marker."""
    warehouse = open_warehouse(str(tmp_path / "w.duckdb"))
    warehouse.prepare(["main", "views"])
    troubles: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(2):
                for n in range(12):
                    table, view = Relation("main", f"t{number}_{n}"), Relation("views", f"v{number}_{n}")
                    run = f"run {number} {n} {turn}"
                    build(warehouse, f"SELECT {turn} AS a FROM range({n + 1})", relation=table, run=run)
                    build_view(warehouse, f"SELECT a FROM {table.sql}", relation=view, run=run)
        except BaseException as exc:  # noqa: BLE001 - looked at below, in the thread of the test
            troubles.append(exc)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert troubles == []
    relations, markers = warehouse.relations(), warehouse.markers()
    made = {key for key in relations if key[0] != "_leapsql"}
    assert len(made) == 8 * 12 * 2
    assert set(markers) == made
    for key in made:
        assert relations[key].comment == markers[key].model_run_id
        assert markers[key].model_run_id.endswith(" 1")
    assert Sql(warehouse).one("SELECT count(*) FROM _leapsql.markers") == len(made)


def test_an_interruption_fails_what_runs_and_rolls_it_back(open_warehouse: Any) -> None:
    """A statement that would run for hours ends at once, and nothing of its transaction remains."""
    warehouse = open_warehouse()
    warehouse.prepare(["main"])
    build(warehouse, "SELECT 1 AS a")
    stop, troubles = threading.Event(), list[BaseException]()

    def work() -> None:
        try:
            with warehouse.transaction() as transaction:
                transaction.replace_table(T, "SELECT 2 AS a", existing="table")
                query = "SELECT count(*) AS n FROM range(1000000000000) AS r(n) WHERE hash(n) = 7"
                transaction.replace_table(Relation("main", "slow"), query, existing=None)
        except WarehouseError as exc:
            troubles.append(exc)
        finally:
            stop.set()

    thread = threading.Thread(target=work)
    thread.start()
    while not stop.wait(0.01):
        warehouse.interrupt()
    thread.join()
    assert [str(exc) for exc in troubles] == ["INTERRUPT Error: Interrupted!"]
    assert Sql(warehouse)("FROM main.t") == [(1,)]
    assert build(warehouse, "SELECT 3 AS a") == 1


def test_an_interruption_leaves_alone_what_does_not_run(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """Between statements, and before any, there is nothing to interrupt."""
    warehouse.interrupt()
    with warehouse.transaction() as transaction:
        warehouse.interrupt()
        transaction.replace_table(T, "SELECT 1 AS a", existing=None)
        warehouse.interrupt()
    assert sql("FROM main.t") == [(1,)]


class Watched:
    """A connection, or a cursor of it, that notes which statements can be interrupted when they begin."""

    def __init__(self, watched: Any, noted: list[tuple[str, bool]]) -> None:
        self._watched, self._noted = watched, noted
        self.warehouse: DuckDBWarehouse | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._watched, name)

    def cursor(self) -> Watched:
        made = Watched(self._watched.cursor(), self._noted)
        made.warehouse = self.warehouse
        return made

    def execute(self, statement: Any, *parameters: Any) -> Any:
        text = str(getattr(statement, "query", statement))
        self._noted.append((text.split()[0], self.warehouse is not None and self in self.warehouse._busy))
        return self._watched.execute(statement, *parameters)


def test_a_commit_is_never_interrupted() -> None:
    """What is being committed is let through: nobody is told that a build failed which then stands there."""
    noted: list[tuple[str, bool]] = []
    connection = Watched(duckdb.connect(), noted)
    warehouse = DuckDBWarehouse(connection, {})  # type: ignore[arg-type]
    connection.warehouse = warehouse
    with warehouse.transaction() as transaction:
        transaction.replace_table(T, "SELECT 1 AS a", existing=None)
    warehouse.close()
    assert noted[-3:] == [("BEGIN", True), ("CREATE", True), ("COMMIT", False)]


def test_closing_twice_is_fine_and_ends_everything(open_warehouse: Any) -> None:
    """After closing, every question is refused in plain words."""
    warehouse = open_warehouse()
    warehouse.prepare(["main"])
    warehouse.close()
    warehouse.close()
    with pytest.raises(WarehouseError, match="the warehouse is not open"):
        warehouse.relations()
    with pytest.raises(WarehouseError, match="the warehouse is not open"), warehouse.transaction():
        pass


def test_a_commit_that_fails_is_told(warehouse: DuckDBWarehouse, sql: Sql) -> None:
    """If the database is gone when a transaction is to be committed, nobody believes that it was."""

    def build_and_lose() -> None:
        with warehouse.transaction() as transaction:
            transaction.replace_table(T, "SELECT 1 AS a", existing=None)
            transaction._cursor.execute("ROLLBACK")

    with pytest.raises(WarehouseError, match="the transaction cannot be committed"):
        build_and_lose()
    assert warehouse.relations().get(T.key) is None
