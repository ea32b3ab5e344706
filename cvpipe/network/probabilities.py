"""What a network answers for a batch of tiles; plain arrays, so that no reader of them needs torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Probabilities:
    """Calibrated answers for N pairs of tiles, each value in 0..1.

    `surface_before` and `surface_after` are float32 (N, 8, H, W) in the order of `domain.SURFACES` and sum to 1 over
    the channels; `change` is float32 (N, 2, H, W): structure_removed, structure_added.
    """

    surface_before: FloatArray
    surface_after: FloatArray
    change: FloatArray


__all__ = ["FloatArray", "Probabilities"]
