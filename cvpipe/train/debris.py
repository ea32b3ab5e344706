"""What is left of a structure that was pulled down: shards of roof, wall and timber, each with its shade.

Real rubble with outlines is not to be had for training, so that it is made of real roofs: their colours, broken up.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cvpipe.train.pictures import Pixels

Mask = NDArray[np.bool_]

#: Sides of shards, px: at 0.3 m a pixel from a board to a piece of roof.
SHARD_PX = (0.7, 5.0)
#: Shards for each pixel of ground; they lie on each other.
DENSITY = (0.1, 0.6)
#: Colours (R, G, B) of what every structure has inside: timber, brick, concrete, plaster, things in the dark.
INSIDE = np.array([(206, 184, 156), (150, 106, 90), (150, 148, 142), (222, 218, 210), (58, 53, 50)], np.float32)
#: Colour of ground that a shard shades.
SHADE = (54.0, 50.0, 52.0)
#: Fractional bits of a corner's place, as OpenCV draws.
_SHIFT = 4


def strewn(ground: Pixels, area: Mask, roof: Pixels, rng: np.random.Generator) -> Pixels:
    """`ground` (H, W, 3) with debris all over `area` (H, W); `roof` (N, 3) are pixels of what came down. uint8 RGB."""
    out = _dusty(ground, rng)
    rows, cols = np.nonzero(area)
    count = int(len(rows) * rng.uniform(*DENSITY))
    if not count:
        return ground
    spots = rng.integers(len(rows), size=count)
    centres = np.stack([cols[spots], rows[spots]], 1) + rng.uniform(-0.5, 0.5, (count, 2))
    shade = rng.uniform(0.6, 2.2) * _direction(rng)
    for corners, colour, is_high in zip(
        _corners(centres, rng), _colours(roof, count, rng), rng.random(count) < 0.4, strict=True
    ):
        if is_high:
            _draw(out, corners + shade, SHADE)
        _draw(out, corners, tuple(colour.tolist()))
    return cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.4, 0.9))).astype(np.uint8, copy=False)


def _dusty(ground: Pixels, rng: np.random.Generator) -> Pixels:
    """Ground under dust of its own colour and density."""
    dust = rng.uniform(95, 185) * np.array([1.0, rng.uniform(0.93, 1.0), rng.uniform(0.8, 0.98)])
    weight = rng.uniform(0.1, 0.8)
    return np.clip(ground * (1 - weight) + dust * weight, 0, 255).astype(np.uint8)


def _corners(centres: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Four corners (N, 4, 2) of shards at their centres (N, 2): boards rather than squares, any way up."""
    shortest, longest = np.log(SHARD_PX)
    long = np.exp(rng.uniform(shortest, longest, len(centres)) - rng.exponential(0.35, len(centres)))
    wide = long * rng.uniform(0.15, 1.0, len(centres))
    angle = rng.uniform(0, np.pi, len(centres))
    along = np.stack([np.cos(angle), np.sin(angle)], 1) * (long / 2)[:, None]
    across = np.stack([-np.sin(angle), np.cos(angle)], 1) * (wide / 2)[:, None]
    around = np.stack([along + across, along - across, -along - across, -along + across], 1)
    return np.asarray(centres[:, None] + around)


def _colours(roof: Pixels, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Half of the shards are roof, the others what was below it; each lit as it happens to lie, all in one dust."""
    outside = roof[rng.integers(len(roof), size=count)].astype(np.float64)
    mix = rng.dirichlet(np.full(len(INSIDE), 0.7))
    inside = INSIDE[rng.choice(len(INSIDE), size=count, p=mix)]
    colours = np.where(rng.random((count, 1)) < 0.5, outside, inside)
    lit = colours * rng.uniform(0.65, 1.2, (count, 1))
    return np.asarray(np.clip(lit + (lit.mean(axis=0) - lit) * rng.uniform(0.0, 0.6), 0, 255))


def _direction(rng: np.random.Generator) -> NDArray[np.float64]:
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)])


def _draw(picture: Pixels, corners: NDArray[np.float64], colour: tuple[float, ...]) -> None:
    fixed = np.rint(corners * 2**_SHIFT).astype(np.int32)
    cv2.fillConvexPoly(picture, fixed, colour, lineType=cv2.LINE_AA, shift=_SHIFT)
