from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from projects import Lab


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
