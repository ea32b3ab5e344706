"""Thick cloud in one epoch, told apart from white roofs, concrete, surf and light soil."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from cvpipe.imagery.reading import Coarse, Patch

Mask = NDArray[np.bool_]

# Cloud is looked for in `Patch.coarse`: all its marks are wider, and roofs keep their steep edges.

#: Cloud: every band at least this bright, the bands this close together, and red at most this far above blue (8 bit).
#: Thick cloud is white or bluish grey; light soil and sand are warmer, dry concrete is darker. A bank of cloud starts
#: where it is that bright and reaches to where it has faded to `RIM_BRIGHTNESS`.
BRIGHTNESS = 190
RIM_BRIGHTNESS = 165
COLOUR_SPREAD = 30
WARMTH = 8

#: Cloud: grey levels of local spread (standard deviation) within `SMOOTH_M` metres, and the share of a bank that
#: must be that smooth; roofs with skylights, beaches, vehicles and rubble are rougher.
ROUGHNESS = 7.0
SMOOTH_M = 5.0
SMOOTH_SHARE = 0.75

#: Cloud: smallest area in m² and smallest width in m of a bank; white roofs of houses and vehicles are smaller.
AREA_M2 = 400.0
WIDTH_M = 10.0

#: Cloud: steepness of the bank's edge in grey levels per metre, median. Vapour thins out over tens of metres; the
#: edges of large white roofs and yards are as steep as the picture is sharp (20 and more at 1 m).
EDGE_PER_M = 10.0


def cloud(patch: Patch, other: Patch | None = None) -> Mask:
    """Thick cloud, bool (H, W): bright, colourless, smooth, wide blobs with soft edges.

    With the `other` epoch given, blobs that are as bright there are left out: clouds do not stay.
    """
    height, width = patch.valid.shape
    coarse = patch.coarse
    if np.count_nonzero(_white(coarse, BRIGHTNESS)) * coarse.pixel_m**2 < AREA_M2:  # mostly so: the rest is saved
        return np.zeros((height, width), bool)
    rim = _white(coarse, RIM_BRIGHTNESS)
    if other is not None:
        rim &= ~_white(other.coarse, RIM_BRIGHTNESS)
    mask = _cloud_banks(_opened(rim, WIDTH_M / coarse.pixel_m), coarse)
    if not mask.any():
        return np.zeros((height, width), bool)
    full = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray((np.asarray(full) > 0) & patch.valid)


def white(patch: Patch) -> Mask:
    """Bright and colourless pixels, bool (H, W): cloud, snow, white roofs; in pixels of about a metre."""
    height, width = patch.valid.shape
    found = _white(patch.coarse, RIM_BRIGHTNESS).astype(np.uint8)
    return np.asarray(cv2.resize(found, (width, height), interpolation=cv2.INTER_NEAREST)) > 0


def most_white(patch: Patch) -> int:
    """No more pixels than these are `white`; told without laying them out on the patch's own pixels."""
    coarse = patch.coarse
    down, across = (math.ceil(fine / few) + 1 for fine, few in zip(patch.valid.shape, coarse.valid.shape, strict=True))
    return int(np.count_nonzero(_white(coarse, RIM_BRIGHTNESS)) * down * across)


def grey(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Luma of red, green, blue (H, W, 3) as float32 (H, W), 0..255."""
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.float32)


def _white(coarse: Coarse, brightness: int) -> Mask:
    red, green, blue = cv2.split(coarse.pixels)
    low, high = cv2.min(cv2.min(red, green), blue), cv2.max(cv2.max(red, green), blue)
    spread, warmth = cv2.subtract(high, low), cv2.subtract(red, blue)  # negative differences are 0
    white = (low >= brightness) & (spread <= COLOUR_SPREAD) & (warmth <= WARMTH)
    return np.asarray(white & coarse.valid)


def _smooth(coarse: Coarse) -> Mask:
    level = grey(coarse.pixels)
    size = max(round(SMOOTH_M / coarse.pixel_m), 3)
    mean, square = cv2.blur(level, (size, size)), cv2.blur(level**2, (size, size))
    variance = np.asarray(square) - np.asarray(mean) ** 2
    return np.asarray(variance <= ROUGHNESS**2)


def _cloud_banks(white: Mask, coarse: Coarse) -> Mask:
    """The connected white areas that are large, bright in their middle, smooth, and soft at their edges."""
    count, found, statistics, _ = cv2.connectedComponentsWithStats(white.astype(np.uint8), connectivity=8)
    labels, sizes = np.asarray(found, np.int32), statistics[:, cv2.CC_STAT_AREA]
    bright = np.bincount(labels[_white(coarse, BRIGHTNESS)], minlength=count)
    smooth = np.bincount(labels[_smooth(coarse)], minlength=count)
    likely = (np.minimum(sizes, bright) * coarse.pixel_m**2 >= AREA_M2) & (smooth >= SMOOTH_SHARE * sizes)
    likely[0] = False
    edges = _edge_steepness(labels, coarse) if likely.any() else {}
    kept = [n for n in np.flatnonzero(likely) if edges.get(int(n), 0.0) <= EDGE_PER_M]
    return np.isin(labels, kept)


def all_bands_within(pixels: NDArray[np.uint8], low: int, high: int) -> Mask:
    """Pixels (H, W) of (H, W, 3) whose every band lies within low..high."""
    within = cv2.inRange(pixels, np.full(3, low, np.uint8), np.full(3, high, np.uint8))
    return np.asarray(within, np.uint8) > 0


def wide_areas(mask: Mask, pixels: float) -> Mask:
    """The connected areas of a mask (H, W) with at least so many pixels."""
    if np.count_nonzero(mask) < pixels:
        return np.zeros_like(mask)
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    large = statistics[:, cv2.CC_STAT_AREA] >= pixels
    large[0] = False
    return np.asarray(large[labels], bool)


def _opened(mask: Mask, width_px: float) -> Mask:
    """What of a mask is at least `width_px` wide, by distance transforms (large kernels would be slow)."""
    radius = width_px / 2
    core = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1] >= radius
    near = cv2.distanceTransform((~core).astype(np.uint8), cv2.DIST_L2, 5) <= radius if core.any() else core
    return np.asarray(near & mask)


def _steepness(coarse: Coarse) -> NDArray[np.float32]:
    """Grey levels per metre, of a picture smoothed over a pixel so that noise does not count."""
    smooth = cv2.GaussianBlur(grey(coarse.pixels), (0, 0), 1.0)
    dx, dy = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.asarray(np.hypot(dx, dy) / coarse.pixel_m, np.float32)


def _edge_steepness(labels: NDArray[np.int32], coarse: Coarse) -> dict[int, float]:
    """Of each area, the median along its edge of the steepest place within 3 px; areas without an edge are left out."""
    inner = cv2.erode((labels > 0).astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1)
    seen = cv2.erode(coarse.valid.astype(np.uint8), np.ones((9, 9), np.uint8), borderValue=1)
    steepest = np.asarray(cv2.dilate(_steepness(coarse), np.ones((7, 7), np.uint8)))
    edge = (labels > 0) & (np.asarray(inner) == 0) & (np.asarray(seen) > 0)
    owners, values = labels[edge], steepest[edge]
    return {int(n): float(np.median(values[owners == n])) for n in np.unique(owners)}
