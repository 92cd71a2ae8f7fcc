"""Real runs that are killed, or for which there is no room on the disk, beside a twin that nothing befalls."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.torture.account import Account
from tests.torture.kills import pair, play_round
from tests.torture.processes import Fate, Launcher
from tests.torture.stage import Stage


@pytest.mark.parametrize(
    "fates",
    [
        [Fate(before="record_build"), Fate(before="complete_run"), Fate(after=0.2)],
        [Fate(before="mark"), Fate(room=30_000), Fate(room=100_000)],
    ],
    ids=["after a commit", "before one, then without room"],
)
def test_runs_that_are_broken_off_leave_old_or_new_and_the_next_ends_like_the_twin(
    tmp_path: Path, launcher: Launcher, fates: list[Fate]
) -> None:
    """Models of every kind, built at the same time: each is as before or as after, and can be read.

    The next run closes what was open with its true outcome, ends with the same rows everywhere, and has applied each
    batch once. `make torture` does it hundreds of times, wherever chance wants it.
    """
    account = Account()
    made = pair(tmp_path, launcher, seed=3, account=account)
    play_round(made, [])
    play_round(made, fates)
    assert account.complaints == []
    assert account.counts["kills survived"] > 0


def test_a_process_that_is_to_be_killed_is(tmp_path: Path, launcher: Launcher) -> None:
    """Else all of this would hold of nothing: it dies of SIGKILL before a line or a step, or at a moment."""
    stage = Stage(tmp_path / "stage", launcher)
    for fate in (Fate(at_line=1000), Fate(after=0.02), Fate(before="record_model_runs")):
        assert stage.run(fate=fate).status == -signal.SIGKILL
    assert stage.ask("SELECT status FROM runs ORDER BY started_at DESC LIMIT 1") == [("running",)]
