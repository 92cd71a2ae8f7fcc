"""Windows: of which tables a query reads no row but those between two moments, or those of one key."""

from __future__ import annotations

from collections.abc import Mapping


def windows(sql: str, window: Mapping[str, str], *, whole_days: bool) -> dict[tuple[str, ...], str]:
    """Return tables, by the parts of their names without case, and the column that holds their rows in the `window`.

    `window` has the texts of ``start`` and ``end``, or of a ``key`` alone, as they stand in strings of the query. They
    may be cast to days if those are `whole_days`.
    """
    from leapsql_core.sql.windowed import find_windows  # sqlglot takes a while to load

    return find_windows(sql, window, whole_days=whole_days)
