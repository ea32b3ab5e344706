"""From the pixels of one grid to the pixels of another: exact coordinates on a coarse net, bilinear in between."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import pyproj
from affine import Affine
from numpy.typing import NDArray

from cvpipe.geo import Grid, transformer

#: Distance in pixels of the points whose coordinates are computed exactly. Over 64 px of a map projection the
#: bilinear error stays under 0.01 px (GDAL's own approximate transformer works to 0.125 px).
CONTROL_STEP_PX = 64

#: Coordinates that a projection cannot give are put here, far outside any raster.
_NOWHERE_PX = -1e6

FloatArray = NDArray[np.float32]


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


def resample(pixels: NDArray[np.uint8], x: FloatArray, y: FloatArray) -> NDArray[np.uint8]:
    """Cubic: a bilinear read at half a pixel would blur one epoch and not the other."""
    return np.asarray(cv2.remap(pixels, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def resample_valid(valid: NDArray[np.bool_], x: FloatArray, y: FloatArray) -> NDArray[np.bool_]:
    """Where every cell that the cubic kernel weighs is valid; beyond the array's own edge its outermost cells count."""
    height, width = valid.shape
    inside = np.asarray((x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5))
    if valid.all():
        return inside
    clear = cv2.erode(valid.astype(np.uint8) * 255, np.ones((3, 3), np.uint8))
    share = cv2.remap(clear, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(inside & (np.asarray(share) >= 250))


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
