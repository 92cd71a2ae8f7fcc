"""Names and texts that nobody should write, and ways to give them to `leapsql` itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from click.testing import CliRunner
from reading_samples import write_project

from leapsql_core.cli.app import app

#: Names that work, however odd they are.
ODD_NAMES = {
    "quotes": 'it\'s "q"',
    "spaces": " two  words ",
    "other alphabets": "größe_数据_ИТОГ",
    "a picture": "🦆",
    "reserved": "select",
    "reserved and sharp": "Order",
    "two hundred letters": "x" * 200,
    "SQL": "a; drop table canary; --",
    "a comment": "a /* b",
    "paths": "a/b\\c",
    "markup": "[red]x[/red] **b** <b>c</b> `d`",
    "a table's edge": "a|b",
    "words of a selection": "+a,b+",
    "a method of a selection": "tag:x",
    "a pattern": "a*[b]?",
    "a template": "{% x %}",
    "a variable": "${X}",
    "an option": "--force",
    "a place for a value": "?$1%s%(x)s",
    "numbers": "1",
    "nothing": "null",
    "a table of our own": "markers",
}


def name_of(text: str) -> str:
    """Return a name as SQL has it."""
    return '"' + text.replace('"', '""') + '"'


def yaml_of(text: str) -> str:
    """Return a text as YAML has it."""
    return json.dumps(text, ensure_ascii=False)


class Hostile:
    """A project on disk, and what `leapsql` says of it: never another exception than its own."""

    def __init__(self, root: Path, files: Mapping[str, str | bytes]) -> None:
        self.root = write_project(root, files)

    def leapsql(self, *words: str, status: int | None = None) -> str:
        """Run a command, check its exit status, and return all that it printed."""
        result = CliRunner().invoke(app, ["-C", str(self.root), *words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        said = result.stdout + result.stderr
        assert result.exit_code in ((0, 1, 2) if status is None else (status,)), said
        return said
