"""What the shell must offer to decisions and execution: state store and warehouse, with the records they take."""

from leapsql_core.protocols.state import Build, ModelFacts, NewModelRun, StateReader, StateStore, StateWriter
from leapsql_core.protocols.warehouse import (
    AskedTest,
    DataVersions,
    Marker,
    Replacement,
    Slice,
    Warehouse,
    WarehouseTransaction,
)

__all__ = [
    "AskedTest",
    "Build",
    "DataVersions",
    "Marker",
    "ModelFacts",
    "NewModelRun",
    "Replacement",
    "Slice",
    "StateReader",
    "StateStore",
    "StateWriter",
    "Warehouse",
    "WarehouseTransaction",
]
