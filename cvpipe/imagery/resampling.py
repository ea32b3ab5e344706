"""Pixels read at the places of a control net, with the kernel of GDAL's warper.

How finely a picture must be sampled for the difference to stay well below a grey level depends on the picture: on how
much it bends from pixel to pixel. Each square of the target is resampled in the cheapest way that is close enough
there: where it is no more than moved, by the kernel itself; else by linear interpolation between filtered cells, as
`sampling` fits them; else by cubics.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from cvpipe.imagery.sampling import Sampling, keys_cubic
from cvpipe.imagery.scratch import kept
from cvpipe.imagery.warping import Coordinates, FloatArray

Samples = NDArray[Any]
"""(H, W, channels), uint8 or float32."""

AsGiven = TypeVar("AsGiven", NDArray[np.uint8], NDArray[np.float32])

#: Side in target pixels, at most, of the squares that are resampled at once, and in source pixels, about.
SQUARE_PX, SQUARE_SOURCE_PX = 512, 1024

#: Grey levels (RMS) by which a square may miss the kernel; the rounding of both sides adds 0.4.
MOST_MISSED = 0.65

#: What is missed to one grey level of a picture's roughness by a cell to a pixel, and by two, where the target's pixels
#: lie everywhere between the source's; twice that where all of them lie in the worst place. From 39 pictures of towns
#: and fields, of aeroplanes and drones.
MISSED_BY_ONE, MISSED_BY_TWO = 0.03, 0.019

#: Source pixels to a target pixel, in the box around a square, above which the square is turned: splitting and
#: filtering them all then takes longer than the exact kernel.
TURNED_ABOVE = 1.4

#: Pixels by which a square that is no more than moved may differ from that.
SHIFTED_WITHIN_PX = 0.01

#: So many rows and columns of a square tell its roughness.
_ROUGHNESS_LINES = 16

#: Fractions of a pixel that `cv2.remap` knows, and for a pair of them (y, x) the pair on a smooth step.
_FRACTIONS = 32


def resample(source: AsGiven, x: Coordinates, y: Coordinates, across: Sampling, down: Sampling) -> AsGiven:
    """`source` (H, W, channels) at coordinates of a net; beyond its edge its outermost pixels count."""
    rows, cols = x.everywhere
    result = np.empty((rows.stop, cols.stop, source.shape[2]), source.dtype)
    side = min(SQUARE_PX, SQUARE_SOURCE_PX / max(across.width, down.width))
    for square in _squares(rows.stop, cols.stop, side):
        _resample_square(source, x, y, (across, down), square, result[square])
    return result


def resample_valid(
    valid: NDArray[np.bool_], x: Coordinates, y: Coordinates, across: Sampling, down: Sampling
) -> NDArray[np.bool_]:
    """Where every pixel that the kernel weighs is valid; beyond the array's own edge its outermost pixels count."""
    rows, cols = x.everywhere
    is_whole = valid.all()
    ends = zip((x, y), valid.shape[::-1], strict=True)
    if is_whole and all(_within(axis.bounds(rows, cols), length) for axis, length in ends):
        return np.ones((rows.stop, cols.stop), bool)
    columns, lines = x.of(rows, cols), y.of(rows, cols)
    height, width = valid.shape
    inside = np.asarray((columns > -0.5) & (columns < width - 0.5) & (lines > -0.5) & (lines < height - 0.5))
    if is_whole:
        return inside
    sides = 2 * down.reach - 1, 2 * across.reach - 1  # linear interpolation adds the last pixel
    clear = cv2.erode(valid.astype(np.uint8) * 255, np.ones(sides, np.uint8))
    share = cv2.remap(clear, columns, lines, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(inside & (np.asarray(share) >= 250))


def _within(bounds: tuple[float, float], length: int) -> bool:
    return bounds[0] > -0.5 and bounds[1] < length - 0.5


def _squares(height: int, width: int, side: float) -> Iterator[tuple[slice, slice]]:
    """A target cut into parts of nearly one size: a narrow one would have a large rim."""
    for rows in _parts(height, side):
        for cols in _parts(width, side):
            yield rows, cols


def _parts(length: int, longest: float) -> list[slice]:
    count = math.ceil(length / longest)
    return [slice(length * n // count, length * (n + 1) // count) for n in range(count)]


def _resample_square(
    source: Samples,
    x: Coordinates,
    y: Coordinates,
    samplings: tuple[Sampling, Sampling],
    square: tuple[slice, slice],
    result: Samples,
) -> None:
    """Fill `result`, a square of the target, as finely as the picture asks for there."""
    across, down = samplings
    left, right = _reached(x.bounds(*square), source.shape[1], across)
    top, bottom = _reached(y.bounds(*square), source.shape[0], down)
    pixels, place = source[top:bottom, left:right], _Place(x, y, left, top, square)
    is_widened = max(across.width, down.width) > 1
    shift = None if is_widened else place.shift
    if shift is not None and _shifted(pixels, place, *shift, result):
        return
    if pixels.dtype != np.uint8 or (is_widened and samplings == (across.finer, down.finer)):
        _by_cells(pixels, place, across, down, result)
        return
    rough = _roughness(pixels)
    if is_widened:
        finer = rough * MISSED_BY_ONE > MOST_MISSED
        _by_cells(pixels, place, *((across.finer, down.finer) if finer else samplings), result)
        return
    cells = _cells_for(rough, place, pixels.shape[0] * pixels.shape[1] / math.prod(place.shape))
    if cells is None:
        _exactly(pixels, place, result)
    else:
        _by_cells(pixels, place, across.split(cells), down.split(cells), result)


def _cells_for(rough: float, place: _Place, density: float) -> int | None:
    """Cells for a kernel of one pixel's width: the fewest that miss little enough; None where it takes the cubic.

    `density` is the number of source pixels, in the box around the square, to one of the target.
    """
    if density > TURNED_ABOVE:
        return 1 if rough * MISSED_BY_ONE <= MOST_MISSED else None
    if rough * MISSED_BY_TWO * 2 <= MOST_MISSED or rough * MISSED_BY_TWO * (1 + place.likeness) <= MOST_MISSED:
        return 2
    return None


def _reached(bounds: tuple[float, float], length: int, axis: Sampling) -> tuple[int, int]:
    """First pixel and end of those that the kernel weighs; one at the edge where all lie beyond it."""
    low, high = bounds
    reach = max(axis.reach, axis.finer.reach)
    first = min(max(math.floor(low) - reach, 0), length - 1)
    return first, max(min(math.ceil(high) + reach + 1, length), first + 1)


def _shifted(pixels: Samples, place: _Place, x: float, y: float, result: Samples) -> bool:
    """By the kernel's own sixteen weights, where they are the same for all; the first pixel lies at (x, y).

    False where the source ends within the square.
    """
    (rows, cols), col, row = place.shape, math.floor(x), math.floor(y)
    if min(col, row) < 0 or row + rows > pixels.shape[0] or col + cols > pixels.shape[1]:
        return False
    across, down = (keys_cubic(np.arange(-1.0, 3.0) - fraction) for fraction in (x - col, y - row))
    moved = kept("filtered", pixels.shape, pixels.dtype)
    cv2.filter2D(pixels, -1, np.outer(down, across), dst=moved, anchor=(1, 1), borderType=cv2.BORDER_REPLICATE)
    result[:] = moved[row : row + rows, col : col + cols]
    return True


def _by_cells(pixels: Samples, place: _Place, across: Sampling, down: Sampling, result: Samples) -> None:
    """By linear interpolation between filtered cells."""
    height, width, channels = pixels.shape
    shape = height * down.cells, width * across.cells, channels
    cells = pixels
    if shape != pixels.shape:
        cells = kept("cells", shape, pixels.dtype)
        cv2.resize(pixels, shape[1::-1], dst=cells, interpolation=cv2.INTER_NEAREST)
    filtered = kept("filtered", shape, pixels.dtype)
    taps = np.array(across.taps), np.array(down.taps)
    cv2.sepFilter2D(cells, -1, *taps, dst=filtered, borderType=cv2.BORDER_REPLICATE)
    x, y = place.maps(across.cells, down.cells)
    cv2.remap(filtered, x, y, cv2.INTER_LINEAR, dst=result, borderMode=cv2.BORDER_REPLICATE)


def _exactly(pixels: Samples, place: _Place, result: Samples) -> None:
    """By the cubic of the source's own pixels, to within a grey level.

    `cv2.remap` has the one with a = -3/4, and, in linear interpolation at a smooth step of the fraction, that with
    a = 0. Along one axis two thirds of the one and a third of the other are just the one with a = -1/2; in the plane,
    where each is a product, all but 0.6 % of it.
    """
    rows, cols = place.shape
    whole = kept("whole", (rows, cols, 2), np.int16)
    fraction = kept("fraction", (rows, cols), np.uint16)
    stepped = kept("stepped", (rows, cols), np.uint16)
    smooth = kept("smooth", result.shape, np.uint8)
    cv2.convertMaps(*place.maps(1, 1), cv2.CV_16SC2, dstmap1=whole, dstmap2=fraction)
    np.take(_smooth_steps(), fraction, out=stepped, mode="clip")
    cv2.remap(pixels, whole, fraction, cv2.INTER_CUBIC, dst=result, borderMode=cv2.BORDER_REPLICATE)
    cv2.remap(pixels, whole, stepped, cv2.INTER_LINEAR, dst=smooth, borderMode=cv2.BORDER_REPLICATE)
    cv2.addWeighted(result, 2 / 3, smooth, 1 / 3, 0, dst=result)


@lru_cache(maxsize=1)
def _smooth_steps() -> NDArray[np.uint16]:
    """For the fractions of a fixed-point map of OpenCV, 32 y + x in 32nds, those at 3 t² - 2 t³."""
    t = np.arange(_FRACTIONS) / _FRACTIONS
    step = np.minimum(np.rint((3 - 2 * t) * t**2 * _FRACTIONS), _FRACTIONS - 1)
    return np.asarray(np.add.outer(step * _FRACTIONS, step).ravel(), np.uint16)


def _roughness(pixels: Samples) -> float:
    """How much green bends from pixel to pixel: RMS of the second differences along and across, together."""
    green = pixels[:, :, min(1, pixels.shape[2] - 1)]
    rows, cols = (max(length // _ROUGHNESS_LINES, 1) for length in green.shape)
    along, across = green[::rows].astype(np.float32), green[:, ::cols].T.astype(np.float32)
    bends = [line[:, 2:] - 2 * line[:, 1:-1] + line[:, :-2] for line in (along, across)]
    return math.sqrt(sum(float(np.mean(bend**2)) if bend.size else 0.0 for bend in bends))


@dataclass(frozen=True)
class _Place:
    """A square of the target over a part of the source that begins at pixel (`left`, `top`)."""

    x: Coordinates
    y: Coordinates
    left: int
    top: int
    square: tuple[slice, slice]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the target."""
        rows, cols = self.square
        return rows.stop - rows.start, cols.stop - cols.start

    @property
    def likeness(self) -> float:
        """How alike the fractions of x and y are: 0 where they are everywhere, 1 where all are the same."""
        rows, cols = self.square
        first_row, first_col = slice(rows.start, rows.start + 1), slice(cols.start, cols.start + 1)
        waves = []
        for axis in (self.x, self.y):
            sides = axis.of(first_row, cols).ravel(), axis.of(rows, first_col).ravel()
            waves.append(math.prod(max(abs(np.exp(2j * np.pi * k * s[::3]).mean()) for k in (1, 2)) for s in sides))
        return float(sum(waves)) / 2

    @property
    def shift(self) -> tuple[float, float] | None:
        """Where the first pixel lies in that part, if all others follow a whole pixel apart; else None."""
        rows, cols = self.square
        x, y = self.x.lines[:, cols] - np.arange(cols.start, cols.stop), self.y.lines[:, cols]
        y = y - (self.y.rows[:, None] - 0.5)
        if max(np.ptp(x), np.ptp(y)) > 2 * SHIFTED_WITHIN_PX:
            return None
        middle = float(x.max() + x.min()) / 2, float(y.max() + y.min()) / 2
        return middle[0] + cols.start - self.left, middle[1] + rows.start - self.top

    def maps(self, across: int, down: int) -> tuple[FloatArray, FloatArray]:
        """For `cv2.remap` of that part, its pixels split into so many cells."""
        x, y = (kept(name, self.shape, np.float32) for name in "xy")
        self.x.fill(x, self.square, across, (across - 1) / 2 - self.left * across)
        self.y.fill(y, self.square, down, (down - 1) / 2 - self.top * down)
        return x, y
