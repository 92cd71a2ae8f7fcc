"""What came of each model in a run: gathered from its events or from the state, and how that is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from leapsql_core.cli.pages import Block, Cell, Column, Excerpt, Line, Style, Table, line, row
from leapsql_core.cli.wording import added_detail, counted, duration, number, reason_words
from leapsql_core.cli.wording import seconds as as_seconds
from leapsql_core.execution import ModelFinished
from leapsql_core.execution.examining import describe_failure
from leapsql_core.models import DataTestResult, ModelRun

#: Unchanged models are listed up to this many; more of them are only counted.
FEW = 20

Outcome = Literal["built", "tested", "unchanged", "failed", "skipped"]

_STYLES: Mapping[Outcome, Style] = {
    "built": "good",
    "tested": "good",
    "unchanged": "quiet",
    "failed": "bad",
    "skipped": "warn",
}
_STOPPED = ("upstream_failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one model. Milliseconds; ``error`` is set for failures, ``file`` where it is known."""

    path: str
    status: str
    reason: str
    detail: str
    rows_affected: int | None = None
    execution_ms: int | None = None
    error: str | None = None
    file: str = ""
    tests: tuple[DataTestResult, ...] = field(default=())

    @property
    def outcome(self) -> Outcome:
        """The result in one word: ``skipped`` is said of models that wanted building and were not built."""
        if self.status == "success":
            return "built"
        if self.status == "failed":
            return "failed"
        if self.reason in _STOPPED:
            return "skipped"
        return "tested" if self.execution_ms is not None else "unchanged"


def result_of(event: ModelFinished) -> Result:
    """Return what an event says of its model."""
    return Result(
        path=event.path,
        status=event.status,
        reason=event.reason,
        detail=event.detail,
        rows_affected=event.rows_affected,
        execution_ms=event.execution_ms,
        error=event.error,
        file=event.node.file,
        tests=event.tests,
    )


def recorded_result(path: str, model_run: ModelRun, *, file: str) -> Result:
    """Return what the state says of a model in a run."""
    return Result(
        path=path,
        status=model_run.status,
        reason=model_run.reason or "",
        detail=model_run.detail or "",
        rows_affected=model_run.rows_affected,
        execution_ms=model_run.execution_ms,
        error=model_run.error,
        file=file,
    )


def result_facts(result: Result) -> dict[str, Any]:
    """Return a result as it stands in JSON."""
    return {
        "path": result.path,
        "status": result.status,
        "reason": result.reason,
        "detail": result.detail,
        "rows_affected": result.rows_affected,
        "execution_ms": result.execution_ms,
        "error": result.error,
    }


def test_facts(result: DataTestResult) -> dict[str, Any]:
    """Return what one test found as it stands in JSON; failing rows are rows of texts, by ``columns``."""
    failed = "warn" if result.test.severity == "warn" else "fail"
    return {
        "test": result.test.label,
        "status": "pass" if result.passed else failed,
        "failures": result.failures,
        "columns": list(result.columns),
        "sample": [list(row) for row in result.sample],
    }


def stream_result_blocks(results: Sequence[Result], *, verbose: bool) -> Iterable[Block]:
    """Yield the table of results, then every failure and every failing test in full."""
    unchanged = sum(result.outcome == "unchanged" for result in results)
    shown = [result for result in results if verbose or unchanged <= FEW or result.outcome != "unchanged"]
    if shown:
        yield _table(shown)
    for result in results:
        if result.error is not None:
            yield Excerpt(_error_text(result), headline=line(Cell(result.path, "strong"), Cell(" failed", "bad")))
        warnings = [test for test in result.tests if not test.passed and test.test.severity == "warn"]
        if warnings:
            said = "\n".join(describe_failure(test) for test in warnings)
            yield Excerpt(said, headline=line(Cell(result.path, "strong"), Cell(" warns", "warn")))


def _table(results: Sequence[Result]) -> Table:
    columns = (
        Column("model"),
        Column("result"),
        Column("reason", fit="shorten", least=12),
        Column("rows", align="right", dispensable=1),
        Column("time", align="right", dispensable=2),
    )
    return Table(columns, tuple(_row(result) for result in results))


def _row(result: Result) -> Line:
    style = _STYLES[result.outcome]
    said = "" if result.reason == "unchanged" else reason_words(result.reason)
    detail = added_detail(result.reason, result.detail)
    if detail and result.outcome != "unchanged":
        said = f"{said}: {detail}"
    cells = (
        result.path,
        Cell(result.outcome, style),
        said,
        number(result.rows_affected),
        duration(result.execution_ms),
    )
    return row(*cells, style="quiet" if result.outcome == "unchanged" else None)


def _error_text(result: Result) -> str:
    error = result.error or ""
    # What a test says names no file; everything else does already.
    return error if not result.file or error.startswith(result.file) else f"{result.file}: {error}"


def summary(results: Iterable[Result], *, seconds: float) -> Line:
    """Return how many came to what, in one line."""
    counts: dict[Outcome, int] = {}
    for result in results:
        counts[result.outcome] = counts.get(result.outcome, 0) + 1
    parts: list[Cell | str] = []
    for outcome in _STYLES:
        if outcome in counts:
            parts += [Cell(f"{counts[outcome]:,} {outcome}", _STYLES[outcome]), ", "]
    took = f" in {as_seconds(seconds)}"
    if not counts:
        return line(*parts, counted(0, "model"), took)
    return line(*parts[:-1], took)
