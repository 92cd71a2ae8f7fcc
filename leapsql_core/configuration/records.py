"""A project's configuration as a record, and what of the system's environment takes part in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from leapsql_core.masking import Secrets
from leapsql_core.models import SourceConfig, Target

CONFIG_FILE = "leapsql.yaml"
DEFAULT_STATE_PATH = ".leapsql/state.db"

#: ``$${`` is an escaped ``${``; what else begins with ``${`` is a variable, or a mistake.
VARIABLE = re.compile(r"\$\$\{|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<default>:-[^}]*)?\}|[^}]*\}?)")

#: Where a variable may begin, whatever stands before it: what opens in a comment does not close over the next line.
_NAMED = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")


@dataclass(frozen=True, slots=True)
class ProjectConfig:
    """``leapsql.yaml`` as one environment sees it; paths are as written there.

    ``secret_names`` are all that ``secrets:`` names, ``secrets`` those of them that are set. ``sample_limit`` is how
    many failures of a test are shown at most. ``lines`` are those of its keys and, as ``sources.<name>``, of its
    sources.
    """

    name: str
    models_dir: str
    seeds_dir: str
    macros_dir: str
    state_path: str
    environment: str
    environments: tuple[str, ...]
    target: Target
    vars: Mapping[str, Any]
    sources: Mapping[str, SourceConfig]
    secrets: Secrets
    secret_names: tuple[str, ...] = ()
    sample_limit: int = 5
    lines: Mapping[str, int] = field(default_factory=dict)


def variables_in(text: str) -> list[str] | None:
    """Return the variables of the system that a text of `leapsql.yaml` may read, sorted.

    It is ``None`` if the text does not show them: a backslash may spell any character of a string.

    >>> variables_in("{a: ${B}, b: ${A:-x}} # ${")
    ['A', 'B']
    """
    return None if "\\" in text else sorted(set(_NAMED.findall(text)))


def secrets_of(names: Iterable[str], environ: Mapping[str, str]) -> Secrets:
    """Return the secrets among the variables of the system that bear `names`, of those that are set."""
    return Secrets({name: environ[name] for name in sorted(names) if environ.get(name)})
