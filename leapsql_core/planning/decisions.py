"""The plan: for each selected model ``build``, ``check`` or ``skip``, with a reason and what caused it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from leapsql_core.errors import SelectionError
from leapsql_core.models import BuildMode, Decision, Failure, Input, Model, Node, Project, Seed, Snapshot, Trace
from leapsql_core.names import did_you_mean
from leapsql_core.planning.adoption import Orphan, find_orphans
from leapsql_core.planning.code import CodeChange, InputColumns, Prove, compare_code, text_hash
from leapsql_core.planning.data_tests import compare_own_tests, compare_tests
from leapsql_core.planning.inputs import compare_inputs, input_columns
from leapsql_core.planning.observations import Observations, Texts
from leapsql_core.planning.reach import chosen_behind
from leapsql_core.planning.schema_changes import with_schema_change
from leapsql_core.planning.surroundings import compare_surroundings
from leapsql_core.planning.versions import ALL_IN_ORDER, VersionBook

#: Reasons after which an incremental model is made anew, whatever its batches were.
_FROM_THE_START = frozenset(
    {"new", "query_changed", "config_changed", "resolved_differently", "missing", "drifted", "full_refresh"}
)
#: Those of them that its author sets aside with `on_query_change: forward_only`.
_OF_THE_QUERY = frozenset({"query_changed", "resolved_differently"})

#: What holds rows of its own, which an adoption leaves alone.
_KEPT = frozenset({"table", "incremental"})


@dataclass(frozen=True, slots=True)
class Plan:
    """Decisions for what was selected, parents first.

    ``otherwise`` holds, for each ``check``, what becomes of the model if its inputs, and what its tests read, turn out
    unchanged: a skip, or a ``check`` with reason ``tests_changed``, which runs its tests and builds nothing.
    ``code_versions`` are those that a build would have. ``rewritten`` are models whose code is not the one that was
    last built. ``stale_parents`` are models that were not selected, lie above selected ones and are out of date.
    ``orphans`` are relations that were built in the environment, and that no model makes any more.
    """

    environment: str
    decisions: Mapping[str, Decision]
    otherwise: Mapping[str, Decision]
    code_versions: Mapping[str, str]
    rewritten: frozenset[str] = frozenset()
    stale_parents: tuple[str, ...] = ()
    orphans: tuple[Orphan, ...] = ()


def texts_needed(project: Project, snapshot: Snapshot) -> tuple[set[str], set[str]]:
    """Return which resolved texts and which content hashes of the state `plan` will compare."""
    resolved: set[str] = set()
    code: set[str] = set()
    for path, trace in snapshot.traces.items():
        node = project.nodes.get(path)
        if not isinstance(node, Model):
            continue
        hashes = (text_hash(node.query, project.secrets), text_hash(node.incremental_query, project.secrets))
        if hashes != (trace.query_hash, trace.incremental_query_hash):
            resolved.update(found for found in (trace.query_hash, trace.incremental_query_hash) if found)
            code.add(trace.content_hash)
        elif node.content_hash != trace.content_hash:
            code.add(trace.content_hash)
    return resolved, code


def seeds_rewritten(project: Project, snapshot: Snapshot) -> list[Seed]:
    """Return the seeds whose files' bytes are not those that were built, and whose rows can be compared by `plan`."""
    traces, made = snapshot.traces, snapshot.data_versions
    return [
        node
        for path, node in project.nodes.items()
        if isinstance(node, Seed)
        and path in traces
        and node.content_hash != traces[path].content_hash
        and ALL_IN_ORDER in made.get(traces[path].model_run_id, {})
    ]


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


def plan(
    project: Project,
    snapshot: Snapshot,
    observations: Observations,
    prove: Prove,
    *,
    texts: Texts,
    selection: Collection[str] | None = None,
    force: bool = False,
    full_refresh: bool = False,
    adopt: bool = False,
    test: bool = False,
) -> Plan:
    """Decide what becomes of each model of `selection` (all, if ``None``).

    `force` builds all of it; `full_refresh` makes its incremental models anew; `adopt` takes its tables over as they
    stand; `test` runs its tests on what stands.

    Raises:
        SelectionError: the project has no model of a path that is selected.
    """
    chosen = set(chosen_paths(project, selection))
    traces, failures = snapshot.traces, snapshot.failures

    def columns_of(model: Model) -> InputColumns:
        return input_columns(model, traces, observations)

    changes = {
        path: compare_code(
            node,
            traces[path],
            made=snapshot.data_versions.get(traces[path].model_run_id, {}),
            texts=texts,
            prove=prove,
            secrets=project.secrets,
            columns_of=columns_of,
        )
        for path, node in project.nodes.items()
        if path in traces
    }
    rewritten = frozenset(path for path, change in changes.items() if change is not None and change.builds)
    behind = chosen_behind(project, traces, chosen)
    book = VersionBook(project, traces, snapshot.data_versions, observations, rewritten=rewritten)
    decisions: dict[str, Decision] = {}
    otherwise: dict[str, Decision] = {}
    moving: set[str] = set()
    for path, node in project.nodes.items():
        trace, change = traces.get(path), changes.get(path)
        found = _own_reason(project, node, trace, change, observations)
        if found is None and trace is not None:
            pending = {entry.name for entry in _read_by(node) if not moving.isdisjoint(behind[entry.name])}
            found = compare_inputs(node, trace, project=project, book=book, pending=pending)
            if found is None:
                pending |= {path} if pending and node.materialized == "view" else set()
                found = compare_tests(node, trace, book=book, pending=pending)
        decision = found or _standing(node, change, observations)
        if path in chosen:
            decision = _asked_for(decision, node, force=force or adopt, full_refresh=full_refresh)
        if path in chosen and adopt and node.relation.key in (observations.relations or {}):
            decision = Decision(path, "build", "adopted", _adoption(node))
        if path in chosen and test:
            stands = trace is not None and _compare_relation(node, trace, observations) is None
            decision = _tests_asked_for(decision, stands=stands)
        if decision.action == "check":
            changed = None if trace is None else compare_own_tests(node, trace)
            otherwise[path] = changed or _standing(node, change, Observations(relations={}))
        if path in chosen and _may_move(decision, observations):
            moving.add(path)
        decision = _with_mode(_with_failures(decision, node, failures.get(path)), node)
        unsure = {entry.name for entry in node.inputs if not moving.isdisjoint(behind[entry.name])}
        decisions[path] = with_schema_change(decision, node, trace, observations, pending=unsure)
    return Plan(
        environment=snapshot.environment,
        decisions={path: decision for path, decision in decisions.items() if path in chosen},
        otherwise={path: decision for path, decision in otherwise.items() if path in chosen},
        code_versions={
            path: traces[path].code_version if path in traces and path not in rewritten else node.content_hash
            for path, node in project.nodes.items()
        },
        rewritten=rewritten,
        stale_parents=_stale_parents(project, decisions, chosen),
        orphans=find_orphans(project, snapshot, observations),
    )


def settle(node: Node, trace: Trace, otherwise: Decision, *, project: Project, book: VersionBook) -> Decision:
    """Turn a ``check`` into what it comes to, now that every input is what this run leaves it."""
    found = compare_inputs(node, trace, project=project, book=book)
    if found is None:
        return compare_tests(node, trace, book=book) or otherwise
    if found.action != "build":
        found = Decision(node.path, "build", "input_changed", f"{found.detail}: built in doubt", recurring=True)
    return _with_mode(found, node)


def _stale_parents(project: Project, decisions: Mapping[str, Decision], chosen: Collection[str]) -> tuple[str, ...]:
    """Return what lies above selected models, however far, that was not selected and would be built by itself.

    A model that would be built in every run is not out of date for that.
    """
    left = [entry.name for path in chosen for entry in project.nodes[path].inputs]
    above: set[str] = set()
    while left:
        name = left.pop()
        if name not in above and name not in chosen and name in project.nodes:
            above.add(name)
            left += [entry.name for entry in project.nodes[name].inputs]
    stale = {path for path in above if decisions[path].action == "build" and not decisions[path].recurring}
    return tuple(path for path in decisions if path in stale)


def _own_reason(
    project: Project, node: Node, trace: Trace | None, change: CodeChange | None, observations: Observations
) -> Decision | None:
    """Return the reason to build that a model has in itself: its code, or what became of its relation."""
    if trace is None:
        return Decision(node.path, "build", "new", f"it was never built in {project.environment}")
    if change is not None and change.builds:
        return Decision(node.path, "build", change.reason, change.detail)
    surroundings = compare_surroundings(node, trace, observations, project.secrets)
    return _compare_relation(node, trace, observations) if surroundings is None else surroundings


def _may_move(decision: Decision, observations: Observations) -> bool:
    """Tell whether what reads a model has to wait for what becomes of it."""
    if observations.remembered:
        return decision.reason == "input_pending" or (decision.action == "build" and not decision.recurring)
    return decision.action != "skip"


def _read_by(node: Node) -> tuple[Input, ...]:
    """Return what a node and its tests read."""
    return (*node.inputs, *node.test_inputs) if isinstance(node, Model) else ()


def _standing(node: Node, change: CodeChange | None, observations: Observations) -> Decision:
    """Return what becomes of a model whose inputs and tests are as they were."""
    if observations.relations is None:
        return Decision(node.path, "check", "unobserved", observations.unread)
    if change is not None:
        return Decision(node.path, "skip", change.reason, change.detail)
    return Decision(node.path, "skip", "unchanged", "its code and what it reads are as they were")


def _compare_relation(node: Node, trace: Trace, observations: Observations) -> Decision | None:
    if observations.relations is None:
        return None
    seen = observations.relations.get(node.relation.key)
    if seen is None:
        return Decision(node.path, "build", "missing", f"{node.relation} is not in the warehouse")
    if seen.comment != trace.model_run_id:
        detail = f"{node.relation} is not the one that was built: it was replaced, restored or altered from outside"
        if node.materialized == "incremental":
            detail += (
                "; a run leaves it alone: --full-refresh makes it anew, without the rows it gathered,"
                " `leapsql state adopt` takes it over as it stands"
            )
        return Decision(node.path, "build", "drifted", detail)
    return None


def _adoption(node: Node) -> str:
    if node.materialized in _KEPT:
        return f"{node.relation} is taken over as it stands"
    return f"{node.relation} is taken over: a {node.materialized} is made anew"


def _asked_for(decision: Decision, node: Node, *, force: bool, full_refresh: bool) -> Decision:
    """Turn what would be skipped or checked into a build where the user asks for one."""
    if full_refresh and node.materialized == "incremental" and _mode(decision, node) == "incremental":
        return Decision(node.path, "build", "full_refresh", "it was asked to be made anew")
    if force and decision.action != "build":
        return Decision(node.path, "build", "requested", "it was asked for")
    return decision


def _tests_asked_for(decision: Decision, *, stands: bool) -> Decision:
    """Return that tests are run; a model that does not stand as it was built cannot be tested, and says why."""
    if stands:
        return Decision(decision.path, "check", "tests_requested", "its tests were asked for")
    return dataclasses.replace(decision, reason="tests_requested")


def _with_failures(decision: Decision, node: Node, failure: Failure | None) -> Decision:
    """Say how often a model has failed since its last build, if it was the code of now that failed last."""
    if failure is None or decision.action == "skip" or failure.content_hash not in (None, node.content_hash):
        return decision
    times = "once" if failure.attempts == 1 else f"{failure.attempts} times"
    return dataclasses.replace(decision, detail=f"{decision.detail}; it failed {times} since")


def _with_mode(decision: Decision, node: Node) -> Decision:
    mode = _mode(decision, node)
    return decision if decision.mode == mode else dataclasses.replace(decision, mode=mode)


def _mode(decision: Decision, node: Node) -> BuildMode:
    """Return how a build for this reason goes: a batch for an incremental model, unless it begins anew."""
    if decision.reason == "adopted":
        return "adopt" if node.materialized in _KEPT else "full"
    if not isinstance(node, Model) or node.materialized != "incremental":
        return "full"
    set_aside = _OF_THE_QUERY if node.config.incremental.on_query_change == "forward_only" else frozenset()
    return "full" if decision.reason in _FROM_THE_START - set_aside else "incremental"
