"""Runs, their leases and their model runs in the state store in memory."""

# ruff: noqa: D102 - what each method promises is said once, in leapsql_core.protocols, and inherited from there.

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import datetime

from leapsql_core.models import Holder, Lease, ModelRun, ModelRunStatus, Request, Run, RunStatus, StoredEnvironment
from leapsql_core.protocols import NewModelRun, StateWriter
from leapsql_core.state import refusals
from leapsql_core.state.notation import printable
from leapsql_core.testing.reading import InMemoryReading


class InMemoryRuns(InMemoryReading, StateWriter):
    """What a `StateWriter` writes of runs, written to dictionaries; ``_recorded`` counts model runs."""

    _recorded: int
    _new_id: Callable[[], str]

    @abstractmethod
    def _now(self) -> datetime:
        """Return the moment that is written down."""

    def create_run(
        self, environment: str, *, orchestrator_run_id: str | None = None, request: Request | None = None
    ) -> Run:
        tables, run_id, now = self._tables, self._new_id(), self._now()
        tables.environments.setdefault(environment, StoredEnvironment(environment, None, now, now))
        run = Run(
            run_id,
            environment,
            "running",
            started_at=now,
            orchestrator_run_id=orchestrator_run_id,
            request=request,
        )
        tables.runs[run_id] = run
        return run

    def begin_run(
        self,
        environment: str,
        holder: Holder,
        *,
        is_dead: Callable[[Lease, datetime], bool],
        orchestrator_run_id: str | None = None,
        request: Request | None = None,
    ) -> Run | Lease:
        tables, now = self._tables, self._now()
        lease = tables.leases.get(environment)
        if lease is not None and not is_dead(lease, now):
            return lease
        run = self.create_run(environment, orchestrator_run_id=orchestrator_run_id, request=request)
        tables.leases[environment] = Lease(environment, run.id, holder, taken_at=now, heartbeat_at=now)
        return run

    def renew_lease(self, run_id: str) -> bool:
        leases = self._tables.leases
        for environment, lease in list(leases.items()):
            if lease.run_id == run_id:
                leases[environment] = replace(lease, heartbeat_at=self._now())
                return True
        return False

    def close_dead_runs(self, run_id: str) -> list[str]:
        tables, run = self._tables, self.get_run(run_id)
        lease = tables.leases.get(run.environment)
        if lease is None or lease.run_id != run_id:
            raise refusals.no_lease(run)
        untold = tables.untold_runs(run.environment)
        closed = tables.close_dead_runs(tables.running(run.environment, but=run_id))
        for one in untold:
            tables.close_model_runs(one, ended=one.completed_at, error=refusals.UNTOLD, left_out=refusals.LEFT_OUT)
        return [*(one.id for one in untold), *closed]

    def close_open_runs(self, environment: str, *, is_dead: Callable[[Lease], bool]) -> list[str]:
        return self._tables.close_dead_runs(self.list_open_runs(environment, is_dead=is_dead))

    def complete_run(self, run_id: str, status: RunStatus, *, error: str | None = None) -> Run:
        run = self.get_run(run_id)
        refusals.check_run_end(run, status)
        run = replace(run, status=status, completed_at=self._now(), error=printable(error))
        self._tables.runs[run_id] = run
        self._tables.give_back_lease(run)
        return run

    def delete_run(self, run_id: str) -> None:
        refusals.check_run_deletable(self.get_run(run_id))
        self._tables.forget_run(run_id)

    def record_model_run(self, run_id: str, model_id: str, status: ModelRunStatus = "pending") -> ModelRun:
        run, model = self.get_run(run_id), self.get_model_by_id(model_id)
        new = NewModelRun(model.id, status, content_hash=model.content_hash)
        [model_run_id] = self.record_model_runs(run.id, [new])
        return self._tables.model_runs[model_run_id]

    def record_model_runs(self, run_id: str, model_runs: Sequence[NewModelRun]) -> list[str]:
        refusals.check_run_open(self.get_run(run_id))
        for new in model_runs:
            self.get_model_by_id(new.model_id)
        for new in model_runs:
            refusals.check_status(new.status)
        now = self._now()
        recorded = [
            ModelRun(
                id=self._new_id(),
                run_id=run_id,
                model_id=new.model_id,
                status=new.status,
                started_at=now if new.status == "running" else None,
                completed_at=now if new.status not in ("pending", "running") else None,
                content_hash=new.content_hash,
                reason=new.reason,
                detail=printable(new.detail),
            )
            for new in model_runs
        ]
        for model_run in recorded:
            self._recorded += 1
            self._tables.sequence[model_run.id] = self._recorded
            self._tables.model_runs[model_run.id] = model_run
        return [model_run.id for model_run in recorded]

    def update_model_run(
        self,
        model_run_id: str,
        status: ModelRunStatus,
        *,
        rows_affected: int | None = None,
        execution_ms: int | None = None,
        error: str | None = None,
        reason: str | None = None,
        detail: str | None = None,
    ) -> ModelRun:
        before = self._get_model_run(model_run_id)
        refusals.check_transition(before, status)
        given = {
            "started_at" if status == "running" else "completed_at": self._now(),
            "rows_affected": rows_affected,
            "execution_ms": execution_ms,
            "error": printable(error),
            "reason": reason,
            "detail": printable(detail),
        }
        said = {name: value for name, value in given.items() if value is not None}
        after = ModelRun(**{**asdict(before), **said, "status": status})
        self._tables.model_runs[model_run_id] = after
        return after

    def _get_model_run(self, model_run_id: str) -> ModelRun:
        model_run = self._tables.model_runs.get(model_run_id)
        if model_run is None:
            raise refusals.unknown_model_run(model_run_id)
        return model_run
