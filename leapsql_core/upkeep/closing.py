"""Runs that were killed: closing what they left open, with what really became of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing

from leapsql_core.execution import facts_of, is_abandoned, lost_builds, see
from leapsql_core.models import Project, Run
from leapsql_core.protocols import Build, StateStore
from leapsql_core.runs import runs_for
from leapsql_core.session import Session, masked
from leapsql_core.state import SqliteStateStore, open_state_reader
from leapsql_core.state.refusals import DIED
from leapsql_core.warehouses.opening import open_warehouse, warehouse_exists


def find_left_runs(session: Session) -> dict[str, tuple[Run, ...]]:
    """Return the runs whose processes are gone, the oldest first, by environment: of all that the state knows.

    Raises:
        StateError: the state cannot be read.
    """
    with closing(open_state_reader(session.state_path)) as reader:
        names = [environment.name for environment in reader.list_environments()]
        left = {name: tuple(reader.list_open_runs(name, is_dead=is_abandoned)) for name in names}
    return {name: runs for name, runs in left.items() if runs}


def close_left_runs(
    session: Session, *, wait_seconds: float = 0.0, on_wait: Callable[[str], None] | None = None
) -> tuple[Run, ...]:
    """Close the runs of the session's environment whose processes are gone, as the next run would; return them.

    What the warehouse has of them are successes, what was being built has failed, the rest is skipped. Where there is
    no such run, nothing is opened but the state, and nothing is written.

    Raises:
        StateError: the state cannot be read or written.
        WarehouseError: another process holds the warehouse when the waiting is over, or it cannot be looked at.
    """
    project = session.project
    with closing(open_state_reader(session.state_path)) as reader:
        if not reader.list_open_runs(project.environment, is_dead=is_abandoned):
            return ()
    with masked(session), ExitStack() as opened:
        store = SqliteStateStore(session.state_path)
        store.open()
        opened.callback(store.close)
        store.init_schema()
        lost: tuple[Build, ...] = ()
        if warehouse_exists(project.target, root=session.root):
            # Held until the end: no other process can build meanwhile, so what is taken over is the latest there is.
            warehouse = open_warehouse(
                project.target, root=session.root, read_only=True, wait_seconds=wait_seconds, on_wait=on_wait
            )
            opened.callback(warehouse.close)
            sight = see(warehouse, history=store.read_history())
            lost = lost_builds(project, warehouse, store.read_snapshot(project.environment), sight)
        return take_over(project, store, lost)


def take_over(project: Project, state: StateStore, lost: Sequence[Build]) -> tuple[Run, ...]:
    """Record builds that the warehouse has and the state lost, then close the runs that were left; these."""
    if lost:
        state.register_models(facts_of(project))
        state.adopt_builds(project.environment, lost)
    # Afterwards: what a run was building when it was killed may have been committed, and is a success then.
    closed = state.close_open_runs(project.environment, is_dead=is_abandoned)
    return tuple(state.get_run(run_id) for run_id in closed)


def is_left(session: Session, *, orchestrator_run_id: str) -> bool:
    """Say whether the process that ran models for an orchestrator run is gone though it never said how that ended.

    So it is also when somebody has closed that run since. Of several attempts the last one counts.

    Raises:
        StateError: the state cannot be read.
    """
    environment = session.project.environment
    with closing(open_state_reader(session.state_path)) as reader:
        left = {run.id for run in reader.list_open_runs(environment, is_dead=is_abandoned)}
        last = next(iter(runs_for(reader, environment, orchestrator_run_id=orchestrator_run_id)), None)
    return last is not None and (last.id in left or last.error == DIED)
