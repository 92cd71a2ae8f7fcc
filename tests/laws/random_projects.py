"""Small projects made by chance, and what may happen to them: edits, moved sources, lost relations, failing models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from chance import CONFIGURATION, Choice
from layouts import spread
from projects import Lab

from leapsql_core.errors import ProjectError

SEED = "codes"
#: A source under a bare name, which a model can take; it goes missing at times.
BARE = "plain"
#: A source that only ever gets more rows, each with a later `t`.
LOG = "raw.log"
SOURCES = ("raw.one", "raw.two", BARE, LOG)

# ---------------------------------------------------------------- queries; every relation has columns k, v and w

#: The answer is a function of the rows that are read.
PLAIN = (
    "select k, v, w from {p}",
    "select * from {p}",
    "from {p}",
    "table {p}",
    "from {p} select w, v, k where v > {n}",
    "select k, sum(v) as v, count(*) as w from {p} group by k",
    "select k, sum(v) as v, max(w) as w from {p} group by rollup (k)",
    "select k, sum(v) as v, count(*) as w from {p} group by all having count(*) > {n}",
    "select k, v + {n} as v, w from {p} where v > {n}",
    "select p.k, p.v, q.w from {p} as p join {q} as q on p.k = q.k",
    "select p.k, p.v, q.w from {p} as p left join {q} as q using (k)",
    "select coalesce(p.k, q.k) as k, p.v, q.w from {p} as p full join {q} as q on p.k = q.k and p.v = q.v",
    "select a.* from {p} as a, {q} as b where a.k = b.k and b.v <> {n}",
    "select k, v, w from {p} semi join {q} using (k)",
    "select k, v, w from {p} as a anti join {q} as b on a.v = b.v and b.w > {n}",
    "select distinct k, v, w from {p}",
    "select k, v, w from {p} union all select k, v, w from {q}",
    "select * from {p} union all select * from {q}",
    "select * from {p} union all by name select k, v from {q}",
    "select k, v, w from {p} union select k, v, w from {q}",
    "select k, v, w from {p} except select k, v, w from {q}",
    "(select k, v, w from {p}) intersect all select k, v, w from {q}",
    "select k, v, (select max(w) from {q}) as w from {p}",
    "select k, (select count(*) from {q}) as v, w from {p}",
    "select k, v, w from {p} as o where exists (select 1 from {q} as i where i.k = o.k and i.v > {n})",
    "select k, v, w from {p} where k in (select k from {q} where w > {n})",
    "select k, v, w from {p} where v = (select max(v) from {q} where k = {n})",
    "with c as (select * from {p}) select c.*, {n} as extra from c",
    "with recursive r as (select k, v, w from {p} union select k, v + 1, w from r where v < {n}) select * from r",
    "select k, row_number() over (order by k, v, w) as v, w from {p}",
    "select k, lag(v) over (partition by k order by v, w) as v, w from {p}",
    "select * exclude (w), w + {n} as w from {p}",
    "select * replace (w + {n} as w) from {p}",
    "select * rename (v as v) from {p}",
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
    "select k, max(v) as v, max(w) as w, list(v order by v, w) as extra from {p} group by k",
    "select k, v, w, struct_pack(a := k, b := [v]) as extra from {p}",
    "select k, v, w, 'it''s' || k as extra from {p} where w <> {n}",
    "select k, v + {{ var('add') }} as v, w from {p}",
    "select k, {{ sums.plus('v') }} as v, w from {p}",
    "select k, v, w from {% if var('add') > 1 %} {p} {% else %} {q} {% endif %} as x",
    "select K, V as V, w from {p}",
    "select k, bump(v) as v, w from {p}",
)
#: A name means one thing or another as columns come and go in what is read.
CAPTURING = (
    "select k, v, w, 7 as note, note as extra from {p}",
    "select k, v, w, (select max(note) from {q}) as extra from {p}",
    "select k, v, w from {p} as o where exists (select 1 from {q} as i where i.k = o.k and note = 'n')",
    "select p.k, p.v, p.w from {p} as p natural join {q}",
    "select k, v, w from {p} order by v, note, k, w limit {n}",
    "select k, max(v) as v, max(w) as w, 1 as note from {p} group by k, note",
    "select * from {p} union by name select * from {q}",
)
#: The answer hangs on the order of the rows, too.
ORDERED = (
    "select k, v, w from {p} limit {n}",
    "select k, first(v) as v, any_value(w) as w from {p} group by k",
    "select distinct on (k) k, v, w from {p}",
    "select k, row_number() over () as v, w from {p}",
    "select p.k, q.v, q.w from {p} as p positional join {q} as q",
    "select k, max(v) as v, max(w) as w, string_agg(v::varchar, ',') as extra from {p} group by k",
)
#: What is read is hidden from analysis.
OPAQUE = (
    "select columns('^[kvw]$') from {p}",
    "select * from (select k, v, w from {p}) natural join (select k, v, w from {q})",
    "select k, v, w, p::varchar as extra from {p} as p",
    "select s.p.k as k, s.p.v as v, s.p.w as w from (select p from {p} as p) as s",
    "select k, v, w from query_table('{p}')",
)
#: Said to move by itself, though it never does.
MOVING = (
    "select k, v, w from {p} where random() >= 0",
    "select k, v, w from {p} where now() > '2000-01-01'::timestamptz",
    "select k, v, w from {p} where '{{ run_started_at }}' <> ''",
)
#: Grown by batches, it is what it would be if it were made at once.
GROWING = (
    "select t, k, v + {n} as v, w from raw.log "
    "{% if is_incremental() %} where t > (select coalesce(max(t), -1) from {{ this }}) {% endif %}",
    "select t, k, v::{type} as v, w from raw.log as l "
    "{% if is_incremental() %} where not exists (select 1 from {{ this }} as o where o.t = l.t) {% endif %}",
)
BATCHES = (
    "",
    "unique_key: t",
    "unique_key: [t, k]",
    "unique_key: t\nincremental: {strategy: merge}",
    "incremental: {strategy: time_column, time_column: t}",
)
SPELLINGS = (str, str.upper, str.title, '"{}"'.format)
TYPES = ("bigint", "integer", "double", "decimal(20, 2)", "hugeint", "varchar")
TESTS = (
    "",
    "",
    "tests: [not_null: k]",
    "tests: [unique: [k]]",
    "tests: [{not_null: {column: v, severity: warn}}]",
    f"tests: [{{relationships: {{column: k, to: {SEED}, severity: warn}}}}]",
)
#: Templates whose answers do not move, by what is known of them.
STILL = PLAIN * 2 + CAPTURING * 3 + ORDERED * 5 + OPAQUE * 4 + GROWING * 6
#: What a project's templates may be: all kinds, or few, so that they meet more often.
VOCABULARIES = (
    STILL + MOVING * 2,
    PLAIN[:4] + ORDERED,
    PLAIN[:4] + OPAQUE + MOVING,
    PLAIN[:2] + CAPTURING,
    PLAIN[:9] + GROWING * 3,
)


@dataclass(frozen=True)
class RandomModel:
    """What one model's file says. `spelling` (of models' names), `layout` and `owner` are of no consequence."""

    template: str
    parents: tuple[str, str]
    number: int = 0
    type: str = "bigint"
    materialized: str = "table"
    batches: str = ""
    schema: str = ""
    folder: str = ""
    tests: str = ""
    owner: str = ""
    spelling: int = 0
    layout: tuple[int, ...] = ()
    broken: bool = False

    @property
    def query(self) -> str:
        p, q = (parent if parent in SOURCES else SPELLINGS[self.spelling](parent) for parent in self.parents)
        query = self.template.replace("'{p}'", f"'{self.parents[0]}'").replace("{p}", p).replace("{q}", q)
        query = query.replace("{n}", str(self.number)).replace("{type}", self.type)
        return f"select *, error('broken') as gone from ({query}) as inside" if self.broken else query

    @property
    def text(self) -> str:
        return f"{self._frontmatter}{spread(self.query, self.layout)}"

    @property
    def _frontmatter(self) -> str:
        lines = [
            f"materialized: {self.materialized}" if self.materialized != "table" or not self.layout else "",
            self.batches if self.materialized == "incremental" else "",
            f"schema: {self.schema}" if self.schema else "",
            f"owner: {self.owner}" if self.owner else "",
            self.tests,
        ]
        said = [line for line in lines if line]
        if not said:
            return ""
        if self.layout:
            turn = self.layout[0] % len(said)
            said = ["# a remark", *said[turn:], "", *(f"{line}  # remark" for line in said[:turn])]
        return "\n".join(["/*---", *said, "---*/", ""])

    @property
    def reads(self) -> set[str]:
        """What the query names, as far as it matters."""
        named = {LOG} if self.template in GROWING else set()
        marks = zip(self.parents, ("{p}", "{q}"), strict=True)
        return named | {parent for parent, mark in marks if mark in self.template}

    @property
    def is_moving(self) -> bool:
        return any(template in self.template for template in MOVING)

    @property
    def is_ordered(self) -> bool:
        return any(template in self.template for template in (*ORDERED, "query_table"))

    def path(self, name: str) -> str:
        return f"{self.folder}.{name}" if self.folder else name

    def file(self, name: str) -> str:
        return f"models/{self.path(name).replace('.', '/')}.sql"


def laid_out(rows: list[tuple[int, str, int]], layout: int) -> str:
    """Return rows as CSV, with another end of lines, quotes in the header, no end of the last line, or none of it."""
    end, header, last = "\r\n" if layout & 1 else "\n", '"k","v","w"' if layout & 2 else "k,v,w", not layout & 4
    return end.join([header, *(f"{k},{v},{w}" for k, v, w in rows)]) + (end if last else "")


@dataclass
class RandomProject:
    """A project that changes by chance. Models read only those with a smaller number."""

    choice: Choice
    lab: Lab
    templates: tuple[str, ...] = ()
    models: dict[str, RandomModel] = field(default_factory=dict)
    deleted: dict[str, RandomModel] = field(default_factory=dict)
    seed: list[tuple[int, str, int]] = field(default_factory=lambda: [(1, "10", 5), (2, "20", 6)])
    #: Of no consequence: how its file is written.
    seed_layout: int = 0
    add: int = 1
    plus: int = 1
    made: int = 0
    logged: int = 0
    lost: bool = False
    turned: bool = False
    has_turned_rows: bool = False
    #: Whether the macro of the database reads a table, so that nobody can tell what it comes to.
    macro_reads: bool = False
    told: list[str] = field(default_factory=list)

    def begin(self, size: int) -> None:
        """Make the sources, and `size` models."""
        self.templates = self.templates or self.choice.one(VOCABULARIES)
        self.lab.sql("create schema raw", "create macro bump(x) as x + 1")
        for source in ("raw.one", "raw.two", BARE):
            self.lab.sql(f"create table {source} (k integer, v bigint, w double)")
            self._insert(source)
        self.lab.sql(f"create table {LOG} (t integer, k integer, v bigint, w double)")
        self.grow_log()
        self.write()
        while len(self.models) < size:
            self.let_happen(self.add_model)

    def write(self) -> None:
        """Make the files say what the models are now."""
        wanted = {model.file(name): model.text for name, model in self.models.items()}
        wanted[f"seeds/{SEED}.csv"] = laid_out(self.seed, self.seed_layout)
        if any("sums." in model.template for model in self.models.values()):
            wanted["macros/sums.sql"] = f"{{% macro plus(column) %}}{{{{ column }}}} + {self.plus}{{% endmacro %}}"
        wanted["leapsql.yaml"] = f"{CONFIGURATION}vars: {{add: {self.add}}}\n"
        gone = dict.fromkeys(name for name in self.lab.files if name not in wanted)
        self.lab.edit({**wanted, **gone})

    @property
    def story(self) -> str:
        """What happened, and the files as they are now."""
        return "\n".join([*self.told, "", *(f"{name}: {text!r}" for name, text in sorted(self.lab.files.items()))])

    @property
    def paths(self) -> dict[str, RandomModel]:
        """The models by path."""
        return {model.path(name): model for name, model in self.models.items()}

    @property
    def parents(self) -> dict[str, set[str]]:
        """The paths of models and seeds that each model reads, as the templates say."""
        known = {SEED: SEED, **{name: model.path(name) for name, model in self.models.items()}}
        reads = {path: self._reads(model) & known.keys() for path, model in self.paths.items()}
        return {SEED: set(), **{path: {known[name] for name in names} for path, names in reads.items()}}

    @property
    def readers_of_order(self) -> set[str]:
        """The models that read the order of rows, themselves or through a view, and whatever is made from them."""
        found: set[str] = set()
        for path, model in sorted(self.paths.items(), key=lambda entry: entry[0].rpartition(".")[2]):
            if model.is_ordered or self.parents[path] & found:
                found.add(path)
        return found

    @property
    def adrift(self) -> set[str]:
        """What hangs on an order that rows of a source once had: a table that does not read it need not follow it."""
        return self.readers_of_order if self.has_turned_rows else set()

    def _reads(self, model: RandomModel) -> set[str]:
        if "{% if var" in model.template:
            return {model.parents[0] if self.add > 1 else model.parents[1]}
        return model.reads

    # ------------------------------------------------------------------------------------------------ what may happen

    def step(self) -> None:
        """Let one thing happen."""
        self.let_happen(self.choice.one(self.happenings()))

    def let_happen(self, happens: Callable[[], str]) -> None:
        """Let something happen; an edit that the project does not compile with is taken back."""
        models, deleted, seed = dict(self.models), dict(self.deleted), list(self.seed)
        said = happens()
        self.write()
        try:
            assert self.lab.project.nodes
        except ProjectError:
            self.models, self.deleted, self.seed = models, deleted, seed
            self.write()
        else:
            self.told.append(said)

    def happenings(self) -> list[Callable[[], str]]:
        """Return all that may happen; what is more likely stands there more often."""
        return [
            *[self._change_template, self._change_number, self._change_parents] * 2,
            *[self._change_type, self._change_materialized, self._change_batches, self._change_place],
            *[self.change_tests, self._change_variable, self._change_macro, self._change_seed],
            *[self.change_layout, self.change_seed_layout, self.change_spelling, self._change_owner],
            *[self._break, self._mend, self.add_model, self._delete_leaf, self._restore, self._take_name],
            *[self._insert_rows, self._delete_rows, self._update_rows, self._turn_rows, self.grow_log] * 2,
            *[
                self._widen_source,
                self._widen_source,
                self._turn_source,
                self._lose_source,
                self._change_database_macro,
            ],
            *[self.drop_relation, self.replace_relation],
        ]

    def mend_all(self) -> None:
        """Take out what fails."""
        self._mend()
        if self.lost:
            self._lose_source()
        self.write()

    def _one(self) -> str:
        return self.choice.one(sorted(set(self.models) - {BARE}))

    def _set(self, name: str, model: RandomModel) -> str:
        self.models[name] = model
        return f"{model.file(name)}: {model.text!r}"

    def _readable(self, name: str) -> list[str]:
        return [*SOURCES, SEED, *(other for other in sorted(self.models) if other < name)]

    def _two_parents(self, name: str) -> tuple[str, str]:
        readable = self._readable(name)
        # The latest are read most often, so that chains come about.
        likely = [*readable, *readable[-3:] * 2, *readable[-1:] * 3]
        return self.choice.one(likely), self.choice.one(likely)

    def add_model(self) -> str:
        name = f"m{self.made:02}"
        self.made += 1
        template = self.choice.one(self.templates)
        kinds = ("incremental", "incremental", "table", "view") if template in GROWING else ("table", "view")
        model = RandomModel(
            template=template,
            parents=self._two_parents(name),
            number=self.choice.pick(4),
            materialized=self.choice.one(kinds),
            batches=self.choice.one(BATCHES),
        )
        return self._set(name, model)

    def _change_template(self) -> str:
        name = self._one()
        template = self.choice.one(self.templates)
        kind = self.models[name].materialized
        kind = "table" if kind == "incremental" and template not in GROWING else kind
        return self._set(name, replace(self.models[name], template=template, materialized=kind))

    def _change_number(self) -> str:
        name = self._one()
        return self._set(name, replace(self.models[name], number=self.choice.pick(4)))

    def _change_parents(self) -> str:
        name = self._one()
        return self._set(name, replace(self.models[name], parents=self._two_parents(name)))

    def _change_type(self) -> str:
        name = self._one()
        return self._set(name, replace(self.models[name], type=self.choice.one(TYPES)))

    def _change_materialized(self) -> str:
        name = self._one()
        kinds = ["table", "view", *(["incremental"] if self.models[name].template in GROWING else [])]
        return self._set(name, replace(self.models[name], materialized=self.choice.one(kinds)))

    def _change_batches(self) -> str:
        name = self._one()
        return self._set(name, replace(self.models[name], batches=self.choice.one(BATCHES)))

    def _change_place(self) -> str:
        name = self._one()
        folder, schema = self.choice.one(("", "deep")), self.choice.one(("", "side"))
        return self._set(name, replace(self.models[name], folder=folder, schema=schema))

    def change_tests(self) -> str:
        name = self._one()
        return self._set(name, replace(self.models[name], tests=self.choice.one(TESTS)))

    def change_layout(self) -> str:
        name = self._one()
        return self._set(name, replace(self.models[name], layout=self.some_layout()))

    def some_layout(self) -> tuple[int, ...]:
        """Return numbers for `spread`, at times none."""
        return tuple(self.choice.pick(1000) for _ in range(self.choice.pick(8)))

    def change_spelling(self) -> str:
        name = self._one()
        return self._set(name, replace(self.models[name], spelling=self.choice.pick(len(SPELLINGS))))

    def _change_owner(self) -> str:
        name = self._one()
        return self._set(name, replace(self.models[name], owner=self.choice.one(("", "ann", "bob"))))

    def _change_variable(self) -> str:
        self.add = self.choice.pick(4)
        return f"vars: add = {self.add}"

    def _change_macro(self) -> str:
        self.plus = self.choice.pick(4)
        return f"macro: plus {self.plus}"

    def _break(self) -> str:
        name = self._one()
        return self._set(name, replace(self.models[name], broken=True))

    def _mend(self) -> str:
        self.models = {name: replace(model, broken=False) for name, model in self.models.items()}
        return "mend all models"

    def _delete_leaf(self) -> str:
        read = {parent for model in self.models.values() for parent in model.parents}
        leaves = sorted(set(self.models) - {BARE} - read)
        if len(self.models) < 3:
            return "nothing to delete"
        name = self.choice.one(leaves)
        self.deleted[name] = self.models.pop(name)
        return f"delete {name}"

    def _restore(self) -> str:
        lost = [n for n, model in sorted(self.deleted.items()) if set(model.parents) <= set(self._readable(n))]
        if not lost:
            return "nothing to restore"
        name = self.choice.one(lost)
        return self._set(name, self.deleted.pop(name))

    def _take_name(self) -> str:
        """Let a model take the name of a source, or give it back."""
        if BARE in self.models:
            del self.models[BARE]
            return f"{BARE} is a source again"
        query, number = self.choice.one(PLAIN[:2]), self.choice.pick(2)
        return self._set(BARE, RandomModel(query, ("raw.one", "raw.one"), number, schema="elsewhere"))

    def _change_seed(self) -> str:
        value = self.choice.one(("0", "4", "8", "1.5", "x", ""))
        self.seed.append((self.choice.pick(3), value, self.choice.pick(3)))
        if self.choice.once_in(2):
            del self.seed[0]
        return f"seed: {self.seed}"

    def change_seed_layout(self) -> str:
        self.seed_layout = self.choice.pick(8)
        return f"seed: written in another way, {self.seed_layout}"

    # -------------------------------------------------------------------------------- outside of the project's files

    def _base(self, source: str) -> str:
        """Return the table that the rows of a source are in."""
        if source == BARE:
            return "main.plain_lost" if self.lost else "main.plain"
        return "raw.two_base" if source == "raw.two" and self.turned else source

    def _insert(self, table: str) -> str:
        rows = [(self.choice.pick(3), self.choice.pick(5), self.choice.pick(3)) for _ in range(1 + self.choice.pick(4))]
        values = ", ".join(f"({k}, {v}, {w})" for k, v, w in rows)
        return self._sql(f"insert into {table} (k, v, w) values {values}")

    def grow_log(self) -> str:
        self.logged += 1
        rows = ", ".join(
            f"({self.logged}{place}, {self.choice.pick(3)}, {self.choice.pick(5)}, {self.choice.pick(3)})"
            for place in range(1 + self.choice.pick(3))
        )
        return self._sql(f"insert into {LOG} values {rows}")

    def _sql(self, *statements: str) -> str:
        self.lab.sql(*statements)
        return "; ".join(statements)

    def _changing_table(self) -> str:
        """Return a table whose rows may change at will, one that is read if there is any."""
        sources = ("raw.one", "raw.two", BARE)
        read = {parent for model in self.models.values() for parent in model.reads}
        return self._base(self.choice.one([source for source in sources if source in read] or sources))

    def _insert_rows(self) -> str:
        return self._insert(self._changing_table())

    def _delete_rows(self) -> str:
        return self._sql(f"delete from {self._changing_table()} where k = {self.choice.pick(3)}")

    def _update_rows(self) -> str:
        value = self.choice.one(("k = NULL", "v = NULL", "v = 7", "w = NULL", "w = -0.0", "w = 0.0", "w = 'nan'"))
        return self._sql(f"update {self._changing_table()} set {value} where k = {self.choice.pick(3)}")

    def _turn_rows(self) -> str:
        """Bring the rows into another order."""
        self.has_turned_rows = True
        table, order = self._changing_table(), self.choice.one(("rowid desc", "v desc, w, k", "k, v, w"))
        return self._sql(f"create or replace table {table} as select * from {table} order by {order}")

    def _widen_source(self) -> str:
        table = self._changing_table()
        return self._sql(
            self.choice.one(
                (
                    f"alter table {table} add column if not exists note varchar default 'n'",
                    f"alter table {table} drop column if exists note",
                    f"create or replace table {table} as select w, v, k from {table}",
                    f"create or replace table {table} as select k, v::integer as v, w from {table}",
                )
            )
        )

    def _change_database_macro(self) -> str:
        body = self.choice.one(("x + 1", "x + 2", "x", "x + (select max(v) from raw.one)"))
        self.macro_reads = "select" in body
        return self._sql(f"create or replace macro bump(x) as {body}")

    def _turn_source(self) -> str:
        """Turn a source from a table to a view of the same rows, or back."""
        self.turned = not self.turned
        if self.turned:
            return self._sql("alter table raw.two rename to two_base", "create view raw.two as from raw.two_base")
        return self._sql("drop view raw.two", "alter table raw.two_base rename to two")

    def _lose_source(self) -> str:
        self.lost = not self.lost
        old, new = ("plain", "plain_lost") if self.lost else ("plain_lost", "plain")
        return self._sql(f"alter table main.{old} rename to {new}")

    def _standing(self) -> list[tuple[str, str]]:
        """Return kind and name in SQL of what the project made and the warehouse has, but what grows."""
        there = self.lab.warehouse.relations()
        nodes = [node for node in self.lab.project.nodes.values() if node.relation.key in there]
        return [(there[n.relation.key].kind, n.relation.sql) for n in nodes if n.materialized != "incremental"]

    def drop_relation(self) -> str:
        standing = self._standing()
        if not standing:
            return "nothing to drop"
        kind, relation = self.choice.one(standing)
        self.lab.meddle(f"drop {kind} {relation}")
        return f"drop {kind} {relation}"

    def replace_relation(self) -> str:
        """Put something else in the place of a relation, as a restored copy or another program would."""
        standing = self._standing()
        if not standing:
            return "nothing to replace"
        kind, relation = self.choice.one(standing)
        other = self.choice.one(("table", "view"))
        self.lab.meddle(f"drop {kind} {relation}")
        self.lab.meddle(f"create {other} {relation} as select 1 as k, 2::bigint as v, 3::double as w")
        return f"replace {relation} by a {other}"
