"""Registered models, dependencies, lineage, environments: what every state store promises of them."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from state_samples import NOON, Clock, contents, facts, record_failure, record_new_build, registration

from leapsql_core.errors import StateError
from leapsql_core.models import ColumnSource, StoredEnvironment
from leapsql_core.protocols import StateStore

FROM_ORDERS = ColumnSource("raw.orders", "id")
FROM_CUSTOMERS = ColumnSource("raw.customers", "id")


def test_a_registered_model_is_found_by_id_and_by_path(store: StateStore) -> None:
    """All that was registered comes back, with an id and the time of registration."""
    given = registration(owner="ann", schema_name="staging", tags=("daily", "core"), materialized="incremental")
    model = store.register_model(given)
    assert {**asdict(given), "id": "id-1", "created_at": NOON, "updated_at": NOON} == asdict(model)
    assert store.get_model_by_id(model.id) == store.get_model_by_path("staging.orders") == model


def test_a_known_path_is_updated_and_keeps_id_and_creation(store: StateStore, clock: Clock) -> None:
    """A model stays the same one through all its changes."""
    before = store.register_model(registration())
    later = clock.advance(days=1)
    after = store.register_model(registration(content_hash="h2", tags=("a",), owner="bob"))
    assert after == replace(before, content_hash="h2", tags=("a",), owner="bob", updated_at=later)
    assert store.list_models() == [after]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"materialized": "view"},
        {"content_hash": "h2"},
        {"owner": None},
        {"schema_name": "s"},
        {"tags": ("b", "a")},
    ],
)
def test_each_field_that_changes_is_an_update(store: StateStore, clock: Clock, change: dict[str, object]) -> None:
    """No field is forgotten, and updated_at tells of the change."""
    first = {"owner": "ann", "tags": ("a", "b")}
    store.register_model(registration(**first))
    later = clock.advance(days=1)
    model = store.register_model(registration(**{**first, **change}))
    assert {name: getattr(model, name) for name in change} == change
    assert model.updated_at == later


def test_registering_the_same_again_changes_nothing(store: StateStore, clock: Clock) -> None:
    """updated_at is the time of the last difference, not of the last look."""
    given = registration(owner="ann", tags=("a",))
    model = store.register_model(given)
    clock.advance(days=1)
    assert store.register_model(given) == model


def test_models_are_listed_by_path(store: StateStore) -> None:
    """In whatever order they came."""
    for path in ("b", "a.c", "B", "é", "a"):
        store.register_model(registration(path))
    assert [model.path for model in store.list_models()] == ["B", "a", "a.c", "b", "é"]


def test_an_unknown_path_is_refused_with_the_nearest_one(store: StateStore) -> None:
    """A typing mistake is mended by reading the message."""
    store.register_model(registration("staging.orders"))
    with pytest.raises(StateError, match=r"'staging.order'\n    Did you mean staging.orders\?"):
        store.get_model_by_path("staging.order")
    with pytest.raises(StateError, match="registered when a run sees it"):
        store.get_model_by_path("zzz")


def test_the_content_hash_alone_can_be_updated(store: StateStore, clock: Clock) -> None:
    """Only a different one counts as an update."""
    model = store.register_model(registration(content_hash="h1"))
    later = clock.advance(days=1)
    store.update_model_hash(model.id, "h1")
    assert store.get_model_by_id(model.id) == model
    store.update_model_hash(model.id, "h2")
    assert store.get_model_by_id(model.id) == replace(model, content_hash="h2", updated_at=later)


# ------------------------------------------------------------------------------------------------ dependencies, lineage


def test_dependencies_are_read_from_both_sides_by_path(store: StateStore) -> None:
    """Parents and children come sorted by path, not by id or time; repeating a parent changes nothing."""
    c, b, a = (store.register_model(registration(path)).id for path in ("c", "b", "a"))
    store.set_dependencies(c, iter([b, a, b]))
    store.set_dependencies(b, [a])
    assert store.get_dependencies(c) == [a, b]
    assert store.get_dependents(a) == [b, c]
    assert store.get_dependencies(a) == store.get_dependents(c) == []


def test_setting_dependencies_replaces_them(store: StateStore) -> None:
    """What is read no longer is gone; other models' dependencies stay."""
    a, b, c = (store.register_model(registration(path)).id for path in ("a", "b", "c"))
    store.set_dependencies(c, [a])
    store.set_dependencies(b, [a])
    store.set_dependencies(c, [b])
    assert store.get_dependencies(c) == [b]
    assert store.get_dependents(a) == [b]
    store.set_dependencies(c, [])
    assert store.get_dependencies(c) == []


def test_a_model_cannot_read_itself(store: StateStore) -> None:
    """It would never be built; what it read before stays."""
    a, b = (store.register_model(registration(path)).id for path in ("a", "b"))
    store.set_dependencies(a, [b])
    with pytest.raises(StateError, match="cannot read itself"):
        store.set_dependencies(a, [a])
    assert store.get_dependencies(a) == [b]


def test_column_lineage_is_sorted_and_replaced(store: StateStore) -> None:
    """Pairs come back once each, by column and source; the path need not be registered."""
    store.set_column_lineage("x", iter([("b", FROM_ORDERS), ("a", FROM_ORDERS), ("a", FROM_CUSTOMERS)] * 2))
    store.set_column_lineage("y", [("a", FROM_ORDERS)])
    assert store.get_column_lineage("x") == [("a", FROM_CUSTOMERS), ("a", FROM_ORDERS), ("b", FROM_ORDERS)]
    store.set_column_lineage("x", [("b", FROM_ORDERS), ("c", FROM_ORDERS)])
    assert store.get_column_lineage("x") == [("b", FROM_ORDERS), ("c", FROM_ORDERS)]
    assert store.get_column_lineage("y") == [("a", FROM_ORDERS)]
    store.set_column_lineage("x", [])
    assert store.get_column_lineage("x") == []


# ------------------------------------------------------------------------------------------------- many models at once


def test_many_models_are_registered_with_parents_and_lineage(store: StateStore) -> None:
    """A parent may come before, with, or after its reader, or have been registered long ago."""
    old = store.register_model(registration("old"))
    ids = store.register_models(
        [
            facts("mart", "staging", "old", lineage=(("n", FROM_ORDERS),)),
            facts("staging", "raw"),
            facts("raw", materialized="seed"),
        ]
    )
    assert sorted(ids) == ["mart", "raw", "staging"]
    assert all(store.get_model_by_path(path).id == ids[path] for path in ids)
    assert store.get_dependencies(ids["mart"]) == [old.id, ids["staging"]]
    assert store.get_dependents(ids["raw"]) == [ids["staging"]]
    assert store.get_column_lineage("mart") == [("n", FROM_ORDERS)]
    assert store.get_model_by_path("raw").materialized == "seed"


def test_registering_many_again_updates_only_what_differs(store: StateStore, clock: Clock) -> None:
    """A model that is as it was keeps its time; parents and lineage are those of the last registration."""
    ids = store.register_models([facts("a"), facts("b", "a", lineage=(("n", FROM_ORDERS),)), facts("c", "a", "b")])
    later = clock.advance(days=1)
    again = store.register_models([facts("a"), facts("b", content_hash="h2"), facts("c", "b")])
    assert again == ids
    assert [model.updated_at for model in store.list_models()] == [NOON, later, NOON]
    assert store.get_dependencies(ids["b"]) == []
    assert store.get_dependencies(ids["c"]) == [ids["b"]]
    assert store.get_column_lineage("b") == []


def test_a_model_that_is_not_registered_again_stays(store: StateStore) -> None:
    """Registering part of a project forgets nothing of the rest."""
    store.register_models([facts("a"), facts("b", "a", lineage=(("n", FROM_ORDERS),))])
    before = contents(store)
    assert store.register_models([]) == {}
    store.register_models([facts("a")])
    assert contents(store) == before


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            [facts("a"), facts("b", "stagin")],
            r"'b' reads 'stagin', which is not registered\n    Did you mean staging\?",
        ),
        ([facts("a"), facts("b", "zzzzz")], "Register it before or with it"),
        ([facts("a"), facts("b", "b")], "'b' cannot read itself"),
        ([facts("a"), facts("b"), facts("a")], "'a' is registered twice"),
    ],
)
def test_many_models_that_contradict_are_refused_whole(store: StateStore, given: list[object], says: str) -> None:
    """The refusal names the model, and none of them is registered."""
    store.register_model(registration("staging"))
    before = contents(store)
    with pytest.raises(StateError, match=says):
        store.register_models(given)  # type: ignore[arg-type]
    assert contents(store) == before


# -------------------------------------------------------------------------------------------------------- environments


def test_an_environment_comes_to_be_with_its_first_run(store: StateStore, clock: Clock) -> None:
    """Later runs leave it as it is."""
    store.create_run("dev")
    clock.advance(days=1)
    store.create_run("dev")
    assert store.list_environments() == [StoredEnvironment("dev", None, NOON, NOON)]
    assert store.get_environment("dev") == StoredEnvironment("dev", None, NOON, NOON)


def test_an_environment_can_be_created_before_it_is_used(store: StateStore) -> None:
    """With the commit it stands at, or none; a run in it finds it there."""
    assert store.create_environment("prod", commit_ref="abc") == StoredEnvironment("prod", "abc", NOON, NOON)
    assert store.create_environment("dev").commit_ref is None
    store.create_run("prod")
    assert [environment.name for environment in store.list_environments()] == ["dev", "prod"]
    assert store.get_environment("prod").commit_ref == "abc"


def test_an_environment_cannot_be_created_twice(store: StateStore) -> None:
    """The one that is there keeps its commit."""
    store.create_environment("prod", commit_ref="abc")
    with pytest.raises(StateError, match="an environment `prod` already"):
        store.create_environment("prod", commit_ref="def")
    assert store.get_environment("prod").commit_ref == "abc"


def test_the_commit_of_an_environment_is_noted_and_taken_back(store: StateStore, clock: Clock) -> None:
    """updated_at tells when."""
    store.create_environment("prod")
    later = clock.advance(days=1)
    assert store.set_environment_commit("prod", "abc") == StoredEnvironment("prod", "abc", NOON, later)
    assert store.get_environment("prod").commit_ref == "abc"
    assert store.set_environment_commit("prod", None).commit_ref is None


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.get_environment("prd"),
        lambda store: store.set_environment_commit("prd", "abc"),
        lambda store: store.delete_environment("prd"),
    ],
)
def test_an_unknown_environment_is_refused_with_the_nearest_one(store: StateStore, ask: object) -> None:
    """A typing mistake is mended by reading the message."""
    store.create_environment("prod")
    with pytest.raises(StateError, match=r"no environment `prd`\n    Did you mean prod\?"):
        ask(store)  # type: ignore[operator]


def test_a_deleted_environment_takes_runs_and_traces_and_nothing_else(store: StateStore) -> None:
    """Other environments and the registered models stay as they were."""
    record_new_build(store, environment="prod")
    expected = contents(store)
    orphan = record_new_build(store, "a", environment="dev", content_hash="content 1")
    store.delete_run(store.list_runs(environment="dev")[0].id)
    history = record_new_build(store, "b", environment="dev", content_hash="content 1")
    record_new_build(store, "b", environment="dev", content_hash="content 1")
    record_failure(store, "b", environment="dev")
    store.delete_environment("dev")
    now = contents(store)
    for what in ("runs", "model runs", "environments", "snapshots"):
        assert now[what] == expected[what]
    assert store.read_snapshot("dev").traces == {}
    for model_run_id in (orphan, history):
        with pytest.raises(StateError, match=model_run_id):
            store.record_tests(model_run_id, "t")
    assert [model.path for model in store.list_models()] == ["a", "b", "staging.orders"]


def test_an_environment_is_not_deleted_under_a_run(store: StateStore) -> None:
    """The refusal names the run; afterwards it goes."""
    record_new_build(store, environment="dev")
    run = store.create_run("dev")
    before = contents(store)
    with pytest.raises(StateError, match=f"`dev` cannot be deleted while run {run.id} is running"):
        store.delete_environment("dev")
    assert contents(store) == before
    store.complete_run(run.id, "cancelled")
    store.delete_environment("dev")
    assert store.list_environments() == []
