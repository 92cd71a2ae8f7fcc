"""`docs/project.md` tells of every key, field and name, and the project that it shows works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import duckdb
import pytest
from docs_reading import Block, Reader, Step, code_in, find_table, read_blocks, read_page

from leapsql_core.configuration.reading import read_configuration
from leapsql_core.configuration.schemas import EnvironmentTargetDocument, ProjectDocument, TargetDocument
from leapsql_core.documents import Document, read_yaml
from leapsql_core.frontmatter.data_tests import FORMS
from leapsql_core.frontmatter.reading import read_frontmatter
from leapsql_core.frontmatter.schemas import FrontmatterDocument, IncrementalDocument, TestDocument
from leapsql_core.models import DataTest, Materialized, Severity, TestKind
from leapsql_core.rendering.scope import BUILT_IN, This

PAGE = "docs/project.md"
TEXT = read_page(PAGE)
BLOCKS = read_blocks(TEXT)
FRAGMENTS = [
    block
    for page in ("docs/project.md", "docs/decisions.md", "docs/dagster.md")
    for block in read_blocks(read_page(page))
    if block.language == "yaml" and not block.is_file and not block.text.startswith("type: ")
]
VISITS = """
CREATE SCHEMA raw;
CREATE TABLE raw.visits AS
SELECT range AS visit_id, TIMESTAMP '2026-03-01' + to_hours(range::INTEGER) AS visited_at, 'page ' || range % 3 AS page
FROM range(50)
"""


def flat_keys(schema: type[Document], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every key of a document with its default, those within it included."""
    for name, info in schema.model_fields.items():
        key = prefix + (info.alias or name)
        within = [info.annotation, *get_args(info.annotation)]
        inner = next((kind for kind in within if isinstance(kind, type) and issubclass(kind, Document)), None)
        if inner is None or inner is EnvironmentTargetDocument:
            yield key, None if info.is_required() else info.get_default(call_default_factory=True)
        elif inner is info.annotation:
            yield from flat_keys(inner, f"{key}.")
        else:
            yield key, {}
            yield from flat_keys(inner, f"{key}.NAME.")


def written_default(cell: str) -> Any:
    """Return the default that a row tells, ``None`` if it tells none or says it in words."""
    code = code_in(cell)
    return read_yaml(f"x: {code[0]}", file="doc").data["x"] if code and cell == f"`{code[0]}`" else None


@pytest.mark.parametrize(("header", "schema"), [("key", ProjectDocument), ("field", FrontmatterDocument)])
def test_every_key_is_told_of_with_its_default(header: str, schema: type[Document]) -> None:
    """Those of `leapsql.yaml` and those of the frontmatter; none is missing and none is made up."""
    told = {code_in(row[header])[0]: row["default"] for row in find_table(TEXT, header, "default")}
    known = dict(flat_keys(schema))
    assert set(told) == set(known)
    for key, default in known.items():
        usual = default.model_dump(exclude_defaults=True) if isinstance(default, Document) else default
        assert written_default(told[key]) == usual, key


def test_an_environment_s_target_may_have_every_key_of_a_target() -> None:
    """So one row is enough for them."""
    assert set(EnvironmentTargetDocument.model_fields) == set(TargetDocument.model_fields)


def test_values_that_a_field_chooses_from_are_all_told() -> None:
    """Strategies, what becomes of other columns, and the kinds of models."""
    strategies = [code_in(row["`strategy`"])[0] for row in find_table(TEXT, "`strategy`")]
    literal, _ = get_args(IncrementalDocument.model_fields["strategy"].annotation)
    assert strategies == list(get_args(literal))
    others = [code_in(row["`on_schema_change`"])[0] for row in find_table(TEXT, "`on_schema_change`")]
    assert others == list(get_args(IncrementalDocument.model_fields["on_schema_change"].annotation))
    rows = {code_in(row["field"])[0]: row[""] for row in find_table(TEXT, "field", "default")}
    assert set(get_args(Materialized)) - {"seed"} <= set(code_in(rows["materialized"]))
    query_change = IncrementalDocument.model_fields["on_query_change"]
    assert set(get_args(query_change.annotation)) <= set(code_in(rows["incremental.on_query_change"]))


# ---------------------------------------------------------------------------------------------------------- templates


def test_every_name_of_a_template_is_told_of() -> None:
    """And every field of `this`, `config` and `target`."""
    rows = find_table(TEXT, "in a template")
    told = {code_in(row["in a template"])[0].partition("(")[0].partition(".")[0]: row[""] for row in rows}
    assert set(told) == BUILT_IN
    fields = {code.partition(".")[2] for code in code_in(told["this"])}
    assert fields == set(This.__slots__)
    assert code_in(told["config"]) == ["config.name", "config.environment", "config.vars"]
    assert code_in(told["target"]) == ["target.name", "target.type", "target.schema", "target.database"]


def test_what_a_template_cannot_do_is_refused_as_told(shop: Path) -> None:
    """Each line of the table, in the page's own project."""
    refused = [(code_in(row["written"])[0], code_in(row["says"])[0]) for row in find_table(TEXT, "written", "says")]
    assert len(refused) > 5
    for template, message in refused:
        (shop / "models/probe.sql").write_text(f"SELECT {template} AS x")
        answer = Reader().follow(Step(0, command="leapsql render probe"))
        assert answer.startswith("Error: models/probe.sql:1: "), answer
        assert message in answer.splitlines()[0], answer


def test_names_that_a_template_shows_can_be_printed(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every expression that the tables of names give renders."""
    monkeypatch.setenv("HOME", "there")
    rows = find_table(TEXT, "in a template")
    codes = {code for row in rows for cell in row.values() for code in code_in(cell)} - {"config", "target", "None"}
    told = sorted(code for code in codes if code.partition("(")[0].partition(".")[0] in BUILT_IN)
    assert len(told) > 20
    lines = "\n".join(f"-- {{{{ {code} | string | length }}}}" for code in told)
    parted = "materialized: incremental\nincremental: {time_column: x, partitions: {every: daily, start: 2026-03-01}}"
    (shop / "models/probe.sql").write_text(f"/*---\n{parted}\n---*/\nSELECT 1 AS x\n{lines}")
    answer = Reader().follow(Step(0, command="leapsql render probe"))
    assert answer.startswith("SELECT 1 AS x\n-- "), answer


# -------------------------------------------------------------------------------------------------------------- tests


def test_every_kind_of_test_is_told_of_with_its_keys() -> None:
    """Those that all of them take are told once."""
    rows = find_table(TEXT, "test", "holds if")
    assert [code_in(row["test"])[0] for row in rows] == list(get_args(TestKind))
    for row in rows:
        (kind,) = code_in(row["test"])
        own = set(FORMS[kind].document.model_fields) - set(TestDocument.model_fields)
        assert set(code_in(row["keys"])) == own
    shared = TEXT.partition("Each takes three more keys:")[2].partition("\n\n")[0]
    assert set(TestDocument.model_fields) | {"error"} == set(code_in(shared))
    assert all(f"`{severity}`" in TEXT.partition("\n## Tests\n")[2] for severity in get_args(Severity))


def test_short_forms_mean_what_the_long_ones_beside_them_say() -> None:
    """Each pair of the table is read as the same tests."""
    pairs = [(code_in(row["short"]), code_in(row["long"])) for row in find_table(TEXT, "short", "long")]
    assert len(pairs) > 3
    for short, long in pairs:
        assert read_tests(short) == read_tests(long)


def read_tests(lines: list[str]) -> tuple[DataTest, ...]:
    config, _ = read_frontmatter("tests:\n" + "\n".join(f"  {line}" for line in lines), file="doc")
    assert config.tests
    return config.tests


# --------------------------------------------------------------------------------------------------------- the project


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project that the page shows, file by file, and the source that it reads; it is the working directory."""
    for block in BLOCKS:
        if block.is_file and block.file is not None:
            file = tmp_path / block.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
    for name in ("SHOP_DATABASE", "SHOP_PROD_DATABASE", "SHOP_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    Path(".leapsql").mkdir()
    with duckdb.connect(".leapsql/shop.duckdb") as connection:
        connection.execute(VISITS)
    return tmp_path


def test_the_project_of_the_page_is_built_without_a_warning(shop: Path) -> None:
    """Every model of it; then nothing is left to do, also for what reads the time of the last run."""
    first = Reader().follow(Step(0, command="leapsql run --verbose"))
    assert "6 built in " in first
    assert "warn" not in first
    assert "failed" not in first
    again = Reader().follow(Step(0, command="leapsql plan"))
    assert "6 unchanged" in again
    assert "to build" not in again


def test_batches_of_the_page_add_what_is_new_and_repeat_nothing(shop: Path) -> None:
    """Both incremental models hold what the source holds, also where a batch brings the same visits once more."""
    assert "6 built" in Reader().follow(Step(0, command="leapsql run"))
    with duckdb.connect(".leapsql/shop.duckdb") as connection:
        connection.execute("INSERT INTO raw.visits VALUES (50, '2100-01-01', 'page 1'), (51, '2100-01-02', 'page 2')")
    assert "2 built" in Reader().follow(Step(0, command="leapsql run"))
    assert "1 built" in Reader().follow(Step(0, command="leapsql run visits --force"))
    with duckdb.connect(".leapsql/shop.duckdb") as connection:
        assert connection.sql("SELECT count(*), count(DISTINCT visit_id) FROM marts.visits").fetchall() == [(52, 52)]
        assert connection.sql("SELECT sum(visits) FROM marts.daily_visits").fetchall() == [(52,)]


def test_variables_of_another_environment_are_asked_for_only_there(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`SHOP_PROD_DATABASE` has to be set for `--env prod`."""
    refused = Reader().follow(Step(0, command="leapsql list --env prod"))
    assert "environment variable SHOP_PROD_DATABASE is not set" in refused
    monkeypatch.setenv("SHOP_PROD_DATABASE", "prod.duckdb")
    rendered = Reader().follow(Step(0, command="leapsql render stg_orders --env prod"))
    assert "kilos >= 20 AS is_large" in rendered


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=lambda block: f"line {block.line}")
def test_every_other_piece_of_yaml_is_valid(fragment: Block) -> None:
    """It stands in a `leapsql.yaml`, or in a frontmatter."""
    keys = set(read_yaml(fragment.text, file="doc").data)
    if keys <= set(FrontmatterDocument.model_fields):
        read_frontmatter(fragment.text, file="doc")
    else:
        target = "" if "target" in keys else "target: {type: duckdb}\n"
        read_configuration(target + fragment.text, project_name="doc", environ={})
