"""Whose relation it is that stands where a model is to be built, and what may therefore not be done."""

from __future__ import annotations

from leapsql_core.execution.course import Course
from leapsql_core.models import Decision, Model, Node, ObservedRelation
from leapsql_core.names import did_you_mean, fold
from leapsql_core.planning import OTHER_COLUMNS_MEND, foreseen_change, is_as_marked
from leapsql_core.protocols import Marker


def refusal_of(course: Course, node: Node, decision: Decision) -> str | None:
    """Return in words why a decision cannot be carried out, ``None`` if it can."""
    if decision.action == "build":
        refusal = _refused(course, node, decision) or _refused_for_columns(course, node, decision)
        if refusal is not None:
            return refusal
    return _unbuilt(course, node) or _untestable(course, node)


def _refused(course: Course, node: Node, decision: Decision) -> str | None:
    seen = course.ledger.relations.get(node.relation.key)
    if course.options.test:
        return f"{node.relation} is not there as it was built, so that nothing was tested: {decision.detail}"
    if seen is None:
        return f"{node.relation} cannot be adopted: it is not there" if course.options.adopt else None
    marker = course.look.observations.markers.get(node.relation.key)
    if marker is not None and not is_as_marked(course.ledger.relations, node.relation, marker):
        marker = None
    if course.options.adopt:
        return _refused_to_adopt(node, decision, seen, marker)
    return _refused_to_replace(course, node, decision, marker)


def _refused_to_adopt(node: Node, decision: Decision, seen: ObservedRelation, marker: Marker | None) -> str | None:
    """Return why what stands there cannot be taken over; a view or a seed is made anew, at no stranger's cost."""
    if decision.mode == "adopt" or (marker is not None and (seen.kind == "view") == (node.materialized == "view")):
        return None
    return (
        f"{node.relation} cannot be adopted as a {node.materialized}: it is a {seen.kind}, and LeapSQL did not make it"
    )


def _refused_to_replace(course: Course, node: Node, decision: Decision, marker: Marker | None) -> str | None:
    """Return why what stands there must not be replaced; `marker` tells who made it, if LeapSQL did."""
    adopting = f"`leapsql state adopt {node.path}` takes it over"
    if marker is not None and marker.environment != course.shop.project.environment:
        needs = "each environment needs a database or schemas of its own"
        return f"{node.relation} belongs to environment {marker.environment}: {needs}, or {adopting}"
    if course.options.full_refresh:
        return None
    trace = course.ledger.traces.get(node.path)
    is_known = trace is not None and fold(trace.relation) == fold(str(node.relation))
    mends = f"--full-refresh replaces it, {adopting} as it stands"
    if marker is None and not is_known:
        return f"{node.relation} exists and LeapSQL did not make it: drop it or rename the model; {mends}"
    is_foreign = marker is not None and marker.history != course.history
    gathered = is_known and trace is not None and trace.materialized == "incremental" and decision.mode == "full"
    if is_foreign and (not is_known or gathered):
        return f"{node.relation} was built with another state: each project needs schemas of its own; {mends}"
    grows = node.materialized == "incremental"
    if grows and not is_known:
        return f"{node.relation} exists, but the state does not know it: {mends}"
    return decision.detail if grows and decision.reason == "drifted" else None


def _refused_for_columns(course: Course, node: Node, decision: Decision) -> str | None:
    """Return why a batch is refused before its query runs: as far as can be seen, it has other columns."""
    trace = course.ledger.traces.get(node.path)
    if not isinstance(node, Model) or decision.mode != "incremental" or trace is None:
        return None
    built = [name for name in course.reads_from[node.path] if course.ends.get(name) == "success"]
    if built or node.run_values or node.config.incremental.on_schema_change != "fail":
        return None
    change = foreseen_change(node, trace, course.look.observations)
    return f"the columns of the batch differ from the table's: {change}\n    {OTHER_COLUMNS_MEND}" if change else None


def _untestable(course: Course, node: Node) -> str | None:
    """Return which test cannot run, for the source that it looks up was seen to lack the column."""
    seen = {
        source.relation: course.look.observations.source_columns.get(name)
        for name, source in course.shop.project.sources.items()
    }
    for test, to in zip(node.config.tests, node.tested, strict=True) if isinstance(node, Model) else ():
        columns = None if to is None else seen.get(to)
        names = [column.name for column in columns or ()]
        if columns is not None and test.field is not None and fold(test.field) not in map(fold, names):
            hint = did_you_mean(test.field, names, otherwise=f"It has: {', '.join(names)}.")
            return f"test {test.label}: {to} has no column `{test.field}`\n    {hint}"
    return None


def _unbuilt(course: Course, node: Node) -> str | None:
    """Return which model or seed that a node reads is not there, ``None`` if all are."""
    project, ledger = course.shop.project, course.ledger
    for name in project.parents[node.path]:
        relation = project.nodes[name].relation
        if name not in ledger.traces:
            where = project.environment
            return f"it reads {name}, which was never built in {where}; select +{node.path} to build both"
        if relation.key not in ledger.relations:
            return f"it reads {name}, but {relation} is not in the warehouse; select +{node.path} to build both"
    return None
