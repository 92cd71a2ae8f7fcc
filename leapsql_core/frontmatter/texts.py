"""The text of a model, taken apart into frontmatter and template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from leapsql_core.errors import Problem, ProjectError
from leapsql_core.models import ModelConfig

if TYPE_CHECKING:
    from leapsql_core.documents import KeyPath

_OPENING = re.compile(r"\s*/\*---(?![-*])")
_CLOSING = "---*/"
_LATE = re.compile(r"^[ \t]*/\*---[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ModelText:
    """A model's file taken apart.

    ``line`` is the line of the file that the template begins at. ``lines`` are those of frontmatter keys, of keys
    within them (``columns.id``) and, by their labels, of tests.
    """

    config: ModelConfig
    template: str
    line: int
    lines: Mapping[str, int] = field(default_factory=dict)


def holds_frontmatter(text: str) -> bool:
    """Tell whether a model's text begins with frontmatter.

    >>> holds_frontmatter("/*--- owner: a ---*/ select 1"), holds_frontmatter("/*--- no ---- */ select 1")
    (True, True)
    >>> holds_frontmatter("select 1 as a")
    False
    """
    return _OPENING.match(text) is not None


def read_model_text(text: str, *, file: str) -> ModelText:
    """Take the text of a model apart.

    Raises:
        ProjectError: the frontmatter does not end, or says something it may not; all of it at once.
    """
    opening = _OPENING.match(text)
    if opening is None:
        late = _LATE.search(text)
        if late is not None and _CLOSING in text[late.end() :]:
            cause, mend = "the frontmatter is not at the top", "Move it before everything else, comments included."
            raise ProjectError([Problem(file, 1 + text.count("\n", 0, late.start()), cause, mend)])
        return _model_text(ModelConfig(), text, 1, {})
    first_line = 1 + text.count("\n", 0, opening.end())
    end = text.find(_CLOSING, opening.end())
    if end < 0:
        mend = f"End it with a line `{_CLOSING}`."
        raise ProjectError([Problem(file, first_line, "the frontmatter does not end", mend)])
    # What reads YAML takes long to load, and most files were read before.
    from leapsql_core.frontmatter.reading import read_frontmatter

    config, lines = read_frontmatter(text[opening.end() : end], file=file, first_line=first_line)
    after = end + len(_CLOSING)
    return _model_text(config, text[after:], 1 + text.count("\n", 0, after), lines)


def frontmatter_line(text: str, keys: KeyPath, *, file: str) -> int:
    """Return the line of `file`, whose `text` begins with frontmatter, that `keys` lead to, or the nearest around it.

    Raises:
        ProjectError: the frontmatter cannot be read as YAML.
    """
    from leapsql_core.documents import read_yaml

    opening = _OPENING.match(text)
    if opening is None:
        return 1
    end = text.find(_CLOSING, opening.end())
    first_line = 1 + text.count("\n", 0, opening.end())
    return read_yaml(text[opening.end() : max(end, opening.end())], file=file, first_line=first_line).line_of(keys)


def _model_text(config: ModelConfig, rest: str, line: int, lines: Mapping[str, int]) -> ModelText:
    template = rest.strip()
    return ModelText(config, template, line + rest[: len(rest) - len(rest.lstrip())].count("\n"), lines)
