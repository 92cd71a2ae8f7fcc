"""Leaving a part of a project to another environment: its models become sources of the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from leapsql_core.models import Deferral, Input, Model, Project, Source, SourceConfig


def leave_to(project: Project, deferral: Deferral) -> Project:
    """Return a project without the models and seeds that `deferral` reads elsewhere, which are its sources now.

    What stands in another database is steady, for that is open for reading alone; a view may read a file.
    """
    left = {path: node for path, node in project.nodes.items() if path in deferral.reads}
    nodes = {
        path: replace(node, inputs=_as_sources(node.inputs, left), test_inputs=_as_sources(node.test_inputs, left))
        if isinstance(node, Model)
        else node
        for path, node in project.nodes.items()
        if path not in left
    }
    read = {entry.name for node in nodes.values() for entry in _inputs_of(node)}
    sources = {
        name: replace(source, steady=source.relation.foreign)
        for name, source in project.sources.items()
        if name in read
    }
    for path, node in left.items():
        if path in read:
            place = deferral.reads[path]
            steady = place.foreign and node.materialized != "view"
            sources[path] = Source(path, place, SourceConfig(), steady=steady)
    return replace(
        project,
        nodes=nodes,
        sources=dict(sorted(sources.items())),
        parents={path: _without(project.parents[path], left) for path in nodes},
        waits={path: kept for path in nodes if (kept := _without(project.waits.get(path, ()), left))},
        deferral=replace(deferral, nodes=project.nodes, parents=project.parents),
    )


def _inputs_of(node: object) -> tuple[Input, ...]:
    return (*node.inputs, *node.test_inputs) if isinstance(node, Model) else ()


def _as_sources(inputs: Iterable[Input], left: Mapping[str, object]) -> tuple[Input, ...]:
    return tuple(replace(entry, kind="source") if entry.name in left else entry for entry in inputs)


def _without(paths: Iterable[str], left: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(path for path in paths if path not in left)
