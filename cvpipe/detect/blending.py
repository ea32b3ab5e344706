"""Overlapping tiles become seamless cells, row by row.

Neighbouring tiles are cross-faded where they overlap with a raised cosine (half a Hann window), so that a pixel
counts for little at the rim of a tile, where a network sees least around it, and for all in its middle. The fade is
an interpolation between two values and no weighted sum: where tiles agree, the result is exactly what they say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np

from cvpipe.geo import Window
from cvpipe.network.probabilities import FloatArray

Tile = tuple[Window, FloatArray]
"""A window and its values (C, height, width)."""


def blend(tiles: Iterable[Tile], *, overlap: int, width: int, height: int) -> Iterator[Tile]:
    """Cross-fade tiles that arrive row by row, from left to right; yields cells that cover the raster once.

    All tiles are of one size and share `overlap` pixels (at most half a tile) with their neighbours; what
    reaches past `width` and `height` is cut off. Only the lowest `overlap` rows of one row of tiles are kept.
    The tiles' arrays are written to.
    """
    above: FloatArray | None = None
    for row, in_row in groupby(tiles, key=lambda tile: tile[0].row):
        below: list[FloatArray] = []
        for window, values in _blend_row(in_row, overlap=overlap, width=width):
            if above is not None:
                _fade(above[..., window.slices[1]], values[:, :overlap], axis=1)
            last = row + window.height >= height
            stride = window.height - overlap
            if not last:
                below.append(values[:, stride:].copy())
            rows = height - row if last else stride
            yield Window(window.col, row, window.width, rows), values[:, :rows]
        above = np.concatenate(below, axis=2) if below else None


def _blend_row(tiles: Iterable[Tile], *, overlap: int, width: int) -> Iterator[Tile]:
    """Cross-fade the tiles of one row from left to right; yields them cut to the columns that are theirs alone."""
    left: FloatArray | None = None
    for window, values in tiles:
        size = window.width
        assert values.shape[1:] == (window.height, size), "a tile has the shape of its window"
        assert 2 * overlap <= size or size >= width, "three tiles would meet in one column"
        if left is not None:
            _fade(left, values[..., :overlap], axis=2)
        left = values[..., max(size - overlap, 0) :]
        columns = width - window.col if window.col + size >= width else size - overlap
        yield Window(window.col, window.row, columns, window.height), values[..., :columns]


def _fade(old: FloatArray, new: FloatArray, *, axis: int) -> None:
    """Write into `new` the passage from `old` at its first row or column to `new` at its last."""
    length = new.shape[axis]
    ramp = np.sin(np.pi / 2 * (np.arange(length) + 0.5) / max(length, 1)) ** 2
    weight = ramp.astype(np.float32).reshape((length, 1) if axis == 1 else (1, length))
    for layer, other in zip(new, old, strict=True):  # one at a time stays in the processor's cache
        layer -= other
        layer *= weight
        layer += other


__all__ = ["Tile", "blend"]
