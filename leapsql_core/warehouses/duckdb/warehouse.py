"""DuckDB as a warehouse: one database, a cursor for each thread that builds."""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from leapsql_core.models import ObservedRelation, Relation
from leapsql_core.names import quote_identifier
from leapsql_core.protocols import Marker
from leapsql_core.warehouses.duckdb.connection import Held, Waiting, attach, refusals, try_to_connect, wait_for
from leapsql_core.warehouses.duckdb.functions import read_stabilities
from leapsql_core.warehouses.duckdb.leases import DatabaseLease, give_back, take_lease
from leapsql_core.warehouses.duckdb.macros import read_macros
from leapsql_core.warehouses.duckdb.markers import MARKERS, make_room_for_markers, read_markers, read_records
from leapsql_core.warehouses.duckdb.settings import Setting, apply_settings
from leapsql_core.warehouses.duckdb.transaction import DuckDBTransaction
from leapsql_core.warehouses.duckdb.types import read_types

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ONE_AT_A_TIME = "One run at a time builds in a database: wait until it is done, or for longer."

_UNREAD_MARKERS = "the markers cannot be read"

_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


class DuckDBWarehouse:
    """One open database. Its methods may be called from several threads."""

    def __init__(
        self, connection: DuckDBPyConnection, settings: Mapping[str, Setting], lease: DatabaseLease | None = None
    ) -> None:
        """Take `connection` and `lease` over: they are closed and given back with the warehouse."""
        self._connection = connection
        self._lease = lease
        self._settings = dict(settings)
        self._lock = threading.Lock()
        self._idle: list[DuckDBPyConnection] = []
        self._busy: set[DuckDBPyConnection] = set()

    @classmethod
    def open(
        cls,
        database: str,
        settings: Mapping[str, Setting],
        *,
        read_only: bool,
        waiting: Waiting,
        config: Mapping[str, Any] | None = None,
        holder: str | None = None,
        attached: Mapping[str, str] | None = None,
    ) -> DuckDBWarehouse:
        """Open `database`, and beside it what is `attached` by catalog, read only; see `open_warehouse`."""

        def attempt() -> DuckDBWarehouse | Held:
            with ExitStack() as opened:
                taken = None if holder is None else take_lease(database, holder)
                if isinstance(taken, str):
                    return Held(f"{taken}, in this process", mend=_ONE_AT_A_TIME)
                if taken is not None:
                    opened.callback(give_back, taken)
                connection = try_to_connect(database, read_only=read_only, config=config)
                if isinstance(connection, Held):
                    return connection
                opened.callback(connection.close)
                for catalog, path in sorted((attached or {}).items()):
                    held = attach(connection, path, catalog)
                    if held is not None:
                        return held
                apply_settings(connection, settings)
                opened.pop_all()
                return cls(connection, settings, taken)

        return wait_for(attempt, database, waiting)

    def close(self) -> None:
        """Close every cursor and the connection."""
        with self._lock:
            cursors, self._idle = self._idle, []
        try:
            for cursor in cursors:
                cursor.close()
            self._connection.close()
        finally:
            if self._lease is not None:
                give_back(self._lease)

    def relations(self) -> Mapping[tuple[str, str], ObservedRelation]:
        """Return every table and view of the database."""
        here = "WHERE database_name = current_database() AND NOT internal"
        with self._cursor() as cursor, refusals("the warehouse cannot be looked at"):
            rows = cursor.execute(
                f"SELECT schema_name, table_name, 'table', comment FROM duckdb_tables() {here}"
                f" UNION ALL SELECT schema_name, view_name, 'view', comment FROM duckdb_views() {here}"
            ).fetchall()
        return {Relation(schema, name).key: ObservedRelation(kind, comment) for schema, name, kind, comment in rows}

    def markers(self) -> Mapping[tuple[str, str], Marker]:
        """Return every marker; none if the database has no room for them yet."""
        with self._cursor() as cursor, refusals(_UNREAD_MARKERS):
            return read_markers(cursor)

    def records(self, model_run_ids: Iterable[str]) -> Mapping[str, str]:
        """Return what markers hold of whole builds, by model run."""
        with self._cursor() as cursor, refusals(_UNREAD_MARKERS):
            return read_records(cursor, model_run_ids)

    def files(self, pattern: str) -> tuple[str, ...] | None:
        """Return the files that a name or pattern means, as DuckDB finds them; ``None`` if they are not local."""
        if _REMOTE.match(pattern):
            return None
        with self._cursor() as cursor, refusals(f"the files {pattern} cannot be listed"):
            return tuple(
                path for (path,) in cursor.execute("SELECT file FROM glob(?) ORDER BY 1", [pattern]).fetchall()
            )

    def macros(self) -> Mapping[str, str | None]:
        """Return the versions of the macros that the database defines; see `read_macros`."""
        with self._cursor() as cursor:
            return read_macros(cursor, read_types(cursor))

    def types(self) -> Mapping[str, str]:
        """Return the versions of the types that the database defines; see `read_types`."""
        with self._cursor() as cursor:
            return read_types(cursor)

    def functions(self, called: Collection[str]) -> Mapping[str, bool]:
        """Return how stable those among `called` are that extensions brought; see `read_stabilities`."""
        with self._cursor() as cursor:
            return read_stabilities(cursor, called)

    def prepare(self, schemas: Iterable[str]) -> None:
        """Make what is missing, one after the other: two transactions that make one schema would conflict."""
        with self._cursor() as cursor, refusals("schemas cannot be made"):
            for schema in sorted({MARKERS.schema, *schemas}):
                cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {quote_identifier(schema)}")
            make_room_for_markers(cursor)

    @contextmanager
    def transaction(self) -> Iterator[DuckDBTransaction]:
        """Begin a transaction on a cursor of its own; commit at the end, roll back when the block raises."""
        with self._cursor() as cursor:
            with refusals():
                cursor.execute("BEGIN TRANSACTION")
            yield DuckDBTransaction(cursor)
            self._let_through(cursor)
            with refusals("the transaction cannot be committed"):
                cursor.execute("COMMIT")

    def interrupt(self) -> None:
        """Make what runs now fail; what is being committed or rolled back is let through."""
        with self._lock:
            for cursor in self._busy:
                cursor.interrupt()

    def _let_through(self, cursor: DuckDBPyConnection) -> None:
        with self._lock:
            self._busy.discard(cursor)

    @contextmanager
    def _cursor(self) -> Iterator[DuckDBPyConnection]:
        """Lend a cursor; one that something failed on is closed, which rolls its transaction back."""
        cursor = self._take()
        try:
            yield cursor
        except BaseException:
            self._let_through(cursor)
            cursor.close()
            raise
        with self._lock:
            self._busy.discard(cursor)
            self._idle.append(cursor)

    def _take(self) -> DuckDBPyConnection:
        with self._lock:
            cursor = self._idle.pop() if self._idle else None
        if cursor is None:
            with refusals("the warehouse is not open"):
                cursor = self._connection.cursor()
            apply_settings(cursor, self._settings)
        with self._lock:
            self._busy.add(cursor)
        return cursor
