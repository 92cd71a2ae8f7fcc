"""What the analysis of SQL said before, kept by content beside the state: an unchanged file is not parsed again.

Entries are keyed by the text, by the columns of what it reads, and by all that took part: sqlglot, DuckDB and the code
of the analysis itself. So an entry is right or absent: the file can be deleted at any time, and one that cannot be read
or written is done without. What holds a secret is not kept.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import fields, is_dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from leapsql_core import models, sql
from leapsql_core.errors import WarehouseError
from leapsql_core.hashing import fingerprint, fingerprint_bytes
from leapsql_core.masking import Secrets
from leapsql_core.models import (
    Column,
    ColumnSource,
    Lineage,
    OutputColumn,
    QueryScan,
    Read,
    Span,
    TableReference,
)

Answer = TypeVar("Answer")

_ROOM_FOR_OTHERS = 4
_PATIENCE = 1.0
_SEAL = 16
_RACY_SECONDS = 2.0
_SCHEMA = "CREATE TABLE IF NOT EXISTS parsed (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"


class ParseCache:
    """An `Analyst` that remembers. Without a file it remembers nothing beyond its own life."""

    def __init__(
        self,
        file: Path | None,
        *,
        database: sql.DatabaseParser,
        describe: Callable[[str], tuple[Column, ...]],
        secrets: Secrets = Secrets(),
    ) -> None:
        """Read `file` if it is there; `describe` gives the columns of a CSV file."""
        self._file, self._database, self._describe, self._secrets = file, database, describe, secrets
        self._versions = [version("sqlglot"), version("duckdb"), _code_version(type(database).__module__)]
        self._known: dict[str, str] = {} if file is None else _read(file)
        self._used: dict[str, str] = {}
        self._learned: dict[str, str] = {}

    def scan(self, text: str) -> QueryScan:
        """Say what can be said of a query by itself; see `sql.scan`."""
        return self._answer(["scan", text], lambda: sql.scan(text, database=self._database), _scan_from)

    def lineage(self, text: str, inputs: Mapping[tuple[str, ...], sql.KnownInput]) -> Lineage:
        """Say how columns flow through a query; see `sql.lineage`."""
        known = sorted([list(key), given.name, given.columns] for key, given in inputs.items())
        return self._answer(["lineage", text, known], lambda: sql.lineage(text, inputs), _lineage_from)

    def seed_columns(self, path: Path, content_hash: str) -> tuple[str, ...]:
        """Return the columns of a CSV file whose bytes have `content_hash`.

        Raises:
            WarehouseError: the file cannot be read as CSV, or has other bytes by now.
        """

        def describe() -> tuple[str, ...]:
            columns = tuple(column.name for column in self._describe(str(path)))
            if fingerprint_bytes(path.read_bytes()) != content_hash:
                raise WarehouseError("the file changed while it was read", mend="Try again.")
            return columns

        return self._answer(["seed", content_hash], describe, lambda names: tuple(map(str, names)))

    def seed_rows(self, content_hash: str, settings: Mapping[str, str], load: Callable[[], str | None]) -> str | None:
        """Return the version of the rows that `load` loads from a file whose bytes have `content_hash`.

        `settings` are those that it loads them with. What it raises is not kept.
        """
        code = _code_beside(type(self._database).__module__)
        return self._answer(["rows", content_hash, sorted(settings.items()), code], load, _text_from)

    def file_hash(self, path: Path) -> str:
        """Return the hash of a file's bytes; one that has not been touched since is not read again.

        Raises:
            OSError: the file cannot be read.
        """
        stat = path.stat()
        question = ["file", str(path), stat.st_size, stat.st_mtime_ns, stat.st_ino]

        def read() -> str:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()

        # What was written this moment may be written once more without its time telling so.
        return read() if time.time() - stat.st_mtime < _RACY_SECONDS else self._answer(question, read, str)

    def save(self) -> None:
        """Write what was learned; if most of what is there serves nobody any more, it makes room."""
        if self._file is None or not self._learned:
            return
        gone = self._known.keys() - self._used.keys()
        if len(self._known) <= _ROOM_FOR_OTHERS * len(self._used):
            gone = set()
        _write(self._file, self._learned, gone=gone)
        self._known = {key: value for key, value in self._known.items() if key not in gone}
        self._learned = {}

    def _answer(self, question: list[Any], ask: Callable[[], Answer], read: Callable[[Any], Answer]) -> Answer:
        key = fingerprint([self._versions, *question])
        value = self._known.get(key, "")
        said = value[_SEAL:]
        if value and value == _sealed(key, said):  # damaged, it is worked out again, and written anew
            self._used[key] = value
            return read(json.loads(said))
        answer = ask()
        facts = _facts(answer)
        if not self._holds_secret([question, facts]):
            self._used[key] = self._known[key] = self._learned[key] = _sealed(key, json.dumps(facts))
        return answer

    def _holds_secret(self, value: Any) -> bool:
        text = "\n".join(_stream_texts(value))
        return self._secrets.mask(text) != text


@cache
def _code_version(database: str) -> str:
    """Return the hash of the code that the answers come from; `database` is the module of the database's parser."""
    files = [getattr(sys.modules[name], "__file__", None) for name in (models.__name__, __name__, database)]
    sources = [Path(file) for file in files if file is not None]
    sources += Path(str(sql.__file__)).parent.rglob("*.py")
    return fingerprint([fingerprint_bytes(file.read_bytes()) for file in sorted(sources) if file.is_file()])


@cache
def _code_beside(database: str) -> str:
    """Return the hash of the code that stands beside a module, that is of all that loads rows into a database."""
    file = getattr(sys.modules[database], "__file__", None)
    beside = [] if file is None else sorted(Path(file).parent.glob("*.py"))
    return fingerprint([fingerprint_bytes(found.read_bytes()) for found in beside])


def _sealed(key: str, said: str) -> str:
    """Return what is kept of an answer: no bit of it, nor of its key, can change unnoticed."""
    return fingerprint_bytes(f"{key}{said}".encode())[:_SEAL] + said


def _stream_texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _stream_texts(item)


# ------------------------------------------------------------------------------------------------------------ the file


def _read(file: Path) -> dict[str, str]:
    try:
        if not file.is_file():
            return {}
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=_PATIENCE)) as connection:
            return dict(connection.execute("SELECT key, value FROM parsed WHERE typeof(value) = 'text'"))
    except (sqlite3.Error, OSError):
        # A damaged or foreign file holds nothing that cannot be worked out again.
        return {}


def _write(file: Path, entries: Mapping[str, str], *, gone: Iterable[str]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(file, isolation_level=None, timeout=_PATIENCE)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_SCHEMA)
            connection.executemany("INSERT OR REPLACE INTO parsed (key, value) VALUES (?, ?)", sorted(entries.items()))
            connection.executemany("DELETE FROM parsed WHERE key = ?", [(key,) for key in sorted(gone)])
            connection.execute("COMMIT")
    except (sqlite3.Error, OSError):
        # Somebody else may be writing, or nothing may be written here: the next command parses again.
        return


# ------------------------------------------------------------------------------------------------------ records as JSON


def _facts(answer: Any) -> Any:
    """Return a record as lists: the values of its fields in order."""
    if is_dataclass(answer):
        return [_facts(getattr(answer, field.name)) for field in fields(answer)]
    return [_facts(item) for item in answer] if isinstance(answer, tuple) else answer


def _frozen(facts: Any) -> Any:
    return tuple(map(_frozen, facts)) if isinstance(facts, list) else facts


def _text_from(facts: Any) -> str | None:
    return None if facts is None else str(facts)


def _scan_from(facts: Any) -> QueryScan:
    references, *rest = map(_frozen, facts)
    found = (TableReference(parts, line, tuple(Span(*span) for span in spans)) for parts, line, spans in references)
    return QueryScan(tuple(found), *rest)


def _lineage_from(facts: Any) -> Lineage:
    columns, rows, reads, unknown, ordered, missing = map(_frozen, facts)
    if columns is not None:
        columns = tuple(
            OutputColumn(name, kind, _sources(sources) or (), _sources(read)) for name, kind, sources, read in columns
        )
    return Lineage(
        columns=columns,
        rows=tuple(Read(*read) for read in rows),
        reads=tuple(Read(*read) for read in reads),
        unknown=unknown,
        ordered=ordered,
        missing=tuple(ColumnSource(*column) for column in missing),
    )


def _sources(pairs: Any) -> tuple[ColumnSource, ...] | None:
    return None if pairs is None else tuple(ColumnSource(*pair) for pair in pairs)
