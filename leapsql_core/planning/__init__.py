"""What has to be built, what does not, and why: a function of the project, the traces and what was looked at."""

from leapsql_core.planning.adoption import Orphan, find_orphans, is_as_marked, markers_to_adopt
from leapsql_core.planning.agreement import Finding, FindingKind, stream_disagreements, stream_open
from leapsql_core.planning.asking import chosen_paths
from leapsql_core.planning.code import InputColumns, Prove, query_difference, text_hash, unified_difference
from leapsql_core.planning.column_sets import column_sets_read, sets_read_in_order
from leapsql_core.planning.data_differences import InputDifference
from leapsql_core.planning.data_tests import (
    compare_own_tests,
    data_test_basis,
    data_test_hash,
    tests_hash,
    tests_version,
)
from leapsql_core.planning.decisions import Plan, plan, seeds_rewritten, settle, texts_needed
from leapsql_core.planning.differences import (
    ColumnDifferences,
    FieldDifference,
    ModelDifference,
    Side,
    compare_columns,
    compare_environments,
    texts_to_compare,
)
from leapsql_core.planning.observations import Observations, Texts
from leapsql_core.planning.partitions import PartitionRange, Stock, inputs_by_window, stale_partitions, take_stock
from leapsql_core.planning.reach import chosen_behind
from leapsql_core.planning.remembering import remembered
from leapsql_core.planning.schema_changes import (
    OTHER_COLUMNS_MEND,
    SchemaChange,
    compare_batch,
    foreseen_change,
    may_differ,
)
from leapsql_core.planning.surroundings import changed_surroundings, in_words, is_defined, is_file, surroundings_of
from leapsql_core.planning.versions import (
    ALL_IN_ORDER,
    IN_ORDER,
    VersionBook,
    all_in_order,
    reads_for,
    reads_order,
    shape_of,
    version_key,
)

__all__ = [
    "ALL_IN_ORDER",
    "IN_ORDER",
    "OTHER_COLUMNS_MEND",
    "ColumnDifferences",
    "FieldDifference",
    "Finding",
    "FindingKind",
    "InputColumns",
    "InputDifference",
    "ModelDifference",
    "Observations",
    "Orphan",
    "PartitionRange",
    "Plan",
    "Prove",
    "SchemaChange",
    "Side",
    "Stock",
    "Texts",
    "VersionBook",
    "all_in_order",
    "changed_surroundings",
    "chosen_behind",
    "chosen_paths",
    "column_sets_read",
    "compare_batch",
    "compare_columns",
    "compare_environments",
    "compare_own_tests",
    "data_test_basis",
    "data_test_hash",
    "find_orphans",
    "foreseen_change",
    "in_words",
    "inputs_by_window",
    "is_as_marked",
    "is_defined",
    "is_file",
    "markers_to_adopt",
    "may_differ",
    "plan",
    "query_difference",
    "reads_for",
    "reads_order",
    "remembered",
    "seeds_rewritten",
    "sets_read_in_order",
    "settle",
    "shape_of",
    "stale_partitions",
    "stream_disagreements",
    "stream_open",
    "surroundings_of",
    "take_stock",
    "tests_hash",
    "tests_version",
    "text_hash",
    "texts_needed",
    "texts_to_compare",
    "unified_difference",
    "version_key",
]
