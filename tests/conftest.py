from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
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
