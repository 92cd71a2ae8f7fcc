"""Several processes on one state: they wait for each other, and nothing is lost."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from contextlib import closing
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from state_samples import build, facts

from leapsql_core.models import Holder, Run
from leapsql_core.protocols import NewModelRun
from leapsql_core.state import SqliteStateStore, open_state_reader

PROCESSES = 8
ROUNDS = 12
MODELS = [f"m{number}" for number in range(10)]


def run_together(work: Callable[..., None], *arguments: Any) -> list[int | None]:
    """Run `work` in eight new processes; it is given a barrier to start at the same instant, and its number."""
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(PROCESSES)
    processes = [
        context.Process(target=start, args=(work, ready, number, *arguments), daemon=True)
        for number in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


def start(work: Callable[..., None], ready: Barrier, number: int, *arguments: Any) -> None:
    try:
        work(ready, number, *arguments)
    except BaseException:
        # The others shall not wait for one that has failed.
        ready.abort()
        raise


def make_states(ready: Barrier, number: int, folder: Path) -> None:
    for attempt in range(15):
        store = SqliteStateStore(folder / str(attempt) / "state.db")
        ready.wait()
        store.open()
        store.init_schema()
        store.create_run(f"env {number}")
        store.close()


def test_eight_processes_make_the_same_missing_file_at_the_same_instant(tmp_path: Path) -> None:
    """Folder, file, WAL and tables come to be once, and each process's run is in it."""
    assert run_together(make_states, tmp_path) == [0] * PROCESSES
    for attempt in range(15):
        with closing(open_state_reader(tmp_path / str(attempt) / "state.db")) as reader:
            assert sorted(run.environment for run in reader.list_runs()) == [f"env {n}" for n in range(PROCESSES)]


def take_leases(ready: Barrier, number: int, path: Path) -> None:
    holder = Holder("host", number, None)
    with closing(SqliteStateStore(path)) as store:
        store.open()
        for round_ in range(ROUNDS):
            ready.wait()
            found = store.begin_run(f"env {round_}", holder, is_dead=lambda lease, now: False)
            lease = store.get_lease(f"env {round_}")
            assert lease is not None
            assert lease.run_id == (found.id if isinstance(found, Run) else found.run_id)
            assert (lease.holder == holder) == isinstance(found, Run)


def test_of_eight_processes_that_begin_at_the_same_instant_one_has_the_lease(path: Path) -> None:
    """The others are told which, and record nothing."""
    with closing(SqliteStateStore(path)) as store:
        store.open()
        store.init_schema()
    assert run_together(take_leases, path) == [0] * PROCESSES
    with closing(open_state_reader(path)) as reader:
        assert sorted(run.environment for run in reader.list_runs()) == sorted(f"env {n}" for n in range(ROUNDS))


def record_facts(ready: Barrier, number: int, path: Path) -> None:
    with closing(SqliteStateStore(path)) as store:
        ready.wait()
        store.open()
        store.init_schema()
        for round_ in range(ROUNDS):
            ids = store.register_models([facts(model, content_hash=f"{number}-{round_}") for model in MODELS])
            run = store.create_run(f"env {number % 2}", orchestrator_run_id=f"{number}-{round_}")
            planned = [NewModelRun(ids[model], "pending") for model in MODELS]
            model_run_ids = store.record_model_runs(run.id, planned)
            for model, model_run_id in zip(MODELS, model_run_ids, strict=True):
                store.update_model_run(model_run_id, "running")
                if model == "m9":
                    store.update_model_run(model_run_id, "failed", error=f"{number}-{round_}")
                    continue
                content = f"content {number}-{round_}"
                texts = {f"query {round_}": "select 1"}
                store.record_build(
                    build(model_run_id, model, environment=run.environment, content_hash=content, texts=texts)
                )
            store.complete_run(run.id, "failed")


def test_eight_processes_record_many_facts_and_none_is_lost(path: Path) -> None:
    """Nobody is told that the database is locked; what is counted afterwards is what was recorded."""
    assert run_together(record_facts, path) == [0] * PROCESSES
    with closing(open_state_reader(path)) as reader:
        runs = reader.list_runs(limit=1000)
        assert len(runs) == PROCESSES * ROUNDS
        assert {run.orchestrator_run_id for run in runs} == {
            f"{number}-{round_}" for number in range(PROCESSES) for round_ in range(ROUNDS)
        }
        model_runs = [model_run for run in runs for model_run in reader.get_model_runs_for_run(run.id)]
        assert len(model_runs) == PROCESSES * ROUNDS * len(MODELS)
        assert sum(model_run.status == "success" for model_run in model_runs) == PROCESSES * ROUNDS * 9
        assert sum(model_run.status == "failed" for model_run in model_runs) == PROCESSES * ROUNDS
        assert len(reader.list_models()) == len(MODELS)
        assert len(reader.read_texts(f"query {round_}" for round_ in range(ROUNDS))) == ROUNDS
        for environment in ("env 0", "env 1"):
            snapshot = reader.read_snapshot(environment)
            assert list(snapshot.traces) == MODELS[:9]
            assert all(len(trace.inputs) == 3 for trace in snapshot.traces.values())
            assert snapshot.failures["m9"].attempts == PROCESSES // 2 * ROUNDS


def read_while_written(ready: Barrier, number: int, path: Path) -> None:
    ready.wait()
    if number == 0:
        with closing(SqliteStateStore(path)) as store:
            store.open()
            for _ in range(ROUNDS):
                ids = store.register_models([facts(model) for model in MODELS])
                run = store.create_run("dev")
                for model in ("m0", "m1"):
                    [id_] = store.record_model_runs(run.id, [NewModelRun(ids[model], "running")])
                    store.record_build(build(id_, model, data_versions={"[]": "v"}))
        return
    with closing(open_state_reader(path)) as reader:
        for _ in range(ROUNDS):
            snapshot = reader.read_snapshot("dev")
            traces = {trace.model_run_id for trace in snapshot.traces.values()}
            assert traces == set(snapshot.data_versions), "a trace without its versions"
            assert all(len(trace.inputs) == 3 for trace in snapshot.traces.values()), "a trace without its inputs"


def test_readers_see_whole_facts_while_a_writer_writes(path: Path) -> None:
    """Traces, inputs and versions of one snapshot belong together, whenever it is taken."""
    with closing(SqliteStateStore(path)) as store:
        store.open()
        store.init_schema()
    assert run_together(read_while_written, path) == [0] * PROCESSES
