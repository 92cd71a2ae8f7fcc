from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from fuzzing import MANY, TRIED
from projects import Lab

_GATHERED: Counter[str] = Counter()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what this process tried to the one that prints."""
    output = getattr(session.config, "workeroutput", None)
    if output is None:
        _GATHERED.update(TRIED)
    else:
        output["leapsql_tried"] = dict(TRIED)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add up what a worker tried."""
    _GATHERED.update(getattr(node, "workeroutput", {}).get("leapsql_tried", {}))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print how many inputs were tried where many were asked for."""
    if MANY:
        terminalreporter.line(f"inputs tried: {_GATHERED['inputs']}")


@pytest.fixture
def make_lab(tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    """Make laboratories, which are closed when the test is over."""
    with ExitStack() as stack:

        def make(files: Mapping[str, str] | None = None, **options: Any) -> Lab:
            number = len(list(tmp_path.iterdir()))
            lab = Lab(tmp_path / f"lab{number}", files or {}, **options)
            stack.callback(lab.close)
            return lab

        yield make


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user of the machine may enter, and whose permissions may be played with."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture
def without_privileges() -> Callable[[], AbstractContextManager[None]]:
    """Code that runs as a user to whom permissions apply, also where the tests run as root."""

    @contextmanager
    def as_nobody() -> Iterator[None]:
        if os.geteuid() != 0:
            yield
            return
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)

    return as_nobody
