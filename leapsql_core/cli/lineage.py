"""`leapsql lineage`."""

from __future__ import annotations

from typing import Any

import click

from leapsql_core.cli.columnflow import ColumnFlow, Place, Step, find_column, flow_from, flow_into
from leapsql_core.cli.opening import find_path, open_project
from leapsql_core.cli.options import Settings, command
from leapsql_core.cli.output import show
from leapsql_core.cli.pages import Block, Cell, Column, Line, Style, Table, Tree, line, paragraph, row
from leapsql_core.cli.wording import columns_words
from leapsql_core.errors import UsageError
from leapsql_core.models import ColumnSet, Model, Project

_KIND_STYLES: dict[str, Style] = {"unknown": "warn", "seed": "good", "source": "good"}


@command("lineage")
@click.argument("model")
@click.option("--column", metavar="NAME", help="Follow this column up to the seeds and sources that it comes from.")
@click.option("--downstream", is_flag=True, help="With --column: follow it down, to all that it flows into.")
def lineage(settings: Settings, *, model: str, column: str | None, downstream: bool) -> int:
    """Show what a model reads and what reads it, or how one column flows.

    MODEL is a model, a seed or a source. What cannot be told from the SQL is said to be unknown.
    """
    if downstream and column is None:
        raise UsageError("--downstream follows a column", mend="Name it with --column.")
    project = open_project(settings).project
    path = find_path(model, [*project.nodes, *project.sources])
    if column is None:
        show(settings.output, _table_page(project, path), _table_facts(project, path))
        return 0
    place = find_column(project, path, column)
    flow = flow_from(project, place) if downstream else flow_into(project, place)
    show(settings.output, _column_page(flow), _column_facts(flow, downstream=downstream))
    return 0


# ------------------------------------------------------------------------------------------------------------ tables


def _reads(project: Project, path: str) -> list[tuple[str, str, ColumnSet]]:
    """Return what a node reads: names, kinds, columns."""
    node = project.nodes.get(path)
    if node is None:
        return []
    return [(entry.name, _kind(project, entry.name), entry.columns) for entry in node.inputs]


def _kind(project: Project, name: str) -> str:
    node = project.nodes.get(name)
    return "source" if node is None else node.materialized


def _readers(project: Project, path: str) -> list[tuple[str, str, ColumnSet]]:
    """Return what reads a node: names, kinds, columns of it that they read."""
    return [
        (node.path, node.materialized, entry.columns)
        for node in project.nodes.values()
        for entry in node.inputs
        if entry.name == path and node.path != path
    ]


def _unknown(project: Project, path: str) -> str | None:
    node = project.nodes.get(path)
    return node.lineage.unknown if isinstance(node, Model) else None


def _table_page(project: Project, path: str) -> list[Block]:
    page: list[Block] = []
    for title, found in (("reads", _reads(project, path)), ("is read by", _readers(project, path))):
        if found:
            columns = (Column("name"), Column("kind"), Column("columns", fit="wrap"))
            rows = tuple(row(name, Cell(kind, "quiet"), columns_words(read)) for name, kind, read in found)
            page.append(Table(columns, rows, title=f"{path} {title}"))
        else:
            page += paragraph([line(Cell(f"{path} {title} nothing", "strong"))])
    unknown = _unknown(project, path)
    if unknown is not None:
        said = f" {unknown}; where that hides what is read, all columns count"
        page += paragraph([line(Cell("partly unknown:", "warn"), said)])
    return page


def _table_facts(project: Project, path: str) -> dict[str, Any]:
    node = project.nodes.get(path)
    own = node.lineage.columns if isinstance(node, Model) else None
    return {
        "path": path,
        "reads": [{"path": name, "kind": kind, "columns": _listed(read)} for name, kind, read in _reads(project, path)],
        "read_by": [
            {"path": name, "kind": kind, "columns": _listed(read)} for name, kind, read in _readers(project, path)
        ],
        "unknown": _unknown(project, path),
        "columns": None
        if own is None
        else [
            {
                "name": column.name,
                "kind": column.kind,
                "sources": [{"path": source.table, "column": source.column} for source in column.sources],
            }
            for column in own
        ],
    }


def _listed(columns: ColumnSet) -> list[str] | None:
    return None if columns is None else list(columns)


# ----------------------------------------------------------------------------------------------------------- columns


def _column_page(flow: ColumnFlow) -> list[Block]:
    return [Tree(tuple((step.depth, _step_line(step)) for step in flow.steps))]


def _step_line(step: Step) -> Line:
    said = [step.kind, step.note if step.kind != "unknown" else "", "see above" if step.repeated else ""]
    if step.kind == "unknown" and step.note:
        said[0] = f"unknown, for {step.note}"
    words = ", ".join(filter(None, said))
    return line(Cell(str(step.place), "strong" if step.depth == 0 else "plain"), "  ", _kind_cell(step, words))


def _kind_cell(step: Step, words: str) -> Cell:
    return Cell(words, _KIND_STYLES.get(step.kind, "quiet"))


def _column_facts(flow: ColumnFlow, *, downstream: bool) -> dict[str, Any]:
    kinds = {step.place: step.kind for step in flow.steps}
    return {
        **_place_facts(flow.steps[0].place),
        "direction": "downstream" if downstream else "upstream",
        "columns": [{**_place_facts(place), "kind": kind} for place, kind in kinds.items()],
        "edges": [{"from": _place_facts(before), "to": _place_facts(after)} for before, after in flow.edges],
    }


def _place_facts(place: Place) -> dict[str, Any]:
    return {"path": place.path, "column": place.column}
