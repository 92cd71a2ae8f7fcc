"""Runs every benchmark; prints Markdown."""

from benchmarks import data_versions, full_build, no_change

no_change.main()
print()
full_build.main()
print()
data_versions.main()
