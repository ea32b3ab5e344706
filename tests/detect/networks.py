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

    def predict(self, before: Pixels, after: Pixels) -> Probabilities:
        assert before.shape == after.shape == (len(before), *before.shape[1:3], 3)
        assert all(side % 32 == 0 and side <= LARGEST_TILE * self.tile_px for side in before.shape[1:3])
        self.batches.append(len(before))
        surface_before, surface_after = _surfaces(before), _surfaces(after)
        was, now = (s[:, SURFACES.index(Surface.STRUCTURE)] for s in (surface_before, surface_after))
        return Probabilities(surface_before, surface_after, np.stack((was * (1 - now), now * (1 - was)), axis=1))


@dataclass
class FickleNetwork(PaintedNetwork):
    """Answers 0 for one tile and 1 for the next, whatever they show: nothing but seams."""

    tiles: int = 0

    def predict(self, before: Pixels, after: Pixels) -> Probabilities:
        answer = super().predict(before, after)
        for change in answer.change:
            change[:] = self.tiles % 2
            self.tiles += 1
        return answer


def _surfaces(pixels: Pixels) -> npt.NDArray[np.float32]:
    red, green = (pixels[..., channel].astype(np.float32) / 255 for channel in (0, 1))
    structure, vegetation = red * (1 - green), green * (1 - red)
    out = np.zeros((len(pixels), len(SURFACES), *pixels.shape[1:3]), np.float32)
    out[:, SURFACES.index(Surface.STRUCTURE)] = structure
    out[:, SURFACES.index(Surface.VEGETATION)] = vegetation
    out[:, SURFACES.index(Surface.BARE)] = 1 - structure - vegetation
    return out
