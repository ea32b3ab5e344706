"""Two open scenes on one grid, the later one moved onto the earlier."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from cvpipe.domain import Registration
from cvpipe.geo import Grid, Window
from cvpipe.imagery.alignment import estimate_registration
from cvpipe.imagery.later import read_later
from cvpipe.imagery.pairing import common_grid
from cvpipe.imagery.radiometry import AS_IT_IS, Relighting, relighting
from cvpipe.imagery.reading import Patch, SceneReader
from cvpipe.settings import Light

#: Side in pixels of the windows that are compared, and how many there are along each axis at most: 9 Mpx in all,
#: however large the scenes.
WINDOW_PX = 1024
WINDOWS_PER_AXIS = 3

#: A shift that grows over the grid is taken from at least so many windows (it has six values, they have two each), and
#: only where the windows lie further than this from their median, pixels: less is no worse than their own residual.
MIN_FIELD_WINDOWS = 6
MIN_BEND_PX = 0.5

Drift = tuple[float, float, float, float]
"""As in `Registration`."""


@dataclass(frozen=True)
class AlignedPair:
    """Two scenes, the grid they are compared on, how far off the later one lies in its pixels, and its light."""

    before: SceneReader
    after: SceneReader
    grid: Grid
    registration: Registration
    relight: Relighting = AS_IT_IS

    @classmethod
    def of(cls, before: SceneReader, after: SceneReader, gsd_m: float, light: Light = "none") -> AlignedPair:
        """Pair two scenes with pixels of `gsd_m` metres. Raises SceneError where they do not fit together."""
        grid = common_grid(before, after, gsd_m)
        pair = cls(before, after, grid, registration(before, after, grid))
        return pair if light == "none" else replace(pair, relight=pair.relighting(light))

    def relighting(self, light: Light) -> Relighting:
        """One change of light for the whole of the later scene, so that no seams show, from windows spread over it."""
        return relighting([self.read(part) for part in _parts(self.grid)], light)

    @property
    def output_grid(self) -> Grid:
        """The common grid; of plain pictures BEFORE's own, so that outputs lie pixel on pixel with it."""
        return self.before.grid if self.grid.crs is None else self.grid

    def read(self, grid: Grid) -> tuple[Patch, Patch]:
        """Both epochs on a grid that is parallel to the common one, its pixels of any size."""
        later = read_later(self.after, grid, self.registration, self.grid)
        return self.before.read(grid), self.relight(later)


def registration(before: SceneReader, after: SceneReader, grid: Grid) -> Registration:
    """The alignment of the whole grid from windows spread over it, in pixels of the grid.

    A grid of one window has that window's registration, with its bend. Else the shift is the median of the windows;
    with at least `MIN_FIELD_WINDOWS` of them, and where that halves their distance from it, a shift that grows evenly
    over the grid (`drift`). The residual is the windows' own and their distance, so scenes that are bent against each
    other show it. Where no window tells a shift it is (0, 0), the residual infinite.
    """
    found = [(part, estimate_registration(before.read(part), after.read(part))) for part in _parts(grid)]
    if len(found) == 1:
        return found[0][1]
    known = [(part, one) for part, one in found if math.isfinite(one.residual_px)]
    if not known:
        return Registration((0.0, 0.0), math.inf, max(one.confidence for _, one in found))
    places = np.array([_centre(part, grid) for part, _ in known])
    shifts = np.array([one.shift_px for _, one in known])
    (x, y), drift, off = _field(places, shifts, _median_drift([one for _, one in known]))
    residuals = [math.hypot(one.residual_px, own) for (_, one), own in zip(known, off, strict=True)]
    return Registration((x, y), median(residuals), median(one.confidence for _, one in known), drift)


def _median_drift(found: Sequence[Registration]) -> Drift:
    """The windows' own drift, where most of them have one."""
    across_x, down_x, across_y, down_y = (median(one.drift[n] for one in found) for n in range(4))
    return across_x, down_x, across_y, down_y


def _field(
    places: NDArray[np.float64], shifts: NDArray[np.float64], drift: Drift
) -> tuple[tuple[float, float], Drift, NDArray[np.float64]]:
    """Shift at the grid's centre, drift, and the distance of each window from both, pixels.

    `places` (n, 2) are the windows' centres from the grid's, `shifts` (n, 2) what they found.
    """
    still = shifts - places @ np.reshape(drift, (2, 2)).T
    middle = np.median(still, axis=0)
    off = np.hypot(*(still - middle).T)
    if len(places) >= MIN_FIELD_WINDOWS:
        design = np.column_stack([np.ones(len(places)), places])
        solution = np.linalg.lstsq(design, shifts, rcond=None)[0]
        rest = np.hypot(*(shifts - design @ solution).T)
        if np.median(off) > MIN_BEND_PX and np.median(rest) < np.median(off) / 2:
            across_x, down_x, across_y, down_y = solution[1:].T.ravel().tolist()
            return _pair(solution[0]), (across_x, down_x, across_y, down_y), rest
    return _pair(middle), drift, off


def _pair(values: NDArray[np.float64]) -> tuple[float, float]:
    return float(values[0]), float(values[1])


def _centre(part: Grid, grid: Grid) -> tuple[float, float]:
    """The middle of a part of the grid in pixels from the grid's own middle."""
    window = grid.window_of_grid(part)
    return window.col + window.width / 2 - grid.width / 2, window.row + window.height / 2 - grid.height / 2


def _parts(grid: Grid) -> Iterator[Grid]:
    width, height = min(WINDOW_PX, grid.width), min(WINDOW_PX, grid.height)
    for row in _spread(grid.height, height):
        for col in _spread(grid.width, width):
            yield grid.window(Window(col, row, width, height))


def _spread(length: int, size: int) -> list[int]:
    """First pixels of up to three windows of `size` that are spread evenly over `length`, edge to edge."""
    count = min(WINDOWS_PER_AXIS, math.ceil(length / size))
    gap = (length - size) / max(count - 1, 1)
    return [round(i * gap) for i in range(count)]


__all__ = ["AlignedPair", "registration"]
