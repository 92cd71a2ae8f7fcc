"""Draws medians as bars, group by group, on one logarithmic scale: plain SVG, legible on light ground and on dark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from typing import Final

_WIDTH: Final = 760
_LABELS: Final = 240  # the room of the names, left of the bars
_VALUES: Final = 70  # the room of the figures, right of them
_BAR: Final = 16
_GAP: Final = 14  # between groups
_TOP: Final = 56
#: Grey that stands out from white and from black alike.
_INK: Final = "#768390"
_COLOURS: Final = ("#2f81f7", "#8b949e", "#e0783a", "#a371f7", "#3fb950")


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: the group that it stands in, whose it is, and its length, which is more than 0."""

    group: str
    label: str
    value: float


def draw(title: str, bars: Sequence[Bar]) -> str:
    """Return the picture; groups and colours follow the order in which they are met first.

    >>> draw("Seconds", [Bar("a", "x", 0.5), Bar("a", "y", 20.0)]).count("<rect")
    2
    """
    groups = list(dict.fromkeys(bar.group for bar in bars))
    height = _TOP + len(groups) * _GAP + len(bars) * (_BAR + 3)
    lowest, highest = scale_of([bar.value for bar in bars])
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
        f' font-family="sans-serif" font-size="12" fill="{_INK}">',
        f"<title>{escape(title)}</title>",
        f'<text x="0" y="16" font-size="14" font-weight="bold">{escape(title)}</text>',
        *_stream_axis(lowest, highest, height),
        *_stream_bars(bars, groups, lowest, highest),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def scale_of(values: Sequence[float]) -> tuple[int, int]:
    """Return the powers of ten between which all values lie.

    >>> scale_of([0.34, 47.0])
    (-1, 2)
    >>> scale_of([10.0])
    (1, 2)
    """
    lowest = floor(log10(min(values)))
    return lowest, max(ceil(log10(max(values))), lowest + 1)


def _place(value: float, lowest: int, highest: int) -> float:
    return _LABELS + (_WIDTH - _LABELS - _VALUES) * (log10(value) - lowest) / (highest - lowest)


def _stream_axis(lowest: int, highest: int, height: int) -> Iterator[str]:
    for power in range(lowest, highest + 1):
        x = _place(10.0**power, lowest, highest)
        line = f'x1="{x:.1f}" y1="{_TOP - 12}" x2="{x:.1f}" y2="{height}"'
        yield f'<line {line} stroke="{_INK}" stroke-opacity="0.35" stroke-dasharray="2 3"/>'
        yield f'<text x="{x:.1f}" y="{_TOP - 18}" text-anchor="middle">{10.0**power:g}</text>'


def _stream_bars(bars: Sequence[Bar], groups: Sequence[str], lowest: int, highest: int) -> Iterator[str]:
    colours = {label: _COLOURS[n % len(_COLOURS)] for n, label in enumerate(dict.fromkeys(bar.label for bar in bars))}
    y = float(_TOP)
    for group in groups:
        yield f'<text x="0" y="{y + 12:.1f}" font-weight="bold">{escape(group)}</text>'
        for bar in (one for one in bars if one.group == group):
            end = _place(bar.value, lowest, highest)
            size = f'width="{max(end - _LABELS, 1):.1f}" height="{_BAR}"'
            yield f'<text x="{_LABELS - 8}" y="{y + 12:.1f}" text-anchor="end">{escape(bar.label)}</text>'
            yield f'<rect x="{_LABELS}" y="{y:.1f}" {size} rx="2" fill="{colours[bar.label]}"/>'
            yield f'<text x="{end + 6:.1f}" y="{y + 12:.1f}">{bar.value:.2f}</text>'
            y += _BAR + 3
        y += _GAP
