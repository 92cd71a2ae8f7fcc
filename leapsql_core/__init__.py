"""LeapSQL: SQL models that build exactly what changed, and say why.

Names are loaded when they are first used, so that importing the package costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leapsql_core.deferral import Base, defer, open_base, same_as
    from leapsql_core.errors import (
        LeapSQLError,
        Problem,
        ProjectError,
        SelectionError,
        StateError,
        UsageError,
        WarehouseError,
    )
    from leapsql_core.execution import (
        Event,
        ModelFinished,
        ModelStarted,
        Origin,
        RunFinished,
        RunOptions,
        RunStarted,
        origins,
        source_versions,
    )
    from leapsql_core.memory import (
        is_undone,
        latest_attempts,
        latest_test_results,
        left_undone,
        standing_partitions,
        statements_of_tests,
    )
    from leapsql_core.models import (
        Column,
        DataTest,
        DataTestResult,
        Decision,
        Model,
        ModelRun,
        Node,
        Partitioning,
        PartitionTrace,
        Project,
        Relation,
        Run,
        Seed,
        Snapshot,
        Source,
        Target,
        Trace,
    )
    from leapsql_core.names import did_you_mean
    from leapsql_core.partitions import partitioning_of, read_moment, reads_by_window
    from leapsql_core.planning import Plan
    from leapsql_core.project import problem_within
    from leapsql_core.protocols import StateReader, StateStore, Warehouse
    from leapsql_core.runs import models_built_in, stream_session_run
    from leapsql_core.session import (
        Planned,
        Session,
        choose,
        find_catalog,
        find_database,
        model_path,
        open_session,
        plan_session,
    )
    from leapsql_core.starter import start_project
    from leapsql_core.state import SqliteStateStore, open_state_reader
    from leapsql_core.upkeep import close_left_runs, find_left_runs, is_left
    from leapsql_core.warehouses.duckdb.warehouse import DuckDBWarehouse

_HOMES = {
    "deferral": "Base defer open_base same_as",
    "errors": ("LeapSQLError Problem ProjectError SelectionError StateError UsageError WarehouseError"),
    "execution": "Event ModelFinished ModelStarted Origin RunFinished RunOptions RunStarted origins source_versions",
    "memory": "is_undone latest_attempts latest_test_results left_undone standing_partitions statements_of_tests",
    "models": (
        "Column DataTest DataTestResult Decision Model ModelRun Node PartitionTrace Partitioning Project Relation Run"
        " Seed Snapshot Source Target Trace"
    ),
    "names": "did_you_mean",
    "partitions": "partitioning_of read_moment reads_by_window",
    "planning": "Plan",
    "project": "problem_within",
    "protocols": "StateReader StateStore Warehouse",
    "runs": "models_built_in stream_session_run",
    "session": "Planned Session choose find_catalog find_database model_path open_session plan_session",
    "starter": "start_project",
    "state": "SqliteStateStore open_state_reader",
    "upkeep": "close_left_runs find_left_runs is_left",
    "warehouses.duckdb.warehouse": "DuckDBWarehouse",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "Base",
    "Column",
    "DataTest",
    "DataTestResult",
    "Decision",
    "DuckDBWarehouse",
    "Event",
    "LeapSQLError",
    "Model",
    "ModelFinished",
    "ModelRun",
    "ModelStarted",
    "Node",
    "Origin",
    "PartitionTrace",
    "Partitioning",
    "Plan",
    "Planned",
    "Problem",
    "Project",
    "ProjectError",
    "Relation",
    "Run",
    "RunFinished",
    "RunOptions",
    "RunStarted",
    "Seed",
    "SelectionError",
    "Session",
    "Snapshot",
    "Source",
    "SqliteStateStore",
    "StateError",
    "StateReader",
    "StateStore",
    "Target",
    "Trace",
    "UsageError",
    "Warehouse",
    "WarehouseError",
    "choose",
    "close_left_runs",
    "defer",
    "did_you_mean",
    "find_catalog",
    "find_database",
    "find_left_runs",
    "is_left",
    "is_undone",
    "latest_attempts",
    "latest_test_results",
    "left_undone",
    "model_path",
    "models_built_in",
    "open_base",
    "open_session",
    "open_state_reader",
    "origins",
    "partitioning_of",
    "plan_session",
    "problem_within",
    "read_moment",
    "reads_by_window",
    "same_as",
    "source_versions",
    "standing_partitions",
    "start_project",
    "statements_of_tests",
    "stream_session_run",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF})
