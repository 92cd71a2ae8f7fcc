"""What a decision hangs on: the chain from a model up to the changes that cause it.

Two kinds of steps lead up. An input that is to be built or checked first is found in the plan. An input that was built
meanwhile is found in the state: there stands when and why it was built, and so what lies above it in turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from leapsql_core.hashing import column_set_key
from leapsql_core.models import ColumnSet, Decision, Model, Node
from leapsql_core.planning import VersionBook, reads_for
from leapsql_core.session import Planned

#: Reasons whose cause lies in what an input became.
_OF_INPUTS = ("input_changed", "resolved_differently")


@dataclass(frozen=True, slots=True)
class Recorded:
    """Why a model was built, as the state keeps it."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that this decision hangs on; ``columns`` are those that ``reader`` reads of it.

    ``decision`` is what becomes of it, ``None`` for a source. ``built_at`` is set where it was built since its reader
    was, ``recorded`` then tells why, unless that was forgotten.
    """

    depth: int
    name: str
    decision: Decision | None
    reader: str | None = None
    columns: ColumnSet = ()
    built_at: datetime | None = None
    recorded: Recorded | None = None


def find_causes(planned: Planned, path: str, recorded: Mapping[str, Recorded]) -> tuple[Cause, ...]:
    """Return what leads to the decision about `path`, each below what hangs on it; nothing if it has its own reason.

    `recorded` tells by model run why each current relation was built.
    """
    return _Search(planned, recorded).all_from(path)


class _Search:
    def __init__(self, planned: Planned, recorded: Mapping[str, Recorded]) -> None:
        self._project, self._decisions, self._recorded = planned.project, planned.plan.decisions, recorded
        self._traces = planned.snapshot.traces
        self._showing: dict[tuple[str, str, datetime], bool] = {}
        self._book = VersionBook(
            planned.project,
            planned.snapshot.traces,
            planned.snapshot.data_versions,
            planned.observations,
            rewritten=planned.plan.rewritten,
        )

    def all_from(self, path: str) -> tuple[Cause, ...]:
        found: list[Cause] = []
        seen: set[str] = set()
        stack: list[tuple[Cause, datetime | None]] = [(Cause(0, path, self._decisions[path]), None)]
        while stack:
            cause, since = stack.pop()
            found.append(cause)
            if cause.name in seen or cause.name not in self._project.nodes:
                continue
            seen.add(cause.name)
            stack += reversed(list(self._above(cause, since)))
        return tuple(found) if len(found) > 1 else ()

    def _above(self, cause: Cause, since: datetime | None) -> Iterator[tuple[Cause, datetime | None]]:
        """Yield what lies above a cause; `since` is set once all that counts is what was built after that moment."""
        node, decision, trace = self._project.nodes[cause.name], cause.decision, self._traces.get(cause.name)
        if decision is not None and decision.reason == "input_pending":
            for name, columns in self._reads(node, cause):
                below = self._decisions.get(name)
                if below is not None and below.action != "skip" and name != node.path:
                    yield Cause(cause.depth + 1, name, below, node.path, columns), None
        elif decision is not None and decision.reason in _OF_INPUTS and trace is not None:
            for name, columns in self._changed_inputs(node):
                yield from self._built_since(cause, name, columns, trace.built_at)
        elif since is not None and trace is not None:
            is_view = node.materialized == "view"
            if is_view or (cause.recorded is not None and cause.recorded.reason in _OF_INPUTS):
                for name, columns in self._reads(node, cause):
                    yield from self._built_since(cause, name, columns, since, until=None if is_view else trace.built_at)

    def _built_since(
        self, cause: Cause, name: str, columns: ColumnSet, since: datetime, *, until: datetime | None = None
    ) -> Iterator[tuple[Cause, datetime | None]]:
        """Yield `name` if it was built after one moment, and before another, or shows what was."""
        trace = self._traces.get(name)
        depth, decision = cause.depth + 1, self._decisions.get(name)
        if name in self._project.sources:
            if self._project.nodes[cause.name].materialized == "view":
                yield Cause(depth, name, None, cause.name, columns), None
        elif decision is None or trace is None or decision.action != "skip" or name == cause.name:
            return
        elif trace.built_at > since and (until is None or trace.built_at <= until):
            why = self._recorded.get(trace.model_run_id)
            yield Cause(depth, name, decision, cause.name, columns, trace.built_at, why), since
        elif trace.materialized == "view":
            shown = Cause(depth, name, decision, cause.name, columns)
            if self._shows_what_was_built(shown, since):
                yield shown, since

    def _shows_what_was_built(self, view: Cause, since: datetime) -> bool:
        """Tell whether a view shows something that was built after a moment, or a source."""
        key = (view.name, column_set_key(view.columns), since)
        if key not in self._showing:
            self._showing[key] = any(True for _ in self._above(view, since))
        return self._showing[key]

    def _changed_inputs(self, node: Node) -> Iterator[tuple[str, ColumnSet]]:
        trace = self._traces[node.path]
        before = {entry.name: entry for entry in trace.inputs}
        for entry in node.inputs:
            then = before.get(entry.name)
            if (
                then is None
                or column_set_key(then.columns) != column_set_key(entry.columns)
                or self._book.read_version(node, entry.name, entry.columns) != then.data_version
            ):
                yield entry.name, entry.columns

    def _reads(self, node: Node, cause: Cause) -> Iterator[tuple[str, ColumnSet]]:
        """Yield what a node reads; of a view that is looked through, what decides the columns that its reader reads."""
        if isinstance(node, Model) and node.materialized == "view" and cause.reader is not None:
            narrowed = {read.table: read.columns for read in reads_for(node, cause.columns)}
        else:
            narrowed = {}
        for entry in node.inputs:
            yield entry.name, narrowed.get(entry.name, entry.columns)
