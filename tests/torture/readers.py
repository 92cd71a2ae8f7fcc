"""A reader who looks at every relation, over and over, while runs build: each is whole, tested, and there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import duckdb

from tests.torture.account import Account, Count

ROWS = 500
#: A number of rows that no tick has: those that a test of their model refuses.
UNTESTED = -1

_GUARD = "tests: [expression: t >= 0]"
#: By model: frontmatter and query. All rows that one build writes bear the tick of the table raw.tick.
_MODELS = {
    "plain": (_GUARD, "select range as k, t from range({rows}), raw.tick"),
    "turning": ("materialized: {kind}", "select k, t, {number} as n from plain"),
    "shown": ("materialized: view", "select k, t from plain"),
    "appended": (
        "materialized: incremental\nincremental: {strategy: append}\n" + _GUARD,
        "select range as k, t from range({rows}), raw.tick",
    ),
    "replaced": (
        "materialized: incremental\nunique_key: k\nincremental: {strategy: delete+insert}\n" + _GUARD,
        "select range as k, t from range({rows}), raw.tick",
    ),
    "merged": (
        "materialized: incremental\nunique_key: k\nincremental: {strategy: merge}\n" + _GUARD,
        "select range as k, t from range({rows}), raw.tick",
    ),
    "windowed": (
        "materialized: incremental\nincremental: {strategy: time_column, time_column: k}\n" + _GUARD,
        "select range as k, t from range({rows}), raw.tick",
    ),
    "over": ("materialized: view", "select k, t from appended"),
}
#: What shows every batch that was ever appended; all others show the rows of one tick.
GROWING = ("appended", "over")
NAMES = tuple(_MODELS)


def files(tick: int) -> dict[str, str]:
    """Return the models, of which one is a table and a view by turns."""
    says = {"{kind}": "view" if tick // 2 % 2 else "table", "{number}": str(tick % 3), "{rows}": str(ROWS)}
    return {f"models/{name}.sql": _text(*parts, says) for name, parts in _MODELS.items()}


def _text(frontmatter: str, query: str, says: Mapping[str, str]) -> str:
    text = f"/*---\n{frontmatter}\n---*/\n{query}"
    for place, word in says.items():
        text = text.replace(place, word)
    return text


@dataclass
class Watch:
    """What a reader has seen so far: how often it looked, the last tick by relation, and what was not whole."""

    account: Account
    last: dict[str, int] = field(default_factory=dict)

    def look(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        """Look at one relation."""
        try:
            [(count, ticks, first, last, least)] = connection.execute(
                "SELECT count(*), count(DISTINCT t), min(t), max(t), (SELECT min(n) FROM"
                f" (SELECT count(*) AS n FROM main.{name} GROUP BY t)) FROM main.{name}"
            ).fetchall()
        except duckdb.Error as exc:
            self.account.complain("losses", f"{name} cannot be read: {exc}")
            return
        self.account.survived("reads while models were built")
        self._judge(name, count, ticks, first, last, least)

    def _judge(self, name: str, count: int, ticks: int, first: int, last: int, least: int) -> None:
        wanted = ROWS * (last + 1) if name in GROWING else ROWS
        if first is None or first < 0:
            self.account.complain("losses", f"{name} shows rows that its test refuses, or none: {first}")
        elif (count, least) != (wanted, ROWS) or ticks != count // ROWS:
            what: Count = "double applications" if name in GROWING and count > wanted else "losses"
            self.account.complain(what, f"{name} shows {count} rows of {ticks} ticks up to {last}, {least} of one")
        elif last < self.last.get(name, 0):
            self.account.complain("losses", f"{name} went back from tick {self.last[name]} to {last}")
        else:
            self.last[name] = last


@contextmanager
def watched(connection: duckdb.DuckDBPyConnection, account: Account) -> Iterator[Watch]:
    """Let a reader look at all relations, in a thread and on a cursor of its own, until the block ends."""
    watch, stop = Watch(account), threading.Event()
    reader = threading.Thread(target=_look_on, args=(connection.cursor(), watch, stop.is_set))
    reader.start()
    try:
        yield watch
    finally:
        stop.set()
        reader.join()


def _look_on(connection: duckdb.DuckDBPyConnection, watch: Watch, done: Callable[[], bool]) -> None:
    with connection:
        while not done():
            for name in NAMES:
                watch.look(connection, name)


def watch_rebuilds(lab: Any, account: Account, *, rebuilds: int) -> None:
    """Rebuild all models so often in a laboratory, every third time with rows that their tests refuse."""
    lab.edit(files(0))
    lab.meddle("create schema if not exists raw")
    lab.meddle("create or replace table raw.tick as select 0 as t")
    assert lab.run().status == "completed"
    tick = built = 0
    with watched(lab.warehouse._connection, account):
        while built < rebuilds:
            account.story = f"tick {tick + 1}"
            lab.meddle(f"update raw.tick set t = {UNTESTED}")
            account.expect(lab.run().status == "failed", "a test that fails let a build pass")
            tick += 1
            lab.edit(files(tick))
            lab.meddle(f"update raw.tick set t = {tick}")
            outcome = lab.run(parallel=4)
            account.expect(outcome.status == "completed", f"a run failed: {outcome.end.error}")
            built += len(outcome.built)
