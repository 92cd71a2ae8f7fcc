"""What a run is asked for: fields of the resource, which run tags override; and where each value comes from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from leapsql_core import UsageError
from leapsql_dagster.loading import LeapSQLProject

Mode = Literal["all", "changed"]

MODE_TAG = "leapsql/mode"
FULL_REFRESH_TAG = "leapsql/full_refresh"
ENVIRONMENT_TAG = "leapsql/environment"
VARS_TAG = "leapsql/vars"
CHANGE_TAG = "leapsql/change"

_PREFIX = "leapsql/"
_KNOWN_TAGS = (MODE_TAG, FULL_REFRESH_TAG, ENVIRONMENT_TAG, VARS_TAG, CHANGE_TAG)
_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})


@dataclass(frozen=True)
class RunSettings:
    """What holds for one run. `origins` says of each value where it comes from.

    `environment` of ``None`` and empty `variables` leave those of the loaded project as they are.
    """

    mode: Mode
    full_refresh: bool
    environment: str | None
    variables: Mapping[str, Any]
    origins: Mapping[str, str]

    def describe(self, environment: str) -> str:
        """Return the values in one line, with their origins; `environment` is the one that the run is in."""
        shown = {
            "mode": self.mode,
            "full_refresh": str(self.full_refresh).lower(),
            "environment": environment,
            "vars": json.dumps(dict(self.variables), sort_keys=True, default=str),
        }
        return ", ".join(f"{name} = {value} ({self.origins[name]})" for name, value in shown.items())

    def project_for(self, loaded: LeapSQLProject, *, environment: str, database: str | None) -> LeapSQLProject:
        """Return the project that this run executes: `loaded` itself, unless the run asks for something else.

        `environment` is the one that `loaded` was read for.
        """
        variables = {**(loaded.variables or {}), **self.variables}
        chosen = replace(
            loaded,
            environment=self.environment or loaded.environment,
            variables=variables or None,
            database=database or loaded.database,
        )
        same = (
            (chosen.environment or environment) == environment
            and (chosen.variables or {}) == (loaded.variables or {})
            and chosen.database == loaded.database
        )
        return loaded if same else chosen


def settings_of_run(
    *, mode: Mode, full_refresh: bool, environment: str | None, variables: Mapping[str, Any], tags: Mapping[str, str]
) -> RunSettings:
    """Return the settings of a run from the resource's fields and the run's tags; tags win.

    Raises:
        UsageError: a tag of ours that is not known, or a value that its tag does not take.
    """
    for name in sorted(tags):
        if name.startswith(_PREFIX) and name not in _KNOWN_TAGS:
            raise UsageError(f"unknown run tag {name}", mend=f"Known: {', '.join(_KNOWN_TAGS)}.")
    origins = dict.fromkeys(("mode", "full_refresh", "environment", "vars"), "resource")
    origins["environment"] = "resource" if environment else "assets"
    if MODE_TAG in tags:
        mode, origins["mode"] = _as_mode(tags[MODE_TAG]), f"tag {MODE_TAG}"
    if FULL_REFRESH_TAG in tags:
        full_refresh, origins["full_refresh"] = _as_bool(tags[FULL_REFRESH_TAG]), f"tag {FULL_REFRESH_TAG}"
    if ENVIRONMENT_TAG in tags:
        environment, origins["environment"] = tags[ENVIRONMENT_TAG], f"tag {ENVIRONMENT_TAG}"
    if VARS_TAG in tags:
        variables, origins["vars"] = {**variables, **_as_variables(tags[VARS_TAG])}, f"tag {VARS_TAG}"
    return RunSettings(mode, full_refresh, environment or None, variables, origins)


def _as_mode(value: str) -> Mode:
    if value == "all":
        return "all"
    if value == "changed":
        return "changed"
    raise UsageError(f"run tag {MODE_TAG}: unknown mode {value!r}", mend="Write all or changed.")


def _as_bool(value: str) -> bool:
    if value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    raise UsageError(f"run tag {FULL_REFRESH_TAG}: {value!r} is neither true nor false", mend="Write true or false.")


def _as_variables(value: str) -> dict[str, Any]:
    try:
        found = json.loads(value)
    except json.JSONDecodeError as exc:
        raise UsageError(f"run tag {VARS_TAG} is not JSON: {exc}", mend='Write {"name": value}.') from exc
    if not isinstance(found, dict):
        raise UsageError(f"run tag {VARS_TAG} is not a JSON object", mend='Write {"name": value}.')
    return found
