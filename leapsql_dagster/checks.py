"""Asset checks: one for each test of a model, and one that says whether the model could be built."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from hashlib import sha256
from typing import Any, Literal

import dagster as dg

from leapsql_core import (
    Column,
    DataTestResult,
    Model,
    Node,
    Trace,
    UsageError,
    did_you_mean,
    partitioning_of,
    statements_of_tests,
)
from leapsql_dagster.check_partitions import with_partitions
from leapsql_dagster.loading import LoadedAssets
from leapsql_dagster.markdown import fenced
from leapsql_dagster.stepping import output_of_check
from leapsql_dagster.translator import fit_for_key

CheckKind = Literal["build", "tests"]

#: Every kind of check that assets can have.
CHECK_KINDS: tuple[CheckKind, ...] = ("build", "tests")
#: The name of the check that says whether a model could be built.
BUILD_CHECK = "build"

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9]+")
_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Verdict:
    """What Dagster is told of one check."""

    key: dg.AssetCheckKey
    passed: bool
    said: str
    is_error: bool = True
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def severity(self) -> dg.AssetCheckSeverity:
        """What a failure means."""
        return dg.AssetCheckSeverity.ERROR if self.is_error else dg.AssetCheckSeverity.WARN


def check_specs(
    loaded: LoadedAssets, kinds: Collection[str], parted: Mapping[dg.AssetKey, dg.PartitionsDefinition]
) -> list[dg.AssetCheckSpec]:
    """Return the checks of loaded assets, by asset; `parted` are the partitions of those that have some.

    `build` is blocking, and so are tests of severity ``error``: what reads the model in another step waits for them,
    and Dagster tries what they are red for again, when it tries a failed run again. One is left out whose output
    Dagster could not tell from another's: `build` of ``orders`` from the asset ``orders_build``. `build` has the
    partitions of its model, where Dagster knows checks that have some. Tests look at whole tables, and have none.

    Raises:
        UsageError: there are no checks of such a kind.
    """
    for kind in kinds:
        if kind not in CHECK_KINDS:
            known = f"Known: {', '.join(CHECK_KINDS)}."
            raise UsageError(f"unknown kind of checks `{kind}`", mend=did_you_mean(kind, CHECK_KINDS, otherwise=known))
    specs: list[dg.AssetCheckSpec] = []
    for node in loaded.nodes():
        key = loaded.keys[node.path]
        if "build" in kinds:
            said = "Whether the latest run that selected it could build it, or found that it needs no build."
            options = with_partitions(None if partitioning_of(node) is None else parted.get(key))
            specs.append(dg.AssetCheckSpec(BUILD_CHECK, asset=key, blocking=True, description=said, **options))
        if "tests" in kinds and isinstance(node, Model) and node.config.tests:
            specs += _specs_of_tests(loaded, node, key)
    taken = {key.to_python_identifier() for key in loaded.paths}
    found: dict[str, dg.AssetCheckSpec] = {}
    for spec in specs:
        found.setdefault(output_of_check(spec.key), spec)
    return [spec for output, spec in found.items() if output not in taken]


def _specs_of_tests(loaded: LoadedAssets, model: Model, key: dg.AssetKey) -> Iterator[dg.AssetCheckSpec]:
    trace = loaded.planned.snapshot.traces.get(model.path)
    mask = loaded.session.project.secrets.mask
    statements = statements_of_tests(loaded.session, model, _columns(model, trace))
    names = names_of_tests(model)
    for test, sql in zip(model.config.tests, statements, strict=True):
        effect = "the build is rolled back" if test.severity == "error" else "the build stands, and says so"
        yield dg.AssetCheckSpec(
            names[test.label],
            asset=key,
            blocking=test.severity == "error",
            description=f"{mask(test.label)}: if a row fails it, {effect}.",
            metadata={
                "leapsql/test": mask(test.label),
                "leapsql/severity": test.severity,
                "leapsql/sql": dg.MetadataValue.md(fenced(sql, "sql")),
            },
        )


def _columns(model: Model, trace: Trace | None) -> tuple[Column, ...]:
    if trace is not None and trace.columns:
        return trace.columns
    return tuple(Column(column.name, "") for column in model.lineage.columns or ())


def names_of_tests(node: Node) -> dict[str, str]:
    """Return the names of the checks that a node's tests become, by the labels of the tests; none of a seed's."""
    names: dict[str, str] = {}
    for test in node.config.tests if isinstance(node, Model) else ():
        name = _name(test.label)
        # Labels differ within a model; what is left of them in a name may not.
        names[test.label] = name if name not in names.values() else f"{name}_{_digest(test.label)}"
    return names


def _name(label: str) -> str:
    """Return a test's label as Dagster takes names.

    >>> _name("relationships(customer → customers.id)"), _name("not_null(größe)")
    ('relationships_customer_customers_id', 'not_null_grou00dfe')
    """
    name = _NOT_IN_NAMES.sub("_", fit_for_key(label)).strip("_")
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}_{_digest(label)}"


def _digest(label: str) -> str:
    return sha256(label.encode()).hexdigest()[:8]


def verdict_of_build(key: dg.AssetKey, said: str, *, passed: bool, error: str | None = None) -> Verdict:
    """Return what the `build` check of an asset says; `error` is shown whole."""
    metadata = {} if error is None else {"leapsql/error": dg.MetadataValue.md(fenced(error))}
    return Verdict(dg.AssetCheckKey(key, BUILD_CHECK), passed, said, metadata=metadata)


def verdict_of_test(key: dg.AssetKey, name: str, result: DataTestResult) -> Verdict:
    """Return what the check of a test says: how many rows or keys fail it, and some of them."""
    since = result.stands_since
    tested = "now" if since is None else f"{since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    said = "passed" if result.passed else f"{result.failures} failing"
    metadata: dict[str, Any] = {"leapsql/failures": result.failures, "leapsql/tested": tested}
    if result.sample:
        metadata["leapsql/sample"] = _sample_table(result)
    if since is not None:
        said += f", tested {tested} and not again"
    is_error = result.test.severity == "error"
    return Verdict(dg.AssetCheckKey(key, name), result.passed, said, is_error, metadata)


def _sample_table(result: DataTestResult) -> dg.TableMetadataValue:
    schema = dg.TableSchema(columns=[dg.TableColumn(name, "string") for name in result.columns])
    records = [dg.TableRecord(dict(zip(result.columns, row, strict=True))) for row in result.sample]
    return dg.MetadataValue.table(records=records, schema=schema)
