"""The configuration in the parse cache: read once for what it says and what it reads, and its secrets never kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from leapsql_core.configuration import ProjectConfig
from leapsql_core.configuration.reading import read_configuration
from leapsql_core.errors import ProjectError
from leapsql_core.parse_cache import ParseCache
from leapsql_core.project import load_project
from leapsql_core.warehouses.duckdb.csv_files import describe_csv
from leapsql_core.warehouses.duckdb.parser import DuckDBParser

TEXT = """\
name: shop
state_path: kept/state.db
vars: {limit: 10, deep: {a: [1, 2.5, null, true, "x"]}}
target: {type: duckdb, database: "${PLACE:-here}.duckdb", settings: {threads: 2, a: 1.5, b: "x"}, wait_seconds: 3}
environments:
  prod: {target: {database: "prod-${PLACE}.duckdb"}, vars: {limit: 20}}
sources:
  raw.orders: {version: column, column: at, description: Orders, meta: {dagster: {asset_key: a/b}}}
secrets: [TOKEN, UNSET]
tests: {limit: 7}
"""


class Asking:
    """A cache in a file of its own, and how often it had to read."""

    def __init__(self, file: Path) -> None:
        parser = DuckDBParser()
        self.cache = ParseCache(file, database=parser, describe=describe_csv)
        self.reads = 0

    def __call__(
        self, text: str = TEXT, *, environ: Mapping[str, str] | None = None, environment: str | None = None
    ) -> ProjectConfig:
        given = environ or {}

        def read() -> ProjectConfig:
            self.reads += 1
            return read_configuration(text, project_name="p", environ=given, environment=environment)

        return self.cache.configuration([text, "p", environment], read, environ=given)


def ask(file: Path, **options: Any) -> tuple[ProjectConfig, int]:
    """Ask a new process's cache, and keep what it learned."""
    asking = Asking(file)
    config = asking(**options)
    asking.cache.save()
    return config, asking.reads


@pytest.mark.parametrize(("environ", "environment"), [({}, None), ({"PLACE": "there", "TOKEN": "s3cret"}, "prod")])
def test_what_was_read_before_is_the_same(tmp_path: Path, environ: dict[str, str], environment: str | None) -> None:
    """Every field, in every environment; nothing is read for it."""
    first, reads = ask(tmp_path / "parsed.db", environ=environ, environment=environment)
    assert reads == 1
    again, reads = ask(tmp_path / "parsed.db", environ=environ, environment=environment)
    assert (again, reads) == (first, 0)
    assert again == read_configuration(TEXT, project_name="p", environ=environ, environment=environment)


def test_it_is_read_again_when_anything_that_it_depends_on_changed(tmp_path: Path) -> None:
    """Its text, its environment, a variable that it reads; no other variable."""
    file = tmp_path / "parsed.db"
    ask(file)
    assert ask(file, environ={"PLACE": "there"})[1] == 1
    assert ask(file, environ={"PLACE": "elsewhere"})[0].target.database == "elsewhere.duckdb"
    assert ask(file, environ={"PLACE": "there"})[0].target.database == "there.duckdb"
    assert ask(file, environ={"OTHER": "x"})[1] == 0
    assert ask(file, text=TEXT.replace("limit: 7", "limit: 8"))[0].sample_limit == 8
    assert ask(file, environ={"PLACE": "x"}, environment="prod")[0].vars["limit"] == 20


@pytest.mark.parametrize(
    "text",
    [
        "# a variable begins with ${\ntarget: {type: duckdb, database: '${PLACE}'}\n",
        "# ${OTHER:-\ntarget: {type: duckdb, database: '${PLACE}'}\n",
        'target: {type: duckdb, database: "\\u0024{PLACE}"}\n',
        'target: {type: duckdb, database: "${PL\\\n  ACE}"}\n',
    ],
)
def test_a_variable_counts_however_it_is_written(tmp_path: Path, text: str) -> None:
    """Behind what opens in a comment, and spelled with a backslash: nobody builds in the database of before."""
    for place in ("here", "there"):
        assert ask(tmp_path / "parsed.db", text=text, environ={"PLACE": place})[0].target.database == place


def test_secrets_are_those_of_now_and_never_kept(tmp_path: Path) -> None:
    """One that is set later is one; a text that reads a secret is read anew each time."""
    file = tmp_path / "parsed.db"
    assert ask(file)[0].secrets.mask("s3cret") == "s3cret"
    later, reads = ask(file, environ={"TOKEN": "s3cret"})
    assert ("s3cret" in later.secrets.mask("s3cret"), reads) == (False, 0)
    text = TEXT.replace("${PLACE:-here}", "${TOKEN}")
    assert [ask(file, text=text, environ={"TOKEN": "s3cret"})[1] for _ in range(2)] == [1, 1]
    assert b"s3cret" not in file.read_bytes()


def test_what_is_wrong_is_said_each_time(tmp_path: Path) -> None:
    """An error is no answer."""
    for _ in range(2):
        with pytest.raises(ProjectError, match="unknown key `nmae`"):
            ask(tmp_path / "parsed.db", text="nmae: x\ntarget: {type: duckdb}\n")


@pytest.mark.parametrize("state", ["state_path: elsewhere/state.db\n", ""])
def test_variables_of_the_command_line_win_whatever_is_kept(tmp_path: Path, state: str) -> None:
    """They are no part of what is kept, wherever that lies."""
    (tmp_path / "models").mkdir()
    (tmp_path / "leapsql.yaml").write_text(f"vars: {{a: 1, b: 2}}\n{state}target: {{type: duckdb}}\n")
    found = []
    for variables in (None, {"a": 5}, None):
        loaded = load_project(tmp_path, environ={}, variables=variables)
        loaded.cache.save()
        found.append(dict(loaded.config.vars))
    assert found == [{"a": 1, "b": 2}, {"a": 5, "b": 2}, {"a": 1, "b": 2}]
