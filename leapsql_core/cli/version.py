"""`leapsql version`."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of

from leapsql_core.cli.options import Settings, command
from leapsql_core.cli.output import show
from leapsql_core.cli.pages import Column, Table, row

_PACKAGES = ("leapsql-dagster", "duckdb", "sqlglot", "dagster")


@command("version")
def version(settings: Settings) -> int:
    """Show the versions of LeapSQL and of what it works with."""
    import sqlite3

    found = {name: version_of(name) for name in _PACKAGES if _is_installed(name)}
    facts = {
        "leapsql-dagster": found.pop("leapsql-dagster"),
        "python": platform.python_version(),
        **found,
        "sqlite": sqlite3.sqlite_version,
    }
    page = [Table((Column("package"), Column("version")), tuple(row(*pair) for pair in facts.items()))]
    show(settings.output, page, facts)
    return 0


def _is_installed(name: str) -> bool:
    try:
        version_of(name)
    except PackageNotFoundError:
        return False
    return True
