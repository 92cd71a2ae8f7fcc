"""Real runs that are killed, or for which there is no room on the disk, beside a twin that nothing befalls."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.torture.account import Account
from tests.torture.kills import pair, play_rounds
from tests.torture.processes import Fate, Launcher
from tests.torture.stage import Stage


@pytest.mark.parametrize(("faults", "seed"), [(False, 11), (True, 3)], ids=["killed", "without room"])
def test_runs_that_are_broken_off_leave_old_or_new_and_the_next_ends_like_the_twin(
    tmp_path: Path, launcher: Launcher, faults: bool, seed: int
) -> None:
    """Models of every kind, built at the same time: each is as before or as after, and can be read.

    The next run closes what was open with its true outcome, ends with the same rows everywhere, and has applied each
    batch once. `make torture` does it hundreds of times.
    """
    account = Account()
    play_rounds(pair(tmp_path, launcher, seed=seed, account=account), 1, faults=faults)
    assert account.complaints == []
    assert account.counts["faults survived" if faults else "kills survived"] > 0


def test_a_process_that_is_to_be_killed_is(tmp_path: Path, launcher: Launcher) -> None:
    """Else all of this would hold of nothing: it dies of SIGKILL before a line of its own, or at a moment."""
    stage = Stage(tmp_path / "stage", launcher)
    for fate in (Fate(at_line=1000), Fate(after=0.02)):
        assert stage.run(fate=fate).status == -signal.SIGKILL
    assert stage.ask("SELECT status FROM runs") == [("running",)]
