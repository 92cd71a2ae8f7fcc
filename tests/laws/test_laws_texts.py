"""Laws of what a text says: layout and comments nothing, a literal always something."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import duckdb
from chance import CONFIGURATION, Choice, choices, laboratory, law
from hypothesis import assume, given, note
from hypothesis import strategies as st
from random_projects import PLAIN, STILL, RandomProject

_LETTERS = st.text("aAbé1'\"-/*;:.,$#% \t", max_size=8)
_QUOTED = _LETTERS.map(lambda text: "'" + text.replace("'", "''") + "'")
_NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,3})(\.[0-9]{1,3})?(e[+-]?[0-9])?", fullmatch=True)
_OTHERS = st.sampled_from(("null", "true", "false", "date '2026-03-01'", "date '2026-03-02'", "[1, 2]", "[1, 2, 3]"))
LITERALS = _QUOTED | _NUMBERS | _OTHERS
#: How a literal comes into a query: the template, and the files that it then needs.
WAYS = {
    "it stands there": "{literal}",
    "a variable holds it": "{{ var('said') }}",
    "a macro writes it": "{{ words.said() }}",
    "the environment holds it": "{{ env.SAID }}",
}


@law(12)
@given(choice=choices)
def test_layout_and_comments_never_change_a_plan(choice: Choice) -> None:
    """Lay every file out anew, and nothing is built: each model is formatted otherwise, or not even that.

    Spaces, line ends, comments of SQL and YAML, the order of frontmatter's keys, the case of reserved words,
    semicolons; line ends and quotes of a seed.
    """
    with laboratory() as lab:
        world = RandomProject(choice, lab, STILL)
        world.begin(1 + choice.pick(4))
        built = lab.run().built
        versions = {path: lab.plan().code_versions[path] for path in built}
        relations = lab.warehouse.relations()
        for _ in range(3):
            world.models = {
                name: replace(model, layout=world.some_layout()) if choice.pick(4) else model
                for name, model in world.models.items()
            }
            world.change_seed_layout()
            world.write()
            if choice.once_in(4):
                lab.edit({name: re.sub("\r?\n", "\r\n", text) for name, text in lab.files.items() if "models" in name})
            note(world.story)
            plan = lab.plan()
            assert {plan.decisions[path].action for path in built} <= {"skip"}
            assert {plan.decisions[path].reason for path in built} <= {"formatting_only", "unchanged"}
            assert {path: plan.code_versions[path] for path in built} == versions
        assert not lab.run(*built).built
        assert lab.warehouse.relations() == relations


@law(12)
@given(choice=choices, literals=st.tuples(LITERALS, LITERALS), way=st.sampled_from(sorted(WAYS)))
def test_a_changed_literal_always_changes_the_plan(choice: Choice, literals: tuple[str, str], way: str) -> None:
    """However it comes into the query, and whatever happens to the layout: its model is built, as `query_changed`.

    Literals that stand for one value of one type, as ``1e2`` and ``1e+2`` do, are the same.
    """
    values = [duckdb.sql(f"select typeof({literal}), ({literal})::varchar").fetchall() for literal in literals]
    assume(values[0] != values[1])
    with laboratory() as lab:
        world = RandomProject(choice, lab, PLAIN)
        world.begin(1 + choice.pick(3))
        name = choice.one(sorted(world.models))
        model = world.models[name]

        def say(literal: str) -> None:
            said = WAYS[way].replace("{literal}", literal)
            wrapped = replace(model, template=f"select *, {said} as said from ({model.template}) as inside")
            world.models[name] = replace(wrapped, layout=world.some_layout())
            world.write()
            lab.environ = {"SAID": literal}
            variables = json.dumps({"add": world.add, "said": literal})
            lab.edit(
                {
                    "macros/words.sql": f"{{% macro said() %}}{literal}{{% endmacro %}}",
                    "leapsql.yaml": f"{CONFIGURATION}vars: {variables}\n",
                }
            )

        say(literals[0])
        note(world.story)
        assume(name in lab.run().built)
        assert lab.plan().decisions[name].action == "skip"
        say(literals[1])
        note(world.story)
        decision = lab.plan().decisions[name]
        assert (decision.action, decision.reason) == ("build", "query_changed")
        assert lab.run()[name].reason == "query_changed"


@law(6)
@given(choice=choices)
def test_how_the_names_of_models_are_written_never_changes_a_plan(choice: Choice) -> None:
    """Another case, or quotes around a name: it means the same model, and nothing is built."""
    with laboratory() as lab:
        world = RandomProject(choice, lab, STILL)
        world.begin(2 + choice.pick(4))
        built = lab.run().built
        before = dict(lab.files)
        for _ in range(len(world.models)):
            world.let_happen(world.change_spelling)
        note(world.story)
        decisions = lab.plan().decisions
        for name, model in world.models.items():
            if model.path(name) in built:
                decision, is_same = decisions[model.path(name)], before[model.file(name)] == model.text
                assert (decision.action, decision.reason) == ("skip", "unchanged" if is_same else "formatting_only")


@law(6)
@given(choice=choices)
def test_going_back_to_a_text_that_was_built_builds_nothing(choice: Choice) -> None:
    """Edits that were never built leave nothing behind, however many there were."""
    with laboratory() as lab:
        world = RandomProject(choice, lab, PLAIN)
        world.begin(1 + choice.pick(4))
        built, before = lab.run().built, dict(world.models)
        for _ in range(1 + choice.pick(3)):
            name = choice.one(sorted(world.models))
            world.models[name] = replace(world.models[name], number=choice.pick(9), template=choice.one(PLAIN))
        world.write()
        note(world.story)
        lab.plan()
        world.models = before
        world.write()
        assert {lab.plan().decisions[path].action for path in built} <= {"skip"}
