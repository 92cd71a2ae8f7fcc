"""What Dagster costs on top of a build: runs of a whole project, beside the bare Dagster that the same events take.

Every model is built once by the core alone, once through Dagster, and what was told to Dagster is then told again by
a `multi_asset` that does nothing else: whole, and with nothing in it but the names of assets and checks, which is the
least that Dagster takes. `python -m benchmarks.dagster_runs --models 1000 3000`
"""

from __future__ import annotations

import os
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

import dagster as dg

from benchmarks.generate import write_project
from benchmarks.pages import machine, markdown_table, new_parser, tell
from leapsql_core import RunOptions, open_session, stream_session_run
from leapsql_dagster import LeapSQLProject, LeapSQLResource, leapsql_assets
from leapsql_dagster.checks import CHECK_KINDS, CheckKind

_HEADER: Final = (
    *("instance", "checks", "models", "events", "core alone", "through Dagster", "difference", "bare Dagster"),
    *("bare, nothing told", "× bare", "ms a model"),
)


@dataclass(frozen=True, slots=True)
class Case:
    """What is measured: how many models, which checks they have, and where Dagster keeps its events."""

    models: int
    checks: tuple[CheckKind, ...]
    kept: bool


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds on the clock, and seconds of processor time."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Found:
    """What one case took: the core alone, through Dagster, bare Dagster; and how many events were told.

    ``silent`` is what bare Dagster takes where these events tell nothing.
    """

    core: Spent
    run: Spent
    bare: Spent
    silent: Spent
    events: int


def measure(case: Case) -> Found:
    """Build a project three ways, each from the start.

    Raises:
        RuntimeError: a run failed.
    """
    with TemporaryDirectory(prefix="leapsql-bench-") as made:
        folders = [Path(made, name) for name in ("core", "dagster")]
        for folder in folders:
            write_project(folder, case.models)
        core = _build_alone(folders[0])
        told: list[Any] = []
        assets = _assets(folders[1], case.checks, told)
        with _instance(case, Path(made, "first")) as instance:
            run = _run(assets, instance)
        with _instance(case, Path(made, "second")) as instance:
            bare = _run(_bare(assets, told), instance)
        with _instance(case, Path(made, "third")) as instance:
            silent = _run(_bare(assets, [_silenced(result) for result in told]), instance)
        return Found(core, run, bare, silent, len(told))


def _build_alone(folder: Path) -> Spent:
    session = open_session(folder, environ=dict(os.environ))
    began = (time.perf_counter(), time.process_time())
    for _ in stream_session_run(session, RunOptions(force=True)):
        pass
    return Spent(time.perf_counter() - began[0], time.process_time() - began[1])


def _assets(folder: Path, checks: tuple[CheckKind, ...], told: list[Any]) -> dg.AssetsDefinition:
    """Return the project's assets; what is told to Dagster is noted in `told`."""

    def models(context: dg.AssetExecutionContext, leapsql: LeapSQLResource):  # type: ignore[no-untyped-def]
        for result in leapsql.run(context):
            told.append(result)
            yield result

    # Dagster reads annotations as they stand, and this module's are text.
    models.__annotations__ = {"context": dg.AssetExecutionContext, "leapsql": LeapSQLResource}
    return leapsql_assets(project=LeapSQLProject(folder), checks=checks)(models)


def _bare(assets: dg.AssetsDefinition, told: Sequence[Any]) -> dg.AssetsDefinition:
    """Return assets with the keys, dependencies and checks of `assets`, which tell the same and do nothing else."""
    specs = [dg.AssetSpec(spec.key, deps=spec.deps, code_version=spec.code_version) for spec in assets.specs]
    checks = [dg.AssetCheckSpec(spec.name, asset=spec.asset_key, blocking=spec.blocking) for spec in assets.check_specs]

    def bare(context: dg.AssetExecutionContext) -> Iterator[Any]:
        yield from told

    bare.__annotations__ = {"context": dg.AssetExecutionContext}
    return dg.multi_asset(specs=specs, check_specs=checks, can_subset=True)(bare)


def _silenced(result: Any) -> Any:
    """Return what tells no more of an asset or a check than that there is a result.

    Raises:
        TypeError: the plugin tells something else to Dagster.
    """
    match result:
        case dg.AssetMaterialization():
            return dg.AssetMaterialization(result.asset_key)
        case dg.MaterializeResult():
            return dg.MaterializeResult(asset_key=result.asset_key)
        case dg.AssetCheckEvaluation():
            return dg.AssetCheckEvaluation(
                asset_key=result.asset_key, check_name=result.check_name, passed=result.passed, metadata={}
            )
        case dg.AssetCheckResult():
            return dg.AssetCheckResult(passed=result.passed, asset_key=result.asset_key, check_name=result.check_name)
        case _:
            raise TypeError(f"a {type(result).__name__} cannot be silenced")


def _run(assets: dg.AssetsDefinition, instance: dg.DagsterInstance) -> Spent:
    definitions = dg.Definitions(assets=[assets], resources={"leapsql": LeapSQLResource()})
    job = definitions.get_repository_def().get_job("__ASSET_JOB")
    began = (time.perf_counter(), time.process_time())
    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
        result = job.execute_in_process(instance=instance, raise_on_error=False)
    spent = Spent(time.perf_counter() - began[0], time.process_time() - began[1])
    if not result.success:
        failures = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
        raise RuntimeError(f"the run failed: {[error.message for error in failures if error is not None]}")
    return spent


@contextmanager
def _instance(case: Case, folder: Path) -> Iterator[dg.DagsterInstance]:
    if not case.kept:
        with dg.DagsterInstance.ephemeral() as instance:
            yield instance
        return
    folder.mkdir()
    with dg.DagsterInstance.local_temp(str(folder)) as instance:
        yield instance


def _row(case: Case, found: Found) -> list[str]:
    more = Spent(found.run.wall - found.core.wall, found.run.cpu - found.core.cpu)
    return [
        "SQLite" if case.kept else "in memory",
        "yes" if case.checks else "no",
        f"{case.models:,}",
        f"{found.events:,}",
        *(f"{spent.wall:.2f} ({spent.cpu:.2f})" for spent in (found.core, found.run, more, found.bare, found.silent)),
        f"{more.wall / found.bare.wall:.2f} ({more.cpu / found.bare.cpu:.2f})",
        f"{1000 * more.wall / case.models:.2f} ({1000 * more.cpu / case.models:.2f})",
    ]


def medians(found: Sequence[Found]) -> Found:
    """Return the median of each figure of the same case."""

    def middle(spent: Sequence[Spent]) -> Spent:
        return Spent(median(one.wall for one in spent), median(one.cpu for one in spent))

    ways = (
        middle([one.core for one in found]),
        middle([one.run for one in found]),
        middle([one.bare for one in found]),
        middle([one.silent for one in found]),
    )
    return Found(*ways, events=found[0].events)


def report(sizes: Sequence[int], *, kept: bool, rounds: int) -> str:
    """Measure runs of each of `sizes`, without checks and with them, and return a table.

    Raises:
        RuntimeError: a run failed.
    """
    rows = []
    for case in (Case(models, kinds, kept) for kinds in ((), CHECK_KINDS) for models in sizes):
        tell(f"{case.models:,} models {'with' if case.checks else 'without'} checks")
        rows.append(_row(case, medians([measure(case) for _ in range(rounds)])))
    told = f"Medians of {rounds} runs that build all of a project: seconds (of processor time). {machine()}."
    return f"{told}\n\n{markdown_table(_HEADER, rows, words=(0, 1))}"


def parser() -> ArgumentParser:
    """Return what the command line is read with."""
    made = new_parser("dagster_runs", __doc__)
    made.add_argument("--models", type=int, nargs="+", default=[1000, 3000])
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--sqlite", action="store_true", help="keep Dagster's events in SQLite, as a DAGSTER_HOME does")
    return made


def main() -> None:
    """Measure, and print a table."""
    given = parser().parse_args()
    print(report(given.models, kept=given.sqlite, rounds=given.rounds))


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as exc:
        sys.exit(str(exc))
