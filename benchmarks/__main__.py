"""Runs every benchmark; prints Markdown."""

from benchmarks import data_versions, loading, no_change

no_change.main()
print()
data_versions.main()
print()
loading.main()
