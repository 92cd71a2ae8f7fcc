"""What a state store refuses, in one wording for every store: unknown ids, wrong transitions, contradictions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import get_args

from leapsql_core.errors import StateError
from leapsql_core.models import ModelRun, ModelRunStatus, Run, RunStatus
from leapsql_core.names import did_you_mean
from leapsql_core.protocols import Build, ModelFacts

#: Reason and detail of a model run that a state has learned of from the warehouse.
ADOPTED = ("adopted", "the warehouse has this build, and the state had lost it")

#: Errors of a run whose process is gone, and of a model that it was building; reason and detail of one it never began.
DIED = "the process of this run ended before the run did"
DIED_BUILDING = "the process of its run ended while it was built"
NEVER_BEGUN = ("cancelled", "the process of its run ended before it was begun")

#: The same of a run that ended by itself, but could not tell what became of its models: on a full disk, for example.
UNTOLD = "its run ended and could not record what became of it"
LEFT_OUT = ("cancelled", "its run ended before it was begun")

#: Where a model run may go from each status; from one that is not named, nowhere.
NEXT_STATUSES: dict[str, tuple[str, ...]] = {
    "pending": ("running", "success", "failed", "skipped"),
    "running": ("success", "failed", "skipped"),
}


def not_open(place: str) -> StateError:
    """Refuse to work on a store that was not opened, or was closed."""
    return StateError(f"the state {place} is not open", mend="Call open() before anything else.")


def no_schema(place: str) -> StateError:
    """Refuse to work on a store whose schema was never made."""
    return StateError(f"the state {place} has no tables yet", mend="`leapsql run` makes them, as does init_schema().")


def outdated_schema(place: str, *, version: int, latest: int) -> StateError:
    """Refuse to work on a store whose schema lacks some steps."""
    cause = f"the state {place} has schema version {version}, this LeapSQL works on version {latest}"
    return StateError(cause, mend="`leapsql run` upgrades it after a backup copy, as does init_schema().")


def no_state(place: str) -> StateError:
    """Refuse to copy, restore or prune what is not there."""
    return StateError(f"there is no state at {place}", mend="Name another file; `leapsql run` makes a state.")


def file_in_the_way(place: str) -> StateError:
    """Refuse to write over a file that is there."""
    return StateError(f"there is a file {place} already", mend="Name another one, or move it away.")


def damaged(place: str, damage: Sequence[str]) -> StateError:
    """Refuse a state in which `damage` was found."""
    more = f"; and {len(damage) - 1} more" if len(damage) > 1 else ""
    mend = "`leapsql state restore` puts back a copy that was made before."
    return StateError(f"the state {place} is damaged: {damage[0]}{more}", mend=mend)


def state_in_use(place: str, *, run_id: str, environment: str) -> StateError:
    """Refuse to replace a state under a run."""
    mend = "Wait until it has ended. If its process is gone, `leapsql state check --repair` closes it."
    return StateError(f"run {run_id!r} of {environment} is running on the state {place}", mend=mend)


def unknown_run(run_id: str) -> StateError:
    """Refuse a run id that no run has."""
    return StateError(f"no run has the id {run_id!r}", mend="`leapsql history` lists the runs.")


def unknown_model(model_id: str) -> StateError:
    """Refuse a model id that no model has."""
    return StateError(f"no model has the id {model_id!r}", mend="Register the model first; ids come from that.")


def unknown_path(path: str, known: Iterable[str]) -> StateError:
    """Refuse a path that no model is registered under."""
    mend = did_you_mean(path, known, otherwise="A model is registered when a run sees it for the first time.")
    return StateError(f"no model is registered under the path {path!r}", mend=mend)


def unknown_model_run(model_run_id: str) -> StateError:
    """Refuse a model run id that no model run has."""
    return StateError(f"no model run has the id {model_run_id!r}", mend="Its run may have been deleted.")


def unknown_trace(model_run_id: str) -> StateError:
    """Refuse a model run id that no trace is kept for."""
    mend = "Only successful builds leave one, and it goes with its run once a later build has replaced it."
    return StateError(f"no trace is kept of a model run with the id {model_run_id!r}", mend=mend)


def no_lease(run: Run) -> StateError:
    """Refuse to let a run close others while it has not the lease of its environment."""
    cause = f"run {run.id!r} does not have the lease of the environment {run.environment!r}"
    return StateError(cause, mend="It has ended, or was taken for dead by a run that began after it.")


def unknown_environment(name: str, known: Iterable[str]) -> StateError:
    """Refuse an environment that the state does not know."""
    mend = did_you_mean(name, known, otherwise="`leapsql env list` lists the environments.")
    return StateError(f"the state knows no environment `{name}`", mend=mend)


def environment_exists(name: str) -> StateError:
    """Refuse to create an environment twice."""
    return StateError(f"there is an environment `{name}` already", mend="Choose another name, or use this one.")


def environment_runs(name: str, run_id: str) -> StateError:
    """Refuse to delete an environment under a run."""
    mend = "Wait until it has ended; if its process is gone, the next run of its environment ends it."
    return StateError(f"the environment `{name}` cannot be deleted while run {run_id} is running", mend=mend)


def check_status(status: str) -> None:
    """Refuse a word that is no status of a model run.

    Raises:
        StateError: it is none.
    """
    if status not in get_args(ModelRunStatus):
        words = ", ".join(get_args(ModelRunStatus))
        raise StateError(f"{status!r} is no status of a model run", mend=f"It is one of {words}.")


def check_run_end(run: Run, status: RunStatus) -> None:
    """Refuse to end a run that has ended, or in a status that is no end.

    Raises:
        StateError: the transition is none of running → completed, failed, cancelled.
    """
    ends = [word for word in get_args(RunStatus) if word != "running"]
    if run.status != "running" or status not in ends:
        cause = f"run {run.id!r} cannot go from {run.status} to {status}"
        raise StateError(cause, mend=f"A running run ends once, as {', '.join(ends[:-1])} or {ends[-1]}.")


def check_run_deletable(run: Run) -> None:
    """Refuse to delete a run that is running.

    Raises:
        StateError: it is.
    """
    if run.status == "running":
        mend = "Wait until it has ended; if its process is gone, the next run of its environment ends it."
        raise StateError(f"run {run.id!r} cannot be deleted while it is running", mend=mend)


def check_run_open(run: Run) -> None:
    """Refuse to record a model run in a run that has ended.

    Raises:
        StateError: it has.
    """
    if run.status != "running":
        cause = f"run {run.id!r} has ended as {run.status}, so no model run can be recorded in it"
        raise StateError(cause, mend="Create a new run.")


def check_transition(model_run: ModelRun, status: ModelRunStatus) -> None:
    """Refuse a move that a model run cannot make.

    Raises:
        StateError: the transition is none of those in `NEXT_STATUSES`.
    """
    check_status(status)
    if status not in NEXT_STATUSES.get(model_run.status, ()):
        cause = f"model run {model_run.id!r} cannot go from {model_run.status} to {status}"
        raise StateError(cause, mend="It goes from pending to running to success, failed or skipped, and ends once.")


def check_build(build: Build, *, model_path: str, environment: str) -> None:
    """Refuse a build whose parts contradict each other or what the state knows of its model run.

    Raises:
        StateError: its trace is of another model, environment or content.
    """
    trace = build.trace
    for what, says, is_ in (
        ("model", trace.model_path, model_path),
        ("environment", trace.environment, environment),
        ("content hash", trace.content_hash, build.code.content_hash),
    ):
        if says != is_:
            cause = f"the trace of model run {trace.model_run_id!r} names the {what} {says!r}, but it is {is_!r}"
            raise StateError(cause, mend="Record what this model run has built.")


def check_adoption(builds: Iterable[Build], *, environment: str, known: Collection[str]) -> None:
    """Refuse builds of models that are not registered, of another environment, or that contradict themselves.

    Raises:
        StateError: one of them is so.
    """
    for build in builds:
        path = build.trace.model_path
        if path not in known:
            raise unknown_path(path, known)
        check_build(build, model_path=path, environment=environment)


def check_parents(model_id: str, parent_ids: Iterable[str], known: Collection[str]) -> None:
    """Refuse dependencies between models that are not registered, or of a model on itself.

    Raises:
        StateError: an unknown id, the model's own first; or a model that would read itself.
    """
    for some_id in (model_id, *parent_ids):
        if some_id not in known:
            raise unknown_model(some_id)
    if model_id in set(parent_ids):
        raise StateError(f"the model with the id {model_id!r} cannot read itself", mend="Leave it out of its parents.")


def check_facts(facts: Sequence[ModelFacts], known: Collection[str]) -> None:
    """Refuse models that cannot be registered together; `known` are the paths registered already.

    Raises:
        StateError: a path given twice, a parent that is nowhere, or a model that would read itself.
    """
    given: set[str] = set()
    for fact in facts:
        if fact.registration.path in given:
            raise StateError(f"the path {fact.registration.path!r} is registered twice", mend="Give each path once.")
        given.add(fact.registration.path)
    for fact in facts:
        path = fact.registration.path
        if path in fact.parents:
            raise StateError(f"the model {path!r} cannot read itself", mend="Leave it out of its parents.")
        for parent in fact.parents:
            if parent not in given and parent not in known:
                mend = did_you_mean(parent, {*given, *known} - {path}, otherwise="Register it before or with it.")
                raise StateError(f"the model {path!r} reads {parent!r}, which is not registered", mend=mend)


def check_limit(limit: int) -> None:
    """Refuse a limit below zero, which SQLite would take for no limit at all.

    Raises:
        StateError: it is below zero.
    """
    if limit < 0:
        raise StateError(f"a limit of {limit} rows cannot be met", mend="Give a limit of 0 or more.")
