"""Incremental models: rendered whole and as a batch, hashed with both, and rendered again with a run's values."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from projects import make_compiler
from reading_samples import compile_model, find_model, model_problems

from leapsql_core.errors import ProjectError
from leapsql_core.models import Input, Model, Query, Relation
from leapsql_core.rendering import RunValues

EVENTS = "select 1 as id, 2 as day, 3 as amount, 4 as late"
FRONTMATTER = "/*---\nmaterialized: incremental\nunique_key: id\n---*/\n"
BATCHES = """\
select id, amount
from events
{% if is_incremental() %}
where day > (select max(id) from {{ this }})
{% endif %}
"""


def compiled(text: str, frontmatter: str = FRONTMATTER) -> Model:
    return compile_model(frontmatter + text, {"models/events.sql": EVENTS})


def test_both_branches_are_rendered() -> None:
    """The whole and the batch, each with its references replaced; the model's own rows are no input."""
    model = compiled(BATCHES)
    assert model.query == Query("select id, amount\nfrom events", 'select id, amount\nfrom "main"."events"')
    assert model.incremental_query == Query(
        'select id, amount\nfrom events\n\nwhere day > (select max(id) from "main"."reader")',
        'select id, amount\nfrom "main"."events"\n\nwhere day > (select max(id) from "main"."reader")',
    )
    assert model.inputs == (Input("events", "model", Relation("main", "events"), ("amount", "day", "id")),)


@pytest.mark.parametrize("materialized", ["table", "view"])
def test_other_models_have_no_batches(materialized: str) -> None:
    """`is_incremental()` is false in them."""
    model = compiled(BATCHES, f"/*---\nmaterialized: {materialized}\n---*/\n")
    assert model.incremental_query is None
    assert model.query.rendered == "select id, amount\nfrom events"


def test_a_batch_need_not_differ() -> None:
    """A model that appends whatever its query yields has one text for both."""
    model = compiled("select id, amount from events")
    assert model.incremental_query == model.query


def test_a_batch_s_inputs_and_columns_are_the_model_s() -> None:
    """What only the batch reads is read; so are the order, what moves by itself, macros and run values of it."""
    text = """\
select id, amount from events
{% if is_incremental() %}
where late > (select count(*) from other) and amount < random() and '{{ last_run_at }}' < '{{ lib.m() }}'
{% endif %}
"""
    files = {
        "models/events.sql": EVENTS,
        "models/other.sql": "select 1 as x",
        "macros/lib.sql": "{% macro m() %}z{% endmacro %}",
    }
    model = compile_model(FRONTMATTER + text, files)
    assert [(given.name, given.columns) for given in model.inputs] == [
        ("events", ("amount", "id", "late")),
        ("other", ()),
    ]
    assert (model.volatile, model.run_values, model.macros) == (("random",), ("last_run_at",), ("macros/lib.sql",))


@pytest.mark.parametrize("test", ["is_incremental()", "not is_incremental()"])
def test_what_hangs_on_the_order_of_rows_in_one_of_both_hangs_on_it(test: str) -> None:
    """A batch with LIMIT is another one when its input's rows lie in another order."""
    model = compiled(f"select id, amount from events {{% if {test} %}}limit 5{{% endif %}}")
    assert model.lineage.ordered == "LIMIT without ORDER BY"
    assert compiled(BATCHES).lineage.ordered is None


def test_where_one_of_both_reads_all_columns_all_are_read() -> None:
    """Whichever of them it is."""
    for text in (
        "select id from events {% if is_incremental() %} where events is not null {% endif %}",
        "select id from events {% if not is_incremental() %} where events is not null {% endif %}",
    ):
        assert compiled(text).inputs[0].columns is None


def test_the_hash_counts_both_branches() -> None:
    """An edit of either is an edit."""
    plain = compiled(BATCHES)
    edited_batch = compiled(BATCHES.replace("max(id)", "max(id + 0)"))
    edited_whole = compiled(BATCHES.replace("{% endif %}", "{% else %} where true {% endif %}"))
    assert len({plain.content_hash, edited_batch.content_hash, edited_whole.content_hash}) == 3
    assert plain.content_hash == compiled(BATCHES).content_hash


def test_the_model_s_own_columns_are_known_to_its_batch() -> None:
    """Unless later builds may add some: then nothing is certain."""
    text = "select id from events {% if is_incremental() %} where id > (select max(r.no) from {{ this }} r) {% endif %}"
    assert model_problems(FRONTMATTER + text, {"models/events.sql": EVENTS}) == [
        "models/reader.sql:5: it reads a column that is not there: reader has no column `no`\n    It has: id."
    ]
    growing = FRONTMATTER.replace("---*/", "incremental: {on_schema_change: append}\n---*/")
    assert compiled(text, growing).incremental_query is not None


def test_a_model_reads_itself_in_a_batch_alone() -> None:
    """Outside of it there is nothing to read yet."""
    mend = "An incremental model reads its own rows inside {% if is_incremental() %}, as {{ this }}."
    for text in ("select id from {{ this }}", "select id from reader", "select id from main.reader"):
        assert model_problems(FRONTMATTER + text) == [f"models/reader.sql:5: a cycle: reader → reader\n    {mend}"]
    assert model_problems("/*---\nschema: other\n---*/\nselect id from reader") == [
        f"models/reader.sql:4: a cycle: reader → reader\n    {mend} A table of that name outside of the project is "
        "written with its schema: main.reader."
    ]
    assert model_problems("/*---\ndepends_on: reader\n---*/\nselect 1 as id") == [
        f"models/reader.sql:2: a cycle: reader → reader\n    {mend}"
    ]


def test_a_run_s_values_are_put_in_when_it_runs() -> None:
    """The text that is hashed has placeholders, the one that runs what is so."""
    text = (
        "select id, '{{ run_started_at }}' as at from events "
        "{% if is_incremental() %} where '{{ last_run_at }}' < day {% endif %}"
    )
    compiler = make_compiler({"models/reader.sql": FRONTMATTER + text, "models/events.sql": EVENTS})
    model = find_model(compiler.compile(), "reader")
    assert model.incremental_query is not None
    assert model.incremental_query.rendered == (
        "select id, '1970-01-01 00:00:00+00:00' as at from events  where '1970-01-01 00:00:00+00:00' < day"
    )
    values = RunValues(datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    assert compiler.render_for_run(model, values, True).resolved == (
        "select id, '2026-03-01 12:00:00+00:00' as at from \"main\".\"events\"  where '2026-02-01 00:00:00+00:00' < day"
    )
    assert compiler.render_for_run(model, values, False).resolved == (
        'select id, \'2026-03-01 12:00:00+00:00\' as at from "main"."events"'
    )


def test_a_text_that_fails_with_a_run_s_values_is_an_error_of_its_file() -> None:
    """There is no last run before the first."""
    text = "select '{{ last_run_at.year }}' as x"
    compiler = make_compiler({"models/reader.sql": text})
    model = find_model(compiler.compile(), "reader")
    with pytest.raises(ProjectError) as caught:
        compiler.render_for_run(model, RunValues(datetime(2026, 3, 1, tzinfo=UTC), None), False)
    assert str(caught.value) == (
        "models/reader.sql:1: 'None' has no attribute 'year'\n"
        "    Check what stands in this line, and of which type it is."
    )


@pytest.mark.parametrize(
    "failing", ["select '{{ env.TOKEN }}' x y", "{{ env.TOKEN }} 1", "select {{ var(env.TOKEN) }}"]
)
def test_a_secret_does_not_show_when_a_run_s_text_fails(failing: str) -> None:
    """As in every other complaint."""
    text = f"{{% if last_run_at is none %}}{failing}{{% else %}}select 1 as x{{% endif %}}"
    files = {"leapsql.yaml": "target: {type: duckdb}\nsecrets: TOKEN\n", "models/reader.sql": text}
    compiler = make_compiler(files, environ={"TOKEN": "hunter2"})
    model = find_model(compiler.compile(), "reader")
    with pytest.raises(ProjectError) as caught:
        compiler.render_for_run(model, RunValues(last_run_at=None), False)
    assert "<secret TOKEN " in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_line_of_the_query_is_a_line_of_the_file_where_both_branches_agree() -> None:
    """What the database says of a line is said of the file; where that is not certain, nothing is."""
    text = FRONTMATTER + BATCHES
    compiler = make_compiler({"models/reader.sql": text, "models/events.sql": EVENTS})
    model = find_model(compiler.compile(), "reader")
    assert compiler.line_in_file(model, 1) == 5
    assert compiler.line_in_file(model, 2) == 6
    assert compiler.line_in_file(model, 9) is None
    plain = make_compiler({"models/reader.sql": "/*---\n---*/\nselect 1 as x,\n2 as y"})
    assert plain.line_in_file(find_model(plain.compile(), "reader"), 2) == 4
