"""Running the tests of a model: those whose results do not stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC

from leapsql_core.errors import LeapSQLError
from leapsql_core.models import DataTest, DataTestResult, KeptTestResult, Model, Node, Relation
from leapsql_core.protocols import WarehouseTransaction

_SAMPLE = 5
_LONGEST_VALUE = 40


@dataclass(frozen=True, slots=True)
class Examination:
    """A test to run, unless its result stands.

    ``to`` is the relation that it refers to. ``basis`` is what its result rests on beside the rows of its model,
    ``None`` if nobody can tell; ``kept`` is what was found last.
    """

    test: DataTest
    to: Relation | None
    basis: str | None
    kept: KeptTestResult | None


class TestsFailed(LeapSQLError):
    """A test of severity ``error`` failed; what was built is rolled back."""

    __test__ = False

    def __init__(self, results: Sequence[DataTestResult]) -> None:
        self.results = tuple(results)
        failed = [result for result in results if not result.passed and result.test.severity == "error"]
        super().__init__("; ".join(map(describe_failure, failed)))


def examine(
    transaction: WarehouseTransaction,
    node: Node,
    examinations: Sequence[Examination],
    bases: Sequence[str | None],
    *,
    go_on: Callable[[], None],
) -> tuple[DataTestResult, ...]:
    """Run the tests whose results do not stand on these `bases`, and return the results of all.

    `go_on` is called after each test, and may raise.

    Raises:
        TestsFailed: a test of severity ``error`` failed.
        WarehouseError: a test cannot run.
    """
    results: list[DataTestResult] = []
    key = node.unique_columns if isinstance(node, Model) else ()
    for one, basis in zip(examinations, bases, strict=True):
        kept = one.kept
        if kept is not None and kept.basis == basis:
            results.append(DataTestResult(one.test, kept.failures, kept.columns, kept.sample, kept.tested_at))
            continue
        results.append(transaction.run_test(node.relation, one.test, to=one.to, sample=_SAMPLE, key=key))
        go_on()
    if any(not result.passed and result.test.severity == "error" for result in results):
        raise TestsFailed(results)
    return tuple(results)


def describe_failure(result: DataTestResult) -> str:
    """Return one failing test in words, with some of what fails it."""
    shown = "; ".join(
        ", ".join(f"{name} = {_short(value)}" for name, value in zip(result.columns, row, strict=True))
        for row in result.sample
    )
    more = "" if result.failures <= len(result.sample) else "; …"
    since = result.stands_since
    stands = "" if since is None else f"; so it was {since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, and nothing changed"
    return f"test {result.test.label} failed: {result.failures} failing ({shown}{more}){stands}"


def _short(value: str) -> str:
    r"""Return a value in one line, its beginning if it is long.

    >>> _short("a\nb"), len(_short("a" * 100))
    ('a b', 40)
    """
    line = " ".join(value.split("\n"))
    return line if len(line) <= _LONGEST_VALUE else line[: _LONGEST_VALUE - 1] + "…"
