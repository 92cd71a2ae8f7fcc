"""Names: model paths, quoted identifiers, and the nearest name to a mistyped one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Final

#: What steers a terminal, ends a line, turns the direction of writing round, or is not to be seen at all.
_UNPRINTABLE: Final = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060\\u2066-\\u2069\\ufeff\\ud800-\\udfff]"
)
_ASCII_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def quote_identifier(name: str) -> str:
    '''Quote one identifier for SQL; the only place that does.

    >>> quote_identifier('a "b"')
    '"a ""b"""'
    '''
    return '"' + name.replace('"', '""') + '"'


@lru_cache(maxsize=65536)
def fold(name: str) -> str:
    """Take the case off `name` as DuckDB does when it compares names: in ASCII alone.

    >>> fold("ÉTÉ_A")
    'ÉtÉ_a'
    """
    return name.lower() if name.isascii() else name.translate(_ASCII_LOWER)


def printable(text: str) -> str:
    r"""Return `text` without what would steer a terminal or turn the writing round; line ends and tabs stay.

    >>> printable("a\x1b[31mb\tc\u202ed")
    'a[31mb\tcd'
    """
    return _UNPRINTABLE.sub(lambda found: found[0] if found[0] in "\n\t" else "", text)


def unfit_name(name: str) -> str | None:
    r"""Return what is wrong with a name that somebody has to read and to type, ``None`` if it is fine.

    >>> unfit_name("a\u202eb"), unfit_name(" "), unfit_name("größe in m²; \"x\"")
    ('U+202E stands in a name', 'a name is blank', None)
    """
    found = _UNPRINTABLE.search(name)
    if found is not None:
        return f"U+{ord(found[0]):04X} stands in a name"
    return None if name.strip() else "a name is blank"


def path_of_file(file: PurePosixPath) -> str:
    """Return the path of the model in `file`, given relative to its folder of models.

    >>> path_of_file(PurePosixPath("staging/stg_orders.sql"))
    'staging.stg_orders'
    """
    return ".".join((*file.parent.parts, file.stem))


def last_part(path: str) -> str:
    """Return the name of a model: what stands after the last dot of its path.

    >>> last_part("staging.stg_orders")
    'stg_orders'
    """
    return path.rpartition(".")[2]


def nearest(word: str, known: Iterable[str], *, most: int = 3) -> list[str]:
    """Return the names of `known` that look most like `word`, best first, at most `most`.

    >>> nearest("materialised", ["materialized", "meta", "owner"])
    ['materialized']
    """
    by_folded: dict[str, str] = {}
    for name in sorted(known):
        by_folded.setdefault(name.casefold(), name)
    return [by_folded[hit] for hit in difflib.get_close_matches(word.casefold(), list(by_folded), n=most, cutoff=0.6)]


def did_you_mean(word: str, known: Iterable[str], *, before: str = "", otherwise: str = "") -> str:
    """Return a sentence that offers the nearest names, with `before` before each, or `otherwise` when none is near.

    >>> did_you_mean("cor", ["core", "owner"], before="tag:")
    'Did you mean tag:core?'
    """
    near = [f"{before}{name}" for name in nearest(word, known)]
    return f"Did you mean {' or '.join(near)}?" if near else otherwise
