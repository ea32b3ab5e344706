"""Small charts as SVG text: they need no library to draw, and stay sharp at any size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

#: Size of a chart and of the margins that hold its words, px.
WIDTH, HEIGHT = 360, 250
LEFT, RIGHT, TOP, BOTTOM = 48, 14, 34, 44

#: Told apart by people who see no red or no green (Okabe & Ito 2008), in the order of use.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")


@dataclass(frozen=True)
class Curve:
    """Points (x, y), joined unless they are few and far between, and what they are called."""

    name: str
    points: tuple[tuple[float, float], ...]
    joined: bool = True


@dataclass(frozen=True)
class Axis:
    """What an axis shows, its ends, and where it is marked (value, word)."""

    title: str
    low: float
    high: float
    marks: tuple[tuple[float, str], ...]

    @classmethod
    def of(cls, title: str, high: float) -> Axis:
        """From 0 to a round number that is not below `high`, marked in four steps."""
        top = next((t for t in (0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if t >= high), high)
        return cls(title, 0.0, top, tuple((top * i / 4, f"{top * i / 4:g}") for i in range(5)))

    @classmethod
    def of_steps(cls, title: str, words: Sequence[str]) -> Axis:
        """Evenly spaced steps 0, 1, 2 … with their words."""
        return cls(title, 0.0, max(len(words) - 1, 1), tuple((float(i), word) for i, word in enumerate(words)))


SHARE = tuple((i / 4, f"{i / 4:g}") for i in range(5))


def line_chart(title: str, x: Axis, y: Axis, curves: Sequence[Curve], *, diagonal: bool = False) -> str:
    """An SVG picture of curves with points; `diagonal` draws the line y = x, dashed."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="sans-serif" font-size="11" role="img" aria-label="{escape(title)}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="14" font-size="12" font-weight="bold" fill="#222">{escape(title)}</text>',
        *(_grid_line(y, value, word) for value, word in y.marks),
        *(_mark(x, value, word) for value, word in x.marks),
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle" fill="#555">'
        f"{escape(x.title)}</text>",
        f'<text transform="translate(12 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle" fill="#555">'
        f"{escape(y.title)}</text>",
    ]
    if diagonal:
        parts.append(_path(x, y, ((x.low, y.low), (x.high, y.high)), "#999999", dashed=True))
    for colour, curve in zip(COLOURS, curves, strict=False):
        parts += [_path(x, y, curve.points, colour)] if curve.joined else []
        parts += _dots(x, y, curve.points, colour)
    parts += _legend(curves) if len(curves) > 1 else []
    return "\n".join([*parts, "</svg>"]) + "\n"


def _at(x: Axis, y: Axis, point: tuple[float, float]) -> tuple[float, float]:
    across = (point[0] - x.low) / (x.high - x.low)
    up = (min(max(point[1], y.low), y.high) - y.low) / (y.high - y.low)
    return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)


def _grid_line(y: Axis, value: float, word: str) -> str:
    row = HEIGHT - BOTTOM - (value - y.low) / (y.high - y.low) * (HEIGHT - TOP - BOTTOM)
    return (
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{row:.1f}" y2="{row:.1f}" stroke="#e3e3e3"/>'
        f'<text x="{LEFT - 5}" y="{row + 4:.1f}" text-anchor="end" fill="#555">{escape(word)}</text>'
    )


def _mark(x: Axis, value: float, word: str) -> str:
    column = LEFT + (value - x.low) / (x.high - x.low) * (WIDTH - LEFT - RIGHT)
    return f'<text x="{column:.1f}" y="{HEIGHT - BOTTOM + 14}" text-anchor="middle" fill="#555">{escape(word)}</text>'


def _path(x: Axis, y: Axis, points: Sequence[tuple[float, float]], colour: str, *, dashed: bool = False) -> str:
    steps = " ".join("{:.1f},{:.1f}".format(*_at(x, y, point)) for point in points)
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    return f'<polyline points="{steps}" fill="none" stroke="{colour}" stroke-width="1.8"{dash}/>'


def _dots(x: Axis, y: Axis, points: Sequence[tuple[float, float]], colour: str) -> list[str]:
    places = (_at(x, y, point) for point in points)
    return [f'<circle cx="{column:.1f}" cy="{row:.1f}" r="3" fill="{colour}"/>' for column, row in places]


def _legend(curves: Sequence[Curve]) -> list[str]:
    parts, left = [], float(LEFT)
    for colour, curve in zip(COLOURS, curves, strict=False):
        parts.append(
            f'<rect x="{left}" y="20" width="10" height="3" fill="{colour}"/>'
            f'<text x="{left + 14}" y="26" fill="#444">{escape(curve.name)}</text>'
        )
        left += 24 + 6.2 * len(curve.name)
    return parts


__all__ = ["SHARE", "Axis", "Curve", "line_chart"]
