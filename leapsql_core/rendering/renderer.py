"""The renderer: templates of one project become SQL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import CodeType
from typing import TYPE_CHECKING, Any

from leapsql_core.errors import Problem, ProjectError
from leapsql_core.hashing import fingerprint
from leapsql_core.names import did_you_mean
from leapsql_core.rendering.complaints import failed_compiling, failed_rendering
from leapsql_core.rendering.scope import (
    BUILT_IN,
    MacroFile,
    Rendered,
    RunValues,
    Scope,
    This,
    holds_jinja,
    plain,
    stream_name_problems,
)

if TYPE_CHECKING:
    from leapsql_core.rendering.sandbox import Sandbox

#: How Python prints what has no text of its own, most often with an address that differs each time.
_THING = re.compile(r"(?P<thing><[^<>]+)(?: at 0x[0-9A-Fa-f]+>)|(?P<macro><Macro [^<>]+)>")
_NOT_GIVEN: Any = object()


@dataclass(slots=True)
class Noted:
    """What a rendering used: run values, macro files, variables of the system."""

    run_values: set[str] = field(default_factory=set)
    macros: set[str] = field(default_factory=set)
    variables: set[str] = field(default_factory=set)


class Renderer:
    """Renders templates of one project; compiles each text once."""

    def __init__(self, scope: Scope, macros: Mapping[str, MacroFile]) -> None:
        self._scope = scope
        self._macros = dict(sorted(macros.items()))
        self._compiled: dict[tuple[str, str], CodeType] = {}

    @property
    def macro_texts(self) -> list[list[str]]:
        """File, stem and text of each macro file."""
        return [[macro.file, stem, macro.text] for stem, macro in self._macros.items()]

    @cached_property
    def surroundings(self) -> str | None:
        """What a rendering depends on beside the template and its model: a fingerprint of all that the scope shows.

        But for variables of the system: a rendering says which of them it looked up. ``None`` if the scope shows
        something that is no plain data, so that nobody can tell whether it is the same again.
        """
        scope = self._scope
        target = [scope.target.name, scope.target.type, scope.target.schema, scope.target.database]
        try:
            return fingerprint([plain(dict(scope.project)), target, plain(dict(scope.variables)), self.macro_texts])
        except TypeError:
            return None

    def variable(self, name: str) -> str | None:
        """Return a variable of the system, ``None`` if it is not set."""
        return self._scope.environ.get(name)

    def check_macros(self) -> None:
        """Compile every macro file.

        Raises:
            ProjectError: with the problems of all of them.
        """
        problems: list[Problem] = list(stream_name_problems(self._macros))
        for macro in self._macros.values():
            try:
                self._compile(macro.text, macro.file, 1)
            except ProjectError as exc:
                problems.extend(exc.problems)
        if problems:
            raise ProjectError(problems)

    def render(
        self,
        template: str,
        *,
        file: str,
        line: int,
        this: This,
        incremental: bool = False,
        run_values: RunValues | None = None,
    ) -> Rendered:
        """Render `template`, which begins at `line` of `file`.

        Raises:
            ProjectError: bad syntax, an undefined name, or anything that the template's own code raises.
        """
        if not holds_jinja(template):
            return Rendered(template)
        code = self._compile(template, file, line)
        noted = Noted()
        context = self._context(this, incremental, run_values or RunValues(), noted)
        try:
            text = self._sandbox.render(code, context).strip()
        except ProjectError:
            raise
        except Exception as exc:
            variables = self._scope.variables
            problem = failed_rendering(exc, file=file, line=line, macros=self._macros, variables=variables)
            raise ProjectError([problem]) from exc
        thing = _THING.search(text)
        if thing is not None and thing[0] not in template:
            cause = f"`{thing['thing'] or thing['macro']}>` cannot be printed"
            raise ProjectError([Problem(file, line, cause, "Is a call `()` missing?")])
        return Rendered(text, *map(tuple, map(sorted, (noted.run_values, noted.macros, noted.variables))))

    @cached_property
    def _sandbox(self) -> Sandbox:
        from leapsql_core.rendering.sandbox import Sandbox  # Jinja takes a while to load, and most models hold none

        return Sandbox()

    def _compile(self, text: str, file: str, line: int) -> CodeType:
        code = self._compiled.get((file, text))
        if code is None:
            sandbox = self._sandbox
            try:
                code = sandbox.compile(text, name=file, filename=file)
            except Exception as exc:
                filters = [name for name in sandbox.filters if name.isidentifier()]
                problem = failed_compiling(exc, file=file, line=line, filters=filters, tests=sandbox.tests)
                raise ProjectError([problem]) from exc
            self._compiled[file, text] = code
        return code

    def _context(self, this: This, incremental: bool, run_values: RunValues, noted: Noted) -> dict[str, Any]:
        from leapsql_core.rendering.sandbox import LOOKED_UP, Facts, MacroNamespace, SystemVariables, Undefined

        scope = self._scope

        def var(name: str, default: Any = _NOT_GIVEN) -> Any:
            if name in scope.variables:
                return scope.variables[name]
            if default is not _NOT_GIVEN:
                return default
            hint = did_you_mean(str(name), scope.variables, otherwise="Add it under `vars:` in leapsql.yaml.")
            return Undefined(f"variable `{name}` is not set. {hint}")

        def is_incremental() -> bool:
            return incremental

        # Python names a function so when it is called with the wrong arguments.
        var.__qualname__, is_incremental.__qualname__ = "var", "is_incremental"
        target = scope.target
        context: dict[str, Any] = {
            "env": SystemVariables(scope.environ, noted.variables),
            "config": Facts("`config`", scope.project),
            "target": Facts(
                "`target`",
                {"name": target.name, "type": target.type, "schema": target.schema, "database": target.database},
            ),
            "this": this,
            "var": var,
            "is_incremental": is_incremental,
            "run_started_at": run_values.run_started_at,
            "last_run_at": run_values.last_run_at,
            LOOKED_UP: noted.run_values,
        }
        for stem, macro in self._macros.items():

            def load(macro: MacroFile = macro) -> Any:
                noted.macros.add(macro.file)
                return self._sandbox.template(self._compile(macro.text, macro.file, 1)).make_module(context)

            if stem not in BUILT_IN:
                context[stem] = MacroNamespace(stem, macro.file, load)
        return context
