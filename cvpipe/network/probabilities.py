"""What a network answers for a batch of tiles; plain arrays, so that no reader of them needs torch.

A network answers in calibrated log-odds, of which people and rules see probabilities. The released network's are half
as fine as its pictures: interpolated, they say what it was trained to say of each pixel, and until then they are a
quarter of the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from cvpipe.domain import SURFACES

FloatArray = npt.NDArray[np.float32]

#: Channels of an answer: the surfaces before, the surfaces after, structure_removed, structure_added.
CHANNELS = 2 * len(SURFACES) + 2

#: Logits beyond this say no more; float32 holds the exponential of 88 at most.
_FAR = 80.0

#: A probability this close to 0 or 1 counts as that where log-odds are made of it: they stay finite.
SURE = 1e-9


@dataclass(frozen=True)
class Probabilities:
    """Calibrated answers for N pairs of tiles, each value in 0..1.

    `surface_before` and `surface_after` are float32 (N, 8, H, W) in the order of `domain.SURFACES` and sum to 1 over
    the channels; `change` is float32 (N, 2, H, W): structure_removed, structure_added.
    """

    surface_before: FloatArray
    surface_after: FloatArray
    change: FloatArray

    @classmethod
    def of(cls, logits: FloatArray, height: int, width: int) -> Probabilities:
        """Of an answer (N, 18, h, w), for tiles of H x W pixels."""
        n = len(SURFACES)
        found = np.empty((len(logits), CHANNELS, height, width), np.float32)
        for small, large in zip(logits, found, strict=True):
            enlarge(small, large)
            for surfaces in (large[:n], large[n : 2 * n]):
                surfaces /= soften(surfaces)
            large[2 * n :] = sigmoid(large[2 * n :])
        return cls(found[:, :n], found[:, n : 2 * n], found[:, 2 * n :])

    def logits(self) -> FloatArray:
        """The answer (N, 18, H, W) that says the same."""
        change = np.clip(self.change, SURE, 1 - 1e-7)
        surfaces = np.concatenate([self.surface_before, self.surface_after], axis=1)
        odds = np.log(np.maximum(surfaces, SURE)), np.log(change) - np.log1p(-change)
        return np.concatenate(odds, axis=1, dtype=np.float32)


def enlarge(small: FloatArray, large: FloatArray) -> None:
    """Interpolate maps (C, h, w) bilinearly to the size of `large` (C, H, W), which they are written to.

    Pixels are squares that cover the same ground; beyond the outermost centres values stay as they are there.
    """
    size = (large.shape[2], large.shape[1])
    for one, other in zip(small, large, strict=True):
        cv2.resize(one, dsize=size, dst=other, interpolation=cv2.INTER_LINEAR)


def soften(logits: FloatArray) -> FloatArray:
    """Turn logits (C, ...) into odds, in place, the likeliest of each pixel 1, and give their sum (...)."""
    logits -= logits.max(axis=0)
    np.exp(logits, out=logits)
    return np.asarray(logits.sum(axis=0), np.float32)


def sigmoid(logits: FloatArray) -> FloatArray:
    """Probabilities of logits."""
    return np.asarray(1 / (1 + np.exp(np.clip(-logits, -_FAR, _FAR))), np.float32)


__all__ = ["CHANNELS", "FloatArray", "Probabilities", "enlarge", "sigmoid", "soften"]
