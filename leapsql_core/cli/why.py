"""`leapsql why`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from leapsql_core.cli.causes import Cause
from leapsql_core.cli.explanation import Explanation, InputThenAndNow, explain
from leapsql_core.cli.opening import find_node, open_project
from leapsql_core.cli.options import Settings, command
from leapsql_core.cli.output import show
from leapsql_core.cli.pages import Block, Cell, Column, Excerpt, Line, Style, Table, Tree, line, paragraph, row
from leapsql_core.cli.plan import ACTION_STYLES
from leapsql_core.cli.wording import added_detail, columns_words, counted, duration, moment, reason_words, short
from leapsql_core.models import Decision, Failure
from leapsql_core.session import plan_session

_VERDICTS = {"build": "is to be built", "check": "is to be checked", "skip": "stays as it is"}

_MOST_DIFFS = 3

Mask = Callable[[str], str]


@command("why")
@click.argument("model")
def why(settings: Settings, *, model: str) -> int:
    """Explain what becomes of one model, down to the change that causes it.

    It shows what each input was when the model was built and what it is now, how the query differs from the one that
    was built, and what went wrong since.
    """
    session = open_project(settings)
    path = find_node(session.project, model).path
    explanation = explain(plan_session(session), path, state_path=session.state_path)
    mask = session.project.secrets.mask
    show(settings.output, _page(explanation, mask), _facts(explanation, session.project.environment, mask))
    return 0


# ------------------------------------------------------------------------------------------------------- for people


def _page(found: Explanation, mask: Mask) -> list[Block]:
    page = paragraph([_verdict(found, mask)])
    if found.causes:
        page.append(Tree(tuple((cause.depth, _cause_line(cause, mask)) for cause in found.causes)))
    if found.diff is not None:
        page.append(Excerpt(found.diff, "diff", headline=_diff_headline(found)))
    for path, text in list(found.cause_diffs.items())[:_MOST_DIFFS]:
        page.append(Excerpt(text, "diff", headline=line(Cell(path, "strong"))))
    if found.inputs:
        columns = (Column("reads"), Column("now"), Column("columns", fit="wrap"))
        page.append(Table(columns, tuple(_input_row(entry, found) for entry in found.inputs)))
    if found.tests:
        page.append(Table((Column("test", fit="wrap"), Column("found"), Column("tested")), _test_rows(found)))
    page += paragraph([_last_build_line(found)])
    failures = {"it": found.failure, **found.cause_failures}
    page += [_failure(name, failure) for name, failure in failures.items() if failure is not None]
    return page


def _diff_headline(found: Explanation) -> Line:
    """Return what to say of a text that differs where the decision is about something else."""
    if not found.same_query or found.decision.reason in ("formatting_only", "metadata_only"):
        return ()
    return line("its text changed too, and is proven to be the same query")


def _failure(name: str, failure: Failure) -> Excerpt:
    times = "once" if failure.attempts == 1 else f"{failure.attempts} times"
    return Excerpt(failure.error or "", headline=line(Cell(f"{name} failed {times} since", "bad")))


def _verdict(found: Explanation, mask: Mask) -> Line:
    decision = found.decision
    how = ""
    if found.node.materialized == "incremental" and decision.action != "skip":
        how = ", by a batch" if decision.mode == "incremental" else ", from all rows"
    return line(
        Cell(decision.path, "strong"),
        " ",
        Cell(_VERDICTS[decision.action], ACTION_STYLES[decision.action]),
        f"{how}: {_reason(decision, mask, differs=found.diff is not None)}",
    )


def _reason(decision: Decision, mask: Mask, *, differs: bool = False) -> str:
    if decision.reason == "input_pending":
        return f"it {mask(decision.detail)}"
    if decision.reason == "query_changed" and differs:
        return "its query changed"
    words, detail = reason_words(decision.reason), added_detail(decision.reason, mask(decision.detail))
    return f"{words}: {detail}" if detail else words


def _cause_line(cause: Cause, mask: Mask) -> Line:
    decision = cause.decision
    parts: list[str | Cell] = [Cell(cause.name, "strong"), "  "]
    if decision is None:
        parts.append("a source, as it is now")
    elif cause.built_at is not None:
        parts.append(Cell(f"built {moment(cause.built_at)}", "good"))
        if cause.recorded is not None:
            words, detail = reason_words(cause.recorded.reason), cause.recorded.detail
            more = added_detail(cause.recorded.reason, detail)
            parts.append(f"  {words}: {more}" if more else f"  {words}")
    elif decision.action == "skip":
        parts.append("a view")
    else:
        parts.append(_action(decision))
        if decision.reason != "input_pending":
            parts.append(f"  {_reason(decision, mask)}")
    if cause.reader is not None:
        parts.append(Cell(f"  read for {columns_words(cause.columns)}", "quiet"))
    return line(*parts)


def _action(decision: Decision) -> Cell:
    return Cell(decision.action, ACTION_STYLES[decision.action])


def _input_row(entry: InputThenAndNow, found: Explanation) -> Line:
    state, style = _state(entry, built=found.last_build is not None)
    return row(entry.name, Cell(state, style), Cell(columns_words(entry.columns), "quiet"))


def _test_rows(found: Explanation) -> tuple[Line, ...]:
    return tuple(
        row(
            result.label,
            Cell(f"{result.failures:,} failing", "warn") if result.failures else Cell("passed", "good"),
            moment(result.tested_at),
        )
        for result in found.tests
    )


def _state(entry: InputThenAndNow, *, built: bool) -> tuple[str, Style]:
    """Return how an input stands to what the last build read, in words."""
    first = ""
    if entry.decision is not None and entry.decision.action != "skip":
        first = f", {entry.decision.action}s first"
    if not built:
        return f"not read yet{first}", "plain"
    if not entry.read_before:
        return f"read otherwise before{first}", "warn"
    if entry.same is None:
        return f"unknown{first}", "warn"
    return (f"as it was{first}", "plain") if entry.same else (f"changed{first}", "good")


def _last_build_line(found: Explanation) -> Line:
    last = found.last_build
    if last is None:
        return line("never built")
    made = ", ".join(
        filter(
            None,
            (
                counted(last.rows_affected, "row") if last.rows_affected is not None else "",
                duration(last.execution_ms),
            ),
        )
    )
    run = f" in run {short(last.run_id)}" if last.run_id else " in a run that was deleted"
    return line(f"last built {moment(last.trace.built_at)}{run}" + (f" ({made})" if made else ""))


# ---------------------------------------------------------------------------------------------------------- as JSON


def _facts(found: Explanation, environment: str, mask: Mask) -> dict[str, Any]:
    last, failure = found.last_build, found.failure
    return {
        "environment": environment,
        **_decision_facts(found.decision, mask),
        "mode": found.decision.mode,
        "content_hash": found.node.content_hash,
        "causes": [_cause_facts(cause, found, mask) for cause in found.causes[1:]],
        "inputs": [_input_facts(entry) for entry in found.inputs],
        "diff": found.diff,
        "tests": [
            {"test": result.label, "failures": result.failures, "tested_at": result.tested_at} for result in found.tests
        ],
        "last_build": last
        and {
            "run_id": last.run_id,
            "model_run_id": last.trace.model_run_id,
            "built_at": last.trace.built_at,
            "content_hash": last.trace.content_hash,
            "data_version": last.trace.data_version,
            "rows_affected": last.rows_affected,
            "execution_ms": last.execution_ms,
        },
        "failure": failure
        and {"attempts": failure.attempts, "content_hash": failure.content_hash, "error": failure.error},
    }


def _cause_facts(cause: Cause, found: Explanation, mask: Mask) -> dict[str, Any]:
    decision, recorded, failure = cause.decision, cause.recorded, found.cause_failures.get(cause.name)
    return {
        "path": cause.name,
        "action": None if decision is None else decision.action,
        "reason": recorded.reason if recorded else None if decision is None else decision.reason,
        "detail": recorded.detail if recorded else None if decision is None else mask(decision.detail),
        "reader": cause.reader,
        "columns": None if cause.columns is None else list(cause.columns),
        "built_at": cause.built_at,
        "diff": found.cause_diffs.get(cause.name),
        "error": None if failure is None else failure.error,
    }


def _decision_facts(decision: Decision, mask: Mask) -> dict[str, Any]:
    return {
        "path": decision.path,
        "action": decision.action,
        "reason": decision.reason,
        "detail": mask(decision.detail),
    }


def _input_facts(entry: InputThenAndNow) -> dict[str, Any]:
    return {
        "path": entry.name,
        "kind": entry.kind,
        "columns": None if entry.columns is None else list(entry.columns),
        "same": entry.same if entry.read_before else None,
        "built_version": entry.built_version,
        "current_version": entry.current_version,
        "action": None if entry.decision is None else entry.decision.action,
    }
