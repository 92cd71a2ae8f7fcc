"""What a run has left behind: models that failed, that were skipped because of that, or that it never came to."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from leapsql_core.models import ModelRun, Request
from leapsql_core.session import Session
from leapsql_core.state import open_state_reader

_STOPPED = ("upstream_failed", "cancelled")
#: Reasons of runs that build nothing by their own query: of tests alone, and of `leapsql state adopt`.
_NO_BUILDS = ("tests_requested", "adopted")
#: How far back to look for a run that came to models at all.
_MOST_RUNS = 100


@dataclass(frozen=True, slots=True)
class Left:
    """What the last run of an environment has left: paths in the project's order, and those that are gone from it.

    ``request`` is what it was asked; where nobody knows, that is nothing besides.
    """

    run_id: str
    started_at: datetime
    paths: tuple[str, ...]
    gone: tuple[str, ...]
    request: Request


def what_is_left(session: Session) -> Left | None:
    """Return what the last run of the session's environment that was to build has left, ``None`` if there is no such.

    Runs that ended before they had decided anything, those of tests alone and those that adopt are passed over.

    Raises:
        StateError: the state cannot be read.
    """
    with closing(open_state_reader(session.state_path)) as state:
        names = {model.id: model.path for model in state.list_models()}
        for run in state.list_runs(environment=session.project.environment, limit=_MOST_RUNS):
            model_runs = state.get_model_runs_for_run(run.id)
            if not model_runs or any(one.reason in _NO_BUILDS for one in model_runs):
                continue
            left = {names[one.model_id] for one in model_runs if _is_left(one)}
            nodes = session.project.nodes
            paths = tuple(path for path in nodes if path in left)
            gone = tuple(sorted(left - nodes.keys()))
            return Left(run.id, run.started_at, paths, gone, run.request or Request())
    return None


def _is_left(model_run: ModelRun) -> bool:
    """Tell whether a model was not brought to its end; in a run that died, some never began and some never ended."""
    if model_run.status == "skipped":
        return model_run.reason in _STOPPED
    return model_run.status != "success"
