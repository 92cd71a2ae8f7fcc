"""Windows: which tables a query reads within them alone, by its own WHERE, and where nobody can tell."""

from __future__ import annotations

import pytest

from leapsql_core.sql import windows

WINDOW = {"start": "1004-04-04 00:00:00", "end": "1004-05-05 00:00:00"}
S, E = "'1004-04-04 00:00:00'", "'1004-05-05 00:00:00'"
IN = f"day >= {S} AND day < {E}"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (f"SELECT * FROM t WHERE {IN}", {"t": "day"}),
        (f"FROM t WHERE {S} <= day AND {E} > day", {"t": "day"}),
        (f"SELECT * FROM a.t WHERE (x = 1 AND {IN}) AND y", {"a.t": "day"}),
        (f"SELECT * FROM t WHERE day >= DATE {S} AND day < {E}::TIMESTAMP", {"t": "day"}),
        (f"SELECT * FROM t AS x LEFT JOIN u ON x.i = u.i WHERE x.day >= {S} AND x.day < {E}", {"t": "day"}),
        (f"SELECT * FROM u LEFT JOIN t ON t.i = u.i WHERE t.day >= {S} AND t.day < {E}", {"t": "day"}),
        (f"WITH c AS (SELECT * FROM t WHERE {IN}) SELECT * FROM c JOIN c AS d USING (i)", {"t": "day"}),
        (f"SELECT * FROM (SELECT * FROM t WHERE {IN}) UNION ALL SELECT * FROM t WHERE {IN}", {"t": "day"}),
        (f"SELECT *, row_number() OVER (ORDER BY day) FROM t WHERE {IN} QUALIFY true LIMIT 3", {"t": "day"}),
        # From here on some row outside of the window might count.
        (f"SELECT * FROM t WHERE day >= {S} AND day <= {E}", {}),
        (f"SELECT * FROM t WHERE day >= {S}", {}),
        (f"SELECT * FROM t WHERE {IN} OR x", {}),
        (f"SELECT * FROM t WHERE NOT ({IN})", {}),
        (f"SELECT * FROM t WHERE day >= {S} AND other < {E}", {}),
        (f"SELECT * FROM t WHERE day + 1 >= {S} AND day < {E}", {}),
        (f"SELECT * FROM t WHERE day >= TRY_CAST({S} AS DATE) AND day < {E}", {}),
        (f"SELECT * FROM t JOIN u USING (i) WHERE {IN}", {}),
        (f"SELECT * FROM t, t AS x WHERE t.day >= {S} AND t.day < {E}", {}),
        (f"SELECT * FROM t WHERE {IN} AND i IN (SELECT i FROM t)", {}),
        (f"SELECT * FROM t TABLESAMPLE 10% WHERE {IN}", {}),
        (f"SELECT * FROM t AS x(other, day) WHERE {IN}", {}),
        (f"SELECT * FROM t WHERE day >= TIMESTAMPTZ {S} AND day < {E}::TIMESTAMPTZ", {}),
        (f"SELECT * FROM t ASOF JOIN u ON t.i >= u.i WHERE t.day >= {S} AND t.day < {E}", {}),
        (f"SELECT * FROM u ANTI JOIN t USING (i) WHERE {IN}", {}),
        (f"SELECT * FROM u SEMI JOIN t USING (i) WHERE t.day >= {S} AND t.day < {E}", {}),
        (f"SELECT * FROM t POSITIONAL JOIN u WHERE t.day >= {S} AND t.day < {E}", {}),
        (f"SELECT count(*) FILTER ({IN}) FROM t", {}),
        (f"SELECT day FROM t GROUP BY day HAVING {IN}", {}),
        (f"SELECT * FROM t, query_table('t') WHERE t.day >= {S} AND t.day < {E}", {}),
        (f"SELECT * FROM (PIVOT t ON k USING sum(x)) WHERE {IN}", {}),
    ],
)
def test_a_window_holds_where_the_table_s_own_where_says_so(query: str, found: dict[str, str]) -> None:
    """And nowhere else."""
    assert windows(query, WINDOW, whole_days=True) == {tuple(name.split(".")): one for name, one in found.items()}


def test_hours_are_not_told_by_days() -> None:
    """A cast to DATE lets in what lies before the hour."""
    query = f"SELECT * FROM t WHERE day >= DATE {S} AND day < {E}"
    assert windows(query, WINDOW, whole_days=False) == {}


def test_a_key_is_one_value() -> None:
    """Equal to it, either way round."""
    for condition in ("c = 'key'", "'key' = c"):
        assert windows(f"SELECT * FROM t WHERE {condition}", {"key": "key"}, whole_days=False) == {("t",): "c"}
    assert windows("SELECT * FROM t WHERE c <> 'key'", {"key": "key"}, whole_days=False) == {}
    assert windows("SELECT * FROM t WHERE c = 'other'", {"key": "key"}, whole_days=False) == {}
