"""`leapsql version`."""

from __future__ import annotations

import platform
import sqlite3
from importlib.metadata import version

from cli_shop import Shop


def test_versions_of_everything_that_matters_are_told(shop: Shop) -> None:
    """LeapSQL, Python, the engines, SQLite, and Dagster where it is installed."""
    assert shop.json("version") == {
        "leapsql-dagster": version("leapsql-dagster"),
        "python": platform.python_version(),
        "duckdb": version("duckdb"),
        "sqlglot": version("sqlglot"),
        "dagster": version("dagster"),
        "sqlite": sqlite3.sqlite_version,
    }
    assert f"sqlite           {sqlite3.sqlite_version}\n" in shop.text("version")


def test_version_needs_no_project(tmp_path_factory) -> None:  # type: ignore[no-untyped-def]
    """It answers everywhere, as a command and as an option."""
    nowhere = Shop(tmp_path_factory.mktemp("nowhere"))
    assert nowhere.leapsql("version").status == 0
    assert nowhere.leapsql("--version").out == f"leapsql {version('leapsql-dagster')}\n"
