"""What height does to two looks at a structure that did not change: it leans another way, its shadow falls elsewhere.

An orthophoto is true on the ground only; a roof h metres up is drawn h · tan(view angle) away from its foot, so that
two overflights draw it in two places. No shift of the whole picture removes that, and no simulated change teaches it:
both epochs of a simulated pair start as one picture, with one view and one sun.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from cvpipe.network.losses import IGNORE
from cvpipe.train.pictures import Pixels

Mask = NDArray[np.bool_]

#: Heights of structures as shares of the highest one in the picture.
STOREYS = (0.35, 0.65, 1.0)


def leaned(
    pixels: Pixels, surface: Pixels, added: Pixels, structure: Mask, reach_px: float, rng: np.random.Generator
) -> tuple[Pixels, Pixels, Pixels]:
    """The epoch with its structures leaning over by up to `reach_px`, all one way, each by its height.

    `pixels` (H, W, 3), `surface` and `added` (H, W) uint8 labels, `structure` (H, W). The strip that a roof uncovers is
    wall or foot: darker than what lies around it, of unknown surface, and no change.
    """
    angle = rng.uniform(0, 2 * np.pi)
    way = np.array([np.cos(angle), np.sin(angle)])
    out, surfaces, changes = pixels.copy(), surface.copy(), added.copy()
    covered = np.zeros_like(structure)
    for height, roofs in _by_height(structure, rng):
        move = way * height * reach_px
        there = _moved(roofs.astype(np.uint8), move) > 0
        for target, source in ((out, pixels), (surfaces, surface), (changes, added)):
            target[there] = _moved(source, move, smooth=target is out)[there]
        covered |= there
    strip = structure & ~covered
    wall = cv2.inpaint(out, strip.astype(np.uint8), 3, cv2.INPAINT_TELEA).astype(np.float32)
    out[strip] = np.clip(wall * rng.uniform(0.5, 1.05), 0, 255).astype(np.uint8)[strip]
    surfaces[strip], changes[strip] = IGNORE, 0
    return out, surfaces, changes


def another_sun(pixels: Pixels, structure: Mask, rng: np.random.Generator) -> Pixels:
    """The picture (H, W, 3) with a shadow beside each structure (H, W), all falling one way, as long as it is high."""
    angle, longest = rng.uniform(0, 2 * np.pi), rng.uniform(4, 22)
    shade = np.zeros_like(structure)
    for height, roofs in _by_height(structure, rng):
        roof = roofs.astype(np.uint8)
        for step in np.arange(1.0, height * longest + 1.0, 2.0):
            shade |= _moved(roof, step * np.array([np.cos(angle), np.sin(angle)])) > 0
    soft = cv2.GaussianBlur((shade & ~structure).astype(np.float32), (0, 0), 0.8)[..., None]
    tint = np.array([1.0, 0.97, 0.9], np.float32)  # shade is lit by the blue sky
    return np.clip(pixels * (1 - soft * rng.uniform(0.25, 0.6) * tint), 0, 255).astype(np.uint8)


def _by_height(structure: Mask, rng: np.random.Generator) -> Iterator[tuple[float, Mask]]:
    """The structures of one height after another, lowest first; each piece that stands alone has one height."""
    count, ids = cv2.connectedComponents(structure.astype(np.uint8), connectivity=4)
    storey = rng.integers(len(STOREYS), size=count)
    storey[0] = -1
    for number, height in enumerate(STOREYS):
        roofs: Mask = (storey == number)[ids]
        if roofs.any():
            yield height, roofs


def _moved(picture: Pixels, move: NDArray[np.float64], smooth: bool = False) -> Pixels:
    matrix = np.array([[1, 0, move[0]], [0, 1, move[1]]], np.float64)
    how = cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST
    border = cv2.BORDER_REFLECT_101 if smooth else cv2.BORDER_CONSTANT
    moved = cv2.warpAffine(picture, matrix, picture.shape[1::-1], flags=how, borderMode=border, borderValue=0)
    return moved.astype(np.uint8, copy=False)
