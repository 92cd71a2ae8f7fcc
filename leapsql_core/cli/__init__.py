"""The command line: what `leapsql` asks of the core, and how it shows the answers."""

from leapsql_core.cli.app import main

__all__ = ["main"]
