"""A run from beginning to end: look, decide, build what has to be built, record every fact, tell what happens."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from leapsql_core.execution.adopting import lost_builds
from leapsql_core.execution.building import Built, Job, build
from leapsql_core.execution.course import Course, begin, fail, finish, raise_unforeseen, settled, skip
from leapsql_core.execution.events import Event, ModelStarted, RunFinished, RunStarted
from leapsql_core.execution.holding import held
from leapsql_core.execution.jobs import job_for
from leapsql_core.execution.ledger import Ledger
from leapsql_core.execution.observing import observe, see, source_versions, with_versions
from leapsql_core.execution.records import facts_of
from leapsql_core.execution.scheduling import Schedule
from leapsql_core.execution.turns import Begun, Turn, begun_run, noting_trouble
from leapsql_core.execution.workers import Workers
from leapsql_core.execution.workshop import RunOptions, Workshop, request_of
from leapsql_core.models import Decision, KeptTestResult, Model, Project, RunStatus
from leapsql_core.planning import (
    Plan,
    Texts,
    chosen_behind,
    chosen_paths,
    column_sets_read,
    plan,
    seeds_rewritten,
    texts_needed,
)
from leapsql_core.protocols import NewModelRun

_PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Work:
    """A model that is being worked on: what was decided, and what will come of it."""

    decision: Decision
    future: Future[Built]


def stream_run(shop: Workshop, options: RunOptions, turn: Turn | None = None) -> Generator[Event, None, None]:
    """Run when it is the run's turn, yielding events; whoever stops listening, or throws something in, cancels the run.

    Raises:
        StateError: another run goes on in the environment; see `begun_run`.
        LeapSQLError: see `stream_begun_run`.
    """
    begun_now = begun_run(
        shop.state,
        shop.project.environment,
        turn or Turn(),
        mask=shop.project.secrets.mask,
        orchestrator_run_id=options.orchestrator_run_id,
        request=request_of(options, shop.project),
    )
    with begun_now as begun:
        yield from stream_begun_run(shop, options, begun)


def stream_begun_run(shop: Workshop, options: RunOptions, begun: Begun) -> Generator[Event, None, None]:
    """Look, decide and build in a run that has begun, yielding events.

    A model that fails fails alone: what depends on it is skipped, the rest goes on, and the run ends ``failed``.

    Raises:
        LeapSQLError: nothing could be decided or recorded. The run is then recorded as failed.
    """
    run = begun.run
    course = _prepare(shop, options, run.id)
    with closing(_stream_models(course, begun, parallel=options.parallel)) as events:
        for event in events:
            begun.listens = False
            yield event
            begun.listens = True
    with held():
        status, said = _outcome(course)
        shop.state.complete_run(run.id, status, error=said)
        begun.done = True
    yield RunFinished(run.id, run.environment, status, said)


def _prepare(shop: Workshop, options: RunOptions, run_id: str) -> Course:
    """Register the project, look at the warehouse, decide, and record what was decided."""
    project, state = shop.project, shop.state
    began = shop.clock()
    ids = state.register_models(facts_of(project))
    history = state.read_history() or ""
    snapshot = state.read_snapshot(project.environment)
    selection = chosen_paths(project, options.selection)
    shop.warehouse.prepare(project.nodes[path].relation.schema for path in selection)
    sight = see(shop.warehouse, history=history)
    lost = lost_builds(project, shop.warehouse, snapshot, sight)
    if lost:
        state.adopt_builds(project.environment, lost)
    # Afterwards, for what a dead run was building may have been committed: then it is a success.
    if state.close_dead_runs(run_id) or lost:
        snapshot = state.read_snapshot(project.environment)
    look = observe(
        project,
        shop.warehouse,
        snapshot,
        sight=sight,
        selection=selection,
        settings=shop.settings,
        file_version=shop.file_version,
        now=began,
    )
    for model_run_id, versions in look.data_versions.items():
        state.record_data_versions(model_run_id, versions)
    resolved, code = texts_needed(project, snapshot)
    seeds = {seed.path: shop.seed_rows(seed) for seed in seeds_rewritten(project, snapshot)}
    texts = Texts(state.read_texts(resolved), state.read_code_versions(code), seeds)
    decided = plan(
        project,
        with_versions(snapshot, look.data_versions),
        look.observations,
        shop.prove,
        texts=texts,
        selection=selection,
        force=options.force,
        full_refresh=options.full_refresh,
        adopt=options.adopt,
        test=options.test,
        partitions=options.partitions,
        spared=[build.trace.model_path for build in lost] if options.resumes else (),
    )
    model_runs = state.record_model_runs(
        run_id, [_new_model_run(project, ids, decision) for decision in decided.decisions.values()]
    )
    behind = chosen_behind(project, snapshot.traces, decided.decisions)
    return Course(
        shop=shop,
        plan=decided,
        look=look,
        ledger=Ledger(project, snapshot, look, rewritten=decided.rewritten),
        model_runs=dict(zip(decided.decisions, model_runs, strict=True)),
        column_sets=column_sets_read(project),
        reads_from=_all_behind(behind, decided, project.parents, alone=options.test),
        tests_read=_all_behind(behind, decided, project.waits, alone=options.test),
        run_began=began,
        history=history,
        kept_tests=_kept_tests(shop, decided, options),
        options=options,
        texts=texts,
        adopted=tuple(build.trace.model_path for build in lost),
    )


def _kept_tests(shop: Workshop, decided: Plan, options: RunOptions) -> dict[str, dict[str, KeptTestResult]]:
    """Return what tests found in the current relations, by path and what they ask, if any may be run or may stand."""
    nodes = (shop.project.nodes[path] for path, decision in decided.decisions.items() if decision.action != "skip")
    if options.test or not any(isinstance(node, Model) and node.config.tests for node in nodes):
        return {}
    results = shop.state.read_test_results(shop.project.environment)
    return {path: {result.test: result for result in kept} for path, kept in results.items()}


def _all_behind(
    behind: Mapping[str, frozenset[str]], decided: Plan, reads: Mapping[str, Sequence[str]], *, alone: bool
) -> dict[str, tuple[str, ...]]:
    """Return the chosen nodes that show through what each node reads; where each stands `alone`, it waits for none."""
    nothing = frozenset[str]()
    return {
        path: () if alone else tuple(sorted(nothing.union(*(behind[name] for name in reads.get(path, ())))))
        for path in decided.decisions
    }


def _new_model_run(project: Project, ids: Mapping[str, str], decision: Decision) -> NewModelRun:
    return NewModelRun(
        model_id=ids[decision.path],
        status="skipped" if decision.action == "skip" else "pending",
        content_hash=project.nodes[decision.path].content_hash,
        reason=decision.reason,
        detail=project.secrets.mask(decision.detail),
    )


def _stream_models(course: Course, begun: Begun, *, parallel: int) -> Generator[Event, None, None]:
    """Yield what was decided, then what happens to each model; parents first, at most `parallel` at once."""
    schedule = Schedule({path: (*course.reads_from[path], *course.tests_read[path]) for path in course.plan.decisions})
    workers, running = Workers(), dict[str, Work]()
    try:
        sources = source_versions(course.look.observations)
        yield RunStarted(begun.run.id, begun.run.environment, course.plan, course.adopted, sources)
        while schedule or running:
            begun.check()
            ended = () if schedule and len(running) < parallel else workers.next_ended()
            told: list[Event] = []
            try:
                with held():
                    _advance(course, schedule, running, workers, ended, told, parallel=parallel)
            finally:
                # What is recorded is told, whatever else went wrong.
                if not course.unwritten:
                    yield from told
    except GeneratorExit:
        with held():
            _cancel(course, running, workers)
        raise
    except BaseException as exc:
        with held(), noting_trouble(exc):
            _cancel(course, running, workers)
        raise
    finally:
        workers.close()


def _advance(
    course: Course,
    schedule: Schedule,
    running: dict[str, Work],
    workers: Workers,
    ended: Sequence[str],
    told: list[Event],
    *,
    parallel: int,
) -> None:
    """Record as one how the models that `ended` did and which are taken up; what is to be `told` of it is added."""
    begins: dict[str, tuple[Decision, Job]] = {}
    try:
        done = [running.pop(path) for path in ended]
        for path, work in zip(ended, done, strict=True):
            told.append(finish(course, path, work.decision, work.future))
            schedule.done(path)
        for work in done:
            raise_unforeseen(work.future)
        for _ in range(parallel):
            if schedule and len(running) + len(begins) < parallel:
                told.append(_take_up(course, schedule, begins))
    finally:
        course.write_down()
    for path, (decision, job) in begins.items():
        work_of = partial(build, job, course.shop.warehouse, cancelled=course.cancelled)
        running[path] = Work(decision, workers.begin(path, work_of))


def _take_up(course: Course, schedule: Schedule, begins: dict[str, tuple[Decision, Job]]) -> Event:
    """Let the next model begin, or end it at once where there is nothing to do."""
    path = schedule.pop()
    decision = settled(course, path)
    job = None if decision.action == "skip" else job_for(course, path, decision)
    if job is None or isinstance(job, str):
        event = skip(course, path, decision) if job is None else fail(course, path, decision, job)
        schedule.done(path)
        return event
    begin(course, path, decision)
    begins[path] = (decision, job)
    return ModelStarted(path, decision)


def _cancel(course: Course, running: dict[str, Work], workers: Workers) -> None:
    """Stop what runs, wait for it, and record how each model ended: what was committed counts as built."""
    course.cancelled.set()
    left = {work.future for work in running.values()}
    while left:
        # Again and again: what begins a statement meanwhile is interrupted too.
        course.shop.warehouse.interrupt()
        left = wait(left, timeout=_PAUSE_SECONDS).not_done
        workers.find_dead()
    for path, work in running.items():
        finish(course, path, work.decision, work.future)
    for path in course.plan.decisions:
        if path not in course.ends:
            skip(course, path, Decision(path, "skip", "cancelled", "the run was cancelled before it"))
    course.write_down()


def _outcome(course: Course) -> tuple[RunStatus, str | None]:
    failed = [path for path in course.plan.decisions if course.ends[path] == "failed"]
    blocked = [path for path in course.plan.decisions if course.ends[path] == "blocked"]
    if not failed:
        return "completed", None
    said = f"failed: {', '.join(failed)}"
    return "failed", f"{said}; skipped because of that: {', '.join(blocked)}" if blocked else said
