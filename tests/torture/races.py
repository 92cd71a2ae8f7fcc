"""Several processes that write to one state at once: each fact is there afterwards, and once."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from pathlib import Path

import duckdb

from leapsql_core.state import find_damage, query_state
from tests.torture.account import Account
from tests.torture.processes import Launcher

ENVIRONMENTS = ("one", "two", "three")
#: Of these runs one builds and the others wait for it, and then find nothing to do.
RUNS_EACH = 2

_CONFIGURATION = "name: race\ntarget: {{type: duckdb}}\nenvironments: {{{environments}}}\n"
_MODELS = {
    "appended": "/*---\nmaterialized: incremental\nincremental: {strategy: append}\n---*/\nselect t from tick",
    "last": "/*---\ntests: [not_null: t]\n---*/\nselect max(t) as t, count(*) as n from appended",
    "shown": "/*---\nmaterialized: view\n---*/\nselect t from last",
    **{f"side{number}": f"select t + {number} as t from tick" for number in range(4)},
}


def race(folder: Path, launcher: Launcher, account: Account, *, rounds: int) -> None:
    """Let runs of all environments begin at once, so often; every run tells the state of each of its models."""
    (folder / "models").mkdir(parents=True)
    (folder / "seeds").mkdir()
    environments = ", ".join(f"{name}: {{target: {{database: {name}.duckdb}}}}" for name in ENVIRONMENTS)
    (folder / "leapsql.yaml").write_text(_CONFIGURATION.format(environments=environments))
    for name, text in _MODELS.items():
        (folder / "models" / f"{name}.sql").write_text(text + "\n")
    commands = [
        ["-C", str(folder), "--env", name, "run", "--wait", "120"] for name in ENVIRONMENTS for _ in range(RUNS_EACH)
    ]
    for tick in range(1, rounds + 1):
        account.story = f"race {tick}"
        (folder / "seeds" / "tick.csv").write_text(f"t\n{tick}\n")
        for ended in launcher.run_together(commands):
            account.expect(ended.status == 0, f"one of many runs ended with {ended}")
    state = folder / ".leapsql" / "state.db"
    account.expect(not find_damage(state), "the state is damaged", "losses")
    _count_facts(state, account, rounds)
    for name in ENVIRONMENTS:
        _count_batches(folder / f"{name}.duckdb", account, rounds)


def _count_facts(state: Path, account: Account, rounds: int) -> None:
    """Compare what the state holds with what the processes told it."""
    _, runs = query_state(state, "SELECT environment, status, count(*) FROM runs GROUP BY 1, 2 ORDER BY 1")
    wanted = [(name, "completed", rounds * RUNS_EACH) for name in sorted(ENVIRONMENTS)]
    account.expect([tuple(row) for row in runs] == wanted, f"runs that were recorded: {runs}", "losses")
    _, rows = query_state(
        state,
        "SELECT r.environment, m.status, count(*) FROM model_runs m JOIN runs r ON r.id = m.run_id GROUP BY 1, 2",
    )
    # The seed is a model too; a view is built once.
    each, nodes = len(_MODELS) * rounds + 1, (len(_MODELS) + 1) * rounds * RUNS_EACH
    for name in ENVIRONMENTS:
        told = {status: count for environment, status, count in rows if environment == name}
        account.expect(told == {"success": each, "skipped": nodes - each}, f"{name}: {told}", "losses")
        account.survived("writes raced", sum(told.values()))


def _count_batches(database: Path, account: Account, rounds: int) -> None:
    with closing(duckdb.connect(str(database), read_only=True)) as connection:
        ticks = Counter(tick for (tick,) in connection.execute("SELECT t FROM main.appended").fetchall())
    wanted = Counter(range(1, rounds + 1))
    if wanted - ticks:
        account.complain("losses", f"{database.name} lacks the batches {sorted(wanted - ticks)}")
    if ticks - wanted:
        account.complain("double applications", f"{database.name} has twice {sorted(ticks - wanted)}")
