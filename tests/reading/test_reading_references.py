"""References: names are replaced by relations in the author's own text, and nothing else of it is touched."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from projects import RememberingAnalyst
from reading_samples import PARENT, TARGET, compile_model, configure, find_model

from leapsql_core.compilation import Compiler, ProjectTexts

FILES = {
    "models/staging/orders.sql": PARENT,
    "models/marts/late.sql": f"/*---\nname: delays\nschema: core\n---*/\n{PARENT}",
    "models/top.sql": PARENT,
    "seeds/codes.csv": "x,y\n1,2\n",
}
ANALYST = RememberingAnalyst()


@pytest.mark.parametrize(
    ("written", "resolved"),
    [
        ("select x from orders", 'select x from "staging"."orders"'),
        ("select x from staging.orders", 'select x from "staging"."orders"'),
        ('SELECT x FROM "Staging" . /* here */ Orders', 'SELECT x FROM "staging"."orders"'),
        ("select staging.orders.x from staging.orders", 'select "staging"."orders".x from "staging"."orders"'),
        ("select Staging.Orders.x from staging.orders", 'select "staging"."orders".x from "staging"."orders"'),
        ("select orders.x from staging.orders", 'select orders.x from "staging"."orders"'),
        ("select orders.x from orders", 'select orders.x from "staging"."orders"'),
        ("select orders from orders", 'select orders from "staging"."orders"'),
        ("select o.x from staging.orders as o", 'select o.x from "staging"."orders" as o'),
        ("select marts.delays.x from marts.delays", 'select "core"."delays".x from "core"."delays"'),
        ("select core.delays.x from core.delays", 'select "core"."delays".x from "core"."delays"'),
        ("select delays.x from marts.delays", 'select delays.x from "core"."delays"'),
        (
            "select d.x from marts.delays d where exists (from top where marts.delays.x = top.x)",
            'select d.x from "core"."delays" d where exists (from "main"."top" where marts.delays.x = top.x)',
        ),
        ("select x -- from orders\nfrom orders", 'select x -- from orders\nfrom "staging"."orders"'),
        ("select 'orders' as t from orders", "select 'orders' as t from \"staging\".\"orders\""),
        ("select x /* orders */ from orders", 'select x /* orders */ from "staging"."orders"'),
        ("select $$from orders$$ as t from orders", 'select $$from orders$$ as t from "staging"."orders"'),
        ("select x orders from top", 'select x orders from "main"."top"'),
        (
            "with orders as (select x from orders) select orders.x from orders",
            'with orders as (select x from "staging"."orders") select orders.x from orders',
        ),
        ("select\n\tx\r\nfrom\tcodes,top", 'select\n\tx\r\nfrom\t"main"."codes","main"."top"'),
        ("select x from raw.orders, orders", 'select x from raw.orders, "staging"."orders"'),
        ("select raw.orders.x from RAW.Orders", "select raw.orders.x from RAW.Orders"),
        ("from top pivot (sum(y) for x in (1))", 'from "main"."top" pivot (sum(y) for x in (1))'),
        ("pivot top on x using sum(y)", 'pivot "main"."top" on x using sum(y)'),
        ("select '🙂' as é, x from top", "select '🙂' as é, x from \"main\".\"top\""),
        ("select x'ab' as b from staging.orders", "select x'ab' as b from \"staging\".\"orders\""),
    ],
)  # fmt: skip
def test_a_reference_becomes_its_relation_s_quoted_name(written: str, resolved: str) -> None:
    """Where a table stands, and where a column's qualifier repeats a name of several parts."""
    query = compile_model(written, FILES).query
    assert (query.rendered, query.resolved) == (written, resolved)


def test_a_semicolon_at_the_end_is_left_out() -> None:
    """It ends a statement, and the query becomes a part of one; comments behind it stay."""
    assert compile_model("select x from top;", FILES).query.resolved == 'select x from "main"."top"'
    query = compile_model("select ';' as s from top ; -- so; that", FILES).query
    assert query.rendered == "select ';' as s from top ; -- so; that"
    assert query.resolved == 'select \';\' as s from "main"."top"  -- so; that'


def test_a_schema_of_the_catalog_s_name_is_said_with_the_catalog() -> None:
    """DuckDB would take it for the catalog."""
    files = {"models/memory/orders.sql": PARENT}
    assert compile_model("select memory.orders.x from memory.orders", files).query.resolved == (
        'select "memory"."memory"."orders".x from "memory"."memory"."orders"'
    )


def test_names_of_sources_stay_as_they_are_written() -> None:
    """Whoever made them, this project did not."""
    text = 'select "Raw"."Orders".x from "Raw"."Orders", plain, a.b.c'
    assert compile_model(text).query.resolved == text


PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                " ",
                "\n",
                "\t",
                "\r\n",
                "-- from orders\n",
                "/* staging.orders */",
                "/* a /* nested */ b */",
                "--\n",
            ]
        ),
        st.text(st.characters(codec="utf-8", exclude_characters="*/\n\r\0{}%#-"), max_size=6).map(
            lambda text: f"/*{text}*/"
        ),
    ),
    min_size=1,
    max_size=4,
).map(lambda pieces: "".join(pieces) + "\n")


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(PIECES, PIECES, PIECES, PIECES, st.sampled_from(["orders", "staging.orders", 'Staging."orders"']))
def test_everything_else_stays_byte_for_byte(one: str, two: str, three: str, four: str, name: str) -> None:
    """Whatever stands around a reference, and however it is laid out."""
    before = f"select{one}'orders' as t,{two}y as orders from{three}"
    after = f"{four}where x <> 'staging.orders'"
    texts = ProjectTexts(
        {PurePosixPath("reader.sql"): before + name + after, PurePosixPath("staging/orders.sql"): PARENT}
    )
    compiler = Compiler(configure(TARGET), texts, environ={}, catalog="wh", analyst=ANALYST)
    query = find_model(compiler.compile(), "reader").query
    assert query.resolved == f'{before}"staging"."orders"{after}'
