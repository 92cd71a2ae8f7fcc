"""Selection: the grammar, everywhere the same; a word that selects nothing is an error with the nearest names."""

from __future__ import annotations

import pytest
from projects import compile_project

from leapsql_core.errors import SelectionError
from leapsql_core.models import Project
from leapsql_core.selection import needs_state, select, words_of


def facts(**said: str) -> str:
    return "/*---\n" + "".join(f"{key}: {value}\n" for key, value in said.items()) + "---*/\n"


PROJECT: Project = compile_project(
    {
        "seeds/codes.csv": "x\n1\n",
        "models/staging/orders.sql": facts(tags="[core, daily]", owner="ann@example.com", materialized="view")
        + "select x from codes",
        "models/staging/days.sql": facts(tags="Core") + "select 1 as x",
        "models/marts/late.sql": facts(owner="Sales") + "select x from staging.orders",
        "models/marts/deep/early.sql": facts(materialized="incremental") + "select x from marts.late",
        "models/report.sql": "select x from early join days using (x)",
        "models/marts/report.sql": "select 1 as x",
    }
)
ALL = ["codes", "marts.report", "staging.days", "staging.orders", "marts.late", "marts.deep.early", "report"]


def chosen(*words: str, exclude: tuple[str, ...] = (), changed: tuple[str, ...] | None = None) -> str:
    found = select(PROJECT, words, exclude=exclude, changed=None if changed is None else lambda: changed)
    return " ".join(found)


@pytest.mark.parametrize(
    ("expression", "paths"),
    [
        ("orders", "staging.orders"),
        ("ORDERS", "staging.orders"),
        ("staging.orders", "staging.orders"),
        ("Staging.Orders", "staging.orders"),
        ("codes", "codes"),
        ("report", "marts.report report"),
        ("marts.report", "marts.report"),
        ("staging.*", "staging.days staging.orders"),
        ("marts.*", "marts.report marts.late marts.deep.early"),
        ("marts.deep.*", "marts.deep.early"),
        ("*", " ".join(ALL)),
        ("*.orders", "staging.orders"),
        ("*o*d*", "codes staging.orders"),
        ("*port", "marts.report report"),
        ("tag:core", "staging.days staging.orders"),
        ("tag:CORE", "staging.days staging.orders"),
        ("tag:dai*", "staging.orders"),
        ("owner:ann@example.com", "staging.orders"),
        ("owner:sales", "marts.late"),
        ("owner:*", "staging.orders marts.late"),
        ("materialized:view", "staging.orders"),
        ("materialized:seed", "codes"),
        ("materialized:incremental", "marts.deep.early"),
        ("materialized:table", "marts.report staging.days marts.late report"),
        ("+late", "codes staging.orders marts.late"),
        ("late+", "marts.late marts.deep.early report"),
        ("+late+", "codes staging.orders marts.late marts.deep.early report"),
        ("1+late", "staging.orders marts.late"),
        ("late+1", "marts.late marts.deep.early"),
        ("2+early", "staging.orders marts.late marts.deep.early"),
        ("1+late+1", "staging.orders marts.late marts.deep.early"),
        ("0+late", "marts.late"),
        ("0+late+0", "marts.late"),
        ("999999+late", "codes staging.orders marts.late"),
        ("+tag:core", "codes staging.days staging.orders"),
        ("tag:core+1", "staging.days staging.orders marts.late report"),
        ("+marts.deep.*", "codes staging.orders marts.late marts.deep.early"),
        ("late,codes", "codes marts.late"),
        ("late codes", "codes marts.late"),
        (" late ,, codes\n+early, late", "codes staging.orders marts.late marts.deep.early"),
    ],
)
def test_a_word_selects(expression: str, paths: str) -> None:
    """Parents first; names, paths, patterns and facts in any case; comma and space join."""
    assert chosen(expression) == paths


def test_no_word_selects_everything() -> None:
    """So does none at all; a text without a word is a mistake of whoever made it."""
    assert chosen() == " ".join(ALL)
    for text in ("", " ", ",", " , "):
        with pytest.raises(SelectionError) as caught:
            chosen(text)
        assert str(caught.value) == "the selection is empty\n    Leave it out to select everything."


def test_several_expressions_join() -> None:
    """As they come from a command line."""
    assert chosen("late", "codes,days") == "codes staging.days marts.late"
    assert words_of(["a+,tag:x", "b  c", ""]) == ["a+", "tag:x", "b", "c"]


@pytest.mark.parametrize(
    ("words", "exclude", "paths"),
    [
        ((), ("marts.*",), "codes staging.days staging.orders report"),
        (("+late",), ("codes",), "staging.orders marts.late"),
        (("+late",), ("+orders",), "marts.late"),
        (("*",), ("tag:core report", "codes"), "marts.late marts.deep.early"),
        (("late",), ("late",), ""),
        (("late",), ("days",), "marts.late"),
        (("late",), ("",), "marts.late"),
    ],
)
def test_what_is_excluded_is_taken_away_at_the_end(
    words: tuple[str, ...], exclude: tuple[str, ...], paths: str
) -> None:
    """At the end, in the same grammar; what is left may be nothing."""
    assert chosen(*words, exclude=exclude) == paths


@pytest.mark.parametrize(
    ("expression", "paths"),
    [
        ("state:changed", "codes marts.late"),
        ("state:changed+", "codes staging.orders marts.late marts.deep.early report"),
        ("1+state:changed", "codes staging.orders marts.late"),
        ("state:changed days", "codes staging.days marts.late"),
    ],
)
def test_what_changed_is_asked_of_the_plan(expression: str, paths: str) -> None:
    """In the same grammar; paths that the project no longer has are none."""
    assert chosen(expression, changed=("marts.late", "codes", "gone")) == paths


def test_that_nothing_changed_is_no_error() -> None:
    """It is an answer; and it is asked only when a selection asks."""
    assert chosen("state:changed", changed=()) == ""
    assert chosen("state:changed", exclude=("state:changed",), changed=("codes",)) == ""

    def never() -> list[str]:
        raise AssertionError("the state was asked")

    assert select(PROJECT, ["late"], changed=never) == ["marts.late"]


@pytest.mark.parametrize(
    ("expressions", "asked"),
    [
        ([], False),
        (["late", "tag:state"], False),
        (["state"], False),
        (["late state:changed"], True),
        (["2+state:changed+1"], True),
        (["+state:other"], True),
    ],
)
def test_a_selection_tells_whether_it_needs_the_state(expressions: list[str], asked: bool) -> None:
    """So that others open none."""
    assert needs_state(expressions) == asked


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("ordes", "`ordes` selects nothing\n    Did you mean orders or codes?"),
        ("staging.ordes", "`staging.ordes` selects nothing\n    Did you mean staging.orders or staging.days?"),
        ("reprt", "`reprt` selects nothing\n    Did you mean report?"),
        ("xyz", "`xyz` selects nothing\n    `leapsql list` shows what there is."),
        ("stagin.*", "`stagin.*` selects nothing\n    Did you mean staging.days or staging.orders?"),
        ("order?", "`order?` selects nothing\n    Did you mean orders?"),
        ("[o]rders", "`[o]rders` selects nothing\n    Did you mean orders or codes?"),
        ("[o]rder*", "`[o]rder*` selects nothing\n    Did you mean orders?"),
        ("?o*", "`?o*` selects nothing\n    `leapsql list` shows what there is."),
        ("tag:cor", "`tag:cor` selects nothing\n    Did you mean tag:Core?"),
        ("tag:", "`tag:` selects nothing\n    `leapsql list` shows what there is."),
        ("owner:sale", "`owner:sale` selects nothing\n    Did you mean owner:Sales?"),
        ("materialized:veiw", "`materialized:veiw` selects nothing\n    Did you mean materialized:view?"),
        ("tags:core", "`tags:core`: there is no selection by `tags:`\n    Did you mean tag?"),
        ("x:core", "`x:core`: there is no selection by `x:`\n    Known: materialized:, owner:, state:, tag:."),
        (":core", "`:core`: there is no selection by `:`\n    Known: materialized:, owner:, state:, tag:."),
        ("state:new", "`state:new`: there is no such state\n    Write state:changed."),
        (
            "state:changed",
            "`state:changed` cannot be used here: the state is not at hand\n    Name models, folders or tags instead.",
        ),
        ("+", "the selection `+` cannot be read\n    Write +name, name+, +name+ or 2+name."),
        ("++late", "the selection `++late` cannot be read\n    Write +name, name+, +name+ or 2+name."),
        ("late++", "the selection `late++` cannot be read\n    Write +name, name+, +name+ or 2+name."),
        ("late+x", "the selection `late+x` cannot be read\n    Write +name, name+, +name+ or 2+name."),
        ("-1+late", "the selection `-1+late` cannot be read\n    Write +name, name+, +name+ or 2+name."),
        ("1234567+late", "the selection `1234567+late` cannot be read\n    Write +name, name+, +name+ or 2+name."),
        ("+xyz", "`xyz` selects nothing\n    `leapsql list` shows what there is."),
    ],
)
def test_a_word_that_selects_nothing_is_an_error(expression: str, message: str) -> None:
    """With the nearest names: a mistyped model in a schedule would never be built. In what is excluded, too."""
    for words, exclude in (((expression,), ()), (("*",), (expression,)), ((f"late {expression}",), ())):
        with pytest.raises(SelectionError) as caught:
            chosen(*words, exclude=exclude)
        assert str(caught.value) == message


def test_a_disabled_model_cannot_be_selected() -> None:
    """It is not there."""
    project = compile_project({"models/off.sql": facts(enabled="false") + "x", "models/on.sql": "select 1 as x"})
    with pytest.raises(SelectionError, match="`off` selects nothing"):
        select(project, ["off"])


def test_a_project_without_models_has_nothing_to_select() -> None:
    """All of it is nothing, and no word means anything."""
    empty = compile_project({})
    assert select(empty) == []
    with pytest.raises(SelectionError, match="selects nothing"):
        select(empty, ["*"])
