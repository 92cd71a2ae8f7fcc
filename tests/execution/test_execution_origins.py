"""Where a build came from: the chain of builds of its run, up to the changes that began it."""

from __future__ import annotations

from collections.abc import Callable
from pkgutil import iter_modules
from types import ModuleType

import pytest
from projects import Lab, Outcome

import leapsql_core
import leapsql_core.execution
from leapsql_core.execution import origins

Make = Callable[..., Lab]

VIEW = "/*---\nmaterialized: view\n---*/\n"
FILES = {
    "seeds/s.csv": "a,b,c\n1,2,3\n2,3,4\n",
    "models/v.sql": VIEW + "select a, b, c from s",
    "models/w.sql": VIEW + "select a, b from v",
    "models/t.sql": "select a from w",
    "models/u.sql": "select sum(a) as a from t",
    "models/other.sql": "select b from s",
    "models/both.sql": "select u.a, other.b from u, other",
}


def chain(lab: Lab, outcome: Outcome, path: str) -> list[tuple[int, str, str | None, object]]:
    found = origins(lab.project, outcome.finished, path)
    return [(one.depth, one.path, one.reason, one.columns) for one in found]


def test_a_build_is_led_to_the_change_that_began_it(make_lab: Make) -> None:
    """Through tables by their own reasons, through views by the columns that are read in the end."""
    lab = make_lab(FILES)
    lab.run()
    lab.replace("seeds/s.csv", "1,2,3", "7,2,3")
    outcome = lab.run()
    assert outcome.built == {"s", "t", "u", "both"}
    assert chain(lab, outcome, "both") == [
        (1, "u", "input_changed", ("a",)),
        (2, "t", "input_changed", ("a",)),
        (3, "w", None, ("a",)),
        (4, "v", None, ("a",)),
        (5, "s", "seed_changed", ("a",)),
    ]
    assert chain(lab, outcome, "s") == []


def test_what_was_built_and_gave_the_same_is_no_cause(make_lab: Make) -> None:
    """Of two inputs that were built the one that differs is named."""
    lab = make_lab(FILES)
    lab.run()
    lab.edit({"models/other.sql": "select b from s where true", "models/u.sql": "select max(a) as a from t"})
    outcome = lab.run()
    assert {"other", "u", "both"} <= outcome.built
    assert chain(lab, outcome, "both") == [(1, "u", "query_changed", ("a",))]


def test_a_source_behind_a_view_is_where_a_chain_ends(make_lab: Make) -> None:
    """A view shows its sources as they are now."""
    lab = make_lab({"models/v.sql": VIEW + "select a, b from raw.x", "models/t.sql": "select a from v"})
    lab.sql("create schema raw", "create table raw.x as select 1 as a, 2 as b")
    lab.run()
    lab.sql("update raw.x set a = 5")
    outcome = lab.run()
    assert chain(lab, outcome, "t") == [(1, "v", None, ("a",)), (2, "raw.x", None, ("a",))]


def test_a_chain_has_an_end(make_lab: Make) -> None:
    """What is met twice is followed once, and no more is told than was asked for."""
    lab = make_lab(FILES)
    lab.run()
    lab.replace("seeds/s.csv", "1,2,3", "7,8,3")
    outcome = lab.run()
    paths = [path for _, path, *_ in chain(lab, outcome, "both")]
    assert paths == ["other", "s", "u", "t", "w", "v", "s"]
    assert len(origins(lab.project, outcome.finished, "both", most=3)) == 3


def test_an_early_cut_off_says_what_was_built_and_gave_the_same(make_lab: Make) -> None:
    """The skip names what it hung on."""
    lab = make_lab(FILES)
    lab.run()
    lab.edit({"models/t.sql": "select a from w where true"})
    outcome = lab.run()
    assert outcome.built == {"t"}
    assert outcome["u"].detail == (
        "its code and what it reads are as they were; t was built, and gave the same in what it reads"
    )
    assert outcome["both"].detail == "its code and what it reads are as they were"
    assert lab.model_runs(outcome.run_id)["u"].detail == outcome["u"].detail


@pytest.mark.parametrize("package", [leapsql_core, leapsql_core.execution], ids=lambda package: package.__name__)
def test_what_is_loaded_when_it_is_first_used_has_a_name_that_no_module_has(package: ModuleType) -> None:
    """Importing a module makes it an attribute of its package, and it would be found in place of what it holds."""
    modules = {module.name for module in iter_modules(package.__path__)}
    assert modules & set(package.__all__) == set()
