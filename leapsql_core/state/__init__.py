"""The state: what was built, from which code and which data, in one SQLite file."""

from leapsql_core.state.copies import back_up, name_copy
from leapsql_core.state.inquiry import query_state
from leapsql_core.state.inspection import find_damage
from leapsql_core.state.pruning import Pruned, Retention, foresee, prune
from leapsql_core.state.reader import open_state_reader
from leapsql_core.state.restoring import restore
from leapsql_core.state.sqlite import SqliteStateStore, utc_now

__all__ = [
    "Pruned",
    "Retention",
    "SqliteStateStore",
    "back_up",
    "find_damage",
    "foresee",
    "name_copy",
    "open_state_reader",
    "prune",
    "query_state",
    "restore",
    "utc_now",
]
