"""Clouds: white and opaque in the middle, soft at the edge, with a shadow away from the sun."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from cvpipe.world.canvas import F32, U8, Points
from cvpipe.world.style import Look

#: Drawn clouds hang low, so that a cloud and its shadow fit into a small district. Metres.
_BASE_M = 130.0
_SOFT_M = 26.0
_WHITE = np.float32(246)
_SHADE = np.float32(0.45)
#: Cloud fields are made at this many pixels to one and enlarged.
_COARSE = 8


@dataclass(frozen=True)
class Cloud:
    """A cloud that hides at least the circle of `radius_m` around (x, y), metres in the scene's frame."""

    x: float
    y: float
    radius_m: float
    seed: int


def overcast(scene: U8, clouds: list[Cloud], gsd_m: float, look: Look) -> U8:
    """Draw clouds and their shadows over a lit scene, in place."""
    for cloud in clouds:
        centre = np.array([cloud.x, cloud.y])
        _veil(scene, cloud, centre + _shadow_offset(look), gsd_m, shade=True)
    for cloud in clouds:
        _veil(scene, cloud, np.array([cloud.x, cloud.y]), gsd_m, shade=False)
    return scene


def _shadow_offset(look: Look) -> Points:
    azimuth = math.radians(look.sun_azimuth_deg)
    away = _BASE_M / math.tan(math.radians(look.sun_elevation_deg))
    return np.array([-math.sin(azimuth) * away, math.cos(azimuth) * away])


def _veil(scene: U8, cloud: Cloud, centre: Points, gsd_m: float, *, shade: bool) -> None:
    """Mix white, or shadow, into the part of the scene around `centre`."""
    reach = cloud.radius_m + 4 * _SOFT_M
    left, top = np.floor((centre - reach) / gsd_m).astype(int)
    side = int(2 * reach / gsd_m / _COARSE) * _COARSE
    density, billow = _density(cloud, side, gsd_m)
    rows, cols = scene.shape[:2]
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, cols), min(top + side, rows)
    if x1 <= x0 or y1 <= y0:
        return
    inner = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
    share, light = density[inner][..., None], billow[inner][..., None]
    part = scene[y0:y1, x0:x1].astype(np.float32)
    part = part * (1 - (1 - _SHADE) * share) if shade else part * (1 - share) + _WHITE * light * share
    scene[y0:y1, x0:x1] = np.clip(part, 0, 255).astype(np.uint8)


def _density(cloud: Cloud, side: int, gsd_m: float) -> tuple[F32, F32]:
    """(opacity 0..1, brightness about 1) of a cloud in a square of `side` pixels."""
    rng = np.random.default_rng(cloud.seed)
    small = side // _COARSE
    y, x = np.mgrid[0:small, 0:small].astype(np.float32) - np.float32((small - 1) / 2)
    distance = np.hypot(x, y) * np.float32(gsd_m * _COARSE)
    noise = np.zeros((small, small), np.float32)
    for sigma in (3.0, 7.0, 14.0):
        octave = cv2.GaussianBlur(rng.standard_normal((small, small)).astype(np.float32), (0, 0), sigma)
        noise += octave / octave.std()
    edge = cloud.radius_m + 1.6 * _SOFT_M + noise * np.float32(_SOFT_M / 3.5) - distance
    density = np.clip(edge / np.float32(_SOFT_M), 0, 1)
    density[distance < cloud.radius_m] = 1
    billow = 1 + np.float32(0.018) * noise
    return _enlarged(density, side), _enlarged(billow, side)


def _enlarged(plane: F32, side: int) -> F32:
    return np.asarray(cv2.resize(plane.astype(np.float32), (side, side)), np.float32)
