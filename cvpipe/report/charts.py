"""Running totals as a chart: plain SVG that a page in light and dark, and a printed one, can hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from html import escape

#: Width and height of a chart and the room around its plot, in its own units.
WIDTH, HEIGHT = 440, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 10, 12, 26

#: How far lines run on after the last date, so that its step can be seen.
_TAIL = 14

#: Lines across the plot, beside that of zero.
_LINES = 4

#: Dates that have a name below the plot; more would touch each other.
_MOST_DATES = 4


@dataclass(frozen=True)
class Series:
    """One line: its name, its colour, and a value for each date."""

    name: str
    colour: str
    values: tuple[float, ...]


def chart(title: str, dates: Sequence[date], series: Sequence[Series]) -> str:
    """An SVG element with a stepped line for each series; empty where fewer than two dates tell nothing of a trend.

    Values hold from their date until the next one, so the lines run in steps.
    """
    if len(dates) < 2:
        return ""
    top = _rounded_up(max((value for line in series for value in line.values), default=0.0))
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'xmlns="http://www.w3.org/2000/svg" aria-label="{escape(title)}">'
    ]
    for number in range(_LINES + 1):
        value = top * number / _LINES
        y = _y(value, top)
        parts.append(f'<path class="grid" stroke="#d5d8d4" fill="none" d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}"/>')
        parts.append(_text(_LEFT - 8, y + 4, f"{value:,.0f}", "end"))
    for number in _named(len(dates)):
        anchor = "start" if number == 0 else "end" if number == len(dates) - 1 else "middle"
        parts.append(_text(_x(dates[number], dates), HEIGHT - 8, dates[number].isoformat(), anchor))
    for line in series:
        parts.append(
            f'<path fill="none" stroke="{line.colour}" stroke-width="2.4" d="{_stepped(dates, line.values, top)}"/>'
        )
    return "".join([*parts, "</svg>"])


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="11" fill="#5c666f">{escape(text)}</text>'


def _stepped(dates: Sequence[date], values: Sequence[float], top: float) -> str:
    points = [(_x(on, dates), _y(value, top)) for on, value in zip(dates, values, strict=True)]
    first, *rest = points
    return f"M{first[0]:.1f} {first[1]:.1f}" + "".join(f"H{x:.1f}V{y:.1f}" for x, y in rest) + f"H{WIDTH - _RIGHT}"


def _x(on: date, dates: Sequence[date]) -> float:
    span = (dates[-1] - dates[0]).days
    return _LEFT + (WIDTH - _LEFT - _RIGHT - _TAIL) * (on - dates[0]).days / span


def _y(value: float, top: float) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * value / top


def _rounded_up(value: float) -> float:
    """The next of 4, 8, 20, 40, 80, 200 …: four lines then stand at round values."""
    if value <= _LINES:
        return float(_LINES)
    power = 10 ** math.floor(math.log10(value))
    return next(float(step * power) for step in (2, 4, 8, 20) if step * power >= value and (step * power) % _LINES == 0)


def _named(dates: int) -> list[int]:
    """Indices of the dates that have a name, the first and the last among them."""
    shown = min(dates, _MOST_DATES)
    return sorted({round(number * (dates - 1) / (shown - 1)) for number in range(shown)})


__all__ = ["Series", "chart"]
