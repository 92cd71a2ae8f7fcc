"""Whether the tests of a model have to be run again, though it need not be built."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from leapsql_core.hashing import column_set_key, data_test_facts, fingerprint
from leapsql_core.models import DataTest, Decision, Model, ModelConfig, Node, Relation, Trace
from leapsql_core.names import fold
from leapsql_core.planning.observations import Observations
from leapsql_core.planning.versions import VersionBook
from leapsql_core.sql import is_decided_by_its_row, mentioned, overlooked_calls, read_calls

_UNKNOWN = "unknown"


def tests_hash(config: ModelConfig) -> str:
    """Return the fingerprint of a model's tests."""
    return fingerprint([data_test_facts(test) for test in config.tests])


def tests_version(node: Node, book: VersionBook, *, shown: Mapping[str, str | None]) -> str:
    """Return what the results of a node's tests rest on now, beside the rows of its own table.

    That is the tests themselves and, behind a colon, what they read elsewhere; a view has its rows elsewhere, too.
    `shown` holds the versions of views that do not stand yet, by path.
    """
    if not isinstance(node, Model):
        return ""
    own = tests_hash(node.config)
    read = _read_elsewhere(node)
    if not read:
        return own
    versions = [
        [name, column_set_key(columns), shown[name] if name in shown else book.version(name, columns)]
        for name, columns in read
    ]
    known = all(version is not None for _, _, version in versions)
    return f"{own}:{fingerprint(versions) if known else _UNKNOWN}"


def data_test_hash(test: DataTest, to: Relation | None) -> str:
    """Return the fingerprint of what a test asks, of which relation.

    What a failure means, and how much of it is shown, is no part of it.
    """
    asks = {name: fact for name, fact in data_test_facts(test).items() if name not in ("severity", "limit")}
    return fingerprint([asks, None if to is None else fold(str(to))])


def data_test_basis(
    model: Model, test: DataTest, to: Relation | None, *, book: VersionBook, observations: Observations
) -> str | None:
    """Return what a test's result rests on now, beside the rows of its model; ``None`` if nobody can tell.

    A result is a function of that and of the rows, so that it stands while neither changes.
    """
    for text in (test.expression, test.where):
        if text is None:
            continue
        macros = observations.macros.keys() & read_calls(text).functions or overlooked_calls(text, observations.macros)
        if not is_decided_by_its_row(text) or macros or mentioned(text, observations.types):
            return None
    around: list[object] = [dict(observations.settings)]
    read = next((entry for entry in model.test_inputs if entry.relation == to and entry.columns == (test.field,)), None)
    if read is not None:
        version = book.version(read.name, read.columns)
        if version is None:
            return None
        around.append(version)
    return fingerprint(around)


def compare_own_tests(node: Node, trace: Trace) -> Decision | None:
    """Return that the tests of `node` have to be run for their own sake, ``None`` if they are those that passed."""
    if not isinstance(node, Model) or tests_hash(node.config) == trace.tests_hash.partition(":")[0]:
        return None
    return Decision(node.path, "check", "tests_changed", "its tests changed; its rows stand")


def compare_tests(node: Node, trace: Trace, *, book: VersionBook, pending: Collection[str] = ()) -> Decision | None:
    """Return why the tests of `node` have to be run again or checked, ``None`` if their results stand.

    `pending` are nodes that this run may still change.
    """
    changed = compare_own_tests(node, trace)
    read = _read_elsewhere(node) if isinstance(node, Model) else []
    if changed is not None or not read:
        return changed
    waiting = sorted({name for name, _ in read if name in pending})
    if waiting:
        shown = " or ".join("what it shows" if name == node.path else name for name in waiting)
        return Decision(node.path, "check", "input_pending", f"tests it again if {shown} changes")
    if not all(book.was_looked_at(name, columns) for name, columns in read):
        return None
    if tests_version(node, book, shown={}) == trace.tests_hash and not trace.tests_hash.endswith(_UNKNOWN):
        return None
    names = sorted({name for name, _ in read})
    said = "what it shows" if names == [node.path] else f"what its tests read of {' or '.join(names)}"
    return Decision(node.path, "check", "test_input_changed", f"{said} changed; the relation stands")


def _read_elsewhere(model: Model) -> list[tuple[str, tuple[str, ...] | None]]:
    """Return what the tests of a model read that is not in a table of its own, with the columns."""
    read: list[tuple[str, tuple[str, ...] | None]] = [(entry.name, entry.columns) for entry in model.test_inputs]
    return [(model.path, None), *read] if model.materialized == "view" and model.config.tests else read
