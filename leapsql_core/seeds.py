"""The files of seeds: where they lie, whether they are as they were read, and what a build would load from them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from leapsql_core.errors import WarehouseError
from leapsql_core.hashing import fingerprint_bytes
from leapsql_core.models import Relation, Seed, Target
from leapsql_core.planning import all_in_order
from leapsql_core.project import LoadedProject
from leapsql_core.warehouses.duckdb.settings import settings_that_count
from leapsql_core.warehouses.opening import open_warehouse

_SCRATCH = Relation("main", "seed")


def seed_path(loaded: LoadedProject, seed: Seed) -> Path:
    """Return the absolute path of a seed's file."""
    return loaded.root / seed.file


def seed_stands(loaded: LoadedProject, seed: Seed) -> bool:
    """Tell whether a seed's file still holds what the project was read with."""
    try:
        content = seed_path(loaded, seed).read_bytes()
    except OSError:
        return False
    return fingerprint_bytes(content) == seed.content_hash


def seed_rows(loaded: LoadedProject, seed: Seed) -> str | None:
    """Return the version of the rows that a build would load from a seed's file, in their order.

    ``None`` if it cannot be told: the file cannot be loaded, is not the one that the project was read with, or a type
    in it cannot be compared exactly.
    """

    def load() -> str | None:
        version = version_of_rows(seed_path(loaded, seed), target=loaded.project.target, root=loaded.root)
        if not seed_stands(loaded, seed):
            raise WarehouseError("the file changed while it was loaded", mend="Run again.")
        return version

    settings = settings_that_count(loaded.project.target.settings)
    try:
        return loaded.cache.seed_rows(seed.content_hash, settings, load)
    except WarehouseError:
        # The build will say what is wrong with it.
        return None


def version_of_rows(file: Path, *, target: Target, root: Path) -> str | None:
    """Load a CSV file as a build in `target` would, but in memory; return the version of its rows, in their order.

    ``None`` if the engine cannot tell it.

    Raises:
        WarehouseError: it cannot be loaded.
    """
    in_memory = replace(target, database=":memory:", attached={})
    with closing(open_warehouse(in_memory, root=root)) as scratch, scratch.transaction() as transaction:
        transaction.load_seed(_SCRATCH, str(file), existing=None)
        columns = transaction.columns(_SCRATCH)
        return transaction.data_versions(_SCRATCH, [all_in_order(columns)]).versions[0]
