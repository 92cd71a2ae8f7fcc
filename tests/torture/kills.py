"""Runs that are killed or find no room, beside an undisturbed twin that they have to end like."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from leapsql_core.state import find_damage
from tests.torture.account import Account
from tests.torture.processes import Ended, Fate, Launcher
from tests.torture.stage import APPENDED, FIRST, Stage, Standing

_OPEN = "SELECT 'run', id FROM runs WHERE status = 'running' UNION ALL SELECT 'lease', run_id FROM leases"
_OPEN_MODELS = "SELECT id FROM model_runs WHERE status IN ('pending', 'running')"
#: Enough for a message on standard error.
_LEAST_ROOM = 4096
_LEAST_DAY = date(2026, 1, 1)


@dataclass(slots=True)
class Pair:
    """A stage on which runs are disturbed, and its twin on which none is; how long and how many lines a run takes."""

    stage: Stage
    twin: Stage
    chance: random.Random
    account: Account
    seconds: float = 1.0
    lines: int = 5000
    tick: int = 0
    before: Standing = field(default_factory=Standing)
    committed: set[str] = field(default_factory=set)


def pair(folder: Path, launcher: Launcher, *, seed: int, account: Account) -> Pair:
    """Set both stages up, and count the lines of a run."""
    made = Pair(Stage(folder / "stage", launcher), Stage(folder / "twin", launcher), random.Random(seed), account)
    counted = made.twin.run(fate=Fate(counts=True))
    assert counted.status == 0, counted
    made.lines = counted.lines
    return made


#: The steps of a run at which something is committed or noted; before each of them a run may die.
STEPS = (
    *("begin_run", "register_models", "record_model_runs", "update_model_run", "record_build", "complete_run"),
    *("replace_table", "replace_view", "apply_batch", "data_versions", "run_test", "mark", "adopt_builds"),
)


def play_rounds(pair: Pair, rounds: int, *, faults: bool = False) -> None:
    """Let so many ticks pass, each with one to three runs that something befalls and one that ends."""
    for _ in range(rounds):
        play_round(pair, [_some_fate(pair, faults=faults) for _ in range(1 + pair.chance.randrange(3))])


def play_round(pair: Pair, fates: Sequence[Fate]) -> None:
    """Let one tick pass: the twin runs, then runs on the stage meet their fates, then one comes to its end there."""
    account, chance = pair.account, pair.chance
    pair.tick += 1
    rows = _some_rows(pair)
    edits = _some_edits(chance)
    for stage in (pair.twin, pair.stage):
        stage.edit(edits)
        stage.feed(rows)
    account.story = f"tick {pair.tick}"
    undisturbed = pair.twin.run()
    account.expect(undisturbed.status == 0, f"an undisturbed run ended with {undisturbed}")
    pair.seconds = max(0.2, undisturbed.seconds)
    after = pair.twin.look()
    for fate in fates:
        account.story = f"tick {pair.tick}, {fate}"
        _judge_broken(pair, pair.stage.run(fate=fate), after)
    account.story = f"tick {pair.tick}, the run after"
    _judge_end(pair, pair.stage.run(), after)
    pair.before = after


def _some_rows(pair: Pair) -> list[tuple[Any, ...]]:
    """Return the batch of a tick: no key twice, days that overlap those before."""
    keys = pair.chance.sample(range(60), 1 + pair.chance.randrange(30))
    day = _LEAST_DAY + timedelta(days=pair.tick)
    return [
        (key, key % 3, pair.tick, pair.chance.randrange(1000), day + timedelta(days=key % 3)) for key in sorted(keys)
    ]


def _some_edits(chance: random.Random) -> dict[str, str]:
    return {**FIRST, "kind": chance.choice(("table", "view")), "number": str(chance.randrange(3))}


def _some_fate(pair: Pair, *, faults: bool) -> Fate:
    chance = pair.chance
    if faults:
        # Little room stops the state, more of it the warehouse, which is the larger file; much of it stops nothing.
        held = max(file.stat().st_size for file in pair.stage.database.parent.iterdir())
        some = _LEAST_ROOM * (held / _LEAST_ROOM) ** chance.random()
        return Fate(room=int(some) if chance.randrange(4) else held + chance.randrange(600_000))
    if chance.randrange(3) == 0:
        return Fate(before=chance.choice(STEPS))
    if chance.randrange(2):
        return Fate(at_line=1 + chance.randrange(pair.lines))
    return Fate(after=chance.uniform(0.01, 1.1 * pair.seconds))


def _judge_broken(pair: Pair, ended: Ended, after: Standing) -> None:
    """Look at what a run left that did not come to its end: each model is as before or as after, and both are read."""
    account, before = pair.account, pair.before
    if ended.was_killed:
        account.survived("kills survived")
    else:
        account.expect(ended.is_told_plainly, f"it ended with {ended}")
        if ended.status:
            account.survived("faults survived")
    seen = pair.stage.look()
    pair.committed |= seen.builds
    for name in sorted({*seen.holdings, *before.holdings}):
        held = seen.holdings.get(name)
        may_be = [standing.holdings.get(name) for standing in (before, after)]
        if (None if held is None else held.itself) not in [None if one is None else one.itself for one in may_be]:
            account.complain("losses", f"{name} is neither as before nor as after: {held}")
    if pair.stage.state.exists():
        account.expect(not find_damage(pair.stage.state), "the state is damaged", "losses")


def _judge_end(pair: Pair, ended: Ended, twin: Standing) -> None:
    """Look at where the run after ended: where the twin did, with every batch applied once and nothing left open."""
    account = pair.account
    account.expect(ended.status == 0, f"it ended with {ended}")
    seen = pair.stage.look()
    _compare_appended(account, seen, twin)
    for name in sorted({*seen.holdings, *twin.holdings} - {APPENDED}):
        if seen.holdings.get(name) != twin.holdings.get(name):
            account.complain("losses", f"{name} is not what an undisturbed run makes: {seen.holdings.get(name)}")
    left = pair.stage.ask(_OPEN) + pair.stage.ask(_OPEN_MODELS)
    account.expect(not left, f"left open: {left}")
    pair.committed |= seen.builds
    known = {id_ for (id_,) in pair.stage.ask("SELECT id FROM model_runs WHERE status = 'success'")}
    account.expect(known == pair.committed, f"committed or recorded, not both: {sorted(known ^ pair.committed)}")


def _compare_appended(account: Account, seen: Standing, twin: Standing) -> None:
    """Compare what only grows with the twin's: a row that is missing is lost, one too many was applied twice."""
    nothing: Counter[tuple[Any, ...]] = Counter()
    here = seen.holdings[APPENDED].rows if APPENDED in seen.holdings else nothing
    there = twin.holdings[APPENDED].rows if APPENDED in twin.holdings else nothing
    if lost := there - here:
        account.complain("losses", f"rows that were not appended: {sorted(lost)[:5]}")
    if twice := here - there:
        account.complain("double applications", f"rows that were appended twice: {sorted(twice)[:5]}")
