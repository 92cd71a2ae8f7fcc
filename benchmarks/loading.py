"""What loading the definitions of a project costs, beside specs of the same content that are made by hand.

Whole processes, as a code server, a run worker or a step process begins: `import dagster`, the definitions, the
repository, its serialized snapshot. `python -m benchmarks.loading --models 1000 --rounds 5`
"""

from __future__ import annotations

import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.generate import write_project
from benchmarks.measuring import LEAPSQL, Measured, measure_in_turn
from benchmarks.pages import machine, markdown_table, new_parser, print_report, tell

_FLOOR: Final = "import dagster"
_BY_HAND: Final = "specs made by hand"
_PROJECT: Final = "the project"
_LOAD: Final = (sys.executable, "-m", "benchmarks.load_location")
_COMMANDS: Final = {_FLOOR: _LOAD, _BY_HAND: (*_LOAD, "by_hand.py"), _PROJECT: (*_LOAD, "definitions.py")}
_HEADER: Final = ("loading", "models", "seconds", "processor seconds", "MiB", "× by hand", "× by hand, less the import")

_DEFINITIONS: Final = """\
import dagster as dg

from leapsql_dagster import LeapSQLProject, LeapSQLResource, leapsql_assets


@leapsql_assets(project=LeapSQLProject("."))
def models(context: dg.AssetExecutionContext, leapsql: LeapSQLResource):
    yield from leapsql.run(context)


defs = dg.Definitions(assets=[models], resources={"leapsql": LeapSQLResource()})
"""
_HAND: Final = """\
import warnings

import dagster as dg

warnings.simplefilter("ignore")


def spec(key, deps, group, kinds, code_version, texts, columns, lineage, files):
    metadata = dict(texts)
    metadata["dagster/code_references"] = dg.CodeReferencesMetadataValue(
        code_references=[
            dg.LocalFileCodeReference(file_path=path, line_number=line, label=label) for path, line, label in files
        ]
    )
    metadata["dagster/column_schema"] = dg.TableSchema(
        columns=[
            dg.TableColumn(name, kind, constraints=dg.TableColumnConstraints(nullable=nullable, unique=unique))
            for name, kind, nullable, unique in columns
        ]
    )
    metadata["dagster/column_lineage"] = dg.TableColumnLineage(
        {column: [dg.TableColumnDep(dg.AssetKey(table), name) for table, name in flows] for column, flows in lineage}
    )
    return dg.AssetSpec(
        dg.AssetKey(key),
        deps=[dg.AssetKey(dep) for dep in deps],
        group_name=group,
        kinds=set(kinds),
        code_version=code_version,
        metadata=metadata,
        skippable=True,
    )


@dg.multi_asset(specs=[spec(*row) for row in ROWS], can_subset=True)
def models(context: dg.AssetExecutionContext):
    yield None


defs = dg.Definitions(assets=[models])
"""


def write_definitions(folder: Path) -> None:
    """Write the definitions of the project in `folder`, and others that make the same specs by hand."""
    from leapsql_dagster import LeapSQLProject, leapsql_assets

    (folder / "definitions.py").write_text(_DEFINITIONS, encoding="utf-8")
    assets = leapsql_assets(project=LeapSQLProject(folder), name="models")(lambda context: None)
    rows = ",\n".join(repr(_row(spec)) for spec in assets.specs)
    (folder / "by_hand.py").write_text(f"ROWS = [\n{rows}\n]\n{_HAND}", encoding="utf-8")


def _row(spec: Any) -> tuple[Any, ...]:
    """Return the content of a spec as plain data."""
    metadata: Mapping[str, Any] = spec.metadata
    lineage = metadata["dagster/column_lineage"].deps_by_column
    return (
        spec.key.path,
        [dep.asset_key.path for dep in spec.deps],
        spec.group_name,
        sorted(spec.kinds),
        spec.code_version,
        {name: value for name, value in metadata.items() if isinstance(value, str)},
        [
            (column.name, column.type, column.constraints.nullable, column.constraints.unique)
            for column in metadata["dagster/column_schema"].columns
        ],
        [(name, [(dep.asset_key.path, dep.column_name) for dep in deps]) for name, deps in lineage.items()],
        [(ref.file_path, ref.line_number, ref.label) for ref in metadata["dagster/code_references"].code_references],
    )


def measure(models: int, *, rounds: int) -> dict[str, Measured]:
    """Build a project of `models` models, then measure how long its definitions take to load."""
    with TemporaryDirectory(prefix="leapsql-bench-") as made:
        folder, bytecode = Path(made, "project"), Path(made, "bytecode")
        write_project(folder, models)
        subprocess.run([*LEAPSQL, "run"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        write_definitions(folder)
        return measure_in_turn(_COMMANDS, first=_LOAD, rounds=rounds, folder=folder, bytecode=bytecode)


def stream_rows(models: int, found: Mapping[str, Measured]) -> Iterator[list[str]]:
    """Yield one row of the table for each way of loading; ratios are of processor time."""
    floor, by_hand = found[_FLOOR].cpu, found[_BY_HAND].cpu
    for name, measured in found.items():
        ratios = (f"{measured.cpu / by_hand:.2f}", f"{(measured.cpu - floor) / (by_hand - floor):.2f}")
        seconds = (f"{measured.wall:.2f}", f"{measured.cpu:.2f}", f"{measured.peak:.0f}")
        yield [name, f"{models:,}", *seconds, *ratios]


def report(sizes: Sequence[int], rounds: int) -> str:
    """Measure projects of each of `sizes`, and return a table."""
    rows: list[list[str]] = []
    for models in sizes:
        tell(f"a project of {models:,} models")
        rows += stream_rows(models, measure(models, rounds=rounds))
    return f"Medians of {rounds} runs of each, in turn. {machine()}.\n\n{markdown_table(_HEADER, rows)}"


def parser() -> ArgumentParser:
    """Return what the command line is read with."""
    return new_parser("loading", __doc__, models=(1000,))


def main() -> None:
    """Measure, and print a table."""
    print_report(parser(), report)


if __name__ == "__main__":
    main()
