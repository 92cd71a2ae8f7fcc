"""What DuckDB itself says of the corpus: the columns that it binds, the names that it gives, and whether it runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from sql_samples import Sample, as_dict, columns_of, inputs_of, open_shop, read_samples

from leapsql_core.names import quote_identifier
from leapsql_core.sql import lineage, resolve, same_tokens, scan
from leapsql_core.warehouses.duckdb.parser import DuckDBParser

CORPUS = read_samples("corpus.sql")
#: DuckDB 1.4 does not prune what a materialized CTE keeps for nobody.
NOT_PRUNED = {"materialized CTE"} if duckdb.__version__.startswith("1.") else set()


@pytest.fixture(scope="module")
def shop() -> Iterator[duckdb.DuckDBPyConnection]:
    with open_shop() as connection:
        yield connection


@pytest.fixture(scope="module")
def parser() -> DuckDBParser:
    return DuckDBParser()


def _bound_columns(shop: duckdb.DuckDBPyConnection, sql: str) -> dict[str, set[str]] | None:
    """Return the columns that DuckDB's plan gets from each table, ``None`` where it does not show its plan."""
    row = shop.execute("SELECT json_serialize_plan(?::VARCHAR, optimize := true)", [sql]).fetchone()
    document = json.loads(row[0]) if row else {"error": True}
    if document["error"]:
        return None
    bound: dict[str, set[str]] = {}

    def walk(node: Any) -> None:
        fetches = isinstance(node, dict) and node.get("type") == "LOGICAL_GET"
        if fetches and "table" in node.get("function_data", ()):
            table = node["function_data"]
            name = table["table"] if table["schema"] == "main" else f"{table['schema']}.{table['table']}"
            places = [column["index"] for column in node["column_indexes"]]
            bound.setdefault(name, set()).update(node["names"][p] for p in places if p < len(node["names"]))
        for below in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            walk(below)

    walk(document)
    return bound


@pytest.mark.parametrize("sample", CORPUS, ids=str)
def test_no_column_is_read_that_lineage_lacks(
    sample: Sample, shop: duckdb.DuckDBPyConnection, parser: DuckDBParser
) -> None:
    """What DuckDB fetches from a table is among the reads, and little else is, unless something is unknown."""
    bound = _bound_columns(shop, sample.sql)
    if bound is None:
        pytest.skip("DuckDB does not serialize this plan")
    found = lineage(sample.sql, inputs_of(scan(sample.sql, database=parser), columns_of(shop)))
    reads = as_dict(found.reads)
    assert set(bound) <= set(reads)
    for table, columns in bound.items():
        known = reads[table]
        if known is not None and sample.name not in NOT_PRUNED:
            assert columns <= set(known)
            if found.unknown is None and found.ordered is None and sample.name not in NOT_PRUNED:
                assert set(known) - columns <= {"country"}  # which DuckDB optimizes away in one query


def test_duckdb_shows_most_of_its_plans(shop: duckdb.DuckDBPyConnection) -> None:
    """The oracle speaks on more than a hundred queries."""
    assert sum(_bound_columns(shop, sample.sql) is not None for sample in CORPUS) > 120


@pytest.mark.parametrize("sample", CORPUS, ids=str)
def test_output_columns_bear_the_names_that_duckdb_gives(
    sample: Sample, shop: duckdb.DuckDBPyConnection, parser: DuckDBParser
) -> None:
    """Where the names are known they are those of the table that the query makes."""
    found = lineage(sample.sql, inputs_of(scan(sample.sql, database=parser), columns_of(shop)))
    shop.execute(f"CREATE OR REPLACE TEMP TABLE made AS\n{resolve(sample.sql, scan(sample.sql), {})}\n")
    names = [name for name, *_ in shop.execute("DESCRIBE made").fetchall()]
    if found.columns is not None:
        assert [column.name for column in found.columns] == names
    else:
        assert found.unknown is not None
    assert not found.missing


@pytest.mark.parametrize("sample", CORPUS, ids=str)
def test_with_unknown_columns_less_is_known_and_no_less_is_read(
    sample: Sample, shop: duckdb.DuckDBPyConnection, parser: DuckDBParser
) -> None:
    """Reads without the inputs' columns hold those with them; directions of flow, where told, are the same."""
    references = scan(sample.sql, database=parser)
    columns = columns_of(shop)
    known = lineage(sample.sql, inputs_of(references, columns))
    blank = lineage(sample.sql, inputs_of(references, columns, known=lambda _: False))
    for read in known.reads:
        wider = as_dict(blank.reads)[read.table]
        if wider is not None and read.columns is not None:
            assert {name.lower() for name in read.columns} <= {name.lower() for name in wider}
    for left, right in zip(known.columns or (), blank.columns or (), strict=False):
        if blank.columns is not None and right.kind != "unknown":
            assert left.name.lower() == right.name.lower()
            assert left.kind == right.kind


@pytest.mark.parametrize("sample", CORPUS, ids=str)
def test_a_resolved_query_is_the_author_s_own_text_and_runs(
    sample: Sample, shop: duckdb.DuckDBPyConnection, parser: DuckDBParser
) -> None:
    """Only the places of references differ; DuckDB runs the text within CREATE TABLE, and gives the same rows."""
    found = scan(sample.sql, database=parser)
    names = {reference.key: _full_name(reference.parts) for reference in found.references}
    resolved = resolve(sample.sql, found, names)
    expected = sample.sql.removesuffix(";")
    places = [(span, names[reference.key]) for reference in found.references for span in reference.spans]
    for span, name in sorted(places, reverse=True):
        expected = expected[: span.start] + name + expected[span.end :]
    assert resolved == expected
    shop.execute(f"CREATE OR REPLACE TEMP TABLE made AS\n{resolved}\n")
    made = sorted(map(repr, shop.execute("SELECT * FROM made").fetchall()))
    assert made == sorted(map(repr, shop.execute(sample.sql).fetchall()))


def _full_name(parts: tuple[str, ...]) -> str:
    schema = () if len(parts) > 1 else ("main",)
    return ".".join(map(quote_identifier, ("memory", *schema, *parts)))


@pytest.mark.parametrize("sample", CORPUS, ids=str)
def test_one_query_is_the_same_query_as_itself(sample: Sample) -> None:
    """With a semicolon more, or a line."""
    assert same_tokens(sample.sql, f"\n{sample.sql}\n;\n-- end")
