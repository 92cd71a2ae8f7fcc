"""`leapsql state backup`, `restore` and `prune`: what they say, what they refuse, and that nothing is lost."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest
from cli_shop import PATHS, Shop

from leapsql_core.state import SqliteStateStore


def state_file(shop: Shop) -> Path:
    return shop.root / ".leapsql" / "state.db"


def files(shop: Shop) -> set[str]:
    return {
        file.name for file in (shop.root / ".leapsql").glob("state.db*") if file.suffix not in (".db-wal", ".db-shm")
    }


def runs(shop: Shop) -> list[str]:
    return [run["run_id"] for run in shop.json("history")["runs"]]


def leave_running(shop: Shop) -> str:
    """Begin a run that does not end, as one does whose process was killed; its id."""
    store = SqliteStateStore(state_file(shop))
    store.open()
    run = store.create_run("dev")
    store.close()
    return run.id


# -------------------------------------------------------------------------------------------------------------- backup


def test_a_backup_says_where_it_is_and_how_large(built: Shop) -> None:
    """Without a name it lies beside the state; a second one in the same second has another name."""
    copies = [Path(built.json("state", "backup")["file"]) for _ in range(2)]
    assert all(re.fullmatch(r"state\.db\.\d{8}T\d{6}Z(-2)?\.bak", copy.name) for copy in copies)
    assert len({*copies}) == 2
    answer = built.json("state", "backup", str(built.root / "mine.db"))
    assert answer == {"file": str(built.root / "mine.db"), "bytes": (built.root / "mine.db").stat().st_size}
    text = built.text("state", "backup", str(built.root / "other.db"))
    assert re.fullmatch(r"copied to .*/other\.db \([\d.]+ kB\)\n", text)
    assert built.json("history", "--state", str(built.root / "mine.db")) == built.json("history")


def test_a_backup_needs_no_models_that_can_be_read(built: Shop) -> None:
    """The state is whole, however broken the project is."""
    built.write("models/broken.sql", "select from where {{")
    assert built.leapsql("state", "backup").status == 0


def test_a_backup_that_cannot_be_made_is_an_error(built: Shop, tmp_path: Path) -> None:
    """What is there stays as it was."""
    taken = built.leapsql("state", "backup", str(state_file(built)))
    assert (taken.status, "there is a file" in taken.err) == (2, True)
    none = built.leapsql("state", "backup", str(tmp_path / "copy.db"), "--state", str(tmp_path / "nothing.db"))
    assert (none.status, "there is no state at" in none.err) == (2, True)
    assert not (tmp_path / "copy.db").exists()


# ------------------------------------------------------------------------------------------------------------- restore


def test_what_was_built_since_a_copy_was_made_is_taken_over(built: Shop) -> None:
    """It is said what; a run then builds nothing, and the state of before is kept beside."""
    copy = built.json("state", "backup")["file"]
    built.edit("models/marts/totals.sql", "sum(total)", "2 * sum(total)")
    built.leapsql("run")
    before = runs(built)
    answer = built.json("state", "restore", copy)
    assert answer == {
        "file": copy,
        "kept": answer["kept"],
        "taken_over": ["marts.totals"],
        "disagreements": 0,
        "unread": None,
    }
    assert runs(built) == before[-1:]
    assert built.json("history", "--state", answer["kept"])["runs"][0]["run_id"] == before[0]
    assert built.outcomes() == dict.fromkeys(PATHS, "skipped: unchanged")
    assert built.json("state", "restore", copy)["taken_over"] == ["marts.totals"]


def test_a_restoration_tells_people_what_comes_next(built: Shop) -> None:
    """What is taken over, or that there is nothing; and what else a check finds."""
    copy = built.json("state", "backup")["file"]
    lines = built.text("state", "restore", copy).splitlines()
    assert lines[0] == f"restored from {copy}"
    assert lines[1].startswith(f"the state of before is kept as {state_file(built)}.")
    assert lines[2:] == ["there is nothing to take over from the warehouse"]
    built.leapsql("run", "marts.totals", "--force")
    with duckdb.connect(built.root / ".leapsql" / "warehouse.duckdb") as connection:
        connection.execute("drop table marts.customers")
    lines = built.text("state", "restore", copy).splitlines()
    assert lines[2:] == [
        "the next run takes over from the warehouse: marts.totals",
        "`leapsql state check` shows 1 disagreement with the warehouse",
    ]


def test_a_warehouse_that_cannot_be_looked_at_hinders_no_restoration(built: Shop) -> None:
    """It is said why nobody looked."""
    copy = built.json("state", "backup")["file"]
    (built.root / ".leapsql" / "warehouse.duckdb").write_text("no database, but long enough to be one\n" * 400)
    answer = built.leapsql("state", "restore", copy)
    assert answer.status == 0
    assert "the warehouse was not looked at: " in answer.out
    assert built.leapsql("history").status == 0


def test_a_lost_state_is_put_back(built: Shop) -> None:
    """There is nothing to keep then."""
    copy = built.json("state", "backup", str(built.root / "copy.db"))["file"]
    for file in (built.root / ".leapsql").glob("state.db*"):
        file.unlink()
    assert built.json("state", "restore", copy)["kept"] is None
    assert files(built) == {"state.db"}
    assert built.outcomes() == dict.fromkeys(PATHS, "skipped: unchanged")


def test_nothing_is_put_back_under_a_run_unless_forced(built: Shop) -> None:
    """The run is named, and what closes it if it was killed: then nothing has to be forced."""
    copy = built.json("state", "backup", str(built.root / "copy.db"))["file"]
    run = leave_running(built)
    refused = built.leapsql("state", "restore", copy)
    assert refused.status == 2
    assert f"run '{run}' of dev is running" in refused.err
    assert "`leapsql state check --repair` closes it" in refused.err
    assert runs(built)[0] == run
    assert files(built) == {"state.db"}
    assert built.leapsql("state", "restore", copy, "--force").status == 0
    assert run not in runs(built)
    leave_running(built)
    assert built.leapsql("state", "check", "--repair").status == 0
    assert built.leapsql("state", "restore", copy).status == 0


def test_a_damaged_copy_is_not_put_back(built: Shop) -> None:
    """The state stays as it is."""
    (built.root / "copy.db").write_text("no state")
    answer = built.leapsql("state", "restore", str(built.root / "copy.db"))
    assert answer.status == 2
    assert "copy.db is no SQLite database" in answer.err
    assert files(built) == {"state.db"}


# --------------------------------------------------------------------------------------------------------------- prune


def test_it_has_to_be_said_what_is_to_be_forgotten(built: Shop) -> None:
    """By age, by number, or by both; not both that it is to be done and that it is not."""
    nothing = built.leapsql("state", "prune", "--yes")
    assert nothing.status == 2
    assert "--older-than AGE" in nothing.err
    assert "--keep N" in nothing.err
    both = built.leapsql("state", "prune", "--keep", "1", "--yes", "--dry-run")
    assert (both.status, "--yes and --dry-run contradict each other" in both.err) == (2, True)
    assert len(runs(built)) == 1


@pytest.mark.parametrize("age", ["", "90", "d", "-1d", "1.5d", "90 d", "90D", "3y", "٣d", "9" * 5000 + "d", "9999999w"])
def test_what_is_no_age_is_an_error(built: Shop, age: str) -> None:
    """Nor is one that reaches back beyond all times."""
    answer = built.leapsql("state", "prune", f"--older-than={age}", "--yes")
    assert answer.status == 2
    assert "age" in answer.err
    assert "such as 90d" in answer.err
    assert len(runs(built)) == 1


def test_without_yes_it_is_only_said_what_would_go(built: Shop) -> None:
    """As an error, or asked for as an answer; the JSON counts each kind."""
    built.leapsql("run")
    built.leapsql("run", "--force")
    refused = built.leapsql("state", "prune", "--keep", "1")
    assert refused.status == 2
    assert "this would be forgotten: 2 runs, 10 model runs, 5 traces\n    Add --yes to do it." in refused.err
    facts = built.json("state", "prune", "--keep", "1", "--dry-run")
    counted = {"runs": 2, "model_runs": 10, "traces": 5, "models": 0, "code_versions": 0, "texts": 0, "runs_held": 0}
    assert facts == {"done": False, **counted, "bytes_freed": facts["bytes_freed"]}
    assert len(runs(built)) == 3
    lines = built.text("state", "prune", "--keep", "1", "--dry-run").splitlines()
    assert lines[0] == "to be forgotten: 2 runs, 10 model runs, 5 traces"
    assert lines[1].startswith("the file would be ")
    done = built.json("state", "prune", "--keep", "1", "--yes")
    assert done == {**facts, "done": True}
    assert len(runs(built)) == 1
    assert built.outcomes() == dict.fromkeys(PATHS, "skipped: unchanged")


def test_what_is_young_or_stands_is_not_forgotten(built: Shop) -> None:
    """Then there is nothing to do, and that is no error; of the run that built all, all its model runs stay."""
    built.leapsql("run")
    answer = built.leapsql("state", "prune", "--older-than", "12h")
    assert (answer.status, "nothing to forget" in answer.out) == (0, True)
    assert "smaller" not in answer.out
    lines = built.text("state", "prune", "--older-than", "0h", "--yes").splitlines()
    assert lines[:2] == ["forgotten: 1 run, 5 model runs", "held: 1 old run, with what still rests on it"]
    assert lines[2].startswith("the file is ")
    assert "in run" in built.leapsql("why", "marts.totals").out
    again = built.leapsql("state", "prune", "--older-than", "0h")
    assert (again.status, "nothing to forget" in again.out) == (0, True)


def test_a_model_that_was_deleted_goes_with_its_last_trace(built: Shop) -> None:
    """Its relation is an orphan, and its trace stays until that is dropped."""
    built.remove("models/marts/totals.sql")
    built.leapsql("run")
    assert built.json("state", "prune", "--keep", "0", "--yes")["models"] == 0
    built.leapsql("state", "check", "--drop-orphans")
    assert built.json("state", "prune", "--keep", "0", "--yes")["models"] == 1


def test_a_state_that_is_not_there_is_not_made(shop: Shop) -> None:
    """Not even to be kept."""
    for words in (["backup"], ["prune", "--keep", "1"], ["prune", "--keep", "1", "--yes"]):
        answer = shop.leapsql("state", *words)
        assert (answer.status, "there is no state at" in answer.err) == (2, True)
    assert not state_file(shop).exists()
