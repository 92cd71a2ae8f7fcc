"""The table that `make torture` prints, and what its exit status rests on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.__main__ import WORKS, main
from tests.torture.account import COUNTS, MUST_BE_ZERO, Account, Count, table
from tests.torture.processes import Launcher


def test_the_table_has_a_line_for_every_count() -> None:
    """With what must be 0 marked so."""
    account = Account()
    account.survived("kills survived", 1234)
    lines = table(account).splitlines()
    assert [line[:40].rstrip(" 0123456789,") for line in lines] == [
        "kills survived",
        "faults survived",
        "reads while models were built",
        "writes raced",
        "inputs tried",
        "mutations of the warehouse found",
        "damaged states met",
        "losses",
        "double applications",
        "wrong answers",
    ]
    assert lines[0].split()[-1] == "1,234"
    assert [line.endswith("(must be 0)") for line in lines] == [count in MUST_BE_ZERO for count in COUNTS]


def test_what_must_be_0_and_is_not_is_told_with_what_was_being_tried() -> None:
    """Each complaint names it, so that it can be tried again."""
    account = Account()
    account.expect(True, "all is well")
    assert account.is_clean
    account.story = "tick 7"
    account.expect(False, "a row was lost", "losses")
    assert not account.is_clean
    assert account.complaints == ["losses: a row was lost [tick 7]"]


@pytest.mark.parametrize(("what", "status"), [("inputs tried", 0), ("losses", 1), ("double applications", 1)])
def test_the_exit_status_is_1_where_something_must_be_0_and_is_not(
    capsys: pytest.CaptureFixture[str], what: Count, status: int
) -> None:
    """Each round has a seed of its own, which is printed, so that it can be done again; then comes the table."""

    def work(folder: Path, launcher: Launcher, account: Account, seed: int) -> None:
        """Something is tried."""
        assert folder.is_dir()
        account.complain(what, f"with {seed}")

    assert main(["--rounds", "2", "--seed", "7"], works=[work]) == status
    shown = capsys.readouterr().out
    assert "round 1, seed 7: Something is tried." in shown
    assert f"round 2, seed 8: Something is tried. 0 s\n  {what}: with 8\n" in shown
    account = Account()
    account.survived(what, 2)
    assert shown.endswith(f"\n\n{table(account)}\n")


def test_the_long_runner_does_all_that_the_table_counts() -> None:
    """Each of its works says in a line what it tries."""
    assert [work.__name__ for work in WORKS] == ["kill", "watch", "fill", "write", "meddle", "harm", "feed"]
    assert all(work.__doc__ for work in WORKS)
