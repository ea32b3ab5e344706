"""What may lie between two looks at the same ground, put onto a scene on purpose and by degrees.

A disturbed scene is read through `DisturbedReader`, so that alignment and network meet it as they would meet such a
scene: a shift is a georeference that is off, the rest is done to the pixels that were read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from affine import Affine
from numpy.typing import NDArray

from cvpipe.geo import Grid
from cvpipe.imagery.reading import Patch, SceneReader
from cvpipe.train.augment import hazed

Pixels = NDArray[np.uint8]
Offset = tuple[float, float]
"""To the right and down, metres."""


@dataclass(frozen=True)
class Disturbance:
    """One kind of disturbance at one level. `still`: the earlier epoch takes the place of the later one.

    shift: metres, in a direction that is the picture's own; blur: standard deviation in pixels; gamma: exponent;
    haze: share of air light; JPEG: quality.
    """

    kind: str
    level: float
    still: bool = False

    def open(self, path: Path, gsd_m: float | None, stem: str) -> SceneReader:
        """A reader of the scene as if it were disturbed so; all chance comes from `stem`."""
        offset = shift_of(stem, self.level) if self.kind == "shift" else (0.0, 0.0)
        seed = _seed(stem)
        change = _PIXELS.get(self.kind)
        return DisturbedReader(
            path, gsd_m=gsd_m, offset=offset, change=None if change is None else lambda p: change(p, self.level, seed)
        )


class DisturbedReader(SceneReader):
    """A scene whose content lies off by `offset` (m), and whose pixels go through `change` once they are read."""

    def __init__(
        self, path: Path, *, gsd_m: float | None, offset: Offset, change: Callable[[Pixels], Pixels] | None
    ) -> None:
        super().__init__(path, gsd_m=gsd_m)
        self._offset, self._change = offset, change

    def read(self, grid: Grid) -> Patch:
        """As `SceneReader.read`; the CRS must be metric."""
        right, down = self._offset
        below = np.sign(grid.transform.e)  # y of plain pictures points down
        moved = replace(grid, transform=Affine.translation(-right, -down * below) * grid.transform)
        patch = super().read(moved if self._offset != (0.0, 0.0) else grid)
        pixels = patch.pixels if self._change is None else self._change(patch.pixels)
        return Patch(pixels, patch.valid, grid)


def shift_of(stem: str, length_m: float) -> Offset:
    """A shift of this length in a direction that only the picture's name decides."""
    angle = np.random.default_rng(_seed(stem)).uniform(0, 2 * np.pi)
    return float(length_m * np.cos(angle)), float(length_m * np.sin(angle))


def _seed(stem: str) -> int:
    return int.from_bytes(hashlib.sha256(stem.encode()).digest()[:4], "big")


def _blurred(pixels: Pixels, sigma: float, _seed: int) -> Pixels:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8)


def _brightened(pixels: Pixels, exponent: float, _seed: int) -> Pixels:
    table = (255 * (np.arange(256) / 255) ** exponent).round().astype(np.uint8)
    return np.asarray(cv2.LUT(pixels, table), np.uint8)


def _in_haze(pixels: Pixels, density: float, seed: int) -> Pixels:
    return hazed(pixels, density, np.random.default_rng(seed))


def _compressed(pixels: Pixels, quality: float, _seed: int) -> Pixels:
    done, code = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    assert done, "JPEG takes any three bands of bytes"
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)


_PIXELS: dict[str, Callable[[Pixels, float, int], Pixels]] = {
    "blur": _blurred,
    "gamma": _brightened,
    "haze": _in_haze,
    "JPEG": _compressed,
}

__all__ = ["Disturbance", "DisturbedReader", "shift_of"]
