"""A project as they are in life: seed, macro, variables, tables, a view, an incremental model, DISTINCT, stars."""

from __future__ import annotations

from collections.abc import Mapping

YAML = """\
target: {type: duckdb, database: ':memory:'}
vars: {least: 5, unused: 1}
"""
FILES: Mapping[str, str] = {
    "leapsql.yaml": YAML,
    "seeds/labels.csv": "kind,label,unread\n1,one,x\n2,two,y\n",
    "macros/money.sql": "{% macro cents(column) %}({{ column }} * 100){% endmacro %}\n",
    "models/orders.sql": "select id, customer, kind, amount, note from raw.orders",
    "models/customers.sql": "select id, name from raw.customers",
    "models/paid.sql": (
        "select id, customer, {{ money.cents('amount') }} as cents from orders where amount > {{ var('least') }}"
    ),
    "models/labelled.sql": "select o.id, l.label from orders as o join labels as l on l.kind = o.kind",
    "models/totals.sql": (
        "/*---\nmaterialized: view\n---*/\nselect customer, sum(cents) as cents from paid group by customer"
    ),
    "models/report.sql": "select c.name, t.cents from totals as t join customers as c on c.id = t.customer",
    "models/notes.sql": "select distinct note from orders where note <> '?'",
    "models/everyone.sql": "select name from customers union select note from orders",
    "models/copy.sql": "select * from orders",
    "models/greeting.sql": (
        "with c as (select name from customers) select '{{ env.get('WORD', 'hello') }}' as word, name from c"
    ),
    "models/days.sql": "/*---\nmaterialized: incremental\nunique_key: id\n---*/\nselect id, amount from orders"
    "{% if is_incremental() %} where id > 0 {% endif %}",
}
RAW = (
    "create schema raw",
    "create table raw.orders as select * from (values (1, 1, 1, 10, 'a'), (2, 1, 2, 20, 'b'), (3, 2, 1, 3, 'a'),"
    " (4, 2, 2, 40, 'B')) as v(id, customer, kind, amount, note)",
    "create table raw.customers as select * from (values (1, 'ann'), (2, 'bob')) as v(id, name)",
)
