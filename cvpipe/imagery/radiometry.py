"""The light of one epoch brought to that of the other."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cvpipe.imagery.reading import Patch

#: Share of the common ground that counts as stable: half, since the changes we look for cover less than that.
STABLE_SHARE = 0.5

#: Fewer stable pixels than this (a 32 x 32 square) carry no statistics: the picture is then left alone.
MIN_STABLE_PIXELS = 1024

#: Contrast is changed by no more than this factor either way, and levels by no more than this many of 255: beyond it
#: the epochs differ in more than light, and matching would paint one surface as another.
MAX_GAIN = 1.6
MAX_OFFSET = 60.0

#: Rounds of "match, then choose the stable ground anew": the choice settles after two.
ROUNDS = 3

#: cv2 gives lightness as 0..100, which is stretched here to the scale of a and b.
_LAB_SCALE = np.array([2.55, 1, 1], np.float32)


def matched(after: Patch, before: Patch) -> Patch:
    """`after` with the light of `before`: mean and spread of each Lab channel set equal on stable ground.

    Moment matching after Reinhard et al. 2001 (Color transfer between images), on the half of the common ground that
    differs least, found in rounds. Both patches lie on one grid. Gain and offset are bounded, and where there is too
    little common ground `after` stays as it is.
    """
    assert before.grid == after.grid, "both epochs must lie on one grid"
    common = before.valid & after.valid
    if common.sum() < MIN_STABLE_PIXELS / STABLE_SHARE:
        return after
    target, source = _lab(before.pixels), _lab(after.pixels)
    moved = source
    for _ in range(ROUNDS):
        moved = _moved(source, target, _stable(moved, target, common))
    pixels = _rgb(moved)
    pixels[~after.valid] = 0
    return Patch(pixels, after.valid, after.grid)


def _stable(one: NDArray[np.float32], other: NDArray[np.float32], common: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of the common ground whose colour, less the median difference, differs least."""
    difference = one - other
    difference = np.abs(difference - np.median(difference[common], axis=0)).sum(axis=2)
    return np.asarray(common & (difference <= np.quantile(difference[common], STABLE_SHARE)))


def _moved(source: NDArray[np.float32], target: NDArray[np.float32], stable: NDArray[np.bool_]) -> NDArray[np.float32]:
    ours, theirs = source[stable], target[stable]
    gain = np.clip((theirs.std(axis=0) + 1) / (ours.std(axis=0) + 1), 1 / MAX_GAIN, MAX_GAIN)
    offset = np.clip(theirs.mean(axis=0) - ours.mean(axis=0), -MAX_OFFSET, MAX_OFFSET)
    return np.asarray((source - ours.mean(axis=0)) * gain + ours.mean(axis=0) + offset, np.float32)


def _lab(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """CIE Lab as float32, so that small steps survive; lightness 0..255."""
    lab = np.asarray(cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    return np.asarray(lab * _LAB_SCALE, np.float32)


def _rgb(lab: NDArray[np.float32]) -> NDArray[np.uint8]:
    scaled = np.divide(lab, _LAB_SCALE, dtype=np.float32)
    rgb = cv2.cvtColor(scaled, cv2.COLOR_LAB2RGB)
    return np.clip(np.rint(np.asarray(rgb) * 255), 0, 255).astype(np.uint8)
