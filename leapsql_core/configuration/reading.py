"""Reading `leapsql.yaml`: variables filled in, checked, and seen from one environment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from leapsql_core.configuration.records import CONFIG_FILE, VARIABLE, ProjectConfig, secrets_of
from leapsql_core.configuration.schemas import (
    EnvironmentDocument,
    EnvironmentTargetDocument,
    ProjectDocument,
    TargetDocument,
)
from leapsql_core.documents import KeyPath, YamlText, read_yaml, validate_document
from leapsql_core.errors import Problem, ProjectError, UsageError
from leapsql_core.models import SourceConfig, Target
from leapsql_core.names import did_you_mean, fold


def read_configuration(
    text: str,
    *,
    project_name: str,
    environ: Mapping[str, str],
    environment: str | None = None,
    variables: Mapping[str, Any] | None = None,
) -> ProjectConfig:
    """Read the text of ``leapsql.yaml`` for `environment`, or for its own default.

    `project_name` serves when the file names none; `variables` win over those of file and environment.

    Raises:
        ProjectError: the file is wrong, or the environment reads a variable of the system that is not set.
        UsageError: no environment of that name.
    """
    document, lines = _read_document(text, environ, environment)
    chosen = document.environment if environment is None else environment
    known = sorted({document.environment, *document.environments})
    if chosen not in known:
        mend = did_you_mean(chosen, known, otherwise=f"Add it under `environments:` in {CONFIG_FILE}.")
        raise UsageError(f"there is no environment `{chosen}`", mend=mend)
    own = document.environments.get(chosen, EnvironmentDocument())
    return ProjectConfig(
        name=document.name or project_name,
        models_dir=document.models_dir,
        seeds_dir=document.seeds_dir,
        macros_dir=document.macros_dir,
        state_path=document.state_path,
        environment=chosen,
        environments=tuple(known),
        target=_target(chosen, document.target, own.target),
        vars={**document.vars, **own.vars, **(variables or {})},
        sources={
            name: SourceConfig(source.version, source.column, source.description, source.meta)
            for name, source in sorted(document.sources.items())
        },
        secrets=secrets_of(document.secrets, environ),
        secret_names=tuple(sorted(document.secrets)),
        sample_limit=document.tests.limit,
        lines=lines,
    )


def source_line(text: str, source: str, keys: KeyPath) -> int:
    """Return the line of ``leapsql.yaml`` that `keys` lead to in the entry of `source`, or the nearest around it.

    Raises:
        ProjectError: the text cannot be read as YAML.
    """
    written = read_yaml(text, file=CONFIG_FILE)
    entries = written.data.get("sources")
    for name in entries if isinstance(entries, dict) else ():
        if fold(name) == fold(source):
            return written.line_of(("sources", name, *keys))
    return written.line_of(("sources",))


def _read_document(
    text: str, environ: Mapping[str, str], environment: str | None
) -> tuple[ProjectDocument, dict[str, int]]:
    """Read the text with its variables filled in; also return the lines of keys and sources."""
    written = read_yaml(text, file=CONFIG_FILE)
    filled, problems = _fill_variables(written, environ, environment)
    unset = {problem.line for problem in problems}
    problems += _stream_repeated_sources(written)
    lines = {".".join(map(str, path)): line for path, line in written.lines.items() if len(path) == 1}
    lines.update(
        {f"sources.{path[1]}": n for path, n in written.lines.items() if path[:1] == ("sources",) and len(path) == 2}
    )
    try:
        hidden = secrets_of(_named(filled.data.get("secrets")), environ)
        document = validate_document(filled, ProjectDocument, mask=hidden.mask)
    except ProjectError as exc:
        # What a variable that is not set leaves behind is not wrong for a second reason.
        problems += [problem for problem in exc.problems if problem.line not in unset or "${" not in problem.cause]
        raise ProjectError(problems) from exc
    if problems:
        raise ProjectError(problems)
    return document, lines


def _named(secrets: Any) -> list[str]:
    """Return the names under ``secrets:``, whatever else is written there: it was not checked yet."""
    names = secrets if isinstance(secrets, list) else [secrets]
    return [name for name in names if isinstance(name, str)]


def _stream_repeated_sources(written: YamlText) -> Iterator[Problem]:
    sources = written.data.get("sources")
    known: dict[str, str] = {}
    for name in sources if isinstance(sources, dict) else ():
        other = known.setdefault(fold(name), name)
        if other != name:
            cause = f"the sources `{other}` and `{name}` differ by case alone, which SQL does not look at"
            yield written.problem(("sources", name), cause, "Keep one of them.")


def _target(name: str, base: TargetDocument, own: EnvironmentTargetDocument) -> Target:
    return Target(
        name=name,
        type=own.type or base.type,
        database=own.database or base.database,
        schema=own.schema_ or base.schema_,
        settings={**base.settings, **own.settings},
        wait_seconds=base.wait_seconds if own.wait_seconds is None else own.wait_seconds,
    )


# ---------------------------------------------------------------------------------------------------------- variables


def _fill_variables(
    text: YamlText, environ: Mapping[str, str], environment: str | None
) -> tuple[YamlText, list[Problem]]:
    """Put the variables of the system in; what another environment cannot fill is left out of it, and no problem."""
    problems: list[Problem] = []
    default = _filled_text(text.data.get("environment"), environ, [])
    chosen = environment or default or ProjectDocument.model_fields["environment"].default

    def fill(value: Any, path: KeyPath) -> Any:
        if isinstance(value, dict):
            return {
                key: filled for key, inner in value.items() if (filled := fill(inner, (*path, key))) is not _LEFT_OUT
            }
        if isinstance(value, list):
            return [filled for n, inner in enumerate(value) if (filled := fill(inner, (*path, n))) is not _LEFT_OUT]
        if not isinstance(value, str):
            return value
        wrong: list[tuple[str, str]] = []
        filled = _filled_text(value, environ, wrong)
        if wrong and path[:1] == ("environments",) and path[1:2] != (chosen,):
            return _LEFT_OUT
        problems.extend(text.problem(path, cause, mend) for cause, mend in wrong)
        return filled

    data = fill(text.data, ())
    return YamlText(text.file, data, text.lines, text.first_line), problems


_LEFT_OUT: Final = object()


def _filled_text(value: Any, environ: Mapping[str, str], wrong: list[tuple[str, str]]) -> Any:
    """Replace ``${NAME}`` and ``${NAME:-default}``, which also serves for an empty variable; note what is `wrong`."""

    def fill(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        if match[0] == "$${":
            return "${"
        if name is None:
            wrong.append((f"`{match[0]}` names no variable", "Write ${NAME}, or $${ where ${ itself is meant."))
        elif default is not None:
            return environ.get(name) or default[2:]
        elif name in environ:
            return environ[name]
        else:
            wrong.append((f"environment variable {name} is not set", f"Set it, or write ${{{name}:-default}}."))
        return match[0]

    return VARIABLE.sub(fill, value) if isinstance(value, str) else value
