"""Running the tests of a model: those whose results do not stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC

from leapsql_core.errors import LeapSQLError
from leapsql_core.models import DataTestResult, KeptTestResult, Model, Node
from leapsql_core.protocols import AskedTest, WarehouseTransaction

_LONGEST_VALUE = 40


@dataclass(frozen=True, slots=True)
class Examination:
    """A test to run, unless its result stands.

    ``basis`` is what its result rests on beside the rows of its model, ``None`` if nobody can tell; ``kept`` is what
    was found last.
    """

    asked: AskedTest
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
    one_by_one: bool,
    go_on: Callable[[], None],
) -> tuple[DataTestResult, ...]:
    """Run the tests whose results do not stand on these `bases`, and return the results of all.

    They are run in as few passes over the rows as can be, or `one_by_one`. `go_on` is called after each, and may raise.

    Raises:
        TestsFailed: a test of severity ``error`` failed.
        TestsTangledError: they have to be run one by one, in another transaction.
        WarehouseError: a test cannot run.
    """
    standing = [_standing(one, basis) for one, basis in zip(examinations, bases, strict=True)]
    to_run = [one.asked for one, result in zip(examinations, standing, strict=True) if result is None]
    key = node.unique_columns if isinstance(node, Model) else ()
    found: list[DataTestResult] = []
    for group in [[asked] for asked in to_run] if one_by_one else [to_run]:
        found += transaction.run_tests(node.relation, group, key=key) if group else ()
        go_on()
    run = iter(found)
    results = [next(run) if result is None else result for result in standing]
    if any(not result.passed and result.test.severity == "error" for result in results):
        raise TestsFailed(results)
    return tuple(results)


def _standing(one: Examination, basis: str | None) -> DataTestResult | None:
    """Return what was found last, ``None`` if it does not stand or more failures are to be shown than were kept."""
    kept, test, most = one.kept, one.asked.test, one.asked.sample
    if kept is None or kept.basis != basis or len(kept.sample) < min(kept.failures, most):
        return None
    columns = kept.columns if most else ()
    return DataTestResult(test, kept.failures, columns, kept.sample[:most], kept.tested_at)


def describe_failure(result: DataTestResult) -> str:
    """Return one failing test in words, with some of what fails it."""
    shown = "; ".join(
        ", ".join(f"{name} = {_short(value)}" for name, value in zip(result.columns, row, strict=True))
        for row in result.sample
    )
    more = "" if result.failures <= len(result.sample) else "; …"
    some = f" ({shown}{more})" if result.sample else ""
    since = result.stands_since
    stands = "" if since is None else f"; so it was {since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, and nothing changed"
    return f"test {result.test.label} failed: {result.failures} failing{some}{stands}"


def _short(value: str) -> str:
    r"""Return a value in one line, its beginning if it is long.

    >>> _short("a\nb"), len(_short("a" * 100))
    ('a b', 40)
    """
    line = " ".join(value.split("\n"))
    return line if len(line) <= _LONGEST_VALUE else line[: _LONGEST_VALUE - 1] + "…"
