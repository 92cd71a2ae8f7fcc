"""Fakes to test with: they keep the promises of what they stand for, without a database."""

from leapsql_core.testing.state import InMemoryStateStore

__all__ = ["InMemoryStateStore"]
