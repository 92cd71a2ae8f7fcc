"""Runs every benchmark; prints Markdown."""

import sys

from benchmarks import data_versions, full_build, loading, no_change
from benchmarks.peers import compare

no_change.main()
print()
full_build.main()
print()
data_versions.main()
print()
loading.main()
print()
sys.argv += ["--write", "docs/performance.md"]
compare.main()
