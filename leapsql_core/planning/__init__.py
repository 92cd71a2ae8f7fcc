"""What has to be built, what does not, and why: a function of the project, the traces and what was looked at."""

from leapsql_core.planning.code import InputColumns, Prove, text_hash
from leapsql_core.planning.data_tests import tests_hash, tests_version
from leapsql_core.planning.decisions import Plan, chosen_paths, plan, settle, texts_needed
from leapsql_core.planning.observations import Observations, Texts
from leapsql_core.planning.reach import chosen_behind
from leapsql_core.planning.surroundings import is_file, surroundings_of
from leapsql_core.planning.versions import (
    IN_ORDER,
    VersionBook,
    column_sets_read,
    sets_read_in_order,
    shape_of,
    version_key,
)

__all__ = [
    "IN_ORDER",
    "InputColumns",
    "Observations",
    "Plan",
    "Prove",
    "Texts",
    "VersionBook",
    "chosen_behind",
    "chosen_paths",
    "column_sets_read",
    "is_file",
    "plan",
    "sets_read_in_order",
    "settle",
    "shape_of",
    "surroundings_of",
    "tests_hash",
    "tests_version",
    "text_hash",
    "texts_needed",
    "version_key",
]
