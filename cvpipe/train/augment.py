"""What differs between two looks at the same unchanged ground: place and light.

Geometry is one pass for both epochs; light, season, haze and sensor are drawn anew for each epoch.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cvpipe.network.losses import IGNORE
from cvpipe.train.pictures import Picture, Pixels

#: Nearest neighbour, the library's own choice, would move edges by up to two pixels.
_SMOOTH = {"downscale": cv2.INTER_AREA, "upscale": cv2.INTER_LINEAR}


@dataclass(frozen=True)
class Cut:
    """Where and how a crop is taken from a picture: centre (x, y) px, angle in degrees, mirrored, pixel size in m."""

    centre: tuple[float, float]
    angle: float
    mirrored: bool
    gsd_m: float

    @classmethod
    def random(cls, picture: Picture, gsd_range_m: tuple[float, float], size: int, rng: np.random.Generator) -> Cut:
        """A crop of `size` px within the picture where it fits, any way up; pixel size drawn evenly on a log scale."""
        gsd = float(np.exp(rng.uniform(*np.log(gsd_range_m))))
        # half of the crops keep to right angles, so that fine texture is not always softened by interpolation
        angle = float(rng.choice((0, 90, 180, 270))) if rng.random() < 0.5 else float(rng.uniform(0, 360))
        half = size / 2 * gsd / picture.gsd_m
        y, x = (float(rng.uniform(min(half, n / 2), max(n - half, n / 2))) for n in picture.surface.shape)
        return cls((x, y), angle, bool(rng.random() < 0.5), gsd)


def crop(pixels: Pixels, labels: Pixels, gsd_m: float, cut: Cut, size: int) -> tuple[Pixels, Pixels]:
    """Cut a square of `size` px out of a picture of pixel size `gsd_m`, and out of its labels.

    `labels` is (H, W) or (H, W, C ≤ 4) uint8; beyond the picture's edge labels are IGNORE and pixels mirrored.
    """
    scale = gsd_m / cut.gsd_m
    if scale < 0.67:  # shrink by area first, or warpAffine would skip pixels
        shrunk = (max(round(pixels.shape[1] * scale), 1), max(round(pixels.shape[0] * scale), 1))
        pixels = cv2.resize(pixels, shrunk, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        labels = cv2.resize(labels, shrunk, interpolation=cv2.INTER_NEAREST).astype(np.uint8, copy=False)
        cut = Cut((cut.centre[0] * scale, cut.centre[1] * scale), cut.angle, cut.mirrored, cut.gsd_m)
        scale = 1.0
    matrix = np.asarray(cv2.getRotationMatrix2D(cut.centre, cut.angle, scale), np.float64)
    matrix[:, 2] += size / 2 - np.array(cut.centre)
    shape = (size, size)
    out = cv2.warpAffine(pixels, matrix, shape, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    label = cv2.warpAffine(labels, matrix, shape, flags=cv2.INTER_NEAREST, borderValue=(IGNORE,) * 4)
    if cut.mirrored:
        out, label = out[:, ::-1], label[:, ::-1]
    return np.ascontiguousarray(out, np.uint8), np.ascontiguousarray(label, np.uint8)


def displaced(
    pixels: Pixels, labels: Pixels, shift_px: tuple[float, float], relief_px: float, rng: np.random.Generator
) -> tuple[Pixels, Pixels]:
    """The picture as another overflight would map it: moved as a whole, and locally by up to `relief_px`.

    The smooth local part stands for terrain and view angle, which no shift of the whole picture removes.
    `labels` (H, W, C ≤ 4) move along.
    """
    height, width = labels.shape[:2]
    field = rng.uniform(-relief_px, relief_px, (5, 5, 2)).astype(np.float32)
    local = cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC)
    cols, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    map_x, map_y = cols - shift_px[0] + local[..., 0], rows - shift_px[1] + local[..., 1]
    out = cv2.remap(pixels, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    label = cv2.remap(
        labels, map_x, map_y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=(IGNORE,) * 4
    )
    return out.astype(np.uint8, copy=False), label.astype(np.uint8, copy=False)


class Light:
    """Season, haze, exposure, colour and sensor of one epoch, drawn at random; `dark_share` of them deep in tone."""

    def __init__(self, dark_share: float = 0.0) -> None:
        self._dark_share = dark_share
        os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # no look-up of newer versions over the network
        import albumentations as A  # comes with cvpipe[train]; the rest of this file also serves evaluation

        self._transform = A.Compose(
            [
                A.RandomBrightnessContrast(brightness_limit=0.25, contrast_limit=0.35, p=0.8),
                A.RandomGamma(gamma_limit=(70, 140), p=0.4),
                A.HueSaturationValue(hue_shift_limit=8, sat_shift_limit=35, val_shift_limit=0, p=0.5),
                A.RGBShift(r_shift_limit=20, g_shift_limit=20, b_shift_limit=20, p=0.5),
                A.RandomToneCurve(scale=0.15, per_channel=True, p=0.3),
                A.OneOf(
                    [
                        A.GaussianBlur(blur_limit=(3, 5), p=1.0),
                        A.Downscale(scale_range=(0.5, 0.8), interpolation_pair=_SMOOTH, p=1.0),
                        A.Sharpen(alpha=(0.1, 0.4), p=1.0),
                    ],
                    p=0.4,
                ),
                A.GaussNoise(std_range=(0.005, 0.04), p=0.3),
                A.ImageCompression(quality_range=(45, 95), p=0.4),
                A.ToGray(p=0.03),
            ]
        )

    def __call__(self, pixels: Pixels, rng: np.random.Generator) -> Pixels:
        """RGB uint8 (H, W, 3) in, the same out; all chance comes from `rng`."""
        if rng.random() < 0.35:
            pixels = seasoned(pixels, float(rng.uniform(-1, 1)))
        if rng.random() < 0.2:
            pixels = hazed(pixels, float(rng.uniform(0.05, 0.3)), rng)
        if rng.random() < 0.25:
            pixels = shaded(pixels, rng)
        if self._dark_share and rng.random() < self._dark_share:
            pixels = deepened(pixels, float(rng.uniform(1.3, 2.3)))
        self._transform.set_random_seed(int(rng.integers(2**31)))
        out: Pixels = self._transform(image=pixels)["image"]
        return out


def seasoned(pixels: Pixels, strength: float) -> Pixels:
    """Turn green plants dry and brown (strength up to 1) or lush and dark (down to -1)."""
    rgb: NDArray[np.floating[Any]] = pixels.astype(np.float32)
    excess = 2 * rgb[..., 1] - rgb[..., 0] - rgb[..., 2]  # excess green index, Woebbecke et al. 1995
    weight = np.clip((excess - 4) / 30, 0, 1)[..., None] * abs(strength)
    if strength > 0:
        dry = rgb.mean(axis=2, keepdims=True) * np.array([1.22, 1.05, 0.75], np.float32)
        rgb = rgb * (1 - weight) + dry * weight
    else:
        rgb = rgb * (1 - weight * np.array([0.45, 0.2, 0.4], np.float32))
    out: Pixels = np.clip(rgb, 0, 255).astype(np.uint8)
    return out


def deepened(pixels: Pixels, gamma: float) -> Pixels:
    """The picture in the deep tones that some satellite products have: dark ground darker still, bright roofs not."""
    table = 255 * (np.arange(256) / 255) ** gamma
    return np.rint(table).astype(np.uint8)[pixels]


def coarsened(pixels: Pixels, factor: float) -> Pixels:
    """The picture as a sensor with `factor` times larger pixels saw it, enlarged again as the reader would."""
    height, width = pixels.shape[:2]
    small = cv2.resize(pixels, (round(width / factor), round(height / factor)), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def hazed(pixels: Pixels, density: float, rng: np.random.Generator) -> Pixels:
    """Mix in bright air light, denser on one side of the picture than on the other."""
    corners = (density * rng.uniform(0.4, 1.0, (2, 2))).astype(np.float32)
    veil = cv2.resize(corners, pixels.shape[1::-1], interpolation=cv2.INTER_LINEAR)[..., None]
    air = np.array([225, 228, 235], np.float32)
    return np.clip(pixels * (1 - veil) + air * veil, 0, 255).astype(np.uint8)


def shaded(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Cast the shadow of something outside the picture: a dark quadrilateral with a soft edge."""
    height, width = pixels.shape[:2]
    centre, spread = rng.uniform(0, 1, 2) * (width, height), rng.uniform(0.05, 0.2) * width
    corners = rng.normal(centre, spread, (4, 2)).astype(np.int32)
    mask = np.zeros((height, width), np.float32)
    cv2.fillPoly(mask, [cv2.convexHull(corners)], 1.0)
    weight = cv2.GaussianBlur(mask, (0, 0), 1.2)[..., None] * rng.uniform(0.3, 0.6)
    tint = np.array([1.0, 0.97, 0.88], np.float32)  # shade is lit by the blue sky
    return np.clip(pixels * (1 - weight * tint), 0, 255).astype(np.uint8)
