"""Changed pixels as runs: the pieces of the raster's rows that they fill, each with the sum of its probabilities.

A scene's changes are few: as runs they fit in memory where its raster does not. Windows of the raster give their runs
one by one; put together, the runs know which pixels hang together, how many there are and how probable, and their
outline (`outlines`), without another look at a raster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Runs:
    """Runs sorted by row and start, none touching the next: arrays (n,), columns from `starts` to before `ends`.

    `totals` are sums of stored probabilities.
    """

    rows: Integers
    starts: Integers
    ends: Integers
    totals: Integers

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: npt.NDArray[np.bool_] | Integers | slice) -> Runs:
        return Runs(self.rows[chosen], self.starts[chosen], self.ends[chosen], self.totals[chosen])

    @property
    def lengths(self) -> Integers:
        return self.ends - self.starts

    def within(self, first: int, end: int) -> Runs:
        """Those in the rows from `first` to before `end`."""
        return self[slice(*np.searchsorted(self.rows, (first, end)))]

    def paint(self, mask: npt.NDArray[np.uint8], row: int) -> None:
        """Set their pixels to 1 in a mask (H, W) of whole rows of the raster, whose first is `row`."""
        width = mask.shape[1]
        flat, first = mask.reshape(-1), (self.rows - row) * width
        lengths = self.lengths
        ends = np.cumsum(lengths)
        flat[np.arange(lengths.sum()) + np.repeat(first + self.starts - ends + lengths, lengths)] = 1


def runs_of(changed: npt.NDArray[np.bool_], probability: npt.NDArray[np.uint8], row: int = 0, col: int = 0) -> Runs:
    """The runs of a window: `changed` and stored `probability` (H, W), its upper left pixel at `row` and `col`."""
    height, width = changed.shape
    fenced = np.zeros((height, width + 1), np.bool_)  # a run ends with its row
    fenced[:, :width] = changed
    flat = fenced.reshape(-1)
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if flat.size and flat[0]:
        edges = np.concatenate([[0], edges])
    begins, stops = edges[::2], edges[1::2]
    if not len(begins):
        return _NONE
    rows, starts = np.divmod(begins, width + 1)
    lengths = stops - begins
    firsts = np.cumsum(lengths) - lengths
    totals = np.add.reduceat(probability[changed].astype(np.int64), firsts)
    return Runs(rows + row, starts + col, starts + lengths + col, totals)


def together(parts: Sequence[Runs]) -> Runs:
    """Runs of several windows as those of the whole raster: sorted, and joined where a window cut them."""
    if not parts:
        return _NONE
    every = Runs(*(np.concatenate([getattr(part, name) for part in parts]) for name in _NAMES))
    every = every[np.lexsort((every.starts, every.rows))]
    if not len(every):
        return every
    cut = (every.rows[1:] == every.rows[:-1]) & (every.starts[1:] == every.ends[:-1])
    firsts = np.flatnonzero(np.concatenate([[True], ~cut]))
    lasts = np.append(firsts[1:], len(every)) - 1
    totals = np.add.reduceat(every.totals, firsts)
    return Runs(every.rows[firsts], every.starts[firsts], every.ends[lasts], totals)


def areas_of(runs: Runs) -> Integers:
    """Number (0, 1, …) of the area that each run belongs to; areas hang together by the sides of their pixels."""
    stride = int(runs.ends.max(initial=0)) + 1
    starts, ends = runs.rows * stride + runs.starts, runs.rows * stride + runs.ends
    first = np.searchsorted(ends, starts + stride, side="right")  # of the runs below that a run touches
    count = np.maximum(np.searchsorted(starts, ends + stride, side="left") - first, 0)
    above = np.repeat(np.arange(len(runs)), count)
    below = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    found: Integers = np.unique(_joined(len(runs), above, below), return_inverse=True)[1]
    return found


def _joined(count: int, one: Integers, other: Integers) -> Integers:
    """The least number that each of `count` things is joined to, by pairs and over several of them.

    Each round hooks the roots of joined trees on each other and flattens the trees (Shiloach and Vishkin 1982, An
    O(log n) parallel connectivity algorithm), so that there are few rounds however long a chain is.
    """
    root = np.arange(count)
    while len(one):
        a, b = root[one], root[other]
        np.minimum.at(root, np.maximum(a, b), np.minimum(a, b))
        while not np.array_equal(flat := root[root], root):
            root = flat
        apart = root[one] != root[other]
        one, other = one[apart], other[apart]
    return root


_NAMES = ("rows", "starts", "ends", "totals")
_NONE = Runs(*(np.zeros(0, np.int64) for _ in _NAMES))

__all__ = ["Integers", "Runs", "areas_of", "runs_of", "together"]
