"""Retries and re-executions: which models an op is to build, and which were built in an attempt before it."""

from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg

from leapsql_core import Session, models_built_in
from leapsql_dagster.loading import LoadedAssets
from leapsql_dagster.settings import RunSettings
from leapsql_dagster.stepping import failed_in, step_key


@dataclass(frozen=True, slots=True)
class Task:
    """Paths that an op is to build; ``done`` are those that it was to, and that an earlier run has built.

    ``resumes`` says whether there was an attempt before it.
    """

    paths: tuple[str, ...]
    done: frozenset[str] = frozenset()
    resumes: bool = False


def task_of(context: dg.AssetExecutionContext, loaded: LoadedAssets, session: Session, settings: RunSettings) -> Task:
    """Return what is selected, without what earlier attempts have built: of this run, or of one that it resumes.

    Where a resumed run builds only what has to be built, the plan leaves out what is done, and sees what changed since.
    """
    selected = tuple(path for key, path in loaded.paths.items() if key in context.selected_asset_keys)
    if context.retry_number:
        built = models_built_in(session, orchestrator_run_id=context.run.run_id)
        selected = tuple(path for path in selected if path not in built)
    if settings.mode == "changed" and not settings.full_refresh:
        return Task(selected)
    resumed = list(_stream_resumed(context))
    done: set[str] = set()
    for run_id in resumed:
        done |= models_built_in(session, orchestrator_run_id=run_id)
    return Task(
        tuple(path for path in selected if path not in done),
        frozenset(done.intersection(selected)),
        resumes=bool(resumed or context.retry_number),
    )


def _stream_resumed(context: dg.AssetExecutionContext) -> Iterator[str]:
    """Yield the ids of the runs that this one resumes where they failed, the latest first."""
    run, step = context.run, step_key(context)
    while run is not None and run.parent_run_id is not None:
        # Whoever runs all steps once more, or picks some that had succeeded, wants them anew.
        picked = run.step_keys_to_execute is not None and failed_in(context.instance, run.parent_run_id, step)
        if not (run.is_resume_retry or picked):
            return
        yield run.parent_run_id
        run = context.instance.get_run_by_id(run.parent_run_id)
