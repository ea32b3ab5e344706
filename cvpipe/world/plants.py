"""Trees: crowns with lumps and shade, cut out once and stamped many times."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from cvpipe.domain import Surface
from cvpipe.world import light
from cvpipe.world.canvas import F32, HEIGHT_STEP_M, I32, U8, Canvas, Colour, tinted
from cvpipe.world.style import Style


@dataclass(frozen=True)
class Tree:
    """A tree: place and radius of the crown in metres, `kind` in 0..light.TREES, `seed` for its shape and tint."""

    x: float
    y: float
    radius_m: float
    kind: int
    seed: int


class Dome(NamedTuple):
    """The shape of a crown from above: mask 0 / 255, brightness around 1, height as a share of the tree's."""

    mask: U8
    tone: F32
    height: F32


class Crown(NamedTuple):
    """A crown ready to be stamped: a mask and the planes of the canvas."""

    mask: U8
    rgb: U8
    surface: U8
    material: U8
    height: U8
    structure_id: I32


_COLOURS: tuple[Colour, ...] = (
    (64, 86, 46), (76, 94, 50), (58, 80, 50), (86, 98, 56), (46, 68, 48), (52, 74, 54),
)  # fmt: skip

_SHAPES = 7
_TINTS = 11
_LARGEST_PX = 40


def draw(canvas: Canvas, tree: Tree, style: Style) -> None:
    """Stamp a tree; its crown is vegetation, whatever lies under it."""
    radius = min(max(round(tree.radius_m / canvas.gsd_m), 1), _LARGEST_PX)
    look = tree.seed // _SHAPES % _TINTS
    crown = _crown(radius, tree.seed % _SHAPES, tree.kind, look, style.leaf, canvas.gsd_m)
    left, top = round(tree.x / canvas.gsd_m) - radius - 1, round(tree.y / canvas.gsd_m) - radius - 1
    side = crown.mask.shape[0]
    rows, cols = canvas.surface.shape
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, cols), min(top + side, rows)
    if x1 <= x0 or y1 <= y0:
        return
    part = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
    at, mask = (slice(y0, y1), slice(x0, x1)), crown.mask[part]
    for source, plane in (
        (crown.rgb, canvas.albedo),
        (crown.surface, canvas.surface),
        (crown.material, canvas.material),
        (crown.height, canvas.height),
        (crown.structure_id, canvas.structure_id),
    ):
        cv2.copyTo(source[part], mask, plane[at])


@lru_cache(maxsize=4096)
def _crown(radius: int, shape: int, kind: int, look: int, leaf: Colour, gsd_m: float) -> Crown:
    """A crown in the colours of its kind, one of `_TINTS` tints of it."""
    dome = _dome(radius, shape)
    tint, warm = 1 + 0.14 * math.sin(look * 2.4), 1 + 0.08 * math.sin(look * 5.1 + 1)
    red, green, blue = (a * b * tint for a, b in zip(_COLOURS[kind], leaf, strict=True))
    slender = kind >= light.TREES - light.EVERGREENS
    tall = radius * gsd_m * (2.2 if slender else 1.5) + 1.0
    height = (dome.height * (tall / HEIGHT_STEP_M)).clip(0, 255).astype(np.uint8)
    size = dome.mask.shape
    return Crown(
        mask=dome.mask,
        rgb=tinted((red * warm, green, blue / warm), dome.tone),
        surface=np.full(size, Surface.VEGETATION, np.uint8),
        material=np.full(size, light.TREE + kind, np.uint8),
        height=height,
        structure_id=np.zeros(size, np.int32),
    )


@lru_cache(maxsize=512)
def _dome(radius: int, shape: int) -> Dome:
    """A crown of `radius` pixels: a handful of overlapping lumps with gaps between them."""
    rng = np.random.default_rng(radius * 31 + shape)
    side = 2 * radius + 3
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) - (radius + 1)
    dome = np.zeros((side, side), np.float32)
    for number in range(5 + radius):
        turn, out = rng.uniform(0, 2 * math.pi), (0.0 if number == 0 else math.sqrt(rng.random()) * radius * 0.66)
        lump = radius * (0.75 if number == 0 else rng.uniform(0.22, 0.48))
        near = 1 - ((x - out * math.cos(turn)) ** 2 + (y - out * math.sin(turn)) ** 2) / max(lump, 0.8) ** 2
        top = (1 - 0.4 * out / max(radius, 1)) * rng.uniform(0.8, 1.0)
        dome = np.maximum(dome, np.where(near > 0, top * (0.55 + 0.45 * np.sqrt(np.maximum(near, 0))), 0))
    mask = np.where(dome > 0, np.uint8(255), np.uint8(0))
    leaves = cv2.GaussianBlur(rng.standard_normal((side, side)).astype(np.float32), (3, 3), 0.7)
    tone = 0.62 + 0.5 * dome + 0.16 * leaves
    return Dome(mask, tone.astype(np.float32), dome + 0.05 * leaves * (dome > 0))
