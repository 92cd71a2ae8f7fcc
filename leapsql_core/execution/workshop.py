"""What a run works with and what it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from leapsql_core.execution.observing import FileVersion
from leapsql_core.models import Model, Project, Query, Request, Seed
from leapsql_core.planning import PartitionRange, Prove
from leapsql_core.protocols import StateStore, Warehouse
from leapsql_core.rendering import RunValues


def utc_now() -> datetime:
    """Return the present moment, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Workshop:
    """All that a run works with.

    ``render`` gives a model's query as this run sees it (``True`` for the query of a batch), ``line_in_file`` the line
    of a model's file that a line of its query comes from, ``seed_file`` the absolute path of a seed's file, and
    ``seed_stands`` whether that file still holds what the project was read with, and ``seed_rows`` the version of the
    rows that a build would load from it, in their order. ``settings`` are those of the target that can change an answer
    and are not as usual. ``file_version`` gives the version of the files that a name or a pattern in a query means now.
    """

    project: Project
    warehouse: Warehouse
    state: StateStore
    prove: Prove
    render: Callable[[Model, RunValues, bool], Query]
    line_in_file: Callable[[Model, int], int | None]
    seed_file: Callable[[Seed], str]
    seed_stands: Callable[[Seed], bool]
    seed_rows: Callable[[Seed], str | None]
    file_version: FileVersion
    settings: Mapping[str, str] = field(default_factory=dict)
    clock: Callable[[], datetime] = utc_now


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a run is asked for: paths (``None``: all), and how many models to build at the same time.

    ``adopt`` takes the tables of the selection over as they stand, and ``test`` runs the tests of the selection on what
    stands; neither builds anything. ``partitions`` are the first and the last that a run is of, of models that have
    some (``None``: all that there are). ``resumes`` takes up what a run has left: what that one has built in spite of
    it, as the warehouse tells, is neither forced nor refreshed again.
    """

    selection: Collection[str] | None = None
    force: bool = False
    full_refresh: bool = False
    adopt: bool = False
    test: bool = False
    partitions: PartitionRange | None = None
    parallel: int = 4
    orchestrator_run_id: str | None = None
    resumes: bool = False


def request_of(options: RunOptions, project: Project) -> Request:
    """Return what a run is asked for, as it is noted with it; secrets are masked."""
    deferral, mask = project.deferral, project.secrets.mask
    first, last = options.partitions or (None, None)
    state_of = None if deferral is None else deferral.state_of
    return Request(
        force=options.force,
        full_refresh=options.full_refresh,
        partitions=None if first is None or last is None else (mask(first), mask(last)),
        defer_to=None if deferral is None else deferral.environment,
        state_of=None if state_of is None else mask(state_of),
    )
