from __future__ import annotations

import os
import pty
import sys
import sysconfig
import threading
from pathlib import Path
from typing import Any

import pytest
from cli_shop import Answer, Program, Shop, Terminal

from leapsql_core.cli.app import app


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A project that was never run."""
    made = Shop(tmp_path / "shop")
    for file, text in made.files.items():
        made.write(file, text)
    return made


@pytest.fixture
def built(shop: Shop) -> Shop:
    """A project that was run once."""
    assert shop.leapsql("run").status == 0
    return shop


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Run a command in this process, with standard output and error on a terminal of a given width."""

    def run(*words: str, width: int = 80, **environ: str) -> Answer:
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.delenv("NO_COLOR", raising=False)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        ours, theirs = pty.openpty()
        shown: list[bytes] = []
        reader = threading.Thread(target=_read_all, args=(ours, shown))
        reader.start()
        status: Any = 0
        with os.fdopen(theirs, "w", encoding="utf-8") as stream, monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", stream)
            patch.setattr(sys, "stderr", stream)
            try:
                app.main(list(words), prog_name="leapsql")
            except SystemExit as exc:
                status = exc.code
        reader.join()
        os.close(ours)
        return Answer(status, b"".join(shown).decode("utf-8"))

    return run


def _read_all(file: int, shown: list[bytes]) -> None:
    while True:
        try:
            found = os.read(file, 65536)
        except OSError:
            return
        if not found:
            return
        shown.append(found)


@pytest.fixture(scope="session")
def program() -> Program:
    """The console script of this environment."""
    return Program((str(Path(sysconfig.get_path("scripts"), "leapsql")),))
