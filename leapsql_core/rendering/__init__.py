"""Templates become SQL; the only room where Jinja enters.

Rendering is a function of what is passed in: no clock, no chance, no file. A template that holds no Jinja is not
touched. What changes by the run (`run_started_at`, `last_run_at`) is a fixed placeholder until a run renders again.
"""

from leapsql_core.rendering.renderer import Renderer
from leapsql_core.rendering.scope import (
    PLACEHOLDER,
    RUN_VALUES,
    MacroFile,
    Rendered,
    RunValues,
    Scope,
    This,
    holds_jinja,
)

__all__ = [
    "PLACEHOLDER",
    "RUN_VALUES",
    "MacroFile",
    "Rendered",
    "Renderer",
    "RunValues",
    "Scope",
    "This",
    "holds_jinja",
]
