"""Complaints: what went wrong in a template, in which line of which file, and how to mend it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from types import TracebackType
from typing import Any

from leapsql_core.errors import Problem
from leapsql_core.names import did_you_mean
from leapsql_core.rendering.scope import BUILT_IN, MacroFile

_UNDEFINED = re.compile(r"'(\w+)' is undefined")
_UNKNOWN = re.compile(r"No (filter|test) named '(.+)'")
_MACRO = re.compile(r"\{%[-+]?\s*macro\s+(\w+)")


def last_template_line(traceback: TracebackType | None, files: Collection[str]) -> tuple[str | None, int | None]:
    """Return file and line of the innermost template frame; Jinja gives template frames their file's name."""
    found: tuple[str | None, int | None] = (None, None)
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename in files:
            found = (traceback.tb_frame.f_code.co_filename, traceback.tb_lineno)
        traceback = traceback.tb_next
    return found


def failed_rendering(
    exc: Exception, *, file: str, line: int, macros: Mapping[str, MacroFile], variables: Collection[str]
) -> Problem:
    """Return what is wrong with a template that begins at `line` of `file` and failed with `exc`."""
    where, lineno = last_template_line(exc.__traceback__, {file, *(macro.file for macro in macros.values())})
    at = None if lineno is None else lineno + (line - 1 if where == file else 0)
    cause, _, mend = (str(exc) or type(exc).__name__).partition(". ")
    undefined = _UNDEFINED.fullmatch(cause)
    if undefined is not None:
        mend = _undefined_mend(undefined[1], macros, variables)
    elif "no loader" in cause:
        cause, mend = "a template cannot include other files", "Put shared text into a macro: macros/name.sql."
    elif cause.endswith("is unsafe."):
        mend = "A template reads what it is shown; it changes nothing and knows no clock."
    elif isinstance(exc, RecursionError):
        cause, mend = "the template nests too deep, or its macros call each other without end", ""
    return Problem(where or file, at, cause.rstrip("."), mend)


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
    at = line + getattr(exc, "lineno", 1) - 1
    if isinstance(exc, RecursionError | MemoryError):
        return Problem(file, at, "the template nests too deep", "Take it apart.")
    message = str(getattr(exc, "message", None) or exc).rstrip(".")
    return Problem(file, at, f"template syntax: {message}", _syntax_mend(message, filters, tests))


def _syntax_mend(message: str, filters: Collection[str], tests: Collection[str]) -> str:
    unknown = _UNKNOWN.match(message)
    if unknown is not None:
        known: Any = filters if unknown[1] == "filter" else tests
        return did_you_mean(unknown[2], known, otherwise="The Jinja documentation lists those that there are.")
    if "nexpected end of template" in message or "end of print statement" in message:
        return "Close every {{ with }}, every {% with %}, every {% if %} and {% for %} with its end."
    return "See the Jinja documentation, or quote braces that are not Jinja: {{ '{{' }}."
