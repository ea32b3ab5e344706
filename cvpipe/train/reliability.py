"""Whether a probability means what it says: of all that is said with 70 %, seven in ten should be so.

Expected calibration error (Naeini et al. 2015; Guo et al. 2017, "On calibration of modern neural networks") of yes/no
questions: the mean distance, over bins of the probability of yes, between what was said and how often it was so. Most
ground is certainly unchanged and hides any fault in that mean, so the error of what is *not* certain is kept beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]

#: Bins of equal width, as in Guo et al.
BINS = 15

#: Probabilities between these are called unsure.
UNSURE = (0.05, 0.95)

NOTHING = (0.0,) * BINS


@dataclass(frozen=True)
class Reliability:
    """Counts per bin of the probability of yes: how many, the sum of what was said, how many were so. Adds up."""

    count: tuple[float, ...] = NOTHING
    said: tuple[float, ...] = NOTHING
    true: tuple[float, ...] = NOTHING

    @classmethod
    def of(cls, probability: FloatArray, truth: NDArray[np.bool_]) -> Reliability:
        """From probabilities 0..1 and truths of one shape."""
        p, yes = np.asarray(probability, np.float64).ravel(), truth.ravel()
        place = np.minimum((p * BINS).astype(np.int64), BINS - 1)
        return cls(*(_sums(place, weights) for weights in (np.ones(len(p)), p, yes.astype(np.float64))))

    def __add__(self, other: Reliability) -> Reliability:
        pairs = zip((self.count, self.said, self.true), (other.count, other.said, other.true), strict=True)
        return Reliability(*(tuple(a + b for a, b in zip(one, two, strict=True)) for one, two in pairs))

    @property
    def total(self) -> float:
        """How many answers were counted."""
        return sum(self.count)

    @property
    def ece(self) -> float | None:
        """Expected calibration error over all answers, 0..1; None where there are none."""
        return self._error(0.0, 1.0)

    @property
    def unsure_ece(self) -> float | None:
        """The same over the bins whose mean probability lies within `UNSURE`."""
        return self._error(*UNSURE)

    def points(self) -> list[tuple[float, float, float]]:
        """(said, so, count) of each bin that is not empty: what a reliability diagram shows."""
        bins = zip(self.said, self.true, self.count, strict=True)
        return [(said / count, true / count, count) for said, true, count in bins if count]

    def _error(self, low: float, high: float) -> float | None:
        chosen = [(said, so, count) for said, so, count in self.points() if low <= said <= high]
        total = sum(count for _, _, count in chosen)
        return sum(abs(said - so) * count for said, so, count in chosen) / total if total else None


def untempered(probability: FloatArray, temperature: float) -> FloatArray:
    """Probabilities of yes as they were before their logits were divided by `temperature`."""
    p = np.clip(np.asarray(probability, np.float64), 1e-9, 1 - 1e-9)
    return np.asarray(1 / (1 + ((1 - p) / p) ** temperature))


def untempered_class(probabilities: FloatArray, index: int, temperature: float) -> FloatArray:
    """Probability (H, W) of one of several classes (C, H, W) as it was before the logits were divided by a number."""
    powers = np.asarray(probabilities, np.float64) ** temperature
    return np.asarray(powers[index] / np.maximum(powers.sum(axis=0), 1e-12))


def _sums(place: NDArray[np.int64], weights: FloatArray) -> tuple[float, ...]:
    return tuple(float(v) for v in np.bincount(place, weights=weights, minlength=BINS))


__all__ = ["BINS", "UNSURE", "Reliability", "untempered", "untempered_class"]
