"""Runs of a session: the state and the warehouse are opened for one, and what it did is read back."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from typing import Any

from leapsql_core.errors import UsageError
from leapsql_core.execution import Event, RunOptions, Turn, Workshop, begun_run, name_run, request_of, stream_begun_run
from leapsql_core.models import Run
from leapsql_core.planning import Prove
from leapsql_core.protocols import StateReader, StateStore, Warehouse
from leapsql_core.seeds import seed_path, seed_rows, seed_stands
from leapsql_core.session import Session, file_version_in, masked, proving_of, settings_of
from leapsql_core.state import SqliteStateStore, open_state_reader
from leapsql_core.warehouses.opening import open_warehouse

#: Attempts of one orchestrator run follow each other closely: they are among the latest runs.
_RECENT_RUNS = 1000


def stream_session_run(
    session: Session,
    options: RunOptions,
    *,
    wait_seconds: float = 0.0,
    on_wait: Callable[[str], None] | None = None,
    connection_config: Mapping[str, Any] | None = None,
) -> Generator[Event, None, None]:
    """Run, yielding events; state and warehouse are opened, and closed when the events end or nobody listens.

    Another run of the environment is waited for, and a warehouse that another process holds: `wait_seconds` at most
    for both; `on_wait` is told for whom. `connection_config` is passed to the engine when the database is opened.

    Raises:
        StateError: the state cannot be opened, or another run goes on; nothing is recorded.
        WarehouseError: the warehouse cannot be opened; the run is recorded as failed.
    """
    if options.parallel < 1:
        raise UsageError("at least one model must be built at a time", mend="Give --threads 1 or more.")
    project, began = session.project, time.monotonic()
    state = SqliteStateStore(session.state_path, on_wait=on_wait)
    state.open()
    with closing(state), masked(session):
        state.init_schema()
        begun_now = begun_run(
            state,
            project.environment,
            Turn(wait_seconds, on_wait),
            mask=project.secrets.mask,
            orchestrator_run_id=options.orchestrator_run_id,
            request=request_of(options, project),
        )
        with begun_now as begun:
            left = max(0.0, wait_seconds - (time.monotonic() - began))
            warehouse = open_warehouse(
                project.target,
                root=session.root,
                wait_seconds=left,
                on_wait=on_wait,
                config=connection_config,
                holder=f"run {begun.run.id} of environment {project.environment}",
                knows=lambda pid: name_run(state, pid),
            )
            with closing(warehouse), proving_of(session) as prove:
                session.loaded.cache.save()
                yield from stream_begun_run(_workshop(session, state, warehouse, prove), options, begun)
                session.loaded.cache.save()


def _workshop(session: Session, state: StateStore, warehouse: Warehouse, prove: Prove) -> Workshop:
    compiler = session.loaded.compiler
    return Workshop(
        project=session.project,
        warehouse=warehouse,
        state=state,
        prove=prove,
        render=compiler.render_for_run,
        line_in_file=compiler.line_in_file,
        seed_file=lambda seed: str(seed_path(session.loaded, seed)),
        seed_stands=lambda seed: seed_stands(session.loaded, seed),
        seed_rows=lambda seed: seed_rows(session.loaded, seed),
        file_version=file_version_in(session, warehouse),
        settings=settings_of(session),
    )


def models_built_in(session: Session, *, orchestrator_run_id: str) -> set[str]:
    """Return the paths that runs of one orchestrator run have built in the session's environment.

    Raises:
        StateError: the state cannot be read.
    """
    with closing(open_state_reader(session.state_path)) as state:
        paths = {model.id: model.path for model in state.list_models()}
        return {
            paths[model_run.model_id]
            for run in runs_for(state, session.project.environment, orchestrator_run_id=orchestrator_run_id)
            for model_run in state.get_model_runs_for_run(run.id)
            if model_run.status == "success"
        }


def runs_for(state: StateReader, environment: str, *, orchestrator_run_id: str) -> list[Run]:
    """Return what one orchestrator run has run in an environment, the latest first."""
    runs = state.list_runs(environment=environment, limit=_RECENT_RUNS)
    return [run for run in runs if run.orchestrator_run_id == orchestrator_run_id]
