"""What no network is needed for: image difference for changes, brightness for structures.

They are scored by the same code as a network (`evaluation.evaluate`); one that does not beat them on a set has learnt
nothing that matters there.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cvpipe.domain import Surface
from cvpipe.imagery.reading import Patch
from cvpipe.train.answers import Answer, Method
from cvpipe.train.folders import STRUCTURE_KINDS
from cvpipe.train.metrics import Mask

#: Smoothing (standard deviation, pixels) before pixels are compared: takes off noise and small misalignment.
#: With 1 or 4 px the F1 of every evaluation set stays within 0.03 of this.
SMOOTHING_PX = 2.0

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class ImageDifference:
    """Changed is where the colours of two epochs differ by more than an automatic threshold (Otsu 1979), pair by pair.

    With `match` the later epoch's bands are first given mean and standard deviation of the earlier one's, which takes
    off light and season; without it little is disturbed where both epochs come from one picture. Image difference
    cannot tell removed from added: both kinds get the same mask.
    """

    match: bool = True
    digest: str = ""
    gsd_m: float | None = None

    @property
    def name(self) -> str:
        """`image difference`, or `raw difference` without matching."""
        return "image difference" if self.match else "raw difference"

    def answer(self, before: Patch, after: Patch) -> Answer:
        """The same mask for structures removed and added."""
        seen = before.valid & after.valid
        changed = _above_otsu(colour_distance(before, after, match=self.match), seen)
        return Answer(change=dict.fromkeys(STRUCTURE_KINDS, changed))


@dataclass(frozen=True)
class Brightness:
    """Structure is where the smoothed grey is above an automatic threshold (Otsu 1979), picture by picture."""

    name: str = "brightness"
    digest: str = ""
    gsd_m: float | None = None

    def answer(self, before: Patch, after: Patch) -> Answer:
        """Structure or other at both epochs; of changes it says nothing."""
        return Answer(_bright(before), _bright(after))


def all_baselines() -> tuple[Method, ...]:
    """Every baseline that a network is set against."""
    return ImageDifference(match=True), ImageDifference(match=False), Brightness()


def colour_distance(before: Patch, after: Patch, *, match: bool) -> FloatArray:
    """Euclidean distance in RGB (0..441) of two smoothed patches on one grid, float32 (H, W)."""
    seen = before.valid & after.valid
    one, other = before.pixels.astype(np.float32), after.pixels.astype(np.float32)
    if match and seen.any():
        other = _matched(other, one, seen)
    difference = cv2.GaussianBlur(one, (0, 0), SMOOTHING_PX) - cv2.GaussianBlur(other, (0, 0), SMOOTHING_PX)
    return np.asarray(np.sqrt((difference**2).sum(axis=2)), np.float32)


def _bright(patch: Patch) -> Mask:
    """Surface codes uint8 (H, W): structure where bright, other elsewhere."""
    grey = cv2.GaussianBlur(cv2.cvtColor(patch.pixels, cv2.COLOR_RGB2GRAY), (0, 0), SMOOTHING_PX)
    bright = _above_otsu(np.asarray(grey, np.float32), patch.valid)
    return np.where(bright == 1, Surface.STRUCTURE, Surface.OTHER).astype(np.uint8)


def _matched(pixels: FloatArray, reference: FloatArray, seen: NDArray[np.bool_]) -> FloatArray:
    """`pixels` (H, W, 3) with each band's mean and standard deviation made those of `reference` where both are seen."""
    mine, theirs = pixels[seen], reference[seen]
    gain = theirs.std(axis=0) / np.maximum(mine.std(axis=0), 1.0)
    return np.asarray((pixels - mine.mean(axis=0)) * gain + theirs.mean(axis=0), np.float32)


def _above_otsu(values: FloatArray, seen: NDArray[np.bool_]) -> Mask:
    """1 where a seen value exceeds the threshold that parts the seen values best; all 0 where they are all one.

    Values are counted in whole steps of 0..255, those above 255 as 255.
    """
    steps = np.clip(values, 0, 255).astype(np.uint8)
    inside = steps[seen]
    if inside.size == 0 or inside.min() == inside.max():
        return np.zeros(steps.shape, np.uint8)
    threshold, _ = cv2.threshold(inside.reshape(1, -1), 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return ((steps > threshold) & seen).astype(np.uint8)


__all__ = ["SMOOTHING_PX", "Brightness", "ImageDifference", "all_baselines", "colour_distance"]
