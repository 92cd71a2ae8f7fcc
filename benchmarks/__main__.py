"""Runs every benchmark; prints Markdown."""

from benchmarks import data_versions, no_change

no_change.main()
print()
data_versions.main()
