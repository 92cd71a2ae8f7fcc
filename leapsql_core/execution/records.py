"""What the state is told of a project's models: facts, code and texts, with secrets masked."""

from __future__ import annotations

from leapsql_core.hashing import config_facts
from leapsql_core.models import CodeVersion, ColumnSource, Model, ModelRegistration, Node, Project
from leapsql_core.planning import text_hash
from leapsql_core.protocols import ModelFacts


def facts_of(project: Project) -> list[ModelFacts]:
    """Return what the state is told of every model and seed, parents first; of what is read elsewhere, too."""
    whole = project.deferral or project
    return [
        ModelFacts(
            ModelRegistration(
                path=node.path,
                name=node.name,
                materialized=node.materialized,
                content_hash=node.content_hash,
                owner=node.config.owner if isinstance(node, Model) else None,
                schema_name=node.relation.schema,
                tags=node.config.tags if isinstance(node, Model) else (),
            ),
            parents=whole.parents[node.path],
            lineage=lineage_of(node),
        )
        for node in whole.nodes.values()
    ]


def lineage_of(node: Node) -> tuple[tuple[str, ColumnSource], ...]:
    """Return pairs of output column and a column it comes from, sorted; none for what is not known."""
    if not isinstance(node, Model) or node.lineage.columns is None:
        return ()
    pairs = {(column.name, source) for column in node.lineage.columns for source in column.sources}
    return tuple(sorted(pairs))


def code_of(node: Node, project: Project) -> CodeVersion:
    """Return text and configuration behind a node's content hash; a seed's text is in its file alone."""
    if not isinstance(node, Model):
        return CodeVersion(node.content_hash, "", None, {"materialized": "seed"})
    mask = project.secrets.mask
    batch = None if node.incremental_query is None else mask(node.incremental_query.rendered)
    return CodeVersion(node.content_hash, mask(node.query.rendered), batch, config_facts(node.config))


def query_hash(node: Node, project: Project) -> str | None:
    """Return the hash of a model's resolved query, ``None`` for a seed."""
    return text_hash(node.query, project.secrets) if isinstance(node, Model) else None


def batch_hash(node: Node, project: Project) -> str | None:
    """Return the hash of an incremental model's resolved query of a batch, ``None`` for anything else."""
    return text_hash(node.incremental_query, project.secrets) if isinstance(node, Model) else None


def texts_of(node: Node, project: Project) -> dict[str, str]:
    """Return a model's resolved texts by their hashes."""
    if not isinstance(node, Model):
        return {}
    texts: dict[str, str] = {}
    for query in (node.query, node.incremental_query):
        hashed = text_hash(query, project.secrets)
        if query is not None and hashed is not None:
            texts[hashed] = project.secrets.mask(query.resolved)
    return texts
