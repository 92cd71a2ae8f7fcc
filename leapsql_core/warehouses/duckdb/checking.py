"""Tests of a relation's rows, as SQL that selects what fails them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from leapsql_core.errors import WarehouseError
from leapsql_core.models import Column, DataTest, Relation
from leapsql_core.names import did_you_mean, fold, quote_identifier
from leapsql_core.warehouses.duckdb.columns import bare_type

_INTEGERS = frozenset(
    {
        *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "BIGNUM"),
        *("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"),
    }
)


_VALUE = "TRY_CAST(? AS "
_MOST_SHOWN = 6
_WORDS = re.compile(r'"((?:[^"]|"")+)"|(\w+)')


@dataclass(frozen=True, slots=True)
class FailingRows:
    """A query for what fails a test, with its parameters; one row for each failure."""

    sql: str
    parameters: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """What is true of the rows that fail a test, with its parameters; ``within`` says which rows are tested at all."""

    within: str
    fails: str
    parameters: tuple[Any, ...] = ()

    @property
    def sql(self) -> str:
        """The whole of it."""
        return f"{self.within} AND {self.fails}"


def failing_rows(
    relation: Relation, test: DataTest, columns: tuple[Column, ...], to: Relation | None, *, key: Sequence[str] = ()
) -> FailingRows:
    """Return the query for what fails `test` in `relation`, which has `columns`; `key` tells its rows apart.

    NULL passes every test but ``not_null``, as it passes SQL's own constraints. A row that fails is shown by its key
    and by what is tested; where there is no key, by some more of its columns.

    Raises:
        WarehouseError: the test names a column that is not there.
    """
    found = tested_columns(relation, test, columns)
    quoted = [quote_identifier(column.name) for column in found]
    if test.kind == "unique":
        keys = ", ".join(quoted)
        return FailingRows(
            f"SELECT {keys}, count(*) AS times FROM {relation.sql} WHERE {_within(test)} AND {filled(quoted)}"
            f" GROUP BY {keys} HAVING count(*) > 1 ORDER BY {keys}"
        )
    if test.kind == "relationships":
        assert to is not None, "a relationships test is given the relation it refers to"
        there = f"SELECT 1 FROM {to.sql} AS there WHERE there.{quote_identifier(test.field or '')} = here.{quoted[0]}"
        here = f"SELECT * FROM {relation.sql} WHERE {_within(test)} AND {filled(quoted)}"
        return FailingRows(
            f"SELECT {quoted[0]}, count(*) AS times FROM ({here}) AS here"
            f" WHERE NOT EXISTS ({there}) GROUP BY {quoted[0]} ORDER BY {quoted[0]}"
        )
    condition = failing_condition(test, found)
    if test.kind == "accepted_values":
        return FailingRows(
            f"SELECT {quoted[0]}, count(*) AS times FROM {relation.sql}"
            f" WHERE {condition.sql} GROUP BY {quoted[0]} ORDER BY {quoted[0]}",
            condition.parameters,
        )
    tested = _named_in(test.expression or "", columns) if test.kind == "expression" else [found[0].name]
    return FailingRows(f"SELECT {_shown(columns, key, tested)} FROM {relation.sql} WHERE {condition.sql}")


def failing_condition(test: DataTest, found: Sequence[Column]) -> Condition:
    """Return what is true of each row that fails a test which a row fails by itself; `found` are its columns."""
    if test.kind == "expression":
        return Condition(_within(test), f"NOT ({test.expression}\n)")
    name = quote_identifier(found[0].name)
    if test.kind == "not_null":
        return Condition(_within(test), f"{name} IS NULL")
    assert test.kind == "accepted_values", f"a row alone does not fail {test.kind}"
    kind = bare_type(found[0])
    accepted = [text for value in test.values if (text := _as_text(value, kind)) is not None]
    # A value that the column's type cannot hold is equal to none of its values.
    equal = " OR ".join(f"coalesce({name} = {_VALUE}{kind}), false)" for _ in accepted)
    return Condition(_within(test), f"{filled([name])} AND NOT ({equal or 'false'})", tuple(accepted))


def tested_columns(relation: Relation, test: DataTest, columns: Sequence[Column]) -> list[Column]:
    """Return the columns that a test names.

    Raises:
        WarehouseError: one is not there.
    """
    types = {fold(column.name): column for column in columns}
    return [_column(name, types, relation, test) for name in test.columns]


def filled(quoted: Iterable[str]) -> str:
    """Return the condition that none of these columns is NULL."""
    return " AND ".join(f"{name} IS NOT NULL" for name in quoted)


def _within(test: DataTest) -> str:
    return f"({test.where}\n)" if test.where else "true"


def readable(failing: FailingRows) -> str:
    """Return a query for what fails a test with its values written into it, for people to read and to run."""
    first, *rest = failing.sql.rsplit(_VALUE, len(failing.parameters))
    values = [str(value).replace("'", "''") for value in failing.parameters]
    return first + "".join(f"TRY_CAST('{value}' AS {after}" for value, after in zip(values, rest, strict=True))


def _shown(columns: Sequence[Column], key: Iterable[str], tested: Iterable[str]) -> str:
    """Return what is shown of a failing row: its key and the columns tested, or a few more where it has no key."""
    known = {fold(column.name): column.name for column in columns}
    keys = [known[fold(name)] for name in key if fold(name) in known]
    chosen = dict.fromkeys([*keys, *tested])
    if not keys:
        chosen |= dict.fromkeys(column.name for column in columns[: max(_MOST_SHOWN - len(chosen), 0)])
    return ", ".join(map(quote_identifier, list(chosen)[: max(_MOST_SHOWN, len(keys) + 1)]))


def _named_in(expression: str, columns: Sequence[Column]) -> list[str]:
    r"""Return the columns that an expression seems to name, in their order.

    >>> _named_in("lower(b) = \"A a\" or c", [Column(name, "DATE") for name in ("a a", "b", "d")])
    ['a a', 'b']
    """
    words = {fold(quoted.replace('""', '"') or word) for quoted, word in _WORDS.findall(expression)}
    return [column.name for column in columns if fold(column.name) in words]


def _as_text(value: Any, kind: str) -> str | None:
    """Return an accepted value as text, ``None`` if a cast to the column's type would round it to another value."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    scale = _scale_of(kind)
    if scale is None:
        return text
    try:
        scaled = Fraction(text) * 10**scale
    except ValueError:
        return text
    return text if scaled.denominator == 1 else None


def _scale_of(kind: str) -> int | None:
    """Return how many decimals an exact numeric type keeps, ``None`` for any other type."""
    if kind.startswith("DECIMAL("):
        return int(kind[8:-1].split(",")[1])
    return 0 if kind in _INTEGERS else None


def _column(name: str, types: Mapping[str, Column], relation: Relation, test: DataTest) -> Column:
    column = types.get(fold(name))
    if column is None:
        known = [other.name for other in types.values()]
        hint = did_you_mean(name, known, otherwise=f"It has: {', '.join(known)}.")
        raise WarehouseError(f"test {test.label}: {relation} has no column `{name}`", mend=hint)
    return column
