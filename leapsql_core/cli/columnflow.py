"""How one column flows through all models: up to seeds and sources, or down to whatever takes it over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from leapsql_core.errors import UsageError
from leapsql_core.models import Lineage, Model, OutputColumn, Project, Seed
from leapsql_core.names import did_you_mean, fold


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A column of a model, seed or source; ``None`` stands for columns of it that are not known."""

    path: str
    column: str | None

    def __str__(self) -> str:
        return self.path if self.column is None else f"{self.path}.{self.column}"


@dataclass(frozen=True, slots=True)
class Step:
    """A place on the way, as deep below the first as it took steps; what follows a repeated one stands above."""

    depth: int
    place: Place
    kind: str
    note: str = ""
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class ColumnFlow:
    """Where a column comes from or goes to; ``edges`` lead from a source to what it flows into."""

    steps: tuple[Step, ...]
    edges: tuple[tuple[Place, Place], ...]


def find_column(project: Project, path: str, name: str) -> Place:
    """Return a column of a model, seed or source, spelled as it is there.

    Raises:
        UsageError: it certainly has no column of that name.
    """
    node = project.nodes.get(path)
    known = _column_names(node) if node is not None else None
    if known is None:
        return Place(path, name)
    for column in known:
        if fold(column) == fold(name):
            return Place(path, column)
    raise UsageError(
        f"{path} has no column `{name}`", mend=did_you_mean(name, known, otherwise=f"It has: {', '.join(known)}.")
    )


def flow_into(project: Project, start: Place) -> ColumnFlow:
    """Follow a column up to the seeds and sources that it comes from."""
    return _walk(project, start, lambda place: _sources(project, place), downwards=False)


def flow_from(project: Project, start: Place) -> ColumnFlow:
    """Follow a column down to all columns that it flows into."""
    return _walk(project, start, lambda place: _takers(project, place), downwards=True)


def _walk(project: Project, start: Place, follow: Callable[[Place], list[Place]], *, downwards: bool) -> ColumnFlow:
    steps: list[Step] = []
    edges: list[tuple[Place, Place]] = []
    seen: set[Place] = set()
    stack = [(0, start)]
    while stack:
        depth, place = stack.pop()
        kind, note = _kind(project, place)
        # Whether anything flows on from where lineage is unknown cannot be told.
        following = [] if downwards and kind == "unknown" and place != start else follow(place)
        repeated = place in seen and bool(following)
        steps.append(Step(depth, place, kind, note, repeated))
        if place in seen:
            continue
        seen.add(place)
        edges += [(place, other) if downwards else (other, place) for other in following]
        stack += [(depth + 1, other) for other in reversed(following)]
    return ColumnFlow(tuple(steps), tuple(edges))


def _kind(project: Project, place: Place) -> tuple[str, str]:
    """Return how a column is made, and what there is to add."""
    node = project.nodes.get(place.path)
    if node is None:
        return "source", ""
    if isinstance(node, Seed):
        return "seed", ""
    column = _output(node.lineage, place.column)
    if column is None or column.kind == "unknown":
        return "unknown", node.lineage.unknown or ""
    if column.sources:
        return column.kind, ""
    deciding = ", ".join(str(Place(source.table, source.column)) for source in sorted(column.reads or ()))
    return column.kind, f"decided by {deciding}" if deciding else "from no column"


def _sources(project: Project, place: Place) -> list[Place]:
    node = project.nodes.get(place.path)
    column = _output(node.lineage, place.column) if isinstance(node, Model) else None
    return [] if column is None else sorted(Place(source.table, source.column) for source in column.sources)


def _takers(project: Project, place: Place) -> list[Place]:
    found: list[Place] = []
    for node in project.nodes.values():
        if isinstance(node, Model) and any(entry.name == place.path for entry in node.inputs):
            found.extend(_stream_taken_by(node, place))
    return found


def _stream_taken_by(model: Model, place: Place) -> Iterator[Place]:
    if model.lineage.columns is None:
        if any(_may_hold(read.columns, place) for read in model.lineage.reads if read.table == place.path):
            yield Place(model.path, None)
        return
    for column in model.lineage.columns:
        taken = column.reads if column.kind == "unknown" else column.sources
        if taken is None or any(_is_at(source.table, source.column, place) for source in taken):
            yield Place(model.path, column.name)


def _may_hold(columns: tuple[str, ...] | None, place: Place) -> bool:
    return columns is None or any(_is_at(place.path, column, place) for column in columns)


def _is_at(path: str, column: str, place: Place) -> bool:
    return path == place.path and place.column is not None and fold(column) == fold(place.column)


def _output(lineage: Lineage, name: str | None) -> OutputColumn | None:
    if lineage.columns is None or name is None:
        return None
    return next((column for column in lineage.columns if fold(column.name) == fold(name)), None)


def _column_names(node: Model | Seed) -> list[str] | None:
    if isinstance(node, Seed):
        return list(node.columns)
    return None if node.lineage.columns is None else [column.name for column in node.lineage.columns]
