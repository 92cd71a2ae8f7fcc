"""A process that runs `leapsql` again and again: a line of words comes in, a line with what it printed goes out."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Host:
    """The same program in a process of its own, whose hashes have a seed of their own."""

    seed: int
    process: subprocess.Popen[str] = field(init=False)

    def __post_init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONHASHSEED": str(self.seed), "PYTHONUTF8": "1"},
            text=True,
            encoding="utf-8",
        )

    def leapsql(self, folder: Path, words: Sequence[str]) -> tuple[int, str]:
        """Return exit status and standard output of `leapsql` on a project."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(["-C", str(folder), *words]) + "\n")
        self.process.stdin.flush()
        status, printed = json.loads(self.process.stdout.readline())
        return status, printed

    def close(self) -> None:
        self.process.communicate()


def serve() -> None:
    """Answer line by line until there is no more."""
    from leapsql_core.cli.app import app

    for line in sys.stdin:
        printed, status = io.StringIO(), 0
        with contextlib.redirect_stdout(printed):
            try:
                app.main(json.loads(line), prog_name="leapsql")
            except SystemExit as exc:
                status = exc.code if isinstance(exc.code, int) else 1
        print(json.dumps([status, printed.getvalue()]), flush=True)  # noqa: T201 -- that is its trade


if __name__ == "__main__":
    serve()
