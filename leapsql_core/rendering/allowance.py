"""The allowance: how much one rendering may do, so that no template goes on for ever or eats the memory.

What is done is counted and never timed, so a template that renders on one machine renders on all of them. Nothing is
made before it is paid for.
"""

from __future__ import annotations

import re
from collections.abc import ItemsView, Iterator, KeysView, Mapping, Sequence, ValuesView
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

#: Turns of loops, and calls of macros, functions and filters.
MOST_TURNS: Final = 1_000_000
#: Characters and values: of all that is made, compared, or handed to a function.
MOST_VALUES: Final = 100_000_000
MOST_CHARACTERS: Final = 10_000_000
#: What a value costs beside its characters.
_EACH: Final = 10
_MOST_BITS: Final = 16_384
_DEEPEST: Final = 200

_SMALL: Final = 2**63
_SIZED: Final = (range, set, frozenset, KeysView, ValuesView, ItemsView)
_OF_PYTHON: Final = (str, bytes, int, list, tuple, dict)
_WIDTH: Final = re.compile(r"\d+")
_PLACE: Final = re.compile(r"%(?:\([^()]*\))?[-#0 +]*(?P<width>\*|\d*)(?:\.(?P<precision>\*|\d*))?")
#: Ways in which Python looks for the end of something that take the square of the time where texts repeat themselves.
_SLOW_METHODS: Final = frozenset({"rfind", "rindex", "rsplit", "rpartition"})
_PADDING: Final = frozenset({"center", "ljust", "rjust", "zfill", "to_bytes", "expandtabs"})
_ENCODINGS: Final = frozenset({"utf-8", "utf8", "ascii", "latin-1", "latin1", "utf-16", "utf-32"})


class OverspentError(Exception):
    """A template would do more than it may; cause and mend, parted by a full stop."""


class Allowance:
    """What is left of what one rendering may do."""

    __slots__ = ("_turns", "_values")

    def __init__(self) -> None:
        self._turns, self._values = MOST_TURNS, MOST_VALUES

    def turn(self, values: int = 0) -> None:
        """Pay for a turn of a loop or a call, and for so many values made in it."""
        self._turns -= 1
        if self._turns < 0:
            raise OverspentError(
                f"the template does not come to an end: it took {MOST_TURNS:,} turns of loops and calls."
                " Does a loop stand in a loop, or does a macro call itself?"
            )
        if values:
            self.pay(values)

    def pay(self, values: int) -> None:
        """Pay for characters and values."""
        self._values -= values
        if self._values < 0:
            raise OverspentError(
                f"the template makes too much: more than {MOST_VALUES:,} characters and values."
                " Does something grow with each turn of a loop?"
            )

    def pay_text(self, characters: int) -> None:
        """Pay for one text, or list, of so many characters."""
        if characters > MOST_CHARACTERS:
            raise OverspentError(
                f"the template makes a text or a list of more than {MOST_CHARACTERS:,} characters or values."
                " Make it in the query: repeat(…), range(…)."
            )
        self.pay(characters)

    def weigh(self, *values: Any) -> int:
        """Pay for values, with all that is in them, as often as it is; return how much it was."""
        before, depth = self._values, 0
        level: Sequence[Any] = values
        while level:
            depth += 1
            if depth > _DEEPEST:
                raise OverspentError(f"values nest more than {_DEEPEST} levels deep. Take them apart.")
            self.pay(_EACH * len(level))
            weight, below = 0, list[Any]()
            for value in level:
                kind = type(value)
                if kind is str:
                    weight += len(value)
                elif kind is int:
                    weight += 0 if -_SMALL < value < _SMALL else value.bit_length()
                elif isinstance(value, dict):
                    self.pay(2 * len(value))
                    below += [*value.keys(), *value.values()]
                elif isinstance(value, list | tuple):
                    self.pay(len(value))
                    below += value
                elif isinstance(value, (str, bytes, *_SIZED)):
                    weight += len(value)
            self.pay(weight)
            level = below
        return before - self._values


# ------------------------------------------------------------------------------------------------- one rendering's own

_current: ContextVar[Allowance | None] = ContextVar("allowance", default=None)


def allowance() -> Allowance:
    """Return the allowance of what is being rendered; what is worked out beforehand has one of its own."""
    return _current.get() or Allowance()


@contextmanager
def allowing(given: Allowance) -> Iterator[None]:
    """Let what is rendered within spend from `given`."""
    token = _current.set(given)
    try:
        yield
    finally:
        _current.reset(token)


# ------------------------------------------------------------------------------------------------ before it is made


def pay_operation(operator: str, left: Any, right: Any) -> None:
    """Pay for what an operation makes."""
    left_number, right_number = isinstance(left, int | float), isinstance(right, int | float)
    if left_number and right_number:
        _check_number(operator, left, right)
    elif operator == "*" and (left_number or right_number):
        text, times = (right, left) if left_number else (left, right)
        if isinstance(text, str | bytes | list | tuple) and isinstance(times, int):
            allowance().pay_text(len(text) * max(times, 0))
    elif operator == "%" and isinstance(left, str | bytes):
        pay_format(left if isinstance(left, str) else left.decode("latin-1"), right)
    else:
        allowance().weigh(left, right)


def _check_number(operator: str, left: float, right: float) -> None:
    if not (isinstance(left, int) and isinstance(right, int)):
        return
    if operator == "**":
        bits = left.bit_length() * max(right, 0) if abs(left) > 1 else 1
    else:
        bits = left.bit_length() + right.bit_length()
    if bits > _MOST_BITS:
        raise OverspentError("the template makes a number of thousands of digits. Nothing can hold it.")


def pay_format(text: str, values: Any) -> None:
    """Pay for ``text % values``."""
    spent = allowance()
    spent.weigh(text, values)
    places = list(_PLACE.finditer(text))
    if any("*" in (place["width"], place["precision"]) for place in places):
        raise OverspentError("a width that is itself a value (`*`) cannot be used. Write the number.")
    spent.pay_text(sum(_number(place["width"]) + _number(place["precision"]) for place in places))
    if isinstance(values, Mapping):
        longest = max((len(value) if isinstance(value, str) else 1 for value in values.values()), default=0)
        spent.pay_text(text.count("%(") * longest)


def pay_widths(spec: str) -> None:
    """Pay for the widths in what says how one value is formatted."""
    allowance().pay_text(sum(map(_number, _WIDTH.findall(spec))))


def _number(digits: str | None) -> int:
    """Return a number that is written; more digits than a width has make it no larger than too large."""
    return int(digits[:9]) if digits else 0


def pay_call(called: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
    """Pay for a call, and for what a method of a text may make; return the arguments, iterators drawn out."""
    spent = allowance()
    spent.turn()
    spent.weigh(*args, *kwargs.values())
    owner = getattr(called, "__self__", None)
    if isinstance(owner, _OF_PYTHON):
        spent.weigh(owner)
        args = tuple(list(arg) if isinstance(arg, Iterator) else arg for arg in args)
        _pay_method(called.__name__, owner, [*args, *kwargs.values()])
    return args


def _pay_method(name: str, owner: Any, given: list[Any]) -> None:
    spent = allowance()
    length = len(owner) if isinstance(owner, str | bytes) else 1
    if name in _PADDING:
        times = length if name == "expandtabs" else 1
        spent.pay_text(times * max((abs(n) for n in given if isinstance(n, int)), default=0))
    elif name == "replace":
        _pay_replacing(owner, given)
    elif name == "translate":
        tables = [table for table in given if isinstance(table, dict)]
        spent.pay_text(length * max((_length(v) for table in tables for v in table.values()), default=1))
    elif name == "join":
        spent.pay_text(length * max(map(_length, given), default=0))
    elif name in _SLOW_METHODS:
        spent.pay(length * max(map(_length, given), default=1) // 64)
    elif name in ("encode", "decode") and any(str(word).lower() not in _ENCODINGS for word in given[:1]):
        raise OverspentError(f"the encoding `{given[0]}` cannot be used. Write utf-8.")


def _pay_replacing(owner: Any, given: list[Any]) -> None:
    words = [word for word in given if isinstance(word, type(owner))][:2]
    if isinstance(owner, str | bytes) and len(words) == 2:
        first, second = words
        allowance().pay_text(max(owner.count(first) * len(second), owner.count(second) * len(first)))


def _length(value: Any) -> int:
    return len(value) if isinstance(value, (str, bytes, list, tuple, dict, *_SIZED)) else 1


def pay_filter(name: str, value: Any, given: list[Any]) -> None:
    """Pay for a filter, and for what it may make of `value`."""
    spent = allowance()
    spent.turn()
    spent.weigh(*given)
    weight, length = spent.weigh(value), _length(value)
    numbers = [abs(number) for number in given if isinstance(number, int)]
    texts = [len(text) for text in given if isinstance(text, str)]
    size = max([*numbers, *texts], default=0)
    if name in ("batch", "center", "slice"):
        spent.pay_text(size)
    elif name == "indent":
        spent.pay_text((str(value).count("\n") + 1) * size)
    elif name == "tojson":
        spent.pay_text(weight * size)
    elif name in ("join", "wordwrap"):
        spent.pay_text(length * max(texts, default=0))
    elif name == "round":
        _check_number("**", 10, max(numbers, default=0))
    elif name == "replace":
        _pay_replacing(str(value), list(map(str, given)))
    elif name == "format":
        pay_format(str(value), tuple(given))
    elif name == "sum" and any(isinstance(start, list | tuple) for start in given):
        spent.pay(length * length)


def counted(made: Any) -> Any:
    """Return what a function or a filter has made; what it makes one by one is paid for one by one."""
    spent = allowance()
    if isinstance(made, str | bytes | list | tuple | dict):
        spent.pay_text(len(made))
    elif isinstance(made, Iterator):
        return _one_by_one(made, spent)
    return made


def _one_by_one(values: Iterator[Any], spent: Allowance) -> Iterator[Any]:
    for value in values:
        spent.turn()
        spent.weigh(value)
        yield value
