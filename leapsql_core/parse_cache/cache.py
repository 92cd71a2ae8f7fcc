"""The cache itself: an `Analyst` that remembers."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from leapsql_core import sql
from leapsql_core.compilation import Analyst
from leapsql_core.configuration import ProjectConfig, variables_in
from leapsql_core.errors import WarehouseError
from leapsql_core.frontmatter import ModelText, holds_frontmatter, read_model_text
from leapsql_core.hashing import fingerprint, fingerprint_bytes
from leapsql_core.masking import Secrets
from leapsql_core.models import Column, Lineage, QueryScan
from leapsql_core.parse_cache.file import read_entries, sealed, unsealed, write_entries
from leapsql_core.parse_cache.origin import code_beside, origin
from leapsql_core.parse_cache.records import (
    configuration_facts,
    configuration_from,
    facts,
    lineage_from,
    model_text_from,
    scan_from,
    text_from,
)
from leapsql_core.rendering import Rendered, Renderer

Answer = TypeVar("Answer")

_ROOM_FOR_OTHERS: Final = 4
_RACY_SECONDS: Final = 2.0


class ParseCache(Analyst):
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
        self._origin = fingerprint(origin(database))
        self._known: dict[str, str] = {} if file is None else read_entries(file)
        self._used: dict[str, str] = {}
        self._learned: dict[str, str] = {}

    def configuration(
        self, question: Sequence[Any], read: Callable[[], ProjectConfig], *, environ: Mapping[str, str]
    ) -> ProjectConfig:
        """Return the configuration that `read` reads from a text, the first of the `question` that it depends on.

        What the text reads in the system's environment must be there as it was; one that does not show what it reads is
        read each time. Its secrets are those of `environ`, and are minded from now on.
        """
        names = variables_in(question[0])
        if names is None:
            config = read()
            self._secrets = config.secrets
            return config
        values = [environ.get(name) for name in names]
        seen = [[name, fingerprint(value)] for name, value in zip(names, values, strict=True)]
        key = self._key(["configuration", *question, seen])
        known = self._recall(key)
        config = read() if known is None else configuration_from(json.loads(known), environ)
        self._secrets = config.secrets
        if known is None:
            self._keep(key, configuration_facts(config), beside=[*question, values])
        return config

    def take_apart(self, text: str, *, file: str) -> ModelText:
        """Take the text of a model apart; see `read_model_text`."""
        if not holds_frontmatter(text):  # then looking it up would cost more
            return read_model_text(text, file=file)
        return self._answer(["model", text], lambda: read_model_text(text, file=file), model_text_from)

    def check_macros(self, renderer: Renderer) -> None:
        """Compile every macro file; see `Renderer.check_macros`."""

        def check() -> bool:
            renderer.check_macros()
            return True

        if renderer.macro_texts:
            self._answer(["macros", renderer.macro_texts], check, bool)

    def render(self, renderer: Renderer, question: Sequence[Any], ask: Callable[[], Rendered]) -> Rendered:
        """Render a template; what it looked up in the system's environment must be there as it was."""
        if renderer.surroundings is None:
            return ask()
        key = self._key(["rendered", renderer.surroundings, *question])
        known = self._recall(key)
        if known is not None:
            text, run_values, macros, variables = json.loads(known)
            if all(fingerprint(renderer.variable(name)) == seen for name, seen in variables):
                return Rendered(text, tuple(run_values), tuple(macros), tuple(name for name, _ in variables))
        rendered = ask()
        values = [renderer.variable(name) for name in rendered.variables]
        seen = [[name, fingerprint(value)] for name, value in zip(rendered.variables, values, strict=True)]
        said = [rendered.text, list(rendered.run_values), list(rendered.macros), seen]
        self._keep(key, said, beside=[*question, values])
        return rendered

    def scan(self, text: str) -> QueryScan:
        """Say what can be said of a query by itself; see `sql.scan`."""
        return self._answer(["scan", text], lambda: sql.scan(text, database=self._database), scan_from)

    def lineage(self, text: str, inputs: Mapping[tuple[str, ...], sql.KnownInput]) -> Lineage:
        """Say how columns flow through a query; see `sql.lineage`."""
        known = sorted([list(key), given.name, given.columns] for key, given in inputs.items())
        return self._answer(["lineage", text, known], lambda: sql.lineage(text, inputs), lineage_from)

    def windows(self, text: str, window: Mapping[str, str], *, whole_days: bool) -> dict[tuple[str, ...], str]:
        """Say of which tables a query reads the rows of a window alone; see `sql.windows`."""

        def ask() -> list[tuple[tuple[str, ...], str]]:
            return sorted(sql.windows(text, window, whole_days=whole_days).items())

        question = ["windows", text, sorted(window.items()), whole_days]
        return dict(self._answer(question, ask, lambda said: [(tuple(parts), column) for parts, column in said]))

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
        question = ["rows", content_hash, sorted(settings.items()), code_beside(type(self._database).__module__)]
        return self._answer(question, load, text_from)

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

    def save(self, *, makes: bool = True) -> None:
        """Write what was learned; if most of what is there serves nobody any more, it makes room.

        A file that is not there is made, unless `makes` is false.
        """
        if self._file is None or not self._learned or not (makes or self._file.is_file()):
            return
        gone = self._known.keys() - self._used.keys()
        if len(self._known) <= _ROOM_FOR_OTHERS * len(self._used):
            gone = set()
        write_entries(self._file, self._learned, gone=gone)
        self._known = {key: value for key, value in self._known.items() if key not in gone}
        self._learned = {}

    def _answer(self, question: list[Any], ask: Callable[[], Answer], read: Callable[[Any], Answer]) -> Answer:
        key = self._key(question)
        known = self._recall(key)
        if known is not None:
            return read(json.loads(known))
        answer = ask()
        self._keep(key, facts(answer), beside=question)
        return answer

    def _key(self, question: list[Any]) -> str:
        return fingerprint([self._origin, *question])

    def _recall(self, key: str) -> str | None:
        """Return the JSON that is kept under `key`, ``None`` if there is none.

        What is damaged is worked out again, and written anew.
        """
        value = self._known.get(key, "")
        said = unsealed(key, value)
        if said is not None:
            self._used[key] = value
        return said

    def _keep(self, key: str, said: Any, *, beside: list[Any]) -> None:
        """Keep what was said, unless it, or what stands `beside` it, holds a secret."""
        if not self._holds_secret([beside, said]):
            self._used[key] = self._known[key] = self._learned[key] = sealed(key, json.dumps(said))

    def _holds_secret(self, value: Any) -> bool:
        if not self._secrets.values:
            return False
        text = "\n".join(_stream_texts(value))
        return self._secrets.mask(text) != text


def _stream_texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _stream_texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _stream_texts([key, item])
