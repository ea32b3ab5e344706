"""From a pair of pictures of any size to the network's blended answer, tile by tile and cell by cell.

Three threads hand on to each other what they have done, each one piece ahead: one reads, one asks the network, and the
caller's own blends and makes of it what it wants.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import cycle, groupby, islice
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from cvpipe.ahead import ahead
from cvpipe.detect.blending import Tile, blend
from cvpipe.domain import ChangeKind
from cvpipe.geo import Window
from cvpipe.network.probabilities import CHANNELS, FloatArray, enlarge

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

#: Pixels that the network sees at once, in squares of `tile_px`: more gains nothing on a few cores (measured), and a
#: strip stays small. A tile that has more is alone.
BATCH = 4

#: Neighbouring tiles share this part of `tile_px`: 128 px of 512, about the depth at which context stops to matter.
OVERLAP_SHARE = 4

#: A tile may be this many times as long as `tile_px`: what tiles share is computed twice, 78 % of the ground with
#: tiles of 512 px, 19 % with 1,536; larger ones would take more memory. A raster of that length is one tile.
LARGEST_TILE = 3.0

#: Sides of tiles are multiples of this many pixels: encoders halve their picture five times.
SIDE_MULTIPLE_PX = 32

#: Rows of a cell that are brought to pixels at once: they stay in the processor's cache.
ROWS_AT_ONCE = 128

#: Answers that are there at once: one in the making, and one that is looked at.
ROOMS = 2


class Network(Protocol):
    """A trained network with all that its answer needs to be used: what a bundle loads to.

    `gsd_m` is the ground size in metres of the pixels it was trained for, `tile_px` the usual side of its tiles, `step`
    the pixels along the side of a square that it gives one answer for (1, 2 or 4).
    `thresholds` holds the probability above which a pixel is a change, `min_area_m2` and `min_probability` the area
    and the mean probability under which a patch of change is dropped.
    """

    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def gsd_m(self) -> float: ...
    @property
    def tile_px(self) -> int: ...
    @property
    def step(self) -> int: ...
    @property
    def thresholds(self) -> Mapping[ChangeKind, float]: ...
    @property
    def min_area_m2(self) -> Mapping[ChangeKind, float]: ...
    @property
    def min_probability(self) -> Mapping[ChangeKind, float]: ...

    def logits(self, before: Pixels, after: Pixels) -> FloatArray:
        """Calibrated log-odds for uint8 RGB tiles (N, H, W, 3) of two epochs, (N, 18, H / step, W / step).

        In the order of `CHANNELS`, surfaces up to a constant for each pixel. H and W are multiples of
        `SIDE_MULTIPLE_PX`, at most `LARGEST_TILE` times `tile_px` (rounded up to them).
        """
        ...


@dataclass(frozen=True)
class Strip:
    """Two epochs of a window: pixels uint8 (H, W, 3), and the pixels bool (H, W) that can be judged."""

    before: Pixels
    after: Pixels
    usable_before: Mask
    usable_after: Mask

    def part(self, window: Window) -> Strip:
        """The window's pixels, counted from the strip's upper left; cut off at the strip's edge."""
        part = window.slices
        return Strip(self.before[part], self.after[part], self.usable_before[part], self.usable_after[part])


ReadStrip = Callable[[Window], Strip]
"""Reads a window that lies inside the raster."""


@dataclass(frozen=True)
class Cell:
    """A finished part of the raster: its pixels, and what the network answers for them.

    `values` are blended logits float32 (18, h, w) in the order of `CHANNELS`, one for a square of `step` pixels, as
    `blending.blend` gives them; they are of use until the next cell is asked for.
    """

    window: Window
    values: FloatArray
    step: int
    strip: Strip

    def bands(self) -> Iterator[tuple[slice, FloatArray]]:
        """Rows of the cell and their logits (18, rows, W), pixel by pixel, from above down; of use until the next."""
        height, width, step = self.window.height, self.window.width, self.step
        if step == 1:
            for first in range(0, height, ROWS_AT_ONCE):
                end = min(first + ROWS_AT_ONCE, height)
                yield slice(first, end), self.values[:, 1 + first : 1 + end, 1 : 1 + width]
            return
        columns = step * self.values.shape[2]
        for first in range(0, height, ROWS_AT_ONCE):
            end = min(first + ROWS_AT_ONCE, height)
            small = self.values[:, first // step : -(-end // step) + 2]
            large = np.empty((CHANNELS, step * small.shape[1], columns), np.float32)
            enlarge(small, large)
            yield slice(first, end), large[:, step : step + end - first, step : step + width]


def cells(
    network: Network, width: int, height: int, read: ReadStrip, *, on_tile: Callable[[int, int], None] | None = None
) -> Generator[Cell, None, None]:
    """Predict a raster of `width` × `height` pixels; the cells cover it once, row by row.

    Memory holds a few tiles and the overlap of one row of them, however large the raster. While one cell is looked at,
    the network is at work on the next and a thread reads for the one after: close the iterator before what is read is
    closed, which waits for the read in hand (`contextlib.closing`). Tiles without a usable pixel at either epoch are
    not predicted. `on_tile(done, total)` is told of each tile.
    """
    overlap, step = network.tile_px // OVERLAP_SHARE, network.step
    lattice = tiles_of(width, height, network.tile_px, overlap)
    groups = list(_batches(lattice, network.tile_px))
    recent: dict[tuple[int, int], Strip] = {}

    def read_all() -> Iterator[Strip]:
        return (read(cut_off(_around(group), width, height)) for group in groups)

    def tiles() -> Generator[Tile, None, None]:
        largest = max(map(len, groups)), CHANNELS, lattice[0].height // step + 1, lattice[0].width // step + 1
        rooms = cycle([np.empty(largest, np.float32) for _ in range(min(ROOMS, len(groups)))])
        with closing(ahead(read_all(), len(groups))) as strips:
            for group, strip, room in zip(groups, strips, rooms, strict=False):
                origin = _around(group)
                _predict(network, strip, origin, group, room[:, :, 1:, 1:])
                for window, values in zip(group, room, strict=False):
                    recent[window.row, window.col] = strip.part(_relative(window, origin))
                    yield _in_steps(window, step), values

    with closing(ahead(tiles(), len(lattice))) as found:
        blended = blend(found, overlap=overlap // step, width=-(-width // step), height=-(-height // step))
        for done, (small, values) in enumerate(blended, start=1):
            strip = recent.pop((small.row * step, small.col * step))
            whole = Window(small.col * step, small.row * step, small.width * step, small.height * step)
            window = cut_off(whole, width, height)
            yield Cell(window, values, step, strip.part(Window(0, 0, window.width, window.height)))
            if on_tile is not None:
                on_tile(done, len(lattice))


def tiles_of(width: int, height: int, tile_px: int, overlap: int) -> list[Window]:
    """The tiles of a raster, all of one size, row by row; neighbours share `overlap` pixels.

    They are as few as tiles of `LARGEST_TILE` times `tile_px` could be, and as small as their number allows: they reach
    past the raster by less than `SIDE_MULTIPLE_PX` for each.
    """
    largest = int(LARGEST_TILE * tile_px)
    (cols, tile_width), (rows, tile_height) = (_split(length, largest, overlap) for length in (width, height))
    return [
        Window(col * (tile_width - overlap), row * (tile_height - overlap), tile_width, tile_height)
        for row in range(rows)
        for col in range(cols)
    ]


def _split(length: int, largest: int, overlap: int) -> tuple[int, int]:
    """Number and side in pixels of the tiles along a line."""
    if length <= largest:
        return 1, _round_up(length)
    count = math.ceil((length - overlap) / (largest - overlap))
    return count, min(_round_up((length + (count - 1) * overlap) / count), largest)


def _round_up(side: float) -> int:
    return math.ceil(side / SIDE_MULTIPLE_PX) * SIDE_MULTIPLE_PX


def _batches(lattice: list[Window], tile_px: int) -> Iterator[list[Window]]:
    """Groups of neighbouring windows of one row, as many as `BATCH` allows."""
    at_once = max(BATCH * tile_px**2 // (lattice[0].width * lattice[0].height), 1)
    for _, in_row in groupby(lattice, key=lambda window: window.row):
        while group := list(islice(in_row, at_once)):
            yield group


def _predict(network: Network, strip: Strip, origin: Window, group: list[Window], room: FloatArray) -> None:
    """Lay logits of the windows in `group` in `room` (N, 18, h, w); zeros where a window shows nothing usable."""
    parts = [strip.part(_relative(window, origin)) for window in group]
    seen = [i for i, part in enumerate(parts) if part.usable_before.any() or part.usable_after.any()]
    if len(seen) < len(group):
        room[: len(group)] = 0
    if seen:
        before = np.stack([_padded(parts[i].before, group[i]) for i in seen])
        after = np.stack([_padded(parts[i].after, group[i]) for i in seen])
        room[seen] = network.logits(before, after)


def _padded(pixels: Pixels, window: Window) -> Pixels:
    """Pixels (H, W, 3) continued to the window's size by reflection at the right and lower edge."""
    height, width = pixels.shape[:2]
    below, right = window.height - height, window.width - width
    return np.asarray(cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_REFLECT_101), np.uint8)


def _around(group: list[Window]) -> Window:
    first, last = group[0], group[-1]
    return Window(first.col, first.row, last.col + last.width - first.col, first.height)


def cut_off(window: Window, width: int, height: int) -> Window:
    return Window(
        window.col, window.row, min(window.width, width - window.col), min(window.height, height - window.row)
    )


def _in_steps(window: Window, step: int) -> Window:
    return Window(window.col // step, window.row // step, window.width // step, window.height // step)


def _relative(window: Window, origin: Window) -> Window:
    return Window(window.col - origin.col, window.row - origin.row, window.width, window.height)


__all__ = ["BATCH", "Cell", "Mask", "Network", "Pixels", "ReadStrip", "Strip", "cells", "tiles_of"]
