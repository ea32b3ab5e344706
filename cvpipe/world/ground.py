"""Ground covers: what a piece of ground is made of, and how it is painted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from cvpipe.domain import Surface
from cvpipe.world import light
from cvpipe.world.canvas import F32, HEIGHT_STEP_M, U8, Box, Canvas, Colour, Points, Stamp, mixed, tinted, to_bytes
from cvpipe.world.style import Style


@dataclass(frozen=True)
class Cover:
    """A ground cover.

    Two colours are mixed in patches; `fine`, `grain`, `patchy` and `broad` are the deviations of the brightness at
    each scale. `ragged_m` frays the edge. `pattern` names a drawing in PATTERNS that lies on top.
    """

    surface: Surface
    first: Colour
    second: Colour
    fine: float = 0.04
    grain: float = 0.03
    patchy: float = 0.05
    broad: float = 0.04
    material: int = light.FLAT
    ragged_m: float = 0.0
    pattern: str = ""
    relief_m: float = 0.0


@dataclass(frozen=True)
class Area:
    """A piece of ground with one cover; `angle` (radians) directs rows, slabs and seams."""

    outline: Points
    cover: Cover
    seed: int
    angle: float = 0.0


_V, _P, _B = Surface.VEGETATION, Surface.PAVED, Surface.BARE

COVERS: dict[str, Cover] = {
    "asphalt": Cover(_P, (92, 92, 94), (112, 110, 108), 0.03, 0.02, 0.03, 0.05),
    "road": Cover(_P, (96, 96, 98), (112, 111, 109), 0.03, 0.02, 0.03, 0.05, pattern="lanes"),
    "parking": Cover(_P, (104, 103, 102), (120, 118, 115), 0.03, 0.02, 0.04, 0.04, pattern="bays"),
    "old_asphalt": Cover(_P, (118, 116, 112), (140, 136, 128), 0.04, 0.03, 0.06, 0.05, pattern="cracks"),
    "concrete": Cover(_P, (172, 168, 158), (190, 185, 174), 0.025, 0.02, 0.04, 0.03, pattern="slabs"),
    "yard": Cover(_P, (150, 145, 134), (178, 170, 156), 0.04, 0.04, 0.08, 0.05, pattern="stains"),
    "kerb": Cover(_P, (160, 153, 144), (160, 153, 144), 0.04, 0.0, 0.0, 0.0),
    "paving": Cover(_P, (160, 150, 142), (176, 164, 152), 0.04, 0.02, 0.03, 0.02, pattern="slabs"),
    "court": Cover(_P, (52, 104, 88), (60, 110, 92), 0.02, 0.01, 0.02, 0.01, pattern="court"),
    "levelled": Cover(_B, (168, 150, 124), (188, 170, 144), 0.05, 0.05, 0.06, 0.06, pattern="tracks"),
    "dirt": Cover(_B, (146, 128, 104), (174, 156, 130), 0.06, 0.06, 0.09, 0.06, ragged_m=1.5, pattern="tracks"),
    "ploughed": Cover(_B, (122, 102, 82), (144, 124, 102), 0.05, 0.05, 0.05, 0.06, pattern="furrows"),
    "heaps": Cover(_B, (154, 134, 108), (180, 160, 132), 0.06, 0.05, 0.05, 0.0, light.ROUGH, 1.5, "", 2.5),
    "grass": Cover(_V, (84, 98, 64), (104, 108, 74), 0.06, 0.07, 0.09, 0.06, light.GRASS),
    "lawn": Cover(_V, (80, 102, 64), (92, 108, 68), 0.04, 0.04, 0.05, 0.04, light.GRASS, pattern="mowing"),
    "saplings": Cover(_V, (86, 100, 64), (112, 110, 78), 0.06, 0.06, 0.08, 0.05, light.GRASS, 0.6, "mowing"),
    "weeds": Cover(_V, (92, 98, 68), (126, 118, 90), 0.1, 0.1, 0.07, 0.06, light.WEEDS, 1.2),
    "rubble": Cover(
        Surface.RUBBLE, (146, 134, 120), (168, 154, 138), 0.12, 0.12, 0.1, 0.0, light.ROUGH, 2.0, "debris", 2.6
    ),
    "net": Cover(Surface.NET, (48, 108, 76), (60, 120, 88), 0.05, 0.04, 0.04, 0.02, pattern="folds"),
    "net_dark": Cover(Surface.NET, (38, 78, 56), (52, 92, 68), 0.05, 0.05, 0.05, 0.02, pattern="folds"),
    "net_light": Cover(Surface.NET, (84, 136, 98), (102, 148, 112), 0.05, 0.04, 0.04, 0.02, pattern="folds"),
    "water": Cover(Surface.WATER, (56, 78, 76), (64, 86, 80), 0.015, 0.01, 0.02, 0.06, light.WATER),
    "wall": Cover(Surface.OTHER, (178, 172, 162), (190, 182, 170), 0.04, 0.02, 0.03, 0.0),
}

_CROP_COLOURS: tuple[tuple[Colour, Colour], ...] = (
    ((72, 94, 58), (84, 104, 62)),
    ((86, 106, 66), (96, 112, 70)),
    ((64, 84, 56), (72, 92, 60)),
    ((104, 108, 72), (116, 116, 78)),
    ((76, 100, 68), (88, 108, 74)),
    ((96, 100, 66), (108, 108, 72)),
    ((60, 86, 60), (70, 94, 64)),
    ((88, 108, 64), (98, 114, 68)),
)
for _kind, (_a, _b) in enumerate(_CROP_COLOURS):
    COVERS[f"crop{_kind}"] = Cover(_V, _a, _b, 0.05, 0.05, 0.05, 0.05, light.CROP + _kind, pattern="rows")

_SOIL_SURFACES = {Surface.BARE, Surface.RUBBLE}


def cover(name: str, style: Style) -> Cover:
    """The cover of a name in the palette of a style."""
    plain = COVERS[name]
    if plain.surface in (Surface.NET, Surface.WATER):
        return plain
    cast = style.leaf if plain.surface is _V else style.soil if plain.surface in _SOIL_SURFACES else style.concrete
    return replace(plain, first=_cast(plain.first, cast), second=_cast(plain.second, cast))


def _cast(colour: Colour, cast: Colour) -> Colour:
    red, green, blue = (part * factor for part, factor in zip(colour, cast, strict=True))
    return red, green, blue


def paint(canvas: Canvas, area: Area) -> None:
    """Paint an area onto the ground: whatever stood there is gone."""
    stamp = canvas.stamp(area.outline)
    if stamp is None:
        return
    made = area.cover
    mask = _frayed(stamp, area)
    tone = _tone(stamp, area)
    if made.first == made.second:
        rgb = tinted(made.first, tone)
    else:
        rgb = mixed(made.first, made.second, _share(stamp, area), tone)
    if made.pattern in OVERLAYS:
        rgb = OVERLAYS[made.pattern](stamp, area, rgb)
    height: int | U8 = 0 if not made.relief_m else _heaped(stamp, area, mask)
    stamp.put(mask, rgb, made.surface, made.material, height, structure_id=0)


def _frayed(stamp: Stamp, area: Area) -> U8:
    """The area's mask, its edge frayed by noise where the cover asks for it."""
    mask = stamp.fill(area.outline)
    if not area.cover.ragged_m:
        return mask
    inside = cv2.distanceTransform(mask, cv2.DIST_L2, 3) * np.float32(stamp.gsd_m)
    edge = area.cover.ragged_m * (0.5 + 0.45 * stamp.noise("patchy", area.seed + 9))
    return np.where(inside > np.maximum(edge, 0.0), mask, np.uint8(0))


def _share(stamp: Stamp, area: Area) -> F32:
    """How much of the cover's second colour there is at each pixel."""
    share = np.float32(0.35) * stamp.noise("patchy", area.seed + 5)
    share += np.float32(0.25) * stamp.noise("broad", area.seed)
    share += np.float32(0.5)
    return np.clip(share, 0, 1, out=share)


def _tone(stamp: Stamp, area: Area) -> F32:
    """Brightness about 1: noise of every scale that the cover names, and its pattern."""
    made = area.cover
    tone = np.ones(stamp.shape, np.float32)
    scales = (("fine", made.fine), ("grain", made.grain), ("patchy", made.patchy), ("broad", made.broad))
    for step, (name, deviation) in enumerate(scales):
        if deviation:
            tone += np.float32(deviation) * stamp.noise(name, area.seed + step)
    if made.pattern in PATTERNS:
        tone *= PATTERNS[made.pattern](stamp, area)
    return tone


def _heaped(stamp: Stamp, area: Area, mask: U8) -> U8:
    """Heights of heaps in the mask, low at its edge, in height steps."""
    inside = cv2.distanceTransform(mask, cv2.DIST_L2, 3) * np.float32(stamp.gsd_m)
    swell = 0.4 * stamp.noise("patchy", area.seed + 11) + 0.2 * stamp.noise("grain", area.seed)
    metres = area.cover.relief_m * np.minimum(inside / 4, 1) * np.clip(0.55 + swell, 0.05, 1.6)
    return to_bytes((metres / HEIGHT_STEP_M).astype(np.float32))


def _axes(stamp: Stamp, area: Area) -> tuple[F32, F32]:
    """Metres along and across the area's direction, from its centre."""
    x, y = area.outline.mean(axis=0)
    return stamp.uv(Box(float(x), float(y), 0, 0, area.angle))


def _wave(position: F32, period_m: float) -> F32:
    return np.asarray(np.sin(position * np.float32(2 * math.pi / period_m)), np.float32)


def _joint(position: F32, period_m: float, width_m: float) -> F32:
    """1 on lines of `width_m` that come every `period_m`, 0 between."""
    return np.asarray(_cycle(position, period_m) < width_m / period_m, np.float32)


def _cycle(position: F32, period_m: float) -> F32:
    """How far through its period a position is, 0..1 (many times faster than a float modulo)."""
    turns = position * np.float32(1 / period_m)
    return np.asarray(turns - np.floor(turns), np.float32)


#: Brightness of single slabs of concrete.
_SLAB_SHADES: F32 = np.random.default_rng(1).uniform(0.97, 1.03, 256).astype(np.float32)


def _slabs(stamp: Stamp, area: Area) -> F32:
    u, v = _axes(stamp, area)
    along, across = u * np.float32(1 / 6.0), v * np.float32(1 / 4.5)
    row, column = np.floor(along), np.floor(across)
    joints = (along - row < 0.05) | (across - column < 0.07)
    shades: F32 = _SLAB_SHADES[(row * 29 + column * 13).astype(np.int32) & 255]
    shades[joints] -= np.float32(0.09)
    return shades


def _stains(stamp: Stamp, area: Area) -> F32:
    dark = np.clip(stamp.noise("patchy", area.seed + 21) - 1.1, 0, 1.2)
    return np.asarray(_slabs(stamp, area) - np.float32(0.16) * dark, np.float32)


def _cracks(stamp: Stamp, area: Area) -> F32:
    veins = np.abs(stamp.noise("patchy", area.seed + 31)) < 0.03
    return 1 - np.float32(0.14) * veins.astype(np.float32)


def _rows(stamp: Stamp, area: Area) -> F32:
    _, v = _axes(stamp, area)
    sway = v + np.float32(0.25) * stamp.noise("patchy", area.seed + 41)
    period = 1.4 + (area.seed % 5) * 0.35
    lanes = _joint(v, 14.0, 0.9)
    return 1 + np.float32(0.1) * _wave(sway, period) - np.float32(0.1) * lanes


def _furrows(stamp: Stamp, area: Area) -> F32:
    _, v = _axes(stamp, area)
    sway = v + np.float32(0.15) * stamp.noise("patchy", area.seed + 41)
    return 1 + np.float32(0.09) * _wave(sway, 1.8) + np.float32(0.05) * _wave(v, 11.0)


def _mowing(stamp: Stamp, area: Area) -> F32:
    _, v = _axes(stamp, area)
    return np.asarray(1 + np.float32(0.03) * np.sign(_wave(v, 5.0)), np.float32)


def _folds(stamp: Stamp, area: Area) -> F32:
    """Wrinkles along the seams of a dust net, seams every eight metres, and what the wind made of it."""
    u, v = _axes(stamp, area)
    bent = v + np.float32(0.5) * stamp.noise("patchy", area.seed + 51)
    creases = np.exp(-np.abs(stamp.noise("grain", area.seed + 52)) * 6) * np.float32(0.16)
    ripple = np.float32(0.05) * _wave(bent + np.float32(0.2) * u, 2.3)
    seams = _joint(bent + 300, 8.0, 0.4)
    cross = _joint(u + 300, 42.0, 0.4)
    bleach = np.float32(0.07) * stamp.noise("broad", area.seed + 53)
    folds = 1 + creases + ripple + bleach + np.float32(0.22) * seams - np.float32(0.14) * cross
    return np.asarray(folds, np.float32)


def _court_lines(stamp: Stamp, area: Area, rgb: U8) -> U8:
    u, v = _axes(stamp, area)
    lines = np.minimum(np.abs(np.abs(v) - 6), np.abs(np.abs(u) - 11)) < 0.2
    rgb[lines & (np.abs(u) < 11.3) & (np.abs(v) < 6.3)] = (214, 214, 208)
    red = (np.abs(u) > 12.5) | (np.abs(v) > 7.5)
    rgb[red] = (rgb[red] * np.array([2.2, 0.75, 0.72])).clip(0, 255).astype(np.uint8)
    return rgb


def _lanes(stamp: Stamp, area: Area, rgb: U8) -> U8:
    """Dashed middle line and edge lines of a road, rubbed off in places."""
    u, v = _axes(stamp, area)
    half = _half_width(area)
    kept = stamp.noise("grain", area.seed) > -1.0
    middle = (np.abs(v) < 0.16) & (_cycle(u, 6.0) < 0.5)
    edges = np.abs(np.abs(v) - (half - 0.8)) < 0.15
    lines = (middle | edges) & kept
    rgb[lines] = (rgb[lines] * 0.45 + np.array([104, 103, 98], np.float32)).astype(np.uint8)
    return rgb


def _half_width(area: Area) -> float:
    """Half the extent of an outline across its direction, metres."""
    across = np.array([-math.sin(area.angle), math.cos(area.angle)])
    return float(np.ptp(area.outline @ across)) / 2


#: Depth of a parking bay and of a double row with its aisle, and the width of a bay, metres.
BAY_DEPTH_M, BAY_PERIOD_M, BAY_WIDTH_M = 5.2, 16.4, 2.6


def _bays(stamp: Stamp, area: Area, rgb: U8) -> U8:
    """Bays on both sides of aisles, counted from the middle of the area."""
    u, v = _axes(stamp, area)
    place = _cycle(v, BAY_PERIOD_M) * BAY_PERIOD_M
    in_bay = (place < BAY_DEPTH_M) | (place > BAY_PERIOD_M - BAY_DEPTH_M)
    lines = in_bay & (_cycle(u, BAY_WIDTH_M) < 0.1)
    lines |= place < 0.25
    rgb[lines & (stamp.noise("grain", area.seed) > -1.2)] = (206, 206, 200)
    return rgb


def _tracks(stamp: Stamp, area: Area, rgb: U8) -> U8:
    """Wheel tracks of lorries and diggers: pairs of bent lines, pressed dark or dried pale."""
    rng = np.random.default_rng(area.seed)
    low, high = area.outline.min(axis=0), area.outline.max(axis=0)
    passes = int(np.clip((high - low).prod() / 350, 2, 26))
    gain = np.full(stamp.shape, 128, np.uint8)
    for pale in (False, True):
        worn = np.zeros(stamp.shape, np.uint8)
        for _ in range(passes // 2 + 1):
            centre = _bent_path(rng, low, high)
            side = np.gradient(centre, axis=0)[:, ::-1] * (-1, 1)
            side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-6)
            for offset in (-0.95, 0.95):
                stamp.line(worn, centre + side * offset, 0.5, int(rng.integers(90, 255)))
        # Pale tracks add 13 % of light, dark ones take 17 %: at 128 a byte of gain leaves things as they are.
        gain = np.asarray(cv2.addWeighted(gain, 1, worn, 0.065 if pale else -0.085, 0), np.uint8)
    return np.asarray(cv2.multiply(rgb, cv2.merge([cv2.blur(gain, (3, 3))] * 3), scale=1 / 128), np.uint8)


def _bent_path(rng: np.random.Generator, low: Points, high: Points) -> Points:
    """A smooth path through a box: a quadratic Bézier curve of 24 points."""
    first, middle, last = rng.uniform(low, high, (3, 2))
    t = np.linspace(0, 1, 24)[:, None]
    return np.asarray((1 - t) ** 2 * first + 2 * t * (1 - t) * middle + t**2 * last)


_LUMPS = np.array(
    [
        (176, 168, 158), (158, 150, 140), (140, 130, 120), (160, 124, 104), (146, 108, 90), (122, 112, 102),
        (196, 190, 180),
    ],
    np.uint8,
)  # fmt: skip


def _debris(stamp: Stamp, area: Area, rgb: U8) -> U8:
    """Lumps of concrete, brick and wood from half a metre to two, thrown together in dust."""
    rng = np.random.default_rng(area.seed)
    thick = stamp.noise("patchy", area.seed + 3)
    for size_m, sparse in ((2.0, 1.1), (1.1, 0.3), (0.5, -0.3)):
        cell = max(1, round(size_m / stamp.gsd_m))
        cells = -(-stamp.height // cell) + 1, -(-stamp.width // cell) + 1
        lumps = _LUMPS[rng.integers(0, len(_LUMPS), cells)]
        chance = rng.standard_normal(cells).astype(np.float32)
        big = cv2.resize(lumps, None, fx=cell, fy=cell, interpolation=cv2.INTER_NEAREST)[: stamp.height, : stamp.width]
        luck = cv2.resize(chance, None, fx=cell, fy=cell, interpolation=cv2.INTER_LINEAR)[: stamp.height, : stamp.width]
        there = luck + np.float32(0.7) * thick + np.float32(0.5) * stamp.noise("fine", area.seed + cell) > sparse
        rgb[there] = cv2.addWeighted(big, 0.6, rgb, 0.4, 0)[there]
    return rgb


PATTERNS: dict[str, Callable[[Stamp, Area], F32]] = {
    "slabs": _slabs,
    "stains": _stains,
    "cracks": _cracks,
    "rows": _rows,
    "furrows": _furrows,
    "mowing": _mowing,
    "folds": _folds,
}

OVERLAYS: dict[str, Callable[[Stamp, Area, U8], U8]] = {
    "court": _court_lines,
    "lanes": _lanes,
    "bays": _bays,
    "tracks": _tracks,
    "debris": _debris,
}
