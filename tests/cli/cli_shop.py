"""A small project on disk, and ways to ask `leapsql` about it: in this process, on a terminal, as a program."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from leapsql_core.cli.app import app

FILES = {
    "leapsql.yaml": """name: shop
target: {type: duckdb}
vars: {least: 0}
environments: {prod: {target: {database: .leapsql/prod.duckdb}}}
""",
    "seeds/raw_orders.csv": "id,customer,amount,note\n1,ann,10,x\n2,bob,20,y\n3,ann,30,z\n",
    "models/staging/orders.sql": """/*---
materialized: view
owner: data@example.com
tags: [core]
---*/
select id, customer, amount
from raw_orders
""",
    "models/marts/customers.sql": """/*---
owner: sales
tags: [core, report]
tests:
  - unique: customer
---*/
select customer, sum(amount) as total
from staging.orders
where amount > {{ var('least') }}
group by customer
""",
    "models/marts/totals.sql": "select sum(total) as total\nfrom marts.customers\n",
    "models/marts/order_log.sql": """/*---
materialized: incremental
unique_key: id
---*/
select id, amount
from staging.orders
{% if is_incremental() %}
where id > (select max(id) from {{ this }})
{% endif %}
""",
}
PATHS = ["raw_orders", "staging.orders", "marts.customers", "marts.order_log", "marts.totals"]

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def without_colour(text: str) -> str:
    """Return what a terminal shows, without what steers it."""
    return _ANSI.sub("", text).replace("\r", "")


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str = ""

    @property
    def facts(self) -> Any:
        """The JSON it printed."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        """The lines it printed, spaces at their ends aside."""
        return [line.rstrip() for line in self.out.splitlines()]


@dataclass
class Shop:
    """A project on disk."""

    root: Path
    files: dict[str, str] = field(default_factory=lambda: dict(FILES))

    def write(self, file: str, text: str) -> None:
        """Write one file of the project."""
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def edit(self, file: str, before: str, after: str) -> None:
        """Change a text that stands in a file once."""
        text = (self.root / file).read_text(encoding="utf-8")
        assert text.count(before) == 1
        self.write(file, text.replace(before, after))

    def remove(self, file: str) -> None:
        """Delete one file."""
        (self.root / file).unlink()

    def leapsql(self, *words: str) -> Answer:
        """Run a command; standard output is no terminal."""
        result = CliRunner().invoke(app, ["-C", str(self.root), *words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    def json(self, *words: str) -> Any:
        """Run a command that succeeds, and return its JSON."""
        answer = self.leapsql(*words, "--output", "json")
        assert answer.status == 0, answer.err
        return answer.facts

    def text(self, *words: str) -> str:
        """Run a command, and return its text for people."""
        return self.leapsql(*words, "--output", "text").out

    def outcomes(self, *words: str) -> dict[str, str]:
        """Run, and return status and reason of each model."""
        facts = self.leapsql("run", *words, "--output", "json").facts
        return {model["path"]: f"{model['status']}: {model['reason']}" for model in facts["models"]}


Terminal = Callable[..., Answer]


@dataclass(frozen=True)
class Program:
    """The installed `leapsql`, as a process of its own."""

    command: tuple[str, ...]

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """Start it."""
        given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
        return subprocess.Popen([*self.command, *words], **given)

    def run(self, *words: str, **options: Any) -> Answer:
        """Run it to its end."""
        process = self.start(*words, **options)
        out, err = process.communicate(timeout=60)
        return Answer(process.returncode, out, err)
