"""Laws that hold for whatever is recorded, in whatever order: the fake and the database are the same store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from state_samples import Clock, Ids, build, contents, facts, registration

from leapsql_core.errors import StateError
from leapsql_core.models import ColumnSource, Holder, Request, Run, TraceInput
from leapsql_core.protocols import NewModelRun
from leapsql_core.state import SqliteStateStore
from leapsql_core.state.notation import read_time, write_time
from leapsql_core.testing import InMemoryStateStore

# What is named often meets itself again, and that is where stores could differ.
PATHS = st.sampled_from(["a", "a", "a", "b", "s.c", "é"])
ENVIRONMENTS = st.sampled_from(["dev", "dev", "prod"])
HASHES = st.sampled_from(["content 1", "content 2"])
STATUSES = st.sampled_from(["pending", "running", "success", "failed", "skipped"])
WORDS = st.none() | st.text(max_size=5)
REQUESTS = st.none() | st.builds(
    Request, st.booleans(), st.booleans(), st.none() | st.tuples(st.text(max_size=3), st.text(max_size=3)), WORDS, WORDS
)
NUMBERS = st.none() | st.sampled_from([0, 1, 2**40])
COLUMN_SETS = st.none() | st.lists(st.text(max_size=3), max_size=2).map(tuple)
LINEAGE = st.lists(
    st.tuples(st.sampled_from(["x", "y"]), st.builds(ColumnSource, PATHS, st.sampled_from(["x", "y"]))), max_size=3
)
INPUTS = st.lists(st.builds(TraceInput, PATHS, PATHS, COLUMN_SETS, WORDS), max_size=3).map(tuple)
DATA_VERSIONS = st.dictionaries(st.sampled_from(["*", "[]", '["a"]']), st.text(max_size=3), max_size=3)


def some(ids: list[str]) -> st.SearchStrategy[str]:
    """One of the ids, more often a late one, and now and then one that nobody has."""
    return st.sampled_from([*reversed(ids[-4:]), *reversed(ids[-2:]), *ids, "nobody"])


class BothStores(RuleBasedStateMachine):
    """Tell both stores the same and compare what they answer, what they refuse, and all that they hold."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.operations = 0
        self.runs: list[str] = []
        self.model_runs: list[str] = []
        self.models: list[str] = []
        self.ids: dict[str, Ids] = {"database": Ids(), "fake": Ids()}
        self.database = SqliteStateStore(":memory:", clock=self.clock, new_id=lambda: self.new_id("database"))
        self.fake = InMemoryStateStore(clock=self.clock, new_id=lambda: self.new_id("fake"))

    def new_id(self, store: str) -> str:
        # Ids start anew with each operation, so that one that is refused may have used up some in one store only.
        return f"{self.operations}/{self.ids[store]()}"

    def teardown(self) -> None:
        self.database.close()

    def tell(self, operation: Callable[[Any], Any]) -> Any:
        """Do the same with both; what they answer, or ``None`` if both refuse in the same words."""
        self.operations += 1
        self.ids = {"database": Ids(), "fake": Ids()}
        answers = [self.ask(store, operation) for store in (self.database, self.fake)]
        assert answers[0] == answers[1]
        return None if isinstance(answers[0], str) and answers[0].startswith("refused: ") else answers[0]

    @staticmethod
    def ask(store: Any, operation: Callable[[Any], Any]) -> Any:
        try:
            return operation(store)
        except StateError as refusal:
            return f"refused: {refusal}"

    @initialize()
    def begin(self) -> None:
        for store in (self.database, self.fake):
            store.open()
            store.init_schema()
        for path in ("a", "b"):
            self.register_model(path, "content 1", (), None)
        self.create_run("dev", None)

    # ------------------------------------------------------------------------------------------------------------ rules

    @rule(seconds=st.integers(-5, 5))
    def move_the_clock(self, seconds: int) -> None:
        self.clock.advance(seconds=seconds)

    @rule(environment=ENVIRONMENTS, orchestrator_run_id=WORDS, request=REQUESTS)
    def create_run(self, environment: str, orchestrator_run_id: str | None, request: Request | None = None) -> None:
        run = self.tell(
            lambda store: store.create_run(environment, orchestrator_run_id=orchestrator_run_id, request=request)
        )
        self.runs.append(run.id)

    @rule(environment=ENVIRONMENTS, pid=st.integers(1, 3), is_dead=st.booleans())
    def begin_run(self, environment: str, pid: int, is_dead: bool) -> None:
        holder = Holder("host", pid, None)
        run = self.tell(lambda store: store.begin_run(environment, holder, is_dead=lambda lease, now: is_dead))
        if isinstance(run, Run):
            self.runs.append(run.id)

    @rule(data=st.data())
    def renew_lease(self, data: st.DataObject) -> None:
        run_id = data.draw(some(self.runs))
        self.tell(lambda store: store.renew_lease(run_id))

    @rule(data=st.data())
    def close_dead_runs(self, data: st.DataObject) -> None:
        run_id = data.draw(some(self.runs))
        self.tell(lambda store: store.close_dead_runs(run_id))

    @rule(environment=ENVIRONMENTS, is_dead=st.booleans())
    def close_open_runs(self, environment: str, is_dead: bool) -> None:
        self.tell(lambda store: store.list_open_runs(environment, is_dead=lambda lease: is_dead))
        self.tell(lambda store: store.close_open_runs(environment, is_dead=lambda lease: is_dead))

    @rule(data=st.data(), status=st.sampled_from(["completed", "failed", "cancelled", "running"]), error=WORDS)
    def complete_run(self, data: st.DataObject, status: str, error: str | None) -> None:
        run_id = data.draw(some(self.runs))
        self.tell(lambda store: store.complete_run(run_id, status, error=error))

    @rule(data=st.data())
    def delete_run(self, data: st.DataObject) -> None:
        run_id = data.draw(some(self.runs))
        self.tell(lambda store: store.delete_run(run_id))

    @rule(path=PATHS, content_hash=HASHES, tags=st.lists(PATHS, max_size=2).map(tuple), owner=WORDS)
    def register_model(self, path: str, content_hash: str, tags: tuple[str, ...], owner: str | None) -> None:
        said = registration(path, content_hash=content_hash, tags=tags, owner=owner)
        model = self.tell(lambda store: store.register_model(said))
        self.models = sorted({*self.models, model.id})

    @rule(given=st.lists(st.tuples(PATHS, st.lists(PATHS, max_size=2), HASHES, LINEAGE), max_size=4))
    def register_models(self, given: list[tuple[str, list[str], str, list[tuple[str, ColumnSource]]]]) -> None:
        said = [
            facts(path, *parents, content_hash=content_hash, lineage=tuple(lineage))
            for path, parents, content_hash, lineage in given
        ]
        ids = self.tell(lambda store: store.register_models(said))
        self.models = sorted({*self.models, *(ids or {}).values()})

    @rule(data=st.data(), content_hash=HASHES)
    def update_model_hash(self, data: st.DataObject, content_hash: str) -> None:
        model_id = data.draw(some(self.models))
        self.tell(lambda store: store.update_model_hash(model_id, content_hash))

    @rule(data=st.data())
    def set_dependencies(self, data: st.DataObject) -> None:
        model_id = data.draw(some(self.models))
        parents = data.draw(st.lists(some(self.models), max_size=3))
        self.tell(lambda store: store.set_dependencies(model_id, iter(parents)))

    @rule(path=PATHS, lineage=LINEAGE)
    def set_column_lineage(self, path: str, lineage: list[tuple[str, ColumnSource]]) -> None:
        self.tell(lambda store: store.set_column_lineage(path, iter(lineage)))

    @rule(data=st.data(), status=STATUSES)
    def record_model_run(self, data: st.DataObject, status: str) -> None:
        run_id, model_id = data.draw(some(self.runs)), data.draw(some(self.models))
        model_run = self.tell(lambda store: store.record_model_run(run_id, model_id, status))
        if model_run is not None:
            self.model_runs.append(model_run.id)

    @rule(data=st.data())
    def record_model_runs(self, data: st.DataObject) -> None:
        run_id = data.draw(some(self.runs))
        model_ids = some(self.models)
        new = st.builds(NewModelRun, model_ids, STATUSES, content_hash=WORDS, reason=WORDS, detail=WORDS)
        said = data.draw(st.lists(new, max_size=3))
        self.model_runs.extend(self.tell(lambda store: store.record_model_runs(run_id, said)) or ())

    @rule(data=st.data(), status=STATUSES, numbers=st.tuples(NUMBERS, NUMBERS), words=st.tuples(WORDS, WORDS, WORDS))
    def update_model_run(
        self,
        data: st.DataObject,
        status: str,
        numbers: tuple[int | None, int | None],
        words: tuple[str | None, str | None, str | None],
    ) -> None:
        model_run_id = data.draw(some(self.model_runs))
        said = dict(zip(("rows_affected", "execution_ms"), numbers, strict=True))
        said |= dict(zip(("error", "reason", "detail"), words, strict=True))  # type: ignore[arg-type]
        self.tell(lambda store: store.update_model_run(model_run_id, status, **said))

    @rule(
        data=st.data(),
        content_hash=HASHES,
        inputs=INPUTS,
        data_versions=DATA_VERSIONS,
        numbers=st.tuples(NUMBERS, NUMBERS, NUMBERS),
    )
    def record_build(
        self,
        data: st.DataObject,
        content_hash: str,
        inputs: tuple[TraceInput, ...],
        data_versions: dict[str, str],
        numbers: tuple[int | None, int | None, int | None],
    ) -> None:
        model_run_id = data.draw(some(self.model_runs))
        model_run = self.fake._tables.model_runs.get(model_run_id)
        path, environment = "a", "dev"
        if model_run is not None and data.draw(st.integers(0, 9)):
            path = self.fake.get_model_by_id(model_run.model_id).path
            environment = self.fake.get_run(model_run.run_id).environment
        said = build(
            model_run_id,
            path,
            environment=environment,
            content_hash=content_hash,
            inputs=inputs,
            data_versions=data_versions,
            rows_affected=numbers[0],
            execution_ms=numbers[1],
            render_ms=numbers[2],
            built_at=self.clock.now,
        )
        self.tell(lambda store: store.record_build(said))

    @rule(path=PATHS, environment=ENVIRONMENTS, content_hash=HASHES, inputs=INPUTS, text=st.text(max_size=3))
    def build_in_a_run(
        self, path: str, environment: str, content_hash: str, inputs: tuple[TraceInput, ...], text: str
    ) -> None:
        """The usual story, which single steps would seldom come upon."""
        self.begin_in_a_run(path, environment)
        said = build(
            self.model_runs[-1],
            path,
            environment=environment,
            content_hash=content_hash,
            inputs=inputs,
            texts={"query 1": text},
        )
        self.tell(lambda store: store.record_build(said))
        self.tell(lambda store: store.complete_run(self.runs[-1], "completed"))

    @rule(
        path=PATHS,
        environment=ENVIRONMENTS,
        statuses=st.tuples(st.sampled_from(["pending", "running"]), st.sampled_from(["failed", "success", "skipped"])),
        rows_affected=NUMBERS,
        error=WORDS,
    )
    def end_in_a_run(
        self, path: str, environment: str, statuses: tuple[str, str], rows_affected: int | None, error: str | None
    ) -> None:
        before, after = statuses
        self.begin_in_a_run(path, environment, before)
        self.clock.advance(seconds=1)
        said = {"rows_affected": rows_affected, "error": error}
        self.tell(lambda store: store.update_model_run(self.model_runs[-1], after, **said))
        self.tell(lambda store: store.complete_run(self.runs[-1], "failed"))

    def begin_in_a_run(self, path: str, environment: str, status: str = "running") -> None:
        model = self.tell(lambda store: store.register_model(registration(path)))
        self.models = sorted({*self.models, model.id})
        self.create_run(environment, None)
        model_run = self.tell(lambda store: store.record_model_run(self.runs[-1], model.id, status))
        self.model_runs.append(model_run.id)

    @rule(environment=ENVIRONMENTS, keep=st.integers(0, 2))
    def forget_runs(self, environment: str, keep: int) -> None:
        for run in self.fake.list_runs(environment=environment, limit=1000)[keep:]:
            self.tell(lambda store, run=run: store.complete_run(run.id, "cancelled"))
            self.tell(lambda store, run=run: store.delete_run(run.id))

    @rule(data=st.data(), data_versions=DATA_VERSIONS, tests_hash=st.text(max_size=3))
    def take_notes(self, data: st.DataObject, data_versions: dict[str, str], tests_hash: str) -> None:
        model_run_id = data.draw(some(self.model_runs))
        self.tell(lambda store: store.record_data_versions(model_run_id, data_versions))
        self.tell(lambda store: store.record_tests(model_run_id, tests_hash))

    @rule(environment=ENVIRONMENTS, commit_ref=WORDS)
    def create_environment(self, environment: str, commit_ref: str | None) -> None:
        self.tell(lambda store: store.create_environment(environment, commit_ref=commit_ref))

    @rule(environment=ENVIRONMENTS, commit_ref=WORDS)
    def set_environment_commit(self, environment: str, commit_ref: str | None) -> None:
        self.tell(lambda store: store.set_environment_commit(environment, commit_ref))

    @rule(environment=ENVIRONMENTS)
    def delete_environment(self, environment: str) -> None:
        self.tell(lambda store: store.delete_environment(environment))

    # ------------------------------------------------------------------------------------------------------- invariants

    @invariant()
    def both_hold_the_same(self) -> None:
        assert contents(self.database) == contents(self.fake)

    @invariant()
    def nothing_hangs_loose(self) -> None:
        """A trace is kept while it is current or its model run lives, which only a look inside can tell."""
        connection, tables = self.database._connection, self.fake._tables
        assert connection is not None
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        kept = {row["model_run_id"] for row in connection.execute("SELECT model_run_id FROM traces")}
        assert kept == set(tables.traces) == set(tables.data_versions)
        assert kept <= {*tables.current.values(), *tables.model_runs}


TestBothStores = BothStores.TestCase
TestBothStores.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow],
)

MOMENTS = st.datetimes(
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    min_value=datetime(2, 1, 1),
    max_value=datetime(9998, 1, 1),
)


@given(MOMENTS)
@settings(derandomize=True)
def test_a_time_comes_back_as_the_same_moment(moment: datetime) -> None:
    """To the microsecond, in UTC, from any zone."""
    assert read_time(write_time(moment)) == moment
    assert read_time(write_time(moment)).tzinfo is UTC


@given(MOMENTS, MOMENTS)
@settings(derandomize=True)
def test_times_sort_as_text_as_they_sort_in_time(one: datetime, other: datetime) -> None:
    """So that ORDER BY and comparisons in SQL are right."""
    assert (write_time(one) < write_time(other)) == (one < other)
    assert len(write_time(one)) == len(write_time(other))


@given(MOMENTS)
@settings(derandomize=True)
def test_sqlite_reads_every_time(moment: datetime) -> None:
    """Its date functions give the day and, to the millisecond, the time of day."""
    connection = sqlite3.connect(":memory:")
    day, clock = connection.execute("SELECT date(?1), strftime('%H:%M:%S', ?1)", (write_time(moment),)).fetchone()
    connection.close()
    assert (day, clock) == (write_time(moment)[:10], write_time(moment)[11:19])
