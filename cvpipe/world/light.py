"""Light on a canvas: season on the plants, sun on the slopes, shadows, all through one table over `material`."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from cvpipe.world.canvas import HEIGHT_STEP_M, U8, Canvas
from cvpipe.world.style import Look

#: Codes of the material plane. Roof slopes take the codes between FLAT and GRASS, see `slope`.
FLAT = 0
GRASS = 65
WEEDS = 66
CROP = 67
"""First of CROPS kinds of crop."""
CROPS = 8
WATER = 75
TREE = 76
"""First of the kinds of tree; the last EVERGREENS of them keep their leaves."""
TREES = 6
EVERGREENS = 2
ROUGH = 82
"""Heaps and debris. They and trees are shaded by their own relief, see `_RELIEF`."""

#: Gains of the levels that relief is sorted into, from slopes in their own shade to those that face the sun. Level n
#: of a rough material has the code of the material plus n times the number of rough materials.
_RELIEF = (0.55, 0.7, 0.85, 1.0, 1.16, 1.34, 1.55)
_ROUGHS = TREES + 1
#: Codes from here on are those of the same material in shadow.
_IN_SHADOW = 128
assert TREE + _ROUGHS * len(_RELIEF) <= _IN_SHADOW, "all materials and their reliefs fit into seven bits"
#: Directions that roof slopes are sorted into.
_SECTORS = 32
#: Rise per metre of the two families of roofs: tiled (about 24°) and sheet metal (about 7°).
_RISES = (0.45, 0.12)
#: Share of the sky in the light that falls on flat ground.
_AMBIENT = 0.38
#: What is left of red, green and blue in a shadow: skylight is blue.
_SHADOW = (0.40, 0.45, 0.55)
#: A shadow is drawn where the shading body stands at least this many height steps (0.4 m) above the line of sight.
_SHADOW_MARGIN = 2
#: Bytes of gain: this value leaves the albedo as it is.
_UNIT = 128


def slope(angle: float, steep: bool = True) -> int:
    """Material code of a roof plane that falls towards `angle` (radians, x to the right, y downwards)."""
    sector = round(angle / (2 * math.pi) * _SECTORS) % _SECTORS
    return 1 + sector + (0 if steep else _SECTORS)


def lit(canvas: Canvas, look: Look) -> U8:
    """(H, W, 3) the canvas under the sun and in the season of `look`, before the camera.

    Material, relief and shadow make one index, so that all light is one look-up and one product per channel.
    """
    index = cv2.add(canvas.material, _relief(canvas, _towards_sun(look)))
    shadow = _shadow(canvas.height, canvas.gsd_m, look)
    index = cv2.add(index, cv2.threshold(shadow, 0, _IN_SHADOW, cv2.THRESH_BINARY)[1])
    table = _gain_table(look)
    planes = []
    for channel, plane in enumerate(cv2.split(canvas.albedo)):
        gain = cv2.LUT(index, np.ascontiguousarray(table[:, channel]))
        planes.append(cv2.multiply(plane, gain, scale=1 / _UNIT))
    return np.asarray(cv2.merge(planes), np.uint8)


def _towards_sun(look: Look) -> tuple[float, float]:
    """Unit vector on the ground towards the sun, (x, y) with y downwards."""
    azimuth = math.radians(look.sun_azimuth_deg)
    return math.sin(azimuth), -math.cos(azimuth)


def _shadow(height: U8, gsd_m: float, look: Look) -> U8:
    """255 where something between the pixel and the sun stands higher than the ray, 0 in the light.

    The horizon is found by doubling: the highest body seen over 2n pixels is the higher of that over n pixels
    and the same seen from n pixels further on, lowered by the fall of the ray.
    """
    x, y = _towards_sun(look)
    fall = math.tan(math.radians(look.sun_elevation_deg)) * gsd_m / HEIGHT_STEP_M
    reach = max(1.0, float(height.max()) / fall)
    horizon, length = _lowered(height, (x, y), fall), 1.0
    while length < reach:
        horizon = np.maximum(horizon, _lowered(horizon, (x * length, y * length), fall * length))
        length *= 2
    higher = cv2.subtract(horizon, height)
    return np.asarray(cv2.threshold(higher, _SHADOW_MARGIN, 255, cv2.THRESH_BINARY)[1], np.uint8)


def _lowered(plane: U8, shift: tuple[float, float], fall: float) -> U8:
    """The plane as seen from `shift` pixels back, minus the fall of the ray over that way; 0 outside."""
    moved = _moved(plane, round(shift[0]), round(shift[1]))
    drop = np.uint8(min(255, round(fall)))
    np.maximum(moved, drop, out=moved)
    moved -= drop
    return moved


def _moved(plane: U8, dx: int, dy: int) -> U8:
    """The plane whose pixel (x, y) is the old pixel (x + dx, y + dy); 0 where that lies outside."""
    rows, cols = plane.shape
    out = np.zeros_like(plane)
    if abs(dx) >= cols or abs(dy) >= rows:
        return out
    out[max(-dy, 0) : rows - max(dy, 0), max(-dx, 0) : cols - max(dx, 0)] = plane[
        max(dy, 0) : rows - max(-dy, 0), max(dx, 0) : cols - max(-dx, 0)
    ]
    return out


def _relief(canvas: Canvas, sun: tuple[float, float]) -> U8:
    """What relief adds to the code of rough materials: their level from the slope towards the sun; 0 elsewhere."""
    nearer = _moved(canvas.height, round(sun[0] * 1.8), round(sun[1] * 1.8))
    rise = cv2.addWeighted(canvas.height, 0.5, nearer, -0.5, 128)
    return np.asarray(
        cv2.bitwise_and(cv2.LUT(rise, _level_table()), cv2.LUT(canvas.material, _rough_table())), np.uint8
    )


def _level_table() -> U8:
    """From the rise towards the sun (in half height steps about 128) to the code of the level."""
    gain = 1 + 0.07 * (np.arange(256) - 128.0)
    level = np.abs(gain[:, None] - np.array(_RELIEF)).argmin(axis=1)
    return np.asarray(level * _ROUGHS, np.uint8)


def _rough_table() -> U8:
    table = np.zeros(256, np.uint8)
    table[TREE : TREE + _ROUGHS] = 255
    return table


def _gain_table(look: Look) -> U8:
    """(256, 3) bytes: what season, sun and shadow make of each code; _UNIT leaves the albedo as it is."""
    gain = np.ones((256, 3))
    gain[1 : 1 + 2 * _SECTORS] = _slope_gains(look)[:, None]
    dry = 1 - look.greenness
    gain[GRASS] = _between((0.9, 1.04, 0.92), (1.55, 1.22, 1.3), dry)
    gain[WEEDS] = _between((0.88, 1.04, 0.88), (1.38, 1.14, 1.18), dry)
    for kind in range(CROPS):
        ripe = (0.5 + 0.5 * math.sin(kind * 2.4 + look.sun_azimuth_deg)) * 0.7 + dry * 0.3
        gain[CROP + kind] = _between((0.86, 1.05, 0.86), (1.7, 1.34, 1.22), ripe)
    for kind in range(TREES):
        turning = 0.0 if kind >= TREES - EVERGREENS else look.autumn * (0.6 + 0.4 * math.sin(kind * 1.7))
        fresh = _between((0.95, 1.05, 0.95), (1.18, 1.0, 1.05), dry * 0.7)
        gain[TREE + kind] = _between(tuple(fresh), (2.3, 1.25 - 0.12 * kind, 0.9), max(turning, 0.0))
    gain[TREE : TREE + _ROUGHS * len(_RELIEF)] = _in_relief(gain[TREE : TREE + _ROUGHS])
    gain[_IN_SHADOW:] = gain[:_IN_SHADOW] * _SHADOW
    return np.clip(np.round(gain * _UNIT), 0, 255).astype(np.uint8)


def _in_relief(gain: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gains of the rough materials at every level, level by level."""
    return np.concatenate([gain * level for level in _RELIEF])


def _slope_gains(look: Look) -> NDArray[np.float64]:
    """Light on each roof slope against that on flat ground (Lambert's law with a share of skylight)."""
    sun_x, sun_y = _towards_sun(look)
    elevation = math.radians(look.sun_elevation_deg)
    angles = np.arange(_SECTORS) * 2 * math.pi / _SECTORS
    facing = np.cos(angles) * sun_x + np.sin(angles) * sun_y
    gains = []
    for rise in _RISES:
        lean = math.atan(rise)
        direct = math.cos(lean) + math.sin(lean) * facing / math.tan(elevation)
        gains.append(_AMBIENT + (1 - _AMBIENT) * np.maximum(direct, 0))
    return np.clip(np.concatenate(gains), 0.4, 1.7)


def _between(first: tuple[float, ...], second: tuple[float, ...], share: float) -> NDArray[np.float64]:
    return np.asarray(first) * (1 - share) + np.asarray(second) * share
