"""Benchmarks: projects made to measure, and what is measured on them, always beside a baseline of the same minute."""
