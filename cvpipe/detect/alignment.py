"""Two open scenes on one grid, the later one moved onto the earlier."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from cvpipe.domain import Registration
from cvpipe.geo import Grid, Window
from cvpipe.imagery.alignment import estimate_registration
from cvpipe.imagery.pairing import common_grid
from cvpipe.imagery.reading import Patch, SceneReader

#: Side in pixels of the windows that are compared, and how many there are along each axis at most: 9 Mpx in all,
#: however large the scenes. One window itself holds up to nine votes.
WINDOW_PX = 1024
WINDOWS_PER_AXIS = 3


@dataclass(frozen=True)
class AlignedPair:
    """Two scenes, the grid they are compared on, and how far the later one lies off in pixels of that grid."""

    before: SceneReader
    after: SceneReader
    grid: Grid
    registration: Registration

    @classmethod
    def of(cls, before: SceneReader, after: SceneReader, gsd_m: float) -> AlignedPair:
        """Pair two scenes with pixels of `gsd_m` metres. Raises SceneError where they do not fit together."""
        grid = common_grid(before, after, gsd_m)
        return cls(before, after, grid, registration(before, after, grid))

    @property
    def output_grid(self) -> Grid:
        """The common grid; of plain pictures BEFORE's own, so that outputs lie pixel on pixel with it."""
        return self.before.grid if self.grid.crs is None else self.grid

    def read(self, grid: Grid) -> tuple[Patch, Patch]:
        """Both epochs on a grid that is parallel to the common one, its pixels of any size."""
        scale = self.grid.pixel_size / grid.pixel_size
        dx, dy = (shift * scale for shift in self.registration.shift_px)
        return self.before.read(grid), self.after.read(grid.shifted(dx, dy))


def registration(before: SceneReader, after: SceneReader, grid: Grid) -> Registration:
    """One shift for the whole grid: the median of windows spread over it, in pixels of the grid.

    The residual is the windows' own and their distance from the median, so scenes that are bent against each other
    show it. Where no window tells a shift it is (0, 0), the residual infinite.
    """
    found = [estimate_registration(before.read(part), after.read(part)) for part in _parts(grid)]
    known = [one for one in found if math.isfinite(one.residual_px)]
    if not known:
        return Registration((0.0, 0.0), math.inf, max(one.confidence for one in found))
    x, y = (median(one.shift_px[axis] for one in known) for axis in (0, 1))
    off = [math.hypot(one.residual_px, one.shift_px[0] - x, one.shift_px[1] - y) for one in known]
    return Registration((x, y), median(off), median(one.confidence for one in known))


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
