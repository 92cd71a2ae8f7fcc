"""A reader on a connection of its own, while everything is rebuilt: it never sees what is not whole."""

from __future__ import annotations

from collections.abc import Callable

from tests.projects import Lab
from tests.torture.account import Account
from tests.torture.readers import watch_rebuilds


def test_a_reader_never_sees_what_is_missing_half_built_or_untested(make_lab: Callable[..., Lab]) -> None:
    """Tables, views, tables that turn into views and back, and batches of every strategy, built at the same time.

    Each look shows all rows of one build, of what grows all rows of each, and none that a test refused; no relation is
    ever missing, and none goes back.
    """
    account = Account()
    lab = make_lab({"leapsql.yaml": "target: {type: duckdb, database: ':memory:', settings: {threads: 2}}\n"})
    watch_rebuilds(lab, account, rebuilds=30)
    assert account.complaints == []
    assert account.counts["reads while models were built"] > 30
