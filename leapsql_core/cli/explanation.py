"""Why a model is decided as it is: its inputs then and now, the changes that cause it, and what differs in its text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leapsql_core.cli.causes import Cause, Recorded, find_causes
from leapsql_core.cli.inquiry import ask_state
from leapsql_core.cli.wording import moment
from leapsql_core.hashing import column_set_key
from leapsql_core.models import ColumnSet, Decision, Failure, InputKind, KeptTestResult, Model, Node, Trace
from leapsql_core.planning import VersionBook, data_test_hash, query_difference
from leapsql_core.session import Planned
from leapsql_core.state import open_state_reader

_REASONS = """
SELECT model_runs.id, model_runs.reason, model_runs.detail
FROM current_traces JOIN model_runs ON model_runs.id = current_traces.model_run_id
WHERE current_traces.environment = {environment} AND model_runs.reason IS NOT NULL
"""
_MODEL_RUN = "SELECT run_id, rows_affected, execution_ms FROM model_runs WHERE id = {model_run_id}"


@dataclass(frozen=True, slots=True)
class InputThenAndNow:
    """An input as the last build read it, and as it is now.

    ``same`` is ``None`` where that cannot be told; ``read_before`` says whether the last build read it, and the same
    columns of it; ``decision`` is what becomes of it in the next run, ``None`` for a source.
    """

    name: str
    kind: InputKind
    columns: ColumnSet
    built_version: str | None
    current_version: str | None
    read_before: bool
    decision: Decision | None

    @property
    def same(self) -> bool | None:
        """Whether the versions are equal."""
        if self.built_version is None or self.current_version is None:
            return None
        return self.built_version == self.current_version


@dataclass(frozen=True, slots=True)
class LastBuild:
    """The build whose trace is current; ``run_id`` and the numbers are gone if its run was deleted."""

    trace: Trace
    run_id: str | None
    rows_affected: int | None
    execution_ms: int | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that there is to say of one decision.

    ``tests`` are the results that stand of the tests that the model has now. ``same_query`` tells of a text that
    differs that it is proven to mean the same. ``cause_diffs`` and ``cause_failures`` hold, of what the decision hangs
    on, how queries differ and what has failed.
    """

    node: Node
    decision: Decision
    causes: tuple[Cause, ...]
    inputs: tuple[InputThenAndNow, ...]
    diff: str | None
    last_build: LastBuild | None
    failure: Failure | None
    tests: tuple[KeptTestResult, ...]
    same_query: bool
    cause_diffs: Mapping[str, str]
    cause_failures: Mapping[str, Failure]


def explain(planned: Planned, path: str, *, state_path: Path) -> Explanation:
    """Explain what `planned` says of one model.

    Raises:
        StateError: the state cannot be read.
    """
    node, trace = planned.project.nodes[path], planned.snapshot.traces.get(path)
    failures = planned.snapshot.failures
    causes = find_causes(planned, path, _recorded(planned, state_path))
    roots = [cause.name for cause in causes[1:] if cause.name in planned.project.nodes]
    return Explanation(
        node=node,
        decision=planned.plan.decisions[path],
        causes=causes,
        inputs=_inputs(planned, node, trace),
        diff=text_difference(planned, node, trace),
        last_build=None if trace is None else _last_build(trace, state_path),
        tests=() if trace is None else _tests(node, planned.plan.environment, state_path),
        same_query=path not in planned.plan.rewritten,
        failure=planned.snapshot.failures.get(path),
        cause_diffs=_rewritten_diffs(planned, roots),
        cause_failures={name: failures[name] for name in roots if _failed_as_it_is(planned, name)},
    )


def _recorded(planned: Planned, state_path: Path) -> dict[str, Recorded]:
    """Return why each relation that stands in the environment was built, by its model run."""
    found = ask_state(state_path, _REASONS, {"environment": planned.plan.environment})
    return {row["id"]: Recorded(row["reason"], row["detail"] or "") for row in found}


def _inputs(planned: Planned, node: Node, trace: Trace | None) -> tuple[InputThenAndNow, ...]:
    snapshot = planned.snapshot
    book = VersionBook(planned.project, snapshot.traces, snapshot.data_versions, planned.observations)
    before = {entry.name: entry for entry in trace.inputs} if trace is not None else {}
    found: list[InputThenAndNow] = []
    for entry in node.inputs:
        then = before.get(entry.name)
        read_before = then is not None and column_set_key(then.columns) == column_set_key(entry.columns)
        found.append(
            InputThenAndNow(
                name=entry.name,
                kind=entry.kind,
                columns=entry.columns,
                built_version=None if then is None else then.data_version,
                current_version=book.read_version(node, entry.name, entry.columns),
                read_before=read_before,
                decision=planned.plan.decisions.get(entry.name),
            )
        )
    return tuple(found)


def _tests(node: Node, environment: str, state_path: Path) -> tuple[KeptTestResult, ...]:
    """Return what the tests that a node has now found last, in the node's order."""
    if not isinstance(node, Model) or not node.config.tests:
        return ()
    with closing(open_state_reader(state_path)) as state:
        kept = {result.test: result for result in state.read_test_results(environment).get(node.path, ())}
    hashes = (data_test_hash(test, to) for test, to in zip(node.config.tests, node.tested, strict=True))
    return tuple(kept[one] for one in dict.fromkeys(hashes) if one in kept)


def _rewritten_diffs(planned: Planned, paths: Iterable[str]) -> dict[str, str]:
    """Return how the queries differ of those models whose code is not the one that was built."""
    rewritten = [path for path in dict.fromkeys(paths) if path in planned.plan.rewritten]
    traces, nodes = planned.snapshot.traces, planned.project.nodes
    diffs = {path: text_difference(planned, nodes[path], traces.get(path)) for path in rewritten}
    return {path: diff for path, diff in diffs.items() if diff is not None}


def _failed_as_it_is(planned: Planned, path: str) -> bool:
    failure = planned.snapshot.failures.get(path)
    return failure is not None and failure.content_hash in (None, planned.project.nodes[path].content_hash)


def text_difference(planned: Planned, node: Node, trace: Trace | None) -> str | None:
    """Return how the query differs from the one that was built, ``None`` if it does not or that one is not kept."""
    if trace is None:
        return None
    return query_difference(
        node,
        trace,
        texts=planned.texts,
        secrets=planned.project.secrets,
        name_before=f"built {moment(trace.built_at)}",
        name_now="now",
    )


def _last_build(trace: Trace, state_path: Path) -> LastBuild:
    found: list[dict[str, Any]] = ask_state(state_path, _MODEL_RUN, {"model_run_id": trace.model_run_id})
    run = found[0] if found else {}
    return LastBuild(trace, run.get("run_id"), run.get("rows_affected"), run.get("execution_ms"))
