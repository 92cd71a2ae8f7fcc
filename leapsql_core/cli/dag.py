"""`leapsql dag`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from leapsql_core.cli.opening import open_project
from leapsql_core.cli.options import Settings, command, selection
from leapsql_core.cli.output import form_of, show
from leapsql_core.cli.pages import Cell, Column, Excerpt, Table, row
from leapsql_core.models import ColumnSet, Project
from leapsql_core.session import choose

#: How Mermaid draws each kind: what comes from outside differs from what queries make.
_SHAPES = {
    "source": ("[/", "/]"),
    "seed": ("[(", ")]"),
    "view": ("(", ")"),
    "table": ("[", "]"),
    "incremental": ("[[", "]]"),
}


@dataclass(frozen=True, slots=True)
class Edge:
    """One input of one model, with the columns it reads."""

    parent: str
    child: str
    columns: ColumnSet


@dataclass(frozen=True, slots=True)
class Flow:
    """What is drawn: kinds and levels by name, sources first, then parents before children."""

    kinds: dict[str, str]
    levels: dict[str, int]
    edges: tuple[Edge, ...]


@command("dag")
@selection
def dag(settings: Settings, *, select: tuple[str, ...], exclude: tuple[str, ...]) -> int:
    """Show which model reads which.

    SELECT is written as for `leapsql run`. Text shows levels, Markdown a Mermaid diagram, JSON nodes and edges.
    """
    session = open_project(settings)
    flow = flow_among(session.project, choose(session, select, exclude=exclude))
    facts = {
        "nodes": [{"path": name, "kind": kind, "level": flow.levels[name]} for name, kind in flow.kinds.items()],
        "edges": [
            {"from": e.parent, "to": e.child, "columns": None if e.columns is None else list(e.columns)}
            for e in flow.edges
        ],
    }
    if form_of(settings.output) == "markdown":
        show(settings.output, [Excerpt(mermaid(flow), "mermaid")], facts)
    else:
        show(settings.output, [_levels(flow)], facts)
    return 0


def flow_among(project: Project, chosen: Collection[str]) -> Flow:
    """Return what flows between models and seeds that were chosen, and into them from sources."""
    paths = [path for path in project.nodes if path in set(chosen)]
    inputs = {path: project.nodes[path].inputs for path in paths}
    sources = sorted({entry.name for entries in inputs.values() for entry in entries if entry.name in project.sources})
    kinds = dict.fromkeys(sources, "source") | {path: project.nodes[path].materialized for path in paths}
    edges = tuple(
        Edge(entry.name, path, entry.columns)
        for path in paths
        for entry in inputs[path]
        if entry.name in kinds and entry.name != path
    )
    levels = dict.fromkeys(kinds, 0)
    for edge in edges:
        levels[edge.child] = max(levels[edge.child], levels[edge.parent] + 1)
    return Flow(kinds, levels, edges)


def _levels(flow: Flow) -> Table:
    columns = (Column("level", align="right"), Column("name"), Column("kind"), Column("reads", fit="wrap"))
    rows = []
    before = -1
    for name in sorted(flow.kinds, key=lambda name: flow.levels[name]):
        level = flow.levels[name]
        reads = ", ".join(edge.parent for edge in flow.edges if edge.child == name)
        shown = Cell(str(level) if level != before else "", "quiet")
        rows.append(row(shown, name, Cell(flow.kinds[name], "quiet"), Cell(reads, "quiet")))
        before = level
    return Table(columns, tuple(rows))


def mermaid(flow: Flow) -> str:
    """Return a flow as a Mermaid flowchart."""
    ids = {name: f"n{number}" for number, name in enumerate(flow.kinds)}
    lines = ["flowchart LR"]
    for name, kind in flow.kinds.items():
        opening, closing = _SHAPES[kind]
        label = name.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
        lines.append(f'  {ids[name]}{opening}"{label}"{closing}')
    lines += [f"  {ids[edge.parent]} --> {ids[edge.child]}" for edge in flow.edges]
    return "\n".join(lines)
