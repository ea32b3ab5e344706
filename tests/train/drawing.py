"""Pictures whose colours tell what lies there: one flat colour for each code, so that labels can be held to pixels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def painted(codes: Pixels) -> Pixels:
    """RGB (H, W, 3) from codes (H, W): a colour for each code, no two alike."""
    table = np.random.default_rng(11).permutation(256).astype(np.uint8)
    return np.dstack([table[codes], table[255 - codes.astype(int)], table[codes ^ 85]])


def town(side: int, *, seed: int, structure: int, grounds: tuple[int, ...]) -> tuple[Pixels, Pixels]:
    """A square picture and its codes: bands of ground, and nine structures of 16 × 20 px that stand apart."""
    codes = np.full((side, side), grounds[0], np.uint8)
    for i, ground in enumerate(grounds):
        codes[:, i * side // len(grounds) :] = ground
    rng = np.random.default_rng(seed)
    for row in range(3):
        for col in range(3):
            top, left = (int(n * side // 3 + rng.integers(4, 12)) for n in (row, col))
            codes[top : top + 16, left : left + 20] = structure
    return painted(codes), codes


def write_picture(folder: Path, name: str, pixels: Pixels, mask: Pixels | None = None) -> None:
    """Write `images/NAME` and, where there is one, `masks/NAME` into a folder."""
    for part, content in (("images", pixels[..., ::-1]), ("masks", mask)):
        if content is not None:
            (folder / part).mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(folder / part / name), content)
