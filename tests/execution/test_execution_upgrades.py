"""Upgrades: what another version of this package, of sqlglot or of DuckDB made of a project rebuilds nothing.

What one of them understands of a query is played by an analyst that understands less.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import projects
import pytest
import sqlglot
from cli_shop import FILES as SHOP
from cli_shop import PATHS, Shop
from execution_shop import FILES, RAW
from planning_samples import World
from projects import Lab, RememberingAnalyst

from leapsql_core import sql
from leapsql_core.models import Lineage, Read
from leapsql_core.parse_cache import origin

Make = Callable[..., Lab]


@dataclass
class DullAnalyst(RememberingAnalyst):
    """An analyst that knows which inputs a query has, and not which of their columns; perhaps nor of any order."""

    sees_order: bool

    def __post_init__(self) -> None:
        super().__init__()

    def lineage(self, text: str, inputs: Mapping[tuple[str, ...], sql.KnownInput]) -> Lineage:
        found = super().lineage(text, inputs)
        reads = tuple(Read(read.table, None) for read in found.reads)
        columns = tuple(replace(c, kind="unknown", sources=(), reads=None) for c in found.columns or ())
        ordered = found.ordered if self.sees_order else "a dull analyst"
        return Lineage(columns or None, reads, reads, "a dull analyst", ordered=ordered)


@pytest.mark.parametrize("sees_order", [True, False])
def test_an_upgrade_that_understands_more_rebuilds_nothing(
    make_lab: Make, monkeypatch: pytest.MonkeyPatch, sees_order: bool
) -> None:
    """All that was read then is as it was, be it a table's, a source's or below a view; what changes is still seen."""
    lab = make_lab(FILES)
    lab.sql(*RAW)
    with monkeypatch.context() as patch:
        patch.setattr(projects, "_ANALYST", DullAnalyst(sees_order))
        lab.run()
        assert lab.run().built == set()
    assert lab.run().built == set()
    lab.sql("update raw.customers set name = 'eve' where id = 2")
    assert lab.run().built == {"customers", "report", "everyone", "greeting"}
    lab.assert_as_from_scratch(but=["days"])
    lab.sql("update raw.orders set kind = 2 where id = 1")
    assert lab.run().built >= {"orders", "labelled", "copy"}
    lab.assert_as_from_scratch(but=["days"])


def test_an_upgrade_that_understands_less_rebuilds_once(make_lab: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody compared cannot be proven; what comes out the same stops there."""
    lab = make_lab({**FILES, "models/apart.sql": "select 1 as one"})
    lab.sql(*RAW)
    lab.run()
    monkeypatch.setattr(projects, "_ANALYST", DullAnalyst(sees_order=True))
    assert "apart" not in lab.run().built
    lab.assert_as_from_scratch(but=["days"])
    assert lab.run().built == set()


def test_hashes_of_another_release_rebuild_no_model() -> None:
    """A hash that is made otherwise is another hash; then the texts that were built are compared."""
    world = World({f"models/{name}": text for name, text in MODELS.items()})
    for path, trace in world.traces.items():
        world.traces[path] = replace(
            trace,
            content_hash=f"v0:{trace.content_hash}",
            query_hash=f"v0:{trace.query_hash}",
            incremental_query_hash=trace.incremental_query_hash and f"v0:{trace.incremental_query_hash}",
        )
    world.texts = {f"v0:{key}": text for key, text in world.texts.items()}
    world.code = {f"v0:{key}": code for key, code in world.code.items()}
    assert set(world.actions().values()) == {"skip"}
    world.edit({"models/a.sql": "select 2 as x, 2 as y"})
    assert world.decide("a").reason == "query_changed"


MODELS = {
    "a.sql": "select 1 as x, 2 as y",
    "shown.sql": "/*---\nmaterialized: view\nowner: ann\n---*/\nselect x from a",
    "reader.sql": "select sum(x) as x from shown",
    "grown.sql": "/*---\nmaterialized: incremental\nunique_key: x\n---*/\nselect x from a"
    "{% if is_incremental() %} where x > 0{% endif %}",
}


@pytest.mark.parametrize("library", ["sqlglot", "duckdb", "leapsql-dagster"])
def test_another_version_of_what_reads_the_project_rebuilds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    """What the parse cache holds of another version is not asked; the state and the warehouse hold as they are."""
    shop = Shop(tmp_path / "shop")
    for file, text in SHOP.items():
        shop.write(file, text)
    assert shop.leapsql("run").status == 0
    real, own = origin.version, origin._code_version
    monkeypatch.setattr(origin, "version", lambda name: "99.0" if name == library else real(name))
    if library == "leapsql-dagster":
        monkeypatch.setattr(origin, "_code_version", lambda module: f"99.0 {own(module)}")
    monkeypatch.setattr(importlib.metadata, "version", origin.version)
    for module in (sqlglot, duckdb):
        if module.__name__ == library:
            monkeypatch.setattr(module, "__version__", "99.0")
    models = shop.json("plan")["models"]
    assert {model["path"]: model["reason"] for model in models} == dict.fromkeys(PATHS, "unchanged")
