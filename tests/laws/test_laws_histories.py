"""Laws of what a run leaves behind, and of what it leaves alone, whatever happened before."""

from __future__ import annotations

from itertools import islice
from typing import Any

from chance import Choice, choices, laboratory, law
from hypothesis import given, note
from plain_sql import assert_as_from_scratch
from projects import Outcome
from random_projects import STILL, RandomProject
from tally import COUNTS
from witness import Witness, look

from leapsql_core.execution import ModelStarted


def live(world: RandomProject, witness: Witness | None = None) -> None:
    """Make a project and let things happen to it, with runs between them: of all or of some, forced, broken off."""
    choice = world.choice
    COUNTS["histories"] += 1
    world.begin(5 + choice.pick(26) if choice.once_in(6) else 2 + choice.pick(5))
    watched_run(world, witness)
    for _ in range(choice.one((0, 0, 1, 1, 2, 4))):
        happen(world)
        paths = sorted(world.lab.project.nodes)
        selection = choice.some(paths) if choice.once_in(3) else paths
        options = {"force": choice.once_in(8), "full_refresh": choice.once_in(8), "parallel": 1 + choice.pick(3)}
        taken = choice.pick(2 * len(paths)) if choice.once_in(5) else None
        world.told.append(f"RUN {selection} {options}, {'to the end' if taken is None else f'{taken} events'}")
        watched_run(world, witness, taken=taken, selection=selection, **options)
    happen(world)


def happen(world: RandomProject) -> None:
    for _ in range(1 + world.choice.pick(3)):
        world.step()


def watched_run(world: RandomProject, witness: Witness | None, *, taken: int | None = None, **options: Any) -> Outcome:
    """Run until so many events were taken, or to the end; a witness sees to it that all builds had a cause."""
    before = look(world.lab)
    events = world.lab.stream(**options)
    outcome = Outcome(tuple(islice(events, taken)))
    events.close()
    COUNTS["runs"] += 1
    if witness is not None:
        needless = witness.judge(before, outcome.events)
        COUNTS["needless"] += len(needless)
        COUNTS["builds"] += len(outcome.built)
        COUNTS["in doubt"] += sum(
            event.decision.recurring and event.path in outcome.built
            for event in outcome.events
            if isinstance(event, ModelStarted)
        )
        assert not needless
    return outcome


@law(60)
@given(choice=choices)
def test_a_run_ends_where_a_build_from_scratch_ends(choice: Choice) -> None:
    """Whatever happened before: edits, moved sources, lost relations, failures, runs of some models, runs broken off.

    Each model has the columns, types and rows that it has when everything is built anew in an empty database, or it
    fails, or is blocked, where it fails or is blocked there.
    """
    with laboratory() as lab:
        world = RandomProject(choice, lab)
        try:
            live(world)
            if choice.pick(2):
                world.mend_all()
            assert_as_from_scratch(lab, lab.run(), but=world.adrift)
        finally:
            note(world.story)


@law(10)
@given(choice=choices)
def test_what_was_selected_is_right_if_nothing_above_it_was_out_of_date(choice: Choice) -> None:
    """A run of some models leaves them as a build of all would, where the plan skips whatever they are made from."""
    with laboratory() as lab:
        world = RandomProject(choice, lab)
        try:
            live(world)
            decisions = lab.plan().decisions
            selection = choice.some(sorted(decisions))
            world.told.append(f"RUN {selection}")
            outcome = lab.run(*selection)
            if all(decisions[path].action == "skip" for path in above(world, selection)):
                assert_as_from_scratch(lab, outcome, but=world.adrift)
        finally:
            note(world.story)


def above(world: RandomProject, selection: list[str]) -> set[str]:
    """Return all that the models of `selection` are made from, themselves left out."""
    parents, found, left = world.parents, set(), list(selection)
    while left:
        path = left.pop()
        if path not in found:
            found.add(path)
            left += parents[path]
    return found - set(selection)


@law(25)
@given(choice=choices)
def test_nothing_is_built_without_a_cause(choice: Choice) -> None:
    """A model that is built was asked for, or its code changed, or its relation is astray, or what it reads changed.

    What it reads: those columns of its inputs that count, by a comparison of their rows. Else its answer moves by
    itself, or nobody can tell what an input holds.
    """
    with laboratory() as lab:
        world = RandomProject(choice, lab)
        witness = Witness(world)
        try:
            live(world, witness)
            watched_run(world, witness)
        finally:
            note(world.story)


@law(10)
@given(choice=choices)
def test_a_build_that_comes_out_the_same_makes_no_reader_build(choice: Choice) -> None:
    """Whatever is built again on request, was lost or was replaced: only its own build follows from it.

    Readers of the order of rows build too, for no version tells it.
    """
    with laboratory() as lab:
        world = RandomProject(choice, lab, STILL)
        try:
            world.begin(2 + choice.pick(6))
            built = lab.run().built
            happens = choice.one((world.drop_relation, world.replace_relation, None))
            if happens is None:
                selection = choice.some(sorted(built))
                world.told.append(f"RUN {selection} by force")
                again = lab.run(*selection, force=True, full_refresh=True)
                assert again.built == set(selection)
                expected: set[str] = set()
            else:
                world.let_happen(happens)
                expected = {
                    path for path, decision in lab.plan().decisions.items() if decision.reason in ("missing", "drifted")
                }
                assert len(expected) <= 1
            late = lab.run().built
            assert expected <= late
            assert late - expected <= world.readers_of_order | (set(world.paths) - built)
        finally:
            note(world.story)
