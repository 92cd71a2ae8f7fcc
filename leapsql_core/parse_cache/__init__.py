"""What reading, rendering and analysis said before, kept by content beside the state.

Entries are keyed by all that an answer depends on. So an entry is right or absent: the file can be deleted at any
time, and one that cannot be read or written is done without. What holds a secret is not kept.
"""

from leapsql_core.parse_cache.cache import ParseCache

__all__ = ["ParseCache"]
