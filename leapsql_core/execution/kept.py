"""Results of tests as they are kept, so that they stand while neither test nor rows change."""

from __future__ import annotations

from datetime import datetime

from leapsql_core.execution.building import Built
from leapsql_core.execution.workshop import Workshop
from leapsql_core.models import KeptTestResult, Model, Node
from leapsql_core.planning import data_test_hash


def kept_results(
    node: Node, built: Built, shop: Workshop, *, tested_at: datetime | None = None
) -> tuple[KeptTestResult, ...]:
    """Return the results of a node's tests as they are kept, secrets masked; one that stands keeps its time."""
    if not isinstance(node, Model):
        return ()
    mask, moment = shop.project.secrets.mask, tested_at or shop.clock()
    return tuple(
        KeptTestResult(
            test=data_test_hash(result.test, to),
            basis=basis or "",
            label=mask(result.test.label),
            failures=result.failures,
            columns=result.columns,
            sample=tuple(tuple(mask(value) for value in row) for row in result.sample),
            tested_at=result.stands_since or moment,
        )
        for result, basis, to in zip(built.tests, built.bases, node.tested, strict=True)
    )
