"""What a user asks for between runs: that state and warehouse agree, and that the state is kept."""

from leapsql_core.upkeep.agreement import Checkup, check_state
from leapsql_core.upkeep.closing import close_left_runs, find_left_runs, is_left
from leapsql_core.upkeep.keeping import Copy, Restored, back_up_state, prune_state, restore_state

__all__ = [
    "Checkup",
    "Copy",
    "Restored",
    "back_up_state",
    "check_state",
    "close_left_runs",
    "find_left_runs",
    "is_left",
    "prune_state",
    "restore_state",
]
