"""The table that `make torture` prints, and what its exit status rests on."""

from __future__ import annotations

from tests.torture.account import COUNTS, MUST_BE_ZERO, Account, table


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
