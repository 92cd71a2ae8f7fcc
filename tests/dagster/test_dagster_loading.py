"""What loading costs: nothing is done twice."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster_shop import Shop

from leapsql_core import Node, ProjectError, Source, open_session
from leapsql_dagster import DagsterLeapSQLTranslator

DEFINITIONS = """
import sys

from leapsql_dagster import LeapSQLProject, LeapSQLResource, leapsql_assets


@leapsql_assets(project=LeapSQLProject("."))
def shop(context, leapsql: LeapSQLResource):
    yield from leapsql.run(context)


print(len(shop.keys), "sqlglot" in sys.modules, "leapsql_dagster.component" in sys.modules)
print([type(spec.automation_condition).__name__ for spec in shop.specs if spec.automation_condition])
"""


def test_a_fresh_process_loads_what_it_needs_and_parses_nothing_that_a_run_has_parsed(shop: Shop) -> None:
    """Code servers, run workers and step processes take the project from the cache: no parser is even loaded.

    Nor is what they do not use of this package; conditions of its own are known where a model names them.
    """
    shop.edit("models/marts/customers.sql", "owner: sales", "meta: {dagster: {automation_condition: needs_build}}")
    shop.run()
    path = os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))))
    said = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DEFINITIONS],
        cwd=shop.root,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.splitlines() == ["5 False False", "['PlanCondition']"]


class Counting(DagsterLeapSQLTranslator):
    """Counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get_asset_spec(self, node: Node | Source) -> dg.AssetSpec:
        self.asked.append(node.name)
        return super().get_asset_spec(node)


def test_a_translator_is_asked_once_for_each_node(shop: Shop) -> None:
    """Assets, dependencies and lineage share one answer."""
    translator = Counting()
    shop.assets(translator=translator)
    nodes = open_session(shop.root, environ={}).project.nodes.values()
    assert sorted(translator.asked) == sorted(node.name for node in nodes)


@pytest.mark.parametrize("was_on", [True, False])
def test_loading_leaves_the_garbage_collector_as_it_was(shop: Shop, was_on: bool) -> None:
    """It rests while definitions load, and is as before when they are there, or cannot be."""
    before = gc.isenabled()
    try:
        (gc.enable if was_on else gc.disable)()
        shop.assets()
        assert gc.isenabled() is was_on
        shop.write({"models/marts/totals.sql": "select (1"})
        with pytest.raises(ProjectError):
            shop.assets()
        assert gc.isenabled() is was_on
    finally:
        (gc.enable if before else gc.disable)()
