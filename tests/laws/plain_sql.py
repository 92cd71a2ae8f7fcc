"""A project built from scratch without LeapSQL: one statement of plain SQL per model, in an empty database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import duckdb
from projects import Lab, Outcome, read_relation

from leapsql_core.models import DataTest, Node, Relation, Seed


def fates(outcome: Outcome) -> dict[str, str]:
    """Return what became of each model: it ``stands``, it ``failed``, or it is ``blocked`` by one that failed."""
    return {
        path: "failed" if event.status == "failed" else "blocked" if event.reason == "upstream_failed" else "stands"
        for path, event in outcome.finished.items()
    }


def holdings(lab: Lab, paths: Iterable[str]) -> dict[str, Any]:
    """Return columns and rows, in no order, of relations, or that one cannot be read."""
    nodes = lab.project.nodes
    return {path: _holds(lab, nodes[path].relation) for path in sorted(paths)}


def _holds(lab: Lab, relation: Relation) -> Any:
    try:
        return read_relation(lab.warehouse, relation)
    except duckdb.Error as exc:
        return f"cannot be read: {type(exc).__name__}"


def from_scratch(lab: Lab) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the fates of all models, and what those that stand hold, when they are made from scratch."""
    scratch = Lab(lab.root, lab.files, lab.environment, lab.variables, lab.environ)
    project, fate = scratch.project, dict[str, str]()
    try:
        scratch.sql(*lab.statements)
        for path, node in project.nodes.items():
            if any(fate[parent] != "stands" for parent in project.parents[path]):
                fate[path] = "blocked"
            else:
                fate[path] = "stands" if _makes(scratch, node) else "failed"
        return fate, holdings(scratch, [path for path, end in fate.items() if end == "stands"])
    finally:
        scratch.close()


def _makes(scratch: Lab, node: Node) -> bool:
    """Make a relation; tell whether that can be done and its tests pass."""
    relation = node.relation.sql
    if isinstance(node, Seed):
        query = f"select * from read_csv('{scratch.root / node.file}', sample_size = -1)"
    else:
        query = node.query.resolved
    try:
        scratch.meddle(f"create schema if not exists {node.relation.schema}")
        scratch.meddle(f"create {'view' if node.materialized == 'view' else 'table'} {relation} as\n{query}\n")
        return isinstance(node, Seed) or not any(_fails(scratch, relation, test) for test in node.config.tests)
    except duckdb.Error:
        return False


def _fails(scratch: Lab, relation: str, test: DataTest) -> bool:
    if test.severity == "warn":
        return False
    column = test.columns[0]
    if test.kind == "not_null":
        return bool(scratch.rows(f"select 1 from {relation} where {column} is null"))
    assert test.kind == "unique", f"nothing is known of {test.kind}"
    return bool(scratch.rows(f"select 1 from {relation} group by {column} having count({column}) > 1"))


def assert_as_from_scratch(lab: Lab, outcome: Outcome, *, but: Iterable[str] = ()) -> None:
    """Assert that a run ended where plain SQL ends, model by model; `but` those that cannot be compared."""
    fate, held = from_scratch(lab)
    paths = outcome.finished.keys() - set(but)
    assert {path: end for path, end in fates(outcome).items() if path in paths} == {path: fate[path] for path in paths}
    here = holdings(lab, held.keys() & paths)
    for path in here:
        assert here[path] == held[path], f"{path} is not what a build from scratch gives"
