"""Loads a file of definitions as a code server does: definitions, repository, and the answer that it sends.

`python -m benchmarks.load_location definitions.py`, or without a file to import Dagster alone.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import dagster as dg
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster._serdes import serialize_value


def load(file: Path) -> str:
    """Return the serialized snapshot of the repository that a file's `defs` make."""
    # As a module with a name, so that its compiled form is kept, as that of any code location is.
    sys.path.insert(0, str(file.parent.absolute()))
    definitions = importlib.import_module(file.stem).defs
    assert isinstance(definitions, dg.Definitions)
    return serialize_value(RepositorySnap.from_def(definitions.get_repository_def()))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        load(Path(name))
