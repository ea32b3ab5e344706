"""Overlapping tiles become seamless cells, row by row.

Neighbouring tiles are cross-faded where they overlap with a raised cosine (half a Hann window), so that a pixel
counts for little at the rim of a tile, where a network sees least around it, and for all in its middle. The fade is
an interpolation between two values and no weighted sum: where tiles agree, the result is exactly what they say.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import groupby
from tempfile import SpooledTemporaryFile

import numpy as np

from cvpipe.geo import Window
from cvpipe.network.probabilities import FloatArray

#: Rows that are kept in memory; more of them, of rasters wider than some 7,000 px, go to a file that has no name.
KEPT_BYTES = 64 * 2**20

Tile = tuple[Window, FloatArray]
"""A window and its values (C, 1 + height, 1 + width): before its own first row and column there is room for others."""


def blend(tiles: Iterable[Tile], *, overlap: int, width: int, height: int) -> Iterator[Tile]:
    """Cross-fade tiles that arrive row by row, from left to right; yields cells that cover the raster once.

    All tiles are of one size and share `overlap` pixels (at most half a tile) with their neighbours; what
    reaches past `width` and `height` is cut off. A cell's values have the row above and the column to the left of it
    as their first ones (its own again at the raster's edge), and the next row and column as their last where the tile
    has them, so that they can be interpolated as if the cell had no edge. Only the lowest `overlap` rows of one row of
    tiles are kept, on the disk where a raster is wide. The tiles' arrays are written to; a cell's is of use until the
    next one is asked for.
    """
    with _Kept() as above:
        for row, in_row in groupby(tiles, key=lambda tile: tile[0].row):
            for window, values in _blend_row(in_row, overlap=overlap, width=width):
                if row > 0:
                    kept = above.get(window.col)
                    values[:, 0] = kept[:, 0]
                    _fade(kept[:, 1:], values[:, 1 : 1 + overlap], axis=1)
                last = row + window.height >= height
                stride = window.height - overlap
                if not last:
                    above.put(window.col, values[:, stride:])
                rows = height - row if last else stride
                yield Window(window.col, row, window.width, rows), values[:, : rows + 2]


def _blend_row(tiles: Iterable[Tile], *, overlap: int, width: int) -> Iterator[Tile]:
    """Cross-fade the tiles of one row from left to right; yields them cut to the columns that are theirs alone, with
    one more on either side."""
    left: FloatArray | None = None
    for window, values in tiles:
        size = window.width
        assert values.shape[1:] == (window.height + 1, size + 1), "a tile has the shape of its window, and room"
        assert 2 * overlap <= size or size >= width, "three tiles would meet in one column"
        values[:, 0], values[..., 0] = values[:, 1], values[..., 1]  # of new memory, before it is reckoned with
        if left is not None:
            values[..., 0] = left[..., 0]
            _fade(left[..., 1:], values[..., 1 : 1 + overlap], axis=2)
        left = values[..., max(size - overlap, 0) :].copy()
        columns = width - window.col if window.col + size >= width else size - overlap
        yield Window(window.col, window.row, columns, window.height), values[..., : columns + 2]


class _Kept:
    """Arrays by the column that they begin at; the next row's take their place."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=KEPT_BYTES)  # noqa: SIM115 - closed with this
        self._places: dict[int, tuple[int, tuple[int, ...]]] = {}
        self._end = 0

    def __enter__(self) -> _Kept:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def put(self, column: int, values: FloatArray) -> None:
        if column not in self._places:
            self._places[column] = self._end, values.shape
            self._end += values.nbytes
        self._file.seek(self._places[column][0])
        self._file.write(np.ascontiguousarray(values).data)

    def get(self, column: int) -> FloatArray:
        place, shape = self._places[column]
        self._file.seek(place)
        count = math.prod(shape)
        return np.frombuffer(self._file.read(count * np.dtype(np.float32).itemsize), np.float32).reshape(shape)


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
