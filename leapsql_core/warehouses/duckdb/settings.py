"""Settings of a DuckDB session: what a target sets, and which of it can change an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from leapsql_core.errors import WarehouseError
from leapsql_core.names import did_you_mean, quote_identifier
from leapsql_core.warehouses.duckdb.connection import first_line

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Setting = str | int | float | bool

#: What holds unless a target says otherwise: answers must not depend on the machine's zone, and nothing may be
#: downloaded behind the user's back.
_USUAL: Mapping[str, Setting] = {"TimeZone": "UTC", "autoinstall_known_extensions": False}

#: Settings that decide how fast, how big, how secret or how talkative, never what comes out. All others count.
_CHANGE_NO_ANSWER: Final = """
access_mode allocator_background_threads allocator_bulk_deallocation_flush_threshold allocator_flush_threshold
allow_community_extensions allow_extensions_metadata_mismatch allow_persistent_secrets allow_unredacted_secrets
allow_unsigned_extensions allowed_directories allowed_paths async_threads autoinstall_extension_repository
autoinstall_known_extensions autoload_known_extensions block_allocator_memory catalog_error_max_schemas
checkpoint_on_detach checkpoint_threshold custom_extension_repository custom_user_agent default_block_size
default_secret_storage enable_external_access enable_external_file_cache enable_fsst_vectors
enable_http_metadata_cache enable_logging enable_object_cache enable_profiling enable_progress_bar
enable_progress_bar_print enabled_log_types errors_as_json explain_output extension_directories
extension_directory external_threads force_compression http_proxy http_proxy_password http_proxy_username
lock_configuration log_query_path logging_level logging_mode logging_storage max_execution_time max_memory
max_temp_directory_size max_vacuum_tasks memory_limit operator_memory_limit parquet_metadata_cache
partitioned_write_flush_threshold partitioned_write_max_open_files password pin_threads profile_output
profiling_coverage profiling_mode profiling_output progress_bar_time redact_http_logs secret_directory
storage_compatibility_version streaming_buffer_size temp_directory temp_file_encryption threads user username
wal_autocheckpoint worker_threads zstd_min_string_length
"""


def apply_settings(connection: DuckDBPyConnection, settings: Mapping[str, Setting]) -> None:
    """Set what the target asks for; a cursor does not take its parent's settings over, so each gets them.

    Raises:
        WarehouseError: an unknown setting, or a value that it does not take.
    """
    import duckdb

    for name, value in {**_USUAL, **settings}.items():
        try:
            connection.execute(f"SET {quote_identifier(name)} = {_literal(value)}")
        except duckdb.Error as exc:
            known = [row[0] for row in connection.execute("SELECT name FROM duckdb_settings()").fetchall()]
            otherwise = "Correct `target.settings` in leapsql.yaml."
            is_known = name.casefold() in {other.casefold() for other in known}
            raise WarehouseError(
                f"the warehouse refuses the setting `{name}`: {first_line(exc)}",
                mend=otherwise if is_known else did_you_mean(name, known, otherwise=otherwise),
            ) from exc


def settings_that_count(settings: Mapping[str, Setting]) -> dict[str, str]:
    """Return the settings of a target that can change an answer and differ from what usually holds.

    >>> settings_that_count({"threads": 2, "timezone": "utc", "default_null_order": "nulls_first"})
    {'default_null_order': 'nulls_first'}
    """
    usual = {name.casefold(): _plain(value) for name, value in _USUAL.items()}
    harmless = set(_CHANGE_NO_ANSWER.split())
    said = {name.casefold(): _plain(value) for name, value in settings.items()}
    return {
        name: value
        for name, value in sorted(said.items())
        if name not in harmless and value.casefold() != usual.get(name, "\0").casefold()
    }


def _plain(value: Setting) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _literal(value: Setting) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "'" + str(value).replace("'", "''") + "'"
