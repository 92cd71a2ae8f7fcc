"""Laws of plans and of the order that things are done in."""

from __future__ import annotations

from chance import Choice, choices, laboratory, law
from hypothesis import given, note
from random_projects import STILL, RandomProject

from leapsql_core.execution import ModelFinished, ModelStarted, RunFinished, RunStarted


@law(12)
@given(choice=choices)
def test_the_plan_after_a_run_is_empty(choice: Choice) -> None:
    """What a run has built is skipped from then on, and a second run touches no relation.

    Tables, views, models that grow, seeds, tests, sources; whatever was edited and lost before the run.
    """
    with laboratory() as lab:
        world = RandomProject(choice, lab, STILL)
        world.begin(1 + choice.pick(6))
        if choice.pick(2):
            lab.run(*choice.some(sorted(lab.project.nodes)))
        for _ in range(choice.pick(5)):
            world.step()
        world.let_happen(world.change_tests)
        outcome = lab.run()
        note(world.story)
        stands = {path for path, event in outcome.finished.items() if event.status != "failed"}
        stands -= {path for path, reason in outcome.reasons.items() if reason == "upstream_failed"}
        decisions = lab.plan().decisions
        left = {path: decisions[path] for path in stands if decisions[path].action != "skip"}
        # The order of rows in a source that is a view, and what a macro comes to that reads a table, nobody can tell.
        doubtful = world.turned or world.macro_reads
        assert not {path for path, decision in left.items() if not (decision.recurring and doubtful)}
        if outcome.status == "completed" and not left:
            relations = lab.warehouse.relations()
            assert not lab.run().started
            assert lab.warehouse.relations() == relations


@law(20)
@given(choice=choices)
def test_parents_come_first(choice: Choice) -> None:
    """In the plan, and in what happens: a model begins when all that it reads is done, however many build at once.

    A view that was not selected is looked through to the tables below it. No more models are in work at a time than
    were asked for; each begins once at most, and ends once.
    """
    parallel = 1 + choice.pick(6)
    with laboratory(parallel=parallel) as lab:
        world = RandomProject(choice, lab)
        world.begin(3 + choice.pick(6))
        if choice.pick(3):
            lab.run()
            world.step()
        paths = sorted(lab.project.nodes)
        views = {path for path, model in world.paths.items() if model.materialized == "view"}
        selection = choice.one((paths, choice.some(paths), [path for path in paths if path not in views]))
        note(world.story)
        note(f"selected: {selection}, parallel: {parallel}")
        waits = waits_for(world, set(selection))
        outcome = lab.run(*selection, force=choice.once_in(2))
        assert isinstance(outcome.events[0], RunStarted)
        assert isinstance(outcome.events[-1], RunFinished)
        done: set[str] = set()
        for path in outcome.plan.decisions:
            assert waits[path] <= done, f"{path} is planned before what it reads"
            done.add(path)
        assert done == set(selection)
        working: set[str] = set()
        finished: list[str] = []
        for event in outcome.events:
            if isinstance(event, ModelStarted):
                assert event.path not in working
                working.add(event.path)
            if isinstance(event, ModelFinished):
                finished.append(event.path)
                working.discard(event.path)
            if isinstance(event, (ModelStarted, ModelFinished)):
                assert waits[event.path] <= set(finished), f"{event.path} did not wait"
            assert len(working) <= parallel
        assert sorted(finished) == selection
        assert len(outcome.started) == len(set(outcome.started))


def waits_for(world: RandomProject, selected: set[str]) -> dict[str, set[str]]:
    """Return the selected models and seeds that each selected one has to wait for, as the templates say."""
    parents, models = world.parents, world.paths

    def behind(path: str) -> set[str]:
        if path in selected:
            return {path}
        is_view = path in models and models[path].materialized == "view"
        return set().union(*(behind(parent) for parent in parents[path])) if is_view else set()

    return {path: set().union(*(behind(parent) for parent in parents[path])) for path in selected}
