"""Registered models, what they read, and their column lineage: SQL within a transaction of its caller."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime

from leapsql_core.hashing import canonical_json
from leapsql_core.models import ColumnSource, ModelRegistration, StoredModel
from leapsql_core.protocols import ModelFacts
from leapsql_core.state.notation import read_list, read_text, read_time, write_time
from leapsql_core.state.refusals import check_facts, check_parents, unknown_model, unknown_path


def _model(row: sqlite3.Row) -> StoredModel:
    return StoredModel(
        id=row["id"],
        path=read_text(row["path"]),
        name=read_text(row["name"]),
        materialized=row["materialized"],
        content_hash=row["content_hash"],
        owner=row["owner"],
        schema_name=row["schema_name"],
        tags=tuple(map(read_text, read_list(row["tags"] or "[]"))),
        created_at=read_time(row["created_at"]),
        updated_at=read_time(row["updated_at"]),
    )


# ------------------------------------------------------------------------------------------------------------- reading


def check_model(connection: sqlite3.Connection, model_id: str) -> sqlite3.Row:
    """Return the row of a registered model; `StateError` if the id is unknown."""
    row: sqlite3.Row | None = connection.execute("SELECT * FROM models WHERE id = ?", (model_id,)).fetchone()
    if row is None:
        raise unknown_model(model_id)
    return row


def get_model_by_id(connection: sqlite3.Connection, model_id: str) -> StoredModel:
    """Return a registered model; `StateError` if the id is unknown."""
    return _model(check_model(connection, model_id))


def get_model_by_path(connection: sqlite3.Connection, path: str) -> StoredModel:
    """Return a registered model; `StateError` if the path is unknown."""
    row = connection.execute("SELECT * FROM models WHERE path = ?", (path,)).fetchone()
    if row is None:
        raise unknown_path(path, [known["path"] for known in connection.execute("SELECT path FROM models")])
    return _model(row)


def list_models(connection: sqlite3.Connection) -> list[StoredModel]:
    """Return all registered models and seeds, by path."""
    return [_model(row) for row in connection.execute("SELECT * FROM models ORDER BY path")]


def get_dependencies(connection: sqlite3.Connection, model_id: str) -> list[str]:
    """Return the ids of the models that `model_id` reads, by path; `StateError` if it is unknown."""
    check_model(connection, model_id)
    rows = connection.execute(
        "SELECT models.id FROM dependencies JOIN models ON models.id = dependencies.parent_id"
        " WHERE dependencies.model_id = ? ORDER BY models.path",
        (model_id,),
    )
    return [row["id"] for row in rows]


def get_dependents(connection: sqlite3.Connection, model_id: str) -> list[str]:
    """Return the ids of the models that read `model_id`, by path; `StateError` if it is unknown."""
    check_model(connection, model_id)
    rows = connection.execute(
        "SELECT models.id FROM dependencies JOIN models ON models.id = dependencies.model_id"
        " WHERE dependencies.parent_id = ? ORDER BY models.path",
        (model_id,),
    )
    return [row["id"] for row in rows]


def get_column_lineage(connection: sqlite3.Connection, model_path: str) -> list[tuple[str, ColumnSource]]:
    """Return pairs of output column and a column it comes from, sorted."""
    rows = connection.execute(
        "SELECT column_name, source_table, source_column FROM column_lineage WHERE model_path = ? ORDER BY 1, 2, 3",
        (model_path,),
    )
    return [(column, ColumnSource(table, source)) for column, table, source in rows]


# ------------------------------------------------------------------------------------------------------------- writing


def register_model(
    connection: sqlite3.Connection, registration: ModelRegistration, *, now: datetime, new_id: Callable[[], str]
) -> StoredModel:
    """Register a model by path; a known path is updated, if it differs, and keeps its id and creation time."""
    _write_registrations(connection, [registration], now=now, new_id=new_id)
    return get_model_by_path(connection, registration.path)


def update_model_hash(connection: sqlite3.Connection, model_id: str, content_hash: str, *, now: datetime) -> None:
    """Set the content hash last registered; `StateError` if the id is unknown."""
    if check_model(connection, model_id)["content_hash"] != content_hash:
        connection.execute(
            "UPDATE models SET content_hash = ?, updated_at = ? WHERE id = ?", (content_hash, write_time(now), model_id)
        )


def set_dependencies(connection: sqlite3.Connection, model_id: str, parent_ids: Iterable[str]) -> None:
    """Replace what a model reads; `StateError` if any id is unknown or a model would read itself."""
    parents = tuple(parent_ids)
    known = {row["id"] for row in connection.execute("SELECT id FROM models")}
    check_parents(model_id, parents, known)
    _write_dependencies(connection, {model_id: parents})


def set_column_lineage(
    connection: sqlite3.Connection, model_path: str, lineage: Iterable[tuple[str, ColumnSource]]
) -> None:
    """Replace the column lineage of a model."""
    _write_lineage(connection, {model_path: tuple(lineage)})


def register_models(
    connection: sqlite3.Connection, facts: Sequence[ModelFacts], *, now: datetime, new_id: Callable[[], str]
) -> dict[str, str]:
    """Register many at once with dependencies and lineage, writing only what differs; ids by path."""
    known = {row["path"]: row["id"] for row in connection.execute("SELECT path, id FROM models")}
    check_facts(facts, known)
    written = _write_registrations(connection, [fact.registration for fact in facts], now=now, new_id=new_id)
    ids = known | written
    _write_dependencies(
        connection, {ids[fact.registration.path]: [ids[parent] for parent in fact.parents] for fact in facts}
    )
    _write_lineage(connection, {fact.registration.path: fact.lineage for fact in facts})
    return written


def _write_registrations(
    connection: sqlite3.Connection,
    registrations: Sequence[ModelRegistration],
    *,
    now: datetime,
    new_id: Callable[[], str],
) -> dict[str, str]:
    paths = json.dumps([registration.path for registration in registrations])
    known = {
        row["path"]: row
        for row in connection.execute("SELECT * FROM models WHERE path IN (SELECT value FROM json_each(?))", (paths,))
    }
    moment = write_time(now)
    ids: dict[str, str] = {}
    new: list[dict[str, object]] = []
    changed: list[dict[str, object]] = []
    for registration in registrations:
        values: dict[str, object] = {
            "path": registration.path,
            "name": registration.name,
            "materialized": registration.materialized,
            "content_hash": registration.content_hash,
            "owner": registration.owner,
            "schema_name": registration.schema_name,
            "tags": canonical_json(registration.tags),
        }
        before = known.get(registration.path)
        ids[registration.path] = new_id() if before is None else before["id"]
        if before is None:
            new.append(values | {"id": ids[registration.path], "now": moment})
        elif any(before[column] != value for column, value in values.items()):
            changed.append(values | {"now": moment})
    connection.executemany(
        "INSERT INTO models"
        " (id, path, name, materialized, content_hash, owner, schema_name, tags, created_at, updated_at) VALUES"
        " (:id, :path, :name, :materialized, :content_hash, :owner, :schema_name, :tags, :now, :now)",
        new,
    )
    connection.executemany(
        "UPDATE models SET name = :name, materialized = :materialized, content_hash = :content_hash, owner = :owner,"
        " schema_name = :schema_name, tags = :tags, updated_at = :now WHERE path = :path",
        changed,
    )
    return ids


def _write_dependencies(connection: sqlite3.Connection, parents: Mapping[str, Collection[str]]) -> None:
    before = {
        (row["model_id"], row["parent_id"])
        for row in connection.execute(
            "SELECT * FROM dependencies WHERE model_id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(parents)),),
        )
    }
    after = {(model_id, parent_id) for model_id, parent_ids in parents.items() for parent_id in parent_ids}
    connection.executemany("DELETE FROM dependencies WHERE model_id = ? AND parent_id = ?", sorted(before - after))
    connection.executemany("INSERT INTO dependencies (model_id, parent_id) VALUES (?, ?)", sorted(after - before))


def _write_lineage(connection: sqlite3.Connection, lineage: Mapping[str, Collection[tuple[str, ColumnSource]]]) -> None:
    before = {
        (row["model_path"], row["column_name"], row["source_table"], row["source_column"])
        for row in connection.execute(
            "SELECT * FROM column_lineage WHERE model_path IN (SELECT value FROM json_each(?))",
            (json.dumps(list(lineage)),),
        )
    }
    after = {(path, column, source.table, source.column) for path, pairs in lineage.items() for column, source in pairs}
    connection.executemany(
        "DELETE FROM column_lineage"
        " WHERE model_path = ? AND column_name = ? AND source_table = ? AND source_column = ?",
        sorted(before - after),
    )
    connection.executemany(
        "INSERT INTO column_lineage (model_path, column_name, source_table, source_column) VALUES (?, ?, ?, ?)",
        sorted(after - before),
    )
