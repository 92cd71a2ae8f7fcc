"""How a run's outcomes reach Dagster: as outputs of the op, or, where these would cost too much, as events."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import dagster as dg

from leapsql_dagster.check_partitions import partitions_asked_for, red_partitions, stream_evaluations
from leapsql_dagster.checks import Verdict
from leapsql_dagster.stepping import (
    CODE_VERSION_TAG,
    Latest,
    input_tags,
    keys_awaited_by_other_steps,
    latest_of,
    parents_of_unpartitioned,
    release,
    release_check,
    version_tags,
)

Emission = Literal["auto", "outputs", "events"]
RunResult = (
    dg.MaterializeResult[Any]
    | dg.Output[None]
    | dg.AssetMaterialization
    | dg.AssetObservation
    | dg.AssetCheckResult
    | dg.AssetCheckEvaluation
)

#: With so many selected assets and checks, `auto` leaves outputs: their cost grows with the square of their number.
MANY_OUTPUTS = 200


@dataclass(frozen=True, slots=True)
class Part:
    """What is told of one partition that was materialized; ``key`` is ``None`` for an asset that has none."""

    key: str | None
    metadata: Mapping[str, Any]
    data_version: str | None


class Emitter:
    """Tells Dagster what became of the assets and checks that it has selected in one op execution.

    An output per asset is how Dagster means it, and its cost in one op grows with the square of their number. An asset
    that no other step waits for needs none: an event says the same, with the versions that Dagster would have written.
    """

    def __init__(
        self, context: dg.AssetExecutionContext, *, emission: Emission, also: Iterable[dg.AssetKey] = ()
    ) -> None:
        """Look at what is selected, and at what Dagster has of it, of what it reads, and of `also`."""
        self.selected = set(context.selected_asset_keys)
        self.selected_checks = set(context.selected_asset_check_keys)
        self.awaited = keys_awaited_by_other_steps(context)
        outputs = len(self.selected) + len(self.selected_checks)
        as_events = emission == "events" or (emission == "auto" and outputs > MANY_OUTPUTS)
        self._log = context.log
        self._parents = parents_of_unpartitioned(context, self.selected)
        known = {*also, *(key for read in self._parents.values() for key in read)} - self.selected
        self._latest: dict[dg.AssetKey, Latest] = {
            **latest_of(context.instance, known),
            **latest_of(context.instance, self.selected, observed=False),
        }
        self._instance = context.instance
        self._unseen = self.selected - self._latest.keys()
        self._observed: set[dg.AssetKey] = set()
        self._unanswered: dict[dg.AssetKey, set[dg.AssetCheckKey]] = {}
        for check in self.selected_checks:
            self._unanswered.setdefault(check.asset_key, set()).add(check)
        self._told_by_events = self.selected - self.awaited if as_events else set()
        self._parted = {spec.key for spec in context.assets_def.specs if spec.partitions_def is not None}
        #: Of each selected check that has partitions, those that this run is of.
        self.asked = partitions_asked_for(context)

    def row_count(self, key: dg.AssetKey) -> int | None:
        """Return how many rows the last materialization of an asset had, if it told."""
        latest = self._latest.get(key)
        return None if latest is None else latest.row_count

    def is_behind(self, key: dg.AssetKey, read: Mapping[dg.AssetKey, bool], *, code_version: str) -> bool:
        """Tell whether Dagster takes an asset for missing or stale, as its materializations are.

        `read` is what it reads, looking through views; false stands for what lies behind one: of that Dagster compares
        moments, of the others data versions.
        """
        own = self._latest.get(key)
        if own is None or own.code_version != code_version:
            return True
        for parent, directly in read.items():
            latest = self._latest_read(parent)
            if directly and not own.was_made_from(parent, latest):
                return True
            if not directly and latest is not None and latest.moment > own.moment:
                return True
        return False

    def materialize(
        self,
        key: dg.AssetKey,
        said: str,
        *,
        metadata: Mapping[str, Any],
        code_version: str,
        data_version: str | None,
    ) -> Iterator[RunResult]:
        """Tell that an asset was materialized; `said` is its line in the run's log."""
        if key in self._told_by_events and key in self._parents and data_version is not None:
            read = {parent: self._latest_read(parent) for parent in self._parents[key]}
            tags = {**input_tags(read), **version_tags(data_version, code_version)}
            self._latest[key] = Latest(data_version)
            yield dg.AssetMaterialization(key, description=said, metadata=metadata, tags=tags)
            return
        self._log.info(said)
        observed = {one: self._latest.get(one) for one in self._parents.get(key, ()) if one in self._observed}
        yield dg.MaterializeResult(
            asset_key=key,
            metadata=metadata,
            data_version=None if data_version is None else dg.DataVersion(data_version),
            tags={CODE_VERSION_TAG: code_version, **input_tags(observed)},
        )
        self._latest.pop(key, None)
        self._latest.update(latest_of(self._instance, [key]) if data_version is None else {key: Latest(data_version)})

    def materialize_parts(
        self, key: dg.AssetKey, said: str, *, read: Iterable[dg.AssetKey], parts: Iterable[Part], code_version: str
    ) -> Iterator[RunResult]:
        """Tell by events that partitions of an asset were materialized, or an asset that has `read` some.

        For an output Dagster looks for the partitions of what was read that the run is of: if it is of none, it fails.
        """
        self._log.info(said)
        parents = sorted(read)
        latest = latest_of(self._instance, parents)
        inputs = input_tags({one: latest.get(one) for one in parents})
        for part in parts:
            versions = {CODE_VERSION_TAG: code_version}
            if part.data_version is not None:
                versions = version_tags(part.data_version, code_version)
            yield dg.AssetMaterialization(key, partition=part.key, metadata=part.metadata, tags={**inputs, **versions})
        self._latest.update(latest_of(self._instance, [key]))

    def _latest_read(self, key: dg.AssetKey) -> Latest | None:
        """Return what Dagster has of an asset that is read.

        A selected one that was never materialized may have been observed; mostly it is materialized before it is read.
        """
        if key in self._unseen and key not in self._latest:
            self._latest.update(latest_of(self._instance, [key]))
        self._unseen.discard(key)
        return self._latest.get(key)

    def observe(self, key: dg.AssetKey, data_version: str) -> Iterator[RunResult]:
        """Tell which version of an asset that Dagster observes was seen, unless it is the one that Dagster has."""
        latest = self._latest.get(key)
        if latest is None or latest.data_version != data_version:
            yield dg.AssetObservation(key, tags=version_tags(data_version))
            self._latest[key] = Latest(data_version)
        self._observed.add(key)

    def release(self, key: dg.AssetKey) -> Iterator[RunResult]:
        """Let the steps that wait for an asset go on, though it was not materialized."""
        yield release(key)

    def release_checks(self, key: dg.AssetKey) -> Iterator[RunResult]:
        """Let the steps that wait for checks of an asset go on, though nothing new is known of these."""
        for check in sorted(self._unanswered.pop(key, ())):
            yield release_check(check)

    def check(
        self, verdict: Verdict, partitions: Collection[str] = (), others: Verdict | None = None
    ) -> Iterator[RunResult]:
        """Tell the result of a check, if it is selected and was not told before.

        Of what has partitions an event tells it, for the same cause as in `materialize_parts`; what waits for it goes
        on where the model does not fail. A check with partitions is told for each that the run is of, since Dagster
        awaits that; in a run of none for the `partitions` that the result is of, or, if there are none, as a whole.
        `others` is what is told of partitions that the run is of, and the result is not.
        """
        key = verdict.key
        if key not in self.unanswered(key.asset_key):
            return
        self._unanswered[key.asset_key].discard(key)
        if key.asset_key in self._told_by_events | self._parted:
            for one, some in self._told_apart(verdict, partitions, others):
                yield from self._evaluations(one, some)
            if key.asset_key in self._parted & self.awaited and (verdict.passed or not verdict.is_error):
                yield release_check(key)
            return
        yield dg.AssetCheckResult(
            asset_key=key.asset_key,
            check_name=key.name,
            passed=verdict.passed,
            severity=verdict.severity,
            description=verdict.said,
            metadata=verdict.metadata,
        )

    def check_red_partitions(self, verdict: Verdict) -> Iterator[RunResult]:
        """Tell the result of a check that is selected for the partitions for which it is red."""
        if verdict.key in self.asked:
            red = red_partitions(self._instance, verdict.key)
            yield from self._evaluations(verdict, red) if red else ()

    def _told_apart(
        self, verdict: Verdict, partitions: Collection[str], others: Verdict | None
    ) -> list[tuple[Verdict, Collection[str]]]:
        """Return what is told of which partitions; of the whole asset where there are none."""
        asked = self.asked.get(verdict.key)
        if not asked:
            return [(verdict, () if asked is None else partitions)]
        if others is None:
            return [(verdict, asked)]
        among = set(partitions)
        own, rest = [one for one in asked if one in among], [one for one in asked if one not in among]
        return [(one, some) for one, some in ((verdict, own), (others, rest)) if some]

    def _evaluations(self, verdict: Verdict, partitions: Collection[str]) -> Iterator[RunResult]:
        """Yield the events that tell a result: of each partition, or of the whole asset where there are none."""
        evaluation: dict[str, Any] = {
            "asset_key": verdict.key.asset_key,
            "check_name": verdict.key.name,
            "passed": verdict.passed,
            "severity": verdict.severity,
            "description": verdict.said,
            "metadata": verdict.metadata,
            "blocking": verdict.is_error,
        }
        if partitions:
            yield from stream_evaluations(self._instance, evaluation, verdict.key.asset_key, partitions)
        else:
            yield dg.AssetCheckEvaluation(**evaluation)

    def unanswered(self, key: dg.AssetKey) -> set[dg.AssetCheckKey]:
        """Return the selected checks of an asset that nothing was said of yet."""
        return self._unanswered.get(key, set())
