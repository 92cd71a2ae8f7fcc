"""Settings of the target: an input of every build, for some of them change answers (a time zone, a collation)."""

from __future__ import annotations

import json
from collections.abc import Mapping

from leapsql_core.hashing import canonical_json, fingerprint
from leapsql_core.masking import Secrets
from leapsql_core.models import Trace, TraceInput

#: The name of the settings among the inputs of a trace; no relation bears it, for it would be two words in quotes.
SETTINGS = "settings of the target"


def settings_input(settings: Mapping[str, str], secrets: Secrets) -> tuple[TraceInput, ...]:
    """Return the settings that a build ran with as an input of its trace; none where all were as usual."""
    if not settings:
        return ()
    text = canonical_json(_masked(settings, secrets))
    return (TraceInput(SETTINGS, text, (), fingerprint(text)),)


def compare_settings(trace: Trace, settings: Mapping[str, str], secrets: Secrets) -> str | None:
    """Return in words how the settings differ from those that `trace` was built with, ``None`` if in nothing."""
    kept = next((entry.relation for entry in trace.inputs if entry.name == SETTINGS), "{}")
    before: dict[str, str] = json.loads(kept)
    now = _masked(settings, secrets)
    changed = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    if not changed:
        return None
    said = [f"{name} was {before.get(name, 'as usual')}, now {now.get(name, 'as usual')}" for name in changed]
    return f"settings of the target: {'; '.join(said)}"


def _masked(settings: Mapping[str, str], secrets: Secrets) -> dict[str, str]:
    return {name: secrets.mask(value) for name, value in settings.items()}
