"""Tiles of a data set without their labels: what a quantised network takes the ranges of its numbers from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cvpipe.imagery.pairing import common_grid
from cvpipe.train.evaluation import LabelledPair
from cvpipe.train.folders import Dataset

Pixels = NDArray[np.uint8]
Tiles = tuple[Pixels, Pixels]
"""A pair (1, H, W, 3)."""

#: Side of a tile, px, and the seed of the lot.
SIDE_PX, SEED = 256, 7


def sample_tiles(dataset: Dataset, gsd_m: float, count: int) -> Iterator[Tiles]:
    """`count` pairs at the network's pixel size, from pictures spread over the set, aligned.

    A single picture is paired with itself and with the one before it in turn: where nothing ever differs, nothing is
    learnt of what a difference looks like.
    """
    rng = np.random.default_rng(SEED)
    pictures = dataset.limited(count)
    last: Pixels | None = None
    for i in range(count):
        pair = LabelledPair(dataset, pictures[i % len(pictures)])
        with pair.readers() as (before, after):
            (one, other), _ = pair.aligned(before, after, common_grid(before, after, gsd_m))
        tiles = _cut(one.pixels, other.pixels, rng)
        if pair.picture.after is None and i % 2 and last is not None:
            tiles = last, tiles[1]
        last = tiles[1]
        yield tiles


def turned(tiles: tuple[np.ndarray, np.ndarray]) -> Iterator[Tiles]:
    """A pair in its eight positions, both ways round in time."""
    for pair in (tiles, tiles[::-1]):
        for quarter in range(4):
            yield _position(pair, quarter)
            yield _position((pair[0][:, :, ::-1], pair[1][:, :, ::-1]), quarter)


def _position(pair: tuple[np.ndarray, ...], quarter: int) -> Tiles:
    one, other = (np.ascontiguousarray(np.rot90(tile, quarter, axes=(1, 2))) for tile in pair)
    return one, other


def _cut(before: Pixels, after: Pixels, rng: np.random.Generator) -> Tiles:
    height, width = before.shape[:2]
    row, col = (int(rng.integers(max(length - SIDE_PX, 0) + 1)) for length in (height, width))
    parts = [tile[row : min(row + SIDE_PX, height), col : min(col + SIDE_PX, width)] for tile in (before, after)]
    one, other = (_whole(part)[None] for part in parts)
    return one, other


def _whole(tile: Pixels) -> Pixels:
    """Mirrored out to the side of a tile."""
    below, right = SIDE_PX - tile.shape[0], SIDE_PX - tile.shape[1]
    return np.pad(tile, ((0, below), (0, right), (0, 0)), mode="symmetric")


__all__ = ["SIDE_PX", "sample_tiles", "turned"]
