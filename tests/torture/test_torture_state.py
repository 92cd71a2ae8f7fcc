"""States that several processes write to at once, states that are damaged, and warehouses that others change."""

from __future__ import annotations

from pathlib import Path

from tests.torture.account import Account
from tests.torture.damage import damage_states
from tests.torture.mutations import try_changes
from tests.torture.processes import Launcher
from tests.torture.races import race


def test_runs_that_write_to_one_state_at_once_lose_nothing(tmp_path: Path, launcher: Launcher) -> None:
    """Two of each of three environments: one builds, the other waits and finds nothing to do; all of it is told."""
    account = Account()
    race(tmp_path / "race", launcher, account, rounds=1)
    assert account.complaints == []
    assert account.counts["writes raced"] == 48


def test_a_damaged_state_is_told_of_plainly_and_nothing_that_was_built_is_lost(
    tmp_path: Path, launcher: Launcher
) -> None:
    """Whatever is asked: never a traceback; `state check` names the damage, and the next run goes on without it."""
    account = Account()
    damage_states(tmp_path, launcher, account, seed=5, tries=2)
    assert account.complaints == []
    assert account.counts["damaged states met"] == 2


def test_what_another_hand_changes_in_the_warehouse_is_found(tmp_path: Path, launcher: Launcher) -> None:
    """Relations, rows, columns, comments, markers, old copies: by a plan, or by `state check --deep`."""
    account = Account()
    try_changes(tmp_path, launcher, account, seed=1, rounds=1)
    assert account.complaints == []
    assert account.counts["mutations of the warehouse found"] > 25
