"""The state: what was built, from which code and which data, in one SQLite file."""

from leapsql_core.state.inquiry import query_state
from leapsql_core.state.inspection import find_damage
from leapsql_core.state.reader import open_state_reader
from leapsql_core.state.sqlite import SqliteStateStore

__all__ = ["SqliteStateStore", "find_damage", "open_state_reader", "query_state"]
