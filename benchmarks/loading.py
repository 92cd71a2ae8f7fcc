"""What loading the definitions of a project costs, beside specs of the same content that are made by hand.

With and without asset checks, each beside specs that have as many. Whole processes, as a code server, a run worker or a
step process begins: `import dagster`, the definitions, the repository, its serialized snapshot.
`python -m benchmarks.loading --models 1000 --rounds 5`
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
_LOAD: Final = (sys.executable, "-m", "benchmarks.load_location")
#: What is compared: specs made by hand, and a project's of the same content.
_PAIRS: Final = (
    ("specs made by hand", "the project, checks=[]"),
    ("specs made by hand, with checks", "the project"),
)
_FILES: Final = {
    "specs made by hand": "by_hand.py",
    "the project, checks=[]": "no_checks.py",
    "specs made by hand, with checks": "by_hand_checked.py",
    "the project": "definitions.py",
}
_COMMANDS: Final = {_FLOOR: _LOAD, **{name: (*_LOAD, file) for name, file in _FILES.items()}}
_HEADER: Final = ("loading", "models", "seconds", "processor seconds", "MiB", "× by hand", "× by hand, less the import")

_DEFINITIONS: Final = """\
import dagster as dg

from leapsql_dagster import LeapSQLProject, LeapSQLResource, leapsql_assets


@leapsql_assets(project=LeapSQLProject("."){options})
def models(context: dg.AssetExecutionContext, leapsql: LeapSQLResource):
    yield from leapsql.run(context)


defs = dg.Definitions(assets=[models], resources={{"leapsql": LeapSQLResource()}})
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


def check(key, name, blocking, description, texts, sql):
    metadata = dict(texts) | ({} if sql is None else {"leapsql/sql": dg.MetadataValue.md(sql)})
    return dg.AssetCheckSpec(
        name, asset=dg.AssetKey(key), blocking=blocking, description=description, metadata=metadata
    )


@dg.multi_asset(
    specs=[spec(*row) for row in ROWS], check_specs=[check(*row) for row in CHECKS], can_subset=True
)
def models(context: dg.AssetExecutionContext):
    yield None


defs = dg.Definitions(assets=[models])
"""


def write_definitions(folder: Path) -> None:
    """Write the definitions of the project in `folder`, and others that make the same specs by hand."""
    from leapsql_dagster import LeapSQLProject, leapsql_assets

    assets = leapsql_assets(project=LeapSQLProject(folder), name="models")(lambda context: None)
    specs = ",\n".join(repr(_row(spec)) for spec in assets.specs)
    checks = ",\n".join(repr(_row_of_check(spec)) for spec in assets.check_specs)
    texts = {
        "definitions.py": _DEFINITIONS.format(options=""),
        "no_checks.py": _DEFINITIONS.format(options=", checks=[]"),
        "by_hand.py": f"ROWS = [\n{specs}\n]\nCHECKS = []\n{_HAND}",
        "by_hand_checked.py": f"ROWS = [\n{specs}\n]\nCHECKS = [\n{checks}\n]\n{_HAND}",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


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


def _row_of_check(spec: Any) -> tuple[Any, ...]:
    """Return the content of a check's spec as plain data."""
    texts = {name: value for name, value in spec.metadata.items() if isinstance(value, str)}
    sql = spec.metadata.get("leapsql/sql")
    return (spec.asset_key.path, spec.name, spec.blocking, spec.description, texts, None if sql is None else sql.value)


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
    floor = found[_FLOOR].cpu
    by_hand_of = {name: pair[0] for pair in _PAIRS for name in pair}
    for name, measured in found.items():
        by_hand = found[by_hand_of.get(name, _PAIRS[0][0])].cpu
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
