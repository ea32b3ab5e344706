"""Pixels read at the places of a control net, with the kernel of GDAL's warper.

How finely a picture must be sampled for the difference to stay well below a grey level depends on the picture: on how
much it bends from pixel to pixel. Each square of the target is resampled in the cheapest way that is close enough
there: by linear interpolation between filtered cells, as `sampling` fits them, or else by cubics.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from threading import local
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from cvpipe.imagery.sampling import Sampling
from cvpipe.imagery.warping import Coordinates, FloatArray

Samples = NDArray[Any]
"""(H, W, channels), uint8 or float32."""

AsGiven = TypeVar("AsGiven", NDArray[np.uint8], NDArray[np.float32])

#: Side in target pixels, at most, of the squares that are resampled at once.
SQUARE_PX = 512

#: Grey levels (RMS) by which a square may miss the kernel; the rounding of both sides adds 0.4.
MOST_MISSED = 0.65

#: What is missed to one grey level of a picture's roughness: by a cell to a pixel; by two, where the target's pixels
#: lie everywhere between the source's; and where all lie in the worst place. From 39 pictures of aeroplanes and drones.
MISSED_BY_ONE, MISSED_BY_TWO, MISSED_IN_THE_WORST_PLACE = 0.03, 0.019, 0.037

#: Source pixels to a target pixel, in the box around a square, above which the square is turned: splitting and
#: filtering them all then takes longer than the exact kernel.
TURNED_ABOVE = 1.4

#: Every so many rows and columns of a square tell its roughness.
_ROUGHNESS_STEP = 16

#: Fractions of a pixel that `cv2.remap` knows, and for a pair of them (y, x) the pair on a smooth step.
_FRACTIONS = 32

_own = local()


def resample(source: AsGiven, x: Coordinates, y: Coordinates, across: Sampling, down: Sampling) -> AsGiven:
    """`source` (H, W, channels) at coordinates of a net; beyond its edge its outermost pixels count."""
    rows, cols = x.everywhere
    result = np.empty((rows.stop, cols.stop, source.shape[2]), source.dtype)
    for square in _squares(rows.stop, cols.stop):
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


def _squares(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """A target cut into parts of nearly one size: a narrow one would have a large rim."""
    for rows in _parts(height):
        for cols in _parts(width):
            yield rows, cols


def _parts(length: int) -> list[slice]:
    count = math.ceil(length / SQUARE_PX)
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
    pixels = source[top:bottom, left:right]
    place = _Place(x, y, left, top, square)
    rough = _roughness(pixels) if pixels.dtype == np.uint8 else 0.0
    if max(across.width, down.width) > 1:
        if rough * MISSED_BY_ONE > MOST_MISSED:
            across, down = across.finer, down.finer
        _by_cells(pixels, place, across, down, result)
    elif pixels.dtype == np.uint8 and pixels.shape[0] * pixels.shape[1] > TURNED_ABOVE * place.pixels:
        if rough * MISSED_BY_ONE > MOST_MISSED:
            _exactly(pixels, place, result)
        else:
            _by_cells(pixels, place, across.split(1), down.split(1), result)
    elif rough * MISSED_IN_THE_WORST_PLACE > MOST_MISSED and rough * _missed_by_two(place) > MOST_MISSED:
        _exactly(pixels, place, result)
    else:
        _by_cells(pixels, place, across, down, result)


def _reached(bounds: tuple[float, float], length: int, axis: Sampling) -> tuple[int, int]:
    """First pixel and end of those that the kernel weighs; one at the edge where all lie beyond it."""
    low, high = bounds
    reach = max(axis.reach, axis.finer.reach)
    first = min(max(math.floor(low) - reach, 0), length - 1)
    return first, max(min(math.ceil(high) + reach + 1, length), first + 1)


def _by_cells(pixels: Samples, place: _Place, across: Sampling, down: Sampling, result: Samples) -> None:
    """By linear interpolation between filtered cells."""
    height, width, channels = pixels.shape
    shape = height * down.cells, width * across.cells, channels
    cells = pixels
    if shape != pixels.shape:
        cells = _kept("cells", shape, pixels.dtype)
        cv2.resize(pixels, shape[1::-1], dst=cells, interpolation=cv2.INTER_NEAREST)
    filtered = _kept("filtered", shape, pixels.dtype)
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
    whole = _kept("whole", (rows, cols, 2), np.dtype(np.int16))
    fraction = _kept("fraction", (rows, cols), np.dtype(np.uint16))
    stepped = _kept("stepped", (rows, cols), np.dtype(np.uint16))
    smooth = _kept("smooth", result.shape, np.dtype(np.uint8))
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
    along, across = green[::_ROUGHNESS_STEP].astype(np.float32), green[:, ::_ROUGHNESS_STEP].T.astype(np.float32)
    bends = [line[:, 2:] - 2 * line[:, 1:-1] + line[:, :-2] for line in (along, across)]
    return math.sqrt(sum(float(np.mean(bend**2)) if bend.size else 0.0 for bend in bends))


def _missed_by_two(place: _Place) -> float:
    """What two cells to a pixel miss: the more, the more alike the places of target pixels between the source's."""
    alike = sum(place.likeness) / 2
    return math.sqrt(MISSED_BY_TWO**2 + (MISSED_IN_THE_WORST_PLACE**2 - MISSED_BY_TWO**2) * alike)


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
    def pixels(self) -> int:
        """Of the target."""
        return math.prod(self.shape)

    @property
    def likeness(self) -> tuple[float, float]:
        """How alike the fractions of x, and of y, are: 0 where they are everywhere, 1 where all are the same."""
        rows, cols = self.square
        first = slice(rows.start, rows.start + 1), slice(cols.start, cols.start + 1)
        sides = [axis.of(*edge).ravel() for axis in (self.x, self.y) for edge in ((first[0], cols), (rows, first[1]))]
        waves = [max(abs(np.mean(np.exp(2j * np.pi * k * side[::3]))) for k in (1, 2)) for side in sides]
        return waves[0] * waves[1], waves[2] * waves[3]

    def maps(self, across: int, down: int) -> tuple[FloatArray, FloatArray]:
        """For `cv2.remap` of that part, its pixels split into so many cells."""
        x, y = (_kept(name, self.shape, np.dtype(np.float32)) for name in "xy")
        self.x.fill(x, self.square, across, (across - 1) / 2 - self.left * across)
        self.y.fill(y, self.square, down, (down - 1) / 2 - self.top * down)
        return x, y


def _kept(name: str, shape: tuple[int, ...], kind: np.dtype[Any]) -> NDArray[Any]:
    """A thread's own memory for passing results: new memory for each square would take as long as its filter."""
    size = math.prod(shape) * kind.itemsize
    memory = getattr(_own, name, None)
    if memory is None or memory.size < size:
        memory = np.empty(size, np.uint8)
        setattr(_own, name, memory)
    return np.asarray(memory[:size].view(kind).reshape(shape))
