"""Where maps of scores peak, and how far that depends on single parts of the picture."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Step of the fine maps, in samples.
FINE_STEP = 0.25

FloatArray = NDArray[np.floating[Any]]

Maps = NDArray[np.float32]
"""Scores by block and shift (n, rows = y, columns = x)."""

Points = NDArray[np.float64]
"""x and y (n, 2), in samples."""


def common_peak(fine: Maps) -> NDArray[np.float64]:
    weights = np.clip(fine.max(axis=(1, 2)), 0, None) + 1e-9
    return np.asarray(own_peaks(np.average(fine, axis=0, weights=weights)[None])[0], np.float64)


def own_peaks(maps: Maps) -> Points:
    """The place (x, y) of each fine map's peak, in samples from its middle (n, 2)."""
    n, side, _ = maps.shape
    flat = maps.reshape(n, -1).argmax(axis=1)
    rows, cols, index = np.clip(flat // side, 1, side - 2), np.clip(flat % side, 1, side - 2), np.arange(n)
    top = maps[index, rows, cols]
    right = vertex(maps[index, rows, cols - 1], top, maps[index, rows, cols + 1])
    down = vertex(maps[index, rows - 1, cols], top, maps[index, rows + 1, cols])
    return np.asarray((np.column_stack([cols + right, rows + down]) - side // 2) * FINE_STEP)


def vertex(one: FloatArray, top: FloatArray, other: FloatArray) -> FloatArray:
    """Where the parabola through three samples peaks, in samples from the middle one; at most one away."""
    bend = np.minimum(one - 2 * top + other, -1e-9)
    return np.asarray(np.clip((one - other) / (2 * bend), -1, 1))


def left_out(centres: Points) -> list[NDArray[np.bool_]]:
    """Choices of blocks that each leave out those of one of nine parts of the picture, where it leaves any."""
    thirds = [np.digitize(line, np.quantile(line, (1 / 3, 2 / 3))) for line in centres.T]
    part = thirds[0] + 3 * thirds[1]
    return [part != n for n in np.unique(part) if (part != n).any()]


def spread_of(answers: list[NDArray[np.float64]]) -> float:
    """Standard error of an answer, from answers that each leave out a part (jackknife; Efron 1982)."""
    if not answers:
        return math.inf
    off = np.array(answers) - np.mean(answers, axis=0)
    return math.sqrt(float(np.sum(off**2)) * (len(off) - 1) / len(off))
