"""Changes that another hand makes to a warehouse: a plan or a check of the state finds each of them."""

from __future__ import annotations

import random
import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb

from leapsql_core.session import Session, open_session, plan_session
from leapsql_core.upkeep import Checkup, check_state
from tests.torture.account import Account
from tests.torture.processes import Launcher
from tests.torture.stage import Stage

TABLES = ("appended", "replaced", "merged", "windowed", "totals", "turning")
VIEWS = ("batch", "latest")


@dataclass(frozen=True, slots=True)
class Change:
    """One way to meddle: in words, with which kind of relation, and the statements; ``{x}`` is the relation."""

    says: str
    kind: str
    statements: tuple[str, ...]


#: ``{name}`` is the name of the relation, ``{column}`` a column of numbers.
CHANGES = (
    Change("dropped", "table", ("DROP TABLE {x}",)),
    Change("dropped", "view", ("DROP VIEW {x}",)),
    Change("replaced by other rows", "table", ("CREATE OR REPLACE TABLE {x} AS SELECT * FROM {x} LIMIT 1",)),
    Change("replaced by the same rows", "table", ("CREATE OR REPLACE TABLE {x} AS SELECT * FROM {x}",)),
    Change(
        "replaced by a view",
        "table",
        ("CREATE TABLE raw.kept_{name} AS FROM {x}", "DROP TABLE {x}", "CREATE VIEW {x} AS FROM raw.kept_{name}"),
    ),
    Change(
        "replaced by a table",
        "view",
        ("CREATE TABLE raw.kept_{name} AS FROM {x}", "DROP VIEW {x}", "CREATE TABLE {x} AS FROM raw.kept_{name}"),
    ),
    Change("redefined", "view", ("CREATE OR REPLACE VIEW {x} AS SELECT 1 AS k",)),
    Change("a row more", "table", ("INSERT INTO {x} SELECT * FROM {x} LIMIT 1",)),
    Change("a row less", "table", ("DELETE FROM {x} WHERE rowid = (SELECT min(rowid) FROM {x})",)),
    Change(
        "a value changed",
        "table",
        ("UPDATE {x} SET {column} = {column} + 1 WHERE rowid = (SELECT min(rowid) FROM {x})",),
    ),
    Change(
        "a value made NULL", "table", ("UPDATE {x} SET {column} = NULL WHERE rowid = (SELECT max(rowid) FROM {x})",)
    ),
    Change("all rows gone", "table", ("TRUNCATE {x}",)),
    Change("a column more", "table", ("ALTER TABLE {x} ADD COLUMN more INTEGER",)),
    Change("a column less", "table", ("ALTER TABLE {x} DROP COLUMN {column}",)),
    Change("a column renamed", "table", ("ALTER TABLE {x} RENAME {column} TO other",)),
    Change("a type changed", "table", ("ALTER TABLE {x} ALTER {column} TYPE VARCHAR",)),
    Change("comment gone", "table", ("COMMENT ON TABLE {x} IS NULL",)),
    Change("comment gone", "view", ("COMMENT ON VIEW {x} IS NULL",)),
    Change("comment of another", "table", ("COMMENT ON TABLE {x} IS 'f3b7'",)),
    Change("marker gone", "table", ("DELETE FROM _leapsql.markers WHERE relation_name = '{name}'",)),
    Change("marker gone", "view", ("DELETE FROM _leapsql.markers WHERE relation_name = '{name}'",)),
    Change(
        "marker of another build",
        "table",
        ("UPDATE _leapsql.markers SET model_run_id = 'f3b7' WHERE relation_name = '{name}'",),
    ),
    Change(
        "marker of another model",
        "table",
        ("UPDATE _leapsql.markers SET model_path = 'another' WHERE relation_name = '{name}'",),
    ),
    Change(
        "marker of another environment",
        "table",
        ("UPDATE _leapsql.markers SET environment = 'another' WHERE relation_name = '{name}'",),
    ),
    Change(
        "marker of another text",
        "table",
        ("UPDATE _leapsql.markers SET content_hash = 'f3b7' WHERE relation_name = '{name}'",),
    ),
)


def try_changes(folder: Path, launcher: Launcher, account: Account, *, seed: int, rounds: int) -> None:
    """Make a warehouse, and change copies of it: each kind of change once in a round, of relations by chance."""
    chance = random.Random(seed)
    stage = Stage(folder / "changed", launcher)
    old, built = folder / "old.duckdb", folder / "built.duckdb"
    for tick, copy in ((1, old), (2, built)):
        stage.feed([(key, key % 3, tick, key * tick, f"2026-01-0{tick}") for key in range(1, 9)])
        assert stage.run().status == 0
        shutil.copy(stage.database, copy)
    session = open_session(stage.root, environ={})
    account.expect(not _found(session), "something was found where nothing was changed")
    for _ in range(rounds):
        left = [*CHANGES, Change("an old copy", "table", ())]
        chance.shuffle(left)
        while left:
            shutil.copy(built, stage.database)
            _change_some(stage.database, old, left, chance, session, account)
        shutil.copy(old, stage.database)
        _expect_all(account, session, "an old copy of the whole")
        shutil.copy(built, stage.database)
        with closing(duckdb.connect(str(stage.database))) as connection:
            connection.execute("DROP SCHEMA _leapsql CASCADE")
        _expect_all(account, session, "the loss of all markers")


def _expect_all(account: Account, session: Session, says: str) -> None:
    if _found(session) >= {*TABLES}:
        account.survived("mutations of the warehouse found")
    else:
        account.complain("wrong answers", f"nobody notices {says}")


def _change_some(
    database: Path, old: Path, left: list[Change], chance: random.Random, session: Session, account: Account
) -> None:
    """Make some of the changes that are `left`, each to a relation of its own, and see whether all are found."""
    names = {"table": chance.sample(TABLES, len(TABLES)), "view": chance.sample(VIEWS, len(VIEWS))}
    made: dict[str, Change] = {}
    for change in [*left]:
        if names[change.kind]:
            name = names[change.kind].pop()
            if change.statements:
                _make(database, change, name)
            else:
                _put_back(database, old, name)
            made[name] = change
            left.remove(change)
    found = _found(session)
    for name, change in made.items():
        if name in found:
            account.survived("mutations of the warehouse found")
        else:
            account.complain("wrong answers", f"nobody notices {name}: {change.says}")


def _found(session: Session) -> set[str | None]:
    """Return the models of which a check of the state says something, or that a plan would build."""
    found = {finding.path for finding in check_state(session, Checkup(deep=True))}
    decisions = plan_session(session).plan.decisions
    return found | {path for path, decision in decisions.items() if decision.action == "build"}


def _make(database: Path, change: Change, name: str) -> None:
    column = "n" if name in ("totals", "latest") else "v"
    says = {"{x}": f"main.{name}", "{name}": name, "{column}": column}
    with closing(duckdb.connect(str(database))) as connection:
        for statement in change.statements:
            for place, word in says.items():
                statement = statement.replace(place, word)
            connection.execute(statement)


def _put_back(database: Path, old: Path, name: str) -> None:
    """Put the rows of an older copy in the place of a table, with the comment that they had."""
    with closing(duckdb.connect(str(database))) as connection:
        connection.execute(f"ATTACH '{old}' AS old (READ_ONLY)")
        [(comment,)] = connection.execute(
            "SELECT comment FROM duckdb_tables() WHERE database_name = 'old' AND table_name = ?", [name]
        ).fetchall()
        connection.execute(f"CREATE OR REPLACE TABLE main.{name} AS FROM old.main.{name}")
        connection.execute(f"COMMENT ON TABLE main.{name} IS '{comment}'")
