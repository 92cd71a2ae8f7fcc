"""What is remembered of tests and attempts: for doors that show it where no run tells it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from dataclasses import replace

from leapsql_core.models import Column, DataTestResult, Model, ModelRun
from leapsql_core.names import fold
from leapsql_core.planning import data_test_hash
from leapsql_core.protocols import StateReader
from leapsql_core.session import Session
from leapsql_core.state import open_state_reader
from leapsql_core.warehouses.duckdb.checking import failing_rows, readable

#: How many runs are gone through for what became of a model.
_MOST_RUNS = 100


def statements_of_tests(session: Session, model: Model, columns: Iterable[Column]) -> tuple[str, ...]:
    """Return, for each test of a model, the SQL that selects what fails it; secrets are masked.

    `columns` are those that its relation has, as far as that is known: types that are not known are taken for text.
    """
    known = {fold(column.name): column for column in columns}
    for test in model.config.tests:
        known |= {fold(name): Column(name, "") for name in test.columns if fold(name) not in known}
    typed = tuple(column if column.type else replace(column, type="VARCHAR") for column in known.values())
    mask, key = session.project.secrets.mask, model.unique_columns
    return tuple(
        mask(readable(failing_rows(model.relation, test, typed, to, key=key)))
        for test, to in zip(model.config.tests, model.tested, strict=True)
    )


def latest_test_results(session: Session) -> dict[str, tuple[DataTestResult | None, ...]]:
    """Return, by path, what each test found last in what stands; ``None`` of one that was never run on it.

    Raises:
        StateError: the state cannot be read.
    """
    with closing(open_state_reader(session.state_path)) as state:
        results = state.read_test_results(session.project.environment)
    found: dict[str, tuple[DataTestResult | None, ...]] = {}
    for path, kept in results.items():
        node = session.project.nodes.get(path)
        if not isinstance(node, Model):
            continue
        by_test = {one.test: one for one in kept}
        pairs = zip(node.config.tests, node.tested, strict=True)
        last = [(test, by_test.get(data_test_hash(test, to))) for test, to in pairs]
        found[path] = tuple(
            None if one is None else DataTestResult(test, one.failures, one.columns, one.sample, one.tested_at)
            for test, one in last
        )
    return found


def latest_attempts(session: Session, paths: Collection[str]) -> dict[str, ModelRun]:
    """Return the latest attempt at each of `paths` in the session's environment; none of what was never tried.

    A run of tests alone is no attempt: it leaves open what the last one did.

    Raises:
        StateError: the state cannot be read.
    """
    environment, wanted = session.project.environment, set(paths)
    with closing(open_state_reader(session.state_path)) as state:
        names = {model.id: model.path for model in state.list_models()}
        known = {path: id_ for id_, path in names.items() if path in wanted}
        latest = {path: state.get_latest_model_run(id_, environment=environment) for path, id_ in known.items()}
        found = {path: one for path, one in latest.items() if one is not None and not _is_of_tests(one)}
        tested = {path for path, one in latest.items() if one is not None} - found.keys()
        runs = state.list_runs(environment=environment, limit=_MOST_RUNS) if tested else []
        return {**found, **_attempts(state, [run.id for run in runs], names, tested)}


def left_undone(session: Session, paths: Collection[str], *, before: str) -> set[str]:
    """Return which of `paths` were not brought to an end by the last orchestrated run that tried them.

    They failed, or were skipped because of another or of an interruption. `before` is the id of a run that does not
    count, for it is the one that asks.

    Raises:
        StateError: the state cannot be read.
    """
    with closing(open_state_reader(session.state_path)) as state:
        names = {model.id: model.path for model in state.list_models()}
        runs = state.list_runs(environment=session.project.environment, limit=_MOST_RUNS)
        others = [run.id for run in runs if run.orchestrator_run_id is not None and run.id != before]
        attempts = _attempts(state, others, names, set(paths))
    return {path for path, attempt in attempts.items() if is_undone(attempt)}


def _attempts(
    state: StateReader, run_ids: Sequence[str], names: dict[str, str], wanted: set[str]
) -> dict[str, ModelRun]:
    """Return the attempt at each of the `wanted` paths in the first of these runs that tried it."""
    found: dict[str, ModelRun] = {}
    for run_id in run_ids:
        if found.keys() == wanted:
            break
        tried = {names[one.model_id]: one for one in state.get_model_runs_for_run(run_id) if not _is_of_tests(one)}
        found = {**{path: one for path, one in tried.items() if path in wanted}, **found}
    return found


def _is_of_tests(model_run: ModelRun) -> bool:
    """Tell whether a model run was of a model's tests alone."""
    return model_run.reason == "tests_requested"


def standing_partitions(session: Session) -> dict[str, frozenset[str]]:
    """Return, by path, which partitions relations have in the session's environment, be they out of date or not.

    Raises:
        StateError: the state cannot be read.
    """
    with closing(open_state_reader(session.state_path)) as state:
        known = state.read_snapshot(session.project.environment).partitions
    return {path: frozenset(one.key for one in partitions) for path, partitions in known.items()}


def is_undone(attempt: ModelRun) -> bool:
    """Tell whether an attempt left undone what it was made for."""
    return attempt.status not in ("success", "skipped") or attempt.reason in ("upstream_failed", "cancelled")
