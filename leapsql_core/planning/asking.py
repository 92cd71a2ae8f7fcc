"""What is asked for: what a plan refuses of it, what it makes of decisions, and how a build then goes."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from leapsql_core.errors import SelectionError
from leapsql_core.models import BuildMode, Decision, Model, Node, Project
from leapsql_core.names import did_you_mean
from leapsql_core.partitions import partitioning_of
from leapsql_core.planning.partitions import PartitionRange, Stock

#: Reasons after which an incremental model is made anew, whatever its batches were.
_FROM_THE_START = frozenset(
    {"new", "query_changed", "config_changed", "resolved_differently", "missing", "drifted", "full_refresh"}
)
#: Those of them that its author sets aside with `on_query_change: forward_only`.
_OF_THE_QUERY = frozenset({"query_changed", "resolved_differently"})

#: Those of them for which the partitions that were not asked for stay as they are.
_LEAVE_OTHERS = frozenset({"query_changed", "resolved_differently", "full_refresh"})

#: What holds rows of its own, which an adoption leaves alone.
_KEPT = frozenset({"table", "incremental"})


def chosen_paths(project: Project, selection: Collection[str] | None) -> list[str]:
    """Return the paths of `selection` (all, if ``None``), parents first.

    Raises:
        SelectionError: the project has no model of such a path.
    """
    chosen = set(project.nodes) if selection is None else set(selection)
    unknown = sorted(chosen - project.nodes.keys())
    if unknown:
        hint = did_you_mean(unknown[0], project.nodes, otherwise="`leapsql list` shows what there is.")
        raise SelectionError(f"the project has no model `{unknown[0]}`", mend=hint)
    return [path for path in project.nodes if path in chosen]


def check_partitions(project: Project, chosen: Collection[str], partitions: PartitionRange | None) -> None:
    """Refuse to be asked for partitions where nothing that was chosen, or is left to another environment, has any."""
    if partitions is None:
        return
    deferral = project.deferral
    left = () if deferral is None else (deferral.nodes[name] for name in deferral.reads if name in deferral.nodes)
    if all(partitioning_of(node) is None for node in (*(project.nodes[path] for path in chosen), *left)):
        mend = "`incremental.partitions` in a model's frontmatter gives it some."
        raise SelectionError("no model that is selected has partitions", mend=mend)


def asked_for(decision: Decision, node: Node, *, force: bool, full_refresh: bool) -> Decision:
    """Turn what would be skipped or checked into a build where the user asks for one."""
    if full_refresh and node.materialized == "incremental" and _mode(decision, node) == "incremental":
        return Decision(node.path, "build", "full_refresh", "it was asked to be made anew")
    if force and decision.action != "build":
        return Decision(node.path, "build", "requested", "it was asked for")
    return decision


def adopted(node: Node) -> Decision:
    """Return that what stands is taken over."""
    detail = f"{node.relation} is taken over"
    detail += " as it stands" if node.materialized in _KEPT else f": a {node.materialized} is made anew"
    return Decision(node.path, "build", "adopted", detail)


def tests_asked_for(decision: Decision, *, stands: bool) -> Decision:
    """Return that tests are run; a model that does not stand as it was built cannot be tested, and says why."""
    if stands:
        return Decision(decision.path, "check", "tests_requested", "its tests were asked for")
    return dataclasses.replace(decision, reason="tests_requested")


def with_mode(decision: Decision, node: Node, stock: Stock | None = None) -> Decision:
    """Return a decision with the way that a build for it goes; some partitions alone are replaced in what stands."""
    mode = _mode(decision, node)
    if mode == "full" and stock is not None and len(decision.partitions) < len(stock.listed):
        mode = "incremental" if decision.reason in _LEAVE_OTHERS else mode
    return decision if decision.mode == mode else dataclasses.replace(decision, mode=mode)


def _mode(decision: Decision, node: Node) -> BuildMode:
    """Return how a build for this reason goes: a batch for an incremental model, unless it begins anew."""
    if decision.reason == "adopted":
        return "adopt" if node.materialized in _KEPT else "full"
    if not isinstance(node, Model) or node.materialized != "incremental":
        return "full"
    set_aside = _OF_THE_QUERY if node.config.incremental.on_query_change == "forward_only" else frozenset()
    return "full" if decision.reason in _FROM_THE_START - set_aside else "incremental"
