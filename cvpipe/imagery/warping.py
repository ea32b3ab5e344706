"""From the pixels of one grid to the pixels of another: exact coordinates on a coarse net, bilinear in between."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyproj
from affine import Affine
from numpy.typing import NDArray

from cvpipe.geo import Grid, transformer

#: Distance in pixels of the points whose coordinates are computed exactly. Over 64 px of a map projection the
#: bilinear error stays under 0.01 px (GDAL's own approximate transformer works to 0.125 px).
CONTROL_STEP_PX = 64

#: Of a net of more points than this the corners do where all lie this close to a straight course, in source pixels.
MOST_KEPT, STRAIGHT_PX = 9, 0.005

#: Coordinates that a projection cannot give are put here, far outside any raster.
_NOWHERE_PX = -1e6

#: Pairs of CRS of which it is kept whether they are the same.
MOST_COMPARED = 256

FloatArray = NDArray[np.float32]

_compared: dict[tuple[int, int], tuple[pyproj.CRS, pyproj.CRS, bool]] = {}


@dataclass(frozen=True)
class ControlNet:
    """Source coordinates (pixels, 0 = outer edge of the first pixel) at net points of a target grid.

    `xs` and `ys` are float64 (rows, cols); the net's lines lie at `rows` and `cols` in target pixels.
    """

    xs: NDArray[np.float64]
    ys: NDArray[np.float64]
    rows: NDArray[np.float64]
    cols: NDArray[np.float64]

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(left, top, right, bottom) of the net in source pixels; points that lie nowhere are left out."""
        somewhere = self.xs > _NOWHERE_PX
        if not somewhere.any():
            return 0.0, 0.0, 0.0, 0.0
        xs, ys = self.xs[somewhere], self.ys[somewhere]
        return float(xs.min()), float(ys.min()), float(xs.max()), float(ys.max())

    @property
    def scale(self) -> tuple[float, float]:
        """Source pixels per target pixel along the source's x and y, in the middle of the net."""
        r, c = (len(self.rows) - 2) // 2, (len(self.cols) - 2) // 2
        down, right = self.rows[r + 1] - self.rows[r], self.cols[c + 1] - self.cols[c]
        sx, sy = (
            float(np.hypot((v[r, c + 1] - v[r, c]) / right, (v[r + 1, c] - v[r, c]) / down)) for v in (self.xs, self.ys)
        )
        return sx, sy

    def coordinates(self, origin: tuple[float, float], scale: tuple[float, float]) -> tuple[Coordinates, Coordinates]:
        """Where the target pixels' centres lie, x and y, as `cv2.remap` counts: from the centre of the first cell.

        `origin` and `scale` describe the array that is sampled: source pixel of its corner, source pixels per cell.
        """
        across = _between(self.cols, np.concatenate([self.xs, self.ys]), np.arange(int(self.cols[-1])) + 0.5)
        x, y = (
            Coordinates((lines - o) / s - 0.5, self.rows)
            for lines, o, s in zip(np.split(across, 2), origin, scale, strict=True)
        )
        return x, y

    def maps(self, origin: tuple[float, float], scale: tuple[float, float]) -> tuple[FloatArray, FloatArray]:
        """`coordinates` of all target pixels, float32 (H, W) each."""
        x, y = self.coordinates(origin, scale)
        return x.of(*x.everywhere), y.of(*y.everywhere)


@dataclass(frozen=True)
class Coordinates:
    """One coordinate of every target pixel in a sampled array, which runs linearly between lines.

    `lines` is float64 (lines, W); they lie at `rows`, counted in target pixels from the outer edge of the first.
    """

    lines: NDArray[np.float64]
    rows: NDArray[np.float64]

    @property
    def everywhere(self) -> tuple[slice, slice]:
        """Rows and columns of the whole target."""
        return slice(0, int(self.rows[-1])), slice(0, self.lines.shape[1])

    def of(self, rows: slice, cols: slice) -> FloatArray:
        """Those of a rectangle of target pixels."""
        found = np.empty((rows.stop - rows.start, cols.stop - cols.start), np.float32)
        self.fill(found, (rows, cols))
        return found

    def fill(self, found: FloatArray, square: tuple[slice, slice], scale: float = 1.0, offset: float = 0.0) -> None:
        """Set `found` to those of a rectangle of target pixels, times `scale` and plus `offset`."""
        rows, cols = square
        first, last = (int(n) for n in np.searchsorted(self.rows, (rows.start, rows.stop - 1), side="right"))
        lines = self.lines[first - 1 : last + 1, cols] * scale + offset
        upper, steps = lines.astype(np.float32), (lines[1:] - lines[:-1]).astype(np.float32)
        for n, (start, end) in enumerate(pairwise(self.rows[first - 1 : last + 1].tolist())):
            begin, stop = max(int(start), rows.start), min(int(end), rows.stop)
            share = ((np.arange(begin, stop) + (0.5 - start)) / (end - start)).astype(np.float32)
            part = found[begin - rows.start : stop - rows.start]
            np.multiply(share[:, None], steps[n], out=part)
            np.add(part, upper[n], out=part)

    def bounds(self, rows: slice, cols: slice) -> tuple[float, float]:
        """The least and the greatest in a rectangle of target pixels."""
        inner = [row for row in self.rows.tolist() if rows.start < row < rows.stop]
        turns = np.array([rows.start + 0.5, *inner, rows.stop - 0.5])
        turning = _between(self.rows, self.lines[:, cols].T, turns)
        return float(turning.min()), float(turning.max())


def control_net(target: Grid, source: Grid) -> ControlNet:
    """Where the pixels of `target` lie in `source`; grids of one CRS need the four corners only."""
    affine = same_crs(target.crs, source.crs)
    step = max(target.width, target.height) if affine else CONTROL_STEP_PX
    rows, cols = _lines(target.height, step), _lines(target.width, step)
    x, y = _apply(target.transform, cols, rows[:, None])
    if not affine:
        assert target.crs is not None
        assert source.crs is not None
        x, y = transformer(target.crs, source.crs).transform(x, y)
    x, y = _apply(~source.transform, np.asarray(x), np.asarray(y))
    lost = ~np.isfinite(x + y)
    if lost.any():
        x[lost] = y[lost] = _NOWHERE_PX
    net = ControlNet(x, y, rows, cols)
    return _thinned(net) if x.size > MOST_KEPT else net


def _thinned(net: ControlNet) -> ControlNet:
    """The net's corners, where all its points lie straight between them."""
    places = net.xs + 1j * net.ys
    few = places[[0, -1]][:, [0, -1]]
    share = net.rows[:, None] / net.rows[-1]
    sides = few[0] + share * (few[1] - few[0])
    straight = sides[:, :1] + net.cols / net.cols[-1] * (sides[:, 1:] - sides[:, :1])
    if np.abs(straight - places).max() > STRAIGHT_PX:
        return net
    return ControlNet(few.real.copy(), few.imag.copy(), net.rows[[0, -1]], net.cols[[0, -1]])


def same_crs(one: pyproj.CRS | None, other: pyproj.CRS | None) -> bool:
    """Whether two grids share a CRS (axis order aside); plain pictures share their ground metres."""
    if one is None or other is None:
        return one is other
    return one is other or _same(one, other)


def _same(one: pyproj.CRS, other: pyproj.CRS) -> bool:
    """Answered once for each two objects: to hash a CRS, as a dictionary of them does, takes 25 µs."""
    found = _compared.get((id(one), id(other)))
    if found is None:
        if len(_compared) >= MOST_COMPARED:
            _compared.clear()
        found = one, other, bool(one == other or one.equals(other, ignore_axis_order=True))
        _compared[id(one), id(other)] = found  # which keeps the objects, so that no others take their numbers
    return found[2]


def _lines(length: int, step: int) -> NDArray[np.float64]:
    lines = np.arange(-(-length // step) + 1.0) * step
    lines[-1] = length
    return lines


def _between(
    lines: NDArray[np.float64], values: NDArray[np.float64], places: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    """`values` (n, lines) at places that lie linearly between lines: (n, places)."""
    if len(lines) == 2:
        share, start, end = (places - lines[0]) / (lines[1] - lines[0]), values[:, :1], values[:, 1:]
    else:
        left = np.searchsorted(lines[1:-1], places, side="right")
        share = (places - lines[left]) / (lines[left + 1] - lines[left])
        start, end = values[:, left], values[:, left + 1]
    return np.asarray(start + share * (end - start))


def _apply(
    transform: Affine, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b, c, d, e, f = tuple(transform)[:6]
    return a * x + b * y + c, d * x + e * y + f
