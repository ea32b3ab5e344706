"""Networks whose answer one can say without running them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cvpipe.detect.prediction import LARGEST_TILE
from cvpipe.domain import SURFACES, ChangeKind, Surface
from cvpipe.network.probabilities import Probabilities

Pixels = npt.NDArray[np.uint8]


@dataclass
class PaintedNetwork:
    """Judges each pixel by its colour alone: red is structure, green is vegetation, the rest is bare.

    How red (green) a pixel is, 0..1, is the probability of structure (vegetation) there. `batches` records how many
    tiles each call held.
    """

    name: str = "painted"
    digest: str = "0" * 64
    gsd_m: float = 0.5
    tile_px: int = 64
    thresholds: Mapping[ChangeKind, float] = field(default_factory=lambda: dict.fromkeys(ChangeKind, 0.5))
    min_area_m2: Mapping[ChangeKind, float] = field(default_factory=lambda: dict.fromkeys(ChangeKind, 0.0))
    min_probability: Mapping[ChangeKind, float] = field(default_factory=lambda: dict.fromkeys(ChangeKind, 0.0))
    temperatures: tuple[float, float] = (1.0, 1.0)
    batches: list[int] = field(default_factory=list)
    step: int = 1

    def logits(self, before: Pixels, after: Pixels) -> npt.NDArray[np.float32]:
        return self.predict(before, after).logits()

    def predict(self, before: Pixels, after: Pixels) -> Probabilities:
        assert before.shape == after.shape == (len(before), *before.shape[1:3], 3)
        assert all(side % 32 == 0 and side <= LARGEST_TILE * self.tile_px for side in before.shape[1:3])
        self.batches.append(len(before))
        surface_before, surface_after = _surfaces(before), _surfaces(after)
        was, now = (s[:, SURFACES.index(Surface.STRUCTURE)] for s in (surface_before, surface_after))
        return Probabilities(surface_before, surface_after, np.stack((was * (1 - now), now * (1 - was)), axis=1))


@dataclass
class FickleNetwork(PaintedNetwork):
    """Answers 1/4 for one tile and 3/4 for the next, whatever they show: nothing but seams."""

    tiles: int = 0

    def predict(self, before: Pixels, after: Pixels) -> Probabilities:
        answer = super().predict(before, after)
        for change in answer.change:
            change[:] = 0.25 + 0.5 * (self.tiles % 2)
            self.tiles += 1
        return answer


@dataclass
class CoarseNetwork(PaintedNetwork):
    """Judges squares of two by two pixels by the mean of what each of them would be told."""

    step: int = 2

    def logits(self, before: Pixels, after: Pixels) -> npt.NDArray[np.float32]:
        fine = super().logits(before, after)
        n, channels, height, width = fine.shape
        squares = fine.reshape(n, channels, height // 2, 2, width // 2, 2)
        return np.ascontiguousarray(squares.mean(axis=(3, 5)))


def _surfaces(pixels: Pixels) -> npt.NDArray[np.float32]:
    red, green = (pixels[..., channel].astype(np.float32) / 255 for channel in (0, 1))
    structure, vegetation = red * (1 - green), green * (1 - red)
    out = np.zeros((len(pixels), len(SURFACES), *pixels.shape[1:3]), np.float32)
    out[:, SURFACES.index(Surface.STRUCTURE)] = structure
    out[:, SURFACES.index(Surface.VEGETATION)] = vegetation
    out[:, SURFACES.index(Surface.BARE)] = 1 - structure - vegetation
    return out
