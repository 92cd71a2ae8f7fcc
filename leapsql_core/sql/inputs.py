"""Inputs: what the analysis of a query is told of the tables that it reads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownInput:
    """A table that a query reads: its name in the project, and its columns in order, ``None`` if they are unknown."""

    name: str
    columns: tuple[str, ...] | None
