"""Laws of forgetting: old runs go, and nobody who asks for a plan or its reasons can tell."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from chance import Choice, choices, laboratory, law
from hypothesis import given, note
from projects import Clock, Lab
from random_projects import RandomProject
from test_laws_histories import live

from leapsql_core.cli.explanation import Explanation, explain
from leapsql_core.planning import texts_needed
from leapsql_core.session import Planned, Texts
from leapsql_core.state import Pruned, Retention, SqliteStateStore, find_damage, foresee, prune, query_state

TABLES = ("runs", "model_runs", "traces", "models", "code_versions", "texts")

#: What traces refer to: a table, its key, and where that stands.
REFERENCES = (
    ("texts", "hash", "query_hash FROM traces UNION SELECT incremental_query_hash FROM traces"),
    ("code_versions", "content_hash", "content_hash FROM traces"),
)


def dangling(path: Path) -> set[Any]:
    """Return the hashes of texts and versions of code that traces refer to and that are not kept, as a seed's."""
    return {
        row
        for table, key, referring in REFERENCES
        for row in query_state(path, f"SELECT {referring} EXCEPT SELECT {key} FROM {table} EXCEPT SELECT NULL")[1]
    }


def explanations(lab: Lab, path: Path) -> dict[str, Explanation]:
    """Return all that there is to say of each model, from a plan that is made now."""
    project, snapshot, look = lab.look()
    resolved, code = texts_needed(project, snapshot)
    texts = Texts(lab.state.read_texts(resolved), lab.state.read_code_versions(code), {})
    lost = tuple(build.trace.model_path for build in lab.lost)
    planned = Planned(project, lab.plan(), snapshot, look.observations, texts, lost)
    return {model: explain(planned, model, state_path=path) for model in project.nodes}


def counts(path: Path) -> dict[str, Any]:
    return {table: query_state(path, f"SELECT count(*) FROM {table}")[1][0][0] for table in TABLES}


def some_retention(choice: Choice, clock: Clock) -> Retention:
    before = None if choice.once_in(3) else clock.now - timedelta(seconds=choice.pick(200))
    return Retention(before, choice.pick(4) if before is None or choice.once_in(3) else None)


def check_pruning(lab: Lab, path: Path, retention: Retention) -> None:
    """Forget, and see that all that is said of the models is what was said before; then that no more is to forget."""
    before, said, missing = counts(path), explanations(lab, path), dangling(path)
    foreseen = foresee(path, retention, paths=lab.project.nodes)
    assert counts(path) == before
    pruned = prune(path, retention, paths=lab.project.nodes)
    after = counts(path)
    assert explanations(lab, path) == said
    assert {table: before[table] - after[table] for table in TABLES} == {t: getattr(pruned, t) for t in TABLES}
    assert {t: getattr(foreseen, t) for t in TABLES} == {t: getattr(pruned, t) for t in TABLES}
    assert find_damage(path) == []
    assert dangling(path) <= missing
    again = prune(path, retention, paths=lab.project.nodes)
    assert again == Pruned(0, 0, 0, 0, 0, 0, pruned.runs_held, 0)


@law(8)
@given(choice=choices)
def test_a_plan_and_its_reasons_are_the_same_after_pruning(choice: Choice) -> None:
    """Whatever was built, failed, moved or deleted before, and whatever is forgotten.

    That is: every decision with its detail, its causes down to the change that began them, each difference of a text,
    each last build, failure and test.

    A dry run foretells what goes; what is left refers to nothing that went; and the next run does what it would have
    done.
    """
    with tempfile.TemporaryDirectory() as folder:
        path, clock = Path(folder) / "state.db", Clock()
        with laboratory(state=SqliteStateStore(path, clock=clock), clock=clock) as lab:
            world = RandomProject(choice, lab)
            try:
                live(world)
                check_pruning(lab, path, some_retention(choice, clock))
                plan = lab.plan()
                assert lab.run().plan.decisions == plan.decisions
                check_pruning(lab, path, Retention(latest=0))
            finally:
                note(world.story)
