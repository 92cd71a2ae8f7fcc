"""Small projects made by chance, and what may happen to them: edits, moved sources, dropped tables, failing models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from projects import Lab

Item = TypeVar("Item")

SOURCES = ("raw.one", "raw.two")
SEED = "codes"
TEMPLATES = (
    "select k, v, w from {p}",
    "select * from {p}",
    "from {p}",
    "select k, sum(v) as v, count(*) as w from {p} group by k",
    "select k, v + {n} as v, w from {p} where v > {n}",
    "select p.k, p.v, q.w from {p} as p join {q} as q on p.k = q.k",
    "select p.k, p.v, q.w from {p} as p left join {q} as q using (k)",
    "select distinct k, v, w from {p}",
    "select k, v, w from {p} union all select k, v, w from {q}",
    "select k, v, w from {p} union select k, v, w from {q}",
    "select k, v, w from {p} except select k, v, w from {q}",
    "select k, v, (select max(w) from {q}) as w from {p}",
    "select k, v, w from {p} as o where exists (select 1 from {q} as i where i.k = o.k and i.v > {n})",
    "select k, v, w from {p} where k in (select k from {q} where w > {n})",
    "with c as (select * from {p}) select c.*, {n} as extra from c",
    "select k, row_number() over (order by k, v, w) as v, w from {p}",
    "select * exclude (w), w + {n} as w from {p}",
    "select * replace (w + {n} as w) from {p}",
    "select k, v, w from {p} order by k, v, w limit {n}",
    "select {n} as k, count(*) as v, 0 as w from {p}",
    "select w, v, k from {p}",
    "select k, v::{type} as v, w from {p}",
    "select k, max(v) over (partition by k) as v, w from {p} qualify rank() over (order by k) <= {n}",
    "select k, v, w from (select * from {p}) as s where s.w is not null",
    "select k, v, w, count(*) over () as extra from {p}",
    "select k, case when w > {n} then v else w end as v, w from {p}",
    "select p.k, p.v, q.w from {p} as p, lateral (select max(w) as w from {q} as i where i.k = p.k) as q",
    "select unnest([k, k + {n}]) as k, v, w from {p}",
)
LAYOUTS = (
    lambda sql: sql,
    lambda sql: sql.replace(" from ", "\n  from "),
    lambda sql: f"-- a remark\n{sql}",
    lambda sql: f"{sql} -- a remark",
    lambda sql: f"/* a\nremark */ {sql} ;",
    lambda sql: sql.replace("select", "SELECT").replace(" from ", " FROM "),
)


@dataclass
class Choice:
    """Chooses; `pick` returns a number from 0 up to the one given, that one left out."""

    pick: Callable[[int], int]

    def one(self, items: Sequence[Item]) -> Item:
        return items[self.pick(len(items))]

    def once_in(self, times: int) -> bool:
        return self.pick(times) == 0


@dataclass
class RandomModel:
    template: str
    parents: tuple[str, str]
    number: int
    type: str = "bigint"
    materialized: str = "table"
    owner: str = ""
    layout: int = 0
    broken: bool = False

    @property
    def text(self) -> str:
        query = self.template.format(p=self.parents[0], q=self.parents[1], n=self.number, type=self.type)
        if self.broken:
            query = f"select *, error('broken') as gone from ({query}) as inside"
        owner = f"owner: {self.owner}\n" if self.owner else ""
        return f"/*---\nmaterialized: {self.materialized}\n{owner}---*/\n{LAYOUTS[self.layout](query)}"


@dataclass
class RandomProject:
    """A project that changes by chance. Models read only those with a smaller number."""

    choice: Choice
    lab: Lab
    models: dict[str, RandomModel] = field(default_factory=dict)
    seed: list[tuple[int, int, int]] = field(default_factory=list)
    made: int = 0
    told: list[str] = field(default_factory=list)

    def begin(self, size: int) -> None:
        for source in SOURCES:
            self.lab.sql("create schema if not exists raw", f"create table {source} (k integer, v bigint, w double)")
            self._insert(source)
        self.seed = [(1, 10, 5), (2, 20, 6)]
        for _ in range(size):
            self._add_model()
        self.write()

    def write(self) -> None:
        wanted = {f"models/{name}.sql": model.text for name, model in self.models.items()}
        wanted[f"seeds/{SEED}.csv"] = "k,v,w\n" + "".join(f"{k},{v},{w}\n" for k, v, w in self.seed)
        gone = dict.fromkeys(name for name in self.lab.files if name.startswith("models/") and name not in wanted)
        self.lab.edit({**wanted, **gone})

    @property
    def broken(self) -> list[str]:
        return [name for name, model in self.models.items() if model.broken]

    # ------------------------------------------------------------------------------------------------ what may happen

    def step(self) -> None:
        """Let one thing happen."""
        happens = self.choice.one(
            [
                self._change_template,
                self._change_template,
                self._change_number,
                self._change_number,
                self._change_parents,
                self._change_type,
                self._change_materialized,
                self._change_layout,
                self._change_owner,
                self._move_source,
                self._move_source,
                self._widen_source,
                self._change_seed,
                self._drop_relation,
                self._break,
                self._mend,
                self._add_model,
                self._delete_leaf,
            ]
        )
        self.told.append(str(happens()))
        self.write()

    def mend_all(self) -> None:
        for model in self.models.values():
            model.broken = False
        self.write()

    def _one(self) -> tuple[str, RandomModel]:
        name = self.choice.one(sorted(self.models))
        return name, self.models[name]

    def _readable(self, name: str) -> list[str]:
        return [*SOURCES, SEED, *(other for other in self.models if other < name)]

    def _add_model(self) -> str:
        name = f"m{self.made:02}"
        self.made += 1
        readable = self._readable(name)
        # The latest are read most often, so that chains come about.
        likely = [*readable, *readable[-3:], *readable[-2:]]
        self.models[name] = RandomModel(
            template=self.choice.one(TEMPLATES),
            parents=(self.choice.one(likely), self.choice.one(likely)),
            number=self.choice.pick(4),
            materialized=self.choice.one(("table", "table", "view")),
        )
        return f"add {name}"

    def _change_template(self) -> str:
        name, model = self._one()
        model.template = self.choice.one(TEMPLATES)
        return f"{name}: {model.text!r}"

    def _change_number(self) -> str:
        name, model = self._one()
        model.number = self.choice.pick(4)
        return f"{name}: {model.text!r}"

    def _change_parents(self) -> str:
        name, model = self._one()
        readable = self._readable(name)
        model.parents = (self.choice.one(readable), self.choice.one(readable))
        return f"{name}: {model.text!r}"

    def _change_type(self) -> str:
        name, model = self._one()
        model.type = self.choice.one(("bigint", "integer", "double", "decimal(20, 2)", "hugeint"))
        return f"{name}: {model.text!r}"

    def _change_materialized(self) -> str:
        name, model = self._one()
        model.materialized = "view" if model.materialized == "table" else "table"
        return f"{name}: {model.materialized}"

    def _change_layout(self) -> str:
        name, model = self._one()
        model.layout = self.choice.pick(len(LAYOUTS))
        return f"{name}: {model.text!r}"

    def _change_owner(self) -> str:
        name, model = self._one()
        model.owner = self.choice.one(("", "ann", "bob"))
        return f"{name}: owner {model.owner}"

    def _insert(self, source: str) -> None:
        rows = [(self.choice.pick(3), self.choice.pick(5), self.choice.pick(3)) for _ in range(1 + self.choice.pick(4))]
        values = ", ".join(f"({k}, {v}, {w})" for k, v, w in rows)
        self.lab.sql(f"insert into {source} (k, v, w) values {values}")

    def _move_source(self) -> str:
        source = self.choice.one(SOURCES)
        what = self.choice.pick(4)
        if what == 0:
            self.lab.sql(f"delete from {source} where k = {self.choice.pick(3)}")
        elif what == 1:
            column = self.choice.one(("k", "v", "w"))
            where = f"where k = {self.choice.pick(3)}"
            self.lab.sql(f"update {source} set {column} = {self.choice.one(('NULL', '7', '-0.0'))} {where}")
        elif what == 2:
            self.lab.sql(f"create or replace table {source} as select * from {source} order by v desc, w, k")
        else:
            self._insert(source)
        return self.lab.statements[-1]

    def _widen_source(self) -> str:
        source = self.choice.one(SOURCES)
        self.lab.sql(
            self.choice.one(
                (
                    f"alter table {source} add column if not exists note varchar default 'n'",
                    f"alter table {source} drop column if exists note",
                    f"create or replace table {source} as select w, v, k from {source}",
                    f"create or replace table {source} as select k, v::integer as v, w from {source}",
                )
            )
        )
        return self.lab.statements[-1]

    def _change_seed(self) -> str:
        self.seed.append((self.choice.pick(3), self.choice.pick(9), self.choice.pick(3)))
        if self.choice.once_in(2):
            del self.seed[0]
        return f"seed: {self.seed}"

    def _drop_relation(self) -> str:
        there = self.lab.warehouse.relations()
        names = [name for name in sorted({*self.models, SEED}) if ("main", name) in there]
        if not names:
            return "nothing to drop"
        name = self.choice.one(names)
        statement = f'drop {there["main", name].kind} main."{name}"'
        self.lab.meddle(statement)
        return statement

    def _break(self) -> str:
        name, model = self._one()
        model.broken = self.choice.once_in(2)
        return f"{name}: broken {model.broken}"

    def _mend(self) -> str:
        self.mend_all()
        return "mend all"

    def _delete_leaf(self) -> str:
        read: set[Any] = {parent for model in self.models.values() for parent in model.parents}
        leaves = [name for name in sorted(self.models) if name not in read]
        if len(self.models) < 2 or not leaves:
            return "nothing to delete"
        name = self.choice.one(leaves)
        del self.models[name]
        return f"delete {name}"
