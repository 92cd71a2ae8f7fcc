"""Where a build of a run came from: the chain from a model up to the changes that began it, told from events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from leapsql_core.execution.events import ModelFinished
from leapsql_core.models import ColumnSet, Model, Node, Project
from leapsql_core.planning import reads_for

#: Reasons whose cause lies in what an input became.
_OF_INPUTS = ("input_changed", "resolved_differently")


@dataclass(frozen=True, slots=True)
class Origin:
    """Something that a build hangs on; ``columns`` are those that ``reader`` reads of it.

    ``reason`` and ``detail`` are those of its own build in this run; without them it is a source, or a view through
    which something shows.
    """

    depth: int
    path: str
    reader: str
    columns: ColumnSet
    reason: str | None = None
    detail: str = ""


def origins(
    project: Project, finished: Mapping[str, ModelFinished], path: str, *, most: int = 50
) -> tuple[Origin, ...]:
    """Return what of a run, whose ends so far are `finished`, the build of `path` hangs on; nearest first.

    Each stands below what hangs on it, and what is met twice is followed once; at most `most`. Nothing, if the reason
    of the build lies in the model itself.
    """
    search = _Search(project, finished)
    found: list[Origin] = []
    seen: set[str] = {path}
    stack = list(search.above(path, None, 1))[::-1]
    while stack and len(found) < most:
        origin = stack.pop()
        found.append(origin)
        if origin.path not in seen:
            seen.add(origin.path)
            stack += list(search.above(origin.path, origin, origin.depth + 1))[::-1]
    return tuple(found)


class _Search:
    def __init__(self, project: Project, finished: Mapping[str, ModelFinished]) -> None:
        self._project, self._finished = project, finished
        self._shows: dict[str, bool] = {}

    def _built(self, name: str) -> ModelFinished | None:
        event = self._finished.get(name)
        return event if event is not None and event.status == "success" else None

    def above(self, path: str, reached: Origin | None, depth: int) -> Iterator[Origin]:
        """Yield what lies right above a model; `reached` is how it was come by."""
        node, event = self._project.nodes.get(path), self._built(path)
        if node is None or (event is None and reached is None):
            return
        if event is not None and event.reason not in _OF_INPUTS:
            return
        columns_of = _narrowed(node, None if reached is None or event is not None else reached.columns)
        for entry in node.inputs:
            if event is not None and entry.name not in event.moved:
                continue
            known, columns = self._built(entry.name), columns_of.get(entry.name, entry.columns)
            if known is not None:
                yield Origin(depth, entry.name, path, columns, known.reason, known.detail)
            elif self._shows_something(entry.name) or (event is None and entry.name in self._project.sources):
                yield Origin(depth, entry.name, path, columns)

    def _shows_something(self, name: str) -> bool:
        """Tell whether a view that was left alone shows something that was built, or a source."""
        node = self._project.nodes.get(name)
        if node is None or node.materialized != "view":
            return False
        if name not in self._shows:
            names = [entry.name for entry in node.inputs]
            direct = any(self._built(one) or one in self._project.sources for one in names)
            self._shows[name] = direct or any(map(self._shows_something, names))
        return self._shows[name]


def _narrowed(node: Node, columns: ColumnSet) -> dict[str, ColumnSet]:
    """Return what decides `columns` of a view, by input; nothing for what is no view."""
    if not isinstance(node, Model) or node.materialized != "view":
        return {}
    return {read.table: read.columns for read in reads_for(node, columns)}
