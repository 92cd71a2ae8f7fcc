from __future__ import annotations

import pytest
from sql_samples import Sample, read_samples

from leapsql_core.models import QueryScan
from leapsql_core.sql import scan
from leapsql_core.warehouses.duckdb.parser import DuckDBParser

SAMPLES = read_samples("references.sql")


@pytest.fixture(scope="module")
def parser() -> DuckDBParser:
    return DuckDBParser()


def _written(found: QueryScan) -> str:
    return ", ".join(f"{'.'.join(reference.parts)} {len(reference.spans)}" for reference in found.references)


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_a_query_reads_the_tables_that_it_names_and_no_others(sample: Sample, parser: DuckDBParser) -> None:
    """Tables are found wherever they may stand; CTEs, aliases and functions are none; places are of the whole name."""
    found = scan(sample.sql, database=parser)
    assert _written(found) == sample.fact("reads")
    assert ", ".join(found.files) == sample.fact("files")
    assert (found.warning is not None) == (sample.fact("warns") == "yes") or "will not run" in str(found.warning)


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_every_place_holds_the_whole_name(sample: Sample, parser: DuckDBParser) -> None:
    """What stands at a span is the reference's name, in quotes or not, with whatever space and comments are within."""
    for reference in scan(sample.sql, database=parser).references:
        for span in reference.spans:
            rest = sample.sql[span.start : span.end].lower()
            for part in reference.parts:
                assert part.lower().replace('"', '""') in rest
                rest = rest.partition(part.lower().replace('"', '""'))[2]
            assert rest in ("", '"')


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.fact("warns") != "yes"], ids=str)
def test_without_a_database_the_tree_alone_names_tables(sample: Sample) -> None:
    """Sqlglot's list is the same as with a database, less what only a database sees."""
    seen = [part for part in sample.fact("reads").split(", ") if part and not part.endswith(" 0")]
    assert _written(scan(sample.sql)) == ", ".join(seen)


def test_a_reference_knows_its_line() -> None:
    """The line is that of the first place, counted from 1, whatever ends the lines before."""
    found = scan("-- one\r\nSELECT *\nFROM\n\n  a.b\r\nJOIN c ON true, a.b")
    assert [(reference.parts, reference.line) for reference in found.references] == [(("a", "b"), 5), (("c",), 6)]


def test_a_hidden_reference_has_the_line_of_its_mention(parser: DuckDBParser) -> None:
    """A table that only the database sees has no place, but the line where its name occurs."""
    (reference,) = scan("SELECT *\nFROM\nquery_table('orders')", database=parser).references
    assert (reference.parts, reference.line, reference.spans) == (("orders",), 3, ())


def test_the_first_spelling_counts() -> None:
    """Names that differ by case are one reference, written as it was first."""
    (reference,) = scan('SELECT * FROM A.b, a.B, "A"."B"').references
    assert reference.parts == ("A", "b")
    assert reference.key == ("a", "b")
    assert len(reference.spans) == 3


def test_thousands_of_names_are_found() -> None:
    """Generated SQL with very many branches is read like any other."""
    sql = " UNION ALL ".join(f"SELECT a FROM t{number} WHERE x = 1" for number in range(1500))
    assert len(scan(sql).references) == 1500
