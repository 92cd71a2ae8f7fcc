"""`leapsql list`."""

from __future__ import annotations

from typing import Any

from leapsql_core.cli.opening import open_project
from leapsql_core.cli.options import Settings, command, selection
from leapsql_core.cli.output import show
from leapsql_core.cli.pages import Column, Line, Table, row
from leapsql_core.models import Model, Node
from leapsql_core.session import choose

_COLUMNS = (
    Column("path"),
    Column("materialized"),
    Column("relation", dispensable=2),
    Column("tags", fit="wrap", least=10),
    Column("owner", dispensable=1),
    Column("file", dispensable=3),
)


@command("list")
@selection
def list_models(settings: Settings, *, select: tuple[str, ...], exclude: tuple[str, ...]) -> int:
    """List models and seeds.

    SELECT is written as for `leapsql run`.
    """
    session = open_project(settings)
    nodes = [session.project.nodes[path] for path in choose(session, select, exclude=exclude)]
    page = [Table(_COLUMNS, tuple(_row(node) for node in nodes))]
    show(settings.output, page, {"models": [_facts(node) for node in nodes]})
    return 0


def _row(node: Node) -> Line:
    facts = _facts(node)
    tags = ", ".join(facts["tags"])
    return row(node.path, node.materialized, facts["relation"], tags, facts["owner"] or "", node.file)


def _facts(node: Node) -> dict[str, Any]:
    config = node.config if isinstance(node, Model) else None
    return {
        "path": node.path,
        "materialized": node.materialized,
        "relation": str(node.relation),
        "tags": list(config.tags) if config else [],
        "owner": config.owner if config else None,
        "file": node.file,
    }
