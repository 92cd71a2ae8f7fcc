"""A laboratory: a project made of a dictionary of texts, run in memory, compared with a build from scratch.

Everything is real but the state, which is the fake that ships with the core. SQL that was understood once is not parsed
again in later tests.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from leapsql_core import sql
from leapsql_core.compilation import Analyst, Compiler, ProjectTexts, SeedFile
from leapsql_core.configuration.reading import read_configuration
from leapsql_core.errors import WarehouseError
from leapsql_core.execution import (
    Event,
    Look,
    ModelFinished,
    ModelStarted,
    RunFinished,
    RunOptions,
    RunStarted,
    Turn,
    Workshop,
    lost_builds,
    observe,
    see,
    stream_run,
    with_builds,
    with_texts,
    with_versions,
)
from leapsql_core.hashing import fingerprint_bytes
from leapsql_core.models import Holder, Lineage, ModelRun, Project, QueryScan, Relation, Seed, Snapshot, Target
from leapsql_core.planning import InputColumns, Plan, Prove, Texts, plan, seeds_rewritten, texts_needed
from leapsql_core.protocols import Build, StateStore
from leapsql_core.rendering import MacroFile
from leapsql_core.seeds import version_of_rows
from leapsql_core.session import proving
from leapsql_core.testing import InMemoryStateStore
from leapsql_core.warehouses.duckdb.connection import Waiting, catalog_of
from leapsql_core.warehouses.duckdb.csv_files import describe_csv
from leapsql_core.warehouses.duckdb.parser import DuckDBParser
from leapsql_core.warehouses.duckdb.settings import settings_that_count
from leapsql_core.warehouses.duckdb.warehouse import DuckDBWarehouse

CONFIGURATION = "target: {type: duckdb, database: ':memory:'}\n"

_PARSER = DuckDBParser()

Files = Mapping[str, str]


class RememberingAnalyst(Analyst):
    """An `Analyst` that analyses each text once, whichever test asks."""

    def __init__(self) -> None:
        self._scans: dict[str, QueryScan] = {}
        self._lineages: dict[tuple[str, str], Lineage] = {}
        self._columns: dict[str, tuple[str, ...]] = {}

    def scan(self, text: str) -> QueryScan:
        if text not in self._scans:
            self._scans[text] = sql.scan(text, database=_PARSER)
        return self._scans[text]

    def lineage(self, text: str, inputs: Mapping[tuple[str, ...], sql.KnownInput]) -> Lineage:
        key = (text, repr(sorted(inputs.items())))
        if key not in self._lineages:
            self._lineages[key] = sql.lineage(text, inputs)
        return self._lineages[key]

    def seed_columns(self, path: Path, content_hash: str) -> tuple[str, ...]:
        if content_hash not in self._columns:
            self._columns[content_hash] = tuple(column.name for column in describe_csv(str(path)))
        return self._columns[content_hash]


_ANALYST = RememberingAnalyst()

#: What laboratories were compiled to last, by all that it comes from; and what proves their queries equal, by target.
_COMPILED: dict[str, tuple[Compiler, Project]] = {}
_MOST_COMPILED = 20
_PROOFS: dict[str, Prove] = {}
_OPEN = ExitStack()


def make_compiler(
    files: Files,
    *,
    environment: str | None = None,
    variables: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    root: Path | None = None,
) -> Compiler:
    """Return the compiler of a project that `files` hold, by their paths; seeds need a `root` to be read in."""
    environ = dict(environ or {})
    config = read_configuration(
        textwrap.dedent(files.get("leapsql.yaml", CONFIGURATION)),
        project_name="laboratory",
        environ=environ,
        environment=environment,
        variables=variables,
    )
    models: dict[PurePosixPath, str] = {}
    macros: dict[str, MacroFile] = {}
    seeds: dict[PurePosixPath, SeedFile] = {}
    for name, text in files.items():
        path = PurePosixPath(name)
        if path.parts[0] == "models":
            models[path.relative_to("models")] = textwrap.dedent(text).strip() + "\n"
        elif path.parts[0] == "macros":
            macros[path.stem] = MacroFile(name, text)
        elif path.parts[0] == "seeds":
            content_hash = fingerprint_bytes(text.encode())
            if root is None:
                columns: tuple[str, ...] = tuple(text.splitlines()[0].split(","))
            else:
                write_seed(root / path, text)
                columns = _ANALYST.seed_columns(root / path, content_hash)
            seeds[path.relative_to("seeds")] = SeedFile(name, content_hash, columns)
    return Compiler(
        config,
        ProjectTexts(models, macros, seeds),
        environ=environ,
        catalog=catalog_of(config.target.database),
        analyst=_ANALYST,
    )


def write_seed(path: Path, text: str) -> None:
    """Write the file of a seed, which is the only one of a project that has to be there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def compile_project(files: Files, **options: Any) -> Project:
    """Return the project that `files` hold; `ProjectError` with all that is wrong with it."""
    return make_compiler(files, **options).compile()


class Clock:
    """A clock that ticks by a second whenever it is looked at."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@dataclass(frozen=True)
class Outcome:
    """What a run told."""

    events: tuple[Event, ...]

    @property
    def run_id(self) -> str:
        return next(event.run_id for event in self.events if isinstance(event, RunStarted))

    @property
    def plan(self) -> Plan:
        return next(event.plan for event in self.events if isinstance(event, RunStarted))

    @property
    def status(self) -> str:
        return self.end.status

    @property
    def end(self) -> RunFinished:
        return next(event for event in self.events if isinstance(event, RunFinished))

    @property
    def finished(self) -> dict[str, ModelFinished]:
        return {event.path: event for event in self.events if isinstance(event, ModelFinished)}

    @property
    def started(self) -> list[str]:
        return [event.path for event in self.events if isinstance(event, ModelStarted)]

    @property
    def built(self) -> set[str]:
        return {path for path, event in self.finished.items() if event.status == "success"}

    @property
    def failed(self) -> set[str]:
        return {path for path, event in self.finished.items() if event.status == "failed"}

    @property
    def reasons(self) -> dict[str, str]:
        return {path: event.reason for path, event in self.finished.items()}

    def __getitem__(self, path: str) -> ModelFinished:
        return self.finished[path]


@dataclass
class Lab:
    """A project, a database in memory and a state; edits change the files, runs build.

    `sql` changes what lies outside of the project, and is done again in databases made from scratch. `lives` numbers
    the process that runs go on in: those of earlier numbers are gone.
    """

    root: Path
    files: Mapping[str, str]
    environment: str | None = None
    variables: Mapping[str, Any] | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    state: StateStore = field(default_factory=InMemoryStateStore)
    parallel: int = 2
    clock: Callable[[], datetime] = field(default_factory=Clock)
    database: str = ":memory:"
    lives: int = 1

    def __post_init__(self) -> None:
        self.files = dict(self.files)
        self.statements: list[str] = []
        self.warehouse = self.open_warehouse()
        self.state.open()
        self.state.init_schema()

    def close(self) -> None:
        self.warehouse.close()
        self.state.close()

    def open_warehouse(self) -> DuckDBWarehouse:
        config = self.project.target if self.files else None
        settings = {} if config is None else config.settings
        return DuckDBWarehouse.open(self.database, settings, read_only=False, waiting=Waiting())

    def reopen_warehouse(self) -> None:
        """Close the warehouse and open it as the project now says; a database in memory begins empty."""
        self.warehouse.close()
        self.warehouse = self.open_warehouse()

    # ------------------------------------------------------------------------------------------------------- edits

    def edit(self, changes: Mapping[str, str | None]) -> None:
        """Write files; ``None`` deletes one."""
        files = {**self.files, **changes}
        self.files = {name: text for name, text in files.items() if text is not None}

    def replace(self, name: str, old: str, new: str) -> None:
        """Replace a part of a file, which must be there once."""
        assert self.files[name].count(old) == 1, f"{old!r} stands {self.files[name].count(old)} times in {name}"
        self.edit({name: self.files[name].replace(old, new)})

    def sql(self, *statements: str) -> None:
        """Change what lies outside of the project."""
        self.statements += statements
        for statement in statements:
            self.meddle(statement)

    def meddle(self, statement: str) -> None:
        """Do something in the database that nobody remembers."""
        cursor = self.warehouse._connection.cursor()
        cursor.execute("SET TimeZone = 'UTC'")
        cursor.execute(statement)
        cursor.close()

    # -------------------------------------------------------------------------------------------------- what it does

    @property
    def compiler(self) -> Compiler:
        return self._compiled()[0]

    @property
    def project(self) -> Project:
        return self._compiled()[1]

    def _compiled(self) -> tuple[Compiler, Project]:
        """Compile the files as they are, once for all that asks while they stay so."""
        facts = [sorted(self.files.items()), self.environment, self.variables, sorted(self.environ.items()), self.root]
        key = repr(facts)
        if key not in _COMPILED:
            compiler = make_compiler(
                self.files,
                environment=self.environment,
                variables=self.variables,
                environ=self.environ,
                root=self.root,
            )
            while len(_COMPILED) >= _MOST_COMPILED:
                del _COMPILED[next(iter(_COMPILED))]
            _COMPILED[key] = (compiler, compiler.compile())
        for name, text in self.files.items():
            if name.startswith("seeds/"):
                write_seed(self.root / name, text)
        return _COMPILED[key]

    def prove(self, before: str, now: str, inputs: InputColumns) -> bool:
        """Tell whether two resolved texts are one query, as a session does."""
        target = self.project.target
        key = repr(target)
        if key not in _PROOFS:
            _PROOFS[key] = _OPEN.enter_context(proving(target, catalog="memory"))
        return _PROOFS[key](before, now, inputs)

    def file_version(self, pattern: str) -> str | None:
        """Return the version of the files that a pattern means, ``None`` if there are none."""
        found = self.warehouse.files(pattern) or ()
        return fingerprint_bytes(b"\0".join(Path(path).read_bytes() for path in found)) if found else None

    def seed_rows(self, seed: Seed, target: Target) -> str | None:
        """Return the version of the rows of a seed's file, ``None`` if it cannot be told."""
        try:
            return version_of_rows(self.root / seed.file, target=target, root=self.root)
        except WarehouseError:
            return None

    def workshop(self, **changes: Any) -> Workshop:
        compiler, project = self._compiled()
        parts: dict[str, Any] = {
            "project": project,
            "warehouse": self.warehouse,
            "state": self.state,
            "prove": self.prove,
            "render": compiler.render_for_run,
            "line_in_file": compiler.line_in_file,
            "seed_file": lambda seed: str(self.root / seed.file),
            "seed_stands": lambda seed: fingerprint_bytes((self.root / seed.file).read_bytes()) == seed.content_hash,
            "seed_rows": lambda seed: self.seed_rows(seed, project.target),
            "file_version": self.file_version,
            "settings": settings_that_count(project.target.settings),
            "clock": self.clock,
        }
        return Workshop(**{**parts, **changes})

    def stream(self, *, workshop: Workshop | None = None, **options: Any) -> Generator[Event, None, None]:
        """Begin a run whose events are taken one by one."""
        return stream_run(workshop or self.workshop(), RunOptions(**{"parallel": self.parallel, **options}), self.turn)

    @property
    def turn(self) -> Turn:
        """How a run comes to its turn: in the process of now, and without waiting."""
        life = self.lives
        return Turn(holder=lambda: Holder("laboratory", life, None), sees=lambda holder: holder.pid == life)

    def die(self) -> None:
        """Let the process of now be gone."""
        self.lives += 1

    def run(self, *selection: str, **options: Any) -> Outcome:
        """Run to the end; of paths, only those."""
        return Outcome(tuple(self.stream(selection=list(selection) or None, **options)))

    def look(self, *selection: str) -> tuple[Project, Snapshot, Look]:
        project, snapshot = self.project, self.snapshot
        look = observe(
            project,
            self.warehouse,
            snapshot,
            sight=see(self.warehouse, history=self.state.read_history()),
            selection=list(selection or project.nodes),
            settings=settings_that_count(project.target.settings),
            file_version=self.file_version,
            now=self.clock(),
        )
        return project, with_versions(snapshot, look.data_versions), look

    @property
    def snapshot(self) -> Snapshot:
        """What the state knows, and what the warehouse tells besides."""
        return with_builds(self.state.read_snapshot(self.project.environment), self.lost)

    @property
    def lost(self) -> tuple[Build, ...]:
        """Builds that the warehouse knows of and the state does not."""
        project, sight = self.project, see(self.warehouse, history=self.state.read_history())
        known = self.state.read_snapshot(project.environment)
        return lost_builds(project, self.warehouse, known, sight)

    def plan(self, *selection: str, **options: Any) -> Plan:
        """Decide, having looked at everything."""
        project, snapshot, look = self.look(*selection)
        resolved, code = texts_needed(project, snapshot)
        seeds = {seed.path: self.seed_rows(seed, project.target) for seed in seeds_rewritten(project, snapshot)}
        texts = Texts(self.state.read_texts(resolved), self.state.read_code_versions(code), seeds)
        texts = with_texts(texts, self.lost)
        chosen = list(selection) or None
        return plan(project, snapshot, look.observations, self.prove, texts=texts, selection=chosen, **options)

    # ---------------------------------------------------------------------------------------------------- what is there

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        cursor = self.warehouse._connection.cursor()
        found = cursor.execute(query).fetchall()
        cursor.close()
        return found

    def contents(self, paths: Iterable[str] | None = None) -> dict[str, Any]:
        """Return columns and rows, in no order, of what the project makes."""
        nodes = self.project.nodes
        return {path: read_relation(self.warehouse, nodes[path].relation) for path in paths or nodes}

    def model_runs(self, run_id: str) -> dict[str, ModelRun]:
        """Return what the state keeps of a run, by path."""
        paths = {model.id: model.path for model in self.state.list_models()}
        return {paths[model_run.model_id]: model_run for model_run in self.state.get_model_runs_for_run(run_id)}

    def from_scratch(self) -> dict[str, Any]:
        """Return the contents that a build of the same files in a new database has."""
        scratch = Lab(
            self.root, self.files, self.environment, self.variables, self.environ, parallel=1, clock=self.clock
        )
        try:
            scratch.sql(*self.statements)
            outcome = scratch.run()
            assert outcome.status == "completed", outcome.end.error
            return scratch.contents()
        finally:
            scratch.close()

    def assert_as_from_scratch(self, *, but: Iterable[str] = ()) -> None:
        """Assert that every relation holds what a build from scratch gives; `but` those that keep a history."""
        here, there = self.contents(), self.from_scratch()
        assert here.keys() == there.keys()
        for path in here.keys() - set(but):
            assert here[path] == there[path], f"{path} is not what a build from scratch gives"


def read_relation(warehouse: DuckDBWarehouse, relation: Relation) -> tuple[Any, Counter[Any]]:
    """Return the columns of a relation with their types, and its rows as text in no order."""
    cursor = warehouse._connection.cursor()
    try:
        cursor.execute("SET TimeZone = 'UTC'")
        described = cursor.execute(f"SELECT * FROM {relation.sql} LIMIT 0").description
        rows = cursor.execute(f"SELECT COLUMNS(*)::VARCHAR FROM {relation.sql}").fetchall()
        return [(name, str(kind)) for name, kind, *_ in described or ()], Counter(rows)
    finally:
        cursor.close()
