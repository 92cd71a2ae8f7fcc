"""Opening, closing, and what a store is: promises of every state store."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from state_samples import contents, record_new_build, registration

from leapsql_core.errors import StateError
from leapsql_core.protocols import StateReader, StateStore, StateWriter
from leapsql_core.state import SqliteStateStore
from leapsql_core.testing import InMemoryStateStore


def promised(protocol: type) -> dict[str, Callable[..., Any]]:
    return {name: method for name, method in vars(protocol).items() if inspect.isfunction(method) and name[0] != "_"}


@pytest.mark.parametrize("kind", [SqliteStateStore, InMemoryStateStore])
@pytest.mark.parametrize("protocol", [StateReader, StateWriter, StateStore])
def test_a_store_has_every_promised_method_with_its_very_signature(kind: type, protocol: type) -> None:
    """What is written against the protocols works with each store, keyword for keyword, documented alike."""
    for name, method in promised(protocol).items():
        own = inspect.getattr_static(kind, name)
        assert own is not method, f"{name} is not implemented"
        assert inspect.signature(own, eval_str=False) == inspect.signature(method, eval_str=False)
        assert inspect.getdoc(getattr(kind, name)) == inspect.getdoc(method)


def test_nothing_works_before_a_store_is_opened(unopened: StateStore) -> None:
    """Neither reading nor writing, and the refusal says what to do."""
    for ask in (unopened.init_schema, unopened.list_models, lambda: unopened.create_run("dev")):
        with pytest.raises(StateError, match=r"is not open\n    Call open\(\)"):
            ask()


def test_nothing_works_before_there_is_a_schema(unopened: StateStore) -> None:
    """An empty store says so instead of failing somewhere inside."""
    unopened.open()
    for ask in (unopened.list_models, unopened.read_history, lambda: unopened.create_run("dev")):
        with pytest.raises(StateError, match="has no tables yet"):
            ask()


def test_opening_and_closing_twice_is_fine(unopened: StateStore) -> None:
    """Nobody needs to keep count, and what is recorded between is kept."""
    unopened.close()
    unopened.open()
    unopened.init_schema()
    run = unopened.create_run("dev")
    unopened.open()
    unopened.init_schema()
    assert unopened.get_run(run.id) == run
    unopened.close()
    unopened.close()
    with pytest.raises(StateError, match="is not open"):
        unopened.get_run(run.id)


@pytest.mark.parametrize("unopened", ["sqlite in a file", "fake"], indirect=True)
def test_what_was_recorded_is_there_after_closing_and_opening(store: StateStore) -> None:
    """Everything, and the history keeps its id."""
    record_new_build(store)
    before, history = contents(store), store.read_history()
    store.close()
    store.open()
    assert contents(store) == before
    assert store.read_history() == history


def test_every_state_has_an_id_of_its_own(store: StateStore) -> None:
    """So that a warehouse can tell which state its relations belong to."""
    other = type(store)(":memory:") if isinstance(store, SqliteStateStore) else InMemoryStateStore()
    other.open()
    other.init_schema()
    assert len(store.read_history() or "") == 32
    assert store.read_history() == store.read_history() != other.read_history()
    other.close()


def test_ids_and_times_are_made_up_by_default(tmp_path: object) -> None:
    """A store that is given neither clock nor ids has both."""
    for store in (SqliteStateStore(":memory:"), InMemoryStateStore()):
        store.open()
        store.init_schema()
        run, model = store.create_run("dev"), store.register_model(registration())
        assert len({run.id, model.id, store.create_run("dev").id}) == 3
        assert run.started_at <= model.created_at
        store.close()
