"""The light of one epoch brought to that of the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from cvpipe.imagery.reading import Patch
from cvpipe.settings import Light

#: Share of the common ground that counts as stable: half, since the changes we look for cover less than that.
STABLE_SHARE = 0.5

#: Fewer stable pixels than this (a 32 x 32 square) carry no statistics: the picture is then left alone.
MIN_STABLE_PIXELS = 1024

#: So many pixels of the common ground at most decide, spread evenly: more make no statistic surer.
MAX_PIXELS = 250_000

#: Contrast is changed by no more than this factor either way, and levels by no more than this many of 255: beyond it
#: the epochs differ in more than light, and matching would paint one surface as another.
MAX_GAIN = 1.6
MAX_OFFSET = 60.0

#: Rounds of "match, then choose the stable ground anew": the choice settles after two.
ROUNDS = 3

#: Shares of the pixels between which histograms are matched; beyond them a handful of pixels would decide.
QUANTILES = np.linspace(0.005, 0.995, 67)

#: cv2 gives lightness as 0..100, which is stretched here to the scale of a and b.
_LAB_SCALE = np.array([2.55, 1, 1], np.float32)

Colours = NDArray[np.float32]
"""(n, 3)."""


class Relighting(Protocol):
    """A change of light that was found somewhere and holds for every part of the later epoch."""

    def __call__(self, patch: Patch) -> Patch:
        """The patch in the earlier epoch's light; near infrared stays as it is."""


@dataclass(frozen=True)
class Unlit:
    """No change of light."""

    def __call__(self, patch: Patch) -> Patch:
        """The patch as it is."""
        return patch


AS_IT_IS = Unlit()


@dataclass(frozen=True)
class Moments:
    """Mean and spread of each Lab channel: (value - `mean`) * `gain` + `mean` + `offset`, arrays (3,)."""

    mean: Colours
    gain: Colours
    offset: Colours

    @classmethod
    def of(cls, ours: Colours, theirs: Colours) -> Moments:
        """What brings `ours` to `theirs`, within bounds; Lab colours of the same pixels."""
        gain = np.clip((theirs.std(axis=0) + 1) / (ours.std(axis=0) + 1), 1 / MAX_GAIN, MAX_GAIN)
        offset = np.clip(theirs.mean(axis=0) - ours.mean(axis=0), -MAX_OFFSET, MAX_OFFSET)
        return cls(ours.mean(axis=0), gain, offset)

    def moved(self, lab: Colours) -> Colours:
        """Lab colours (..., 3) in the other light."""
        return np.asarray((lab - self.mean) * self.gain + self.mean + self.offset, np.float32)

    def __call__(self, patch: Patch) -> Patch:
        """The patch in the earlier epoch's light."""
        return _with_pixels(patch, _rgb(self.moved(_lab(patch.pixels))))


@dataclass(frozen=True)
class Levels:
    """A level for each level of red, green and blue: uint8 (256, 3)."""

    table: NDArray[np.uint8]

    @classmethod
    def of(cls, ours: NDArray[np.uint8], theirs: NDArray[np.uint8]) -> Levels:
        """What gives `ours` the histogram of `theirs`, within bounds; red, green, blue (n, 3) of the same pixels."""
        levels = np.arange(256.0)
        columns = []
        for one, other in zip(ours.T, theirs.T, strict=True):
            source, target = np.quantile(one, QUANTILES), np.quantile(other, QUANTILES)
            source, first = np.unique(source, return_index=True)
            inside = np.interp(levels, source, target[first])
            beyond = levels - np.clip(levels, source[0], source[-1])  # goes on with the same contrast
            columns.append(np.clip(inside + beyond, levels - MAX_OFFSET, levels + MAX_OFFSET))
        return cls(np.clip(np.rint(np.stack(columns, axis=1)), 0, 255).astype(np.uint8))

    def __call__(self, patch: Patch) -> Patch:
        """The patch in the earlier epoch's light."""
        return _with_pixels(patch, np.asarray(cv2.LUT(patch.pixels, self.table[None]), np.uint8))


def relighting(pairs: Sequence[tuple[Patch, Patch]], light: Light) -> Relighting:
    """What brings the later epoch to the light of the earlier one, found on stable ground of (earlier, later) patches.

    Moments of Lab after Reinhard et al. 2001 (Color transfer between images), or histograms of each band; on the half
    of the common ground that differs least, which is found in rounds. Gain and offset are bounded. Each pair lies on
    one grid. With too little common ground, or for "none", nothing is changed.
    """
    assert all(one.grid == other.grid for one, other in pairs), "both epochs must lie on one grid"
    earlier, later = _common(pairs)
    if light == "none" or len(earlier) < MIN_STABLE_PIXELS / STABLE_SHARE:
        return AS_IT_IS
    target, source = _lab(earlier[None])[0], _lab(later[None])[0]
    moved = source
    for _ in range(ROUNDS):
        stable = _stable(moved, target)
        found = Moments.of(source[stable], target[stable])
        moved = found.moved(source)
    return found if light == "moments" else Levels.of(later[stable], earlier[stable])


def matched(after: Patch, before: Patch, light: Light = "moments") -> Patch:
    """`after` with the light of `before` (see `relighting`). Both patches lie on one grid."""
    return relighting([(before, after)], light)(after)


def _common(pairs: Sequence[tuple[Patch, Patch]]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Red, green, blue (n, 3) of both epochs where both are valid, at most about `MAX_PIXELS`."""
    masks = [one.valid & other.valid for one, other in pairs]
    step = max(sum(int(np.count_nonzero(mask)) for mask in masks) // MAX_PIXELS, 1)
    earlier, later = (
        np.concatenate([np.zeros((0, 3), np.uint8), *(pair[n].pixels[m] for pair, m in zip(pairs, masks, strict=True))])
        for n in range(2)
    )
    return earlier[::step], later[::step]


def _stable(one: Colours, other: Colours) -> NDArray[np.bool_]:
    """Which of the pixels have a colour that, less the median difference, differs least."""
    difference = one - other
    difference = np.abs(difference - np.median(difference, axis=0)).sum(axis=1)
    return np.asarray(difference <= np.quantile(difference, STABLE_SHARE))


def _with_pixels(patch: Patch, pixels: NDArray[np.uint8]) -> Patch:
    pixels[~patch.valid] = 0
    return replace(patch, pixels=pixels)


def _lab(pixels: NDArray[np.uint8]) -> Colours:
    """CIE Lab (H, W, 3) as float32, so that small steps survive; lightness 0..255."""
    lab = np.asarray(cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    return np.asarray(lab * _LAB_SCALE, np.float32)


def _rgb(lab: Colours) -> NDArray[np.uint8]:
    scaled = np.divide(lab, _LAB_SCALE, dtype=np.float32)
    rgb = cv2.cvtColor(scaled, cv2.COLOR_LAB2RGB)
    return np.clip(np.rint(np.asarray(rgb) * 255), 0, 255).astype(np.uint8)
