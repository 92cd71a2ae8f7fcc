"""What Dagster is told of each model of a run: materializations, check results, and releases of what waits."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import dagster as dg

from leapsql_core import (
    DataTestResult,
    ModelFinished,
    ModelRun,
    ModelStarted,
    Node,
    RunStarted,
    Session,
    is_undone,
    origins,
)
from leapsql_dagster.checks import BUILD_CHECK, Verdict, names_of_tests, verdict_of_build, verdict_of_test
from leapsql_dagster.emitting import Emitter, RunResult
from leapsql_dagster.loading import LoadedAssets
from leapsql_dagster.metadata import materialization_metadata
from leapsql_dagster.partitions import is_told_by_events, parts_told
from leapsql_dagster.stepping import KNOWS_VIRTUAL_ASSETS

_NEVER_BUILT = "it was never built"
# What is said of a partition that a run found to stand, beside others that it built.
_STANDS = "needs no build: it stands as it was built"


@dataclass(slots=True)
class Telling:
    """Turns what the core tells into what Dagster is told.

    In an environment that the assets do not stand for, nothing that Dagster shows of them has happened: then
    `materializes` is false, and nothing is told but that the steps which wait may go on. `reported` are
    assets that are materialized as they stand when they needed no build; with `report_stale`, so are all that Dagster
    takes for missing or stale. `last` is what tests had found before the run, by path; ``finished`` holds the ends of
    models so far, ``standing`` why others that are selected are not built in this run, ``tried`` which partitions are
    to be built of those that have some.
    """

    loaded: LoadedAssets
    session: Session
    emitter: Emitter
    materializes: bool
    reported: frozenset[dg.AssetKey] = frozenset()
    report_stale: bool = False
    run_id: str = ""
    last: Mapping[str, tuple[DataTestResult | None, ...]] = field(default_factory=dict)
    finished: dict[str, ModelFinished] = field(default_factory=dict)
    standing: dict[str, str] = field(default_factory=dict)
    tried: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def failed(self) -> list[ModelFinished]:
        """Models that failed."""
        return [event for event in self.finished.values() if event.status == "failed"]

    @property
    def blocked(self) -> list[ModelFinished]:
        """Models that were skipped because of one that failed."""
        return [event for event in self.finished.values() if event.reason == "upstream_failed"]

    def started(self, event: RunStarted, *, observed: Collection[dg.AssetKey]) -> Iterator[RunResult]:
        """Tell that a run began; of its sources those are told that Dagster observes."""
        self.run_id = event.run_id
        self.tried = {path: found.partitions for path, found in event.plan.decisions.items()}
        for name, version in event.sources.items():
            key = self.loaded.keys.get(name)
            if self.materializes and key is not None and key in observed:
                yield from self.emitter.observe(key, version)

    def stand(self, paths: Collection[str], said: str) -> Iterator[RunResult]:
        """Tell that models stand as they are, and are not built in this run, for what is `said`."""
        for path in paths:
            self.standing[path] = said
            key = self.loaded.keys[path]
            if key in self.emitter.awaited or self._partitions_asked(key):
                yield from self._check(verdict_of_build(key, said, passed=True))
            if key in self.emitter.awaited:
                yield from self._go_on(key, path, materialized=False)

    def begun(self, event: ModelStarted) -> None:
        """Take note of what is being built: which partitions may have been decided when the model's turn came."""
        self.tried[event.path] = event.decision.partitions

    def ended(self, event: ModelFinished) -> Iterator[RunResult]:
        """Tell how a model ended."""
        self.finished[event.path] = event
        key = self.loaded.keys[event.path]
        materialized = self.materializes and (event.status == "success" or self._is_reported(key, event))
        if materialized:
            yield from self._materialized(key, event)
        yield from self._tests(key, event.path, event.tests)
        red = _red(key, event)
        if red is not None:
            yield from self._check(red, self.tried.get(event.path, ()))
            return
        if key in self.emitter.awaited or self._is_told_in_parts(key, event):
            yield from self._check(_fine(key, event), [one.key for one in event.partitions], _beside(key, event))
        if key in self.emitter.awaited:
            by_output = materialized and not is_told_by_events(self.loaded, event.node)
            yield from self._go_on(key, event.path, materialized=by_output)

    def tested(self, event: ModelFinished) -> Iterator[RunResult]:
        """Tell what the tests of a model found that were run alone."""
        key = self.loaded.keys[event.path]
        if event.status == "failed":
            self.finished[event.path] = event
        yield from self._tests(key, event.path, event.tests)

    def remembered(self, path: str, results: Collection[DataTestResult | None]) -> Iterator[RunResult]:
        """Tell what tests of a model that stands elsewhere found there, where they are asked alone."""
        yield from self._tests(self.loaded.keys[path], path, results)

    def stands(self, path: str, said: str) -> Iterator[RunResult]:
        """Tell of a model that stands elsewhere what its `build` check says that is asked alone."""
        yield from self._check(verdict_of_build(self.loaded.keys[path], said, passed=True))

    def known(self, path: str, attempt: ModelRun | None, standing: Collection[str]) -> Iterator[RunResult]:
        """Tell from a model's latest attempt what its `build` check says that is asked alone.

        Partitions that are asked for and are none of the `standing` ones were not built by it, though it was fine.
        """
        key = self.loaded.keys[path]
        if attempt is None:
            yield from self._check(verdict_of_build(key, _NEVER_BUILT, passed=False))
            return
        fine = not is_undone(attempt)
        said = f"{attempt.status}: {attempt.reason} ({attempt.detail})"
        found = verdict_of_build(key, said, passed=fine, error=None if fine else attempt.error)
        never = verdict_of_build(key, _NEVER_BUILT, passed=False)
        yield from self._check(found, standing, never if fine else None)

    def all_fine(self, last: Mapping[str, tuple[DataTestResult | None, ...]]) -> Iterator[RunResult]:
        """Tell of all models of a run that will fail that they did not, with what their tests found `last`.

        Dagster takes a check that a failed run says nothing of for one that failed.
        """
        for path, event in self.finished.items():
            key = self.loaded.keys[path]
            if event.status != "failed" and event.reason != "upstream_failed":
                yield from self._check(_fine(key, event))
        for path, said in self.standing.items():
            yield from self._check(verdict_of_build(self.loaded.keys[path], said, passed=True))
        for path in (*self.finished, *self.standing):
            if self.emitter.unanswered(self.loaded.keys[path]):
                yield from self._tests(self.loaded.keys[path], path, last.get(path, ()))

    def mended(self, paths: Collection[str]) -> Iterator[RunResult]:
        """Tell of models whose `build` check was red that they are fine now; in a run of none, all partitions are."""
        for path in sorted(paths):
            key = self.loaded.keys[path]
            yield from self._check(_fine(key, self.finished[path]))
            if not self._partitions_asked(key):
                yield from self.emitter.check_red_partitions(verdict_of_build(key, _STANDS, passed=True))

    def _go_on(self, key: dg.AssetKey, path: str, *, materialized: bool) -> Iterator[RunResult]:
        """Let the steps that wait for a model go on; tests that were not run say what they had found."""
        if self.emitter.unanswered(key):
            yield from self._tests(key, path, self.last.get(path, ()))
        yield from self.emitter.release_checks(key)
        if not materialized:
            yield from self.emitter.release(key)

    def _is_reported(self, key: dg.AssetKey, event: ModelFinished) -> bool:
        """Tell whether a model that needed no build is materialized all the same, as it stands."""
        if event.status != "skipped" or event.reason in ("upstream_failed", "cancelled"):
            return False
        if key in self.reported or not self.report_stale:
            return key in self.reported
        read = read_through_views(self.loaded, self.loaded.session.project.nodes[event.path])
        return self.emitter.is_behind(key, read, code_version=event.code_version)

    def _materialized(self, key: dg.AssetKey, event: ModelFinished) -> Iterator[RunResult]:
        project = self.session.project
        came_from = origins(project, self.finished, event.path) if event.status == "success" else ()
        metadata = materialization_metadata(
            self.loaded,
            event,
            came_from,
            run_id=self.run_id,
            environment=project.environment,
            rows_before=self.emitter.row_count(key),
        )
        if is_told_by_events(self.loaded, event.node):
            yield from self.emitter.materialize_parts(
                key,
                _line(event),
                read=[self.loaded.keys[entry.name] for entry in event.node.inputs],
                parts=parts_told(event, metadata),
                code_version=event.code_version,
            )
            return
        yield from self.emitter.materialize(
            key,
            _line(event),
            metadata=metadata,
            code_version=event.code_version,
            data_version=event.data_version,
        )

    def _tests(self, key: dg.AssetKey, path: str, results: Collection[DataTestResult | None]) -> Iterator[RunResult]:
        names = names_of_tests(self._node(path))
        for result in results:
            if result is not None and result.test.label in names:
                yield from self._check(verdict_of_test(key, names[result.test.label], result))

    def _node(self, path: str) -> Node:
        """Return a model as it is built in this run, or as it was loaded where it is read elsewhere."""
        return self.session.project.nodes.get(path) or self.loaded.session.project.nodes[path]

    def _check(
        self, verdict: Verdict, partitions: Collection[str] = (), others: Verdict | None = None
    ) -> Iterator[RunResult]:
        if self.materializes:
            yield from self.emitter.check(verdict, partitions, others)

    def _partitions_asked(self, key: dg.AssetKey) -> tuple[str, ...]:
        """Return the partitions that the run is of, where the asset's `build` check has some."""
        return self.emitter.asked.get(dg.AssetCheckKey(key, BUILD_CHECK), ())

    def _is_told_in_parts(self, key: dg.AssetKey, event: ModelFinished) -> bool:
        """Tell whether a `build` check has partitions that are fine: those that were built or that the run is of."""
        has_some = dg.AssetCheckKey(key, BUILD_CHECK) in self.emitter.asked and event.reason != "cancelled"
        return has_some and bool(event.partitions or self._partitions_asked(key))


def read_through_views(loaded: LoadedAssets, node: Node) -> dict[dg.AssetKey, bool]:
    """Return what can make a node stale, with whether it reads it directly; in place of views, what lies behind them.

    So Dagster sees it where it knows virtual assets: of a view itself only the code counts. Where it does not, a view
    is as good as a table.
    """
    nodes, read = loaded.session.project.nodes, dict[dg.AssetKey, bool]()
    if KNOWS_VIRTUAL_ASSETS and node.materialized == "view":
        return read
    left = [(entry.name, True) for entry in node.inputs]
    while left:
        name, directly = left.pop()
        found = nodes.get(name)
        if KNOWS_VIRTUAL_ASSETS and found is not None and found.materialized == "view":
            left += [(entry.name, False) for entry in found.inputs]
        else:
            read[loaded.keys[name]] = directly or read.get(loaded.keys[name], False)
    return read


def _red(key: dg.AssetKey, event: ModelFinished) -> Verdict | None:
    """Return what the `build` check says of a model that failed, or was skipped because of one; else ``None``."""
    if event.status == "failed":
        return verdict_of_build(key, "failed", passed=False, error=event.error)
    if event.reason == "upstream_failed":
        return verdict_of_build(key, f"skipped: {event.detail}", passed=False)
    return None


def _fine(key: dg.AssetKey, event: ModelFinished) -> Verdict:
    said = "built" if event.status == "success" else "needs no build"
    return verdict_of_build(key, f"{said}: {event.reason} ({event.detail})", passed=True)


def _beside(key: dg.AssetKey, event: ModelFinished) -> Verdict | None:
    """Return what the `build` check says of partitions that a run is of and did not build; ``None``: what of all."""
    return verdict_of_build(key, _STANDS, passed=True) if event.partitions else None


def _line(event: ModelFinished) -> str:
    """Return a model's line in the run's log."""
    if event.status != "success":
        return f"{event.path} stands as it was built: {event.reason} ({event.detail})"
    rows = "" if event.row_count is None else f", {event.row_count} rows"
    return f"{event.path} built in {(event.execution_ms or 0) / 1000:.2f} s{rows}: {event.reason} ({event.detail})"
