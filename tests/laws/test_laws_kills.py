"""Laws of runs that are killed: wherever that is, what was committed counts, and the rest is built by the next."""

from __future__ import annotations

from collections.abc import Callable

from chance import Choice, choices, laboratory, law
from hypothesis import given, note
from mortality import Life, lose_state, make_mortal, run_and_die
from plain_sql import assert_as_from_scratch, fates
from random_projects import RandomProject
from tally import COUNTS

TICKS = {
    "models/counts.sql": (
        "/*---\nmaterialized: incremental\nincremental: {strategy: append}\n---*/\nselect t from raw.tick"
    ),
    "models/shown.sql": "/*---\nmaterialized: view\n---*/\nselect t from counts",
    "models/most.sql": "/*---\ntests: [not_null: t]\n---*/\nselect max(t) as t, count(*) as n from shown",
}


@law(60)
@given(choice=choices)
def test_a_run_after_kills_ends_where_a_build_from_scratch_ends(choice: Choice) -> None:
    """Killed between any two steps, once or several times, with edits between; the state lost as well, or not.

    Each model then holds what it holds when everything is built anew, and there is nothing left to do but what every
    run does.
    """
    life = Life()
    with laboratory() as lab:
        make_mortal(lab, life)
        world = RandomProject(choice, lab)
        try:
            world.begin(5 + choice.pick(26) if choice.once_in(6) else 2 + choice.pick(6))
            COUNTS["histories"] += 1
            for _ in range(1 + choice.pick(4)):
                for _ in range(choice.pick(3)):
                    world.let_happen(choice.one(without_strangers(world)))
                steps, parallel = choice.pick(8 + 6 * len(world.models)), 1 + choice.pick(3)
                COUNTS["runs"] += 1
                died = run_and_die(lab, life, steps, parallel=parallel, force=choice.once_in(6))
                COUNTS["killed"] += died
                world.told.append(f"RUN, {'killed' if died else 'not killed'} within {steps} steps")
                if choice.once_in(6):
                    world.told.append("the state is lost")
                    lose_state(lab, life)
            outcome = lab.run()
            assert_as_from_scratch(lab, outcome, but=world.adrift)
            stands = {path for path, fate in fates(outcome).items() if fate == "stands"}
            left = {path for path, one in lab.plan().decisions.items() if one.action == "build" and not one.recurring}
            assert left.isdisjoint(stands)
        finally:
            note(world.story)


def without_strangers(world: RandomProject) -> list[Callable[[], str]]:
    """Return all that may happen, but for tables of another hand: without a state they are refused, and rightly."""
    return [happens for happens in world.happenings() if happens != world.replace_relation]


@law(40)
@given(choice=choices)
def test_a_batch_is_applied_once_wherever_a_run_is_killed(choice: Choice) -> None:
    """Not twice and not never, though nothing in the batch itself says that it was applied."""
    life = Life()
    with laboratory() as lab:
        make_mortal(lab, life)
        lab.edit(TICKS)
        lab.sql("create schema raw", "create table raw.tick as select 0 as t")
        lab.run()
        told = []
        for tick in range(1, 2 + choice.pick(6)):
            lab.meddle(f"update raw.tick set t = {tick}")
            for _ in range(choice.pick(3)):
                told.append(
                    (tick, steps := choice.pick(24), run_and_die(lab, life, steps, parallel=1 + choice.pick(3)))
                )
            if choice.once_in(6):
                told.append((tick, "the state is lost"))
                lose_state(lab, life)
            note(told)
            lab.run()
            assert lab.rows("select list(t order by t) from main.counts") == [(list(range(tick + 1)),)]
            assert lab.rows("from main.most") == [(tick, tick + 1)]
