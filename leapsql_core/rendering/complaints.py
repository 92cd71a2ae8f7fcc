"""Complaints: what went wrong in a template, in which line of which file, and how to mend it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from types import TracebackType
from typing import Any

from leapsql_core.errors import Problem
from leapsql_core.names import did_you_mean
from leapsql_core.rendering.scope import BUILT_IN, MacroFile

_UNDEFINED = re.compile(r"'(\w+)' is undefined")
_UNKNOWN = re.compile(r"No (filter|test) named '(.+)'")
_PARAMETER = re.compile(r"'l_\d+_")
_MACRO = re.compile(r"\{%[-+]?\s*macro\s+(\w+)")


def template_lines(traceback: TracebackType | None, files: Collection[str]) -> Iterator[tuple[str, int]]:
    """Yield file and line of each template frame, outermost first; Jinja gives template frames their file's name."""
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename in files:
            yield traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
        traceback = traceback.tb_next


def failed_rendering(
    exc: Exception, *, file: str, line: int, macros: Mapping[str, MacroFile], variables: Collection[str]
) -> Problem:
    """Return what is wrong with a template that begins at `line` of `file` and failed with `exc`."""
    files = {file, *(macro.file for macro in macros.values())}
    lines = [(name, n + (line - 1 if name == file else 0)) for name, n in template_lines(exc.__traceback__, files)]
    where, at = lines[-1] if lines else (file, line)
    cause, _, mend = (str(exc) or type(exc).__name__).partition(". ")
    undefined = _UNDEFINED.fullmatch(cause)
    if undefined is not None:
        mend = _undefined_mend(undefined[1], macros, variables)
    elif "no loader" in cause:
        cause, mend = "a template cannot include other files", "Put shared text into a macro: macros/name.sql."
    elif cause.endswith("is unsafe."):
        mend = "A template reads what it is shown; it changes nothing and knows no clock."
    elif isinstance(exc, RecursionError):
        cause, mend = "the template nests too deep, or its macros call each other without end", "Take it apart."
    elif cause.startswith("the inline if-expression"):  # Jinja goes on with a line that is not the file's
        cause, mend = "an `if` without `else` is false here, so nothing can be printed", "Write {{ a if b else '' }}."
    elif "was not provided" in cause:
        mend = "Give it in the call, or give it a default: {% macro name(parameter=1) %}."
    cause = cause.rstrip(".")
    callers = [n for name, n in lines if name == file]
    if where != file and callers:
        cause += f", called from {file}:{callers[-1]}"
    return Problem(where, at, cause, mend or "Check what stands in this line, and of which type it is.")


def _undefined_mend(name: str, macros: Mapping[str, MacroFile], variables: Collection[str]) -> str:
    if name in variables:
        return f"Write var('{name}')."
    for stem, macro in macros.items():
        if name in _MACRO.findall(macro.text):
            return f"Write {stem}.{name}(…): it is a macro of {macro.file}."
    return did_you_mean(name, [*BUILT_IN, *macros], otherwise=f"Is it a variable? Write var('{name}').")


def failed_compiling(
    exc: Exception, *, file: str, line: int, filters: Collection[str], tests: Collection[str]
) -> Problem:
    """Return what is wrong with a template that begins at `line` of `file` and that Jinja cannot read."""
    if isinstance(exc, RecursionError | MemoryError):
        return Problem(file, line, "the template nests too deep", "Take it apart.")
    if isinstance(exc, SyntaxError):  # Python refuses what Jinja wrote, and counts the lines of that
        at, message = line, _PARAMETER.sub("'", exc.msg)
    else:
        at, message = line + getattr(exc, "lineno", 1) - 1, str(getattr(exc, "message", None) or exc).rstrip(".")
    return Problem(file, at, f"template syntax: {message}", _syntax_mend(message, filters, tests))


def _syntax_mend(message: str, filters: Collection[str], tests: Collection[str]) -> str:
    unknown = _UNKNOWN.match(message)
    if unknown is not None:
        known: Any = filters if unknown[1] == "filter" else tests
        return did_you_mean(unknown[2], known, otherwise="The Jinja documentation lists those that there are.")
    if "nexpected end of template" in message or "end of print statement" in message:
        return "Close every {{ with }}, every {% with %}, every {% if %} and {% for %} with its end."
    return "See the Jinja documentation, or quote braces that are not Jinja: {{ '{{' }}."
