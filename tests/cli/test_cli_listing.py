"""`leapsql list`, `dag`, `lineage` and `render`: what the project says, without a warehouse."""

from __future__ import annotations

from cli_shop import PATHS, Shop, Terminal, without_colour


def test_list_tells_six_facts_of_each_model(shop: Shop) -> None:
    """Path, materialization, relation, tags, owner and file, in text, Markdown and JSON."""
    models = shop.json("list")["models"]
    assert [model["path"] for model in models] == PATHS
    assert models[2] == {
        "path": "marts.customers",
        "materialized": "table",
        "relation": "marts.customers",
        "tags": ["core", "report"],
        "owner": "sales",
        "file": "models/marts/customers.sql",
    }
    assert models[0]["materialized"] == "seed"
    text = shop.text("list", "customers").splitlines()
    assert text[0].split() == ["path", "materialized", "relation", "tags", "owner", "file"]
    assert text[1] == "marts.customers  table         marts.customers  core, report  sales  models/marts/customers.sql"
    assert "| marts.customers | table " in shop.leapsql("list").out


def test_list_takes_a_selection(shop: Shop) -> None:
    """SELECT and --exclude are as everywhere."""
    assert [model["path"] for model in shop.json("list", "tag:core", "--exclude", "customers")["models"]] == [
        "staging.orders"
    ]
    assert len(shop.json("list", "state:changed")["models"]) == 5


def test_columns_without_room_are_left_out_and_named(shop: Shop, terminal: Terminal) -> None:
    """On a narrow terminal less needful columns go, and the list says which."""
    shown = without_colour(terminal("-C", str(shop.root), "list", width=60).out).splitlines()
    assert shown[0].split() == ["path", "materialized", "tags", "owner"]
    assert shown[-1] == "(no room for: relation, file)"


def test_dag_shows_levels_as_text(shop: Shop) -> None:
    """Each model stands one level below the lowest of what it reads."""
    shop.write("models/late.sql", "select t.total, r.x from marts.totals t, lake.rates r")
    lines = [line.split() for line in shop.text("dag").splitlines()]
    assert lines[0] == ["level", "name", "kind", "reads"]
    assert lines[1:] == [
        ["0", "lake.rates", "source"],
        ["raw_orders", "seed"],
        ["1", "staging.orders", "view", "raw_orders"],
        ["2", "marts.customers", "table", "staging.orders"],
        ["marts.order_log", "incremental", "staging.orders"],
        ["3", "marts.totals", "table", "marts.customers"],
        ["4", "late", "table", "lake.rates,", "marts.totals"],
    ]


def test_dag_is_a_mermaid_diagram_as_markdown(shop: Shop) -> None:
    """Markdown shows a flowchart that renders where Markdown does."""
    assert shop.leapsql("dag", "+customers").lines == [
        "```mermaid",
        "flowchart LR",
        '  n0[("raw_orders")]',
        '  n1("staging.orders")',
        '  n2["marts.customers"]',
        "  n0 --> n1",
        "  n1 --> n2",
        "```",
    ]


def test_dag_is_nodes_and_edges_as_json(shop: Shop) -> None:
    """Edges carry the columns that are read; only what was selected, and sources, are there."""
    facts = shop.json("dag", "staging.orders", "customers")
    assert facts == {
        "nodes": [
            {"path": "staging.orders", "kind": "view", "level": 0},
            {"path": "marts.customers", "kind": "table", "level": 1},
        ],
        "edges": [{"from": "staging.orders", "to": "marts.customers", "columns": ["customer", "amount"]}],
    }


def test_lineage_of_a_model_is_what_it_reads_and_what_reads_it(shop: Shop) -> None:
    """Both directions, one step, with the columns that are read."""
    shop.remove("models/marts/order_log.sql")
    assert shop.text("lineage", "orders").splitlines() == [
        "staging.orders reads",
        "name        kind  columns",
        "raw_orders  seed  id, customer, amount",
        "",
        "staging.orders is read by",
        "name             kind   columns",
        "marts.customers  table  customer, amount",
    ]
    facts = shop.json("lineage", "customers")
    assert list(facts) == ["path", "reads", "read_by", "unknown", "columns"]
    assert facts["reads"] == [{"path": "staging.orders", "kind": "view", "columns": ["customer", "amount"]}]
    assert facts["read_by"] == [{"path": "marts.totals", "kind": "table", "columns": ["total"]}]
    assert facts["columns"][1] == {
        "name": "total",
        "kind": "derived",
        "sources": [{"path": "staging.orders", "column": "amount"}],
    }


def test_lineage_says_where_there_is_none(shop: Shop) -> None:
    """Seeds read nothing, and nothing reads the last model."""
    assert "raw_orders reads nothing\n" in shop.text("lineage", "raw_orders")
    assert "marts.totals is read by nothing\n" in shop.text("lineage", "totals")


def test_lineage_of_a_source_is_what_reads_it(shop: Shop) -> None:
    """A source can be asked for like a model."""
    shop.write("models/late.sql", "select x from lake.rates")
    facts = shop.json("lineage", "lake.rates")
    assert (facts["reads"], facts["read_by"]) == ([], [{"path": "late", "kind": "table", "columns": ["x"]}])
    assert shop.json("lineage", "rates", "--column", "x", "--downstream")["columns"][1] == {
        "path": "late",
        "column": "x",
        "kind": "direct",
    }


def test_a_column_is_followed_up_to_seeds_and_sources(shop: Shop) -> None:
    """Through all levels, each column with how it is made."""
    assert shop.text("lineage", "totals", "--column", "TOTAL").splitlines() == [
        "marts.totals.total  derived",
        "└─ marts.customers.total  derived",
        "   └─ staging.orders.amount  direct",
        "      └─ raw_orders.amount  seed",
    ]
    facts = shop.json("lineage", "customers", "--column", "total")
    assert facts == {
        "path": "marts.customers",
        "column": "total",
        "direction": "upstream",
        "columns": [
            {"path": "marts.customers", "column": "total", "kind": "derived"},
            {"path": "staging.orders", "column": "amount", "kind": "direct"},
            {"path": "raw_orders", "column": "amount", "kind": "seed"},
        ],
        "edges": [
            {
                "from": {"path": "staging.orders", "column": "amount"},
                "to": {"path": "marts.customers", "column": "total"},
            },
            {"from": {"path": "raw_orders", "column": "amount"}, "to": {"path": "staging.orders", "column": "amount"}},
        ],
    }


def test_a_column_is_followed_down_to_all_that_takes_it_over(shop: Shop) -> None:
    """Downstream is the same graph, read the other way."""
    assert shop.text("lineage", "raw_orders", "--column", "amount", "--downstream").splitlines() == [
        "raw_orders.amount  seed",
        "└─ staging.orders.amount  direct",
        "   ├─ marts.customers.total  derived",
        "   │  └─ marts.totals.total  derived",
        "   └─ marts.order_log.amount  direct",
    ]


def test_a_column_met_twice_is_followed_once(shop: Shop) -> None:
    """Where two ways join, the second says that it stands above."""
    shop.write("models/sums.sql", "select amount + amount2 as s from doubled")
    shop.write("models/doubled.sql", "select amount, amount as amount2 from staging.orders")
    text = shop.text("lineage", "sums", "--column", "s")
    assert "├─ doubled.amount  direct\n│  └─ staging.orders.amount  direct\n" in text
    assert "└─ doubled.amount2  direct\n   └─ staging.orders.amount  direct, see above\n" in text


def test_a_column_without_values_of_others_says_what_decides_it(shop: Shop) -> None:
    """A count takes no value over; what decides it is named, or that nothing does."""
    shop.write("models/counted.sql", "select count(*) filter (where amount > 1) as some, 1 as one from staging.orders")
    assert shop.text("lineage", "counted", "--column", "some") == (
        "counted.some  derived, decided by staging.orders.amount\n"
    )
    assert shop.text("lineage", "counted", "--column", "one") == "counted.one  derived, from no column\n"


def test_what_is_not_known_is_said_to_be_unknown(shop: Shop) -> None:
    """Nothing is guessed: unknown columns are named with what hides them."""
    shop.write("models/wild.sql", "select columns('a.*') from staging.orders")
    shop.write("models/tame.sql", "select amount from wild")
    table = shop.text("lineage", "wild")
    assert "partly unknown: " in table
    assert shop.json("lineage", "wild")["columns"] is None
    above = shop.text("lineage", "tame", "--column", "amount")
    assert above.splitlines()[1].startswith("└─ wild.amount  unknown, for ")
    below = shop.text("lineage", "staging.orders", "--column", "amount", "--downstream")
    assert any(line.lstrip("│├└─ ").startswith("wild  unknown, for ") for line in below.splitlines())


def test_lineage_refuses_what_makes_no_sense(shop: Shop) -> None:
    """A column that is not there, and a direction without a column."""
    answer = shop.leapsql("lineage", "customers", "--column", "totl")
    assert (answer.status, answer.err.splitlines()[1].strip()) == (2, "Did you mean total?")
    assert shop.leapsql("lineage", "customers", "--downstream").status == 2


def test_render_prints_the_query_and_nothing_else(shop: Shop, terminal: Terminal) -> None:
    """The output of render can be piped into a database."""
    sql = "select customer, sum(amount) as total\nfrom staging.orders\nwhere amount > 0\ngroup by customer\n"
    assert shop.leapsql("render", "customers").out == sql
    assert shop.text("render", "customers") == sql
    assert terminal("-C", str(shop.root), "render", "customers").out.replace("\r", "") == sql
    assert shop.json("render", "customers") == {"path": "marts.customers", "sql": sql.rstrip()}


def test_render_shows_batches_and_resolved_names(shop: Shop) -> None:
    """`--incremental` is the query of a batch, `--resolved` the text that runs."""
    assert "where" not in shop.leapsql("render", "order_log").out
    assert "where id > (select max(id) from " in shop.leapsql("render", "order_log", "--incremental").out
    assert 'from "staging"."orders"' in shop.leapsql("render", "order_log", "--resolved").out


def test_render_refuses_what_has_no_such_query(shop: Shop) -> None:
    """A seed has no query, and a view no batches."""
    assert "raw_orders is a seed" in shop.leapsql("render", "raw_orders").err
    answer = shop.leapsql("render", "orders", "--incremental")
    assert (answer.status, "is a view: it has no batches" in answer.err) == (2, True)
