"""Seeds count by the rows that are in them: how a file is written builds nothing, what it holds does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from projects import Lab, Outcome

Make = Callable[..., Lab]

SEED = "id,name,amount\n1,one,10\n2,two,20\n3,,30\n"
FILES = {
    "seeds/s.csv": SEED,
    "models/names.sql": "select id, name from s",
    "models/first.sql": "select id, name from s limit 1",
    "models/everything.sql": "select * from s",
    "models/shown.sql": "/*---\nmaterialized: view\n---*/\nselect sum(amount) as amount from s",
}
DETAIL = "only how its file is written changed: the rows are the same"


@pytest.fixture
def built(make_lab: Make) -> Lab:
    """A seed and what reads it, built once; one reader hangs on the order of its rows."""
    lab = make_lab(FILES)
    assert lab.run().status == "completed"
    return lab


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(SEED.replace("\n", "\r\n"), id="CRLF"),
        pytest.param(SEED.rstrip("\n"), id="no end of the last line"),
        pytest.param('"id","name","amount"\n"1","one","10"\n"2","two","20"\n"3",,"30"\n', id="quotes"),
        pytest.param(SEED.replace(",", ";"), id="semicolons"),
        pytest.param(SEED.replace("2,two,20", '2,"two",20'), id="one cell in quotes"),
        pytest.param("\ufeff" + SEED, id="a mark at the beginning"),
    ],
)
def test_how_a_seed_is_written_builds_nothing(built: Lab, text: str) -> None:
    """Neither the seed nor what reads it, in order or not, nor in any later run; its code version stays."""
    before = built.state.read_snapshot("dev").traces["s"]
    built.edit({"seeds/s.csv": text})
    planned = built.plan()
    assert planned.decisions["s"].action == "skip"
    assert planned.code_versions["s"] == before.code_version
    for _ in range(2):
        outcome = built.run()
        assert outcome.started == []
        assert (outcome["s"].status, outcome["s"].reason, outcome["s"].detail) == ("skipped", "formatting_only", DETAIL)
        assert outcome["s"].code_version == before.code_version
    assert built.state.read_snapshot("dev").traces["s"] == before
    built.assert_as_from_scratch()


@pytest.mark.parametrize(
    ("text", "readers"),
    [
        pytest.param(SEED.replace("two", "zwei"), {"names", "first", "everything"}, id="a value"),
        pytest.param(SEED.replace("1,one", "1.0,one"), {"names", "first", "everything"}, id="a type"),
        pytest.param(SEED.replace("3,,30", '3,"",31'), {"first", "everything"}, id="a value that few read"),
        pytest.param(SEED.replace(",one,", ',"one ",'), {"names", "first", "everything"}, id="a space in quotes"),
        pytest.param("id,amount,name\n1,10,one\n2,20,two\n3,30,\n", {"first", "everything"}, id="order of columns"),
        pytest.param("id,name,amount\n2,two,20\n1,one,10\n3,,30\n", {"first"}, id="order of rows"),
        pytest.param(SEED + "3,,30\n", {"names", "first", "everything"}, id="a row twice"),
    ],
)
def test_what_a_seed_holds_builds_it(built: Lab, text: str, readers: set[str]) -> None:
    """And the readers that can see the difference; all is as from scratch, the row that stands first included."""
    built.edit({"seeds/s.csv": text})
    outcome = built.run()
    assert (outcome["s"].status, outcome["s"].reason) == ("success", "seed_changed")
    assert outcome.built == {"s", *readers}
    built.assert_as_from_scratch()
    assert built.run().started == []


def test_a_written_over_seed_that_holds_something_else_later_is_built(built: Lab) -> None:
    """What is compared is always what stands in the warehouse, not the file of the run before."""
    built.edit({"seeds/s.csv": SEED.replace("\n", "\r\n")})
    assert built.run().started == []
    built.edit({"seeds/s.csv": SEED.replace("\n", "\r\n").replace("two", "zwei")})
    assert built.run()["s"].reason == "seed_changed"
    built.edit({"seeds/s.csv": SEED})
    assert built.run()["s"].reason == "seed_changed"
    built.edit({"seeds/s.csv": SEED.rstrip()})
    assert built.run()["s"].reason == "formatting_only"
    built.assert_as_from_scratch()


def test_a_seed_that_is_asked_for_keeps_its_code_version(built: Lab) -> None:
    """Loading the same rows from a file that is written otherwise makes no new version of anything."""
    before = built.state.read_snapshot("dev").traces["s"]
    built.edit({"seeds/s.csv": SEED.replace("\n", "\r\n")})
    outcome = built.run("s", force=True)
    assert (outcome["s"].reason, outcome["s"].code_version) == ("requested", before.code_version)
    after = built.state.read_snapshot("dev").traces["s"]
    assert (after.code_version, after.data_version) == (before.code_version, before.data_version)
    assert after.content_hash != before.content_hash
    assert built.run()["s"].reason == "unchanged"


def test_a_seed_whose_table_is_gone_is_loaded_however_its_file_is_written(built: Lab) -> None:
    """That its rows are the same says nothing of a table that is not there, or is another."""
    built.edit({"seeds/s.csv": SEED.replace("\n", "\r\n")})
    built.meddle("create or replace table main.s as select 1 as id, 'x' as name, 2 as amount")
    assert built.run()["s"].reason == "drifted"
    built.edit({"seeds/s.csv": SEED})
    built.meddle("drop table main.s")
    assert built.run()["s"].reason == "missing"
    built.assert_as_from_scratch()


@pytest.mark.parametrize("answer", [None, "another version"])
def test_without_a_proof_a_seed_is_loaded(built: Lab, answer: str | None) -> None:
    """The file cannot be loaded beside the build, or a type in it cannot be compared."""
    built.edit({"seeds/s.csv": SEED.replace("\n", "\r\n")})
    outcome = Outcome(tuple(built.stream(workshop=built.workshop(seed_rows=lambda seed: answer))))
    assert (outcome["s"].status, outcome["s"].reason) == ("success", "seed_changed")


def test_a_seed_is_compared_only_where_its_bytes_differ(built: Lab) -> None:
    """An unchanged seed costs nothing; one that was never built, nothing either."""
    asked: list[str] = []

    def note(seed: Any) -> None:
        asked.append(seed.path)

    built.edit({"seeds/t.csv": "a\n1\n"})
    assert Outcome(tuple(built.stream(workshop=built.workshop(seed_rows=note)))).built == {"t"}
    assert asked == []
    built.edit({"seeds/t.csv": "a\r\n1\r\n"})
    assert Outcome(tuple(built.stream(workshop=built.workshop(seed_rows=note)))).built == {"t"}
    assert asked == ["t"]
