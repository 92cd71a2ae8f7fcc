"""Selections: ``name``, ``path``, ``folder.*``, ``tag:x``, ``owner:x``, ``materialized:x``, ``state:changed``.

Each may stand with ``+`` before it (and all above), after it (and all below), or a number and ``+`` (so many steps).
Comma or space joins; what is excluded is taken away at the end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from fnmatch import fnmatchcase

from leapsql_core.errors import SelectionError
from leapsql_core.graph import children_of, reachable
from leapsql_core.models import Model, Node, Project
from leapsql_core.names import did_you_mean

_WORD = re.compile(r"(?P<up>[0-9]{0,6}\+)?(?P<core>[^+]+)(?P<down>\+[0-9]{0,6})?")
#: What a name may hold and a word of a selection may not.
_PARTS = re.compile(r"[,+\s]")
_METHODS = ("materialized", "owner", "state", "tag")

#: Gives the paths of models that the plan would build; asked only if a selection says ``state:changed``.
Changed = Callable[[], Collection[str]]


def words_of(expressions: Iterable[str]) -> list[str]:
    """Split selections into their words.

    >>> words_of(["a+,tag:x", "b c"])
    ['a+', 'tag:x', 'b', 'c']
    """
    return [word for expression in expressions for word in re.split(r"[,\s]+", expression) if word]


def needs_state(expressions: Iterable[str]) -> bool:
    """Tell whether a selection can only be answered by looking at the state."""
    return any(word.lstrip("+0123456789").startswith("state:") for word in words_of(expressions))


def select(
    project: Project, select: Iterable[str] = (), *, exclude: Iterable[str] = (), changed: Changed | None = None
) -> list[str]:
    """Return the paths that a selection means, parents first; all of them if there is none.

    Raises:
        SelectionError: a word that cannot be read or selects nothing, with the nearest names; text without a word.
    """
    expressions = list(select)
    words = _words(project, expressions)
    if expressions and not words:
        raise SelectionError("the selection is empty", mend="Leave it out to select everything.")
    chosen = set[str]() if words else set(project.nodes)
    for word in words:
        chosen |= _meant(project, word, changed)
    for word in _words(project, exclude):
        chosen -= _meant(project, word, changed)
    return [path for path in project.nodes if path in chosen]


def _words(project: Project, expressions: Iterable[str]) -> list[str]:
    """Split selections into their words, but for those that are wholly the name of something, spaces and all."""
    names = {name for path, node in project.nodes.items() for name in (path, node.name)}
    return [word for text in expressions for word in ([text] if text in names else words_of([text]))]


def _meant(project: Project, word: str, changed: Changed | None) -> set[str]:
    if _PARTS.search(word):
        named = {path for path, node in project.nodes.items() if word in (path, node.name)}
        if named:
            return named
    match = _WORD.fullmatch(word)
    if match is None:
        raise SelectionError(f"the selection `{word}` cannot be read", mend="Write +name, name+, +name+ or 2+name.")
    found = _core(project, match["core"], changed)
    meant = set(found)
    if match["up"]:
        meant |= reachable(project.parents, found, depth=_depth(match["up"]))
    if match["down"]:
        meant |= reachable(children_of(project.parents), found, depth=_depth(match["down"]))
    return meant


def _depth(steps: str) -> int | None:
    number = steps.strip("+")
    return int(number) if number else None


def _core(project: Project, core: str, changed: Changed | None) -> set[str]:
    method, colon, value = core.partition(":")
    if colon and method == "state":
        return _by_state(project, value, core, changed)
    if colon and method not in _METHODS:
        hint = did_you_mean(method, _METHODS, otherwise=f"Known: {', '.join(f'{name}:' for name in _METHODS)}.")
        raise SelectionError(f"`{core}`: there is no selection by `{method}:`", mend=hint)
    facts = {path: _facts(node, method) if colon else (path, node.name) for path, node in project.nodes.items()}
    wanted = value if colon else core
    found = {path for path, values in facts.items() if any(_matches(fact, wanted) for fact in values)}
    if not found:
        known = [fact for values in facts.values() for fact in values]
        before = f"{method}:" if colon else ""
        hint = did_you_mean(wanted, known, before=before, otherwise="`leapsql list` shows what there is.")
        raise SelectionError(f"`{core}` selects nothing", mend=hint)
    return found


def _by_state(project: Project, value: str, core: str, changed: Changed | None) -> set[str]:
    if value != "changed":
        raise SelectionError(f"`{core}`: there is no such state", mend="Write state:changed.")
    if changed is None:
        mend = "Name models, folders or tags instead."
        raise SelectionError(f"`{core}` cannot be used here: the state is not at hand", mend=mend)
    return set(changed()) & project.nodes.keys()


def _facts(node: Node, method: str) -> tuple[str, ...]:
    if method == "materialized":
        return (node.materialized,)
    if not isinstance(node, Model):
        return ()
    return node.config.tags if method == "tag" else tuple(filter(None, (node.config.owner,)))


def _matches(fact: str, wanted: str) -> bool:
    if "*" not in wanted:
        return fact.casefold() == wanted.casefold()
    return fnmatchcase(fact.casefold(), re.sub(r"[\[\]?]", lambda match: f"[{match[0]}]", wanted.casefold()))
