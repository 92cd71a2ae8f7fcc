"""Conditions of tests: that they can be read, and that the columns that they name are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from leapsql_core.compilation.drafts import Analyst, Draft
from leapsql_core.compilation.models import columns_of
from leapsql_core.errors import Problem, QueryError
from leapsql_core.models import DataTest, Node
from leapsql_core.names import did_you_mean
from leapsql_core.sql import KnownInput, is_several, unfit_condition


def stream_condition_problems(draft: Draft, nodes: Mapping[str, Node], analyst: Analyst) -> Iterator[Problem]:
    """Yield what is certainly wrong with the conditions of a model's tests: `where`, and those of ``expression``."""
    for test in draft.config.tests:
        for field, condition in (("where", test.where), ("expression", test.expression)):
            if condition is not None:
                yield from _stream_problems(draft, test, field, condition, nodes[draft.path], analyst)


def _stream_problems(
    draft: Draft, test: DataTest, field: str, condition: str, node: Node, analyst: Analyst
) -> Iterator[Problem]:
    line, what = draft.text.lines.get(test.label), f"test {test.label}"
    query = f"SELECT 1 FROM {node.relation.sql} WHERE ({condition}\n)"  # noqa: S608 - it is read, and never run
    mend = f"`{field}` takes one condition in SQL, such as `amount >= 0`."
    if unfit_condition(condition) is not None:  # which is said with the test itself
        return
    try:
        scanned = analyst.scan(query)
    except QueryError as exc:
        yield draft.problem(line, f"{what}: `{field}` cannot be read: {exc.cause}", mend)
        return
    if field == "expression" and is_several(condition):
        # A row would have to fail in all of them before the database called it false.
        yield draft.problem(line, f"{what}: COLUMNS stands for several conditions", "Write a test for each column.")
    known = columns_of(node)
    inputs: dict[tuple[str, ...], KnownInput] = {}
    for reference in scanned.references:
        itself = reference.parts[-2:] == (node.relation.schema, node.relation.name)
        inputs[reference.key] = KnownInput(
            draft.path if itself else ".".join(reference.parts), known if itself else None
        )
    for missing in analyst.lineage(query, inputs).missing if known is not None else ():
        hint = did_you_mean(missing.column, known or (), otherwise=f"It has: {', '.join(known or ())}.")
        yield draft.problem(line, f"{what}: {draft.path} has no column `{missing.column}`", hint)
