"""Whether a smooth bend lays the blocks better on each other, and which."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cvpipe.imagery.alignment.blocks import FINE_REACH, Blocks, Field
from cvpipe.imagery.alignment.peaks import FINE_STEP, Points, common_peak, left_out, own_peaks
from cvpipe.imagery.bending import bend_at, bend_over, fitted

#: A bend is looked for between so many independent blocks at least (pictures of about 350 px and more). Each block's
#: map is averaged with its neighbours' (standard deviation in samples), which bends it less than it is; a second round
#: takes the rest.
MIN_BEND_BLOCKS = 25
BEND_POOL = 24.0
BEND_ROUNDS = 2

#: A bend is taken where blocks that had no part in it lie better on each other with it: by this share of their scores,
#: and by this many standard errors of that gain over nine parts of the picture. No pair of seven sensors that was moved
#: evenly got one; drawn bends of 3 px gain 2.9 to 25 % (see `tests/imagery/test_bends.py`). What moves no part of the
#: picture by more than the first of the limits would show nothing, in samples; what moves some by more than the second
#: is more than blocks that are looked at so near can tell.
MIN_BEND_GAIN = 0.028
MIN_BEND_SIGMAS = 2.5
BEND_LIMITS = (0.4, 2.5)


def bent_field(blocks: Blocks, field: Field) -> Field:
    """The field with a smooth bend, where blocks that had no part in finding the bend lie clearly better with it."""
    if blocks.independent < MIN_BEND_BLOCKS:
        return field
    level = _level(blocks, field)
    bent = _with_bend(blocks, level, np.ones(len(blocks.maps), bool))
    if not BEND_LIMITS[0] <= _largest_bend(bent) <= BEND_LIMITS[1]:
        return field
    scores = blocks.scores_at(level)
    least = MIN_BEND_GAIN * max(float(scores.mean()), 0.0)
    if float(np.mean(blocks.scores_at(bent) - scores)) < least:  # not even where it was found
        return field
    gains = np.zeros(len(blocks.maps))
    for keep in _folds(blocks.centres):
        others, without = _with_bend(blocks, level, keep), blocks.only(~keep)
        gains[~keep] = without.scores_at(others) - scores[~keep]
    parts = [float(gains[~keep].mean()) for keep in left_out(blocks.centres)]
    error = float(np.std(parts, ddof=1)) / math.sqrt(len(parts))
    return bent if gains.mean() > max(MIN_BEND_SIGMAS * error, least) else field


def _largest_bend(field: Field) -> float:
    """The longest bend anywhere on the picture, in samples."""
    assert field.bend is not None
    line = np.linspace(0, 1, 9)
    return float(np.hypot(*bend_over(field.bend, line, line)).max())


def _folds(centres: Points) -> list[NDArray[np.bool_]]:
    """Four choices of blocks that each leave out every second one along and across, so that all have neighbours."""
    cols, rows = (np.unique(line, return_inverse=True)[1] for line in centres.T)
    fold = rows % 2 * 2 + cols % 2
    return [fold != n for n in np.unique(fold)]


def _level(blocks: Blocks, field: Field) -> Field:
    """The field with its shift where the blocks' common peak is."""
    return replace(field, shift=field.shift + common_peak(blocks.fine_maps(field)), size=blocks.size)


def _with_bend(blocks: Blocks, field: Field, keep: NDArray[np.bool_]) -> Field:
    """The field with the bend that the kept blocks show."""
    chosen, places = blocks.only(keep), blocks.centres[keep] / blocks.size + 0.5
    distance = np.hypot(*(chosen.centres[:, None] - chosen.centres[None]).transpose(2, 0, 1))
    near = np.exp(-(distance**2) / (2 * BEND_POOL**2))
    for _ in range(BEND_ROUNDS):
        pooled = np.tensordot(near / near.sum(axis=1, keepdims=True), chosen.fine_maps(field), axes=1)
        peaks = own_peaks(pooled)
        inside = np.abs(peaks).max(axis=1) < FINE_REACH - FINE_STEP
        trust = np.clip(pooled.max(axis=(1, 2)), 0, None) ** 2 * inside + 1e-6
        more = fitted(places, peaks, trust)
        even = bend_at(more, places).mean(axis=0)  # which is a shift
        more = more - even[:, None, None]
        field = replace(field, shift=field.shift + even, bend=more if field.bend is None else field.bend + more)
    return field
