"""How one axis of a source is sampled so that it comes out as GDAL's warper would have it.

Its kernel is the cubic convolution of Keys (1981, a = -1/2), widened to the target's pixel where that is the coarser
one. `cv2.remap` offers no such kernel, and its own cubic is slow. So the source is laid on a lattice of cells, filtered
there, and read with linear interpolation. The filter is the one with which filter and interpolation together come
closest to the kernel (a prefilter before a short basis: Thévenaz, Blu and Unser 2000, Interpolation revisited, IEEE TMI
19(7)).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

#: Width of the kernel (half its support), in source pixels, below which each of them is split into two cells, and, in
#: means of two source pixels, above which those are read. Linear interpolation between cells of half the kernel's
#: width misses it by 6 % (root of squares), which is half a grey level on aerial pictures; means need finer ones.
SPLIT_BELOW, MEANS_ABOVE = 2.0, 3.2

#: GDAL widens its kernel only where the target's pixel is coarser than the source's by more than this factor.
WIDENED_ABOVE = 1 / 0.95

#: Widths at which a source pixel is split into one cell more where a picture asks for it: elsewhere hardly more than
#: 2 % are missed.
FINER_WIDTHS = (WIDENED_ABOVE, 1.4), (SPLIT_BELOW, 2.8)

#: Pixels of a mean whose places a filter takes heed of.
MOST_PLACES = 8

#: The shortest filter is taken that is no further from the kernel than the longest by more than this factor, or that
#: misses no more of it than this share (root of squares): a fifth of a grey level on aerial pictures.
ENOUGH, UNSEEN = 1.1, 0.02

#: Steps to a source pixel by which the kernel is sampled when a filter is fitted to it.
_FIT_STEPS = 48


@dataclass(frozen=True)
class Sampling:
    """How one axis of a source is sampled.

    `reduced` source pixels are read as one (by an overview, or a mean), each of which is split into `cells`; `taps`
    (odd in number, symmetric, sum 1) filter the cells. `width` is the kernel's, in pixels of the source or
    its overview: 1 where these are hardly finer than the target's.
    """

    reduced: int
    cells: int
    taps: tuple[float, ...]
    width: float

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

    def split(self, cells: int) -> Sampling:
        """The same with every pixel as read split into so many cells."""
        return replace(self, cells=cells, taps=_fitted(self.width, 1, cells))

    @property
    def finer(self) -> Sampling:
        """With one cell more to a pixel, where that brings it closer to the kernel by much."""
        is_rough = any(low <= self.width < high for low, high in FINER_WIDTHS)
        return self.split(self.cells + 1) if is_rough else self


def sampling(scale: float, overview: int = 1) -> Sampling:
    """The sampling of a source with `scale` source pixels to a target pixel.

    `overview` source pixels make a pixel of the overview that is to be read instead of the source; 1 for none.
    """
    coarser = scale / overview
    width = round(coarser, 2) if coarser > WIDENED_ABOVE else 1.0  # of the kernel, in pixels of source or overview
    cells = 2 if width < SPLIT_BELOW else 1
    averaged = 2 ** max(math.floor(math.log2(width / MEANS_ABOVE)), 0)
    alike = min(averaged, MOST_PLACES)  # means of more pixels need the same filter
    taps = _fitted(round(width * alike / averaged, 2), alike, cells)
    return Sampling(overview * averaged, cells, taps, width)


@lru_cache(maxsize=1024)
def _fitted(width: float, averaged: int, cells: int) -> tuple[float, ...]:
    """Taps with which filter, cells and linear interpolation come closest to a cubic of `width`."""
    most = math.ceil(2 * width * cells / averaged) + 2
    _, least_error = _half_filter(width, averaged, cells, most)
    tried = (_half_filter(width, averaged, cells, count) for count in range(2, most + 1))
    half = next(half for half, error in tried if error <= max(ENOUGH * least_error, UNSEEN))
    return tuple(np.concatenate([half[:0:-1], half]).tolist())


def _half_filter(width: float, averaged: int, cells: int, count: int) -> tuple[NDArray[np.float64], float]:
    """Of a symmetric filter of cells the middle and one side, `count` in all, and how much of the kernel it misses.

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
    basis, wanted = np.column_stack(shifted), keys_cubic(x / width) / width
    normal = np.block([[basis.T @ basis, rules.T], [rules, np.zeros((len(rules), len(rules)))]])
    right = np.concatenate([basis.T @ wanted, np.eye(len(rules))[0]])
    half = np.linalg.solve(normal, right)[:count]
    return half, float(np.linalg.norm(basis @ half - wanted) / np.linalg.norm(wanted))


def _one_cell(x: NDArray[np.float64], averaged: int, cells: int) -> NDArray[np.float64]:
    """What one source pixel weighs at a distance of `x` source pixels through its cells, read linearly.

    Of several that are averaged, the mean over their places in the cell; of one that is split, both of its cells.
    """
    cell, parts = averaged / cells, max(averaged, cells)
    places = (np.arange(parts) - (parts - 1) / 2) * min(cell, 1.0)
    hats = [np.maximum(1 - np.abs(x - place) / cell, 0) / cell for place in places]
    return np.asarray(np.mean(hats, axis=0))


def keys_cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic convolution with a = -1/2, which GDAL and most others use."""
    x = np.abs(x)
    return np.where(x < 1, (1.5 * x - 2.5) * x**2 + 1, np.where(x < 2, ((-0.5 * x + 2.5) * x - 4) * x + 2, 0))
