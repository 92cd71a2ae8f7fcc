"""`--defer-to`: a branch builds what production does not hold just so, and reads the rest there; production is read."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
from cli_shop import Answer, Shop

YAML = """name: shop
environment: branch
target: {type: duckdb, database: .leapsql/branch.duckdb}
vars: {least: 0}
environments:
  prod: {target: {database: .leapsql/prod.duckdb}}
  other: {target: {database: .leapsql/other.duckdb}, vars: {least: 15}}
  sorted: {target: {database: .leapsql/sorted.duckdb, settings: {default_null_order: nulls_first}}}
  twin: {target: {database: .leapsql/twin/prod.duckdb}}
  scratch: {target: {database: .leapsql/scratch.duckdb}}
"""
FILES = {
    "leapsql.yaml": YAML,
    "seeds/labels.csv": "customer,label\nann,A\nbob,B\n",
    "models/staging/orders.sql": "/*---\nmaterialized: view\n---*/\nselect id, customer, amount\nfrom raw.orders\n",
    "models/marts/customers.sql": """/*---
tests: [{relationships: {column: customer, to: labels, field: customer}}]
---*/
select customer, sum(amount) as total
from staging.orders
where amount > {{ var('least') }}
group by customer
""",
    "models/marts/labelled.sql": (
        "select c.total, l.label from marts.customers as c join labels as l using (customer)\n"
    ),
    "models/marts/order_count.sql": "select count(*) as orders from staging.orders\n",
    "models/marts/largest.sql": "select max(total) as total from marts.customers\n",
}
PATHS = ["labels", "staging.orders", "marts.customers", "marts.labelled", "marts.largest", "marts.order_count"]
CUSTOMERS = "models/marts/customers.sql"
DEFER = ("--defer-to", "prod", "--state-of")
RAW = (
    "create schema raw",
    "create table raw.orders as select * from (values (1, 'ann', 10), (2, 'bob', 20), (3, 'ann', 30))"
    " as v(id, customer, amount)",
)


class Branch(Shop):
    """A project that is built in production, and that a branch goes on from."""

    @property
    def prod_state(self) -> str:
        return str(self.root / ".leapsql/prod-state.db")

    def database(self, name: str) -> Path:
        return self.root / f".leapsql/{name}.duckdb"

    def sql(self, *statements: str, database: str = "prod") -> list[tuple[Any, ...]]:
        self.database(database).parent.mkdir(parents=True, exist_ok=True)
        with closing(duckdb.connect(str(self.database(database)))) as connection:
            rows: list[tuple[Any, ...]] = []
            for statement in statements:
                rows = connection.execute(statement).fetchall()
            return rows

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def build_prod(self) -> None:
        answer = self.leapsql("run", "--env", "prod", "--state", self.prod_state)
        assert answer.status == 0, answer.out

    def defer(self, *words: str, command: str = "run", to: str = "prod") -> Answer:
        return self.leapsql(command, *words, "--defer-to", to, "--state-of", self.prod_state, "--output", "json")

    def built(self, *words: str) -> dict[str, str]:
        """Run the branch; what was built, with its reasons."""
        answer = self.defer(*words)
        assert answer.status == 0, answer.out + answer.err
        return {one["path"]: one["reason"] for one in answer.facts["models"] if one["status"] == "success"}

    def relations(self, database: str = "branch") -> set[str]:
        """Return what stands in a database that models have made."""
        if not self.database(database).exists():
            return set()
        query = (
            "select schema_name || '.' || table_name from duckdb_tables() where schema_name not in ('_leapsql', 'raw')"
            " union all select schema_name || '.' || view_name from duckdb_views() where not internal"
        )
        return {name for (name,) in self.sql(query, database=database)}


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Branch:
    """A project whose sources lie in production, where all of it is built."""
    made = Branch(tmp_path_factory.mktemp("production"), FILES)
    for file, text in made.files.items():
        made.write(file, text)
    made.sql(*RAW)
    made.build_prod()
    return made


@pytest.fixture
def branch(production: Branch, tmp_path: Path) -> Branch:
    """A copy of it that may be changed."""
    shutil.copytree(production.root, tmp_path / "shop")
    return Branch(tmp_path / "shop", FILES)


def fingerprints(branch: Branch) -> dict[str, str]:
    """Return the bytes of production's database and state, as digests."""
    files = [branch.database("prod"), Path(branch.prod_state)]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_a_branch_without_a_change_builds_nothing(branch: Branch) -> None:
    """All of it is read in production, and the answer says so."""
    answer = branch.defer()
    assert answer.status == 0
    assert answer.facts["models"] == []
    assert answer.facts["deferred"] == {
        "environment": "prod",
        "reads": {path: f"prod.{path if '.' in path else f'main.{path}'}" for path in sorted([*PATHS, "raw.orders"])},
        "stale": [],
    }
    assert branch.relations() == set()


def test_production_is_read_and_never_written(branch: Branch) -> None:
    """Neither a byte of its database nor one of its state is another after builds, failures and plans of a branch."""
    before = fingerprints(branch)
    branch.edit(CUSTOMERS, "sum(amount)", "max(amount)")
    assert branch.built()
    branch.edit("models/staging/orders.sql", "select id", "select error('no') as no, id")
    branch.defer()
    branch.defer("--force", "marts.order_count")
    branch.defer(command="plan")
    assert fingerprints(branch) == before
    assert not list(branch.database("prod").parent.glob("prod.duckdb.wal"))


def test_a_leaf_that_changed_is_built_from_what_production_holds(branch: Branch) -> None:
    """It alone is built here; the trace names the relation that it was read in."""
    branch.edit("models/marts/largest.sql", "max(total)", "min(total)")
    assert branch.built() == {"marts.largest": "new"}
    assert branch.sql("select total from marts.largest", database="branch") == [(20,)]
    assert branch.relations() == {"marts.largest"}
    with closing(sqlite3.connect(branch.root / ".leapsql/state.db")) as state:
        inputs = state.execute("select name, relation from trace_inputs").fetchall()
        reads = state.execute(
            "select m.path, p.path from dependencies d join models m on m.id = d.model_id"
            " join models p on p.id = d.parent_id order by 1, 2"
        ).fetchall()
    assert inputs == [("marts.customers", "prod.marts.customers")]
    assert ("marts.largest", "marts.customers") in reads, "the state knows the whole project"
    assert branch.built() == {}


def test_what_lies_below_a_change_is_built_and_nothing_beside_it(branch: Branch) -> None:
    """A model in the middle: its readers too, its siblings and what it reads not."""
    branch.edit(CUSTOMERS, "sum(amount)", "max(amount)")
    assert branch.built() == dict.fromkeys(["marts.customers", "marts.labelled", "marts.largest"], "new")
    assert branch.sql("select total, label from marts.labelled order by 1", database="branch") == [(20, "B"), (30, "A")]


def test_a_source_is_read_in_production_where_the_branch_has_none(branch: Branch) -> None:
    """A branch begins with an empty database; a source of its own wins, and then its readers read that."""
    branch.edit("models/staging/orders.sql", "amount\n", "amount * 2 as amount\n")
    assert set(branch.built()) == set(PATHS) - {"labels"}
    assert branch.sql("select orders from marts.order_count", database="branch") == [(3,)]
    branch.sql(
        "create schema raw",
        "create table raw.orders as select 1 as id, 'bob' as customer, 5 as amount",
        database="branch",
    )
    assert branch.built()["staging.orders"] == "resolved_differently"
    assert branch.sql("select total from marts.largest", database="branch") == [(10,)]


def test_a_view_of_the_branch_shows_production_where_it_is_attached(branch: Branch) -> None:
    """It reads on in production; readers of it that are built here hold rows of their own."""
    branch.edit("models/staging/orders.sql", "amount\n", "amount * 2 as amount\n")
    branch.built()
    place = branch.database("prod")
    attach = f"attach '{place}' as prod (read_only)"
    assert branch.sql(attach, "select sum(amount) from staging.orders", database="branch") == [(120,)]
    assert branch.sql("select sum(total) from marts.customers", database="branch") == [(120,)]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("seeds/labels.csv", "ann,A", "ann,C"),
        ("models/staging/orders.sql", "from raw.orders", "from raw.orders where id < 3"),
        (CUSTOMERS, "sum(amount)", "sum(amount) + 1"),
        ("models/marts/labelled.sql", "select c.total", "select c.customer, c.total"),
        ("leapsql.yaml", "least: 0", "least: 15"),
        (CUSTOMERS, "/*---", "/*---\nmaterialized: view"),
    ],
)
def test_what_is_read_and_what_is_built_is_what_a_whole_build_gives(
    branch: Branch, file: str, old: str, new: str
) -> None:
    """Every model, in the branch or where it is deferred to, holds what a build of everything from scratch holds."""
    branch.edit(file, old, new)
    deferred = branch.defer().facts["deferred"]["reads"]
    branch.sql(*RAW, database="scratch")
    assert branch.leapsql("run", "--env", "scratch").status == 0
    for path in PATHS:
        relation = path if "." in path else f"main.{path}"
        wanted = branch.sql(f"select * from {relation} order by all", database="scratch")
        found = branch.sql(
            f"attach '{branch.database('prod')}' as prod (read_only)",
            f"select * from {deferred.get(path, relation)} order by all",
            database="branch",
        )
        assert (path, found) == (path, wanted)


def test_a_comment_is_no_change(branch: Branch) -> None:
    """Of what is proven to be the same, nothing is built."""
    branch.edit(CUSTOMERS, "group by customer", "-- by customer\ngroup by customer")
    assert branch.built() == {}


def test_layout_of_what_reads_production_rebuilds_nothing(branch: Branch) -> None:
    """The proof sees relations of the other database too: an alias in a model of the branch is no change."""
    branch.edit("models/marts/largest.sql", "max(total)", "min(total)")
    branch.built()
    branch.edit("models/marts/largest.sql", "from marts.customers", "from marts.customers as c where true")
    assert branch.built() == {"marts.largest": "query_changed"}
    branch.edit("models/marts/largest.sql", "customers as c where true", "customers as k where true")
    assert branch.built() == {}


def test_an_edit_that_is_taken_back_is_read_in_production_again(branch: Branch) -> None:
    """What the branch has of it is left alone, is no orphan, and its readers read production."""
    branch.edit(CUSTOMERS, "sum(amount)", "max(amount)")
    branch.edit("models/marts/largest.sql", "max(total)", "min(total)")
    branch.built()
    branch.edit(CUSTOMERS, "max(amount)", "sum(amount)")
    assert branch.built() == {"marts.largest": "resolved_differently"}
    assert branch.sql("select total from marts.largest", database="branch") == [(20,)]
    assert "no model makes it" not in branch.leapsql("plan", *DEFER, branch.prod_state).out
    branch.edit(CUSTOMERS, "sum(amount)", "sum(amount) + 0")
    assert branch.built()["marts.largest"] == "resolved_differently"


def test_a_view_in_production_reads_production_also_where_the_branch_has_the_same_names(branch: Branch) -> None:
    """Before 1.4.4, DuckDB looked in the branch for what a view of another database names in the schema `main`."""
    branch.write("models/staging/named.sql", "/*---\nmaterialized: view\n---*/\nselect label from labels\n")
    branch.write("models/marts/first.sql", "select min(label) as label from staging.named\n")
    branch.build_prod()
    branch.edit("seeds/labels.csv", "bob,B", "bob,Z")
    assert {"labels", "staging.named"} <= set(branch.built())
    branch.edit("seeds/labels.csv", "bob,Z", "bob,B")
    branch.edit("models/marts/first.sql", "min(label)", "max(label)")
    assert "marts.first" in branch.built()
    assert branch.sql("select label from marts.first", database="branch") == [("B",)]


def test_new_data_in_production_moves_the_branch(branch: Branch) -> None:
    """Production was built anew: what the branch made of it is out of date, in the columns that it reads."""
    branch.edit("models/marts/largest.sql", "max(total)", "min(total)")
    branch.built()
    branch.sql("insert into raw.orders values (4, 'cy', 1)")
    branch.edit("seeds/labels.csv", "bob,B", "bob,B\ncy,C")
    branch.edit("models/marts/largest.sql", "min(total)", "max(total)")
    branch.build_prod()
    branch.edit("models/marts/largest.sql", "max(total)", "min(total)")
    assert branch.built() == {"marts.largest": "input_changed"}
    assert branch.sql("select total from marts.largest", database="branch") == [(1,)]


def test_what_production_has_taken_over_is_no_change_any_more(branch: Branch) -> None:
    """The branch was merged and built there."""
    branch.edit(CUSTOMERS, "sum(amount)", "max(amount)")
    branch.built()
    branch.build_prod()
    assert branch.built() == {}


def test_a_parent_that_was_not_selected_is_read_in_production(branch: Branch) -> None:
    """Though it changed: then the answer says that it is not the same there. One that was built here is read here."""
    branch.edit(CUSTOMERS, "sum(amount)", "max(amount)")
    assert branch.built("marts.largest") == {"marts.largest": "new"}
    assert branch.sql("select total from marts.largest", database="branch") == [(40,)]
    said = branch.leapsql("plan", "marts.largest", *DEFER, branch.prod_state).out
    assert "not selected, and not the same there: marts.customers" in said
    assert branch.built("+marts.largest") == {"marts.customers": "new", "marts.largest": "resolved_differently"}
    assert branch.built("marts.largest") == {}


def test_what_is_asked_for_is_built_here(branch: Branch) -> None:
    """With --force it is built in the branch, from what production holds."""
    assert branch.built("marts.customers", "--force") == {"marts.customers": "new"}
    assert branch.relations() == {"marts.customers"}


def test_other_tests_have_to_pass_here(branch: Branch) -> None:
    """A model that has another test is built in the branch; what reads it goes on to read production."""
    branch.edit(CUSTOMERS, "tests: [", "tests: [{not_null: total}, ")
    assert branch.built() == {"marts.customers": "new"}
    branch.edit(CUSTOMERS, "{not_null: total}", "{expression: total > 1000}")
    assert branch.defer().status == 1


def test_what_a_test_reads_elsewhere_has_to_pass_here(branch: Branch) -> None:
    """A test that refers to what changed is run in the branch, on a model that is built for it."""
    branch.edit("seeds/labels.csv", "bob,B\n", "")
    answer = branch.defer()
    assert answer.status == 1
    ends = {one["path"]: one["status"] for one in answer.facts["models"]}
    assert ends == {"labels": "success", "marts.customers": "failed", "marts.labelled": "skipped"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [("other", {"marts.customers", "marts.labelled", "marts.largest"}), ("sorted", set(PATHS))],
)
def test_what_the_branch_renders_otherwise_is_built_here(branch: Branch, environment: str, expected: set[str]) -> None:
    """Variables of its own decide what a model says; settings that change answers, what all of them hold."""
    assert set(branch.built("--env", environment)) == expected


@pytest.mark.parametrize(
    "harm",
    ["drop table marts.customers", "create or replace table marts.customers as select 1 as customer, 2 as total"],
)
def test_what_production_has_lost_is_built_here(branch: Branch, harm: str) -> None:
    """A relation that is gone, or that somebody else has made, is not read."""
    branch.sql(harm)
    assert set(branch.built()) == {"marts.customers", "marts.labelled", "marts.largest"}


def test_the_plan_says_what_the_run_does(branch: Branch) -> None:
    """With the same models and the same deferral, in JSON; in text each has its line."""
    branch.edit("models/marts/largest.sql", "max(total)", "min(total)")
    planned = branch.defer(command="plan").facts
    assert [(one["path"], one["action"]) for one in planned["models"]] == [("marts.largest", "build")]
    assert planned["deferred"] == branch.defer().facts["deferred"]
    assert "read in prod: labels, marts.customers," in branch.leapsql("plan", *DEFER, branch.prod_state).out


def test_a_database_of_the_same_name_is_called_otherwise(branch: Branch) -> None:
    """Two files may be called alike; production keeps its relations, under another catalog."""
    branch.edit("models/marts/largest.sql", "max(total)", "min(total)")
    assert branch.built("--env", "twin") == {"marts.largest": "new"}
    assert branch.defer("--env", "twin", command="plan").facts["deferred"]["reads"]["labels"] == (
        "prod_elsewhere.main.labels"
    )


@pytest.mark.parametrize("shown", ["id from plain", "f(id) as id from raw.orders", "'b'::grade as id from raw.orders"])
def test_a_view_that_would_mean_something_else_here_is_built_here(branch: Branch, shown: str) -> None:
    """A table without a schema, a macro and a type are looked for in the database that reads the view."""
    defined = (
        "create table plain as select 5 as id",
        "create macro f(x) as x + 100",
        "create type grade as enum ('b')",
    )
    branch.sql(*defined)
    branch.write("models/staging/loose.sql", f"/*---\nmaterialized: view\n---*/\nselect {shown}\n")
    branch.write("models/marts/leaf.sql", "select max(id::varchar) as id from staging.loose\n")
    branch.build_prod()
    branch.sql(*defined, database="branch")
    branch.edit("models/marts/leaf.sql", "id from", "id, 1 as more from")
    assert branch.built().keys() == {"staging.loose", "marts.leaf"}


def test_schemas_of_one_database_need_no_second_one(tmp_path: Path) -> None:
    """Where environments are schemas, what is deferred is read in the other schema."""
    yaml = (
        "target: {type: duckdb, schema: dev}\nenvironment: branch\n"
        "environments: {prod: {target: {schema: prod}}, branch: {target: {schema: branch}}}\n"
    )
    models = {"models/a.sql": "select 1 as n", "models/b.sql": "select n from a"}
    made = Branch(tmp_path / "shop", {"leapsql.yaml": yaml, **models})
    for file, text in made.files.items():
        made.write(file, text)
    assert made.leapsql("run", "--env", "prod").status == 0
    made.edit("models/b.sql", "select n", "select n + 1 as n")
    answer = made.leapsql("run", "--defer-to", "prod", "--output", "json")
    assert answer.facts["deferred"]["reads"] == {"a": "prod.a"}
    assert made.sql("select * from branch.b, prod.b", database="warehouse") == [(2, 1)]


def test_a_name_that_cannot_be_replaced_is_a_problem(branch: Branch) -> None:
    """Better than to read whatever bears that name here."""
    branch.write("models/marts/hidden.sql", "select * from query_table('marts.customers')\n")
    answer = branch.defer()
    assert answer.status == 2
    assert "models/marts/hidden.sql:1" in answer.err
    assert "`marts.customers` is to be read elsewhere" in answer.err


Words = Callable[[Branch], tuple[str, ...]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--env", "prod", "--defer-to", "prod"), "prod cannot be deferred to: it is what is to be built"),
        (("--defer-to", "prd"), "Did you mean prod?"),
        (("--defer-to", "other"), "there is no database"),
        (("--state-of", "leapsql.yaml"), "Add --defer-to NAME"),
    ],
)
@pytest.mark.parametrize("command", ["run", "plan"])
def test_wrong_use_is_said(branch: Branch, command: str, words: tuple[str, ...], said: str) -> None:
    """With status 2, before anything is built."""
    given = [str(branch.root / word) if word == "leapsql.yaml" else word for word in words]
    answer = branch.leapsql(command, *given)
    assert (answer.status, said in answer.err) == (2, True), answer.err
    assert branch.relations() == set()


def test_a_production_that_is_being_written_is_waited_for(branch: Branch, tmp_path: Path) -> None:
    """Whoever holds it is named; a copy of it can be read meanwhile."""
    with closing(duckdb.connect(str(branch.database("prod")))):
        answer = branch.leapsql("run", *DEFER, branch.prod_state, "--wait", "0")
        assert answer.status == 2
        assert "in use by" in answer.err
        shutil.copy(branch.database("prod"), tmp_path / "copy.duckdb")
    branch.edit("leapsql.yaml", ".leapsql/prod.duckdb", str(tmp_path / "copy.duckdb"))
    assert branch.built() == {}


def retried(branch: Branch, *words: str) -> dict[str, str]:
    """Retry what a run of the branch has left; what became of it."""
    answer = branch.leapsql("run", "--retry-failed", *words, "--output", "json")
    return {one["path"]: one["status"] for one in answer.facts["models"]}


def fail_branch(branch: Branch, *words: str) -> None:
    """Let what reads customers fail in a run that leaves all else to production, and mend it."""
    branch.edit("models/marts/largest.sql", "max(total)", "nothing(total)")
    assert branch.defer(*words).status == 1
    branch.edit("models/marts/largest.sql", "nothing(total)", "max(total + 0)")


def test_a_retry_reads_where_the_run_did(branch: Branch) -> None:
    """From retry to retry; what is not built in the branch is read in production, by the state that was named."""
    fail_branch(branch)
    branch.edit("models/marts/largest.sql", "max(total + 0)", "nothing(total)")
    assert retried(branch) == {"marts.largest": "failed"}
    branch.edit("models/marts/largest.sql", "nothing(total)", "max(total + 0)")
    answer = branch.leapsql("run", "--retry-failed")
    assert (answer.status, answer.err) == (0, "")
    assert f", with --defer-to prod --state-of {branch.prod_state} as it was asked: 1 model of 1" in answer.out
    assert branch.relations() == {"marts.largest"}
    assert branch.sql("select total from marts.largest", database="branch") == [(40,)]


def test_a_retry_reads_in_production_what_the_run_was_not_to_build(branch: Branch) -> None:
    """A parent that changed and was not selected is read as it stands there, as in the run."""
    branch.edit(CUSTOMERS, "sum(amount)", "sum(amount + 0)")
    fail_branch(branch, "largest")
    assert retried(branch) == {"marts.largest": "success"}
    assert branch.relations() == {"marts.largest"}


def test_a_retry_of_what_production_has_taken_over_builds_nothing(branch: Branch) -> None:
    """It is read there, and the answer says so; no run is begun for it."""
    fail_branch(branch)
    branch.edit("models/marts/largest.sql", "max(total + 0)", "max(total)")
    answer = branch.leapsql("run", "--retry-failed")
    assert answer.status == 0
    assert answer.out.endswith(" has left stands in prod just so, and is read there\n")
    assert len(branch.json("history")["runs"]) == 1


def test_a_retry_defers_to_no_other_environment(branch: Branch, tmp_path: Path) -> None:
    """That is a contradiction; but the state of that environment may have moved."""
    fail_branch(branch)
    answer = branch.leapsql("run", "--retry-failed", "--defer-to", "other")
    assert answer.status == 2
    assert " deferred to prod, and not to other\n    Leave it out" in answer.err
    Path(branch.prod_state).rename(tmp_path / "moved.db")
    answer = branch.leapsql("run", "--retry-failed")
    assert answer.status == 2
    assert "which is not there\n    Say with --state-of where it is now." in answer.err
    assert retried(branch, "--state-of", str(tmp_path / "moved.db")) == {"marts.largest": "success"}


DAYS = """/*---
materialized: incremental
incremental:
  time_column: day
  partitions: {every: daily, start: 2024-01-01, end: 2024-01-05}
---*/
select id, day from SOURCE where day >= '{{ partition.start }}' and day < '{{ partition.end }}'
"""


def test_partitions_are_left_and_read_like_all_else(branch: Branch) -> None:
    """Where production has all of a model's, none is built; what a branch edits reads production by its windows."""
    branch.sql("create table raw.days as select n as id, date '2024-01-01' + n::int as day from range(4) as t(n)")
    branch.write("models/days.sql", DAYS.replace("SOURCE", "raw.days"))
    branch.write("models/odd.sql", DAYS.replace("SOURCE", "days"))
    branch.build_prod()
    assert branch.built() == branch.built("--partition", "2024-01-02") == {}
    branch.edit("models/odd.sql", "where", "where id % 2 = 1 and")
    assert branch.built("--partitions", "2024-01-02..2024-01-03") == {"odd": "new"}
    assert branch.sql("select id from odd order by id", database="branch") == [(1,)]
    assert branch.built() == {"odd": "partition_missing"}
    branch.sql("insert into raw.days values (13, '2024-01-03')")
    assert branch.leapsql("run", "days", "--env", "prod", "--state", branch.prod_state).status == 0
    assert branch.built() == {"odd": "input_changed"}
    assert branch.sql("select id from odd order by id", database="branch") == [(1,), (3,), (13,)]


def test_a_branch_builds_partitions_that_production_lacks(branch: Branch) -> None:
    """A model of which some partition is missing or out of date there is not the same."""
    branch.sql("create table raw.days as select n as id, date '2024-01-01' + n::int as day from range(4) as t(n)")
    branch.write("models/days.sql", DAYS.replace("SOURCE", "raw.days"))
    words = ("run", "days", "--partition", "2024-01-02", "--env", "prod", "--state", branch.prod_state)
    assert branch.leapsql(*words).status == 0
    assert branch.built() == {"days": "new"}
    assert branch.sql("select count(*) from days", database="branch") == [(4,)]
