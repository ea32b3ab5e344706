"""From the pixels of one grid to the pixels of another: exact coordinates on a coarse net, bilinear in between.

The resampling kernel is the one of GDAL's warper: the cubic convolution of Keys (1981, a = -1/2), widened to the
target's pixel where that is the coarser one. `cv2.remap` offers no such kernel, and its own cubic is slow. So the
source is laid on a lattice of cells at least twice as fine as the kernel, filtered there, and read with linear
interpolation. The filter is the one with which filter and interpolation together come closest to the kernel (a
prefilter before a short basis: Thévenaz, Blu and Unser 2000, Interpolation revisited, IEEE TMI 19(7)).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import cv2
import numpy as np
import pyproj
from affine import Affine
from numpy.typing import NDArray

from cvpipe.geo import Grid, transformer, windows

#: Distance in pixels of the points whose coordinates are computed exactly. Over 64 px of a map projection the
#: bilinear error stays under 0.01 px (GDAL's own approximate transformer works to 0.125 px).
CONTROL_STEP_PX = 64

#: Coordinates that a projection cannot give are put here, far outside any raster.
_NOWHERE_PX = -1e6

FloatArray = NDArray[np.float32]
Samples = TypeVar("Samples", NDArray[np.uint8], NDArray[np.float32])

#: Width of the kernel (half its support), in source pixels, below which each of them is split into two cells, and, in
#: means of two source pixels, above which those are read. Linear interpolation between cells of half the kernel's
#: width misses it by 6 % (root of squares), which is half a grey level on aerial pictures; means need finer ones.
SPLIT_BELOW, MEANS_ABOVE = 2.0, 3.2

#: Pixels of a mean whose places a filter takes heed of.
MOST_PLACES = 8

#: Side in target pixels of the squares that are resampled at once: their source with its filtered copy fits the caches.
SQUARE_PX = 256

#: The shortest filter is taken that is no further from the kernel than the longest by more than this factor.
ENOUGH = 1.1

#: Steps to a source pixel by which the kernel is sampled when a filter is fitted to it.
_FIT_STEPS = 48


@dataclass(frozen=True)
class Sampling:
    """How one axis of a source is sampled.

    `reduced` source pixels are read as one (by an overview, or a mean), each of which is split into `cells`; `taps`
    (odd in number, symmetric, sum 1) filter the cells.
    """

    reduced: int
    cells: int
    taps: tuple[float, ...]

    @property
    def reach(self) -> int:
        """Pixels as read that a target pixel can reach beyond the one it lies in."""
        return math.ceil((len(self.taps) // 2 + 1) / self.cells)

    def span(self, low: float, high: float, length: int) -> tuple[int, int]:
        """The source pixels, of `length` that there are, needed for coordinates from `low` to `high`.

        They begin at a whole multiple of `reduced`, as overviews and means do.
        """
        margin = (self.reach + 1) * self.reduced
        first = math.floor((low - margin) / self.reduced) * self.reduced
        end = math.ceil((high + margin) / self.reduced) * self.reduced
        return max(first, 0), min(end, length)


def sampling(scale: float, overview: int = 1) -> Sampling:
    """The sampling of a source with `scale` source pixels to a target pixel.

    `overview` source pixels make a pixel of the overview that is to be read instead of the source; 1 for none.
    """
    width = round(max(scale / overview, 1.0), 2)  # of the kernel, in pixels of the source or the overview
    cells = 2 if width < SPLIT_BELOW else 1
    averaged = 2 ** max(math.floor(math.log2(width / MEANS_ABOVE)), 0)
    alike = min(averaged, MOST_PLACES)  # means of more pixels need the same filter
    return Sampling(overview * averaged, cells, _fitted(round(width * alike / averaged, 2), alike, cells))


@lru_cache(maxsize=1024)
def _fitted(width: float, averaged: int, cells: int) -> tuple[float, ...]:
    """Taps with which filter, cells and linear interpolation come closest to a cubic of `width`."""
    most = math.ceil(2 * width * cells / averaged) + 2
    _, least_error = _half_filter(width, averaged, cells, most)
    tried = (_half_filter(width, averaged, cells, count) for count in range(2, most + 1))
    half = next(half for half, error in tried if error <= ENOUGH * least_error)
    return tuple(np.concatenate([half[:0:-1], half]).tolist())


def _half_filter(width: float, averaged: int, cells: int, count: int) -> tuple[NDArray[np.float64], float]:
    """Of a symmetric filter of cells the middle and one side, `count` in all, and its distance from the kernel.

    Least squares under constraints: the sum of all weights is 1, and where pixels are split, each of their cells weighs
    the same: else a slope, and so the place of an edge, would come out wrong by up to a tenth of a pixel.
    """
    cell = averaged / cells
    steps = math.ceil((2 * width + count * cell + 2) * _FIT_STEPS)
    x = np.arange(-steps, steps + 1) / _FIT_STEPS
    shifted = [
        _one_cell(x - n * cell, averaged, cells) + _one_cell(x + n * cell, averaged, cells) for n in range(count)
    ]
    shifted[0] /= 2
    waves = np.cos(2 * np.pi * np.outer(np.arange(cells // 2 + 1), np.arange(count)) / cells)
    rules = waves * np.where(np.arange(count) == 0, 1, 2)
    basis, wanted = np.column_stack(shifted), _cubic(x / width) / width
    normal = np.block([[basis.T @ basis, rules.T], [rules, np.zeros((len(rules), len(rules)))]])
    right = np.concatenate([basis.T @ wanted, np.eye(len(rules))[0]])
    half = np.linalg.solve(normal, right)[:count]
    return half, float(np.linalg.norm(basis @ half - wanted))


def _one_cell(x: NDArray[np.float64], averaged: int, cells: int) -> NDArray[np.float64]:
    """What one source pixel weighs at a distance of `x` source pixels through its cells, read linearly.

    Of several that are averaged, the mean over their places in the cell; of one that is split, both of its cells.
    """
    cell, parts = averaged / cells, max(averaged, cells)
    places = (np.arange(parts) - (parts - 1) / 2) * min(cell, 1.0)
    hats = [np.maximum(1 - np.abs(x - place) / cell, 0) / cell for place in places]
    return np.asarray(np.mean(hats, axis=0))


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic convolution with a = -1/2, which GDAL and most others use."""
    x = np.abs(x)
    return np.where(x < 1, (1.5 * x - 2.5) * x**2 + 1, np.where(x < 2, ((-0.5 * x + 2.5) * x - 4) * x + 2, 0))


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

    def maps(self, origin: tuple[float, float], scale: tuple[float, float]) -> tuple[FloatArray, FloatArray]:
        """Coordinates for `cv2.remap` at every target pixel's centre, float32 (H, W) each.

        `origin` and `scale` describe the array that is sampled: source pixel of its corner, source pixels per cell.
        cv2 counts from the centre of the first cell, hence the half.
        """
        down, across = _weights(self.rows), _weights(self.cols)
        x, y = (
            _upsampled(down, ((v - o) / s - 0.5).astype(np.float32), across)
            for v, o, s in zip((self.xs, self.ys), origin, scale, strict=True)
        )
        return x, y


def control_net(target: Grid, source: Grid) -> ControlNet:
    """Where the pixels of `target` lie in `source`; grids of one CRS need the four corners only."""
    affine = same_crs(target.crs, source.crs)
    step = max(target.width, target.height) if affine else CONTROL_STEP_PX
    rows, cols = _lines(target.height, step), _lines(target.width, step)
    x, y = np.meshgrid(cols, rows)
    x, y = _apply(target.transform, x, y)
    if not affine:
        assert target.crs is not None
        assert source.crs is not None
        x, y = transformer(target.crs, source.crs).transform(x, y)
    x, y = _apply(~source.transform, np.asarray(x), np.asarray(y))
    lost = ~(np.isfinite(x) & np.isfinite(y))
    x[lost] = y[lost] = _NOWHERE_PX
    return ControlNet(x, y, rows, cols)


def resample(source: Samples, x: FloatArray, y: FloatArray, across: Sampling, down: Sampling) -> Samples:
    """`source` (H, W, channels) at coordinates of `ControlNet.maps`; beyond its edge its outermost pixels count."""
    result = np.empty((*x.shape, source.shape[2]), source.dtype)
    for window in windows(x.shape[1], x.shape[0], SQUARE_PX, 0):
        result[window.slices] = _square(source, x[window.slices], y[window.slices], across, down)
    return result


def resample_valid(
    valid: NDArray[np.bool_], x: FloatArray, y: FloatArray, across: Sampling, down: Sampling
) -> NDArray[np.bool_]:
    """Where every pixel that the kernel weighs is valid; beyond the array's own edge its outermost pixels count."""
    height, width = valid.shape
    inside = np.asarray((x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5))
    if valid.all():
        return inside
    sides = 2 * down.reach - 1, 2 * across.reach - 1  # linear interpolation adds the last pixel
    clear = cv2.erode(valid.astype(np.uint8) * 255, np.ones(sides, np.uint8))
    share = cv2.remap(clear, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(inside & (np.asarray(share) >= 250))


def _square(source: Samples, x: FloatArray, y: FloatArray, across: Sampling, down: Sampling) -> Samples:
    left, right = _reached(x, source.shape[1], across)
    top, bottom = _reached(y, source.shape[0], down)
    cells = source[top:bottom, left:right]
    size = (right - left) * across.cells, (bottom - top) * down.cells
    if size != (right - left, bottom - top):
        cells = np.asarray(cv2.resize(cells, size, interpolation=cv2.INTER_NEAREST), source.dtype)
    taps = np.array(across.taps), np.array(down.taps)
    filtered = cv2.sepFilter2D(cells, -1, *taps, borderType=cv2.BORDER_REPLICATE)
    columns, rows = _in_cells(x, left, across), _in_cells(y, top, down)
    return np.asarray(
        cv2.remap(filtered, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), source.dtype
    )


def _reached(positions: FloatArray, length: int, axis: Sampling) -> tuple[int, int]:
    """First pixel and end of those that the kernel weighs; one at the edge where all lie beyond it."""
    low, high = float(positions.min()), float(positions.max())
    first = min(max(math.floor(low) - axis.reach, 0), length - 1)
    return first, max(min(math.ceil(high) + axis.reach + 1, length), first + 1)


def _in_cells(positions: FloatArray, first: int, axis: Sampling) -> FloatArray:
    """Coordinates of `cv2.remap` in pixels from 0 as those in cells from the cells of pixel `first`."""
    scale, offset = np.float32(axis.cells), np.float32((axis.cells - 1) / 2 - first * axis.cells)
    return positions * scale + offset


@lru_cache(maxsize=256)
def same_crs(one: pyproj.CRS | None, other: pyproj.CRS | None) -> bool:
    """Whether two grids share a CRS (axis order aside); plain pictures share their ground metres."""
    if one is None or other is None:
        return one is other
    return bool(one == other or one.equals(other, ignore_axis_order=True))


def _lines(length: int, step: int) -> NDArray[np.float64]:
    return np.append(np.arange(0, length, step, dtype=np.float64), float(length))


def _weights(lines: NDArray[np.float64]) -> FloatArray:
    """Matrix (pixels, lines) that interpolates linearly from net lines to pixel centres."""
    centres = np.arange(int(lines[-1])) + 0.5
    left = np.clip(np.searchsorted(lines, centres) - 1, 0, len(lines) - 2)
    part = ((centres - lines[left]) / (lines[left + 1] - lines[left])).astype(np.float32)
    weights = np.zeros((len(centres), len(lines)), np.float32)
    index = np.arange(len(centres))
    weights[index, left] = 1 - part
    weights[index, left + 1] = part
    return weights


def _upsampled(down: FloatArray, net: FloatArray, across: FloatArray) -> FloatArray:
    """down · net · acrossᵀ by cv2: numpy would start threads for it, which take longer than so small a product."""
    nothing = np.empty((0, 0), np.float32)
    rows = cv2.gemm(down, net, 1, nothing, 0)
    return np.asarray(cv2.gemm(rows, across, 1, nothing, 0, flags=cv2.GEMM_2_T), np.float32)


def _apply(
    transform: Affine, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b, c, d, e, f = tuple(transform)[:6]
    return a * x + b * y + c, d * x + e * y + f
