"""Structures as seen from above: gable and flat roofs, sheet-metal sheds, rows of containers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvpipe.domain import Surface
from cvpipe.world import light
from cvpipe.world.canvas import F32, HEIGHT_STEP_M, U8, Box, Canvas, Colour, Stamp, steps, tinted
from cvpipe.world.style import Style


@dataclass(frozen=True)
class Structure:
    """A structure: its number, place, kind of roof, height of the eaves (m), colour; `seed` draws the details."""

    id: int
    box: Box
    roof: str
    height_m: float
    colour: Colour
    seed: int


class Roof(NamedTuple):
    """A drawn roof, all planes in the stamp's shape."""

    rgb: U8
    material: U8
    height: U8


TILE_COLOURS: tuple[Colour, ...] = (
    (112, 110, 108), (98, 98, 100), (126, 120, 114), (138, 92, 76), (150, 98, 78), (120, 84, 72), (142, 132, 120),
)  # fmt: skip
FLAT_COLOURS: tuple[Colour, ...] = (
    (168, 164, 156), (186, 182, 174), (148, 146, 142), (128, 126, 124), (196, 188, 176), (160, 148, 134),
    (172, 140, 120),
)  # fmt: skip
SHED_COLOURS: tuple[Colour, ...] = (
    (58, 104, 166), (70, 118, 178), (48, 88, 150), (92, 138, 186), (164, 74, 62), (150, 82, 68), (146, 150, 154),
    (166, 170, 172), (206, 208, 208), (218, 218, 214), (128, 132, 136), (96, 120, 108), (180, 160, 136),
)  # fmt: skip
CONTAINER_COLOURS: tuple[Colour, ...] = ((214, 216, 216), (198, 202, 206), (60, 100, 150), (226, 226, 222))


def draw(canvas: Canvas, structure: Structure) -> None:
    """Draw a structure onto the canvas, over whatever is there."""
    outline = structure.box.corners()
    stamp = canvas.stamp(outline)
    if stamp is None:
        return
    mask = stamp.fill(outline)
    roof = ROOFS[structure.roof](stamp, structure)
    stamp.put(mask, roof.rgb, Surface.STRUCTURE, roof.material, roof.height, structure.id)


def random_structure(
    number: int, box: Box, roof: str, height_m: float, rng: np.random.Generator, style: Style
) -> Structure:
    """A structure whose colour and details are drawn from `rng`, in the tone of the style's concrete."""
    palette = {"gable": TILE_COLOURS, "hip": TILE_COLOURS, "flat": FLAT_COLOURS, "container": CONTAINER_COLOURS}
    colours = palette.get(roof, SHED_COLOURS)
    base = colours[int(rng.integers(len(colours)))]
    tone = rng.normal(1, 0.07)
    tints = tone * rng.normal(1, 0.03, 3) * style.concrete
    red, green, blue = (min(max(part * float(tint), 18.0), 240.0) for part, tint in zip(base, tints, strict=True))
    return Structure(number, box, roof, height_m, (red, green, blue), int(rng.integers(1 << 30)))


def _weathered(stamp: Stamp, seed: int, fine: float, patchy: float) -> F32:
    tone = np.ones(stamp.shape, np.float32)
    for step, (name, deviation) in enumerate((("fine", fine), ("patchy", patchy), ("grain", patchy / 2))):
        tone += np.float32(deviation) * stamp.noise(name, seed + step)
    return tone


def _gable(stamp: Stamp, structure: Structure) -> Roof:
    """Tiled roof with a ridge along the length: rows of tiles, a pale ridge cap, dark eaves."""
    box, seed = structure.box, structure.seed
    u, v = stamp.uv(box)
    across = np.abs(v)
    tone = _weathered(stamp, seed, 0.05, 0.06)
    tone += np.float32(0.05) * np.sin(u * np.float32(2 * math.pi / 0.9))
    tone[across < 0.28] *= np.float32(1.22)
    tone[across > box.width / 2 - 0.35] *= np.float32(0.8)
    towards = box.angle + math.pi / 2
    material = np.where(v > 0, light.slope(towards), light.slope(towards + math.pi)).astype(np.uint8)
    return Roof(tinted(structure.colour, tone), material, _rising(structure.height_m, box.width / 2 - across, 0.45))


def _hip(stamp: Stamp, structure: Structure) -> Roof:
    """Tiled roof that falls to all four sides."""
    box = structure.box
    u, v = stamp.uv(box)
    to_side, to_end = box.width / 2 - np.abs(v), box.length / 2 - np.abs(u)
    tone = _weathered(stamp, structure.seed, 0.05, 0.05)
    tone += np.float32(0.04) * np.sin(np.where(to_side < to_end, u, v) * np.float32(2 * math.pi / 0.9))
    tone[np.abs(to_side - to_end) < 0.25] *= np.float32(1.15)
    tone[(np.abs(v) < 0.25) & (to_end > to_side)] *= np.float32(1.15)
    sides = np.where(v > 0, light.slope(box.angle + math.pi / 2), light.slope(box.angle - math.pi / 2))
    ends = np.where(u > 0, light.slope(box.angle), light.slope(box.angle + math.pi))
    material = np.where(to_side < to_end, sides, ends).astype(np.uint8)
    height = _rising(structure.height_m, np.minimum(to_side, to_end), 0.45)
    return Roof(tinted(structure.colour, tone), material, height)


def _shed(stamp: Stamp, structure: Structure) -> Roof:
    """Corrugated sheet over one or more spans: ribs, sheets of unlike age, skylights, rust, a ridge cap."""
    box, seed = structure.box, structure.seed
    rng = np.random.default_rng(seed)
    u, v = stamp.uv(box)
    spans = max(1, round(box.width / rng.uniform(14, 24)))
    span = box.width / spans
    across = np.mod(v + np.float32(box.width / 2), np.float32(span)) - np.float32(span / 2)
    tone = _weathered(stamp, seed, 0.02, 0.04)
    tone += np.float32(0.05) * np.sin(u * np.float32(2 * math.pi / rng.uniform(0.85, 1.5)))
    sheet = rng.normal(1, rng.uniform(0.01, 0.06), 512).astype(np.float32)
    tone *= sheet[(np.floor((u + box.length / 2) / 3.0)).astype(np.int32) % 512]
    tone[np.abs(across) < 0.35] *= np.float32(1.12)
    tone[np.abs(across) > span / 2 - 0.3] *= np.float32(0.72)
    rgb = tinted(structure.colour, tone)
    if rng.random() < 0.4 and box.length > 15:
        every = rng.uniform(5, 9)
        light_strip = (np.mod(u + 200, every) < 1.0) & (np.abs(np.abs(across) - span / 4) < span / 7)
        rgb[light_strip] = tinted((206, 212, 210), tone)[light_strip]
    if rng.random() < 0.35:
        rust = np.clip(stamp.noise("patchy", seed + 7) - 0.7, 0, 1)[..., None] * np.float32(0.6)
        rgb = (rgb * (1 - rust) + np.array([132, 92, 68], np.float32) * rust).astype(np.uint8)
    towards = box.angle + math.pi / 2
    material = np.where(across > 0, light.slope(towards, False), light.slope(towards + math.pi, False)).astype(np.uint8)
    return Roof(rgb, material, _rising(structure.height_m, span / 2 - np.abs(across), 0.12))


def _flat(stamp: Stamp, structure: Structure) -> Roof:
    """Flat roof: parapet, stains of standing water, stair heads, fans, tanks and rows of collectors."""
    box, seed = structure.box, structure.seed
    rng = np.random.default_rng(seed)
    u, v = stamp.uv(box)
    tone = _weathered(stamp, seed, 0.03, 0.05)
    tone -= np.float32(0.1) * np.clip(stamp.noise("patchy", seed + 3) - 0.8, 0, 1)
    tone -= np.float32(0.06) * (np.mod(u + 100, 4.0) < 0.3)
    rgb = tinted(structure.colour, tone)
    height = np.full(stamp.shape, steps(structure.height_m), np.uint8)
    edge = np.minimum(box.width / 2 - np.abs(v), box.length / 2 - np.abs(u))
    parapet = edge < 0.4
    rgb[parapet] = tinted((200, 196, 188), tone)[parapet]
    height[parapet] += steps(0.9)
    for _ in range(int(rng.poisson(min(9.0, 1 + box.length * box.width / 110)))):
        _roof_box(rng, box, u, v, rgb, height)
    if rng.random() < 0.25 and box.width > 8:
        _collectors(rng, box, u, v, rgb, height)
    return Roof(rgb, np.zeros(stamp.shape, np.uint8), height)


def _roof_box(rng: np.random.Generator, box: Box, u: F32, v: F32, rgb: U8, height: U8) -> None:
    """A stair head, fan or tank on a flat roof."""
    size_u, size_v, rise = rng.uniform(0.8, 3.8), rng.uniform(0.8, 3.0), rng.uniform(0.6, 2.6)
    reach_u, reach_v = box.length / 2 - size_u - 0.5, box.width / 2 - size_v - 0.5
    if reach_u <= 0 or reach_v <= 0:
        return
    at_u, at_v = rng.uniform(-reach_u, reach_u), rng.uniform(-reach_v, reach_v)
    there = (np.abs(u - at_u) < size_u / 2) & (np.abs(v - at_v) < size_v / 2)
    shade = int(rng.choice([96, 150, 190, 214, 226]))
    rgb[there] = (shade, shade, min(255, shade + int(rng.integers(0, 10))))
    height[there] = np.minimum(height[there].astype(np.int32) + steps(rise), 255).astype(np.uint8)


def _collectors(rng: np.random.Generator, box: Box, u: F32, v: F32, rgb: U8, height: U8) -> None:
    """Rows of solar collectors on one half of a flat roof."""
    first, last = sorted(rng.uniform(-box.length / 2 + 1.5, box.length / 2 - 1.5, 2))
    rows = (u > first) & (u < last) & (np.abs(v) < box.width / 2 - 1.2) & (np.mod(v + 100, 2.4) < 1.3)
    rgb[rows] = (40, 52, 84)
    height[rows] += steps(0.6)


def _container(stamp: Stamp, structure: Structure) -> Roof:
    """A row of container rooms, six metres by two and a half each, of one or two colours."""
    box, seed = structure.box, structure.seed
    rng = np.random.default_rng(seed)
    u, v = stamp.uv(box)
    tone = _weathered(stamp, seed, 0.03, 0.02)
    tone += np.float32(0.05) * np.sin(u * np.float32(2 * math.pi / 0.9))
    unit = np.floor((u + box.length / 2) / 3.0).astype(np.int32)
    deck = np.floor((v + box.width / 2) / 6.0).astype(np.int32)
    other = np.array([rng.random() < 0.2 for _ in range(64)])[(unit * 5 + deck * 11) % 64]
    second = CONTAINER_COLOURS[int(rng.integers(len(CONTAINER_COLOURS)))]
    rgb = np.where(other[..., None], tinted(second, tone), tinted(structure.colour, tone))
    gap = (np.mod(u + box.length / 2, 3.0) < 0.3) | (np.mod(v + box.width / 2, 6.0) < 0.3)
    rgb[gap] = (rgb[gap] * 0.6).astype(np.uint8)
    height = np.full(stamp.shape, steps(structure.height_m), np.uint8)
    return Roof(rgb, np.zeros(stamp.shape, np.uint8), height)


def _rising(eaves_m: float, inward: NDArray[np.floating], rise: float) -> U8:
    """Heights of a roof that rises by `rise` metres per metre from the eaves inwards, in height steps."""
    metres = eaves_m + rise * np.maximum(inward, 0)
    return np.asarray(np.clip(metres / HEIGHT_STEP_M, 0, 255), np.uint8)


ROOFS: dict[str, Callable[[Stamp, Structure], Roof]] = {
    "gable": _gable,
    "hip": _hip,
    "shed": _shed,
    "flat": _flat,
    "container": _container,
}
