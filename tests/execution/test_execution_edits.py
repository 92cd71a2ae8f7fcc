"""Edits as they happen in a project's life: each builds exactly what it has to, and what stands is as from scratch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from execution_shop import FILES, RAW
from projects import Lab

Make = Callable[..., Lab]


@dataclass(frozen=True)
class Edit:
    """What happens, and what has to be built for it."""

    name: str
    do: Callable[[Lab], Any]
    built: frozenset[str]


def edit(name: str, do: Callable[[Lab], Any], *built: str) -> Any:
    return pytest.param(Edit(name, do, frozenset(built)), id=name)


def replace(file: str, *texts: str) -> Callable[[Lab], Any]:
    """Replace each text of a file by the one behind it."""

    def do(lab: Lab) -> None:
        for old, new in zip(texts[::2], texts[1::2], strict=True):
            lab.replace(file, old, new)

    return do


def write(file: str, text: str | None) -> Callable[[Lab], Any]:
    return lambda lab: lab.edit({file: text})


def front(file: str, lines: str) -> Callable[[Lab], Any]:
    return write(file, f"/*---\n{lines}\n---*/\n{FILES[file]}")


def use_variables(**variables: Any) -> Callable[[Lab], Any]:
    return lambda lab: setattr(lab, "variables", variables)


def use_environ(**environ: str) -> Callable[[Lab], Any]:
    return lambda lab: setattr(lab, "environ", environ)


def write_crlf(lab: Lab) -> None:
    """Let the lines of every file end as Windows ends them; most of them become several first."""
    models = {name: text.replace(" from ", "\nfrom ") for name, text in FILES.items() if name.startswith("models/")}
    edited = {**FILES, **models}
    lab.edit({name: text.replace("\n", "\r\n") for name, text in edited.items() if not name.startswith("seeds/")})


def rename_leaf(lab: Lab) -> None:
    lab.edit({"models/notes.sql": None, "models/remarks.sql": FILES["models/notes.sql"]})


EDITS = [
    edit("nothing", lambda lab: None),
    edit("a comment", replace("models/paid.sql", "select id", "-- what was paid\nselect id")),
    edit("a comment at the end", write("models/orders.sql", FILES["models/orders.sql"] + " -- all of them")),
    edit("indentation", replace("models/labelled.sql", " join labels", "\n    join labels")),
    edit("the case of keywords", replace("models/notes.sql", "select distinct", "SELECT DISTINCT")),
    edit("a semicolon", write("models/report.sql", FILES["models/report.sql"] + ";")),
    edit("CRLF in every file", write_crlf),
    edit("another sign for the same operator", replace("models/notes.sql", "<>", "!=")),
    edit("frontmatter that says the defaults", front("models/orders.sql", "materialized: table")),
    edit("owner and tags", front("models/orders.sql", "owner: ann\ntags: [nightly]")),
    edit(
        "a predicate that takes no row away",
        write("models/orders.sql", FILES["models/orders.sql"] + " where id > 0"),
        "orders",
    ),
    edit(
        "a predicate that takes a row away",
        write("models/orders.sql", FILES["models/orders.sql"] + " where id <> 3"),
        *("orders", "labelled", "copy", "days", "paid", "notes", "everyone"),
    ),
    edit(
        "a predicate that takes away what all read",
        write("models/orders.sql", FILES["models/orders.sql"] + " where id <> 4"),
        *("orders", "labelled", "copy", "days", "paid", "report", "notes", "everyone"),
    ),
    edit(
        "an expression that one branch reads",
        replace("models/orders.sql", "note from", "note || '!' as note from"),
        *("orders", "notes", "everyone", "copy"),
    ),
    edit("a column last", replace("models/orders.sql", "note from", "note, 1 as more from"), "orders", "copy"),
    edit("a column in the middle", replace("models/orders.sql", "kind,", "kind, 1 as more,"), "orders", "copy"),
    edit("columns in another order", replace("models/orders.sql", "amount, note", "note, amount"), "orders", "copy"),
    edit("a column that nobody names dropped", replace("models/paid.sql", "id, customer", "customer"), "paid"),
    edit(
        "a wider type",
        replace("models/orders.sql", "customer,", "customer::bigint as customer,"),
        *("orders", "paid", "totals", "report", "copy"),
    ),
    edit("the body of a macro", replace("macros/money.sql", "* 100", "* 1000"), "paid", "report"),
    edit("the layout of a macro", replace("macros/money.sql", "* 100", "*   100")),
    edit("a comment beside a macro", write("macros/money.sql", "{# cents #}\n" + FILES["macros/money.sql"])),
    edit("a comment in the body of a macro", replace("macros/money.sql", "* 100", "/* cents */ * 100")),
    edit("a macro that nobody uses", write("macros/more.sql", "{% macro twice(x) %}{{ x }} * 2{% endmacro %}")),
    edit(
        "a macro that nobody uses beside one that is used",
        write("macros/money.sql", FILES["macros/money.sql"] + "{% macro twice(x) %}{{ x }} * 2{% endmacro %}"),
    ),
    edit("a variable that is read", replace("leapsql.yaml", "least: 5", "least: 15"), "paid", "report"),
    edit("a variable that changes no row", replace("leapsql.yaml", "least: 5", "least: 4"), "paid"),
    edit("a variable that nobody reads", replace("leapsql.yaml", "unused: 1", "unused: 2")),
    edit("a variable of the run", use_variables(least=15), "paid", "report"),
    edit("an environment variable that is read", use_environ(WORD="bye"), "greeting"),
    edit("an environment variable that nobody reads", use_environ(OTHER="bye")),
    edit("a row of a seed", replace("seeds/labels.csv", "2,two,y", "2,zwei,y"), "labels", "labelled"),
    edit("a column of a seed that nobody reads", replace("seeds/labels.csv", "2,two,y", "2,two,z"), "labels"),
    edit("a seed that is typed otherwise", replace("seeds/labels.csv", "1,one", "1.0,one"), "labels", "labelled"),
    edit("a table becomes a view", front("models/paid.sql", "materialized: view"), "paid", "report"),
    edit(
        "a view becomes a table",
        replace("models/totals.sql", "materialized: view", "materialized: table"),
        *("totals", "report"),
    ),
    edit("another key", replace("models/days.sql", "unique_key: id", "unique_key: [id, amount]"), "days"),
    edit("a leaf renamed", rename_leaf, "remarks"),
    edit("a leaf deleted", write("models/notes.sql", None)),
    edit("a leaf added", write("models/more.sql", "select id from orders"), "more"),
    edit("DISTINCT taken out", replace("models/notes.sql", "distinct ", ""), "notes"),
    edit("UNION becomes UNION ALL", replace("models/everyone.sql", "union", "union all"), "everyone"),
    edit("the case of a literal", replace("models/greeting.sql", "'hello'", "'Hello'"), "greeting"),
    edit(
        "a dependency in WHERE EXISTS",
        write(
            "models/report.sql",
            FILES["models/report.sql"] + "\nwhere exists (select 1 from labelled as l where l.id = t.customer)",
        ),
        "report",
    ),
    edit("an alias that says the name again", replace("models/report.sql", "select c.name", "select c.name as name")),
    edit(
        "aliases of tables renamed, sides of an ON swapped, INNER written",
        write(
            "models/report.sql",
            "select buyer.name, s.cents from totals as s inner join customers as buyer on (s.customer = buyer.id)",
        ),
    ),
    edit(
        "a CTE renamed",
        replace("models/greeting.sql", "with c as", "with k as", "word, name from c", "word, name from k"),
    ),
    edit("GROUP BY 1", replace("models/totals.sql", "group by customer", "group by 1")),
    edit("parentheses", replace("models/paid.sql", "amount > {{ var('least') }}", "((amount) > ({{ var('least') }}))")),
    edit(
        "a cast to the type that it has", replace("models/notes.sql", "distinct note", "distinct note::varchar as note")
    ),
    edit("an alias that is another name", replace("models/report.sql", "c.name,", "c.name as called,"), "report"),
    edit("DISTINCT gains a column", replace("models/notes.sql", "distinct note", "distinct note, kind"), "notes"),
    edit(
        "a model moved to another schema",
        front("models/customers.sql", "schema: crm"),
        *("customers", "report", "everyone", "greeting"),
    ),
    edit(
        "a row of a source",
        lambda lab: lab.sql("insert into raw.orders values (5, 1, 1, 2, 'a')"),
        *("orders", "labelled", "copy", "days", "paid", "notes", "everyone"),
    ),
    edit(
        "a column of a source that nobody reads", lambda lab: lab.sql("alter table raw.customers add column x integer")
    ),
    edit(
        "rows of a source in another order",
        lambda lab: lab.sql("create or replace table raw.orders as from raw.orders order by id desc"),
    ),
    edit("a dropped table", lambda lab: lab.meddle("drop table main.paid"), "paid"),
    edit("a dropped view", lambda lab: lab.meddle("drop view main.totals"), "totals"),
]


@pytest.mark.parametrize("happens", EDITS)
def test_an_edit_builds_what_it_has_to(make_lab: Make, happens: Edit) -> None:
    """Exactly that is built; afterwards every relation holds what a build from scratch gives, and nothing is left."""
    lab = make_lab(FILES)
    lab.sql(*RAW)
    assert lab.run().status == "completed"
    happens.do(lab)
    outcome = lab.run()
    assert outcome.status == "completed", outcome.end.error
    assert outcome.built == happens.built
    lab.assert_as_from_scratch(but=["days"])
    assert lab.run().started == []


@pytest.mark.parametrize("happens", EDITS)
def test_an_edit_that_is_taken_back_before_a_run_builds_nothing(make_lab: Make, happens: Edit) -> None:
    """Files that are as they were are as if nothing had happened; what was done to the database is another thing."""
    lab = make_lab(FILES)
    lab.sql(*RAW)
    lab.run()
    statements = len(lab.statements)
    relations = lab.warehouse.relations()
    happens.do(lab)
    if len(lab.statements) > statements or lab.warehouse.relations() != relations:
        return
    lab.files, lab.variables, lab.environ = dict(FILES), None, {}
    assert lab.run().started == []
