"""Whether a model's rows are the same in two environments, and through which inputs they came to differ.

All is told from the state: versions that builds have taken of what they made and of what they read. A view has no rows
of its own: it shows what its inputs hold. Where no version says so, it is not known, which is ``None`` throughout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from leapsql_core.hashing import column_set_key, fingerprint
from leapsql_core.models import ColumnSet, Snapshot, Trace, TraceInput
from leapsql_core.planning.surroundings import is_relation, is_settings
from leapsql_core.planning.versions import IN_ORDER, NEVER


@dataclass(frozen=True, slots=True)
class InputDifference:
    """An input that is not known to be the same in both; ``columns`` are those that are read of it.

    ``same`` is ``False`` where what was read of it differs, or a view's query does, ``None`` where that cannot be told.
    ``read_in`` names the one environment whose model reads it; ``columns`` and ``other_columns`` are others where the
    models read otherwise.
    """

    name: str
    same: bool | None
    columns: ColumnSet = None
    other_columns: ColumnSet = None
    read_in: str | None = None


class DataComparison:
    """Compares the data of two environments; ``same_code`` is asked of views alone, for they are what they query."""

    def __init__(
        self, first: Snapshot, second: Snapshot, same_code: Mapping[str, bool], *, names: tuple[str, str]
    ) -> None:
        self._first, self._second, self._same_code, self._names = first, second, same_code, names
        self._known: dict[tuple[str, str], bool | None] = {}
        self._inputs: dict[str, tuple[InputDifference, ...]] = {}

    def same(self, name: str, columns: ColumnSet) -> bool | None:
        """Tell whether `name` holds the same in `columns` now in both environments, as far as it is known."""
        key = (name, column_set_key(columns))
        if key not in self._known:
            self._known[key] = self._find(name, columns)
        return self._known[key]

    def _find(self, name: str, columns: ColumnSet) -> bool | None:
        first, second = self._first.traces.get(name), self._second.traces.get(name)
        if first is None or second is None:
            return None
        if (first.materialized == "view") != (second.materialized == "view"):
            return None
        if first.materialized == "view":
            return self._same_view(first, second)
        before, now = _taken(self._first, first), _taken(self._second, second)
        key = column_set_key(columns)
        if key in before and key in now:
            return before[key] == now[key]
        return True if "*" in before and before.get("*") == now.get("*") else None

    def _same_view(self, first: Trace, second: Trace) -> bool | None:
        """Tell whether a view shows the same; that it shows something else is never certain: rows may be left out."""
        if not self._same_code[first.model_path] or first.data_version is None or second.data_version is None:
            return None
        around = [entry for entry in (*first.inputs, *second.inputs) if not is_relation(entry)]
        return True if not around and not self.inputs(first.model_path) else None

    def inputs(self, path: str) -> tuple[InputDifference, ...]:
        """Return the inputs of a model that are not known to be the same in both, by name."""
        if path not in self._inputs:
            # Views of an old state may read each other in a circle: then nothing is known of what they read.
            self._inputs[path] = (InputDifference(path, None),)
            self._inputs[path] = self._find_inputs(self._first.traces[path], self._second.traces[path])
        return self._inputs[path]

    def _find_inputs(self, first: Trace, second: Trace) -> tuple[InputDifference, ...]:
        before, now = _read(first), _read(second)
        found: list[InputDifference] = []
        for name in sorted({*before, *now}):
            if name not in before or name not in now:
                entry = before.get(name) or now[name]
                where = self._names[0 if name in before else 1]
                found.append(InputDifference(name, False, entry.columns, entry.columns, read_in=where))
                continue
            is_view = "view" in (first.materialized, second.materialized)
            same = self._same_input(before[name], now[name], is_view=is_view)
            if same is not True:
                found.append(InputDifference(name, same, before[name].columns, now[name].columns))
        return tuple(found)

    def _same_input(self, before: TraceInput, now: TraceInput, *, is_view: bool) -> bool | None:
        """Tell whether a model read the same of one input: a view shows it as it is now, a table as it was."""
        other_columns = column_set_key(before.columns) != column_set_key(now.columns)
        if is_view or other_columns:
            same = self.same(before.name, None if other_columns else now.columns)
            if same is None:
                return self._through_view(now.name)
            return None if other_columns and not same else same
        old, new = _as_read(self._first, before), _as_read(self._second, now)
        if old is None or new is None or NEVER in (old, new):
            return None
        if old == new:
            return None if old != before.data_version else True
        traces = (self._first.traces.get(now.name), self._second.traces.get(now.name))
        if any(trace is not None and trace.materialized == "view" for trace in traces):
            return self._through_view(now.name)
        return False

    def _through_view(self, name: str) -> bool | None:
        """Tell of a view that is not known to show the same whether its query differs, or what it reads does."""
        traces = (self._first.traces.get(name), self._second.traces.get(name))
        if any(trace is None or trace.materialized != "view" for trace in traces):
            return None
        if not self._same_code[name] or any(found.same is False for found in self.inputs(name)):
            return False
        return None


def _taken(snapshot: Snapshot, trace: Trace) -> dict[str, str]:
    """Return the versions that were taken of what a build made, by column set key."""
    versions = dict(snapshot.data_versions.get(trace.model_run_id, {}))
    return versions if trace.data_version is None else {"*": trace.data_version, **versions}


def _read(trace: Trace) -> dict[str, TraceInput]:
    return {entry.name: entry for entry in trace.inputs if not is_settings(entry)}


def _as_read(snapshot: Snapshot, entry: TraceInput) -> str | None:
    """Return the version of what was read; where its order counted, and it still stands, that of its rows alone.

    The version of an order names the build that made it, and so is never the same in two environments.
    """
    trace = snapshot.traces.get(entry.name)
    if trace is not None:
        rows = _taken(snapshot, trace).get(column_set_key(entry.columns))
        if rows is not None and entry.data_version == fingerprint([IN_ORDER, rows, trace.model_run_id]):
            return rows
    return entry.data_version
