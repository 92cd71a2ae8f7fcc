"""How numbers, times, ids and reasons are written for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from leapsql_core.models import ColumnSet, Request

_NAMED_AT_MOST = 5

#: Reasons whose words tell everything, whatever their detail.
_SAYS_IT_ALL = frozenset({"full_refresh", "new", "requested", "seed_changed", "unchanged"})


def reason_words(reason: str) -> str:
    """Return a reason as words.

    >>> reason_words("query_changed")
    'query changed'
    """
    return reason.replace("_", " ")


def added_detail(reason: str, detail: str) -> str:
    """Return what a detail says beyond its reason.

    >>> added_detail("query_changed", "its query changed: `a` → `b`")
    '`a` → `b`'
    >>> added_detail("tests_changed", "its tests changed; its rows stand")
    'its rows stand'
    >>> added_detail("new", "it was never built in dev; it failed once since")
    'it failed once since'
    >>> added_detail("input_pending", "builds if a or b changes in what it reads")
    'a or b'
    """
    if reason == "input_pending":
        return detail.removeprefix("builds if ").replace(" changes in what it reads", "", 1)
    if reason in _SAYS_IT_ALL:
        return detail.partition("; ")[2]
    its = f"its {reason_words(reason)}"
    return detail.removeprefix(f"{its}: ").removeprefix(f"{its}; ")


def number(count: int | None) -> str:
    """Return a number with its thousands apart, nothing for none.

    >>> number(1204), number(None)
    ('1,204', '')
    """
    return "" if count is None else f"{count:,}"


def counted(count: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun.

    >>> counted(1, "run"), counted(2000, "run"), counted(2, "query", "queries")
    ('1 run', '2,000 runs', '2 queries')
    """
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def size(count: int) -> str:
    """Return a number of bytes, as exact as a person wants it.

    >>> [size(count) for count in (0, 999, 4096, 999_960, 1_240_000, 73_400_320, 2_100_000_000)]
    ['0 bytes', '999 bytes', '4.1 kB', '1.0 MB', '1.2 MB', '73.4 MB', '2.1 GB']
    """
    for unit, factor in (("kB", 1e3), ("MB", 1e6), ("GB", 1e9)):
        if count >= 1000 and (count < factor * 999.95 or unit == "GB"):
            return f"{count / factor:,.1f} {unit}"
    return counted(count, "byte")


def duration(milliseconds: float | None) -> str:
    """Return a time span, as exact as a person wants it.

    >>> [duration(ms) for ms in (None, 0, 12.4, 940, 1234, 59_960, 75_000, 3_725_000)]
    ['', '0 ms', '12 ms', '0.9 s', '1.2 s', '1 m 00 s', '1 m 15 s', '1 h 02 m']
    """
    if milliseconds is None:
        return ""
    if milliseconds < 500:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 59_950:
        return f"{milliseconds / 1000:.1f} s"
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    if minutes < 60:
        return f"{minutes} m {seconds:02} s"
    return f"{minutes // 60} h {minutes % 60:02} m"


def seconds(span: float) -> str:
    """Return a time span given in seconds, never in smaller units.

    >>> seconds(0.04), seconds(1.26), seconds(61)
    ('0.0 s', '1.3 s', '1 m 01 s')
    """
    return f"{span:.1f} s" if span < 59.95 else duration(span * 1000)


def moment(when: datetime | None) -> str:
    """Return a moment on the clock of whoever reads it, nothing for none."""
    return "" if when is None else when.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def short(identifier: str | None) -> str:
    """Return the first characters of an id or a hash: enough to tell it from its neighbours.

    >>> short("3f2a91bc-7d10"), short(None)
    ('3f2a91bc', '')
    """
    return (identifier or "")[:8]


def columns_words(columns: ColumnSet) -> str:
    """Return which columns of an input are read.

    >>> columns_words(("a", "b")), columns_words(()), columns_words(None)
    ('a, b', 'the number of its rows', 'all its columns')
    """
    if columns is None:
        return "all its columns"
    return ", ".join(columns) if columns else "the number of its rows"


def range_words(partitions: tuple[str, str]) -> str:
    """Return a range of partitions as it is written on the command line.

    >>> range_words(("2024-01-01", "2024-01-03")), range_words(("north", "north"))
    ('2024-01-01..2024-01-03', 'north')
    """
    first, last = partitions
    return first if first == last else f"{first}..{last}"


def request_words(request: Request | None) -> str:
    """Return what a run was asked as options of the command line, nothing for nothing besides its selection.

    >>> request_words(Request(full_refresh=True, partitions=("2024-01-01", "2024-01-03")))
    '--full-refresh --partitions 2024-01-01..2024-01-03'
    """
    if request is None:
        return ""
    said = {
        "--force": request.force,
        "--full-refresh": request.full_refresh,
        f"--partitions {range_words(request.partitions or ('', ''))}": request.partitions is not None,
        f"--defer-to {request.defer_to}": request.defer_to is not None,
        f"--state-of {request.state_of}": request.state_of is not None,
    }
    return " ".join(option for option, is_asked in said.items() if is_asked)


def some_of(names: Sequence[str], *, all_of_them: bool = False) -> str:
    """Return names in one line, the first few of many.

    >>> some_of(list("abcdefg"))
    'a, b, c, d, e and 2 more'
    """
    if all_of_them or len(names) <= _NAMED_AT_MOST + 1:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMED_AT_MOST])} and {len(names) - _NAMED_AT_MOST} more"
