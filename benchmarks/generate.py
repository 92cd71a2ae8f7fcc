"""Makes projects of any number of models: the same number makes the same files, anywhere.

`python -m benchmarks.generate FOLDER --models 1000 --shape mixed`
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

Shape = Literal["chain", "fan", "diamond", "mixed"]
Materialized = Literal["table", "view", "incremental"]

#: Of this many models each shape makes whole groups, so a mixed project changes shape after as many.
_BLOCK: Final = 60
_STRAND, _LOZENGE, _TOWER = 10, 4, 12
_WIDTH: Final = 20

_CONFIGURATION: Final = """\
name: generated
vars: {lowest: 0}
target: {type: duckdb, database: .leapsql/warehouse.duckdb}
"""
_MACROS: Final = """\
{% macro raised(column, by=1) %}({{ column }} + {{ by }}){% endmacro %}
{% macro at_least(column, lowest) %}{{ column }} >= {{ lowest }}{% endmacro %}
"""
_TESTS: Final = "tests:\n  - not_null: [id, kind]\n  - unique: id\n"


@dataclass(frozen=True, slots=True)
class Plot:
    """One model as it is to be written: its number, the numbers of those it reads, and what it is made of."""

    number: int
    reads: tuple[int, ...]
    materialized: Materialized = "table"
    is_template: bool = False
    is_wide: bool = False
    has_tests: bool = False

    @property
    def name(self) -> str:
        """The model's name."""
        return f"m{self.number:05}"

    @property
    def folder(self) -> str:
        """The folder that it lies in."""
        return f"block_{self.number // _BLOCK:03}"


def plot(models: int, shape: Shape = "mixed") -> list[Plot]:
    """Return `models` models, each after what it reads.

    Of ten models one is incremental and two have tests; of twelve two are views, three are templates, one is wide.
    """
    return [
        Plot(
            number,
            _reads(number, shape),
            materialized="incremental" if number % 10 == 7 else "view" if number % 6 == 2 else "table",
            is_template=number % 4 == 0,
            is_wide=number % 12 == 3,
            has_tests=number % 5 == 1,
        )
        for number in range(models)
    ]


def _reads(number: int, shape: Shape) -> tuple[int, ...]:
    if shape == "mixed":
        return _reads(number, ("chain", "fan", "diamond")[number // _BLOCK % 3])
    if shape == "chain":
        return (number - 1,) if number % _STRAND else ()
    if shape == "fan":
        return (number - number % _STRAND,) if number % _STRAND else ()
    corner = number % _LOZENGE
    if corner == 0:
        return (number - 1,) if number % _TOWER else ()
    return (number - 2, number - 1) if corner == _LOZENGE - 1 else (number - corner,)


def project_files(models: int, shape: Shape = "mixed") -> dict[str, str]:
    """Return the texts of a LeapSQL project by their paths in its folder."""
    plots = plot(models, shape)
    files = {"leapsql.yaml": _CONFIGURATION, "macros/amounts.sql": _MACROS}
    return files | {f"models/{one.folder}/{one.name}.sql": _text(one, plots) for one in plots}


def _text(one: Plot, plots: list[Plot]) -> str:
    frontmatter = "".join(_stream_frontmatter(one))
    query = "\n".join(_stream_query(one, [plots[number].name for number in one.reads]))
    return f"{frontmatter}{query}\n"


def _stream_frontmatter(one: Plot) -> Iterator[str]:
    if one.materialized == "table" and not one.has_tests:
        return
    yield "/*---\n"
    if one.materialized != "table":
        yield f"materialized: {one.materialized}\n"
    if one.materialized == "incremental":
        yield "unique_key: id\n"
    if one.has_tests:
        yield _TESTS
    yield "---*/\n"


def queried_columns(one: Plot) -> list[str]:
    """Return what a model selects: its first two columns, the expression of its third, and more where it is wide."""
    if not one.reads:
        columns = ["range AS id", "range % 7 AS kind", "range * 3"]
    elif len(one.reads) == 1:
        columns = ["id", "kind", "amount + 1"]
    else:
        columns = ["l.id", "l.kind", "l.amount + r.amount"]
    identity = columns[0].split()[0]
    return columns + ([f"{identity} % {n} AS c{n:02}" for n in range(2, _WIDTH)] if one.is_wide else [])


def source_of(one: Plot, parents: list[str]) -> str:
    """Return what a model selects from, with `parents` as the names of those it reads."""
    if not one.reads:
        return "range(100)"
    return parents[0] if len(parents) == 1 else f"{parents[0]} AS l\nJOIN {parents[1]} AS r ON l.id = r.id"


def _stream_query(one: Plot, parents: list[str]) -> Iterator[str]:
    yield f"-- {one.name}"
    first, kind, amount, *wide = queried_columns(one)
    identity = first.split()[0]
    raised = f"{{{{ amounts.raised('{amount}', by=2) }}}}" if one.is_template else amount
    yield "SELECT\n    " + ",\n    ".join((first, kind, f"{raised} AS amount", *wide))
    yield f"FROM {source_of(one, parents)}"
    if one.is_template:
        yield f"WHERE {{{{ amounts.at_least('{identity}', var('lowest')) }}}}"
    if one.materialized == "incremental":
        yield "{% if is_incremental() %}"
        yield f"WHERE {identity} > (SELECT max(id) FROM {{{{ this }}}})"
        yield "{% endif %}"


def write_project(folder: Path, models: int, shape: Shape = "mixed") -> list[Path]:
    """Write a LeapSQL project into `folder`, and return its files."""
    return write_files(folder, project_files(models, shape))


def write_files(folder: Path, files: Mapping[str, str]) -> list[Path]:
    """Write texts to their paths below `folder`, and return these."""
    written: list[Path] = []
    for name, text in sorted(files.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        written.append(path)
    return written


def main() -> None:
    """Write a project to where the command line says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generate", description="Write a project of any size.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--shape", choices=get_args(Shape), default="mixed")
    given = parser.parse_args()
    write_project(given.folder, given.models, given.shape)


if __name__ == "__main__":
    main()
