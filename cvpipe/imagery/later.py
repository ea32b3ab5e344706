"""Reading the later epoch where it lies on the earlier one: moved, turned, and unbent where the two are bent."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from cvpipe.domain import Registration
from cvpipe.geo import Grid, Window
from cvpipe.imagery.alignment import controls_of, later_grid
from cvpipe.imagery.bending import bend_over
from cvpipe.imagery.reading import Patch

#: Pixels beyond the largest bend that the cubic kernel reaches.
KERNEL_PX = 3


class Reader(Protocol):
    """A scene, or several that are read as one."""

    def read(self, grid: Grid) -> Patch:
        """The ground of a grid."""


def read_later(reader: Reader, grid: Grid, registration: Registration, reference: Grid) -> Patch:
    """The later epoch on `grid`, its ground on that of the earlier one.

    `registration` is in pixels of `reference`; `grid` lies parallel to it in the same CRS, its pixels of any size. A
    bend is taken out by resampling what was read (cubic). Raises what the reader raises.
    """
    if not registration.bend:
        return replace(reader.read(later_grid(grid, registration, reference)), grid=grid)
    bend = _bend_on(grid, registration, reference)
    margin = math.ceil(float(np.abs(bend).max())) + KERNEL_PX
    around = grid.window(Window(-margin, -margin, grid.width + 2 * margin, grid.height + 2 * margin))
    return _unbent(reader.read(later_grid(around, registration, reference)), bend, margin, grid)


def _bend_on(grid: Grid, registration: Registration, reference: Grid) -> NDArray[np.float32]:
    """The bend (2, H, W) at each pixel of the grid, in its pixels."""
    to_reference = ~reference.transform * grid.transform
    cols = to_reference.c + to_reference.a * (np.arange(grid.width) + 0.5)
    rows = to_reference.f + to_reference.e * (np.arange(grid.height) + 0.5)
    bend = bend_over(controls_of(registration), cols / reference.width, rows / reference.height)
    return bend / np.float32(to_reference.a)


def _unbent(patch: Patch, bend: NDArray[np.float32], margin: int, grid: Grid) -> Patch:
    rows, cols = np.indices(grid.shape, dtype=np.float32)
    x, y = cols + bend[0] + np.float32(margin), rows + bend[1] + np.float32(margin)
    seen = cv2.remap(patch.valid.astype(np.float32), x, y, cv2.INTER_LINEAR)
    valid = np.asarray(seen) > 0.99
    pixels = np.asarray(cv2.remap(patch.pixels, x, y, cv2.INTER_CUBIC), np.uint8) * valid[:, :, None]
    nir, red = (
        None if plane is None else np.where(valid, cv2.remap(plane, x, y, cv2.INTER_LINEAR), 0).astype(np.float32)
        for plane in (patch.nir, patch.red)
    )
    return Patch(pixels, valid, grid, nir, red)
