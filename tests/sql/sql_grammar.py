"""Random queries over a small schema whose names collide wherever names can: columns, aliases, tables, fields.

Queries are mostly valid; DuckDB has the last word. `Chooser` hides where the choices come from.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

T = TypeVar("T")

#: Tables and their columns; `s` is a struct of `a` and `b`, `l` a list of numbers, all others are numbers.
SCHEMA: dict[str, tuple[str, ...]] = {
    "t": ("a", "b", "c"),
    "u": ("a", "B", "d"),
    "v": ("c", "d", "t"),
    "w": ("a", "s", "l", "x"),
    "other.t": ("a", "x", "u"),
}
NAMES = ("a", "b", "c", "d", "t", "u", "x", "y")
SET_OPERATIONS = ("UNION ALL", "UNION ALL", "UNION", "INTERSECT", "EXCEPT", "UNION ALL BY NAME", "UNION BY NAME")
JOINS = (
    *("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN", ",", "SEMI JOIN", "ANTI JOIN", "NATURAL JOIN"),
    "ASOF JOIN",
)
EXPRESSIONS = (
    *("column",) * 8,
    *("name", "sum", "case", "window", "scalar", "coalesce", "exists", "list", "in", "map", "each"),
)


class Chooser(Protocol):
    """Where choices come from."""

    def pick(self, options: Sequence[T]) -> T: ...

    def chance(self, percent: int) -> bool: ...


class RandomChooser:
    """Choices by a seeded generator."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def pick(self, options: Sequence[T]) -> T:
        return self._random.choice(options)

    def chance(self, percent: int) -> bool:
        return self._random.randrange(100) < percent


@dataclass
class Item:
    """What stands in a FROM clause: its alias and what are, by and large, its columns."""

    name: str
    columns: list[str]


@dataclass
class Around:
    """What a query may name: its own items, common table expressions, the enclosing query."""

    ctes: dict[str, list[str]] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)
    outer: Around | None = None
    aliases: list[str] = field(default_factory=list)

    def inside(self) -> Around:
        return Around(dict(self.ctes), [], self)


class QueryWriter:
    """Writes random queries."""

    def __init__(self, chooser: Chooser) -> None:
        self._pick = chooser.pick
        self._chance = chooser.chance

    def query(self, depth: int = 2, around: Around | None = None) -> tuple[str, list[str]]:
        """Return a query and the names of its columns, as far as they are easily told."""
        around = around or Around()
        ctes = []
        recursive = False
        if depth > 0 and self._chance(30):
            around = Around(dict(around.ctes), [], around.outer)
            for _ in range(self._pick((1, 1, 2))):
                name = self._pick(NAMES)
                if any(c.startswith((name + " ", name + "(")) for c in ctes):
                    continue
                if self._chance(15):
                    text, columns = self._recursive(name, depth - 1, around)
                    recursive = True
                else:
                    text, columns = self.query(depth - 1, around)
                head = name
                if self._chance(20) and columns:
                    columns = [self._pick(NAMES), *columns[1:]]
                    head = f"{name}({columns[0]})"
                ctes.append(f"{head} AS {self._pick(('', '', 'MATERIALIZED '))}({text})")
                around.ctes[name] = columns
        with_ = f"WITH {'RECURSIVE ' if recursive else ''}{', '.join(ctes)} " if ctes else ""
        if depth > 0 and self._chance(15):
            text, columns = self._set_operation(depth - 1, around)
        else:
            text, columns = self._select(depth, around)
        return with_ + text, columns

    def _recursive(self, name: str, depth: int, around: Around) -> tuple[str, list[str]]:
        first, columns = self._select(0, around, width=1)
        column = self._pick(columns)
        steps = [f"{c} + 1" if c == column else c for c in columns]
        return f"{first} UNION SELECT {', '.join(steps)} FROM {name} WHERE {column} < {self._pick((2, 3))}", columns

    def _set_operation(self, depth: int, around: Around) -> tuple[str, list[str]]:
        how = self._pick(SET_OPERATIONS)
        width = self._pick((1, 2, 3))
        left, columns = self._select(depth, around, width=width)
        right, more = self._select(depth, around, width=width)
        if "BY NAME" in how:
            columns = columns + [c for c in more if c not in columns]
        tail = f" ORDER BY {self._pick(columns)}" if self._chance(20) else ""
        return f"{left} {how} {right}{tail}", columns

    # -------------------------------------------------------------------------------------------------- select

    def _select(self, depth: int, around: Around, width: int = 0) -> tuple[str, list[str]]:
        scope = around.inside()
        scope.outer = around.outer
        source = self._from(depth, scope)
        grouped = self._chance(20)
        items: list[str] = []
        columns: list[str] = []
        keys = [self._column(scope) for _ in range(self._pick((0, 1, 1, 2)))] if grouped else []
        for _ in range(width or self._pick((1, 2, 2, 3))):
            if not grouped and not width and self._chance(15):
                star, names = self._star(scope)
                items.append(star)
                columns += names
                continue
            if grouped:
                text = self._pick(keys) if keys and self._chance(50) else self._aggregate(scope)
            else:
                text = self._expression(depth, scope)
            plain = text.rpartition(".")[2]
            if plain.isidentifier() and self._chance(40) and not width:
                items.append(text)
                columns.append(plain)
            else:
                alias = self._pick(NAMES)
                items.append(f"{text} AS {alias}")
                columns.append(alias)
                scope.aliases.append(alias)
        distinct = ""
        if self._chance(8):
            distinct = "DISTINCT "
        elif self._chance(4) and not grouped:
            distinct = f"DISTINCT ON ({self._name(scope)}) "
        parts = [f"SELECT {distinct}{', '.join(items)} FROM {source}"]
        if self._chance(35):
            parts.append(f"WHERE {self._condition(depth, scope)}")
        if grouped:
            if self._chance(30):
                parts.append("GROUP BY ALL")
            elif keys:
                parts.append(f"GROUP BY {', '.join(keys)}")
            if self._chance(30):
                having = self._pick(scope.aliases) if scope.aliases and self._chance(40) else self._aggregate(scope)
                parts.append(f"HAVING {having} > {self._pick((0, 1, 2))}")
        elif self._chance(10):
            window = f"row_number() OVER (PARTITION BY {self._name(scope)} ORDER BY {self._name(scope)})"
            parts.append(f"QUALIFY {window} = 1")
        if self._chance(15) and not width:
            parts.append(f"ORDER BY {self._pick((self._name(scope), '1', 'ALL', self._name(scope) + ' + 0'))}")
            if self._chance(60):
                parts.append(f"LIMIT {self._pick((1, 2, 3))}")
        elif self._chance(3) and not width:
            parts.append("LIMIT 2")
        text = " ".join(parts)
        if width and ("ORDER BY" in parts[-1] or "LIMIT" in parts[-1]):
            text = f"({text})"
        return text, columns

    def _star(self, scope: Around) -> tuple[str, list[str]]:
        item = self._pick(scope.items)
        head, names = f"{item.name}.*", list(item.columns)
        if self._chance(50):
            head, names = "*", [c for i in scope.items for c in i.columns]
        if not names or self._chance(50):
            return head, names
        column = self._pick(names)
        if self._chance(40):
            return f"{head} EXCLUDE ({column})", [n for n in names if n != column]
        if self._chance(50):
            return f"{head} REPLACE ({self._column(scope)} + 1 AS {column})", names
        other = self._pick(NAMES)
        return f"{head} RENAME ({column} AS {other})", [other if n == column else n for n in names]

    # ---------------------------------------------------------------------------------------------------- from

    def _from(self, depth: int, scope: Around) -> str:
        text = self._item(depth, scope)
        for _ in range(self._pick((0, 0, 1, 1, 2))):
            left = list(scope.items)
            how = self._pick(JOINS)
            right = self._item(0 if depth == 0 else depth, scope)
            on_left = {c.lower() for i in left for c in i.columns}
            shared = [c for c in scope.items[-1].columns if c.lower() in on_left and c not in ("s", "l")]
            if how in ("CROSS JOIN", ",", "NATURAL JOIN"):
                text += f" {how} {right}" if how != "," else f", {right}"
            elif how == "ASOF JOIN":
                sides = [f"{item.name}.{self._pick(item.columns or ['a'])}" for item in (left[0], scope.items[-1])]
                text += f" ASOF JOIN {right} ON {' >= '.join(sides)}"
            elif shared and self._chance(60):
                text += f" {how} {right} USING ({self._pick(shared)})"
            else:
                text += f" {how} {right} ON {self._column(scope)} = {self._column(scope)}"
            if how in ("SEMI JOIN", "ANTI JOIN"):
                scope.items[:] = left
        return text

    def _item(self, depth: int, scope: Around) -> str:
        kind = self._pick(("table", "table", "table", "cte", "query", "values", "unnest", "range", "paren"))
        taken = {i.name for i in scope.items}
        alias = self._pick([n for n in NAMES if n not in taken] or ["z"])
        if kind == "cte" and scope.ctes:
            name = self._pick(sorted(scope.ctes))
            columns = list(scope.ctes[name])
            if self._chance(50):
                scope.items.append(Item(name, columns))
                return name
            scope.items.append(Item(alias, columns))
            return f"{name} {alias}"
        if kind == "query" and depth > 0:
            inner = Around(dict(scope.ctes), [], scope if self._chance(40) else scope.outer)
            text, columns = self.query(depth - 1, inner)
            lateral = self._pick(("", "", "LATERAL "))
            return f"{lateral}({text}) {self._alias(alias, columns, scope)}"
        if kind == "values":
            values = f"(VALUES (1, {self._pick((1, 2))}), (2, 0))"
            return f"{values} {self._alias(alias, ['col0', 'col1'], scope, always=True)}"
        if kind == "unnest" and scope.items and any("l" in i.columns for i in scope.items):
            item = self._pick([i for i in scope.items if "l" in i.columns])
            column = self._pick(NAMES)
            scope.items.append(Item(alias, [column]))
            return f"unnest({item.name}.l) AS {alias}({column})"
        if kind == "range" and scope.items:
            argument = self._column(scope) if self._chance(60) else "2"
            column = self._pick(NAMES)
            scope.items.append(Item(alias, [column]))
            return f"range({argument}) AS {alias}({column})"
        if kind == "paren" and depth > 0:
            left = self._item(0, scope)
            right = self._item(0, scope)
            return f"({left} CROSS JOIN {right})"
        table = self._pick(sorted(SCHEMA))
        columns = list(SCHEMA[table])
        last = table.rpartition(".")[2]
        if last in taken or self._chance(40):
            return f"{table} {self._alias(alias, columns, scope)}"
        scope.items.append(Item(last, columns))
        return table

    def _alias(self, alias: str, columns: list[str], scope: Around, *, always: bool = False) -> str:
        if columns and (always or self._chance(15)):
            count = len(columns) if always else self._pick(range(1, len(columns) + 1))
            names = [self._pick(NAMES) for _ in range(count)]
            scope.items.append(Item(alias, names + columns[count:]))
            return f"AS {alias}({', '.join(names)})"
        scope.items.append(Item(alias, columns))
        return f"{self._pick(('AS ', ''))}{alias}"

    # --------------------------------------------------------------------------------------------- expressions

    def _column(self, scope: Around) -> str:
        """Return a column that is likely there, with or without its qualifier."""
        level = scope
        while level.outer is not None and (not level.items or self._chance(15)):
            level = level.outer
        items = [i for i in level.items if i.columns]
        if not items:
            return "1"
        item = self._pick(items)
        column = self._pick(item.columns)
        text = f"{item.name}.{column}" if self._chance(60) else column
        if column == "s":
            text += self._pick((".a", ".b", "['a']"))
        if column == "l":
            text = f"len({text})" if self._chance(50) else f"{text}[1]"
        return text

    def _name(self, scope: Around) -> str:
        """Return a column, or an alias of the select list."""
        return self._pick(scope.aliases) if scope.aliases and self._chance(40) else self._column(scope)

    def _aggregate(self, scope: Around) -> str:
        column = self._column(scope)
        return self._pick(
            (
                "count(*)",
                f"sum({column})",
                f"max({column})",
                f"min({column} + 1)",
                f"count(DISTINCT {column})",
                f"sum({column}) FILTER (WHERE {self._column(scope)} > 1)",
                f"list({column} ORDER BY {self._column(scope)}, {column})",
                f"arg_max({column}, {self._column(scope)})",
            )
        )

    def _expression(self, depth: int, scope: Around) -> str:
        kind = self._pick(EXPRESSIONS)
        if kind == "name":
            return self._name(scope)
        if kind == "sum":
            return f"{self._name(scope)} + {self._column(scope)}"
        if kind == "case":
            return f"CASE WHEN {self._condition(0, scope)} THEN {self._column(scope)} ELSE {self._column(scope)} END"
        if kind == "window":
            column = self._column(scope)
            function = self._pick((f"sum({column})", f"lag({column})", "row_number()", f"max({column})"))
            order = f"{self._column(scope)}, {self._column(scope)}"
            return f"{function} OVER (PARTITION BY {self._name(scope)} ORDER BY {order})"
        if kind == "scalar" and depth > 0:
            return f"({self._scalar(depth - 1, scope)})"
        if kind == "coalesce":
            return f"coalesce({self._column(scope)}, {self._column(scope)}, 7)"
        if kind == "exists" and depth > 0:
            inner = Around(dict(scope.ctes), [], scope)
            return f"CAST(EXISTS ({self._select(depth - 1, inner)[0]}) AS INTEGER)"
        if kind == "in" and depth > 0:
            return f"CAST({self._condition(depth, scope)} AS INTEGER)"
        if kind == "map":
            return f"MAP {{{self._column(scope)}: {self._column(scope)}}}[{self._column(scope)}]"
        if kind == "each":
            name = self._pick(NAMES)
            return f"[{name} + {self._column(scope)} for {name} in [1, {self._column(scope)}] if {name} > 1][1]"
        if kind == "list":
            name = self._pick(NAMES)
            return f"list_transform([1, {self._column(scope)}], lambda {name}: {name} + {self._column(scope)})[2]"
        return self._column(scope)

    def _scalar(self, depth: int, scope: Around) -> str:
        inner = Around(dict(scope.ctes), [], scope).inside()
        inner.outer = scope
        source = self._from(depth, inner)
        where = f" WHERE {self._condition(0, inner)}" if self._chance(60) else ""
        return f"SELECT {self._aggregate(inner)} FROM {source}{where}"

    def _condition(self, depth: int, scope: Around) -> str:
        kind = self._pick(("compare", "compare", "null", "between", "exists", "in", "and"))
        if kind == "null":
            return f"{self._name(scope)} IS NOT NULL"
        if kind == "between":
            return f"{self._name(scope)} BETWEEN 0 AND 2"
        if kind == "exists" and depth > 0:
            inner = Around(dict(scope.ctes), [], scope)
            return f"{self._pick(('', 'NOT '))}EXISTS ({self._select(depth - 1, inner)[0]})"
        if kind == "in" and depth > 0:
            inner = Around(dict(scope.ctes), [], scope)
            return f"{self._name(scope)} IN ({self._select(depth - 1, inner, width=1)[0]})"
        if kind == "and":
            return f"({self._condition(0, scope)} {self._pick(('AND', 'OR'))} {self._condition(0, scope)})"
        return f"{self._name(scope)} {self._pick(('=', '<', '>=', '<>'))} {self._pick((self._column(scope), '1', '2'))}"
