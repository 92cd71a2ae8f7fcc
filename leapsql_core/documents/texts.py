"""YAML texts, read as plain data with the line of each value.

A word is a number, a boolean or nothing only where YAML 1.2 and JSON agree that it is one. So ``NO`` is a country,
``12:30`` a time, ``007`` an agent and ``2026-01-31`` the text it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from leapsql_core.errors import Problem, ProjectError

#: Where a value stands: the keys and the places in lists that lead to it.
KeyPath = tuple[str | int, ...]

_MOST_VALUES = 100_000
_DEEPEST = 50

#: PyYAML's parser, in C where it was built so. Only its events are used: its own reading of them has no bottom.
_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STRANGE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<fraction>\.[0-9]+)?(?P<exponent>[eE][-+]?[0-9]+)?")
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class YamlText:
    """What a YAML text holds, with the line of each value by its path of keys."""

    file: str
    data: dict[str, Any]
    lines: Mapping[KeyPath, int] = field(default_factory=dict)
    first_line: int = 1

    def line_of(self, path: KeyPath) -> int:
        """Return the line of the value at `path`, or of the nearest value around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, self.first_line)

    def problem(self, path: KeyPath, cause: str, mend: str = "") -> Problem:
        """Return a problem of the value at `path`."""
        return Problem(self.file, self.line_of(path), cause, mend)


def read_yaml(text: str, *, file: str, first_line: int = 1) -> YamlText:
    """Read `text`, which begins at line `first_line` of `file`, as a mapping.

    Raises:
        ProjectError: not YAML, not a mapping, a key twice, or anything that is not plain data.
    """
    strange = _STRANGE.search(text)
    if strange is not None:
        line = first_line + text.count("\n", 0, strange.start())
        cause = f"bad YAML: U+{ord(strange[0]):04X} is no character of a text"
        raise ProjectError([Problem(file, line, cause, "Take it out.")])
    lines: dict[KeyPath, int] = {}
    parser = _Parser(text)
    try:
        data = _Reader(parser, file, first_line, lines).read()
    except yaml.YAMLError as exc:
        raise ProjectError([_yaml_problem(exc, text, file, first_line)]) from exc
    finally:
        parser.dispose()
    if data is None:
        data = {}
    if not isinstance(data, dict):
        mend = "Write it as `key: value`, one a line."
        raise ProjectError([Problem(file, lines.get((), first_line), "expected keys and values", mend)])
    return YamlText(file=file, data=data, lines=lines, first_line=first_line)


@dataclass(frozen=True, slots=True)
class _Anchored:
    """A value that aliases may repeat, with how many values and how many levels it has."""

    value: Any
    size: int
    depth: int


class _Reader:
    """Turns the parser's events into plain data, noting lines; refuses what is not plain or has no end."""

    def __init__(self, parser: Any, file: str, first_line: int, lines: dict[KeyPath, int]) -> None:
        self._parser, self._file, self._first_line, self._lines = parser, file, first_line, lines
        self._anchored: dict[str, _Anchored] = {}
        self._read_so_far = 0
        self._deepest = 0

    def read(self) -> Any:
        next_event = self._parser.get_event
        next_event()
        if isinstance(next_event(), yaml.StreamEndEvent):
            return None
        value = self._value(next_event(), ())
        next_event()
        further = next_event()
        if not isinstance(further, yaml.StreamEndEvent):
            raise self._problem(further, "a second YAML document begins here", "Take the line `---` out.")
        return value

    def _value(self, event: Any, path: KeyPath) -> Any:
        self._lines.setdefault(path, self._line(event))
        self._spend(event, path)
        if isinstance(event, yaml.AliasEvent):
            return self._repeated(event, path)
        began, deepest, self._deepest = self._read_so_far, self._deepest, len(path)
        if isinstance(event, yaml.ScalarEvent):
            value: Any = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._check_tag(event, "seq")
            value = []
            while not isinstance(item := self._parser.get_event(), yaml.SequenceEndEvent):
                value.append(self._value(item, (*path, len(value))))
        else:
            self._check_tag(event, "map")
            value = self._mapping(path)
        if event.anchor:
            size = self._read_so_far - began + 1
            self._anchored[event.anchor] = _Anchored(value, size, self._deepest - len(path))
        self._deepest = max(deepest, self._deepest)
        return value

    def _mapping(self, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while not isinstance(event := self._parser.get_event(), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self._problem(event, "a key must be a word", "Braces? This text is no template: quote them.")
            key = self._text(event)
            inner = (*path, key)
            if key in found or (merged and key == "<<"):
                raise self._problem(event, f"key `{key}` stands here twice", "Keep one of them.")
            self._lines[inner] = self._line(event)
            value = self._value(self._parser.get_event(), inner)
            if key == "<<" and event.implicit[0]:
                merged = self._merged(event, value)
            else:
                found[key] = value
        for key in merged:
            self._lines.setdefault((*path, key), self._lines[(*path, "<<")])
        return {**merged, **found}

    def _merged(self, event: Any, value: Any) -> dict[str, Any]:
        """Return what ``<<`` brings into a mapping; of several mappings the earlier ones win."""
        merged: dict[str, Any] = {}
        for part in value if isinstance(value, list) else [value]:
            if not isinstance(part, dict):
                raise self._problem(event, "`<<` expects keys and values", "Write `<<: *name`.")
            merged = {**part, **merged}
        return merged

    def _repeated(self, event: Any, path: KeyPath) -> Any:
        known = self._anchored.get(event.anchor)
        if known is None:
            raise self._problem(
                event, f"the alias `*{event.anchor}` repeats nothing", f"Write `&{event.anchor}` before."
            )
        self._read_so_far += known.size - 1
        self._deepest = max(self._deepest, len(path) + known.depth)
        self._spend(event, (*path, *range(known.depth)))
        return known.value

    def _scalar(self, event: Any) -> Any:
        plain, _ = event.implicit
        text: str = self._text(event)
        if event.tag not in (None, "!", f"{_TAG}str"):
            raise self._not_plain(event)
        if event.tag is not None or not plain:
            return text
        if text in _WORDS:
            return _WORDS[text]
        number = _NUMBER.fullmatch(text)
        if number is None:
            return text
        try:
            value = int(text) if number["fraction"] is None and number["exponent"] is None else float(text)
        except ValueError:  # Python reads no more than some thousand digits
            return text
        if not math.isfinite(value):
            raise self._problem(event, f"the number `{text}` is too large", "Quote it, if it is a text.")
        return value

    def _text(self, event: Any) -> str:
        """Return a word as it is meant; what files and databases take for the end of a text is none of it."""
        text: str = event.value
        if "\0" in text:
            raise self._problem(event, "bad YAML: U+0000 is no character of a text", "Take it out.")
        return text

    def _spend(self, event: Any, path: KeyPath) -> None:
        self._read_so_far += 1
        self._deepest = max(self._deepest, len(path))
        if self._read_so_far > _MOST_VALUES or len(path) > _DEEPEST:
            raise self._problem(event, "too large or too deeply nested", "Aliases (`*name`) that repeat each other?")

    def _check_tag(self, event: Any, kind: str) -> None:
        if event.tag not in (None, "!", _TAG + kind):
            raise self._not_plain(event)

    def _not_plain(self, event: Any) -> ProjectError:
        tag = event.tag.replace(_TAG, "!!")
        return self._problem(event, f"the tag `{tag}` makes this no plain data", "Take it out.")

    def _line(self, event: Any) -> int:
        return int(event.start_mark.line) + self._first_line

    def _problem(self, event: Any, cause: str, mend: str = "") -> ProjectError:
        return ProjectError([Problem(self._file, self._line(event), cause, mend)])


def _yaml_problem(exc: yaml.YAMLError, text: str, file: str, first_line: int) -> Problem:
    mark = getattr(exc, "problem_mark", None)
    # Where the text ends too early the parser points behind it.
    line = min(mark.line if mark else 0, text.rstrip().count("\n"))
    cause = str(getattr(exc, "problem", None) or "not YAML")
    mend = "Check indentation, colons and quotes here."
    if "${" in "".join(text.split("\n")[line : line + 1]):
        mend = 'Inside braces and brackets, quote it: "${NAME}".'
    elif "cannot start any token" in cause:
        mend = "Quote the value, and indent with spaces, not tabs."
    return Problem(file, first_line + line, f"bad YAML: {cause}", mend)
