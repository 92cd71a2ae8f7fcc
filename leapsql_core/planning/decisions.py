"""The plan: for each selected model ``build``, ``check`` or ``skip``, with a reason and what caused it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from leapsql_core.models import Decision, Failure, Input, Model, Node, Project, Seed, Snapshot, Trace
from leapsql_core.planning.adoption import Orphan, find_orphans
from leapsql_core.planning.asking import adopted, asked_for, check_partitions, chosen_paths, tests_asked_for, with_mode
from leapsql_core.planning.code import CodeChange, InputColumns, Prove, compare_code, text_hash
from leapsql_core.planning.data_tests import compare_own_tests, compare_tests
from leapsql_core.planning.inputs import compare_inputs, input_columns
from leapsql_core.planning.observations import Observations, Texts
from leapsql_core.planning.partitions import (
    PartitionRange,
    Stock,
    choose_partitions,
    decision_of,
    stale_partitions,
    take_stock,
)
from leapsql_core.planning.reach import chosen_behind
from leapsql_core.planning.schema_changes import with_schema_change
from leapsql_core.planning.surroundings import compare_surroundings
from leapsql_core.planning.versions import ALL_IN_ORDER, VersionBook

_NOTHING_SEEN = Observations()


@dataclass(frozen=True, slots=True)
class Plan:
    """Decisions for what was selected, parents first.

    ``otherwise`` holds, for each ``check``, what becomes of the model if its inputs, and what its tests read, turn out
    unchanged: a skip, or a ``check`` with reason ``tests_changed``, which runs its tests and builds nothing.
    ``code_versions`` are those that a build would have. ``rewritten`` are models whose code is not the one that was
    last built. ``unsettled`` are those with partitions of which more may have to be built once their inputs are done.
    ``stale_parents`` are models that were not selected, lie above selected ones and are out of date.
    ``orphans`` are relations that were built in the environment, and that no model makes any more.
    """

    environment: str
    decisions: Mapping[str, Decision]
    otherwise: Mapping[str, Decision]
    code_versions: Mapping[str, str]
    rewritten: frozenset[str] = frozenset()
    unsettled: frozenset[str] = frozenset()
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
    partitions: PartitionRange | None = None,
    spared: Collection[str] = (),
) -> Plan:
    """Decide what becomes of each model of `selection` (all, if ``None``).

    `force` builds all of it; `full_refresh` makes its incremental models anew; `adopt` takes its tables over as they
    stand; `test` runs its tests on what stands. Of models with partitions it is all of that to `partitions` alone.
    What is `spared` is built for reasons of its own, and neither by force nor by a full refresh.

    Raises:
        SelectionError: the project has no model of a path that is selected, or a model has no such partition.
    """
    chosen = set(chosen_paths(project, selection))
    pressed = chosen.difference(spared)
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
    unsettled: set[str] = set()
    check_partitions(project, chosen, partitions)
    for path, node in project.nodes.items():
        trace, change = traces.get(path), changes.get(path)
        found = _own_reason(project, node, trace, change, observations)
        known = snapshot.partitions.get(path, ())
        stock = take_stock(node, known, observations, partitions if path in chosen else None)
        stale: dict[str, Decision] = {}
        if isinstance(node, Model) and stock is not None and trace is not None:
            pending = {entry.name for entry in node.inputs if not moving.isdisjoint(behind[entry.name])}
            stale = stale_partitions(
                node, trace, stock, project=project, book=book, observations=observations, pending=pending
            )
        if found is None and trace is not None:
            pending = {entry.name for entry in _read_by(node) if not moving.isdisjoint(behind[entry.name])}
            if stock is None:
                found = compare_inputs(node, trace, project=project, book=book, pending=pending)
            else:
                found = decision_of(node, stale, stock)
                unsettled |= {path} if pending and found is not None and found.action == "build" else set()
            if found is None:
                pending |= {path} if pending and node.materialized == "view" else set()
                found = compare_tests(node, trace, book=book, pending=pending)
        decision = found or _standing(node, change, observations)
        if path in pressed:
            decision = asked_for(decision, node, force=force or adopt, full_refresh=full_refresh)
        if path in chosen and adopt and node.relation.key in (observations.relations or {}):
            decision = adopted(node)
        if path in chosen and test:
            stands = trace is not None and _compare_relation(node, trace, observations) is None
            decision = tests_asked_for(decision, stands=stands)
        if decision.action == "check":
            changed = None if trace is None else compare_own_tests(node, trace)
            otherwise[path] = changed or _standing(node, change, Observations(relations={}))
        if path in chosen and _may_move(decision, observations):
            moving.add(path)
        if stock is not None:
            decision = choose_partitions(decision, node, stale, stock, force=force and path in pressed)
        decision = with_mode(_with_failures(decision, node, failures.get(path)), node, stock)
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
        unsettled=frozenset(unsettled),
        stale_parents=_stale_parents(project, decisions, chosen),
        orphans=find_orphans(project, snapshot, observations),
    )


def settle(
    node: Node,
    trace: Trace,
    otherwise: Decision,
    *,
    project: Project,
    book: VersionBook,
    observations: Observations = _NOTHING_SEEN,
    stock: Stock | None = None,
) -> Decision:
    """Turn a ``check`` into what it comes to, now that every input is what this run leaves it.

    Of partitions, in the `stock` of the node, it is asked which of them are to be built.
    """
    if stock is None or not isinstance(node, Model):
        found = compare_inputs(node, trace, project=project, book=book)
    else:
        stale = stale_partitions(node, trace, stock, project=project, book=book, observations=observations)
        in_doubt = {key: _in_doubt(decision) for key, decision in stale.items()}
        found = decision_of(node, in_doubt, stock)
    if found is None:
        return compare_tests(node, trace, book=book) or otherwise
    return with_mode(_in_doubt(found), node, stock)


def _in_doubt(decision: Decision) -> Decision:
    """Return a build for what cannot be decided otherwise."""
    if decision.action == "build":
        return decision
    return Decision(decision.path, "build", "input_changed", f"{decision.detail}: built in doubt", recurring=True)


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


def _with_failures(decision: Decision, node: Node, failure: Failure | None) -> Decision:
    """Say how often a model has failed since its last build, if it was the code of now that failed last."""
    if failure is None or decision.action == "skip" or failure.content_hash not in (None, node.content_hash):
        return decision
    times = "once" if failure.attempts == 1 else f"{failure.attempts} times"
    return dataclasses.replace(decision, detail=f"{decision.detail}; it failed {times} since")
