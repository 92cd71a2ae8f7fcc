"""Text of anybody's as Markdown, in which it means nothing but itself."""

import re

_MEANS_SOMETHING = re.compile(r"([\\`*<>\[\]|~]|(?<!\w)_|_(?!\w))")
_FENCE = re.compile(r"`{3,}")


def plain(text: str) -> str:
    r"""Return a text in one line, as Markdown that shows it as it is, in a table too.

    >>> plain("a|b\n*c*")
    'a\\|b \\*c\\*'
    """
    return _MEANS_SOMETHING.sub(r"\\\1", " ".join(text.split("\n")))


def fenced(text: str, language: str = "") -> str:
    """Return a text as a block of code that ends where the text ends, whatever stands in it."""
    fence = "`" * max(3, *(len(found) + 1 for found in _FENCE.findall(text)), 0)
    return f"{fence}{language}\n{text}\n{fence}"
