"""Where answers come from: another version of any of this may answer otherwise."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

from leapsql_core.hashing import fingerprint, fingerprint_bytes

_LIBRARIES: Final = ("sqlglot", "duckdb", "jinja2", "markupsafe", "pydantic", "pyyaml")
_ROOMS: Final = ("configuration", "documents", "frontmatter", "models", "parse_cache", "rendering", "sql")
_MODULES: Final = ("errors.py", "hashing.py", "masking.py", "names.py", "partitions.py")


def origin(database: object) -> list[str]:
    """Return the versions of all that takes part in an answer, with `database` as the database's parser."""
    return [*_versions(version), platform.python_version(), _code_version(type(database).__module__)]


@cache
def _versions(read: Callable[[str], str]) -> tuple[str, ...]:
    """Return the versions of the libraries; what `read` reads for one is a long text."""
    return tuple(map(read, _LIBRARIES))


@cache
def _code_version(database: str) -> str:
    """Return the hash of the code that the answers come from; `database` is the module of the database's parser."""
    package = Path(__file__).parent.parent
    sources = [package / name for name in _MODULES]
    sources += (file for room in _ROOMS for file in (package / room).rglob("*.py"))
    parser = getattr(sys.modules[database], "__file__", None)
    sources += [] if parser is None else [Path(parser)]
    return fingerprint([fingerprint_bytes(file.read_bytes()) for file in sorted(sources) if file.is_file()])


@cache
def code_beside(database: str) -> str:
    """Return the hash of the code that stands beside a module, that is of all that loads rows into a database."""
    file = getattr(sys.modules[database], "__file__", None)
    beside = [] if file is None else sorted(Path(file).parent.glob("*.py"))
    return fingerprint([fingerprint_bytes(found.read_bytes()) for found in beside])
