"""Laws of runs that stop: wherever that is, the state says what happened, and the next run goes on from there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

import pytest
from chance import Choice, choices, laboratory, law
from hypothesis import assume, given, note
from plain_sql import assert_as_from_scratch, holdings
from projects import Lab
from random_projects import SEED, STILL, RandomProject
from witness import Witness, look

from leapsql_core.execution import Event, ModelFinished, RunFinished

#: Ways for a model to fail: when it is made, when its rows are made, when they are tested.
FAILURES = {
    "made": ("select *, no_such_function(1) as gone from ({query}) as inside", ""),
    "read": ("select *, error('broken') as gone from ({query}) as inside, range(1)", ""),
    "tested": ("select *, true as gone from ({query}) as inside", "tests: [expression: not gone]"),
}


class Stopped(Exception):
    """Somebody had enough."""


def assert_all_is_said(lab: Lab, run_id: str, status: str, told: Iterable[Event]) -> None:
    """Assert that the state closed a run and all in it, and that state, warehouse and events agree."""
    run = lab.state.get_run(run_id)
    assert run.status == status
    assert run.completed_at is not None
    assert (run.error is None) == (status == "completed")
    rows = lab.model_runs(run_id)
    traces, relations = lab.state.read_snapshot(run.environment).traces, lab.warehouse.relations()
    nodes = lab.project.nodes
    for path, row in rows.items():
        assert row.status in ("success", "failed", "skipped")
        assert row.completed_at is not None
        assert (row.error is not None) == (row.status == "failed")
        assert row.reason
        seen = relations.get(nodes[path].relation.key)
        assert (row.status == "success") == (seen is not None and seen.comment == row.id)
        assert (row.status == "success") == (path in traces and traces[path].model_run_id == row.id)
    for event in told:
        if isinstance(event, ModelFinished):
            assert rows[event.path].status == event.status
            assert rows[event.path].id == event.model_run_id


@law(12)
@given(choice=choices)
def test_a_run_that_is_broken_off_anywhere_is_finished_by_the_next(choice: Choice) -> None:
    """After any number of events, with more builds in work or none, by leaving or by an exception.

    The run is `cancelled`; what was committed is a `success` and is not built again; the rest is `skipped`, of which
    nothing shows. The next run ends where an undisturbed one ends.
    """
    with laboratory() as lab:
        world = RandomProject(choice, lab)
        witness = Witness(world)
        try:
            world.begin(2 + choice.pick(6))
            if choice.pick(2):
                before = look(lab)
                witness.judge(before, lab.stream())
                for _ in range(1 + choice.pick(3)):
                    world.step()
            before = look(lab)
            events = lab.stream(parallel=1 + choice.pick(4))
            seen = list(islice(events, 1 + choice.pick(2 * len(lab.project.nodes) + 1)))
            world.told.append(f"broken off after {len(seen)} events")
            if choice.pick(2):
                events.close()
            else:
                with pytest.raises(Stopped):
                    events.throw(Stopped())
            run = lab.state.list_runs()[0]
            ended = isinstance(seen[-1], RunFinished)
            assert_all_is_said(lab, run.id, seen[-1].status if ended else "cancelled", seen)
            assert not witness.judge(before, seen)
            before = look(lab)
            outcome = lab.run()
            assert_all_is_said(lab, outcome.run_id, outcome.status, outcome.events)
            assert not witness.judge(before, outcome.events)
            assert_as_from_scratch(lab, outcome, but=world.adrift)
        finally:
            note(world.story)


@law(12)
@given(choice=choices)
def test_a_model_that_fails_stops_what_is_made_from_it_and_nothing_else(choice: Choice) -> None:
    """It is `failed`, with its file and error; what is made from it is `skipped`, with its name; the rest is built.

    The run is `failed` and names both. What failed or waits holds what it held before. Once it is mended, the next run
    builds what is left and ends where an undisturbed one ends.
    """
    with laboratory() as lab:
        world = RandomProject(choice, lab, STILL)
        witness = Witness(world)
        try:
            world.begin(2 + choice.pick(6))
            before = look(lab)
            first = lab.run()
            assert not witness.judge(before, first.events)
            stands = first.built | {SEED}
            for _ in range(choice.pick(3)):
                world.let_happen(world.change_layout)
            names = sorted(name for name, model in world.models.items() if model.path(name) in first.built)
            assume(names)
            name = choice.one([n for n in names if made_from(world, world.models[n].path(n))] or names)
            model = world.models[name]
            how = choice.one(sorted(FAILURES))
            query, tests = FAILURES[how]
            template = query.replace("{query}", model.template)
            world.told.append(f"{name}: {template}; {tests}")
            world.models[name] = replace(model, template=template, tests=tests)
            world.write()
            path, below = model.path(name), made_from(world, model.path(name))
            held = holdings(lab, stands)
            before = look(lab)
            outcome = lab.run(*stands)
            assert_all_is_said(lab, outcome.run_id, outcome.status, outcome.events)
            has_rows = bool(held[path][1])
            if how == "made" or (has_rows and (how == "tested" or model.materialized != "view")):
                assert outcome.failed == {path}
                assert outcome.status == "failed"
                assert f"failed: {path}" in (outcome.end.error or "")
                assert (outcome[path].error or "").startswith(model.file(name))
                blocked = {other for other, reason in outcome.reasons.items() if reason == "upstream_failed"}
                assert blocked == below & stands
                assert all(outcome[other].detail.startswith(f"{path} failed") for other in blocked)
                assert all(other in (outcome.end.error or "") for other in blocked)
                assert holdings(lab, blocked | {path}) == {other: held[other] for other in blocked | {path}}
            assert not witness.judge(before, outcome.events)
            world.models[name] = model
            world.write()
            before = look(lab)
            last = lab.run()
            assert not witness.judge(before, last.events)
            assert_as_from_scratch(lab, last, but=world.adrift)
        finally:
            note(world.story)


def made_from(world: RandomProject, path: str) -> set[str]:
    """Return what is made from a model, itself left out."""
    parents, found = world.parents, {path}
    while more := {other for other, above in parents.items() if above & found} - found:
        found |= more
    return found - {path}
